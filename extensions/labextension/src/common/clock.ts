import React from 'react';

/** Seconds since 1970, again every second while something moves. */
export function useNow(moves: boolean): number {
  const [now, setNow] = React.useState(() => Date.now() / 1000);
  React.useEffect(() => {
    if (!moves) {
      return undefined;
    }
    const timer = window.setInterval(() => {
      if (!document.hidden) {
        setNow(Date.now() / 1000);
      }
    }, 1000);
    return () => window.clearInterval(timer);
  }, [moves]);
  return now;
}

/** Draw again whenever this signal speaks. */
export function useSignal(signal: {
  connect(slot: () => void): boolean;
  disconnect(slot: () => void): boolean;
}): void {
  const [, again] = React.useReducer((count: number) => count + 1, 0);
  React.useEffect(() => {
    signal.connect(again);
    return () => void signal.disconnect(again);
  }, [signal]);
}
