import React from 'react';

import { OnePage } from '../common/one';
import { ListPanel } from '../common/panel';
import type { RunActions } from './actions';
import { AllRuns, type IFilter } from './all';
import { RunDetail } from './detail';
import { runsIcon } from './icons';
import type { RunsModel } from './model';
import { RunWatch } from './watch';

/** The side panel *Runs*: the list, or one run of it. */
export class RunsPanel extends ListPanel<RunsModel, RunWatch> {
  constructor(model: RunsModel, actions: RunActions) {
    super(model, 'skiva-runs', 'Runs', runsIcon);
    this._actions = actions;
  }

  protected watchOne(id: string): RunWatch {
    return new RunWatch(id, this.model);
  }

  protected one(watch: RunWatch): React.ReactElement {
    const { model, _actions: actions, back } = this;
    return (
      <OnePage key={watch.id} title="Runs" watch={watch} back={back} end={row => actions.end(row)}>
        <RunDetail model={model} watch={watch} actions={actions} card={false} />
      </OnePage>
    );
  }

  protected list(): React.ReactElement {
    return (
      <AllRuns
        model={this.model}
        actions={this._actions}
        active={this.active}
        focused={this.returned}
        setActive={this.setActive}
        open={this.open}
        filter={this._filter}
        setFilter={this._setFilter}
      />
    );
  }

  private _setFilter = (filter: IFilter): void => {
    this._filter = filter;
    this.update();
  };

  private _actions: RunActions;
  private _filter: IFilter = { choice: 'all', text: '' };
}
