/** Runs in words: what the panel shows and what a screen reader says. */

import { capital, hoursWords, soonWords, whenShort, whenWords } from '../common/words.ts';
import { longTime, nameList, shortTime } from '../words.ts';
import { isLive, share, shareOf, tasksByTone, tone, type IProgress, type IRow, type ITask } from './rows.ts';

const STATES: Readonly<Record<string, string>> = {
  preparing: 'Preparing',
  queued: 'Queued',
  running: 'Running',
  requeued: 'Queued again',
  ending: 'Ending',
  completed: 'Completed',
  failed: 'Failed',
  cancelled: 'Cancelled',
  time_limit: 'Time limit',
  preempted: 'Preempted',
  out_of_memory: 'Out of memory',
  node_failed: 'Node failed',
  killed: 'Killed',
  not_restarted: 'Not restarted',
  refused: 'Refused',
  vanished: 'Lost',
  unknown: 'Unknown'
};

const KINDS: Readonly<Record<string, string>> = {
  function: 'Function',
  map: 'Map',
  cell: 'Cell',
  notebook: 'Notebook',
  command: 'Command'
};

/** A state's name. */
export function stateWords(state: string): string {
  return STATES[state] ?? capital(state.replaceAll('_', ' '));
}

/** What was sent off. */
export function kindWords(kind: string): string {
  return KINDS[kind] ?? capital(kind);
}

/** How long it has run, or ran; null where it has not begun. Seconds. */
export function elapsed(row: IRow, now: number): number | null {
  if (row.started === null) {
    return null;
  }
  return Math.max(0, (row.ended ?? now) - row.started);
}

/** How far it is: `7 of 12`, `40 %`, with what its code says of it. */
export function progressWords(progress: IProgress | null): string {
  if (!progress) {
    return '';
  }
  const { done, total, text } = progress;
  if (text) {
    return text;
  }
  if (total && done !== null) {
    return Number.isInteger(done) && total > 1
      ? `${done} of ${total}`
      : `${Math.floor((done / total) * 100)} %`;
  }
  return done === null ? '' : String(done);
}

/** Counts of a map's tasks: `200 tasks: 120 completed, 3 failed, 77 waiting`. */
export function tasksWords(tasks: Readonly<Record<string, number>>): string {
  const { good, bad, stopped, running, waiting } = tasksByTone(tasks);
  const total = good + bad + stopped + running + waiting;
  const said = [
    [good, 'completed'],
    [bad, 'failed'],
    [stopped, 'cancelled'],
    [running, 'running'],
    [waiting, 'waiting']
  ] as const;
  const parts = said.filter(([count]) => count > 0).map(([count, word]) => `${count} ${word}`);
  return `${total} task${total === 1 ? '' : 's'}${parts.length ? `: ${parts.join(', ')}` : ''}`;
}

/** The list's second line. `left`: seconds of the time limit. */
export function lineWords(row: IRow, now: number, left: number | null): string {
  if (row.life === 'waiting') {
    return [row.sentence || stateWords(row.state), expectedWords(row, now)].filter(Boolean).join(' ');
  }
  if (row.life === 'running') {
    const time = left === null ? '' : `${shortTime(left)} left`;
    const far = row.tasks ? tasksWords(row.tasks) : progressWords(row.progress);
    return [far || stateWords(row.state), time].filter(Boolean).join(' · ');
  }
  return row.sentence || stateWords(row.state);
}

/** When Slurm thinks that it begins; nothing where the server's sentence says so, or nobody knows. */
export function expectedWords(row: IRow, now: number): string {
  return row.life === 'waiting' ? soonWords(row.expected, row.sentence, now) : '';
}

/** The list's corner: for how long it runs, or when it was sent off or ended. */
export function cornerWords(row: IRow, now: number): string {
  if (row.life === 'running') {
    return shortTime(elapsed(row, now) ?? 0);
  }
  return whenShort((isLive(row) ? row.submitted : row.ended) ?? row.created, now);
}

/** A row for a screen reader. */
export function spokenRow(row: IRow, now: number, left: number | null): string {
  const far = row.life === 'running' ? shareOf(row) : null;
  const said = row.life === 'running' && left !== null ? `${longTime(left)} left` : '';
  const line = row.life === 'running' ? progressWords(row.progress) : lineWords(row, now, left);
  const parts = [
    row.name,
    stateWords(row.state),
    far === null ? '' : `${Math.floor(far * 100)} %`,
    line.replace(/\.$/, ''),
    said,
    row.slice_title || row.slice
  ];
  // A sentence may say no more than the state's name does.
  return [...new Set(parts)].filter(Boolean).join(', ');
}

/** What is said aloud when states change. */
export function changesWords(before: ReadonlyMap<string, IRow>, after: readonly IRow[]): string {
  const changed = after.filter(row => (before.get(row.id)?.state ?? row.state) !== row.state);
  if (changed.length > 3) {
    return `${changed.length} runs changed, of them ${nameList(changed.map(row => row.name))}.`;
  }
  return changed
    .map(row => `${row.name}: ${stateWords(row.state)}. ${isLive(row) ? '' : row.sentence}`.trim())
    .join(' ');
}

/** What a time limit leaves, and for how long it has run. */
export function timesWords(row: IRow, now: number, left: number | null): string {
  const ran = elapsed(row, now);
  const parts = [
    ran !== null && (row.life === 'running' ? `running for ${shortTime(ran)}` : `ran for ${shortTime(ran)}`),
    row.life === 'running' && left !== null && `${shortTime(left)} left`,
    row.life === 'waiting' && row.submitted !== null && `submitted ${whenWords(row.submitted, now)}`,
    row.life === 'ended' && row.ended !== null && `ended ${whenWords(row.ended, now)}`,
    row.restarts > 0 && `began again ${row.restarts === 1 ? 'once' : `${row.restarts} times`}`
  ];
  return parts.filter(Boolean).join(' · ');
}

/** The sentence without what the state's name says already. */
export function sentenceWords(row: IRow): string {
  const said = row.sentence.replace(/\.$/, '');
  return said === stateWords(row.state) ? '' : row.sentence;
}

/** What is rarely asked for. */
export function facts(row: IRow, outputs: readonly string[], now: number): [string, string][] {
  const moment = (at: number | null) => (at === null ? '' : whenWords(at, now));
  return [
    ['Kind', kindWords(row.kind)],
    ['Run', row.id],
    ['Job', row.job_id ? `${row.job_id}${row.node ? ` on ${row.node}` : ''}` : ''],
    ['Time limit', hoursWords(row.hours)],
    ['Submitted', moment(row.submitted ?? row.created)],
    ['Started', moment(row.started)],
    ['Ended', moment(row.ended)],
    ['Notebook', row.notebook ?? ''],
    ['Repeats', row.again_of ?? ''],
    ['Files', outputs.join(', ')]
  ];
}

/** For how long a task has run, or ran. */
export function taskTime(task: ITask, now: number): string {
  return task.started ? shortTime((task.ended ?? now) - task.started) : '';
}

/** How far a task is, or why it failed. */
export function taskLine(task: ITask): string {
  const look = tone(task.state);
  if (look === 'running' && (share(task.progress) !== null || task.progress?.text)) {
    return progressWords(task.progress);
  }
  return look === 'bad' ? task.sentence : '';
}
