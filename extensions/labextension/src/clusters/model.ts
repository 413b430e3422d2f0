import { VDomModel } from '@jupyterlab/ui-components';
import { Token } from '@lumino/coreutils';
import { DisposableDelegate, type IDisposable } from '@lumino/disposable';
import { Poll } from '@lumino/polling';
import { Signal } from '@lumino/signaling';

import { NotServed, sentenceOf } from '../common/rest';
import type { ClustersApi } from './api';
import { inOrder, isLiving, moves, type ICluster, type IClusters } from './rows';
import { changesWords } from './words';

/** The person's clusters, shared by the panel, all cards and dashboards. */
export const IClusterList = new Token<ClustersModel>('@skiva/lab:IClusterList', 'The list of clusters.');

const BUSY = 2000;
const CALM = 6000;
const UNSEEN = 20000;
const NOTHING = 30000;
const LONGEST = 15000;

/** Keeps the list of clusters as the server has it; asks often only while one changes and is looked at. */
export class ClustersModel extends VDomModel {
  constructor(api: ClustersApi) {
    super();
    this.api = api;
    this._poll = new Poll({
      name: '@skiva/lab:clusters',
      factory: () => this._ask(),
      frequency: { interval: NOTHING, backoff: true, max: NOTHING },
      standby: 'when-hidden'
    });
    document.addEventListener('visibilitychange', this._onVisible);
  }

  /** The requests. */
  readonly api: ClustersApi;

  /** Known clusters, living ones first. */
  get rows(): readonly ICluster[] {
    return (this._sorted ??= inOrder(this._rows.values()));
  }

  /** Whether the list was read once. */
  get loaded(): boolean {
    return this._loaded;
  }

  /** Why the list may be old, in a sentence; empty when it is not. */
  get trouble(): string {
    return this._failure || this._trouble;
  }

  /** Whether the server did not answer the last time. */
  get silent(): boolean {
    return this._failure !== '';
  }

  /** What a screen reader is told. */
  get announcement(): string {
    return this._announcement;
  }

  /** Whether the server keeps clusters at all. */
  get available(): boolean {
    return !this._poll.isDisposed;
  }

  /** Whether somebody looks at clusters. */
  get watched(): boolean {
    return this._watchers > 0;
  }

  /** A known cluster. */
  get(id: string): ICluster | null {
    return this._rows.get(id) ?? null;
  }

  /** Whether it was taken off the list. */
  isGone(id: string): boolean {
    return this._gone.has(id);
  }

  /** Look at the list until the returned object is disposed. */
  watch(): IDisposable {
    this._watchers += 1;
    this._pace();
    if (this.available) {
      void this._poll.refresh();
    }
    return new DisposableDelegate(() => {
      this._watchers -= 1;
      this._pace();
    });
  }

  /** Ask now; done when it was answered, or not. */
  async refresh(): Promise<void> {
    if (this.available) {
      await this._poll.refresh();
      await this._poll.tick.catch(() => undefined);
    }
  }

  /** A cluster as an answer had it. */
  take(cluster: ICluster): void {
    this._gone.delete(cluster.id);
    this._announce([cluster]);
    this._set(new Map(this._rows).set(cluster.id, cluster));
    if (this._watchers && this.available) {
      void this._poll.schedule({ interval: BUSY });
    }
  }

  /** A cluster that was taken off the list. */
  drop(id: string): void {
    this._gone.add(id);
    const rows = new Map(this._rows);
    rows.delete(id);
    this._set(rows);
  }

  override dispose(): void {
    if (!this.isDisposed) {
      this._stop();
      super.dispose();
    }
  }

  private _stop(): void {
    this._poll.dispose();
    document.removeEventListener('visibilitychange', this._onVisible);
  }

  private async _ask(): Promise<void> {
    try {
      this._takeAll(await this.api.list());
    } catch (error) {
      if (error instanceof NotServed && !this._loaded) {
        this._stop();
        this.stateChanged.emit();
        Signal.clearData(this);
        return;
      }
      this._failure = sentenceOf(error);
      this.stateChanged.emit();
      throw error;
    }
  }

  private _takeAll({ clusters, trouble }: IClusters): void {
    this._loaded = true;
    this._failure = '';
    this._trouble = trouble ?? '';
    // A list that was on its way when one was removed still has it.
    const rows = clusters.filter(({ id }) => !this._gone.has(id));
    this._announce(rows);
    this._set(new Map(rows.map(row => [row.id, row])));
  }

  private _announce(rows: readonly ICluster[]): void {
    this._announcement = changesWords(this._rows, rows) || this._announcement;
  }

  private _set(rows: ReadonlyMap<string, ICluster>): void {
    this._rows = rows;
    this._sorted = null;
    this._pace();
    this.stateChanged.emit();
  }

  private _pace(): void {
    const living = this.rows.some(isLiving);
    const watched = this.rows.some(moves) ? BUSY : CALM;
    const interval = this._watchers > 0 ? watched : living ? UNSEEN : NOTHING;
    if (this.available && this._poll.frequency.interval !== interval) {
      this._poll.frequency = { interval, backoff: true, max: Math.max(interval, LONGEST) };
    }
  }

  private _onVisible = (): void => {
    if (!document.hidden && this.available) {
      void this._poll.refresh();
    }
  };

  private _poll: Poll;
  private _rows: ReadonlyMap<string, ICluster> = new Map();
  private _sorted: readonly ICluster[] | null = null;
  private _gone = new Set<string>();
  private _loaded = false;
  private _trouble = '';
  private _failure = '';
  private _announcement = '';
  private _watchers = 0;
}
