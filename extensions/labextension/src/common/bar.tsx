import React from 'react';

/** How far something is; `share` is between 0 and 1, or null where nobody knows. */
export function ProgressBar(props: { share: number | null; label: string }): React.ReactElement {
  const { share, label } = props;
  const known = share === null ? {} : { 'aria-valuenow': Math.floor(share * 100) };
  return (
    <div
      className={`skiva-Bar${share === null ? ' skiva-mod-unknown' : ''}`}
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      {...known}
    >
      <span style={share === null ? undefined : { width: `${share * 100}%` }} />
    </div>
  );
}
