import React from 'react';

import { Buttons } from '../common/buttons';
import { useNow, useSignal } from '../common/clock';
import { Facts } from '../common/facts';
import { ToneIcon } from '../common/tone';
import { whenWords } from '../common/words';
import type { ClusterActions } from './actions';
import { Events } from './events';
import { Jobs } from './jobs';
import { Pages } from './pages';
import { isLiving, tone, type ICluster } from './rows';
import { Scale } from './scale';
import type { ClusterWatch } from './watch';
import { ageWords, kindWords, sentenceWords, stateWords } from './words';
import { Measures } from './workers';

interface IDetailProps {
  watch: ClusterWatch;
  actions: ClusterActions;
  /** In a cell's output there is no list beside it. */
  card: boolean;
  /** Put the line that connects to it into a notebook. */
  connect: (cluster: ICluster) => void;
}

function Header(props: { cluster: ICluster; now: number }): React.ReactElement {
  const { cluster, now } = props;
  const look = tone(cluster.state);
  return (
    <>
      <p className={`skiva-State skiva-mod-${look}`}>
        <ToneIcon tone={look} />
        <span>
          <strong>{stateWords(cluster.state)}</strong>
          {sentenceWords(cluster) && <span> – {sentenceWords(cluster)}</span>}
        </span>
      </p>
      {cluster.action && <p className="skiva-Advice">{cluster.action}</p>}
      <p className="skiva-Quiet">
        {kindWords(cluster)}
        <br />
        {ageWords(cluster, now)}
      </p>
    </>
  );
}

function Actions(props: IDetailProps & { cluster: ICluster }): React.ReactElement {
  const { cluster, actions, card, connect } = props;
  const living = isLiving(cluster);
  const open = living && cluster.state !== 'closing';
  // The notebook beside the card has the cluster already where its kernel has the scheduler.
  const elsewhere = open && (cluster.detached || !card);
  return (
    <Buttons
      buttons={[
        elsewhere && { label: 'Connect this notebook', first: true, press: () => connect(cluster) },
        open && { label: 'Close', press: () => actions.close(cluster) },
        !living && !card && { label: 'Remove', press: () => actions.remove(cluster) },
        !living && !card && { label: 'New cluster…', press: () => actions.start() },
        card && { label: 'Show in Clusters', press: () => actions.show(cluster.id) }
      ]}
    />
  );
}

function facts(cluster: ICluster, now: number): [string, string][] {
  return [
    ['Cluster', cluster.id],
    ['Made', whenWords(cluster.created, now)],
    ['Scheduler', cluster.detached ? 'a job of its own' : 'in its notebook’s kernel'],
    ['Told', cluster.at ? whenWords(cluster.at, now) : '']
  ];
}

/** One cluster in full: how it is, what can be done, what happened. */
export function ClusterDetail(props: IDetailProps): React.ReactElement | null {
  const { watch, actions } = props;
  useSignal(watch.stateChanged);
  useSignal(actions.changed);
  const cluster = watch.row;
  const now = useNow(cluster !== null && isLiving(cluster));
  if (!cluster || watch.missing) {
    return null;
  }
  return (
    <div className="skiva-Detail skiva-Cluster">
      {watch.trouble && (
        <p className="skiva-Trouble" role="status">
          {`${watch.trouble} This is as it was last told.`}
        </p>
      )}
      <Header cluster={cluster} now={now} />
      <Actions {...props} cluster={cluster} />
      {isLiving(cluster) && <Measures cluster={cluster} now={now} />}
      <Scale cluster={cluster} actions={actions} />
      <Events events={cluster.events} now={now} />
      <Pages cluster={cluster} actions={actions} />
      <Jobs cluster={cluster} watch={watch} now={now} />
      <Facts of="cluster" facts={facts(cluster, now)} />
    </div>
  );
}
