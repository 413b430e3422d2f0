/** Clusters as the server tells them, and what follows from that. */

import type { Tone } from '../common/tone.tsx';

/** Numbers of Dask workers. */
export interface IWorkers {
  readonly wanted: number;
  readonly ready: number;
  readonly starting: number;
  readonly queued: number;
  readonly leaving: number;
}

/** Numbers of tasks by their state. */
export interface ITasks {
  readonly processing: number;
  readonly waiting: number;
  readonly queued: number;
  readonly memory: number;
  readonly erred: number;
}

/** Between how many workers it adapts. */
export interface IBounds {
  readonly minimum: number;
  readonly maximum: number;
}

/** One worker job. Times are seconds since 1970 on the server's clock. */
export interface IJob {
  readonly name: string;
  readonly job_id: string;
  readonly state: string;
  readonly reason: string;
  readonly action: string;
  readonly expected: number | null;
  readonly node: string;
  readonly since: number | null;
  readonly ends: number | null;
  /** Of its Dask workers. */
  readonly ready: number;
  readonly workers: number;
}

/** Something that happened; `lines` are the last ones of a log that explains it. */
export interface IEvent {
  readonly at: number;
  readonly level: 'info' | 'warning' | 'error';
  readonly text: string;
  readonly lines: readonly string[];
}

/** One of Dask's own pages. */
export interface IDashboardPage {
  readonly title: string;
  readonly path: string;
}

/** One cluster at one moment. */
export interface ICluster {
  readonly id: string;
  readonly name: string;
  readonly slice: string;
  readonly slice_title: string;
  readonly simulated: boolean;
  readonly cuda: boolean;
  readonly detached: boolean;
  readonly created: number;
  /** When the job of a detached scheduler ends. */
  readonly ends: number | null;
  readonly at: number;
  readonly state: string;
  readonly sentence: string;
  readonly action: string;
  readonly workers: IWorkers;
  readonly per_job: number;
  readonly threads: number;
  readonly memory: { readonly used: number; readonly limit: number };
  readonly tasks: ITasks;
  readonly adapt: IBounds | null;
  /** What the limits allow. */
  readonly most_workers: number;
  readonly jobs: readonly IJob[];
  readonly events: readonly IEvent[];
  readonly pages: readonly IDashboardPage[];
}

/** All that the server tells of clusters. */
export interface IClusters {
  readonly clusters: readonly ICluster[];
  readonly trouble?: string;
}

const OVER = new Set(['closed', 'lost']);
const BUSY = new Set(['starting', 'closing']);
const TONES: Readonly<Record<string, Tone>> = {
  starting: 'waiting',
  running: 'running',
  closing: 'running',
  closed: 'stopped'
};
const JOB_TONES: Readonly<Record<string, Tone>> = {
  submitting: 'waiting',
  queued: 'waiting',
  starting: 'waiting',
  ready: 'running',
  leaving: 'stopped',
  ended: 'stopped'
};

/** Whether there is still something to scale or to close. */
export function isLiving(cluster: ICluster): boolean {
  return !OVER.has(cluster.state);
}

/** Whether somebody has to do something about it. */
export function isBad(cluster: ICluster): boolean {
  return tone(cluster.state) === 'bad';
}

/** The look of a state. */
export function tone(state: string): Tone {
  return TONES[state] ?? 'bad';
}

/** The look of a job's state. */
export function jobTone(state: string): Tone {
  return JOB_TONES[state] ?? 'waiting';
}

/** Whether a job has not begun. */
export function isWaiting({ state }: IJob): boolean {
  return state === 'queued' || state === 'submitting';
}

/** Tasks that are still to be done. */
export function toDo({ processing, waiting, queued }: ITasks): number {
  return processing + waiting + queued;
}

/** Whether closing it loses something: work that is not done, or results that only it has. */
export function hasWork(cluster: ICluster): boolean {
  return toDo(cluster.tasks) + cluster.tasks.memory > 0;
}

/** Whether its workers are not yet as they are wanted. */
export function isScaling({ workers }: ICluster): boolean {
  const { wanted, ready, starting, queued, leaving } = workers;
  return wanted !== ready || starting + queued + leaving > 0;
}

/** Whether it will soon look different. */
export function moves(cluster: ICluster): boolean {
  const restless = BUSY.has(cluster.state) || isScaling(cluster) || toDo(cluster.tasks) > 0;
  return isLiving(cluster) && restless;
}

/** Those that live first, then the newest first. */
export function inOrder(clusters: Iterable<ICluster>): ICluster[] {
  return [...clusters].sort(
    (one, other) =>
      Number(isLiving(other)) - Number(isLiving(one)) ||
      other.created - one.created ||
      (one.id < other.id ? 1 : -1)
  );
}

/** A number of workers that whole jobs have, between none and what is allowed. */
export function fitting(workers: number, perJob: number, most: number): number {
  const step = Math.max(1, perJob);
  const jobs = Math.ceil(Math.max(0, workers) / step);
  return Math.min(jobs, Math.floor(most / step)) * step;
}

/** The most that the slider goes to: never less than there is. */
export function mostOf({ most_workers: most, workers, per_job: perJob }: ICluster): number {
  const step = Math.max(1, perJob);
  return Math.max(Math.floor(most / step) * step, Math.ceil(workers.wanted / step) * step);
}

/** The newest event of a worker that died: what is shown at once. */
export function lastDeath(events: readonly IEvent[]): IEvent | null {
  const [latest] = latestFirst(events.filter(({ lines, level }) => lines.length > 0 && level !== 'info'));
  return latest ?? null;
}

/** The latest first. */
export function latestFirst(events: readonly IEvent[]): IEvent[] {
  return events
    .map((event, index) => ({ event, index }))
    .sort((one, other) => other.event.at - one.event.at || other.index - one.index)
    .map(({ event }) => event);
}

/** Why jobs wait, each reason once, with how many wait for it and when the first is expected. */
export function waitingFor(
  jobs: readonly IJob[]
): { reason: string; action: string; workers: number; expected: number | null }[] {
  const all = new Map<string, { reason: string; action: string; workers: number; expected: number | null }>();
  for (const job of jobs) {
    if (!isWaiting(job)) {
      continue;
    }
    const reason = job.reason || (job.state === 'submitting' ? 'On the way to Slurm.' : '');
    const known = all.get(reason) ?? {
      reason,
      action: job.action,
      workers: 0,
      expected: null
    };
    const times = [known.expected, job.expected].filter(time => time !== null);
    const expected = times.length ? Math.min(...times) : null;
    all.set(reason, { ...known, workers: known.workers + job.workers, expected });
  }
  return [...all.values()].sort((one, other) => other.workers - one.workers);
}

const FEW = 9;
const FAVOURITES = /^(task stream|progress|workers.? memory|cluster map|gpu)/i;

/** The pages that most people look at, and the others. */
export function sortedPages(pages: readonly IDashboardPage[]): [IDashboardPage[], IDashboardPage[]] {
  const liked = pages.filter(({ title }) => FAVOURITES.test(title));
  if (liked.length === 0 || pages.length <= FEW) {
    return [[...pages.slice(0, FEW)], pages.slice(FEW)];
  }
  return [liked, pages.filter(page => !liked.includes(page))];
}

/** A page's address below the dashboard; null for anything that would lead elsewhere. */
export function pagePath(path: unknown): string | null {
  const bare = typeof path === 'string' ? path.replace(/^\/+/, '') : '';
  return /^[\w-]+(\/[\w-]+)*$/.test(bare) ? bare : null;
}
