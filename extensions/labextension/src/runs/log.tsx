import React from 'react';

import { coloured, lastLines } from './ansi';
import { sizeWords } from './words';

interface ILogProps {
  text: string;
  /** Bytes that come before, and of all. */
  before: number;
  size: number;
  /** Lines shown at first. */
  lines: number;
  /** Whether more may come. */
  live: boolean;
  label: string;
  /** Read what comes before. */
  readAll: () => Promise<void>;
}

const MOST_LINES = 5000;

/** A log that stays at its end while it grows, unless somebody reads further up. */
export function Log(props: ILogProps): React.ReactElement | null {
  const { text, before, size, live } = props;
  const [all, setAll] = React.useState(false);
  const box = React.useRef<HTMLPreElement>(null);
  const atEnd = React.useRef(true);
  const shown = React.useMemo(() => lastLines(text, all ? MOST_LINES : props.lines), [text, all, props.lines]);
  const lines = React.useMemo(() => coloured(shown.text), [shown.text]);
  React.useLayoutEffect(() => {
    if (box.current && atEnd.current) {
      box.current.scrollTop = box.current.scrollHeight;
    }
  }, [lines]);
  const hidden = shown.before > 0 || before > 0;
  const more = async () => {
    if (!all) {
      setAll(true);
    }
    if (before > 0) {
      await props.readAll().catch(() => undefined);
    }
  };
  if (!text) {
    return <p className="skiva-Quiet">{live ? 'Nothing was printed yet.' : 'Nothing was printed.'}</p>;
  }
  return (
    <div className="skiva-Log">
      {hidden && (!all || before > 0) && (
        <button type="button" className="skiva-Link" onClick={() => void more()}>
          {before > 0 ? `Show the whole log (${sizeWords(size)})` : `Show all ${shown.before} lines before`}
        </button>
      )}
      {hidden && all && before === 0 && <p className="skiva-Quiet">{`${shown.before} lines before are in the log’s file.`}</p>}
      <div className="jp-RenderedText skiva-LogBox">
        <pre
          ref={box}
          role="log"
          aria-live="off"
          aria-label={props.label}
          tabIndex={0}
          onScroll={event => {
            const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
            atEnd.current = scrollTop + clientHeight > scrollHeight - 8;
          }}
        >
          {lines.map((spans, index) => (
            <React.Fragment key={index}>
              {spans.map((span, place) =>
                span.style ? (
                  <span key={place} className={span.style}>
                    {span.text}
                  </span>
                ) : (
                  span.text
                )
              )}
              {'\n'}
            </React.Fragment>
          ))}
        </pre>
      </div>
    </div>
  );
}
