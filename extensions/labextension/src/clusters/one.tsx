import React from 'react';

import { useSignal } from '../common/clock';
import { OnePage } from '../common/one';
import type { ClusterActions } from './actions';
import { ClusterDetail } from './detail';
import type { ClustersModel } from './model';
import type { ClusterWatch } from './watch';

interface IOneProps {
  model: ClustersModel;
  watch: ClusterWatch;
  actions: ClusterActions;
  back: () => void;
}

/** One cluster in the panel: Escape goes back to the list, Delete closes it or takes it off the list. */
export function OneCluster(props: IOneProps): React.ReactElement {
  const { model, watch, actions } = props;
  useSignal(watch.stateChanged);
  const { cluster, missing, trouble } = watch;
  return (
    <OnePage
      name={cluster?.name ?? watch.id}
      list="Clusters"
      back={props.back}
      end={cluster && (() => actions.end(cluster))}
      gone={model.isGone(watch.id)}
    >
      {missing && <p className="skiva-Trouble">{trouble}</p>}
      {!cluster && !missing && <p className="skiva-Quiet">{trouble || 'Reading…'}</p>}
      <ClusterDetail watch={watch} actions={actions} card={false} connect={one => actions.connect(one)} />
    </OnePage>
  );
}
