/** A session at a glance: what the status bar item and its popup say. */

import type { IGpu, IStatus } from './status';
import { clockTime, environmentWords, isolationWords, longTime, memoryWords, timeWords } from './words.ts';

const SOON = 10 * 60;
const VERY_SOON = 2 * 60;

/** What is known of a session now; `left` is null where it has no end. */
export interface IGlance {
  readonly left: number | null;
  readonly ends: Date | null;
  readonly answers: boolean;
}

/** The look of the time left. */
export function urgency(left: number | null): string {
  if (left === null || left > SOON) {
    return '';
  }
  return left > VERY_SOON ? ' skiva-mod-soon' : ' skiva-mod-verySoon';
}

/** The busiest of the session's GPUs, or the only one. */
export function gpuWords(gpus: readonly IGpu[] | null): string {
  const gpu = gpus?.reduce((one, other) => ((other.utilization ?? 0) > (one.utilization ?? 0) ? other : one));
  if (!gpu) {
    return '';
  }
  if (gpu.utilization !== null) {
    return `GPU ${gpu.utilization} %`;
  }
  return gpu.memory_used === null ? '' : `GPU ${memoryWords(gpu.memory_used, gpu.memory_total)}`;
}

/** What the item says when somebody points at it. */
export function tooltip(status: IStatus, { ends, answers }: IGlance): string {
  return [
    answers ? '' : 'The server does not answer. The time counts on as it was last told.',
    `${status.title}: ${isolationWords(status.isolation, status.simulated)}`,
    status.environment && `Environment: ${environmentWords(status)}`,
    `Job ${status.job_id} on ${status.node}`,
    ends && `Ends at ${clockTime(ends)}`,
    status.trouble
  ]
    .filter(Boolean)
    .join('\n');
}

/** The item for a screen reader. */
export function spoken(status: IStatus, { left, answers }: IGlance): string {
  const time = left === null ? 'no time limit' : left > 0 ? `${longTime(left)} left` : 'time is up';
  const memory = answers && status.memory ? memoryWords(status.memory.used, status.memory.limit) : '';
  return [
    `Session on ${status.title}`,
    time,
    answers ? '' : 'the server does not answer',
    memory && `memory ${memory.replace(' / ', ' of ')}`
  ]
    .filter(Boolean)
    .join(', ');
}

function gpuLine(gpu: IGpu): string {
  const parts = [
    gpu.utilization === null ? '' : `${gpu.utilization} % busy`,
    gpu.memory_used === null ? '' : memoryWords(gpu.memory_used, gpu.memory_total)
  ];
  return [gpu.name, ...parts].filter(Boolean).join(', ');
}

/** The popup's rows: terms with what they are; those of which nothing is known are left out. */
export function facts(status: IStatus, { left, ends, answers }: IGlance): [string, string][] {
  const gpus = status.gpus?.map(gpuLine).join('; ') ?? (status.simulated ? 'simulated' : '');
  const memory = answers && status.memory ? memoryWords(status.memory.used, status.memory.limit) : '';
  const all: [string, string][] = [
    ['Slice', status.title],
    ['Isolation', isolationWords(status.isolation, status.simulated)],
    ['Environment', environmentWords(status)],
    ['Job', `${status.job_id} on ${status.node}`],
    ['Time left', timeWords(left) || 'no time limit'],
    ['Ends at', ends ? clockTime(ends) : ''],
    ['Memory', memory],
    ['GPU', answers ? gpus : ''],
    ['Server', answers ? '' : 'no answer'],
    ['Slurm', status.trouble]
  ];
  return all.filter(([, value]) => value);
}
