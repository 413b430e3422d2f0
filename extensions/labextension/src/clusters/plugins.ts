import { ILayoutRestorer, type JupyterFrontEnd, type JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette, InputDialog, WidgetTracker } from '@jupyterlab/apputils';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { CommandRegistry } from '@lumino/commands';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import { DisposableDelegate } from '@lumino/disposable';

import { complain } from '../common/complain';
import { isId } from '../common/ids';
import { Notebooks } from '../common/notebooks';
import { ClusterActions, ClusterCommands } from './actions';
import { ClustersApi } from './api';
import { ClusterCard } from './card';
import { DashboardTab, type IPlace } from './dashboard';
import { clustersIcon } from './icon';
import { CLUSTER_TYPE } from './mime';
import { ClustersModel, IClusterList } from './model';
import { TroubleNotices } from './notices';
import { ClustersPanel } from './panel';
import { isLiving, pagePath, type ICluster } from './rows';
import { startCluster } from './start';

type Execute = CommandRegistry.ICommandOptions['execute'];

/** Everything that one JupyterLab has of clusters. */
interface IParts {
  readonly app: JupyterFrontEnd;
  readonly model: ClustersModel;
  readonly actions: ClusterActions;
  readonly panel: ClustersPanel;
  readonly tabs: WidgetTracker<DashboardTab>;
}

/** The one that is meant, asked where several live; null where none does, or none was chosen. */
async function meant(model: ClustersModel, id: unknown, title: string): Promise<ICluster | null> {
  if (typeof id === 'string') {
    return model.get(id);
  }
  await model.refresh();
  const living = model.rows.filter(isLiving);
  if (living.length < 2) {
    if (!living.length) {
      complain(new Error('You have no cluster now: start one with “New cluster…”.'));
    }
    return living[0] ?? null;
  }
  const items = living.map(({ name, id: own }) => `${name} (${own})`);
  const { value } = await InputDialog.getItem({ title, items });
  return living[items.indexOf(value ?? '')] ?? null;
}

/** Which page is meant, asked where the arguments do not say. */
async function placeOf(model: ClustersModel, args: ReadonlyPartialJSONObject): Promise<IPlace | null> {
  const path = pagePath(args['path']);
  const text = (value: unknown) => (typeof value === 'string' ? value : '');
  if (isId(args['id']) && path !== null) {
    return { id: args['id'], path, name: text(args['name']), title: text(args['title']) || path };
  }
  const cluster = await meant(model, undefined, 'Dashboard of which cluster?');
  if (!cluster) {
    return null;
  }
  const items = cluster.pages.map(({ title }) => title);
  const { value } = await InputDialog.getItem({ title: 'Which page?', items });
  const page = cluster.pages[items.indexOf(value ?? '')];
  const chosen = pagePath(page?.path);
  return page && chosen ? { id: cluster.id, name: cluster.name, title: page.title, path: chosen } : null;
}

function openTab({ app, model, actions, tabs }: IParts, place: IPlace): void {
  const known = tabs.find(({ place: other }) => other.id === place.id && other.path === place.path);
  const tab = known ?? new DashboardTab(model, actions, place);
  if (!known) {
    void tabs.add(tab);
    app.shell.add(tab, 'main', { type: 'Skiva' });
  }
  app.shell.activateById(tab.id);
}

function addCommands(parts: IParts): void {
  const { app, model, actions, panel } = parts;
  const add = (id: string, label: string, execute: Execute) =>
    app.commands.addCommand(id, {
      label: ({ isPalette }) => (isPalette ? `Skiva: ${label}` : label),
      icon: ({ isPalette }) => (isPalette ? undefined : clustersIcon),
      isVisible: () => model.available,
      execute
    });
  add(ClusterCommands.show, 'Show clusters', ({ id }) => {
    if (typeof id === 'string') {
      panel.open(id);
    }
    app.shell.activateById(panel.id);
  });
  add(ClusterCommands.start, 'New cluster…', async () => {
    const id = await startCluster(model);
    if (id !== null) {
      await actions.show(id);
    }
  });
  add(ClusterCommands.connect, 'Connect this notebook to a cluster…', async ({ id }) => {
    const cluster = await meant(model, id, 'Connect to which cluster?');
    if (cluster) {
      actions.connect(cluster);
    }
  });
  add(ClusterCommands.dashboard, 'Open a page of a cluster’s dashboard…', async args => {
    const place = await placeOf(model, args);
    if (place) {
      openTab(parts, place);
    }
  });
}

function addPanel(parts: IParts, palette: ICommandPalette | null, restorer: ILayoutRestorer | null): void {
  const { app, model, panel, tabs } = parts;
  for (const command of Object.values(ClusterCommands)) {
    palette?.addItem({ command, category: 'Skiva', args: { isPalette: true } });
  }
  restorer?.add(panel, panel.id);
  void restorer?.restore(tabs, {
    command: ClusterCommands.dashboard,
    args: ({ place }) => ({ ...place }),
    name: ({ place }) => `${place.id}:${place.path}`
  });
  app.shell.add(panel, 'left', { rank: 351, type: 'Skiva' });
  model.stateChanged.connect(() => {
    if (!model.available) {
      panel.dispose();
      app.commands.notifyCommandChanged();
    }
  });
}

const list: JupyterFrontEndPlugin<ClustersModel> = {
  id: '@skiva/lab:clusters-list',
  description: 'Keeps the list of Dask clusters.',
  autoStart: true,
  provides: IClusterList,
  activate: ({ serviceManager }: JupyterFrontEnd) =>
    new ClustersModel(new ClustersApi(serviceManager.serverSettings))
};

const panel: JupyterFrontEndPlugin<void> = {
  id: '@skiva/lab:clusters',
  description: 'Shows Dask clusters in a side panel and in cells, and Dask’s pages in tabs.',
  autoStart: true,
  requires: [IClusterList, IRenderMimeRegistry],
  optional: [ICommandPalette, ILayoutRestorer],
  activate: (
    app: JupyterFrontEnd,
    model: ClustersModel,
    rendermime: IRenderMimeRegistry,
    palette: ICommandPalette | null,
    restorer: ILayoutRestorer | null
  ) => {
    const notebooks = new Notebooks(() => new DisposableDelegate(() => undefined));
    const actions = new ClusterActions(model, app, notebooks);
    const tabs = new WidgetTracker<DashboardTab>({ namespace: 'skiva-dashboards' });
    const parts = { app, model, actions, tabs, panel: new ClustersPanel(model, actions) };
    addCommands(parts);
    addPanel(parts, palette, restorer);
    app.docRegistry.addWidgetExtension('Notebook', notebooks);
    void app.restored.then(() => new TroubleNotices(model, app.commands));
    const createRenderer = () => new ClusterCard(model, actions, notebooks);
    rendermime.addFactory({ safe: true, mimeTypes: [CLUSTER_TYPE], createRenderer }, 0);
  }
};

/** The plugins of Dask clusters. */
export const clusters = [list, panel];
