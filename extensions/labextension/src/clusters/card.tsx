import React from 'react';

import { useSignal } from '../common/clock';
import { isId } from '../common/ids';
import type { Notebooks } from '../common/notebooks';
import { Unread } from '../common/one';
import { keptText, OutputCard, type IKept } from '../common/output';
import { whenWords } from '../common/words';
import type { ClusterActions } from './actions';
import { ClusterDetail } from './detail';
import { CLUSTER_TYPE } from './mime';
import type { ClustersModel } from './model';
import type { ICluster } from './rows';
import { ClusterWatch } from './watch';

interface ICardProps {
  kept: IKept;
  watch: ClusterWatch;
  actions: ClusterActions;
  connect: (cluster: ICluster) => void;
}

function madeWords({ created }: IKept): string {
  return typeof created === 'number' ? ` · made ${whenWords(created, Date.now() / 1000)}` : '';
}

function Card(props: ICardProps): React.ReactElement {
  const { kept, watch, actions, connect } = props;
  useSignal(watch.stateChanged);
  const cluster = watch.row;
  const name = cluster?.name ?? keptText(kept.name, watch.id);
  return (
    <section className="skiva-Card" aria-label={`Cluster ${name}`}>
      <header className="skiva-CardHeader">
        <strong>{name}</strong>
        <span className="skiva-Quiet">{`Dask cluster${cluster ? '' : madeWords(kept)}`}</span>
      </header>
      <Unread watch={watch} />
      <ClusterDetail watch={watch} actions={actions} card={true} connect={connect} />
    </section>
  );
}

/** A cluster in a cell's output: as live as in the panel, with its kernel or without. */
export class ClusterCard extends OutputCard<ClusterWatch> {
  constructor(model: ClustersModel, actions: ClusterActions, notebooks: Notebooks) {
    super(CLUSTER_TYPE);
    this._model = model;
    this._actions = actions;
    this._notebooks = notebooks;
  }

  protected watchOne(id: unknown): ClusterWatch | null {
    return isId(id) ? new ClusterWatch(id, this._model) : null;
  }

  protected override render(): React.ReactElement {
    if (!this.watch || !this._model.available) {
      const name = keptText(this.kept.name, 'A cluster');
      const why = this.watch ? 'This server keeps no clusters.' : 'This output names no cluster.';
      return <p className="skiva-Quiet">{`${name} (${keptText(this.kept.id, '?')}): ${why}`}</p>;
    }
    return <Card kept={this.kept} watch={this.watch} actions={this._actions} connect={this._connect} />;
  }

  private _connect = (cluster: ICluster): void =>
    this._actions.connect(cluster, this._notebooks.around(this.node));

  private _model: ClustersModel;
  private _actions: ClusterActions;
  private _notebooks: Notebooks;
}
