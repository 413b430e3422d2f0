import React from 'react';

import { useNow } from '../common/clock';
import type { ClusterActions } from './actions';
import { boundsWith, firstBounds, hintWords, isShown, requestWords, wishNow } from './requests';
import { fitting, isLiving, mostOf, type IBounds, type ICluster } from './rows';
import { count } from './words';

interface IControlProps {
  cluster: ICluster;
  actions: ClusterActions;
}

const PAUSE = 800;
const STEPS = /^(Arrow|Page|Home|End)/;

/** What a field needs to let its number go. */
interface IField {
  readonly onPointerUp: () => void;
  readonly onBlur: () => void;
  readonly onKeyDown: (event: React.KeyboardEvent) => void;
  readonly onKeyUp: (event: React.KeyboardEvent) => void;
}

type Draft = [number | null, (event: React.ChangeEvent<HTMLInputElement>) => void, IField];

/** A number that is moved about first, and sent when it is let go. */
function useDraft(send: (value: number) => void): Draft {
  const [draft, setDraft] = React.useState<number | null>(null);
  const latest = React.useRef<number | null>(null);
  const timer = React.useRef(0);
  const set = (value: number | null) => {
    window.clearTimeout(timer.current);
    latest.current = value;
    setDraft(value);
  };
  const letGo = () => {
    const value = latest.current;
    set(null);
    if (value !== null && Number.isFinite(value)) {
      send(value);
    }
  };
  const onKeyDown = (event: React.KeyboardEvent) => {
    if (event.key === 'Enter') {
      letGo();
    } else if (event.key === 'Escape' && latest.current !== null) {
      // The panel is not left by it.
      event.preventDefault();
      event.stopPropagation();
      set(null);
    }
  };
  const onKeyUp = (event: React.KeyboardEvent) => {
    if (STEPS.test(event.key) && latest.current !== null) {
      window.clearTimeout(timer.current);
      timer.current = window.setTimeout(letGo, PAUSE);
    }
  };
  React.useEffect(() => () => window.clearTimeout(timer.current), []);
  const change = (event: React.ChangeEvent<HTMLInputElement>) => set(event.currentTarget.valueAsNumber);
  return [draft, change, { onPointerUp: letGo, onBlur: letGo, onKeyDown, onKeyUp }];
}

/** How many workers: a slider and a number, asked for when they are let go. */
function Fixed(props: IControlProps): React.ReactElement {
  const { cluster, actions } = props;
  const { per_job: perJob, workers } = cluster;
  const most = mostOf(cluster);
  const step = Math.max(1, perJob);
  const [draft, change, field] = useDraft(value => void actions.scale(cluster, fitting(value, perJob, most)));
  const wish = wishNow(actions.request(cluster.id), cluster);
  const value = draft ?? ('workers' in wish ? wish.workers : workers.wanted);
  const shared = { min: 0, max: most, step, disabled: most === 0, onChange: change, ...field };
  const jobs = step > 1 && value > 0 ? ` in ${count(Math.ceil(value / step), 'job')}` : '';
  return (
    <>
      <div className="skiva-Slider">
        <input
          type="range"
          aria-label="Workers"
          aria-valuetext={`${count(value, 'worker')}${jobs} of at most ${most}`}
          value={Number.isNaN(value) ? workers.wanted : value}
          {...shared}
        />
        <input
          type="number"
          className="jp-mod-styled"
          aria-label="Number of workers"
          value={Number.isNaN(value) ? '' : value}
          {...shared}
        />
      </div>
      <p className="skiva-Quiet">{hintWords(cluster, draft)}</p>
    </>
  );
}

/** Between how many workers it adapts. */
function Bounds(props: IControlProps): React.ReactElement {
  const { cluster, actions } = props;
  const { per_job: perJob } = cluster;
  const wish = wishNow(actions.request(cluster.id), cluster);
  const now = 'minimum' in wish ? wish : { minimum: 0, maximum: 0 };
  const { minimum, maximum } = now;
  const most = Math.max(mostOf(cluster), maximum);
  const set = (change: Partial<IBounds>) => void actions.adapt(cluster, boundsWith(cluster, now, change));
  const low = useDraft(value => set({ minimum: value }));
  const high = useDraft(value => set({ maximum: value }));
  const field = (name: string, value: number, [draft, change, letGo]: Draft) => (
    <label>
      <span>{name}</span>
      <input
        type="number"
        className="jp-mod-styled"
        min={0}
        max={most}
        step={Math.max(1, perJob)}
        value={draft === null ? value : Number.isNaN(draft) ? '' : draft}
        onChange={change}
        {...letGo}
      />
    </label>
  );
  return (
    <div className="skiva-Bounds">
      {field('Minimum', minimum, low)}
      {field('Maximum', maximum, high)}
    </div>
  );
}

/** What was asked last, while it is news, with the way back. */
function Pending(props: IControlProps): React.ReactElement | null {
  const { cluster, actions } = props;
  const request = actions.request(cluster.id);
  const now = useNow(request !== null);
  const shown = request !== null && isShown(request, cluster, now);
  return (
    <div className="skiva-Pending" role="status">
      {shown && <span>{requestWords(request, cluster)}</span>}
      {shown && request.heard && (
        <button type="button" className="skiva-Link" onClick={() => void actions.undo(cluster)}>
          Undo
        </button>
      )}
    </div>
  );
}

/** How many workers it has: a number, or as many as its work needs. */
export function Scale(props: IControlProps): React.ReactElement | null {
  const { cluster, actions } = props;
  if (!isLiving(cluster) || cluster.state === 'closing') {
    return null;
  }
  const { workers } = cluster;
  const adapts = 'minimum' in wishNow(actions.request(cluster.id), cluster);
  const toggle = (on: boolean) => {
    void (on ? actions.adapt(cluster, firstBounds(cluster)) : actions.scale(cluster, workers.wanted));
  };
  return (
    <fieldset className="skiva-Scale">
      <legend>Scale</legend>
      {adapts ? <Bounds {...props} /> : <Fixed {...props} />}
      <label className="skiva-Check">
        <input type="checkbox" checked={adapts} onChange={event => toggle(event.currentTarget.checked)} />
        <span>Adapt to the work</span>
      </label>
      <Pending {...props} />
    </fieldset>
  );
}
