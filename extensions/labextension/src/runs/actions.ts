import { Clipboard, Dialog, Notification, showDialog } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import type { IDocumentManager } from '@jupyterlab/docmanager';
import type { CommandRegistry } from '@lumino/commands';

import { complain } from '../common/complain';
import { Keyed } from '../common/keyed';
import type { Notebooks } from '../common/notebooks';
import { fitted } from '../words';
import { runCode } from './code';
import type { RunsModel } from './model';
import { isLive, type IRow } from './rows';

/** The commands of runs. */
export const RunCommands = {
  show: 'skiva:runs-show',
  submit: 'skiva:runs-submit',
  submitFile: 'skiva:runs-submit-file',
  rest: 'skiva:runs-submit-rest'
} as const;

/** What can be done with a run; whatever goes wrong is told in a notification. */
export class RunActions {
  constructor(model: RunsModel, manager: IDocumentManager, notebooks: Notebooks, commands: CommandRegistry) {
    this._model = model;
    this._manager = manager;
    this._notebooks = notebooks;
    this._commands = commands;
  }

  /** End it; of one that runs, asked once. */
  cancel = (row: IRow): Promise<void> =>
    this._try(async () => {
      if (row.life !== 'running' || (await this._sure(row))) {
        this._model.take(await this._model.api.cancel(row.id));
      }
    });

  /** Send the same off once more, and look at that. */
  again = (row: IRow): Promise<void> =>
    this._try(async () => {
      const once = this._again.get(row.id) ?? new Keyed();
      this._again.set(row.id, once);
      const next = await once.send(key => this._model.api.again(row.id, key));
      this._again.delete(row.id);
      this._model.take(next);
      await this.show(next.id);
    });

  /** Put an ended run aside; it can be brought back. */
  remove = (row: IRow): Promise<void> =>
    this._try(async () => {
      await this._model.api.remove(row.id);
      this._model.drop(row.id);
      Notification.emit(fitted(`${row.name} was removed.`), 'default', {
        autoClose: 10000,
        actions: [{ label: 'Undo', callback: () => void this._restore(row), displayType: 'accent' }]
      });
    });

  /** The key *Delete*: cancel what lives, remove what ended. */
  end = (row: IRow): Promise<void> => (isLive(row) ? this.cancel(row) : this.remove(row));

  /** Open the notebook that it made. */
  openResult = (row: IRow): void => {
    this._manager.openOrReveal(`${row.dir}/out.ipynb`);
  };

  /** Open its log, whole, as a file; of a map that of one task. */
  openLog = (row: IRow, task: number | null): void => {
    this._manager.openOrReveal(`${row.dir}/${task === null ? 'log' : `tasks/${task}.log`}`);
  };

  /** Show its folder in the file browser. */
  openFolder = (row: IRow): Promise<void> =>
    this._try(async () => {
      await this._commands.execute('filebrowser:go-to-path', { path: row.dir });
    });

  /** Put the line that finds it again in the clipboard. */
  copy = (row: IRow): void => {
    Clipboard.copyToSystem(runCode(row.id));
    Notification.success(`Copied ${runCode(row.id)}`, { autoClose: 3000 });
  };

  /** Open the notebook that it came from, at its cell. */
  goToCell = (row: IRow): Promise<void> =>
    this._try(async () => {
      if (row.notebook && !(await this._notebooks.reveal(this._manager, row.notebook, row.cell_id))) {
        throw new Error(`${PathExt.basename(row.notebook)} no longer has the cell.`);
      }
    });

  /** Show it in the panel. */
  show = async (id: string): Promise<void> => {
    await this._commands.execute(RunCommands.show, { id });
  };

  private async _restore(row: IRow): Promise<void> {
    await this._try(async () => {
      await this._model.api.restore(row.id);
      this._model.take(row);
    });
  }

  private async _sure(row: IRow): Promise<boolean> {
    const result = await showDialog({
      title: `Cancel ${row.name}?`,
      body: 'It ends at once. What it printed and saved until now is kept, and it can be run again.',
      buttons: [Dialog.cancelButton({ label: 'Let it run' }), Dialog.warnButton({ label: 'Cancel the run' })]
    });
    return result.button.accept;
  }

  private async _try(action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      complain(error);
    }
  }

  private _model: RunsModel;
  private _again = new Map<string, Keyed>();
  private _manager: IDocumentManager;
  private _notebooks: Notebooks;
  private _commands: CommandRegistry;
}
