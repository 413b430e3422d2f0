import { fitting, isScaling, mostOf, type IBounds, type ICluster } from './rows.ts';

/** What was asked of a cluster: so many workers, or to adapt. */
export type Wish = { readonly workers: number } | IBounds;

/** A request, and what was there before it. */
export interface IRequest {
  readonly wish: Wish;
  readonly before: Wish;
  /** Whether the scheduler has it. */
  readonly heard: boolean;
  readonly at: number;
}

/** What a cluster is told to have now. */
export function wishOf(cluster: ICluster): Wish {
  return cluster.adapt ?? { workers: cluster.workers.wanted };
}

/** Whether two wishes are the same. */
export function same(one: Wish, other: Wish): boolean {
  if ('workers' in one || 'workers' in other) {
    return 'workers' in one && 'workers' in other && one.workers === other.workers;
  }
  return one.minimum === other.minimum && one.maximum === other.maximum;
}

/** A wish in words: `8 workers`, `2–8 workers`. */
export function wishWords(wish: Wish): string {
  if ('workers' in wish) {
    return `${wish.workers} worker${wish.workers === 1 ? '' : 's'}`;
  }
  return `${wish.minimum}–${wish.maximum} workers`;
}

const KEPT = 20;

/** Whether a request is still worth a line with *Undo*: until it is done, and some seconds more. */
export function isShown(request: IRequest, cluster: ICluster, now: number): boolean {
  if (!request.heard) {
    return true;
  }
  // Somebody else may have asked for something different since.
  return same(wishOf(cluster), request.wish) && (isScaling(cluster) || now - request.at < KEPT);
}

/** What is said of a request. */
export function requestWords(request: IRequest, cluster: ICluster): string {
  const { wish, before, heard } = request;
  const change = `from ${wishWords(before)} to ${wishWords(wish)}`;
  if (!heard) {
    return `Asking: ${change}…`;
  }
  const { ready, wanted } = cluster.workers;
  return isScaling(cluster) ? `Changing ${change}: ${ready} of ${wanted} ready.` : `Changed ${change}.`;
}

/** What was asked for and not answered yet; else what it has. */
export function wishNow(request: IRequest | null, cluster: ICluster): Wish {
  return request && !request.heard ? request.wish : wishOf(cluster);
}

/** Between how many it adapts at first: never more than there are now until somebody says so. */
export function firstBounds({ workers, per_job: perJob }: ICluster): IBounds {
  const maximum = Math.max(workers.wanted, perJob, 1);
  return { minimum: Math.min(perJob, maximum), maximum };
}

/** The bounds after one of them was set to what is asked for; the other gives way. */
export function boundsWith(cluster: ICluster, now: IBounds, change: Partial<IBounds>): IBounds {
  const { per_job: perJob } = cluster;
  const most = Math.max(mostOf(cluster), now.maximum);
  if (change.minimum !== undefined) {
    const minimum = fitting(change.minimum, perJob, most);
    return { minimum, maximum: Math.max(minimum, now.maximum) };
  }
  const maximum = Math.max(fitting(change.maximum ?? now.maximum, perJob, most), 1, perJob);
  return { minimum: Math.min(maximum, now.minimum), maximum };
}

/** What the field says below itself. */
export function hintWords(cluster: ICluster, draft: number | null): string {
  const { per_job: perJob, workers } = cluster;
  const most = mostOf(cluster);
  if (most === 0) {
    return 'The limits of this site allow no worker now.';
  }
  if (draft === null || draft === workers.wanted || Number.isNaN(draft)) {
    return `at most ${most}${perJob > 1 ? `, ${perJob} a job` : ''}`;
  }
  const fit = fitting(draft, perJob, most);
  return `Let go, or press Enter, to ask for ${fit}; Escape leaves ${workers.wanted}.`;
}
