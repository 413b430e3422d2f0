import { Dialog } from '@jupyterlab/apputils';

import type { IWishes, RunsApi } from './api';
import { SubmitForm, type IFormOptions } from './form';

/** A dialog that stays until what it asks for was done, and says in the form why it was not. */
class SubmitDialog extends Dialog<unknown> {
  constructor(title: string, form: SubmitForm, send: (wishes: IWishes) => Promise<void>) {
    super({
      title,
      body: form,
      buttons: [Dialog.cancelButton(), Dialog.okButton({ label: 'Submit' })],
      focusNodeSelector: 'input:checked, input'
    });
    this._form = form;
    this._sends = send;
    this.addClass('skiva-SubmitDialog');
  }

  override resolve(index?: number): void {
    if (index === 0) {
      super.resolve(index);
    } else if (!this._form.busy) {
      void this._send();
    }
  }

  private async _send(): Promise<void> {
    const wishes = this._form.wishes();
    if (!wishes) {
      return;
    }
    this._form.busy = true;
    this._form.say('Submitting…', false);
    try {
      await this._sends(wishes);
      super.resolve(1);
    } catch (error) {
      this._form.busy = false;
      this._form.say((error as Error).message, true);
    }
  }

  private _form: SubmitForm;
  private _sends: (wishes: IWishes) => Promise<void>;
}

/** Ask how a notebook is to be run, and do it; returns when it was done or given up. */
export async function askAndSend(
  api: RunsApi,
  title: string,
  options: IFormOptions,
  send: (wishes: IWishes, form: SubmitForm) => Promise<void>
): Promise<void> {
  const form = new SubmitForm(options);
  void api.offer().then(
    offer => {
      form.offer = offer;
    },
    (error: Error) => form.say(error.message, true)
  );
  await new SubmitDialog(title, form, wishes => send(wishes, form)).launch();
}
