// What the modules under test find where they run: a browser and JupyterLab, as far as they use them.
// Lumino, JupyterLab's services and its notifications are the real ones.
import { registerHooks } from 'node:module';

const standIn = name => new URL(`${name}.mjs`, import.meta.url).href;
const STAND_INS = new Map([
  ['@jupyterlab/apputils', standIn('apputils')],
  ['@jupyterlab/ui-components', standIn('ui-components')],
  ['@lumino/widgets', standIn('widgets')]
]);
const OURS = /\/src\/[^?]*\.ts$/;
const NOTIFICATIONS = '/@jupyterlab/apputils/lib/notification.js';

registerHooks({
  resolve(specifier, context, next) {
    const url = STAND_INS.get(specifier);
    if (url) {
      return { url, shortCircuit: true };
    }
    // The build finds what is imported without an ending; Node.js does not.
    const bare = specifier.startsWith('.') && OURS.test(context.parentURL) && !/\.tsx?$/.test(specifier);
    return next(bare ? `${specifier}.ts` : specifier, context);
  },
  load(url, context, next) {
    const format = OURS.test(url)
      ? 'module-typescript'
      : url.endsWith(NOTIFICATIONS)
        ? 'module'
        : context.format;
    return next(url, { ...context, format });
  }
});

globalThis.window = globalThis;
globalThis.open = () => null;
globalThis.document = Object.assign(new EventTarget(), {
  hidden: false,
  visibilityState: 'visible',
  cookie: '',
  getElementById: () => null,
  createElement: tag => ({ tag, textContent: '' })
});
