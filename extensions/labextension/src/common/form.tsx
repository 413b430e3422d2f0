import { ReactWidget } from '@jupyterlab/ui-components';
import React from 'react';

/** What somebody chose last time, kept by the browser. */
export function remembered(key: string): Readonly<Record<string, string>> {
  try {
    return (JSON.parse(window.localStorage.getItem(key) ?? '{}') as Record<string, string> | null) ?? {};
  } catch {
    return {};
  }
}

/** Keep it for the next time. */
export function remember(key: string, values: Readonly<Record<string, string>>): void {
  window.localStorage.setItem(key, JSON.stringify(values));
}

/** One field with its name above it, and below it why the browser does not take what was typed. */
export function Field(
  props: { label: string; type: 'text' | 'number'; change: (text: string) => void } & Omit<
    React.InputHTMLAttributes<HTMLInputElement>,
    'type' | 'onChange'
  >
): React.ReactElement {
  const { label, change, ...more } = props;
  const [wrong, setWrong] = React.useState('');
  const [typed, setTyped] = React.useState(false);
  const input = React.useRef<HTMLInputElement>(null);
  // What is allowed may have changed with another field.
  // eslint-disable-next-line react-hooks/exhaustive-deps -- the same sentence again draws nothing
  React.useEffect(() => setWrong(input.current?.validationMessage ?? ''));
  return (
    <div>
      <label className="skiva-Field">
        <span>{label}</span>
        <input
          ref={input}
          className="jp-mod-styled"
          aria-invalid={wrong !== ''}
          onChange={event => {
            setTyped(true);
            change(event.currentTarget.value);
          }}
          {...more}
        />
      </label>
      <p className="skiva-Wrong" role="status">
        {(typed || more.value !== '') && wrong}
      </p>
    </div>
  );
}

/** A form in a dialog: its fields are drawn by `fields`, what is said of them below. */
export abstract class FormWidget<S> extends ReactWidget {
  constructor(state: S) {
    super();
    this.state = state;
    this.addClass('skiva-Form');
  }

  /** A sentence below the fields; `bad` when something must be changed. */
  say(text: string, bad: boolean): void {
    this._said = { text, bad };
    this.update();
  }

  /** While it is being sent nothing can be changed. */
  set busy(busy: boolean) {
    this._busy = busy;
    this.update();
  }

  /** Whether it is being sent. */
  get busy(): boolean {
    return this._busy;
  }

  /** What was typed and chosen. */
  protected state: S;

  protected abstract fields(): React.ReactNode;

  protected change(change: Partial<S>): void {
    this.state = { ...this.state, ...change };
    if (this._said.bad) {
      this._said = { text: '', bad: false };
    }
    this.update();
  }

  protected override render(): React.ReactElement {
    const said = this._said.text;
    return (
      <fieldset disabled={this._busy}>
        {this.fields()}
        {said && (
          <div className={this._said.bad ? 'skiva-Trouble skiva-Told' : 'skiva-Told'} role="alert">
            {said}
          </div>
        )}
      </fieldset>
    );
  }

  private _said = { text: '', bad: false };
  private _busy = false;
}
