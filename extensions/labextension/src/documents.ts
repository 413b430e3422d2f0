import type { JupyterFrontEnd } from '@jupyterlab/application';
import { PathExt } from '@jupyterlab/coreutils';
import type { IDocumentManager } from '@jupyterlab/docmanager';
import type { DocumentRegistry } from '@jupyterlab/docregistry';

import type { ISaved } from './words';

type Context = DocumentRegistry.Context;

const AREAS = ['main', 'down', 'left', 'right'];

/** A save that waits for the answer to a dialog must not keep the others waiting. */
const PATIENCE = 20000;

function nameOf(context: Context): string {
  return PathExt.basename(context.localPath);
}

async function saves(context: Context): Promise<boolean> {
  if (context.model.readOnly || context.contentsModel?.writable === false) {
    return false;
  }
  let timer = 0;
  const patience = new Promise<boolean>(resolve => {
    timer = window.setTimeout(() => resolve(false), PATIENCE);
  });
  const saved = context.save().then(
    () => true,
    () => false
  );
  return Promise.race([saved, patience]).finally(() => window.clearTimeout(timer));
}

/** The documents that are open in JupyterLab. */
export class OpenDocuments {
  constructor(shell: JupyterFrontEnd.IShell, manager: IDocumentManager) {
    this._shell = shell;
    this._manager = manager;
    manager.services.contents.fileChanged.connect((_, change) => {
      if (change.type === 'save') {
        this._lastSave = new Date();
      }
    });
  }

  /** When a document of this page was last saved, on this computer's clock. */
  get lastSave(): Date | null {
    return this._lastSave;
  }

  /** The names of the documents with unsaved changes. */
  get unsaved(): string[] {
    return this._dirty().map(nameOf);
  }

  /** Save every document with unsaved changes, all at once. */
  async saveAll(): Promise<ISaved> {
    return this._save(this._dirty());
  }

  /** The same without those that could not be saved before: their dialogs are open already. */
  async saveAgain(): Promise<void> {
    await this._save(this._dirty().filter(context => !this._stuck.has(context)));
  }

  private async _save(contexts: Context[]): Promise<ISaved> {
    const done = await Promise.all(contexts.map(saves));
    contexts.forEach((context, index) => {
      if (done[index]) {
        this._stuck.delete(context);
      } else {
        this._stuck.add(context);
      }
    });
    return {
      saved: contexts.filter((_, index) => done[index]).map(nameOf),
      failed: contexts.filter((_, index) => !done[index]).map(nameOf)
    };
  }

  private _dirty(): Context[] {
    const found = new Set<Context>();
    for (const area of AREAS) {
      for (const widget of this._shell.widgets(area)) {
        const context = this._manager.contextForWidget(widget);
        if (context && !context.isDisposed && context.model.dirty) {
          found.add(context);
        }
      }
    }
    return [...found];
  }

  private _shell: JupyterFrontEnd.IShell;
  private _manager: IDocumentManager;
  private _lastSave: Date | null = null;
  private _stuck = new WeakSet<Context>();
}
