import React from 'react';

import { target } from './keys';

/** One option of the list. */
export interface IOption {
  readonly id: string;
}

interface IOptionProps {
  id: string;
  active: boolean;
  /** What a screen reader says. */
  spoken: string;
  title: string;
  open: () => void;
  children: React.ReactNode;
}

/** A row: two lines and a corner, with a shape before them. */
export function Option(props: IOptionProps): React.ReactElement {
  const { active } = props;
  return (
    <li
      id={optionId(props.id)}
      role="option"
      className={`skiva-Row${active ? ' skiva-mod-active' : ''}`}
      aria-selected={active}
      aria-label={props.spoken}
      title={props.title}
      onClick={props.open}
    >
      {props.children}
    </li>
  );
}

/** Where an option is, for the list that says which is the active one. */
export function optionId(id: string): string {
  return `skiva-option-${id}`;
}

interface IListBoxProps<T extends IOption> {
  label: string;
  rows: readonly T[];
  active: string | null;
  setActive: (id: string) => void;
  open: (id: string) => void;
  /** The key *Delete*. */
  end: (row: T) => unknown;
  children: React.ReactNode;
}

/** Rows one below the other: arrows move, Enter opens, Delete ends. */
export function ListBox<T extends IOption>(props: IListBoxProps<T>): React.ReactElement {
  const { rows, active } = props;
  const at = rows.findIndex(row => row.id === active);
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
      void props.end(row);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <ul
      className="skiva-List"
      role="listbox"
      aria-label={props.label}
      tabIndex={0}
      aria-activedescendant={rows[at] && optionId(rows[at].id)}
      onKeyDown={onKey}
      onFocus={() => at < 0 && rows[0] && props.setActive(rows[0].id)}
    >
      {props.children}
    </ul>
  );
}

/** What scrolls around a list: at the active row after coming back to it. */
export function useReturn(focused: boolean, active: string | null): React.RefObject<HTMLDivElement> {
  const box = React.useRef<HTMLDivElement>(null);
  React.useEffect(() => {
    if (focused) {
      box.current?.querySelector<HTMLElement>('.skiva-List')?.focus({ preventScroll: true });
      document.getElementById(optionId(active ?? ''))?.scrollIntoView({ block: 'nearest' });
    }
    // eslint-disable-next-line react-hooks/exhaustive-deps -- only when the list appears
  }, []);
  return box;
}
