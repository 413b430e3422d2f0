import React from 'react';

import { firstChoice, firstHours } from '../common/choices';
import { Field, FormWidget, remember, remembered } from '../common/form';
import { Slices } from '../common/slices';
import type { IOffer, IWishes } from './api';
import type { IParameter } from './parameters';
import { wishesOf, type ITyped } from './wishes';

/** What the form begins with. */
export interface IFormOptions {
  /** What is sent off, in a sentence. */
  readonly intro: string;
  readonly name: string;
  readonly parameters: readonly IParameter[];
  /** Whether it can go on in another job. */
  readonly resumes: boolean;
}

const REMEMBERED = '@skiva/lab:runs-form';

/** The form in the dialog *Run in batch*. */
export class SubmitForm extends FormWidget<ITyped> {
  constructor(options: IFormOptions) {
    const { slice = '', hours = '' } = remembered(REMEMBERED);
    super({ slice, hours, name: options.name, typed: {}, resume: false, restarts: '3' });
    this._options = options;
  }

  /** What the site offers, when it is known. */
  set offer(offer: IOffer) {
    this._offer = offer;
    this.state.slice = firstChoice(offer.slices, this.state.slice);
    this.state.hours = firstHours(offer, this.state.hours);
    this.update();
  }

  /** What was chosen; null, and a sentence in the form, where something is wrong. */
  wishes(): IWishes | null {
    const wishes = wishesOf(this.state, this._options.parameters);
    if (typeof wishes === 'string') {
      this.say(wishes, true);
      return null;
    }
    remember(REMEMBERED, { slice: wishes.slice, hours: this.state.hours });
    return wishes;
  }

  protected fields(): React.ReactNode {
    const { intro, parameters, resumes } = this._options;
    const most = this._offer?.max_hours;
    return (
      <>
        <p>{intro}</p>
        <Slices
          slices={this._offer?.slices ?? null}
          trouble={this._offer?.trouble ?? ''}
          chosen={this.state.slice}
          choose={slice => this.change({ slice })}
        />
        <div className="skiva-Fields">
          <Field
            label={most === undefined ? 'Hours' : `Hours, at most ${most}`}
            type="number"
            min={0.02}
            max={most}
            step="any"
            required
            value={this.state.hours}
            change={hours => this.change({ hours })}
          />
          <Field
            label="Name"
            type="text"
            maxLength={60}
            required
            value={this.state.name}
            change={name => this.change({ name })}
          />
        </div>
        {parameters.length > 0 && this._parameters()}
        {resumes && this._goesOn()}
      </>
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
              value={Object.hasOwn(this.state.typed, name) ? this.state.typed[name] : text}
              onChange={event =>
                this.change({ typed: { ...this.state.typed, [name]: event.currentTarget.value } })
              }
            />
          </label>
        ))}
      </fieldset>
    );
  }

  private _goesOn(): React.ReactElement {
    const { resume, restarts } = this.state;
    return (
      <div className="skiva-GoesOn">
        <label>
          <input
            type="checkbox"
            checked={resume}
            onChange={event => this.change({ resume: event.currentTarget.checked })}
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
              onChange={event => this.change({ restarts: event.currentTarget.value })}
            />
            <span>more jobs</span>
          </label>
        )}
      </div>
    );
  }

  private _options: IFormOptions;
  private _offer: IOffer | null = null;
}
