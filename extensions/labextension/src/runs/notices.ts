import { Notification } from '@jupyterlab/apputils';
import type { CommandRegistry } from '@lumino/commands';

import { fitted } from '../words';
import { RunCommands } from './actions';
import type { RunsModel } from './model';
import { hasFailed, isLive, type IRow } from './rows';
import { stateWords } from './words';

const AT_MOST = 3;

/** Tells of runs that ended while nobody looked at any. */
export class EndNotices {
  constructor(model: RunsModel, commands: CommandRegistry) {
    this._model = model;
    this._commands = commands;
    model.stateChanged.connect(this._look, this);
  }

  private _look(): void {
    const ended = this._model.rows.filter(row => !isLive(row) && this._live.has(row.id));
    this._live = new Set(this._model.rows.filter(isLive).map(row => row.id));
    if (!this._model.watched) {
      // Somebody who was away all night is not told of each; the panel has them all.
      ended.slice(0, AT_MOST).forEach(row => this._tell(row));
    }
  }

  private _tell(row: IRow): void {
    const callback = () => void this._commands.execute(RunCommands.show, { id: row.id });
    const bad = hasFailed(row);
    Notification.emit(
      fitted(`${row.name}: ${bad ? row.sentence : stateWords(row.state)}`),
      bad ? 'warning' : 'info',
      { autoClose: bad ? false : 10000, actions: [{ label: 'Show', callback }] }
    );
  }

  private _model: RunsModel;
  private _commands: CommandRegistry;
  private _live: ReadonlySet<string> = new Set();
}
