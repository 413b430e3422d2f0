/** Runs as the server tells them, and lists of them. */

import type { Tone } from '../common/tone.tsx';

/** How far something is; `total` is null where nobody knows how much there is. */
export interface IProgress {
  readonly done: number | null;
  readonly total: number | null;
  readonly text?: string | null;
}

/** One run. Times are seconds since 1970 on the server's clock. */
export interface IRow {
  readonly id: string;
  readonly name: string;
  readonly kind: string;
  readonly slice: string;
  readonly slice_title: string;
  readonly simulated: boolean;
  readonly hours: number | null;
  readonly created: number;
  readonly notebook: string | null;
  readonly cell_id: string | null;
  readonly state: string;
  readonly life: 'waiting' | 'running' | 'ended';
  readonly sentence: string;
  readonly action: string;
  readonly job_id: number | null;
  readonly node: string | null;
  readonly submitted: number | null;
  readonly expected: number | null;
  readonly started: number | null;
  readonly ended: number | null;
  readonly seconds_left: number | null;
  readonly restarts: number;
  readonly progress: IProgress | null;
  /** How many tasks are in which state; null for what is not a map. */
  readonly tasks: Readonly<Record<string, number>> | null;
  readonly trouble: string;
  /** The run's folder for the file browser; null where that cannot see it. */
  readonly dir: string | null;
  readonly result: 'notebook' | 'pickle' | null;
  readonly again_of: string | null;
}

/** A part of the list: the newest, older ones, or what changed. */
export interface IPage {
  readonly version: number;
  /** Whether these are the newest, and not only what changed since a version. */
  readonly whole: boolean;
  readonly runs: readonly IRow[];
  readonly removed: readonly string[];
  /** Whether there is more to read: older ones, or further changes. */
  readonly more: boolean;
  readonly trouble: string;
}

/** One task of a map. */
export interface ITask {
  readonly task: number;
  readonly state: string;
  readonly sentence: string;
  readonly started: number | null;
  readonly ended: number | null;
  readonly progress: IProgress | null;
}

/** Which runs are shown. */
export type Choice = 'all' | 'live' | 'ended' | 'failed';

const FINE = new Set(['completed', 'cancelled']);

/** Whether it waits or runs. */
export function isLive(row: IRow): boolean {
  return row.life !== 'ended';
}

/** Whether it ended in another way than it was meant to. */
export function hasFailed(row: IRow): boolean {
  return row.life === 'ended' && !FINE.has(row.state);
}

/** Add what changed to what is known. */
export function merged(
  rows: ReadonlyMap<string, IRow>,
  page: Pick<IPage, 'runs' | 'removed'>
): Map<string, IRow> {
  const next = new Map(rows);
  for (const id of page.removed) {
    next.delete(id);
  }
  for (const row of page.runs) {
    next.set(row.id, row);
  }
  return next;
}

/** The newest first. */
export function newestFirst(rows: Iterable<IRow>): IRow[] {
  return [...rows].sort((one, other) => other.created - one.created || (one.id < other.id ? 1 : -1));
}

const CHOSEN: Readonly<Record<Choice, (row: IRow) => boolean>> = {
  all: () => true,
  live: isLive,
  ended: row => !isLive(row),
  failed: hasFailed
};

/** Those that the choice lets through and in which every word of `text` is found. */
export function filtered(rows: readonly IRow[], choice: Choice, text: string): IRow[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return rows.filter(row => {
    if (!CHOSEN[choice](row)) {
      return false;
    }
    const said = [row.name, row.slice, row.slice_title, row.state, row.kind, row.notebook, row.job_id]
      .join(' ')
      .toLowerCase();
    // Short numbers are parts of most ids.
    const named = (word: string) => word.length > 4 && row.id.includes(word);
    return words.every(
      word => said.includes(word) || named(word) || row.sentence.toLowerCase().includes(word)
    );
  });
}

/** Between 0 and 1; null where it is not known. */
export function share(progress: IProgress | null): number | null {
  if (!progress?.total || progress.done === null) {
    return null;
  }
  return Math.min(1, Math.max(0, progress.done / progress.total));
}

const WAITING = new Set(['preparing', 'queued', 'requeued', 'unknown']);
const RUNNING = new Set(['running', 'ending']);

/** The look of a state. */
export function tone(state: string): Tone {
  if (WAITING.has(state)) {
    return 'waiting';
  }
  if (RUNNING.has(state)) {
    return 'running';
  }
  return state === 'completed' ? 'good' : state === 'cancelled' ? 'stopped' : 'bad';
}

/** How many tasks there are of each look. */
export function tasksByTone(tasks: Readonly<Record<string, number>>): Record<Tone, number> {
  const counts: Record<Tone, number> = { good: 0, bad: 0, stopped: 0, running: 0, waiting: 0 };
  for (const [state, count] of Object.entries(tasks)) {
    counts[tone(state)] += count;
  }
  return counts;
}

/** How far a run is: of its tasks where it is a map, else as its code tells. */
export function shareOf(row: IRow): number | null {
  if (row.tasks) {
    const { good, bad, stopped, running, waiting } = tasksByTone(row.tasks);
    const total = good + bad + stopped + running + waiting;
    return total ? (good + bad + stopped) / total : null;
  }
  return share(row.progress);
}

const ORDER: readonly Tone[] = ['bad', 'running', 'stopped', 'good', 'waiting'];

/** Those that somebody wants to see come first: failed, then running. */
export function interestingFirst(tasks: readonly ITask[]): ITask[] {
  return [...tasks].sort(
    (one, other) => ORDER.indexOf(tone(one.state)) - ORDER.indexOf(tone(other.state)) || one.task - other.task
  );
}
