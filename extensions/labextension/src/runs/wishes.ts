import type { IWishes } from './api';
import { changedValues, type IParameter } from './parameters.ts';

/** What was typed and chosen in the form *Run in batch*. */
export interface ITyped {
  slice: string;
  hours: string;
  name: string;
  typed: Readonly<Record<string, string>>;
  resume: boolean;
  restarts: string;
}

/** What is asked for; or, in a sentence, what has to be changed before it is sent. */
export function wishesOf(state: ITyped, parameters: readonly IParameter[]): IWishes | string {
  const { slice, hours, name, typed, resume, restarts } = state;
  const { values, errors } = changedValues(parameters, typed);
  const [wrong] = Object.entries(errors);
  if (wrong) {
    return `${wrong[0]}: ${wrong[1]}`;
  }
  if (!slice) {
    return 'Choose a slice.';
  }
  if (!name.trim()) {
    return 'name: type one.';
  }
  if (!(Number(hours) > 0)) {
    return 'hours: type a number above 0.';
  }
  return {
    slice,
    hours: Number(hours),
    name: name.trim(),
    parameters: values,
    resume,
    restarts: resume ? Number(restarts) || 1 : 0
  };
}
