import { Token } from '@lumino/coreutils';

import { PolledList } from '../common/polled';
import { ServerError } from '../common/rest';
import type { ClustersApi, IClusterWishes } from './api';
import { inOrder, isLiving, moves, type ICluster } from './rows';
import { changesWords } from './words';

/** The person's clusters, shared by the panel, all cards and dashboards. */
export const IClusterList = new Token<ClustersModel>('@skiva/lab:IClusterList', 'The list of clusters.');

const BUSY = 2000;
const CALM = 6000;
const UNSEEN = 20000;
const NOTHING = 30000;
const LONGEST = 15000;

/** The person's clusters, living ones first. */
export class ClustersModel extends PolledList<ICluster> {
  constructor(api: ClustersApi) {
    super({ name: 'clusters', calm: NOTHING, longest: LONGEST });
    this.api = api;
  }

  /** The requests. */
  readonly api: ClustersApi;

  /** Start one; with the key of one that lives, that one. Throws ServerError. */
  async start(wishes: IClusterWishes, key: string): Promise<ICluster> {
    const cluster = await this.api.start(wishes, key).catch((error: unknown) => {
      // It may be there all the same, and is on the list then.
      void (error instanceof ServerError && error.unheard && this.refresh());
      throw error;
    });
    this.take(cluster);
    return cluster;
  }

  override take(row: ICluster): void {
    this._taken += 1;
    super.take(row);
  }

  protected async ask(): Promise<void> {
    const taken = this._taken;
    const { clusters, trouble } = await this.api.list();
    this.answered(trouble ?? '');
    if (taken !== this._taken) {
      // What was ordered meanwhile was answered with something newer.
      this.stateChanged.emit();
      return;
    }
    // A list that was on its way when one was removed still has it.
    const rows = clusters.filter(({ id }) => !this.isGone(id));
    this.announce(rows);
    this.setRows(new Map(rows.map(row => [row.id, row])));
  }

  protected inOrder(rows: Iterable<ICluster>): readonly ICluster[] {
    return inOrder(rows);
  }

  protected changes(rows: readonly ICluster[]): string {
    return changesWords(this.known, rows);
  }

  protected interval(): number {
    if (this.watched) {
      return this.rows.some(moves) ? BUSY : CALM;
    }
    return this.rows.some(isLiving) ? UNSEEN : NOTHING;
  }

  private _taken = 0;
}
