import { VDomModel } from '@jupyterlab/ui-components';
import type { IDisposable } from '@lumino/disposable';
import { Poll } from '@lumino/polling';

import { LogText } from '../common/follow';
import { sentenceOf, ServerError } from '../common/rest';
import type { IDetail } from './api';
import type { RunsModel } from './model';
import { isLive, type IRow, type ITask } from './rows';

const BUSY = 1000;
const LONGEST = 30000;

const MANY = 200;

/** One run looked at closely: its log as it grows, its tasks, its error. Asks only while it is visible. */
export class RunWatch extends VDomModel {
  constructor(id: string, model: RunsModel) {
    super();
    this.id = id;
    this._model = model;
    this._row = model.get(id);
    this._poll = new Poll({
      name: `@skiva/lab:run-${id}`,
      factory: () => this._ask(),
      frequency: { interval: Poll.NEVER, backoff: true, max: LONGEST },
      auto: false,
      standby: 'when-hidden'
    });
    model.stateChanged.connect(this._onList, this);
  }

  /** The run's id. */
  readonly id: string;

  /** What is known of it; null before the server answered. */
  get row(): IRow | null {
    return this._row;
  }

  /** The rest of what is known; null before the server answered. */
  get detail(): IDetail | null {
    return this._detail;
  }

  /** The log that is looked at: its own, or that of a task. */
  readonly log = new LogText();

  /** A map's tasks. */
  get tasks(): readonly ITask[] {
    return this._tasks;
  }

  /** Whose log is shown, where it is a map. */
  get task(): number | null {
    return this._task;
  }

  /** Why there is nothing, or nothing new. */
  get trouble(): string {
    const over = this._row !== null && !isLive(this._row);
    return this._trouble || (over ? '' : this._model.trouble);
  }

  /** Whether the server said that there is no such run. */
  get missing(): boolean {
    return this._missing;
  }

  /** Whether it is on the screen: only then the server is asked. */
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

  /** Show the log of this task. */
  async showTask(task: number): Promise<void> {
    this._task = task;
    this.log.forget();
    this.stateChanged.emit();
    await this.refresh();
  }

  /** Read the log from its beginning, as much as a page can bear. */
  async readAll(): Promise<void> {
    this.log.forget();
    await this._follow();
    this.stateChanged.emit();
  }

  /** Ask now. */
  async refresh(): Promise<void> {
    await this._poll.refresh();
    await this._poll.tick;
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
      const over = this._row !== null && !isLive(this._row);
      if (this._detail === null || (over && isLive(this._detail))) {
        await this._read();
      }
      if (this.log.next !== null && !this._missing) {
        await this._follow();
      }
      await this._readTasks();
      this._trouble = '';
    } catch (error) {
      this._fail(error);
    }
    this._pace();
    this.stateChanged.emit();
  }

  private _fail(error: unknown): void {
    if (error instanceof ServerError && error.status === 404) {
      this._missing = true;
      this._trouble = error.message;
      return;
    }
    this._trouble = sentenceOf(error);
    this.stateChanged.emit();
    throw error;
  }

  private async _read(): Promise<void> {
    const detail = await this._model.api.get(this.id);
    this._missing = false;
    this._detail = detail;
    this._row = detail;
    if (this.log.next === null && this._task === null) {
      this.log.begin(detail.tail, detail.log_size);
    } else if (this.log.next === null) {
      await this._follow();
    }
    if (this._model.get(this.id) === null && isLive(detail)) {
      this._model.take(detail);
    }
  }

  /** Many tasks are read again only when one of them changed. */
  private async _readTasks(): Promise<void> {
    const row = this._row;
    if (row?.tasks && (row !== this._tasksOf || (isLive(row) && this._tasks.length < MANY))) {
      this._tasks = await this._model.api.tasks(this.id);
      this._tasksOf = row;
    }
  }

  private async _follow(): Promise<void> {
    await this.log.follow(offset => this._model.api.log(this.id, offset, this._task));
  }

  private _onList(): void {
    const row = this._model.get(this.id);
    if (this._model.isGone(this.id)) {
      this._missing = true;
      this._trouble = 'This run was removed.';
    } else if (row !== null && this._missing) {
      this._missing = false;
      this._trouble = '';
    }
    if (row !== null && row !== this._row) {
      const ended = this._row !== null && isLive(this._row) && !isLive(row);
      this._row = row;
      this._pace();
      if (ended && this._looking) {
        void this._poll.refresh();
      }
    }
    this.stateChanged.emit();
  }

  private _pace(): void {
    const live = this._looking !== null && this._row !== null && isLive(this._row);
    const interval = live ? BUSY : Poll.NEVER;
    if (!this._poll.isDisposed && this._poll.frequency.interval !== interval) {
      this._poll.frequency = { interval, backoff: true, max: LONGEST };
    }
  }

  private _model: RunsModel;
  private _poll: Poll;
  private _looking: IDisposable | null = null;
  private _row: IRow | null;
  private _detail: IDetail | null = null;
  private _tasks: readonly ITask[] = [];
  private _tasksOf: IRow | null = null;
  private _task: number | null = null;
  private _trouble = '';
  private _missing = false;
}
