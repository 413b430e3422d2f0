// The tests as Mocha's, so that Stryker can run those that touch a mutant, in one process, thousands of times.
import { registerHooks } from 'node:module';

import './browser.mjs';

const { mock } = process.getBuiltinModule('node:test');

/** As node:test's, as far as the tests use it. */
export function test(name, body) {
  globalThis.it(name, async () => {
    const last = [];
    try {
      await body({ mock, after: act => last.push(act) });
    } finally {
      last.forEach(act => act());
      mock.reset();
      mock.timers.reset();
    }
  });
}

export function beforeEach(act) {
  globalThis.beforeEach(() => act());
}

registerHooks({
  resolve: (specifier, context, next) =>
    specifier === 'node:test' ? { url: import.meta.url, shortCircuit: true } : next(specifier, context)
});
