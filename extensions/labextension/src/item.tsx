import { showPopup, type Popup } from '@jupyterlab/statusbar';
import { VDomRenderer } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import React from 'react';

import { Details } from './details';
import { sliceIcon } from './icon';
import type { Session } from './session';
import type { IGpu, IStatus } from './status';
import { clockTime, environmentWords, isolationWords, longTime, memoryWords, timeWords } from './words';

const SOON = 10 * 60;
const VERY_SOON = 2 * 60;

function urgency(left: number | null): string {
  if (left === null || left > SOON) {
    return '';
  }
  return left > VERY_SOON ? ' skiva-mod-soon' : ' skiva-mod-verySoon';
}

/** The busiest of the session's GPUs, or the only one. */
function gpuWords(gpus: readonly IGpu[] | null): string {
  const gpu = gpus?.reduce((one, other) => ((other.utilization ?? 0) > (one.utilization ?? 0) ? other : one));
  if (!gpu) {
    return '';
  }
  if (gpu.utilization !== null) {
    return `GPU ${gpu.utilization} %`;
  }
  return gpu.memory_used === null ? '' : `GPU ${memoryWords(gpu.memory_used, gpu.memory_total)}`;
}

function tooltip(status: IStatus, ends: Date | null, answers: boolean): string {
  return [
    answers ? '' : 'The server does not answer. The time counts on as it was last told.',
    `${status.title}: ${isolationWords(status.isolation, status.simulated)}`,
    status.environment && `Environment: ${environmentWords(status)}`,
    `Job ${status.job_id} on ${status.node}`,
    ends && `Ends at ${clockTime(ends)}`,
    status.trouble
  ]
    .filter(Boolean)
    .join('\n');
}

function spoken(status: IStatus, left: number | null, answers: boolean): string {
  const time = left === null ? 'no time limit' : left > 0 ? `${longTime(left)} left` : 'time is up';
  const memory = answers && status.memory ? memoryWords(status.memory.used, status.memory.limit) : '';
  return [
    `Session on ${status.title}`,
    time,
    answers ? '' : 'the server does not answer',
    memory && `memory ${memory.replace(' / ', ' of ')}`
  ]
    .filter(Boolean)
    .join(', ');
}

function MemoryBar(props: { used: number; limit: number | null }): React.ReactElement {
  const share = props.limit ? Math.min(1, props.used / props.limit) : null;
  return (
    <span className="skiva-Memory">
      {share !== null && (
        <span className="skiva-MemoryBar" aria-hidden="true">
          <span className={share > 0.9 ? 'skiva-mod-full' : ''} style={{ width: `${share * 100}%` }} />
        </span>
      )}
      <span>{memoryWords(props.used, props.limit)}</span>
    </span>
  );
}

/** The status bar item: slice, time left, memory, GPU use; a press opens the details. */
export class SessionItem extends VDomRenderer<Session> {
  constructor(session: Session, commands: CommandRegistry) {
    super(session);
    this._commands = commands;
    this.addClass('skiva-StatusItem');
  }

  protected override render(): React.ReactElement | null {
    const { status, answers, left, ends } = this.model;
    if (!status) {
      return null;
    }
    const gpu = answers ? gpuWords(status.gpus) : '';
    const parts = [
      status.title,
      left !== null && <span className={`skiva-Time${urgency(left)}`}>{timeWords(left)}</span>,
      !answers && 'no answer',
      answers && status.memory && <MemoryBar {...status.memory} />,
      gpu
    ].filter(Boolean);
    return (
      <button
        type="button"
        className="skiva-StatusButton jp-StatusBar-TextItem"
        title={tooltip(status, ends, answers)}
        aria-label={spoken(status, left, answers)}
        aria-haspopup="dialog"
        onClick={() => this._toggle()}
      >
        <sliceIcon.react tag="span" className="skiva-Icon" height="16px" width="16px" />
        {parts.map((part, index) => (
          <span key={index} className="skiva-Part">
            {part}
          </span>
        ))}
      </button>
    );
  }

  private _toggle(): void {
    if (this._popup && !this._popup.isDisposed) {
      this._popup.dispose();
      return;
    }
    const body = new Details(this.model, this._commands);
    const popup = showPopup({ body, anchor: this, align: 'left', hasDynamicSize: true });
    popup.disposed.connect(() => {
      if (popup.node.contains(document.activeElement) || document.activeElement === document.body) {
        this.node.querySelector('button')?.focus();
      }
    });
    this._popup = popup;
  }

  private _commands: CommandRegistry;
  private _popup: Popup | null = null;
}
