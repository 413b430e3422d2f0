import { Token } from '@lumino/coreutils';

import { PolledList } from '../common/polled';
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

/** The person's runs, the newest first; of many the older ones are read when they are asked for. */
export class RunsModel extends PolledList<IRow> {
  constructor(api: RunsApi) {
    super({ name: 'runs', calm: IDLE, longest: LONGEST });
    this.api = api;
  }

  /** The requests. */
  readonly api: RunsApi;

  /** Whether there are older runs that were not read. */
  get more(): boolean {
    return this._more;
  }

  /** Seconds of a running job's time limit. */
  left(row: IRow): number | null {
    const at = this._heard.get(row);
    return row.seconds_left === null || !at
      ? row.seconds_left
      : Math.max(0, secondsLeft({ left: row.seconds_left, at }, now()));
  }

  /** Read older runs. Throws ServerError. */
  async older(): Promise<void> {
    if (this._oldest !== null) {
      const page = await this.api.list({ before: this._oldest, limit: PAGE });
      this._end(page);
      this._note(page.runs);
      this.setRows(merged(this.known, { runs: page.runs, removed: [] }));
    }
  }

  override take(row: IRow): void {
    this._note([row]);
    super.take(row);
  }

  protected async ask(): Promise<void> {
    const since = this._version;
    const page = await this.api.list(since === null ? { limit: PAGE } : { since });
    const silent = !this.silent && this.trouble === page.trouble;
    this._version = page.version;
    this.answered(page.trouble);
    this._note(page.runs);
    this.announce(page.runs);
    if (since === null || page.whole) {
      // Another server answers a version that it does not know with everything.
      this._end(page);
      this.setRows(merged(new Map(), page), page.removed);
      return;
    }
    if (page.runs.length || page.removed.length || !silent) {
      this.setRows(merged(this.known, page), page.removed);
    }
    if (page.more) {
      await this.ask();
    }
  }

  protected inOrder(rows: Iterable<IRow>): readonly IRow[] {
    return newestFirst(rows);
  }

  protected changes(rows: readonly IRow[]): string {
    return changesWords(this.known, rows);
  }

  protected interval(): number {
    return this.watched && this.rows.some(isLive) ? BUSY : IDLE;
  }

  /** The page ends with the oldest run that is known. */
  private _end(page: IPage): void {
    this._oldest = page.runs.at(-1)?.id ?? this._oldest;
    this._more = page.more;
  }

  private _note(rows: readonly IRow[]): void {
    const at = now();
    rows.forEach(row => this._heard.set(row, at));
  }

  private _heard = new WeakMap<IRow, INow>();
  private _version: number | null = null;
  private _oldest: string | null = null;
  private _more = false;
}
