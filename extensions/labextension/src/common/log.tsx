import React from 'react';

import { coloured, lastLines, type ISpan } from './ansi';
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

interface ILinesProps {
  text: string;
  label: string;
}

/** Lines in a box that stays at its end while they grow, unless somebody reads further up. */
function Lines(props: ILinesProps): React.ReactElement {
  const box = React.useRef<HTMLPreElement>(null);
  const atEnd = React.useRef(true);
  const lines = React.useMemo(() => coloured(props.text), [props.text]);
  React.useLayoutEffect(() => {
    if (box.current && atEnd.current) {
      box.current.scrollTop = box.current.scrollHeight;
    }
  }, [lines]);
  const onScroll = (event: React.UIEvent) => {
    const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
    atEnd.current = scrollTop + clientHeight > scrollHeight - 8;
  };
  return (
    <div className="jp-RenderedText skiva-LogBox">
      <pre ref={box} role="log" aria-live="off" aria-label={props.label} tabIndex={0} onScroll={onScroll}>
        {lines.map((spans, index) => (
          <React.Fragment key={index}>
            {spans.map(pieceOf)}
            {'\n'}
          </React.Fragment>
        ))}
      </pre>
    </div>
  );
}

function pieceOf({ text, style }: ISpan, place: number): React.ReactNode {
  return style ? (
    <span key={place} className={style}>
      {text}
    </span>
  ) : (
    text
  );
}

/** A log, first its last lines. */
export function Log(props: ILogProps): React.ReactElement {
  const { text, before, size, live } = props;
  const [all, setAll] = React.useState(false);
  const shown = React.useMemo(
    () => lastLines(text, all ? MOST_LINES : props.lines),
    [text, all, props.lines]
  );
  if (!text) {
    return <p className="skiva-Quiet">{live ? 'Nothing was printed yet.' : 'Nothing was printed.'}</p>;
  }
  const showAll = () => {
    setAll(true);
    if (before > 0) {
      void props.readAll().catch(() => undefined);
    }
  };
  const lines = `${shown.before} line${shown.before === 1 ? '' : 's'}`;
  return (
    <div className="skiva-Log">
      {(before > 0 || (!all && shown.before > 0)) && (
        <button type="button" className="skiva-Link" onClick={showAll}>
          {before > 0 ? `Show the whole log (${sizeWords(size)})` : `Show ${lines} before`}
        </button>
      )}
      {all && before === 0 && shown.before > 0 && (
        <p className="skiva-Quiet">{`${lines} before are in the log’s file.`}</p>
      )}
      <Lines text={shown.text} label={props.label} />
    </div>
  );
}
