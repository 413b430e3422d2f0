import { Notification } from '@jupyterlab/apputils';
import type { CommandRegistry } from '@lumino/commands';

import { CommandIDs } from './commands';
import { armedAtFirst, SAVING, step } from './countdown';
import type { OpenDocuments } from './documents';
import type { Session } from './session';
import { aboutMinutes, clockTime, extendLabel, fitted, savedWords } from './words';

/** Seconds between two saves while the end is near. */
const SAVE_EVERY = 20;

/** A signal that came this close to a threshold speaks for it. */
const SAME = 60;

/** Warns before the session ends, once for each threshold, and saves when the end is near. */
export class Warnings {
  constructor(session: Session, documents: OpenDocuments, commands: CommandRegistry, speak: (text: string) => void) {
    this._session = session;
    this._documents = documents;
    this._commands = commands;
    this._speak = speak;
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
    if (left > SAVING + SAME) {
      this._dismiss();
    } else if (left > 0 && left <= SAVING && Date.now() - this._savedAt > SAVE_EVERY * 1000) {
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
    this._dismiss();
    this._speak(message);
    const actions = this._actions();
    const text = save ? `${message} Saving…` : message;
    const id = Notification.emit(fitted(text), 'warning', { autoClose: false, actions });
    this._shown = id;
    if (save) {
      this._savedAt = Date.now();
      const saved = savedWords(await this._documents.saveAll());
      this._speak(saved);
      Notification.update({ id, message: fitted(`${message} ${saved}`), type: 'warning', autoClose: false, actions });
    }
  }

  private _actions(): Notification.IAction[] {
    const run = (command: string) => () => void this._commands.execute(command);
    const actions: Notification.IAction[] = [
      { label: 'Save all', callback: run(CommandIDs.saveAll), displayType: 'accent' }
    ];
    const extend = this._session.status?.extend;
    if (extend?.allowed) {
      actions.push({ label: extendLabel(extend.hours), callback: run(CommandIDs.extend), displayType: 'default' });
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
  private _speak: (text: string) => void;
  private _armed: readonly number[] | null = null;
  private _checking = false;
  private _signal = 0;
  private _savedAt = 0;
  private _shown: string | null = null;
}
