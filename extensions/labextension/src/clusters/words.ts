/** Clusters in words: what the panel shows and what a screen reader says. */

import { capital, soonWords, whenWords } from '../common/words.ts';
import { memoryWords, nameList, shortTime } from '../words.ts';
import {
  isLiving,
  isScaling,
  isWaiting,
  toDo,
  waitingFor,
  type ICluster,
  type IJob,
  type ITasks,
  type IWorkers
} from './rows.ts';

const JOBS: Readonly<Record<string, string>> = { submitting: 'Being submitted' };

/** A state's name. */
export function stateWords(state: string): string {
  return capital(state.replaceAll('_', ' '));
}

/** A job's state's name. */
export function jobStateWords(state: string): string {
  return JOBS[state] ?? stateWords(state);
}

/** What is to be known of a job beside its state; why it waits only where others wait for something else. */
export function jobWords(job: IJob, now: number, mixed: boolean): string {
  const { reason, expected, ready, workers, node, ends } = job;
  const begun = !isWaiting(job);
  const ofThem = ready < workers ? `${ready} of ${workers} ready` : count(workers, 'worker');
  const parts = [
    mixed && !begun && `${reason} ${soonWords(expected, reason, now)}`.trim(),
    workers > 1 && begun && ofThem,
    node && `on ${node}`,
    ends !== null && begun && job.state !== 'ended' && `until ${whenWords(ends, now)}`
  ];
  return parts.filter(Boolean).join(' · ');
}

/** The sentence without what the state's name says already. */
export function sentenceWords(cluster: ICluster): string {
  const said = cluster.sentence.replace(/^It was |\.$/g, '').toLowerCase();
  return said === cluster.state ? '' : cluster.sentence;
}

/** `1 worker`, `8 workers`. */
export function count(number: number, unit: string): string {
  return `${number} ${unit}${number === 1 ? '' : 's'}`;
}

/** The kinds of workers with their numbers, in the order of the bar. */
export function workerParts({ ready, starting, queued, leaving }: IWorkers): [string, number][] {
  const all: [string, number][] = [
    ['ready', ready],
    ['starting', starting],
    ['queued', queued],
    ['leaving', leaving]
  ];
  return all.filter(([, number]) => number > 0);
}

/** `6 ready, 2 queued of 8 workers`. */
export function workersWords(workers: IWorkers): string {
  const parts = workerParts(workers).map(([word, number]) => `${number} ${word}`);
  if (!parts.length) {
    return workers.wanted ? `none of ${count(workers.wanted, 'worker')} yet` : 'no workers';
  }
  return `${parts.join(', ')} of ${count(workers.wanted, 'worker')}`;
}

/** Why workers wait, and when the first is expected. */
export function waitingWords(jobs: readonly IJob[], now: number): string[] {
  return waitingFor(jobs).map(({ reason, action, workers, expected }) => {
    const why = reason || 'Slurm has not said yet why.';
    return [`${count(workers, 'worker')} queued: ${why}`, soonWords(expected, why, now), action]
      .filter(Boolean)
      .join(' ');
  });
}

/** `12 running, 300 to do, 40 results kept`. */
export function tasksWords(tasks: ITasks): string {
  const { processing, waiting, queued, memory, erred } = tasks;
  const parts = [
    processing > 0 && `${processing} in work`,
    waiting + queued > 0 && `${waiting + queued} waiting`,
    memory > 0 && `${count(memory, 'result')} kept`,
    erred > 0 && `${erred} failed`
  ];
  return parts.filter(Boolean).join(', ') || 'none';
}

/** Where its workers run, and what each of them is. */
export function kindWords(cluster: ICluster): string {
  const { per_job: perJob, threads } = cluster;
  const parts = [
    cluster.slice_title || cluster.slice,
    cluster.simulated && 'simulated',
    cluster.cuda && 'CUDA workers',
    perJob > 1 && `${perJob} workers a job`,
    threads > 1 && `${threads} threads each`
  ];
  return parts.filter(Boolean).join(' · ');
}

/** Since when it is there, and until when. */
export function ageWords(cluster: ICluster, now: number): string {
  if (!isLiving(cluster)) {
    return `made ${whenWords(cluster.created, now)}`;
  }
  const { ends } = cluster;
  const parts = [
    `for ${shortTime(Math.max(0, now - cluster.created))}`,
    ends !== null && `ends ${whenWords(ends, now)} (${shortTime(ends - now)} left)`,
    !cluster.detached && 'ends with its notebook’s kernel'
  ];
  return parts.filter(Boolean).join(' · ');
}

/** The list's second line. */
export function lineWords(cluster: ICluster): string {
  if (cluster.state === 'running' || cluster.state === 'starting') {
    const busy = toDo(cluster.tasks);
    return [workersWords(cluster.workers), busy > 0 && `${count(busy, 'task')} to do`]
      .filter(Boolean)
      .join(' · ');
  }
  return cluster.sentence || stateWords(cluster.state);
}

/** A row for a screen reader. */
export function spokenRow(cluster: ICluster): string {
  const parts = [
    cluster.name,
    stateWords(cluster.state),
    lineWords(cluster),
    cluster.slice_title || cluster.slice,
    cluster.simulated && 'simulated'
  ];
  return [...new Set(parts.filter(Boolean))].join(', ');
}

/** What is said aloud when clusters change. */
export function changesWords(before: ReadonlyMap<string, ICluster>, after: readonly ICluster[]): string {
  const said = after.map(next => {
    const last = before.get(next.id);
    if (!last) {
      return '';
    }
    if (last.state !== next.state) {
      return `${next.name}: ${stateWords(next.state)}. ${sentenceWords(next)} ${next.action}`.trim();
    }
    const done = isScaling(last) && !isScaling(next) && isLiving(next);
    return done ? `${next.name}: ${count(next.workers.ready, 'worker')} ready.` : '';
  });
  const changes = said.filter(Boolean);
  const names = () => after.filter((_, index) => said[index]).map(({ name }) => name);
  return changes.length > 3
    ? `${changes.length} clusters changed, of them ${nameList(names())}.`
    : changes.join(' ');
}

/** What closing takes away. */
export function lossWords(cluster: ICluster): string {
  const { memory } = cluster.tasks;
  const parts = [
    toDo(cluster.tasks) > 0 && `${count(toDo(cluster.tasks), 'task')} not done yet`,
    memory > 0 && `${count(memory, 'result')} that only its workers have`
  ];
  return `Lost with it: ${parts.filter(Boolean).join(' and ')}. Its jobs end at once.`;
}

/** Memory of all workers: `3.1 / 40 GB`. */
export function usedWords({ used, limit }: ICluster['memory']): string {
  return memoryWords(used, limit > 0 ? limit : null);
}

/** The cell that connects a notebook to it, in a kernel that may be new; JSON's strings are Python's too. */
export function connectCode(name: string): string {
  return `import skiva\n\nclient = skiva.cluster(${JSON.stringify(name)}).get_client()`;
}
