import React from 'react';

import { sliceWords, type IOfferedSlice } from './choices';

function Slice(props: { slice: IOfferedSlice; chosen: boolean; choose: () => void }): React.ReactElement {
  const { slice, chosen } = props;
  return (
    <label className={`skiva-Slice${chosen ? ' skiva-mod-chosen' : ''}`}>
      <input
        type="radio"
        name="skiva-slice"
        value={slice.id}
        checked={chosen}
        onChange={props.choose}
        required
      />
      <span className="skiva-SliceTitle">{slice.title}</span>
      <span className="skiva-Quiet">{sliceWords(slice)}</span>
    </label>
  );
}

/** The slices of an offer, one to be chosen; `slices` is null before they are known. */
export function Slices(props: {
  slices: readonly IOfferedSlice[] | null;
  trouble: string;
  chosen: string;
  choose: (slice: string) => void;
}): React.ReactElement {
  const { slices, trouble, chosen } = props;
  return (
    <fieldset className="skiva-Slices">
      <legend>Slice</legend>
      {!slices && <p className="skiva-Quiet">Reading what is free…</p>}
      {trouble && <p className="skiva-Trouble">{trouble}</p>}
      {slices?.map(slice => (
        <Slice
          key={slice.id}
          slice={slice}
          chosen={slice.id === chosen}
          choose={() => props.choose(slice.id)}
        />
      ))}
    </fieldset>
  );
}
