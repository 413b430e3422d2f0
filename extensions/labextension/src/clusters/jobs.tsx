import React from 'react';

import { useSignal } from '../common/clock';
import { Log } from '../common/log';
import { ToneIcon } from '../common/tone';
import { soonWords, whenWords } from '../common/words';
import { isLiving, jobTone, type ICluster, type IJob } from './rows';
import type { ClusterWatch } from './watch';
import { jobStateWords } from './words';

const FIRST = 12;

interface IJobProps {
  job: IJob;
  now: number;
  chosen: boolean;
  show: () => void;
}

/** What is to be known of a job beside its state. */
function lineOf(job: IJob, now: number): string {
  const parts = [
    job.state === 'queued' && `${job.reason} ${soonWords(job.expected, job.reason, now)}`.trim(),
    job.workers > 1 &&
      job.ready < job.workers &&
      job.state !== 'queued' &&
      `${job.ready} of ${job.workers} ready`,
    job.node && `on ${job.node}`,
    job.ends !== null && job.state !== 'ended' && `until ${whenWords(job.ends, now)}`
  ];
  return parts.filter(Boolean).join(' · ');
}

function Row(props: IJobProps): React.ReactElement {
  const { job, now, chosen } = props;
  const hasLog = job.state !== 'queued' && job.state !== 'submitting';
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
        )}
      </th>
      <td>
        <span className="skiva-TaskState" title={job.action}>
          <ToneIcon tone={jobTone(job.state)} />
          <span>
            {jobStateWords(job.state)} <span className="skiva-Quiet">{lineOf(job, now)}</span>
          </span>
        </span>
      </td>
      <td className="skiva-Number">{job.job_id}</td>
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
          readAll={async () => undefined}
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
  const rows = all ? jobs : jobs.slice(0, FIRST);
  const show = (job: IJob) => watch.showLog(watch.worker === job.name ? null : job.name);
  return (
    <>
      {jobs.length > 0 && (
        <table className="skiva-Table" aria-label="Worker jobs">
          <thead>
            <tr>
              <th scope="col">Worker</th>
              <th scope="col">State</th>
              <th scope="col">Job</th>
            </tr>
          </thead>
          <tbody>
            {rows.map(job => (
              <Row
                key={job.name}
                job={job}
                now={now}
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
