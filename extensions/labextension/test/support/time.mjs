/** Let everything happen that waits for nothing but its turn. */
export async function settle() {
  for (let turn = 0; turn < 8; turn += 1) {
    await new Promise(resolve => setImmediate(resolve));
  }
}

/** A clock that only moves when it is told to; returns what moves it by seconds. */
export function stoppedClock(t) {
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: 1_795_300_000_000 });
  return async seconds => {
    await settle();
    t.mock.timers.tick(0);
    await settle();
    for (let passed = 0; passed < seconds; passed += 1) {
      t.mock.timers.tick(Math.min(1, seconds - passed) * 1000);
      await settle();
    }
  };
}

/** Ask now, under a clock that stands still. */
export async function refresh(list, pass) {
  const answered = list.refresh();
  await pass(0.01);
  await answered;
}

/** Make the page hidden or seen. */
export function show(visible) {
  document.hidden = !visible;
  document.visibilityState = visible ? 'visible' : 'hidden';
  document.dispatchEvent(new Event('visibilitychange'));
}
