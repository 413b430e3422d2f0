import React from 'react';

import type { RunActions } from './actions';
import { useSignal } from './clock';
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
  const { watch, actions } = props;
  useSignal(watch.stateChanged);
  const row = watch.row;
  const gone = props.model.isGone(watch.id);
  React.useEffect(() => {
    if (gone) {
      props.back();
    }
  }, [gone]);
  const back = React.useRef<HTMLButtonElement>(null);
  React.useEffect(() => back.current?.focus(), []);
  const onKey = (event: React.KeyboardEvent) => {
    if (event.key === 'Escape') {
      props.back();
    } else if (event.key === 'Delete' && row) {
      void actions.end(row);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <section className="skiva-OneRun" aria-label={row?.name ?? watch.id} onKeyDown={onKey}>
      <header className="skiva-RunsHeader">
        <button
          type="button"
          ref={back}
          className="skiva-Back"
          onClick={props.back}
          aria-label="Back to all runs"
        >
          ‹ Runs
        </button>
      </header>
      <div className="skiva-Scrolled">
        <h3 className="skiva-OneName">{row?.name ?? watch.id}</h3>
        {watch.missing && <p className="skiva-Trouble">{watch.trouble}</p>}
        {!row && !watch.missing && <p className="skiva-Quiet">{watch.trouble || 'Reading…'}</p>}
        <RunDetail model={props.model} watch={watch} actions={actions} card={false} />
      </div>
    </section>
  );
}
