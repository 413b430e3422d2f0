import { ReactWidget } from '@jupyterlab/ui-components';
import React from 'react';

import type { IOffer, IOfferedSlice, IWishes } from './api';
import { changedValues, type IParameter } from './parameters';

/** What the form begins with. */
export interface IFormOptions {
  /** What is sent off, in a sentence. */
  readonly intro: string;
  readonly name: string;
  readonly parameters: readonly IParameter[];
  /** Whether it can go on in another job. */
  readonly resumes: boolean;
}

interface IState {
  slice: string;
  hours: string;
  name: string;
  typed: Record<string, string>;
  resume: boolean;
  restarts: string;
}

const REMEMBERED = '@skiva/lab:runs-form';

function remembered(): { slice?: string; hours?: string } {
  try {
    return (JSON.parse(window.localStorage.getItem(REMEMBERED) ?? '{}') as object) ?? {};
  } catch {
    return {};
  }
}

/** How many of a slice could start now. */
function freeWords(slice: IOfferedSlice): string {
  if (slice.free === null) {
    return slice.status || 'not known how many are free';
  }
  const of = slice.total === null ? '' : ` of ${slice.total}`;
  const waiting = slice.waiting ? `, ${slice.waiting} waiting` : '';
  return slice.free > 0 ? `${slice.free}${of} free${waiting}` : `all in use${waiting}`;
}

function Slice(props: { slice: IOfferedSlice; chosen: boolean; choose: () => void }): React.ReactElement {
  const { slice, chosen } = props;
  return (
    <label className={`skiva-Slice${chosen ? ' skiva-mod-chosen' : ''}`}>
      <input
        type="radio"
        name="skiva-slice"
        value={slice.id}
        checked={chosen}
        onChange={props.choose}
        required
      />
      <span className="skiva-SliceTitle">{slice.title}</span>
      <span className="skiva-Quiet">
        {[freeWords(slice), slice.isolation === 'shared' && 'shared', slice.simulated && 'simulated']
          .filter(Boolean)
          .join(' · ')}
      </span>
    </label>
  );
}

/** The form in the dialog *Run in batch*. */
export class SubmitForm extends ReactWidget {
  constructor(options: IFormOptions) {
    super();
    this._options = options;
    const { slice = '', hours = '' } = remembered();
    this._state = { slice, hours, name: options.name, typed: {}, resume: false, restarts: '3' };
    this.addClass('skiva-Form');
  }

  /** What the site offers, when it is known. */
  set offer(offer: IOffer) {
    this._offer = offer;
    if (!offer.slices.some(({ id }) => id === this._state.slice)) {
      const free = offer.slices.find(slice => (slice.free ?? 0) > 0);
      this._state.slice = (free ?? offer.slices[0])?.id ?? '';
    }
    const hours = Number(this._state.hours);
    if (!(hours > 0 && hours <= offer.max_hours)) {
      this._state.hours = String(offer.hours);
    }
    this.update();
  }

  /** A sentence below the fields; `bad` when something must be changed. */
  say(text: string, bad: boolean): void {
    this._said = { text, bad };
    this.update();
  }

  /** While it is being sent nothing can be changed. */
  set busy(busy: boolean) {
    this._busy = busy;
    this.update();
  }

  /** Whether it is being sent. */
  get busy(): boolean {
    return this._busy;
  }

  /** What was chosen; null, and a sentence in the form, where something is wrong. */
  wishes(): IWishes | null {
    const { slice, hours, name, typed, resume, restarts } = this._state;
    const { values, errors } = changedValues(this._options.parameters, typed);
    const [wrong] = Object.entries(errors);
    if (wrong) {
      this.say(`${wrong[0]}: ${wrong[1]}`, true);
      return null;
    }
    if (!slice || !(Number(hours) > 0) || !name.trim()) {
      this.say(
        !slice ? 'Choose a slice.' : name.trim() ? 'hours: type a number above 0.' : 'name: type one.',
        true
      );
      return null;
    }
    window.localStorage.setItem(REMEMBERED, JSON.stringify({ slice, hours }));
    return {
      slice,
      hours: Number(hours),
      name: name.trim(),
      parameters: values,
      resume,
      restarts: resume ? Number(restarts) || 1 : 0
    };
  }

  protected override render(): React.ReactElement {
    const { intro, parameters, resumes } = this._options;
    const said = this._said.text;
    const most = this._offer?.max_hours;
    return (
      <fieldset disabled={this._busy}>
        <p>{intro}</p>
        {this._slices()}
        <div className="skiva-Fields">
          {this._field(most === undefined ? 'Hours' : `Hours, at most ${most}`, 'hours', {
            type: 'number',
            min: 0.02,
            max: most,
            step: 'any',
            required: true
          })}
          {this._field('Name', 'name', { type: 'text', maxLength: 60, required: true })}
        </div>
        {parameters.length > 0 && this._parameters()}
        {resumes && this._goesOn()}
        {said && (
          <div className={this._said.bad ? 'skiva-Trouble skiva-Told' : 'skiva-Told'} role="alert">
            {said}
          </div>
        )}
      </fieldset>
    );
  }

  private _slices(): React.ReactElement {
    const offer = this._offer;
    return (
      <fieldset className="skiva-Slices">
        <legend>Slice</legend>
        {!offer && <p className="skiva-Quiet">Reading what is free…</p>}
        {offer?.trouble && <p className="skiva-Trouble">{offer.trouble}</p>}
        {offer?.slices.map(slice => (
          <Slice
            key={slice.id}
            slice={slice}
            chosen={slice.id === this._state.slice}
            choose={() => this._change({ slice: slice.id })}
          />
        ))}
      </fieldset>
    );
  }

  private _field(
    label: string,
    field: 'hours' | 'name',
    more: React.InputHTMLAttributes<HTMLInputElement>
  ): React.ReactElement {
    return (
      <label className="skiva-Field">
        <span>{label}</span>
        <input
          className="jp-mod-styled"
          value={this._state[field]}
          onChange={event => this._change({ [field]: event.currentTarget.value })}
          {...more}
        />
      </label>
    );
  }

  private _parameters(): React.ReactElement {
    return (
      <fieldset className="skiva-Parameters">
        <legend>Parameters</legend>
        {this._options.parameters.map(({ name, text, comment, plain }) => (
          <label key={name} title={plain ? comment : 'This is computed in the notebook and stays as it is.'}>
            <code>{name} =</code>
            <input
              className="jp-mod-styled"
              spellCheck={false}
              disabled={!plain}
              value={this._state.typed[name] ?? text}
              onChange={event =>
                this._change({ typed: { ...this._state.typed, [name]: event.currentTarget.value } })
              }
            />
          </label>
        ))}
      </fieldset>
    );
  }

  private _goesOn(): React.ReactElement {
    const { resume, restarts } = this._state;
    return (
      <div className="skiva-GoesOn">
        <label>
          <input
            type="checkbox"
            checked={resume}
            onChange={event => this._change({ resume: event.currentTarget.checked })}
          />
          <span>Go on after the time limit</span>
        </label>
        {resume && (
          <label>
            <span>at the unfinished cell, in up to</span>
            <input
              type="number"
              className="jp-mod-styled"
              min={1}
              max={50}
              required
              value={restarts}
              onChange={event => this._change({ restarts: event.currentTarget.value })}
            />
            <span>more jobs</span>
          </label>
        )}
      </div>
    );
  }

  private _change(change: Partial<IState>): void {
    this._state = { ...this._state, ...change };
    if (this._said.bad) {
      this._said = { text: '', bad: false };
    }
    this.update();
  }

  private _options: IFormOptions;
  private _state: IState;
  private _offer: IOffer | null = null;
  private _said = { text: '', bad: false };
  private _busy = false;
}
