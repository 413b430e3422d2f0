import React from 'react';

import { OnePage } from '../common/one';
import { ListPanel } from '../common/panel';
import type { ClusterActions } from './actions';
import { AllClusters } from './all';
import { ClusterDetail } from './detail';
import { clustersIcon } from './icon';
import type { ClustersModel } from './model';
import { ClusterWatch } from './watch';

/** The side panel *Clusters*: the list, or one cluster of it. */
export class ClustersPanel extends ListPanel<ClustersModel, ClusterWatch> {
  constructor(model: ClustersModel, actions: ClusterActions) {
    super(model, 'skiva-clusters', 'Clusters', clustersIcon);
    this._actions = actions;
  }

  protected watchOne(id: string): ClusterWatch {
    return new ClusterWatch(id, this.model);
  }

  protected one(watch: ClusterWatch): React.ReactElement {
    const { _actions: actions, back } = this;
    return (
      <OnePage key={watch.id} title="Clusters" watch={watch} back={back} end={row => actions.end(row)}>
        <ClusterDetail watch={watch} actions={actions} card={false} connect={row => actions.connect(row)} />
      </OnePage>
    );
  }

  protected list(): React.ReactElement {
    return (
      <AllClusters
        model={this.model}
        actions={this._actions}
        active={this.active}
        focused={this.returned}
        setActive={this.setActive}
        open={this.open}
      />
    );
  }

  private _actions: ClusterActions;
}
