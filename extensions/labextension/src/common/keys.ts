const STEP = 10;

/** Which of `count` rows a key goes to from the row `at`, which is -1 for none; null for other keys. */
export function target(key: string, at: number, count: number): number | null {
  const moves: Readonly<Record<string, number>> = {
    ArrowDown: at + 1,
    ArrowUp: at < 0 ? count - 1 : at - 1,
    PageDown: at + STEP,
    PageUp: at - STEP,
    Home: 0,
    End: count - 1
  };
  const next = Object.hasOwn(moves, key) ? moves[key] : undefined;
  return next === undefined || !count ? null : Math.min(count - 1, Math.max(0, next));
}
