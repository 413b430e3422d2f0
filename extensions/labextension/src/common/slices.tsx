import React from 'react';

/** One slice that jobs can be sent to. */
export interface IOfferedSlice {
  readonly id: string;
  readonly title: string;
  readonly simulated: boolean;
  readonly isolation: string;
  readonly free: number | null;
  readonly total: number | null;
  readonly waiting: number | null;
  readonly status: string;
}

/** How many of a slice could start now. */
function freeWords(slice: IOfferedSlice): string {
  if (slice.free === null) {
    return slice.status || 'not known how many are free';
  }
  const of = slice.total === null ? '' : ` of ${slice.total}`;
  const waiting = slice.waiting ? `, ${slice.waiting} waiting` : '';
  return slice.free > 0 ? `${slice.free}${of} free${waiting}` : `all in use${waiting}`;
}

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
      <span className="skiva-Quiet">
        {[freeWords(slice), slice.isolation === 'shared' && 'shared', slice.simulated && 'simulated']
          .filter(Boolean)
          .join(' · ')}
      </span>
    </label>
  );
}

/** The slice that is chosen at first: the one of before, else one that is free. */
export function firstChoice(slices: readonly IOfferedSlice[], before: string): string {
  const free = slices.find(slice => (slice.free ?? 0) > 0);
  return slices.find(({ id }) => id === before)?.id ?? (free ?? slices[0])?.id ?? '';
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
