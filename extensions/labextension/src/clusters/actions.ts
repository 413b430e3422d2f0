import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Dialog, Notification, showDialog } from '@jupyterlab/apputils';
import type { CommandRegistry } from '@lumino/commands';
import { Signal, type ISignal } from '@lumino/signaling';

import { complain } from '../common/complain';
import { insertBelow, type INotebookPanel, type Notebooks } from '../common/notebooks';
import { fitted } from '../words';
import type { ClustersModel } from './model';
import { same, wishOf, type IRequest, type Wish } from './requests';
import { hasWork, isLiving, type IBounds, type ICluster, type IDashboardPage } from './rows';
import { connectCode, lossWords } from './words';

/** The commands of clusters. */
export const ClusterCommands = {
  show: 'skiva:clusters-show',
  start: 'skiva:clusters-new',
  connect: 'skiva:clusters-connect',
  dashboard: 'skiva:clusters-dashboard'
} as const;

/** What can be done with a cluster; whatever goes wrong is told in a notification. */
export class ClusterActions {
  constructor(model: ClustersModel, app: JupyterFrontEnd, notebooks: Notebooks) {
    this._model = model;
    this._commands = app.commands;
    this._shell = app.shell;
    this._notebooks = notebooks;
  }

  /** A request was sent, heard or refused. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** What was asked of a cluster last, from this page. */
  request(id: string): IRequest | null {
    return this._requests.get(id) ?? null;
  }

  /** Ask for so many workers. */
  scale = (cluster: ICluster, workers: number): Promise<void> => this._ask(cluster, { workers });

  /** Let it adapt between these. */
  adapt = (cluster: ICluster, bounds: IBounds): Promise<void> => this._ask(cluster, bounds);

  /** Ask for what was there before the last request. */
  undo = async (cluster: ICluster): Promise<void> => {
    const request = this.request(cluster.id);
    if (request) {
      await this._ask(cluster, request.before);
    }
  };

  /** End it; asked once where something would be lost. */
  close = (cluster: ICluster): Promise<void> =>
    this._try(async () => {
      if (!hasWork(cluster) || (await this._sure(cluster))) {
        this._model.take(await this._model.api.close(cluster.id));
      }
    });

  /** Take an ended one off the list. */
  remove = (cluster: ICluster): Promise<void> =>
    this._try(async () => {
      await this._model.api.remove(cluster.id);
      this._model.drop(cluster.id);
    });

  /** The key *Delete*: close what lives, take off the list what ended. */
  end = (cluster: ICluster): Promise<void> =>
    isLiving(cluster) ? this.close(cluster) : this.remove(cluster);

  /** Put the line that connects to it into a notebook: this one, or the one that is shown. Runs nothing. */
  connect = (cluster: ICluster, around: INotebookPanel | null = null): void => {
    const panel = around ?? this._notebooks.as(this._shell.currentWidget) ?? this._notebooks.shown();
    if (!panel) {
      complain(new Error('No notebook is open: open the one to connect, then press it again.'));
      return;
    }
    insertBelow(panel, connectCode(cluster.name));
    this._shell.activateById(panel.id);
    Notification.info(fitted(`Run the new cell: it connects to ${cluster.name}.`), { autoClose: 6000 });
  };

  /** Open one of Dask's pages in a tab. */
  openPage = (cluster: ICluster, page: IDashboardPage): Promise<void> =>
    this._try(async () => {
      const { id, name } = cluster;
      await this._commands.execute(ClusterCommands.dashboard, { id, name, ...page });
    });

  /** Show it in the panel. */
  show = async (id: string): Promise<void> => {
    await this._commands.execute(ClusterCommands.show, { id });
  };

  /** Ask what a new one is to be, and start it. */
  start = (): Promise<void> => this._try(() => this._commands.execute(ClusterCommands.start));

  private async _ask(cluster: ICluster, wish: Wish): Promise<void> {
    const before = wishOf(cluster);
    if (same(before, wish)) {
      return;
    }
    const request = { wish, before, heard: false, at: Date.now() / 1000 };
    this._note(cluster.id, request);
    try {
      const { api } = this._model;
      const { id } = cluster;
      const answer = 'workers' in wish ? await api.scale(id, wish.workers) : await api.adapt(id, wish);
      this._note(id, { ...request, heard: true, at: Date.now() / 1000 });
      this._model.take(answer);
    } catch (error) {
      this._note(cluster.id, null);
      complain(error);
    }
  }

  private _note(id: string, request: IRequest | null): void {
    if (request) {
      this._requests.set(id, request);
    } else {
      this._requests.delete(id);
    }
    this._changed.emit();
  }

  private async _sure(cluster: ICluster): Promise<boolean> {
    const result = await showDialog({
      title: `Close ${cluster.name}?`,
      body: lossWords(cluster),
      buttons: [Dialog.cancelButton({ label: 'Keep it' }), Dialog.warnButton({ label: 'Close the cluster' })]
    });
    return result.button.accept;
  }

  private async _try(action: () => Promise<unknown>): Promise<void> {
    try {
      await action();
    } catch (error) {
      complain(error);
    }
  }

  private _model: ClustersModel;
  private _commands: CommandRegistry;
  private _shell: JupyterFrontEnd.IShell;
  private _notebooks: Notebooks;
  private _requests = new Map<string, IRequest>();
  private _changed = new Signal<this, void>(this);
}
