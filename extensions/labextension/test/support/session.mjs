import { Signal } from '@lumino/signaling';

/** What a server says of a session, but for these. */
export function status(values) {
  return {
    slice: '1g.10gb',
    title: 'MIG 1g.10gb',
    environment: 'Base',
    digest: '',
    isolation: 'exclusive',
    simulated: false,
    job_id: 7,
    node: 'n1',
    gres: 'gpu:1g.10gb:1',
    seconds_left: 3600,
    memory: { used: 1024 ** 3, limit: 10 * 1024 ** 3 },
    gpus: null,
    warning: null,
    extend: { allowed: true, hours: 1, until: null },
    trouble: '',
    ...values
  };
}

/** Slurm's warning signal, but for these. */
export function signal(values) {
  return { id: 1, minutes: 1, seconds_left: 60, early: true, sentence: 'Slurm needs the node.', ...values };
}

/** A session as the parts of the page see it, set by hand. */
export function session(values) {
  const made = {
    status: status(),
    left: 3600,
    answers: true,
    refreshIfStale: async () => undefined,
    ...values,
    /** A second later so much is left. */
    tick(left) {
      made.left = left;
      made.ticked.emit();
    }
  };
  made.ends ??= new Date(2026, 10, 22, 14, 5);
  made.ticked = new Signal(made);
  made.stateChanged = new Signal(made);
  return made;
}

/** The open documents, of which these have unsaved changes. */
export function documents(values) {
  const made = {
    lastSave: null,
    unsaved: [],
    result: { saved: [], failed: [] },
    saved: 0,
    again: 0,
    async saveAll() {
      made.saved += 1;
      return made.result;
    },
    async saveAgain() {
      made.again += 1;
    },
    ...values
  };
  return made;
}
