import { Notification } from '@jupyterlab/apputils';
import type { CommandRegistry } from '@lumino/commands';

import { CommandIDs } from './commands';
import { armedAtFirst, SAVING, step } from './countdown';
import type { OpenDocuments } from './documents';
import type { Session } from './session';
import { aboutMinutes, clockTime, extendLabel, fitted, savedWords } from './words';

/** Seconds between two saves while the end is near. */
const SAVE_EVERY = 20;

/** Milliseconds that a warning waits for the saving, so that it can say at once what was saved. */
const QUICK = 1000;

/** A signal that came this close to a threshold speaks for it. */
const SAME = 60;

/** Warns before the session ends, once for each threshold, and saves when the end is near. */
export class Warnings {
  constructor(session: Session, documents: OpenDocuments, commands: CommandRegistry) {
    this._session = session;
    this._documents = documents;
    this._commands = commands;
    session.ticked.connect(this._onTick, this);
    session.stateChanged.connect(this._onState, this);
  }

  private _onTick(): void {
    const left = this._session.left;
    if (left === null) {
      return;
    }
    this._armed ??= armedAtFirst(left);
    const { due, armed } = step(this._armed, left);
    if (due !== null && !this._checking) {
      void this._check(due);
      return;
    }
    if (due === null) {
      this._armed = armed;
    }
    if (left > this._shownAt + SAME) {
      // The session was extended, here or elsewhere.
      this._dismiss();
    }
    if (left > 0 && left <= SAVING && Date.now() - this._savedAt > SAVE_EVERY * 1000) {
      this._savedAt = Date.now();
      void this._documents.saveAgain();
    }
  }

  /** A page that was hidden has an old end: ask before a warning is given. */
  private async _check(due: number): Promise<void> {
    this._checking = true;
    try {
      await this._session.refreshIfStale();
    } finally {
      this._checking = false;
    }
    const left = this._session.left;
    if (left === null) {
      return;
    }
    const next = step(this._armed ?? [], left);
    this._armed = next.armed;
    if (next.due !== null) {
      const ends = this._session.ends;
      const when = ends ? ` (at ${clockTime(ends)})` : '';
      await this._warn(`This session ends in ${aboutMinutes(left)}${when}: its time limit.`, due <= SAVING);
    }
  }

  /** Slurm's signal is news at once, whatever the clock says. */
  private _onState(): void {
    const warning = this._session.status?.warning;
    if (!warning || warning.id === this._signal) {
      return;
    }
    this._signal = warning.id;
    const left = this._session.left ?? warning.seconds_left;
    this._armed = (this._armed ?? armedAtFirst(left)).filter(threshold => threshold < left - SAME);
    void this._warn(warning.sentence, true);
  }

  private async _warn(message: string, save: boolean): Promise<void> {
    if (!save) {
      this._show(message);
      return;
    }
    this._savedAt = Date.now();
    const saving = this._documents.saveAll().then(savedWords);
    const soon = await Promise.race([saving, new Promise<null>(resolve => setTimeout(resolve, QUICK, null))]);
    this._show(`${message} ${soon ?? 'Saving…'}`);
    if (soon === null) {
      this._show(`${message} ${await saving}`);
    }
  }

  /** There is one warning at a time: a later one takes the place of an earlier one. */
  private _show(message: string): void {
    this._dismiss();
    this._shownAt = this._session.left ?? Infinity;
    this._shown = Notification.emit(fitted(message), 'warning', {
      autoClose: false,
      actions: this._actions()
    });
  }

  private _actions(): Notification.IAction[] {
    const run = (command: string) => () => void this._commands.execute(command);
    const actions: Notification.IAction[] = [
      { label: 'Save all', callback: run(CommandIDs.saveAll), displayType: 'accent' }
    ];
    const extend = this._session.status?.extend;
    if (extend?.allowed) {
      actions.push({
        label: extendLabel(extend.hours),
        callback: run(CommandIDs.extend),
        displayType: 'default'
      });
    }
    return actions;
  }

  private _dismiss(): void {
    if (this._shown !== null) {
      Notification.dismiss(this._shown);
      this._shown = null;
    }
  }

  private _session: Session;
  private _documents: OpenDocuments;
  private _commands: CommandRegistry;
  private _armed: readonly number[] | null = null;
  private _checking = false;
  private _signal = 0;
  private _savedAt = 0;
  private _shown: string | null = null;
  private _shownAt = Infinity;
}
