import React from 'react';

/** A button of a `Buttons` row: its label, what it does, and whether it is the one to press first. */
export interface IButton {
  readonly label: string;
  readonly press: () => unknown;
  readonly first?: boolean;
}

/** What can be done with something; while one of them is done the others wait. Keys stay where they were. */
export function Buttons(props: {
  buttons: readonly (IButton | false)[];
  children?: React.ReactNode;
}): React.ReactElement {
  const [busy, setBusy] = React.useState(false);
  const row = React.useRef<HTMLDivElement>(null);
  const focused = React.useRef(false);
  React.useEffect(() => {
    // The button that was pressed has gone, with what it could do.
    if (focused.current && document.activeElement === document.body) {
      row.current?.focus();
    }
  });
  const known = props.buttons.filter((one): one is IButton => one !== false);
  const button = ({ label, press, first = false }: IButton) => (
    <button
      type="button"
      key={label}
      className={`jp-mod-styled ${first ? 'jp-mod-accept' : 'jp-mod-reject'}`}
      aria-disabled={busy}
      onClick={() => {
        if (!busy) {
          setBusy(true);
          void Promise.resolve(press()).finally(() => setBusy(false));
        }
      }}
    >
      {label}
    </button>
  );
  return (
    <div
      ref={row}
      className="skiva-Buttons"
      role="group"
      aria-label="Actions"
      tabIndex={-1}
      onFocus={() => (focused.current = true)}
      onBlur={() => (focused.current = false)}
    >
      {known.filter(one => one.first).map(button)}
      {props.children}
      {known.filter(one => !one.first).map(button)}
    </div>
  );
}
