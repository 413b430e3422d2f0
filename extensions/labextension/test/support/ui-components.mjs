import { Signal } from '@lumino/signaling';

/** As JupyterLab's, which comes with everything that it draws. */
export class VDomModel {
  stateChanged = new Signal(this);
  isDisposed = false;

  dispose() {
    this.isDisposed = true;
    Signal.clearData(this);
  }
}
