import React from 'react';

import { useSignal } from './clock';
import type { INamed, PolledList } from './polled';
import type { Watched } from './watched';

interface IOneProps<Row extends INamed> {
  watch: Watched<Row, PolledList<Row>>;
  /** What the list is called. */
  title: string;
  back: () => void;
  /** The key *Delete*. */
  end: (row: Row) => unknown;
  children: React.ReactNode;
}

/** Why nothing is shown of something; nothing where it is known. */
export function Unread(props: { watch: Watched<INamed, PolledList<INamed>> }): React.ReactElement | null {
  const { row, missing, trouble } = props.watch;
  if (missing) {
    return <p className="skiva-Trouble">{trouble}</p>;
  }
  return row ? null : <p className="skiva-Quiet">{trouble || 'Reading…'}</p>;
}

/** One thing of a panel's list: Escape goes back to the list, Delete ends it. */
export function OnePage<Row extends INamed & { readonly name: string }>(
  props: IOneProps<Row>
): React.ReactElement {
  const { watch, title, back: leave } = props;
  useSignal(watch.stateChanged);
  const { row, gone } = watch;
  const name = row?.name ?? watch.id;
  React.useEffect(() => {
    if (gone) {
      leave();
    }
  }, [gone, leave]);
  const back = React.useRef<HTMLButtonElement>(null);
  React.useEffect(() => back.current?.focus(), []);
  const onKey = (event: React.KeyboardEvent) => {
    // In a field these keys are the field's own.
    const typing = event.target instanceof HTMLInputElement && event.target.type !== 'range';
    if (event.key === 'Escape' && !event.defaultPrevented) {
      leave();
    } else if (event.key === 'Delete' && row && !typing) {
      void props.end(row);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <section className="skiva-One" aria-label={name} onKeyDown={onKey}>
      <header className="skiva-PanelHeader">
        <button
          type="button"
          ref={back}
          className="skiva-Back"
          onClick={leave}
          aria-label={`Back to all ${title.toLowerCase()}`}
        >
          {`‹ ${title}`}
        </button>
      </header>
      <div className="skiva-Scrolled">
        <h3 className="skiva-OneName">{name}</h3>
        <Unread watch={watch} />
        {props.children}
      </div>
    </section>
  );
}
