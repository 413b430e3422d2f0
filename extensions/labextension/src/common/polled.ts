import { VDomModel } from '@jupyterlab/ui-components';
import { DisposableDelegate, type IDisposable } from '@lumino/disposable';
import { Poll } from '@lumino/polling';
import { Signal } from '@lumino/signaling';

import { NotServed, sentenceOf } from './rest';

/** Something that has an id. */
export interface INamed {
  readonly id: string;
}

interface IOptions {
  /** What it lists. */
  name: string;
  /** Milliseconds between two requests before anything is known. */
  calm: number;
  /** The most of them while the server does not answer. */
  longest: number;
}

/** A list as the server has it, shared by a panel and all cards; asks often only while it is looked at. */
export abstract class PolledList<Row extends INamed> extends VDomModel {
  constructor({ name, calm, longest }: IOptions) {
    super();
    this._longest = longest;
    this._poll = new Poll({
      name: `@skiva/lab:${name}`,
      factory: () => this._ask(),
      frequency: { interval: calm, backoff: true, max: Math.max(calm, longest) },
      standby: 'when-hidden'
    });
    document.addEventListener('visibilitychange', this._onVisible);
  }

  /** What is known, in the order in which it is shown. */
  get rows(): readonly Row[] {
    return (this._sorted ??= this.inOrder(this.known.values()));
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

  /** Whether the server keeps such a list at all. */
  get available(): boolean {
    return !this._poll.isDisposed;
  }

  /** Whether somebody looks at it, or at one of it in a cell. */
  get watched(): boolean {
    return this._watchers > 0;
  }

  /** A known one. */
  get(id: string): Row | null {
    return this.known.get(id) ?? null;
  }

  /** Whether it was there and is not any more. */
  isGone(id: string): boolean {
    return this._gone.has(id);
  }

  /** Look at the list until the returned object is disposed. */
  watch(): IDisposable {
    this._watchers += 1;
    this._pace();
    this._askSoon();
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

  /** One as an answer had it. */
  take(row: Row): void {
    this.announce([row]);
    this.setRows(new Map(this.known).set(row.id, row));
    if (this.watched && this.available) {
      void this._poll.schedule({ interval: this._poll.frequency.interval });
    }
  }

  /** One that was removed. */
  drop(id: string): void {
    const rows = new Map(this.known);
    rows.delete(id);
    this.setRows(rows, [id]);
  }

  override dispose(): void {
    if (!this.isDisposed) {
      this._stop();
      super.dispose();
    }
  }

  /** What is known, by id. */
  protected known: ReadonlyMap<string, Row> = new Map();

  /** Ask once, and take what is told. Throws ServerError. */
  protected abstract ask(): Promise<void>;

  protected abstract inOrder(rows: Iterable<Row>): readonly Row[];

  /** Milliseconds between two requests, as things stand. */
  protected abstract interval(): number;

  /** What a screen reader is told of these; empty where that is nothing new. */
  protected abstract changes(rows: readonly Row[]): string;

  /** The server has answered, with this sentence on what may be old. */
  protected answered(trouble: string): void {
    this._loaded = true;
    this._failure = '';
    this._trouble = trouble;
  }

  protected announce(rows: readonly Row[]): void {
    this._announcement = this.changes(rows) || this._announcement;
  }

  /** These are known from now on, and those were removed. */
  protected setRows(rows: ReadonlyMap<string, Row>, removed: readonly string[] = []): void {
    rows.forEach((_, id) => this._gone.delete(id));
    removed.forEach(id => this._gone.add(id));
    this.known = rows;
    this._sorted = null;
    this._pace();
    this.stateChanged.emit();
  }

  private async _ask(): Promise<void> {
    try {
      await this.ask();
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

  /** Ask as soon as may be. */
  private _askSoon(): void {
    if (this.available) {
      void this._poll.refresh();
    }
  }

  private _stop(): void {
    this._poll.dispose();
    document.removeEventListener('visibilitychange', this._onVisible);
  }

  private _pace(): void {
    const interval = this.interval();
    if (this.available && this._poll.frequency.interval !== interval) {
      this._poll.frequency = { interval, backoff: true, max: Math.max(interval, this._longest) };
    }
  }

  private _onVisible = (): void => {
    if (!document.hidden) {
      this._askSoon();
    }
  };

  private _poll: Poll;
  private _longest: number;
  private _gone = new Set<string>();
  private _sorted: readonly Row[] | null = null;
  private _loaded = false;
  private _trouble = '';
  private _failure = '';
  private _announcement = '';
  private _watchers = 0;
}
