import { Poll } from '@lumino/polling';

import { LogText } from '../common/follow';
import { sentenceOf } from '../common/rest';
import { Watched } from '../common/watched';
import type { ClustersModel } from './model';
import { isLiving, type ICluster } from './rows';

const PACE = 2000;
const LONGEST = 15000;

/** One cluster looked at closely, with the log of one of its workers. */
export class ClusterWatch extends Watched<ICluster, ClustersModel> {
  constructor(id: string, list: ClustersModel) {
    super(id, list, 'cluster', LONGEST);
  }

  /** Whose log is shown: a worker's name, empty for the scheduler; null where none is. */
  get worker(): string | null {
    return this._worker;
  }

  /** That log. */
  get log(): LogText {
    return this._log;
  }

  /** Why that log is not there. */
  get logTrouble(): string {
    return this._logTrouble;
  }

  /** Show the log of this worker, of the scheduler, or none. */
  async showLog(worker: string | null): Promise<void> {
    this._worker = worker;
    this._log = new LogText();
    this._logTrouble = '';
    this.stateChanged.emit();
    await this.refresh();
  }

  protected get removed(): string {
    return 'This cluster was taken off the list.';
  }

  protected async ask(): Promise<void> {
    // What the list does not have ended long ago: it is read once.
    if (this.row === null) {
      this.found(await this.list.api.get(this.id));
    }
    await this._follow();
  }

  protected lives(row: ICluster): boolean {
    return isLiving(row);
  }

  protected interval(): number {
    const grows = this._worker !== null && this.row !== null && isLiving(this.row);
    return this.row === null || grows ? PACE : Poll.NEVER;
  }

  protected outdated(row: ICluster | null, before: ICluster | null): boolean {
    // It ended, and so many others after it that the list has it no more.
    const left = row === null && this.list.loaded && before !== null && isLiving(before);
    if (left) {
      this.found(null);
    }
    return left;
  }

  private async _follow(): Promise<void> {
    const [worker, log] = [this._worker, this._log];
    if (worker === null) {
      return;
    }
    try {
      await log.follow(offset => this.list.api.log(this.id, worker, offset));
      this._logTrouble = '';
    } catch (error) {
      this._logTrouble = log === this._log ? sentenceOf(error) : this._logTrouble;
    }
  }

  private _worker: string | null = null;
  private _log = new LogText();
  private _logTrouble = '';
}
