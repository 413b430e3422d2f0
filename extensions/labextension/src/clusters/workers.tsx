import React from 'react';

import type { ICluster, IWorkers } from './rows';
import { tasksWords, usedWords, waitingWords, workerParts, workersWords } from './words';

/** How many workers there are of each kind, against how many are wanted. */
export function WorkersBar(props: { workers: IWorkers }): React.ReactElement {
  const { workers } = props;
  const parts = workerParts(workers);
  const all = Math.max(
    parts.reduce((sum, [, number]) => sum + number, 0),
    workers.wanted,
    1
  );
  return (
    <span className="skiva-Stack" aria-hidden="true">
      {parts.map(([kind, number]) => (
        <span
          key={kind}
          className={`skiva-mod-${kind}`}
          style={{ flexGrow: number, flexBasis: 0, maxWidth: `${(100 * number) / all}%` }}
        />
      ))}
    </span>
  );
}

function Measure(props: { name: string; children: React.ReactNode }): React.ReactElement {
  return (
    <>
      <dt>{props.name}</dt>
      <dd>{props.children}</dd>
    </>
  );
}

/** Workers, memory and tasks: bars and words. */
export function Measures(props: { cluster: ICluster; now: number }): React.ReactElement {
  const { cluster, now } = props;
  const { workers, memory, tasks } = cluster;
  const share = memory.limit > 0 ? Math.min(1, memory.used / memory.limit) : 0;
  return (
    <dl className="skiva-Measures">
      <Measure name="Workers">
        <WorkersBar workers={workers} />
        <Legend workers={workers} />
        {waitingWords(cluster.jobs, now).map(said => (
          <p key={said} className="skiva-Quiet">
            {said}
          </p>
        ))}
      </Measure>
      {memory.limit > 0 && (
        <Measure name="Memory">
          <span
            className={`skiva-Bar${share > 0.8 ? ' skiva-mod-full' : ''}`}
            role="meter"
            aria-label="Memory of all workers"
            aria-valuemin={0}
            aria-valuemax={100}
            aria-valuenow={Math.round(share * 100)}
            aria-valuetext={usedWords(memory)}
          >
            <span style={{ width: `${share * 100}%` }} />
          </span>
          <span className="skiva-Number">{usedWords(memory)}</span>
        </Measure>
      )}
      <Measure name="Tasks">{tasksWords(tasks)}</Measure>
    </dl>
  );
}

/** The bar in words, each with its pattern. */
function Legend(props: { workers: IWorkers }): React.ReactElement {
  const { workers } = props;
  return (
    <span className="skiva-Legend" aria-label={`Workers: ${workersWords(workers)}`} role="img">
      {workerParts(workers).map(([kind, number]) => (
        <span key={kind}>
          <i className={`skiva-mod-${kind}`} />
          {`${number} ${kind}`}
        </span>
      ))}
      <span className="skiva-Quiet">
        {workerParts(workers).length ? `of ${workers.wanted}` : workersWords(workers)}
      </span>
    </span>
  );
}
