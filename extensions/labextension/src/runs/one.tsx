import React from 'react';

import { useSignal } from '../common/clock';
import { OnePage } from '../common/one';
import type { RunActions } from './actions';
import { RunDetail } from './detail';
import type { RunsModel } from './model';
import type { RunWatch } from './watch';

interface IOneProps {
  model: RunsModel;
  watch: RunWatch;
  actions: RunActions;
  back: () => void;
}

/** One run in the panel: Escape goes back to the list, Delete cancels or removes it. */
export function OneRun(props: IOneProps): React.ReactElement {
  const { model, watch, actions } = props;
  useSignal(watch.stateChanged);
  const row = watch.row;
  return (
    <OnePage
      name={row?.name ?? watch.id}
      list="Runs"
      back={props.back}
      end={row && (() => actions.end(row))}
      gone={model.isGone(watch.id)}
    >
      {watch.missing && <p className="skiva-Trouble">{watch.trouble}</p>}
      {!row && !watch.missing && <p className="skiva-Quiet">{watch.trouble || 'Reading…'}</p>}
      <RunDetail model={model} watch={watch} actions={actions} card={false} />
    </OnePage>
  );
}
