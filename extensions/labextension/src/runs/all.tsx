import React from 'react';

import { useNow } from '../common/clock';
import { complain } from '../common/complain';
import { useReturn } from '../common/listbox';
import { Notice } from '../common/notice';
import type { RunActions } from './actions';
import { Empty } from './empty';
import { RunList } from './list';
import type { RunsModel } from './model';
import { filtered, hasFailed, isLive, type Choice } from './rows';

/** Which runs are listed. */
export interface IFilter {
  readonly choice: Choice;
  readonly text: string;
}

interface IAllProps {
  model: RunsModel;
  actions: RunActions;
  active: string | null;
  /** Whether somebody comes back to the list, with the keyboard too. */
  focused: boolean;
  setActive: (id: string) => void;
  open: (id: string) => void;
  filter: IFilter;
  setFilter: (filter: IFilter) => void;
}

const CHOICES: readonly [Choice, string][] = [
  ['all', 'All'],
  ['live', 'Live'],
  ['ended', 'Ended'],
  ['failed', 'Failed']
];

function Filter(props: {
  filter: IFilter;
  setFilter: (filter: IFilter) => void;
  live: number;
  failed: number;
}): React.ReactElement {
  const { filter, setFilter } = props;
  const counts: Partial<Record<Choice, number>> = { live: props.live, failed: props.failed };
  const toList = (event: React.KeyboardEvent<HTMLElement>) => {
    if (event.key === 'ArrowDown') {
      event.preventDefault();
      event.currentTarget.closest('.skiva-All')?.querySelector<HTMLElement>('.skiva-List')?.focus();
    }
  };
  return (
    <div className="skiva-Filter">
      <input
        type="search"
        className="jp-mod-styled"
        placeholder="Filter by name, slice, state…"
        aria-label="Filter runs"
        value={filter.text}
        onChange={event => setFilter({ ...filter, text: event.currentTarget.value })}
        onKeyDown={toList}
      />
      <div className="skiva-Choices" role="group" aria-label="Which runs">
        {CHOICES.map(([choice, label]) => (
          <button
            type="button"
            key={choice}
            className="skiva-Choice"
            aria-pressed={filter.choice === choice}
            onClick={() => setFilter({ ...filter, choice })}
          >
            {label}
            {counts[choice] ? <span className="skiva-Count">{counts[choice]}</span> : null}
          </button>
        ))}
      </div>
    </div>
  );
}

function Older(props: { model: RunsModel; searching: boolean }): React.ReactElement | null {
  const { model, searching } = props;
  const [busy, setBusy] = React.useState(false);
  if (!model.more) {
    return null;
  }
  const read = () => {
    setBusy(true);
    void model
      .older()
      .catch(complain)
      .finally(() => setBusy(false));
  };
  return (
    <div className="skiva-Older">
      {searching && (
        <p className="skiva-Quiet">{`Only the newest ${model.rows.length} runs were searched.`}</p>
      )}
      <button type="button" className="jp-mod-styled jp-mod-reject" disabled={busy} onClick={read}>
        {busy ? 'Reading…' : 'Show older'}
      </button>
    </div>
  );
}

/** What scrolls: at the top after a new filter, at the active run after coming back to it. */
function useScrolling(props: IAllProps): React.RefObject<HTMLDivElement> {
  const box = useReturn(props.focused, props.active);
  const first = React.useRef(true);
  React.useEffect(() => {
    if (!first.current) {
      box.current?.scrollTo(0, 0);
    }
    first.current = false;
  }, [box, props.filter]);
  return box;
}

/** The list in the panel, with what narrows it. */
export function AllRuns(props: IAllProps): React.ReactElement {
  const { model, filter, setFilter, active, setActive, open, actions } = props;
  const { rows } = model;
  const live = rows.filter(isLive).length;
  const now = useNow(live > 0);
  const box = useScrolling(props);
  const shown = React.useMemo(() => filtered(rows, filter.choice, filter.text), [rows, filter]);
  const narrowed = filter.choice !== 'all' || filter.text.trim() !== '';
  const failed = rows.filter(hasFailed).length;
  return (
    <section className="skiva-All" aria-label="All runs">
      <header className="skiva-PanelHeader">
        <h2>Runs</h2>
      </header>
      <Notice trouble={model.trouble} loaded={model.loaded} />
      {rows.length > 0 && <Filter filter={filter} setFilter={setFilter} live={live} failed={failed} />}
      <div className="skiva-Scrolled" ref={box}>
        {model.loaded && rows.length === 0 && <Empty />}
        {rows.length > 0 && shown.length === 0 && <p className="skiva-Quiet skiva-Padded">No run matches.</p>}
        {shown.length > 0 && <RunList {...{ model, rows: shown, now, active, setActive, open, actions }} />}
        <Older model={model} searching={narrowed} />
      </div>
    </section>
  );
}
