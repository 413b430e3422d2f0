export { Notification } from '@jupyterlab/apputils/lib/notification.js';

/** The dialogs that were shown, and whether they are accepted. */
export const dialogs = { shown: [], accept: false, flushed: 0 };

/** What was put in the clipboard last. */
export const Clipboard = {
  text: '',
  copyToSystem(text) {
    Clipboard.text = text;
  }
};

export class Dialog {
  /** With which buttons it was left. */
  left = [];

  constructor(options) {
    this.options = options;
  }

  addClass() {}

  resolve(index) {
    this.left.push(index);
  }

  static flush() {
    dialogs.flushed += 1;
  }

  static okButton(options) {
    return { ...options, accept: true };
  }

  static warnButton(options) {
    return { ...options, accept: true };
  }

  static cancelButton(options) {
    return { ...options, accept: false };
  }
}

/** Shown, and answered at once. */
export async function showDialog(options) {
  dialogs.shown.push(options);
  return { button: { accept: dialogs.accept } };
}
