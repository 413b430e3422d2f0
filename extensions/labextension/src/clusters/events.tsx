import React from 'react';

import { whenWords } from '../common/words';
import { lastDeath, latestFirst, type IEvent } from './rows';

interface IEventProps {
  event: IEvent;
  now: number;
  /** Whether its lines are shown at once. */
  open: boolean;
}

const FIRST = 5;

function Event(props: IEventProps): React.ReactElement {
  const { event, now, open } = props;
  const [{ opened, was }, setOpened] = React.useState({ opened: open, was: open });
  if (was !== open) {
    setOpened({ opened: open, was: open });
  }
  const line = (
    <>
      <span className="skiva-Quiet skiva-Number">{whenWords(event.at, now)}</span> <span>{event.text}</span>
    </>
  );
  return (
    <li className={`skiva-Event skiva-mod-${event.level}`}>
      {event.lines.length ? (
        <details
          className="skiva-Facts"
          open={opened}
          onToggle={toggled => setOpened({ opened: toggled.currentTarget.open, was })}
        >
          <summary>{line}</summary>
          <pre tabIndex={0} aria-label="Last lines of its log">
            {event.lines.join('\n')}
          </pre>
        </details>
      ) : (
        line
      )}
    </li>
  );
}

/** What happened, the latest first; the last lines of a worker that died are shown at once. */
export function Events(props: { events: readonly IEvent[]; now: number }): React.ReactElement | null {
  const { events, now } = props;
  const [all, setAll] = React.useState(false);
  if (!events.length) {
    return null;
  }
  const ordered = latestFirst(events);
  const death = lastDeath(events);
  const shown = all ? ordered : ordered.filter((event, index) => index < FIRST || event === death);
  return (
    <section aria-label="What happened">
      <h4>What happened</h4>
      <ul className="skiva-Events">
        {shown.map(event => (
          <Event key={`${event.at} ${event.text}`} event={event} now={now} open={event === death} />
        ))}
      </ul>
      {ordered.length > shown.length && (
        <button type="button" className="skiva-Link" onClick={() => setAll(true)}>
          {`Show ${ordered.length - shown.length} earlier`}
        </button>
      )}
    </section>
  );
}
