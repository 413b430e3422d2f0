import { FormDialog } from '../common/dialog';
import type { IWishes, RunsApi } from './api';
import { SubmitForm, type IFormOptions } from './form';

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
    (error: unknown) => form.say((error as Error).message, true)
  );
  const words = { title, button: 'Submit', busy: 'Submitting…' };
  await new FormDialog<IWishes>(words, form, wishes => send(wishes, form)).launch();
}
