import React from 'react';

/** What a state looks like; shape and colour go with it. */
export type Tone = 'waiting' | 'running' | 'good' | 'stopped' | 'bad';

const SHAPES: Readonly<Record<Tone, React.ReactElement>> = {
  waiting: (
    <path d="M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13m0 1.6a4.9 4.9 0 1 1 0 9.8 4.9 4.9 0 0 1 0-9.8M7.2 4.6v4l3 1.8.8-1.3-2.2-1.3V4.6z" />
  ),
  running: (
    <path d="M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13M6.4 4.9 11.4 8l-5 3.1z" fillRule="evenodd" />
  ),
  good: (
    <path
      d="M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13M7 11.2 3.9 8.1 5 7l2 2 4-4 1.1 1.1z"
      fillRule="evenodd"
    />
  ),
  stopped: <path d="M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13M5.5 5.5h5v5h-5z" fillRule="evenodd" />,
  bad: (
    <path
      d="M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13M5.6 4.5 8 6.9l2.4-2.4 1.1 1.1L9.1 8l2.4 2.4-1.1 1.1L8 9.1l-2.4 2.4-1.1-1.1L6.9 8 4.5 5.6z"
      fillRule="evenodd"
    />
  )
};

/** A state's shape, in its colour. */
export function ToneIcon(props: { tone: Tone }): React.ReactElement {
  return (
    <svg
      className={`skiva-Tone skiva-mod-${props.tone}`}
      viewBox="0 0 16 16"
      width="16"
      height="16"
      aria-hidden="true"
    >
      {SHAPES[props.tone]}
    </svg>
  );
}
