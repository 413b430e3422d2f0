import { ILayoutRestorer, type JupyterFrontEnd, type JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ToolbarButton } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';

import { complain } from '../common/complain';
import { activate, Notebooks } from '../common/notebooks';
import { RunActions, RunCommands } from './actions';
import { RunsApi } from './api';
import { RunCard } from './card';
import { runsIcon } from './icons';
import { RUN_TYPE } from './mime';
import { IRuns, RunsModel } from './model';
import { EndNotices } from './notices';
import { RunsPanel } from './panel';
import { Submitter } from './submit';

type FileBrowser = IDefaultFileBrowser | null;

/** Everything that one JupyterLab has of runs. */
interface IParts {
  readonly app: JupyterFrontEnd;
  readonly model: RunsModel;
  readonly notebooks: Notebooks;
  readonly submitter: Submitter;
  readonly panel: RunsPanel;
}

function addCommands(parts: IParts, browser: FileBrowser): void {
  const { app, model, notebooks, submitter, panel } = parts;
  const { commands, shell } = app;
  const current = () => notebooks.as(shell.currentWidget);
  const add = (id: string, label: string, options: Partial<CommandRegistry.ICommandOptions>) =>
    commands.addCommand(id, {
      label: ({ isPalette }) => (isPalette ? `Skiva: ${label}` : label),
      icon: ({ isPalette }) => (isPalette ? undefined : runsIcon),
      isVisible: () => model.available,
      ...options
    } as CommandRegistry.ICommandOptions);
  add(RunCommands.show, 'Show runs', {
    execute: ({ id }) => {
      if (typeof id === 'string') {
        panel.open(id);
      }
      shell.activateById(panel.id);
    }
  });
  add(RunCommands.submit, 'Run in batch…', {
    caption: 'Send this notebook to the queue, with the edits that are not saved',
    isEnabled: () => current() !== null,
    execute: async () => {
      const notebook = current();
      await (notebook && submitter.submitOpen(notebook).catch(complain));
    }
  });
  add(RunCommands.rest, 'Run the rest in batch…', {
    caption: 'Send the cells from the active one on to the queue, with the kernel’s variables',
    isEnabled: () => current() !== null,
    execute: async ({ pointed }) => {
      const notebook = current();
      if (!notebook) {
        return;
      }
      const cell = pointed ? app.contextMenuHitTest(node => node.classList.contains('jp-Cell')) : undefined;
      activate(notebook, cell);
      await submitter.submitRest(notebook).catch(complain);
    }
  });
  const chosen = () => [...(browser?.selectedItems() ?? [])].find(item => item.type === 'notebook') ?? null;
  add(RunCommands.submitFile, 'Run in batch…', {
    isEnabled: () => chosen() !== null,
    execute: async () => {
      const file = chosen();
      await (file && submitter.submitFile(file.path).catch(complain));
    }
  });
}

function addMenus(app: JupyterFrontEnd, palette: ICommandPalette | null): void {
  const notebookFile = '.jp-DirListing-item[data-file-type="notebook"]';
  app.contextMenu.addItem({ command: RunCommands.submitFile, selector: notebookFile, rank: 3.5 });
  const selector = '.jp-Notebook .jp-CodeCell';
  app.contextMenu.addItem({ command: RunCommands.rest, selector, rank: 9, args: { pointed: true } });
  for (const command of [RunCommands.show, RunCommands.submit, RunCommands.rest]) {
    palette?.addItem({ command, category: 'Skiva', args: { isPalette: true } });
  }
}

function addPanel(parts: IParts, restorer: ILayoutRestorer | null): void {
  const { app, model, panel } = parts;
  restorer?.add(panel, panel.id);
  app.shell.add(panel, 'left', { rank: 350, type: 'Skiva' });
  model.stateChanged.connect(() => {
    if (!model.available) {
      panel.dispose();
      app.commands.notifyCommandChanged();
    }
  });
}

/** The notebooks that are open, each with the button in its toolbar. */
function dressedNotebooks(submitter: () => Submitter, model: RunsModel): Notebooks {
  return new Notebooks(notebook => {
    const button = new ToolbarButton({
      icon: runsIcon,
      label: 'Run in batch',
      tooltip: 'Send this notebook to the queue, with the edits that are not saved',
      onClick: () => void submitter().submitOpen(notebook).catch(complain)
    });
    button.addClass('skiva-RunInBatch');
    const show = () => button.setHidden(!model.available);
    model.stateChanged.connect(show);
    show();
    notebook.toolbar.insertItem(10, 'skiva-run-in-batch', button);
    button.disposed.connect(() => model.stateChanged.disconnect(show));
    return button;
  });
}

const list: JupyterFrontEndPlugin<RunsModel> = {
  id: '@skiva/lab:runs-list',
  description: 'Keeps the list of runs in the batch queue.',
  autoStart: true,
  provides: IRuns,
  activate: ({ serviceManager }: JupyterFrontEnd) => new RunsModel(new RunsApi(serviceManager.serverSettings))
};

const panel: JupyterFrontEndPlugin<void> = {
  id: '@skiva/lab:runs',
  description: 'Shows runs in a side panel and in cells, and sends notebooks to the batch queue.',
  autoStart: true,
  requires: [IRuns, IDocumentManager, IRenderMimeRegistry],
  optional: [IDefaultFileBrowser, ICommandPalette, ILayoutRestorer],
  activate: (
    app: JupyterFrontEnd,
    model: RunsModel,
    manager: IDocumentManager,
    rendermime: IRenderMimeRegistry,
    browser: FileBrowser,
    palette: ICommandPalette | null,
    restorer: ILayoutRestorer | null
  ) => {
    const notebooks: Notebooks = dressedNotebooks(() => submitter, model);
    const actions = new RunActions(model, manager, notebooks, app.commands);
    const submitter = new Submitter(model, actions, notebooks, manager.services.contents);
    const parts = { app, model, notebooks, submitter, panel: new RunsPanel(model, actions) };
    addCommands(parts, browser);
    addMenus(app, palette);
    addPanel(parts, restorer);
    app.docRegistry.addWidgetExtension('Notebook', notebooks);
    void app.restored.then(() => new EndNotices(model, app.commands));
    const createRenderer = () => new RunCard(model, actions, notebooks);
    rendermime.addFactory({ safe: true, mimeTypes: [RUN_TYPE], createRenderer }, 0);
  }
};

/** The plugins of the batch queue. */
export const runs = [list, panel];
