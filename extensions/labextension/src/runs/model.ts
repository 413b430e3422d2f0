import { VDomModel } from '@jupyterlab/ui-components';
import { Token } from '@lumino/coreutils';
import { DisposableDelegate, type IDisposable } from '@lumino/disposable';
import { Poll } from '@lumino/polling';
import { Signal } from '@lumino/signaling';

import { NotServed, sentenceOf } from '../common/rest';
import { now, secondsLeft, type INow } from '../countdown';
import type { RunsApi } from './api';
import { isLive, merged, newestFirst, type IPage, type IRow } from './rows';
import { changesWords } from './words';

/** The list of the person's runs, shared by the panel and all cards. */
export const IRuns = new Token<RunsModel>('@skiva/lab:IRuns', 'The list of runs.');

const BUSY = 1000;
const IDLE = 10000;
const LONGEST = 30000;
const PAGE = 200;

/** Keeps the list of runs as the server has it; asks often only while something moves and is looked at. */
export class RunsModel extends VDomModel {
  constructor(api: RunsApi) {
    super();
    this.api = api;
    this._poll = new Poll({
      name: '@skiva/lab:runs',
      factory: () => this._ask(),
      frequency: { interval: IDLE, backoff: true, max: LONGEST },
      standby: 'when-hidden'
    });
    document.addEventListener('visibilitychange', this._onVisible);
  }

  /** The requests. */
  readonly api: RunsApi;

  /** Known runs, the newest first. */
  get rows(): readonly IRow[] {
    return (this._sorted ??= newestFirst(this._rows.values()));
  }

  /** Whether the list was read once. */
  get loaded(): boolean {
    return this._version !== null;
  }

  /** Whether there are older runs that were not read. */
  get more(): boolean {
    return this._more;
  }

  /** Why the list may be old, in a sentence; empty when it is not. */
  get trouble(): string {
    return this._failure || this._trouble;
  }

  /** What a screen reader is told. */
  get announcement(): string {
    return this._announcement;
  }

  /** Whether the server keeps runs at all. */
  get available(): boolean {
    return !this._poll.isDisposed;
  }

  /** Whether somebody looks at runs: at the list, or at one in a cell. */
  get watched(): boolean {
    return this._watchers > 0;
  }

  /** A known run. */
  get(id: string): IRow | null {
    return this._rows.get(id) ?? null;
  }

  /** Whether it was there and is not any more. */
  isGone(id: string): boolean {
    return this._gone.has(id);
  }

  /** Seconds of a running job's time limit. */
  left(row: IRow): number | null {
    const at = this._heard.get(row);
    return row.seconds_left === null || !at
      ? row.seconds_left
      : Math.max(0, secondsLeft({ left: row.seconds_left, at }, now()));
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

  /** Ask now. */
  async refresh(): Promise<void> {
    await this._ask().catch(() => undefined);
  }

  /** Read older runs. Throws ServerError. */
  async older(): Promise<void> {
    if (this._oldest !== null) {
      this._takeOlder(await this.api.list({ before: this._oldest, limit: PAGE }));
    }
  }

  /** A run as an answer had it. */
  take(row: IRow): void {
    this._note([row]);
    this._announcement = changesWords(this._rows, [row]) || this._announcement;
    this._set(new Map(this._rows).set(row.id, row));
    if (this._watchers && this.available) {
      void this._poll.refresh();
    }
  }

  /** A run that was removed. */
  drop(id: string): void {
    this._gone.add(id);
    this._set(merged(this._rows, { runs: [], removed: [id] }));
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
      const since = this._version;
      const page = await this.api.list(since === null ? { limit: PAGE } : { since });
      if (since === null || page.whole) {
        // Another server answers a version that it does not know with everything.
        this._takeFirst(page);
      } else {
        this._takeChanges(page);
      }
    } catch (error) {
      this._fail(error);
    }
  }

  private _fail(error: unknown): void {
    if (error instanceof NotServed && !this.loaded) {
      this._stop();
      this.stateChanged.emit();
      Signal.clearData(this);
      return;
    }
    this._failure = sentenceOf(error);
    this.stateChanged.emit();
    throw error;
  }

  private _takeFirst(page: IPage): void {
    this._oldest = page.runs.at(-1)?.id ?? null;
    this._more = page.more;
    this._announcement = changesWords(this._rows, page.runs) || this._announcement;
    this._answered(page);
    this._set(merged(new Map(), page));
  }

  private _takeOlder(page: IPage): void {
    this._oldest = page.runs.at(-1)?.id ?? this._oldest;
    this._more = page.more;
    this._note(page.runs);
    this._set(merged(this._rows, { runs: page.runs, removed: [] }));
  }

  private _takeChanges(page: IPage): void {
    const silent = this._failure === '' && this._trouble === page.trouble;
    const before = this._rows;
    this._answered(page);
    if (page.runs.length || page.removed.length) {
      this._announcement = changesWords(before, page.runs) || this._announcement;
      page.removed.forEach(id => this._gone.add(id));
      this._set(merged(before, page));
    } else if (!silent) {
      this.stateChanged.emit();
    }
    if (page.more) {
      void this._poll.refresh();
    }
  }

  private _answered(page: IPage): void {
    this._version = page.version;
    this._trouble = page.trouble;
    this._failure = '';
    this._note(page.runs);
  }

  private _note(rows: readonly IRow[]): void {
    const at = now();
    rows.forEach(row => this._heard.set(row, at));
  }

  private _set(rows: ReadonlyMap<string, IRow>): void {
    rows.forEach((_, id) => this._gone.delete(id));
    this._rows = rows;
    this._sorted = null;
    this._pace();
    this.stateChanged.emit();
  }

  private _pace(): void {
    const busy = this._watchers > 0 && this.rows.some(isLive);
    const interval = busy ? BUSY : IDLE;
    if (this.available && this._poll.frequency.interval !== interval) {
      this._poll.frequency = { interval, backoff: true, max: LONGEST };
    }
  }

  private _onVisible = (): void => {
    if (!document.hidden && this.available) {
      void this._poll.refresh();
    }
  };

  private _poll: Poll;
  private _rows: ReadonlyMap<string, IRow> = new Map();
  private _gone = new Set<string>();
  private _heard = new WeakMap<IRow, INow>();
  private _sorted: readonly IRow[] | null = null;
  private _version: number | null = null;
  private _oldest: string | null = null;
  private _more = false;
  private _trouble = '';
  private _failure = '';
  private _announcement = '';
  private _watchers = 0;
}
