import { MainAreaWidget } from '@jupyterlab/apputils';
import { IFrame, ReactWidget, refreshIcon, ToolbarButton, UseSignal } from '@jupyterlab/ui-components';
import type { IDisposable } from '@lumino/disposable';
import type { Message } from '@lumino/messaging';
import { Panel } from '@lumino/widgets';
import React from 'react';

import { ToneIcon } from '../common/tone';
import type { ClusterActions } from './actions';
import { clustersIcon } from './icon';
import type { ClustersModel } from './model';
import { isLiving } from './rows';

/** Which page of which cluster. */
export interface IPlace {
  readonly id: string;
  readonly name: string;
  readonly title: string;
  readonly path: string;
}

/** One of Dask's pages; a sentence in its place where there is nothing to show any more. */
class DashboardPage extends Panel {
  constructor(model: ClustersModel, actions: ClusterActions, place: IPlace) {
    super();
    this.place = place;
    this._model = model;
    this._url = model.api.page(place.id, place.path);
    // Its own origin's cookies are what lets it in; it can open nothing and lead nowhere.
    this._frame = new IFrame({
      sandbox: ['allow-scripts', 'allow-same-origin'],
      referrerPolicy: 'no-referrer'
    });
    this._frame.node.querySelector('iframe')?.setAttribute('title', `${place.title} of ${place.name}`);
    this._frame.hide();
    const said = () => (
      <UseSignal signal={model.stateChanged}>
        {() => <Said model={model} actions={actions} place={place} />}
      </UseSignal>
    );
    this.addWidget(ReactWidget.create(<>{said()}</>));
    this.addWidget(this._frame);
    this.addClass('skiva-Dashboard');
    model.stateChanged.connect(this._look, this);
    this._look();
  }

  readonly place: IPlace;

  /** Read it anew. */
  reload(): void {
    this._model.refresh().catch(() => undefined);
    if (this._frame.isVisible) {
      this._frame.url = this._url;
    }
  }

  override dispose(): void {
    if (!this.isDisposed) {
      this._model.stateChanged.disconnect(this._look, this);
      this._looking?.dispose();
      super.dispose();
    }
  }

  protected override onBeforeShow(message: Message): void {
    super.onBeforeShow(message);
    this._watch(true);
  }

  protected override onAfterHide(message: Message): void {
    super.onAfterHide(message);
    this._watch(false);
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this._watch(this.isVisible);
  }

  private _watch(visible: boolean): void {
    if (visible && this._looking === null) {
      this._looking = this._model.watch();
    } else if (!visible) {
      this._looking?.dispose();
      this._looking = null;
    }
  }

  /** The page is loaded when its cluster is there, and goes when the cluster goes. */
  private _look(): void {
    const cluster = this._model.get(this.place.id);
    const shown = cluster !== null && isLiving(cluster) && cluster.pages.length > 0;
    if (shown && this._frame.isHidden) {
      this._frame.url = this._url;
      this._frame.show();
    } else if (!shown && this._model.loaded && !this._frame.isHidden) {
      this._frame.url = 'about:blank';
      this._frame.hide();
    }
  }

  private _model: ClustersModel;
  private _frame: IFrame;
  private _url: string;
  private _looking: IDisposable | null = null;
}

interface ISaidProps {
  model: ClustersModel;
  actions: ClusterActions;
  place: IPlace;
}

/** Why there is no page, and what can be done. */
function Said(props: ISaidProps): React.ReactElement | null {
  const { model, actions, place } = props;
  const cluster = model.get(place.id);
  const living = cluster !== null && isLiving(cluster);
  if (living && cluster.pages.length > 0) {
    return model.silent ? (
      <p className="skiva-Trouble" role="status">{`${model.trouble} The plots stand still.`}</p>
    ) : null;
  }
  if (!model.loaded) {
    return <p className="skiva-Quiet skiva-Padded">{model.trouble || 'Reading…'}</p>;
  }
  if (living) {
    return (
      <p className="skiva-Quiet skiva-Padded">{`The dashboard comes when the scheduler of ${place.name} is there.`}</p>
    );
  }
  const lost = cluster?.state === 'lost';
  return (
    <div className="skiva-Over" role="status">
      <p className="skiva-State">
        <ToneIcon tone={lost ? 'bad' : 'stopped'} />
        <strong>{`${place.name} ${lost ? 'is lost' : 'has ended'}, and its dashboard with it.`}</strong>
      </p>
      {cluster && <p>{`${cluster.sentence} ${cluster.action}`.trim()}</p>}
      <div className="skiva-Buttons">
        <button type="button" className="jp-mod-styled jp-mod-reject" onClick={() => void actions.start()}>
          New cluster…
        </button>
        {cluster && (
          <button
            type="button"
            className="jp-mod-styled jp-mod-reject"
            onClick={() => void actions.show(cluster.id)}
          >
            Show in Clusters
          </button>
        )}
      </div>
    </div>
  );
}

/** A tab with one of Dask's pages. */
export class DashboardTab extends MainAreaWidget {
  constructor(model: ClustersModel, actions: ClusterActions, place: IPlace) {
    const page = new DashboardPage(model, actions, place);
    super({ content: page });
    this.place = place;
    this.id = `skiva-dashboard-${place.id}-${place.path.replaceAll('/', '-')}`;
    this.title.label = `${place.title} – ${place.name}`;
    this.title.caption = `Dask: ${place.title} of ${place.name}`;
    this.title.icon = clustersIcon;
    this.title.closable = true;
    const reload = new ToolbarButton({ icon: refreshIcon, tooltip: 'Reload', onClick: () => page.reload() });
    this.toolbar.addItem('reload', reload);
    const show = new ToolbarButton({ label: 'Show in Clusters', onClick: () => void actions.show(place.id) });
    this.toolbar.addItem('show', show);
  }

  /** What it shows. */
  readonly place: IPlace;
}
