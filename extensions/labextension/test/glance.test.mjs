import assert from 'node:assert/strict';
import { test } from 'node:test';

import * as glance from '../src/glance.ts';
import { clockTime } from '../src/words.ts';
import { status } from './support/session.mjs';

const ENDS = new Date(2026, 10, 22, 14, 5);
const now = values => ({ left: 3720, ends: ENDS, answers: true, ...values });
const gpu = values => ({ name: 'H100', utilization: 40, memory_used: null, memory_total: null, ...values });
const GB = 1024 ** 3;

test('time left looks urgent in the last ten minutes, and very urgent in the last two', () => {
  assert.deepEqual([null, 601, 600, 121, 120, 0].map(glance.urgency), [
    '',
    '',
    ' skiva-mod-soon',
    ' skiva-mod-soon',
    ' skiva-mod-verySoon',
    ' skiva-mod-verySoon'
  ]);
});

test('of several GPUs the busiest is shown, and memory where nobody knows how busy it is', () => {
  assert.equal(glance.gpuWords([gpu({}), gpu({ utilization: 90 }), gpu({ utilization: null })]), 'GPU 90 %');
  assert.equal(
    glance.gpuWords([gpu({ utilization: null, memory_used: GB, memory_total: 80 * GB })]),
    'GPU 1 / 80 GB'
  );
  assert.equal(glance.gpuWords([gpu({ utilization: null })]), '');
  assert.equal(glance.gpuWords([gpu({ utilization: 0 })]), 'GPU 0 %');
  assert.equal(glance.gpuWords(null), '');
});

test('the item says where it runs, and that the server does not answer', () => {
  const lines = glance.tooltip(status({ trouble: 'Slurm does not answer.' }), now()).split('\n');
  assert.deepEqual(lines, [
    'MIG 1g.10gb: only yours: nobody else can open its devices',
    'Environment: Base',
    'Job 7 on n1',
    `Ends at ${clockTime(ENDS)}`,
    'Slurm does not answer.'
  ]);
  const silent = glance.tooltip(status({ environment: '' }), now({ answers: false, ends: null })).split('\n');
  assert.deepEqual(silent.length, 3);
  assert.equal(silent[0], 'The server does not answer. The time counts on as it was last told.');
});

test('a screen reader hears slice, time and memory, and that the server does not answer', () => {
  const said = values => glance.spoken(status(), now(values));
  assert.equal(said({}), 'Session on MIG 1g.10gb, 1 hour 2 minutes left, memory 1 of 10 GB');
  assert.equal(
    said({ left: null, answers: false }),
    'Session on MIG 1g.10gb, no time limit, the server does not answer'
  );
  assert.match(said({ left: 0 }), /, time is up, /);
  assert.equal(
    glance.spoken(status({ memory: null }), now({ left: 60 })),
    'Session on MIG 1g.10gb, 1 minute left'
  );
});

test('the popup has everything that is known, and nothing that is not', () => {
  const known = status({
    digest: 'sha256:abababababababab',
    gpus: [gpu({ memory_used: GB, memory_total: 80 * GB }), gpu({ name: 'L4', utilization: null })],
    trouble: 'Slurm does not answer.'
  });
  assert.deepEqual(glance.facts(known, now()), [
    ['Slice', 'MIG 1g.10gb'],
    ['Isolation', 'only yours: nobody else can open its devices'],
    ['Environment', 'Base (abababababab)'],
    ['Job', '7 on n1'],
    ['Time left', '1 h 2 min'],
    ['Ends at', clockTime(ENDS)],
    ['Memory', '1 / 10 GB'],
    ['GPU', 'H100, 40 % busy, 1 / 80 GB; L4'],
    ['Slurm', 'Slurm does not answer.']
  ]);
  const terms = (values, at) => Object.fromEntries(glance.facts(status(values), now(at)));
  const silent = terms({ simulated: true }, { answers: false, left: null, ends: null });
  assert.deepEqual([silent.Memory, silent.GPU, silent.Server], [undefined, undefined, 'no answer']);
  assert.deepEqual([silent['Time left'], silent['Ends at']], ['no time limit', undefined]);
  assert.deepEqual(terms({ simulated: true, memory: null }).GPU, 'simulated');
  assert.equal(terms({ memory: null }).Memory, undefined);
  assert.equal(terms({}).GPU, undefined);
});
