import { VDomModel } from '@jupyterlab/ui-components';
import type { IDisposable } from '@lumino/disposable';
import { Poll } from '@lumino/polling';

import { LogText } from '../common/follow';
import { sentenceOf, ServerError } from '../common/rest';
import type { ClustersModel } from './model';
import { isLiving, type ICluster } from './rows';

const PACE = 2000;
const LONGEST = 15000;

/** One cluster looked at closely, with the log of one of its workers. Asks only while it is visible. */
export class ClusterWatch extends VDomModel {
  constructor(id: string, model: ClustersModel) {
    super();
    this.id = id;
    this._model = model;
    this._cluster = model.get(id);
    this._poll = new Poll({
      name: `@skiva/lab:cluster-${id}`,
      factory: () => this._ask(),
      frequency: { interval: Poll.NEVER, backoff: true, max: LONGEST },
      auto: false,
      standby: 'when-hidden'
    });
    model.stateChanged.connect(this._onList, this);
  }

  /** The cluster's id. */
  readonly id: string;

  /** What is known of it; null before the server answered. */
  get cluster(): ICluster | null {
    return this._cluster;
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

  /** Why there is nothing, or nothing new. */
  get trouble(): string {
    const over = this._cluster !== null && !isLiving(this._cluster);
    return this._trouble || (over ? '' : this._model.trouble);
  }

  /** Whether there is no such cluster. */
  get missing(): boolean {
    return this._missing;
  }

  /** Whether it is on the screen: only then the server is asked. */
  get visible(): boolean {
    return this._looking !== null;
  }
  set visible(visible: boolean) {
    if (visible && this._looking === null && !this.isDisposed) {
      this._looking = this._model.watch();
      void this._poll.refresh();
    } else if (!visible && this._looking !== null) {
      this._looking.dispose();
      this._looking = null;
    }
    this._pace();
  }

  /** Show the log of this worker, of the scheduler, or none. */
  async showLog(worker: string | null): Promise<void> {
    this._worker = worker;
    this._log = new LogText();
    this._logTrouble = '';
    this.stateChanged.emit();
    await this._poll.refresh();
  }

  override dispose(): void {
    if (!this.isDisposed) {
      this.visible = false;
      this._model.stateChanged.disconnect(this._onList, this);
      this._poll.dispose();
      super.dispose();
    }
  }

  private async _ask(): Promise<void> {
    try {
      // What the list does not have ended long ago: it is read once.
      if (this._cluster === null && !this._missing) {
        this._cluster = await this._model.api.get(this.id);
      }
      this._trouble = '';
    } catch (error) {
      this._missing = error instanceof ServerError && error.status === 404;
      this._trouble = sentenceOf(error);
    }
    await this._follow();
    this._pace();
    this.stateChanged.emit();
  }

  private async _follow(): Promise<void> {
    const [worker, log] = [this._worker, this._log];
    if (worker === null || this._missing) {
      return;
    }
    try {
      await log.follow(offset => this._model.api.log(this.id, worker, offset));
      this._logTrouble = '';
    } catch (error) {
      this._logTrouble = log === this._log ? sentenceOf(error) : this._logTrouble;
    }
  }

  private _onList(): void {
    const cluster = this._model.get(this.id);
    if (this._model.isGone(this.id)) {
      this._missing = true;
      this._trouble = 'This cluster was taken off the list.';
    } else if (cluster !== null) {
      this._missing = false;
      this._trouble = '';
      this._cluster = cluster;
    } else if (this._model.loaded && this._cluster !== null && isLiving(this._cluster)) {
      // It ended, and so many others after it that the list has it no more.
      this._cluster = null;
      void (this._looking && this._poll.refresh());
    }
    this._pace();
    this.stateChanged.emit();
  }

  private _pace(): void {
    const unread = this._cluster === null && !this._missing;
    const grows = this._worker !== null && this._cluster !== null && isLiving(this._cluster);
    const interval = this._looking !== null && (unread || grows) ? PACE : Poll.NEVER;
    if (!this._poll.isDisposed && this._poll.frequency.interval !== interval) {
      this._poll.frequency = { interval, backoff: true, max: LONGEST };
    }
  }

  private _model: ClustersModel;
  private _poll: Poll;
  private _looking: IDisposable | null = null;
  private _cluster: ICluster | null;
  private _worker: string | null = null;
  private _log = new LogText();
  private _logTrouble = '';
  private _trouble = '';
  private _missing = false;
}
