/** What a new cluster asks for, against what the site allows. */

import type { IClusterOffer, IWorkerSlice } from './api.ts';

type ILimits = Pick<IClusterOffer, 'most_jobs' | 'most_slice_hours'>;

/** Jobs and slice-hours of so many workers. */
export function asked(
  slice: Pick<IWorkerSlice, 'gpus'>,
  workers: number,
  hours: number
): { jobs: number; sliceHours: number } {
  const perJob = Math.max(1, slice.gpus);
  const jobs = Math.ceil(workers / perJob);
  return { jobs, sliceHours: Math.round(jobs * perJob * hours * 100) / 100 };
}

/** The same in words, with the limits. */
export function askWords(
  offer: ILimits,
  slice: Pick<IWorkerSlice, 'gpus'>,
  workers: number,
  hours: number
): string {
  if (!(workers > 0) || !(hours > 0)) {
    return '';
  }
  const { jobs, sliceHours } = asked(slice, workers, hours);
  const allowed = `of at most ${offer.most_jobs} jobs and ${offer.most_slice_hours} slice-hours at a time`;
  return `${jobs} job${jobs === 1 ? '' : 's'}, ${sliceHours} slice-hours ${allowed}, all clusters together.`;
}

/** Why it is more than the site allows; empty where it is not. */
export function tooMuch(
  offer: ILimits,
  slice: Pick<IWorkerSlice, 'gpus'>,
  workers: number,
  hours: number
): string {
  const { jobs, sliceHours } = asked(slice, workers, hours);
  if (jobs > offer.most_jobs) {
    return `workers: these are ${jobs} jobs, and the site allows ${offer.most_jobs} at a time.`;
  }
  if (sliceHours > offer.most_slice_hours) {
    return `hours: these are ${sliceHours} slice-hours, and the site allows ${offer.most_slice_hours}: take fewer workers or fewer hours.`;
  }
  return '';
}

/** Why no cluster can be started from a session without Dask. */
export function withoutDask(offer: Pick<IClusterOffer, 'message'>): string {
  return offer.message || 'This session’s environment has no Dask: start one that has it.';
}

/** What has to be changed before what was typed is sent; empty where nothing has. */
export function wrongWith(
  offer: (ILimits & Pick<IClusterOffer, 'dask' | 'message'>) | null,
  slice: Pick<IWorkerSlice, 'gpus'> | null,
  typed: { readonly workers: string; readonly hours: string }
): string {
  if (offer && !offer.dask) {
    return withoutDask(offer);
  }
  if (!slice || !offer) {
    return 'Choose a slice.';
  }
  const [workers, hours] = [Number(typed.workers), Number(typed.hours)];
  if (typed.workers === '' || !Number.isInteger(workers) || workers < 0) {
    return 'workers: type a whole number.';
  }
  return hours > 0 ? tooMuch(offer, slice, workers, hours) : 'hours: type a number above 0.';
}
