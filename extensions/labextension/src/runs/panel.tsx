import { VDomRenderer } from '@jupyterlab/ui-components';
import type { IDisposable } from '@lumino/disposable';
import type { Message } from '@lumino/messaging';
import React from 'react';

import type { RunActions } from './actions';
import { AllRuns, type IFilter } from './all';
import { runsIcon } from './icons';
import type { RunsModel } from './model';
import { OneRun } from './one';
import { RunWatch } from './watch';

/** The side panel *Runs*: the list, or one run of it. */
export class RunsPanel extends VDomRenderer<RunsModel> {
  constructor(model: RunsModel, actions: RunActions) {
    super(model);
    this._actions = actions;
    this.id = 'skiva-runs';
    this.addClass('skiva-Runs');
    this.title.icon = runsIcon;
    this.title.caption = 'Runs';
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', 'Runs');
  }

  /** Show this run. */
  open = (id: string): void => {
    if (this._watch?.id !== id) {
      this._leave();
      this._watch = new RunWatch(id, this.model);
      this._watch.visible = this.isVisible;
    }
    this._active = id;
    this.update();
  };

  /** Show the list. */
  back = (): void => {
    this._leave();
    this._returned = true;
    this.update();
  };

  override dispose(): void {
    if (!this.isDisposed) {
      this._leave();
      this._looking?.dispose();
      super.dispose();
    }
  }

  protected override onBeforeShow(message: Message): void {
    super.onBeforeShow(message);
    this._look(true);
  }

  protected override onAfterHide(message: Message): void {
    super.onAfterHide(message);
    this._look(false);
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this._look(this.isVisible);
  }

  protected override onActivateRequest(message: Message): void {
    super.onActivateRequest(message);
    this.node.querySelector<HTMLElement>(this._watch ? '.skiva-Back' : '.skiva-RunList')?.focus();
  }

  protected override render(): React.ReactElement {
    const { model, _actions: actions } = this;
    return (
      <>
        <div className="skiva-Hidden" role="status" aria-live="polite">
          {model.announcement}
        </div>
        {this._watch ? (
          <OneRun key={this._watch.id} model={model} watch={this._watch} actions={actions} back={this.back} />
        ) : (
          <AllRuns
            model={model}
            actions={actions}
            active={this._active}
            focused={this._returned}
            setActive={this._setActive}
            open={this.open}
            filter={this._filter}
            setFilter={this._setFilter}
          />
        )}
      </>
    );
  }

  private _setActive = (id: string): void => {
    this._active = id;
    this.update();
  };

  private _setFilter = (filter: IFilter): void => {
    this._filter = filter;
    this.update();
  };

  private _look(visible: boolean): void {
    if (visible && this._looking === null) {
      this._looking = this.model.watch();
    } else if (!visible) {
      this._looking?.dispose();
      this._looking = null;
    }
    if (this._watch) {
      this._watch.visible = visible;
    }
  }

  private _leave(): void {
    this._watch?.dispose();
    this._watch = null;
  }

  private _actions: RunActions;
  private _watch: RunWatch | null = null;
  private _active: string | null = null;
  private _filter: IFilter = { choice: 'all', text: '' };
  private _returned = false;
  private _looking: IDisposable | null = null;
}
