import type { Event, KernelSpec } from '@jupyterlab/services';

const CHANGED_EVENT = 'urn:skiva:kernels-changed';

/** Keeps the list of kernels as it is on disk: launcher, dialogs and menus follow it. */
export class KernelList {
  constructor(specs: KernelSpec.IManager, events: Event.IManager) {
    this._specs = specs;
    events.stream.connect(this._onEvent, this);
  }

  private _onEvent(_: Event.IManager, event: Event.Emission): void {
    if (event.schema_id === CHANGED_EVENT) {
      // A server that does not answer is JupyterLab's own matter.
      this._specs.refreshSpecs().catch(() => undefined);
    }
  }

  private _specs: KernelSpec.IManager;
}
