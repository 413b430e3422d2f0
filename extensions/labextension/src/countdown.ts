/** Time left without trusting that this computer's clock and the node's agree. */

/** Seconds before the end at which a person is warned. */
export const THRESHOLDS: readonly number[] = [30 * 60, 10 * 60, 2 * 60];

/** From here on open documents are saved again and again. */
export const SAVING = 2 * 60;

/** How far the end must move away before a threshold that has spoken may speak again. */
const REARM = 60;

/** Two local clocks in seconds: one that never jumps, one that goes on while the computer sleeps. */
export interface INow {
  readonly steady: number;
  readonly wall: number;
}

/** This computer's clocks now. */
export function now(): INow {
  return { steady: performance.now() / 1000, wall: Date.now() / 1000 };
}

/** What the server said was left, and when it said so by our clocks. */
export interface IMark {
  readonly left: number;
  readonly at: INow;
}

/**
 * Seconds left now. A clock that was set back, or that stood still while the computer slept, would
 * promise time that is gone, so the clock that went further counts.
 */
export function secondsLeft(mark: IMark, at: INow): number {
  const passed = Math.max(at.steady - mark.at.steady, at.wall - mark.at.wall, 0);
  return mark.left - passed;
}

/** The thresholds that may still speak, at the first look: long passed ones stay silent. */
export function armedAtFirst(left: number): readonly number[] {
  return THRESHOLDS.filter(threshold => threshold < left || threshold <= 10 * 60);
}

/** Which threshold speaks now, and which may still speak later. */
export interface IStep {
  readonly due: number | null;
  readonly armed: readonly number[];
}

/**
 * One look at the clock: of several thresholds passed at once only the nearest speaks, and none does
 * when the next is less than a minute away.
 */
export function step(armed: readonly number[], left: number): IStep {
  const passed = armed.filter(threshold => left <= threshold);
  const soon = armed.some(threshold => left > threshold && left <= threshold + REARM);
  const due = passed.length && left > 0 && !soon ? Math.min(...passed) : null;
  const next = THRESHOLDS.filter(
    threshold => left > threshold + REARM || (armed.includes(threshold) && left > threshold)
  );
  return { due, armed: next };
}

/** Milliseconds between two questions to the server. */
export function pollInterval(left: number | null): number {
  return left !== null && left < 10 * 60 ? 5000 : 10000;
}
