import { showPopup, type Popup } from '@jupyterlab/statusbar';
import { VDomRenderer } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import React from 'react';

import { Details } from './details';
import { gpuWords, spoken, tooltip, urgency } from './glance';
import { sliceIcon } from './icon';
import type { Session } from './session';
import { memoryWords, timeWords } from './words';

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
    const { status, answers, left } = this.model;
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
        title={tooltip(status, this.model)}
        aria-label={spoken(status, this.model)}
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
