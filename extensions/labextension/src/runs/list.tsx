import React from 'react';

import type { RunActions } from './actions';
import { ToneIcon } from './icons';
import type { RunsModel } from './model';
import { isLive, shareOf, tone, type IRow } from './rows';
import { cornerWords, lineWords, spokenRow, stateWords, whenWords } from './words';

interface IRowProps {
  row: IRow;
  /** Ended runs are not drawn again each second. */
  now: number;
  left: number | null;
  active: boolean;
  open: (id: string) => void;
}

/** Where an option is, for the list that says which is the active one. */
export function optionId(id: string): string {
  return `skiva-run-${id}`;
}

const Row = React.memo(function Row(props: IRowProps): React.ReactElement {
  const { row, now, left, active } = props;
  const far = row.life === 'running' ? shareOf(row) : null;
  return (
    <li
      id={optionId(row.id)}
      role="option"
      className={`skiva-Run${active ? ' skiva-mod-active' : ''}`}
      aria-selected={active}
      aria-label={spokenRow(row, now, left)}
      title={`${row.name} · ${row.slice_title || row.slice}\n${stateWords(row.state)} · ${whenWords(row.created, now)}\n${row.sentence}`}
      onClick={() => props.open(row.id)}
    >
      <ToneIcon tone={tone(row.state)} />
      <span className="skiva-RunName">{row.name}</span>
      <span className="skiva-RunCorner">{cornerWords(row, now)}</span>
      <span className="skiva-RunLine">{lineWords(row, now, left)}</span>
      {far !== null && (
        <span className="skiva-RunBar">
          <span style={{ width: `${far * 100}%` }} />
        </span>
      )}
    </li>
  );
});

interface IListProps {
  model: RunsModel;
  rows: readonly IRow[];
  now: number;
  active: string | null;
  setActive: (id: string) => void;
  open: (id: string) => void;
  actions: RunActions;
}

const STEP = 10;

/** Which row a key goes to. */
function target(key: string, at: number, count: number): number | null {
  const moves: Readonly<Record<string, number>> = {
    ArrowDown: at + 1,
    ArrowUp: at < 0 ? count - 1 : at - 1,
    PageDown: at + STEP,
    PageUp: at - STEP,
    Home: 0,
    End: count - 1
  };
  const next = moves[key];
  return next === undefined || !count ? null : Math.min(count - 1, Math.max(0, next));
}

/** The runs, one below the other: arrows move, Enter opens, Delete cancels or removes. */
export function RunList(props: IListProps): React.ReactElement {
  const { model, rows, now, active, actions } = props;
  const at = rows.findIndex(row => row.id === active);
  const today = Math.floor(now / 3600) * 3600;
  const onKey = (event: React.KeyboardEvent) => {
    const next = target(event.key, at, rows.length);
    const row = rows[at];
    if (next !== null) {
      const id = rows[next]?.id ?? '';
      props.setActive(id);
      document.getElementById(optionId(id))?.scrollIntoView({ block: 'nearest' });
    } else if (row && (event.key === 'Enter' || event.key === ' ')) {
      props.open(row.id);
    } else if (row && event.key === 'Delete') {
      props.setActive((rows[at + 1] ?? rows[at - 1] ?? row).id);
      void actions.end(row);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <ul
      className="skiva-RunList"
      role="listbox"
      aria-label="Runs, the newest first"
      tabIndex={0}
      aria-activedescendant={at >= 0 ? optionId(rows[at]!.id) : undefined}
      onKeyDown={onKey}
      onFocus={() => at < 0 && rows[0] && props.setActive(rows[0].id)}
    >
      {rows.map(row => (
        <Row
          key={row.id}
          row={row}
          now={isLive(row) ? now : today}
          left={isLive(row) ? model.left(row) : null}
          active={row.id === active}
          open={props.open}
        />
      ))}
    </ul>
  );
}
