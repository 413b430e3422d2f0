import React from 'react';

import { ListBox, Option } from '../common/listbox';
import { ToneIcon } from '../common/tone';
import { whenWords } from '../common/words';
import type { RunActions } from './actions';
import type { RunsModel } from './model';
import { isLive, shareOf, tone, type IRow } from './rows';
import { cornerWords, lineWords, spokenRow, stateWords } from './words';

interface IRowProps {
  row: IRow;
  /** Ended runs are not drawn again each second. */
  now: number;
  left: number | null;
  active: boolean;
  open: (id: string) => void;
}

const Row = React.memo(function Row(props: IRowProps): React.ReactElement {
  const { row, now, left, active } = props;
  const far = row.life === 'running' ? shareOf(row) : null;
  return (
    <Option
      id={row.id}
      active={active}
      spoken={spokenRow(row, now, left)}
      title={`${row.name} · ${row.slice_title || row.slice}\n${stateWords(row.state)} · ${whenWords(row.created, now)}\n${row.sentence}`}
      open={() => props.open(row.id)}
    >
      <ToneIcon tone={tone(row.state)} />
      <span className="skiva-RowName">{row.name}</span>
      <span className="skiva-RowCorner">{cornerWords(row, now)}</span>
      <span className="skiva-RowLine">{lineWords(row, now, left)}</span>
      {far !== null && (
        <span className="skiva-RowBar">
          <span style={{ width: `${far * 100}%` }} />
        </span>
      )}
    </Option>
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

/** The runs, one below the other: arrows move, Enter opens, Delete cancels or removes. */
export function RunList(props: IListProps): React.ReactElement {
  const { model, rows, now, active, setActive, open, actions } = props;
  const today = Math.floor(now / 3600) * 3600;
  return (
    <ListBox label="Runs, the newest first" end={actions.end} {...{ rows, active, setActive, open }}>
      {rows.map(row => (
        <Row
          key={row.id}
          row={row}
          now={isLive(row) ? now : today}
          left={isLive(row) ? model.left(row) : null}
          active={row.id === active}
          open={open}
        />
      ))}
    </ListBox>
  );
}
