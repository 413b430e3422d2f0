/** Moments and amounts in words. */

import { shortTime } from '../words.ts';

/** With a capital letter. */
export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** A moment: the time where it is of today, the day too where it is not. Seconds since 1970. */
export function whenWords(at: number, now: number, locale?: string): string {
  const [then, today] = [new Date(at * 1000), new Date(now * 1000)];
  const time = then.toLocaleTimeString(locale, { hour: '2-digit', minute: '2-digit' });
  if (then.toDateString() === today.toDateString()) {
    return time;
  }
  const sameYear = then.getFullYear() === today.getFullYear();
  const day = then.toLocaleDateString(locale, {
    day: 'numeric',
    month: 'short',
    ...(sameYear ? {} : { year: 'numeric' })
  });
  return `${day}, ${time}`;
}

/** The same in the little room of a list: the time, or the day. */
export function whenShort(at: number, now: number, locale?: string): string {
  return whenWords(at, now, locale).split(', ')[0] ?? '';
}

/** When Slurm thinks that it begins; nothing where the sentence says so, or nobody knows. Seconds since 1970. */
export function soonWords(expected: number | null, sentence: string, now: number): string {
  if (expected === null || /\d\d:\d\d/.test(sentence)) {
    return '';
  }
  return expected <= now ? 'Expected any moment.' : `Expected about ${whenWords(expected, now)}.`;
}

/** Hours of a time limit: `2 h`, `30 min`. */
export function hoursWords(hours: number | null): string {
  if (hours === null) {
    return '';
  }
  const minutes = Math.round(hours * 60);
  return minutes % 60 === 0 ? `${minutes / 60} h` : shortTime(minutes * 60);
}

/** How much a file has: `812 B`, `3.1 MB`. */
export function sizeWords(bytes: number): string {
  const power = bytes < 1024 ? 0 : bytes < 1024 ** 2 ? 1 : bytes < 1024 ** 3 ? 2 : 3;
  const value = bytes / 1024 ** power;
  return `${power && value < 100 ? value.toFixed(1) : value.toFixed(0)} ${['B', 'KB', 'MB', 'GB'][power]}`;
}
