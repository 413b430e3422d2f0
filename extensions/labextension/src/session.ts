import type { Event, ServerConnection } from '@jupyterlab/services';
import { VDomModel } from '@jupyterlab/ui-components';
import { Token } from '@lumino/coreutils';
import { Poll } from '@lumino/polling';
import { Signal, type ISignal } from '@lumino/signaling';

import { now, pollInterval, secondsLeft, type IMark } from './countdown';
import { extendSession, NoSession, readStatus, type IStatus } from './status';
import { timeWords } from './words';

/** The session that this JupyterLab runs in. */
export const ISession = new Token<Session>('@skiva/lab:ISession', 'The session that JupyterLab runs in.');

const WARNING_EVENT = 'urn:skiva:session-warning';
const LONGEST_INTERVAL = 30000;
const STALE = 15;

/** Asks the server how the session is, and counts the time down in between. */
export class Session extends VDomModel {
  constructor(settings: ServerConnection.ISettings, events: Event.IManager) {
    super();
    this._settings = settings;
    this._poll = new Poll({
      name: '@skiva/lab:status',
      factory: () => this._ask(),
      frequency: { interval: pollInterval(null), backoff: true, max: LONGEST_INTERVAL },
      standby: 'when-hidden'
    });
    this._timer = window.setInterval(() => this._tick(), 1000);
    events.stream.connect(this._onEvent, this);
    document.addEventListener('visibilitychange', this._onVisible);
  }

  /** What the server said last; null before it said anything, and where there is no session. */
  get status(): IStatus | null {
    return this._status;
  }

  /** Whether the last question was answered. */
  get answers(): boolean {
    return this._answers;
  }

  /** Seconds until the session ends; below zero when it is over, null where it has no end. */
  get left(): number | null {
    return this._mark ? secondsLeft(this._mark, now()) : null;
  }

  /** When the session ends, or ended, on this computer's clock. */
  get ends(): Date | null {
    const left = this.left;
    return left === null ? null : new Date(Date.now() + left * 1000);
  }

  /** Emitted every second while there is a session. */
  get ticked(): ISignal<this, void> {
    return this._ticked;
  }

  /** Ask now and wait for the answer. */
  async refresh(): Promise<void> {
    await this._ask().catch(() => undefined);
  }

  /** The same, unless the last answer is recent. */
  async refreshIfStale(): Promise<void> {
    if (!this._heard || secondsLeft({ left: STALE, at: this._heard.at }, now()) < 0) {
      await this.refresh();
    }
  }

  /** Ask for a later end. Throws ExtendRefused. */
  async extend(): Promise<void> {
    this._take(await extendSession(this._settings));
  }

  override dispose(): void {
    if (!this.isDisposed) {
      this._stop();
      super.dispose();
    }
  }

  private _stop(): void {
    this._poll.dispose();
    window.clearInterval(this._timer);
    document.removeEventListener('visibilitychange', this._onVisible);
    Signal.clearData(this);
  }

  private async _ask(): Promise<void> {
    try {
      this._take(await readStatus(this._settings));
    } catch (error) {
      if (error instanceof NoSession && this._status === null) {
        // A plain JupyterLab: ask no more.
        this._stop();
        return;
      }
      this._answers = false;
      this._show();
      throw error;
    }
  }

  private _take(status: IStatus): void {
    this._status = status;
    this._answers = true;
    const { seconds_left, warning } = status;
    const left = warning?.early ? Math.min(warning.seconds_left, seconds_left ?? Infinity) : seconds_left;
    this._heard = { left: 0, at: now() };
    this._mark = left === null ? null : { left, at: this._heard.at };
    const interval = pollInterval(left);
    if (!this._poll.isDisposed && this._poll.frequency.interval !== interval) {
      this._poll.frequency = { interval, backoff: true, max: LONGEST_INTERVAL };
    }
    this._show();
  }

  private _tick(): void {
    if (this._status === null) {
      return;
    }
    if (timeWords(this.left) !== this._shown) {
      this._show();
    }
    this._ticked.emit();
  }

  private _show(): void {
    this._shown = timeWords(this.left);
    this.stateChanged.emit();
  }

  private _onEvent(_: Event.IManager, event: Event.Emission): void {
    if (event.schema_id === WARNING_EVENT) {
      void this.refresh();
    }
  }

  private _onVisible = (): void => {
    if (!document.hidden && !this._poll.isDisposed) {
      void this._poll.refresh();
    }
  };

  private _settings: ServerConnection.ISettings;
  private _poll: Poll;
  private _timer: number;
  private _status: IStatus | null = null;
  private _answers = true;
  private _mark: IMark | null = null;
  private _heard: IMark | null = null;
  private _shown = '';
  private _ticked = new Signal<this, void>(this);
}
