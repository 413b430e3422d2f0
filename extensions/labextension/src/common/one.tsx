import React from 'react';

interface IOneProps {
  name: string;
  /** What the list is called. */
  list: string;
  back: () => void;
  /** The key *Delete*; null where there is nothing to end. */
  end: (() => unknown) | null;
  /** Whether it is not there any more. */
  gone: boolean;
  children: React.ReactNode;
}

/** One thing of a panel's list: Escape goes back to the list, Delete ends it. */
export function OnePage(props: IOneProps): React.ReactElement {
  const { name, list, gone, end } = props;
  React.useEffect(() => {
    if (gone) {
      props.back();
    }
  }, [gone]);
  const back = React.useRef<HTMLButtonElement>(null);
  React.useEffect(() => back.current?.focus(), []);
  const onKey = (event: React.KeyboardEvent) => {
    // In a field these keys are the field's own.
    const typing = event.target instanceof HTMLInputElement && event.target.type !== 'range';
    if (event.key === 'Escape' && !event.defaultPrevented) {
      props.back();
    } else if (event.key === 'Delete' && end && !typing) {
      void end();
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
          onClick={props.back}
          aria-label={`Back to all ${list.toLowerCase()}`}
        >
          {`‹ ${list}`}
        </button>
      </header>
      <div className="skiva-Scrolled">
        <h3 className="skiva-OneName">{name}</h3>
        {props.children}
      </div>
    </section>
  );
}
