import { Dialog } from '@jupyterlab/apputils';
import type { ReactWidget } from '@jupyterlab/ui-components';

/** A form that can be sent off. */
export interface IForm<W> extends ReactWidget {
  /** While it is being sent nothing can be changed. */
  busy: boolean;
  /** What was chosen; null, and a sentence in the form, where something is wrong. */
  wishes(): W | null;
  /** A sentence below the fields; `bad` when something must be changed. */
  say(text: string, bad: boolean): void;
}

/** What a dialog is called, and its button, and what it says while it sends. */
export interface IFormWords {
  readonly title: string;
  readonly button: string;
  readonly busy: string;
}

/** A dialog that stays until what it asks for was done, and says in the form why it was not. */
export class FormDialog<W> extends Dialog<unknown> {
  constructor(words: IFormWords, form: IForm<W>, send: (wishes: W) => Promise<void>) {
    super({
      title: words.title,
      body: form,
      buttons: [Dialog.cancelButton(), Dialog.okButton({ label: words.button })],
      focusNodeSelector: 'input:checked, input'
    });
    this._words = words;
    this._form = form;
    this._sends = send;
    this.addClass('skiva-FormDialog');
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
    this._form.say(this._words.busy, false);
    try {
      await this._sends(wishes);
      super.resolve(1);
    } catch (error) {
      this._form.busy = false;
      this._form.say((error as Error).message, true);
    }
  }

  private _words: IFormWords;
  private _form: IForm<W>;
  private _sends: (wishes: W) => Promise<void>;
}
