import { VDomRenderer } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import type { Message } from '@lumino/messaging';
import React from 'react';

import { CommandIDs } from './commands';
import { facts } from './glance';
import type { Session } from './session';
import { extendLabel } from './words';

/** What is inside the status item's popup: the session in full, and what can be done with it. */
export class Details extends VDomRenderer<Session> {
  constructor(session: Session, commands: CommandRegistry) {
    super(session);
    this._commands = commands;
    this.addClass('skiva-Details');
    this.node.setAttribute('role', 'dialog');
    this.node.setAttribute('aria-label', 'This session');
  }

  protected override onUpdateRequest(message: Message): void {
    super.onUpdateRequest(message);
    void this.renderPromise?.then(() => {
      if (!this._focused && !this.isDisposed) {
        this._focused = true;
        this.node.querySelector('button')?.focus();
      }
    });
  }

  protected override render(): React.ReactElement | null {
    const session = this.model;
    const { status } = session;
    if (!status) {
      return null;
    }
    return (
      <>
        <dl>
          {facts(status, session).map(([term, value]) => (
            <React.Fragment key={term}>
              <dt>{term}</dt>
              <dd>{value}</dd>
            </React.Fragment>
          ))}
        </dl>
        <div className="skiva-Buttons">
          {this._button(CommandIDs.saveAll, 'Save all', 'jp-mod-accept')}
          {status.extend.allowed &&
            this._button(CommandIDs.extend, extendLabel(status.extend.hours), 'jp-mod-accept')}
          {this._button(CommandIDs.stop, 'Stop session…', 'jp-mod-warn')}
        </div>
      </>
    );
  }

  private _button(command: string, label: string, style: string): React.ReactElement | null {
    if (!this._commands.isVisible(command)) {
      return null;
    }
    return (
      <button
        type="button"
        className={`jp-mod-styled ${style}`}
        title={this._commands.caption(command)}
        disabled={this._busy || !this._commands.isEnabled(command)}
        onClick={() => void this._run(command)}
      >
        {label}
      </button>
    );
  }

  private async _run(command: string): Promise<void> {
    this._busy = true;
    this.update();
    try {
      await this._commands.execute(command);
    } finally {
      this._busy = false;
      this.update();
    }
  }

  private _commands: CommandRegistry;
  private _busy = false;
  private _focused = false;
}
