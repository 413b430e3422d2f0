import React from 'react';

import { useSignal } from '../common/clock';
import { Log } from '../common/log';
import { ToneIcon } from '../common/tone';
import { isLiving, isWaiting, jobTone, waitingFor, type ICluster, type IJob } from './rows';
import type { ClusterWatch } from './watch';
import { jobStateWords, jobWords } from './words';

const FIRST = 12;

interface IJobProps {
  job: IJob;
  now: number;
  /** Whether others wait for something else: only then each says what for. */
  mixed: boolean;
  chosen: boolean;
  show: () => void;
}

function Row(props: IJobProps): React.ReactElement {
  const { job, now, mixed, chosen } = props;
  const hasLog = !isWaiting(job);
  const name = job.name.replace(/^\d{6}-[0-9a-z]{8}-/, '');
  return (
    <tr aria-current={chosen || undefined}>
      <th scope="row" title={job.name}>
        {hasLog ? (
          <button
            type="button"
            className="skiva-Link"
            aria-expanded={chosen}
            aria-label={`Log of worker ${name}`}
            onClick={props.show}
          >
            {name}
          </button>
        ) : (
          name
        )}{' '}
        {job.job_id && <span className="skiva-Quiet skiva-Number">{`job ${job.job_id}`}</span>}
      </th>
      <td>
        <span className="skiva-TaskState" title={job.action}>
          <ToneIcon tone={jobTone(job.state)} />
          <span>
            {jobStateWords(job.state)} <span className="skiva-Quiet">{jobWords(job, now, mixed)}</span>
          </span>
        </span>
      </td>
    </tr>
  );
}

/** The log of the chosen worker, or of the scheduler. */
function WorkerLog(props: { watch: ClusterWatch; cluster: ICluster }): React.ReactElement | null {
  const { watch, cluster } = props;
  const { worker, log, logTrouble } = watch;
  if (worker === null) {
    return null;
  }
  const of = worker || 'the scheduler';
  return (
    <section className="skiva-WorkerLog" aria-label={`Log of ${of}`}>
      <header>
        <h4>{`Log of ${of}`}</h4>
        <button type="button" className="skiva-Link" onClick={() => void watch.showLog(null)}>
          Close the log
        </button>
      </header>
      {logTrouble ? (
        <p className="skiva-Trouble">{logTrouble}</p>
      ) : (
        <Log
          key={worker}
          text={log.text}
          before={log.before}
          size={log.size}
          lines={200}
          live={isLiving(cluster)}
          label="Log"
          readAll={() => Promise.resolve()}
        />
      )}
    </section>
  );
}

/** Its jobs, and the log of one of them. */
export function Jobs(props: {
  cluster: ICluster;
  watch: ClusterWatch;
  now: number;
}): React.ReactElement | null {
  const { cluster, watch, now } = props;
  useSignal(watch.stateChanged);
  const [all, setAll] = React.useState(false);
  const { jobs } = cluster;
  const mixed = waitingFor(jobs).length > 1;
  const rows = all ? jobs : jobs.slice(0, FIRST);
  const show = (job: IJob) => watch.showLog(watch.worker === job.name ? null : job.name);
  return (
    <>
      {jobs.length > 0 && (
        <table className="skiva-Table" aria-label="Worker jobs">
          <thead>
            <tr>
              <th scope="col">{cluster.per_job > 1 ? 'Workers' : 'Worker'}</th>
              <th scope="col">State</th>
            </tr>
          </thead>
          <tbody>
            {rows.map(job => (
              <Row
                key={job.name}
                job={job}
                now={now}
                mixed={mixed}
                chosen={job.name === watch.worker}
                show={() => void show(job)}
              />
            ))}
          </tbody>
        </table>
      )}
      {jobs.length > FIRST && (
        <button type="button" className="skiva-Link" onClick={() => setAll(!all)}>
          {all ? 'Show fewer' : `Show all ${jobs.length} jobs`}
        </button>
      )}
      {cluster.detached && watch.worker !== '' && (
        <button type="button" className="skiva-Link" onClick={() => void watch.showLog('')}>
          Log of the scheduler
        </button>
      )}
      <WorkerLog watch={watch} cluster={cluster} />
    </>
  );
}
