import React from 'react';

/** Why a list may be old, or not there yet. */
export function Notice(props: { trouble: string; loaded: boolean }): React.ReactElement | null {
  const { trouble, loaded } = props;
  if (trouble) {
    const old = loaded ? ' The list is as it was last told.' : '';
    return <p className="skiva-Trouble" role="status">{`${trouble}${old}`}</p>;
  }
  return loaded ? null : <p className="skiva-Quiet skiva-Padded">Reading…</p>;
}
