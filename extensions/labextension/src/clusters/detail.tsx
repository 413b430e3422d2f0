import React from 'react';

import { useNow, useSignal } from '../common/clock';
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

function Buttons(props: IDetailProps & { cluster: ICluster }): React.ReactElement {
  const { cluster, actions, card, connect } = props;
  const [busy, setBusy] = React.useState(false);
  const button = (label: string, style: string, press: (cluster: ICluster) => unknown) => (
    <button
      type="button"
      key={label}
      className={`jp-mod-styled ${style}`}
      disabled={busy}
      onClick={() => {
        setBusy(true);
        void Promise.resolve(press(cluster)).finally(() => setBusy(false));
      }}
    >
      {label}
    </button>
  );
  const living = isLiving(cluster);
  const closing = cluster.state === 'closing';
  return (
    <div className="skiva-Buttons">
      {living && !closing && button('Connect this notebook', 'jp-mod-accept', connect)}
      {living && !closing && button('Close', 'jp-mod-reject', actions.close)}
      {!living && !card && button('Remove', 'jp-mod-reject', actions.remove)}
      {!living && !card && button('New cluster…', 'jp-mod-reject', () => actions.start())}
      {card && button('Show in Clusters', 'jp-mod-reject', ({ id }) => actions.show(id))}
    </div>
  );
}

function Facts(props: { cluster: ICluster; now: number }): React.ReactElement {
  const { cluster, now } = props;
  const facts: [string, string][] = [
    ['Cluster', cluster.id],
    ['Made', whenWords(cluster.created, now)],
    ['Scheduler', cluster.detached ? 'a job of its own' : 'in its notebook’s kernel'],
    ['Told', cluster.at ? whenWords(cluster.at, now) : '']
  ];
  return (
    <details className="skiva-Facts">
      <summary>More about this cluster</summary>
      <dl>
        {facts
          .filter(([, value]) => value)
          .map(([term, value]) => (
            <React.Fragment key={term}>
              <dt>{term}</dt>
              <dd>{value}</dd>
            </React.Fragment>
          ))}
      </dl>
    </details>
  );
}

/** One cluster in full: how it is, what can be done, what happened. */
export function ClusterDetail(props: IDetailProps): React.ReactElement | null {
  const { watch, actions } = props;
  useSignal(watch.stateChanged);
  useSignal(actions.changed);
  const { cluster } = watch;
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
      <Buttons {...props} cluster={cluster} />
      {isLiving(cluster) && <Measures cluster={cluster} now={now} />}
      <Scale cluster={cluster} actions={actions} />
      <Events events={cluster.events} now={now} />
      <Pages cluster={cluster} actions={actions} />
      <Jobs cluster={cluster} watch={watch} now={now} />
      <Facts cluster={cluster} now={now} />
    </div>
  );
}
