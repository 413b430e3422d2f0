import React from 'react';

import { Field, FormWidget, remember, remembered } from '../common/form';
import { firstChoice, Slices } from '../common/slices';
import type { IClusterOffer, IClusterWishes, IWorkerSlice } from './api';
import { askWords, tooMuch } from './limits';

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
    const hours = Number(this.state.hours);
    if (!(hours > 0 && hours <= offer.max_hours)) {
      this.state.hours = String(offer.hours);
    }
    if (!(Number(this.state.workers) > 0)) {
      this.state.workers = String(Math.max(2, this._perJob));
    }
    if (!offer.dask) {
      this.say(offer.message || 'This session’s environment has no Dask: start one that has it.', true);
    }
    this.update();
  }

  /** What was chosen; null, and a sentence in the form, where something is wrong. */
  wishes(): IClusterWishes | null {
    const { slice, name } = this.state;
    const [workers, hours] = [Number(this.state.workers), Number(this.state.hours)];
    const wrong = this._wrong(workers, hours);
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

  /** What has to be changed before it is sent. */
  private _wrong(workers: number, hours: number): string {
    const [offer, slice] = [this._offer, this._slice];
    if (offer && !offer.dask) {
      return offer.message || 'This session’s environment has no Dask: start one that has it.';
    }
    if (!slice || !offer) {
      return 'Choose a slice.';
    }
    if (this.state.workers === '' || !Number.isInteger(workers) || workers < 0) {
      return 'workers: type a whole number.';
    }
    return hours > 0 ? tooMuch(offer, slice, workers, hours) : 'hours: type a number above 0.';
  }

  private _offer: IClusterOffer | null = null;
}
