// Runs and clusters as a server tells them.

/** Seconds since 1970. */
export const NOW = 1_795_300_000;
export const NONE = { wanted: 0, ready: 0, starting: 0, queued: 0, leaving: 0 };
export const IDLE = { processing: 0, waiting: 0, queued: 0, memory: 0, erred: 0 };
export const FULL = { ...NONE, wanted: 4, ready: 4 };

/** A cluster that has all that it wants, but for these. */
export function cluster(values) {
  return {
    id: '261122-aaaaaaaa',
    name: 'search',
    slice: '1g.10gb',
    slice_title: 'MIG 1g.10gb',
    simulated: false,
    cuda: false,
    detached: true,
    created: NOW - 60,
    ends: NOW + 3600,
    at: NOW,
    state: 'running',
    sentence: 'Running.',
    action: '',
    workers: FULL,
    per_job: 1,
    threads: 1,
    memory: { used: 0, limit: 0 },
    tasks: IDLE,
    adapt: null,
    most_workers: 16,
    jobs: [],
    events: [],
    pages: [],
    ...values
  };
}

/** A worker job that waits. */
export function job(values) {
  return {
    name: '261122-aaaaaaaa-1-0',
    job_id: '12_0',
    state: 'queued',
    reason: 'All are in use.',
    action: '',
    expected: null,
    node: '',
    since: null,
    ends: null,
    ready: 0,
    workers: 1,
    ...values
  };
}

/** A run that runs, but for these. */
export function row(values) {
  return {
    id: '261122-aaaaaaaa',
    name: 'fit',
    kind: 'function',
    slice: '1g.10gb',
    slice_title: 'MIG 1g.10gb',
    simulated: false,
    hours: 2,
    created: NOW - 60,
    notebook: null,
    cell_id: null,
    state: 'running',
    life: 'running',
    sentence: 'Running.',
    action: '',
    job_id: 7,
    node: 'n1',
    submitted: NOW - 59,
    expected: null,
    started: NOW - 50,
    ended: null,
    seconds_left: 7150,
    restarts: 0,
    progress: null,
    tasks: null,
    trouble: '',
    dir: null,
    result: null,
    again_of: null,
    ...values
  };
}

export const queued = {
  state: 'queued',
  life: 'waiting',
  sentence: 'All are in use.',
  started: null,
  seconds_left: null
};
export const failed = { state: 'failed', life: 'ended', sentence: 'ValueError: no', ended: NOW - 10 };
