import React from 'react';

import { firstChoice, firstHours } from '../common/choices';
import { Field, FormWidget, remember, remembered } from '../common/form';
import { Slices } from '../common/slices';
import type { IClusterOffer, IClusterWishes, IWorkerSlice } from './api';
import { askWords, withoutDask, wrongWith } from './limits';

interface IState {
  slice: string;
  workers: string;
  name: string;
  hours: string;
}

const REMEMBERED = '@skiva/lab:clusters-form';

/** The form in the dialog *New cluster*. */
export class ClusterForm extends FormWidget<IState> {
  constructor() {
    const { slice = '', workers = '', hours = '' } = remembered(REMEMBERED);
    super({ slice, workers, name: '', hours });
  }

  /** What the site offers, when it is known. */
  set offer(offer: IClusterOffer) {
    this._offer = offer;
    this.state.slice = firstChoice(offer.slices, this.state.slice);
    this.state.hours = firstHours(offer, this.state.hours);
    if (!(Number(this.state.workers) > 0)) {
      this.state.workers = String(Math.max(2, this._perJob));
    }
    if (!offer.dask) {
      this.say(withoutDask(offer), true);
    }
    this.update();
  }

  /** What was chosen; null, and a sentence in the form, where something is wrong. */
  wishes(): IClusterWishes | null {
    const { slice, name } = this.state;
    const [workers, hours] = [Number(this.state.workers), Number(this.state.hours)];
    const wrong = wrongWith(this._offer, this._slice, this.state);
    if (wrong) {
      this.say(wrong, true);
      return null;
    }
    remember(REMEMBERED, { slice, workers: this.state.workers, hours: this.state.hours });
    return { slice, workers, hours, ...(name.trim() ? { name: name.trim() } : {}) };
  }

  protected fields(): React.ReactNode {
    const offer = this._offer;
    const { slice, workers, hours, name } = this.state;
    const most = offer?.max_hours;
    const said = offer && this._slice && askWords(offer, this._slice, Number(workers), Number(hours));
    return (
      <>
        <p>A Dask cluster on slices of its own. It lives on when the kernel is restarted.</p>
        <Slices
          slices={offer?.slices ?? null}
          trouble={offer?.trouble ?? ''}
          chosen={slice}
          choose={chosen => this.change({ slice: chosen })}
        />
        <div className="skiva-Fields">
          <Field
            label={this._perJob > 1 ? `Workers, ${this._perJob} a job` : 'Workers'}
            type="number"
            min={0}
            step={this._perJob}
            required
            value={workers}
            change={text => this.change({ workers: text })}
          />
          <Field
            label={most === undefined ? 'Hours' : `Hours, at most ${most}`}
            type="number"
            min={0.02}
            max={most}
            step="any"
            required
            value={hours}
            change={text => this.change({ hours: text })}
          />
        </div>
        <Field
          label="Name"
          type="text"
          maxLength={60}
          placeholder="made for you"
          value={name}
          change={text => this.change({ name: text })}
        />
        {said && <p className="skiva-Quiet">{said}</p>}
        {offer?.dask && offer.message && <p className="skiva-Quiet">{offer.message}</p>}
      </>
    );
  }

  private get _slice(): IWorkerSlice | null {
    return this._offer?.slices.find(({ id }) => id === this.state.slice) ?? null;
  }

  private get _perJob(): number {
    return Math.max(1, this._slice?.gpus ?? 1);
  }

  private _offer: IClusterOffer | null = null;
}
