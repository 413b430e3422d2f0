/** What a form offers, and what it begins with. */

/** One slice that jobs can be sent to. */
export interface IOfferedSlice {
  readonly id: string;
  readonly title: string;
  readonly simulated: boolean;
  readonly isolation: string;
  readonly free: number | null;
  readonly total: number | null;
  readonly waiting: number | null;
  readonly status: string;
}

/** How many of a slice could start now. */
function freeWords(slice: IOfferedSlice): string {
  if (slice.free === null) {
    return slice.status || 'not known how many are free';
  }
  const of = slice.total === null ? '' : ` of ${slice.total}`;
  const waiting = slice.waiting ? `, ${slice.waiting} waiting` : '';
  return slice.free > 0 ? `${slice.free}${of} free${waiting}` : `all in use${waiting}`;
}

/** What is to be known of a slice beside its title. */
export function sliceWords(slice: IOfferedSlice): string {
  return [freeWords(slice), slice.isolation === 'shared' && 'shared', slice.simulated && 'simulated']
    .filter(Boolean)
    .join(' · ');
}

/** The slice that is chosen at first: the one of before, else one that is free. */
export function firstChoice(slices: readonly IOfferedSlice[], before: string): string {
  const free = slices.find(slice => (slice.free ?? 0) > 0);
  return slices.find(({ id }) => id === before)?.id ?? (free ?? slices[0])?.id ?? '';
}

/** The hours that are typed at first: those of before where the site allows them, else what it proposes. */
export function firstHours(
  offer: { readonly hours: number; readonly max_hours: number },
  before: string
): string {
  const hours = Number(before);
  return hours > 0 && hours <= offer.max_hours ? before : String(offer.hours);
}
