import { Poll } from '@lumino/polling';

import { LogText } from '../common/follow';
import { Watched } from '../common/watched';
import type { IDetail } from './api';
import type { RunsModel } from './model';
import { isLive, type IRow, type ITask } from './rows';

const BUSY = 1000;
const LONGEST = 30000;

const MANY = 200;

/** One run looked at closely: its log as it grows, its tasks, its error. */
export class RunWatch extends Watched<IRow, RunsModel> {
  constructor(id: string, list: RunsModel) {
    super(id, list, 'run', LONGEST);
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

  protected get removed(): string {
    return 'This run was removed.';
  }

  protected async ask(): Promise<void> {
    const over = this.row !== null && !isLive(this.row);
    if (this._detail === null || (over && isLive(this._detail))) {
      await this._read();
    }
    if (this.log.next !== null) {
      await this._follow();
    }
    await this._readTasks();
  }

  protected lives(row: IRow): boolean {
    return isLive(row);
  }

  protected interval(): number {
    return this._detail === null || (this.row !== null && this.lives(this.row)) ? BUSY : Poll.NEVER;
  }

  /** Its last lines, its result or its error are there when it has ended. */
  protected outdated(row: IRow | null, before: IRow | null): boolean {
    return row !== null && before !== null && isLive(before) && !isLive(row);
  }

  private async _read(): Promise<void> {
    const detail = await this.list.api.get(this.id);
    this._detail = detail;
    this.found(detail);
    if (this.log.next === null) {
      this.log.begin(detail.tail, detail.log_size);
    }
    if (this.list.get(this.id) === null && isLive(detail)) {
      this.list.take(detail);
    }
  }

  /** Many tasks are read again only when one of them changed. */
  private async _readTasks(): Promise<void> {
    const row = this.row;
    if (row?.tasks && (row !== this._tasksOf || (isLive(row) && this._tasks.length < MANY))) {
      this._tasks = await this.list.api.tasks(this.id);
      this._tasksOf = row;
    }
  }

  private async _follow(): Promise<void> {
    await this.log.follow(offset => this.list.api.log(this.id, offset, this._task));
  }

  private _detail: IDetail | null = null;
  private _tasks: readonly ITask[] = [];
  private _tasksOf: IRow | null = null;
  private _task: number | null = null;
}
