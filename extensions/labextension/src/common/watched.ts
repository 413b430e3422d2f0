import { VDomModel } from '@jupyterlab/ui-components';
import type { IDisposable } from '@lumino/disposable';
import { Poll } from '@lumino/polling';

import type { INamed, PolledList } from './polled';
import { sentenceOf, ServerError } from './rest';

/** One of a list, looked at closely. Asks only while it is on the screen. */
export abstract class Watched<Row extends INamed, List extends PolledList<Row>> extends VDomModel {
  constructor(id: string, list: List, kind: string, longest: number) {
    super();
    this.id = id;
    this.list = list;
    this._row = list.get(id);
    this._longest = longest;
    this._poll = new Poll({
      name: `@skiva/lab:${kind}-${id}`,
      factory: () => this._ask(),
      frequency: { interval: Poll.NEVER, backoff: true, max: longest },
      auto: false,
      standby: 'when-hidden'
    });
    list.stateChanged.connect(this._onList, this);
  }

  /** Its id. */
  readonly id: string;

  /** What is known of it; null before the server answered. */
  get row(): Row | null {
    return this._row;
  }

  /** Why there is nothing, or nothing new. */
  get trouble(): string {
    const over = this._row !== null && !this.lives(this._row);
    return this._trouble || (over ? '' : this.list.trouble);
  }

  /** Whether there is no such thing. */
  get missing(): boolean {
    return this._missing;
  }

  /** Whether it was taken off the list. */
  get gone(): boolean {
    return this.list.isGone(this.id);
  }

  /** Whether it is on the screen. */
  get visible(): boolean {
    return this._looking !== null;
  }
  set visible(visible: boolean) {
    if (visible && this._looking === null && !this.isDisposed) {
      this._looking = this.list.watch();
      void this._poll.refresh();
    } else if (!visible && this._looking !== null) {
      this._looking.dispose();
      this._looking = null;
    }
    this._pace();
  }

  /** Ask now; done when it was answered, or not, or when nobody looks any more. */
  async refresh(): Promise<void> {
    await this._poll.refresh();
    await this._poll.tick.catch(() => undefined);
  }

  override dispose(): void {
    if (!this.isDisposed) {
      this.visible = false;
      this.list.stateChanged.disconnect(this._onList, this);
      this._poll.dispose();
      super.dispose();
    }
  }

  /** The list that it is on. */
  protected readonly list: List;

  /** What is said once it was removed. */
  protected abstract get removed(): string;

  /** Ask once. Throws what is to be asked again later, after longer and longer pauses. */
  protected abstract ask(): Promise<void>;

  protected abstract lives(row: Row): boolean;

  /** Milliseconds between two requests while it is on the screen, as things stand. */
  protected abstract interval(): number;

  /** Whether it is to be asked for again, now that the list has `row` of it and had `before`; null is for none. */
  protected abstract outdated(row: Row | null, before: Row | null): boolean;

  /** This is known of it now. */
  protected found(row: Row | null): void {
    this._row = row;
    this._missing = false;
    this._trouble = '';
  }

  private async _ask(): Promise<void> {
    if (this.gone) {
      return;
    }
    try {
      await this.ask();
      this._trouble = '';
    } catch (error) {
      this._missing = error instanceof ServerError && error.status === 404;
      this._trouble = sentenceOf(error);
      if (!this._missing) {
        throw error;
      }
    } finally {
      this._pace();
      this.stateChanged.emit();
    }
  }

  private _onList(): void {
    const row = this.list.get(this.id);
    const before = this._row;
    if (this.gone) {
      this._missing = true;
      this._trouble = this.removed;
    } else if (row !== null) {
      this._row = row;
      this._trouble = this._missing ? '' : this._trouble;
      this._missing = false;
    }
    if (!this._missing && this.outdated(row, before)) {
      void (this._looking && this._poll.refresh());
    }
    this._pace();
    this.stateChanged.emit();
  }

  private _pace(): void {
    const interval = this._looking !== null && !this._missing ? this.interval() : Poll.NEVER;
    if (!this._poll.isDisposed && this._poll.frequency.interval !== interval) {
      this._poll.frequency = { interval, backoff: true, max: this._longest };
    }
  }

  private _poll: Poll;
  private _longest: number;
  private _looking: IDisposable | null = null;
  private _row: Row | null;
  private _trouble = '';
  private _missing = false;
}
