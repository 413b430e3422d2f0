import React from 'react';

/** A button of a `Buttons` row: its label, what it does, and whether it is the one to press first. */
export interface IButton {
  readonly label: string;
  readonly press: () => unknown;
  readonly first?: boolean;
}

/** What can be done with something; while one of them is done the others wait. */
export function Buttons(props: {
  buttons: readonly (IButton | false)[];
  children?: React.ReactNode;
}): React.ReactElement {
  const [busy, setBusy] = React.useState(false);
  const known = props.buttons.filter((one): one is IButton => one !== false);
  const button = ({ label, press, first = false }: IButton) => (
    <button
      type="button"
      key={label}
      className={`jp-mod-styled ${first ? 'jp-mod-accept' : 'jp-mod-reject'}`}
      disabled={busy}
      onClick={() => {
        setBusy(true);
        void Promise.resolve(press()).finally(() => setBusy(false));
      }}
    >
      {label}
    </button>
  );
  return (
    <div className="skiva-Buttons">
      {known.filter(one => one.first).map(button)}
      {props.children}
      {known.filter(one => !one.first).map(button)}
    </div>
  );
}
