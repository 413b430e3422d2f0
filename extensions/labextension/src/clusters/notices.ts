import { Notification } from '@jupyterlab/apputils';
import type { CommandRegistry } from '@lumino/commands';

import { fitted } from '../words';
import { ClusterCommands } from './actions';
import type { ClustersModel } from './model';
import { isBad, type ICluster } from './rows';

const AT_MOST = 3;

/** Tells of clusters that got stuck or were lost while nobody looked at any. */
export class TroubleNotices {
  constructor(model: ClustersModel, commands: CommandRegistry) {
    this._model = model;
    this._commands = commands;
    model.stateChanged.connect(this._look, this);
  }

  private _look(): void {
    const { rows, loaded, watched } = this._model;
    if (!loaded) {
      return;
    }
    const bad = rows.filter(isBad);
    // What was in trouble before this page was opened is no news.
    const news = this._known === null ? [] : bad.filter(({ id }) => !this._known?.has(id));
    this._known = new Set(bad.map(({ id }) => id));
    if (!watched) {
      news.slice(0, AT_MOST).forEach(row => this._tell(row));
    }
  }

  private _tell(row: ICluster): void {
    const callback = () => void this._commands.execute(ClusterCommands.show, { id: row.id });
    Notification.emit(fitted(`${row.name}: ${row.sentence}`), 'warning', {
      autoClose: false,
      actions: [{ label: 'Show', callback }]
    });
  }

  private _model: ClustersModel;
  private _commands: CommandRegistry;
  private _known: ReadonlySet<string> | null = null;
}
