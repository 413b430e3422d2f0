import { Dialog, Notification, showDialog } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import type { INotebookContent } from '@jupyterlab/nbformat';
import type { Contents } from '@jupyterlab/services';

import { isId } from '../common/ids';
import { Keyed } from '../common/keyed';
import { cellsOf, contentOf, type INotebookPanel, type Notebooks } from '../common/notebooks';
import { fitted } from '../words';
import type { RunActions } from './actions';
import { restCode } from './code';
import { askAndSend } from './dialog';
import { CodeRaised, runCodeIn } from './kernel';
import { RUN_TYPE } from './mime';
import type { RunsModel } from './model';
import { parametersOf } from './parameters';

/** Sends notebooks off: whole, or from a cell on with the kernel's variables. */
export class Submitter {
  constructor(model: RunsModel, actions: RunActions, notebooks: Notebooks, contents: Contents.IManager) {
    this._model = model;
    this._actions = actions;
    this._notebooks = notebooks;
    this._contents = contents;
  }

  /** An open notebook as it is on the screen. */
  async submitOpen(panel: INotebookPanel): Promise<void> {
    await this._submit(panel.context.path, contentOf(panel), panel.context.model.dirty);
  }

  /** A notebook of the file browser; as it is on the screen where it is open. */
  async submitFile(path: string): Promise<void> {
    const panel = this._notebooks.at(path);
    if (panel) {
      await this.submitOpen(panel);
      return;
    }
    const file = await this._contents.get(path, { type: 'notebook', content: true });
    await this._submit(path, file.content as INotebookContent, false);
  }

  /** The cells from the active one on, with the variables of the notebook's kernel. */
  async submitRest(panel: INotebookPanel): Promise<void> {
    const kernel = panel.sessionContext.session?.kernel;
    const first = panel.content.activeCellIndex;
    if (!kernel) {
      if (await this._ratherWhole()) {
        await this.submitOpen(panel);
      }
      return;
    }
    const path = panel.context.path;
    const busy =
      kernel.status === 'busy' ? ' The kernel is busy: it is sent off when the kernel is done.' : '';
    const options = {
      intro: `The cells from number ${first + 1} on, with the variables that the kernel has now.${busy}`,
      name: `${nameOf(path)} from cell ${first + 1}`,
      parameters: [],
      resumes: true
    };
    await askAndSend(this._model.api, 'Run the rest in batch', options, async (wishes, form) => {
      const draft = await this._model.api.draft(path, contentOf(panel));
      form.say(busy ? 'Waits for the kernel…' : 'Submitting…', false);
      const { data } = await runCodeIn(kernel, restCode(draft, first, wishes));
      const id = (data[RUN_TYPE] as { id?: unknown } | undefined)?.id;
      if (!isId(id)) {
        throw new CodeRaised('The kernel did not say which run it is', 'look for it in Runs.');
      }
      await this._model.refresh();
      this._tell(id, wishes.name);
    });
  }

  private async _submit(path: string, content: INotebookContent, unsaved: boolean): Promise<void> {
    const options = {
      intro: `${PathExt.basename(path)} is run from its first cell to its last${
        unsaved ? ', with the edits that are not saved' : ''
      }. The notebook itself stays as it is.`,
      name: nameOf(path),
      parameters: parametersOf(cellsOf(content)) ?? [],
      resumes: true
    };
    const once = new Keyed();
    await askAndSend(this._model.api, 'Run in batch', options, async wishes => {
      const whole = { kind: 'notebook', path, content, start_at: 0, draft: null } as const;
      const row = await once.send(key => this._model.api.submit({ ...whole, ...wishes, key }));
      this._model.take(row);
      this._tell(row.id, row.name);
    });
  }

  private _tell(id: string, name: string): void {
    Notification.success(fitted(`${name} was submitted.`), {
      autoClose: 8000,
      actions: [{ label: 'Show', callback: () => void this._actions.show(id), displayType: 'accent' }]
    });
  }

  private async _ratherWhole(): Promise<boolean> {
    const { button } = await showDialog({
      title: 'Run the rest in batch',
      body: 'This notebook has no kernel, so there are no variables to go on with. Run the whole notebook instead?',
      buttons: [Dialog.cancelButton(), Dialog.okButton({ label: 'Run the whole notebook…' })]
    });
    return button.accept;
  }

  private _model: RunsModel;
  private _actions: RunActions;
  private _notebooks: Notebooks;
  private _contents: Contents.IManager;
}

function nameOf(path: string): string {
  return PathExt.basename(path, PathExt.extname(path));
}
