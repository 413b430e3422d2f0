import assert from 'node:assert/strict';
import { test } from 'node:test';

import { withoutDask, wrongWith } from '../src/clusters/limits.ts';
import * as requests from '../src/clusters/requests.ts';
import { firstChoice, firstHours, sliceWords } from '../src/common/choices.ts';
import { target } from '../src/common/keys.ts';
import * as code from '../src/runs/code.ts';
import { wishesOf } from '../src/runs/wishes.ts';
import { cluster, FULL } from './support/rows.mjs';

const slice = values => ({
  id: 'cpu',
  title: 'CPU',
  simulated: false,
  isolation: 'exclusive',
  free: 1,
  total: 4,
  waiting: 0,
  status: '',
  ...values
});

test('a slice says how many of it could start now', () => {
  assert.equal(sliceWords(slice({})), '1 of 4 free');
  assert.equal(sliceWords(slice({ total: null, waiting: 2 })), '1 free, 2 waiting');
  assert.equal(sliceWords(slice({ free: 0, waiting: 2 })), 'all in use, 2 waiting');
  assert.equal(sliceWords(slice({ free: null })), 'not known how many are free');
  assert.equal(sliceWords(slice({ free: null, status: 'Its node is down.' })), 'Its node is down.');
  assert.equal(
    sliceWords(slice({ isolation: 'shared', simulated: true })),
    '1 of 4 free · shared · simulated'
  );
});

test('a form begins with what was chosen before, else with what is free', () => {
  const [full, free, other] = [
    slice({ id: 'full', free: 0 }),
    slice({ id: 'free' }),
    slice({ id: 'unknown', free: null })
  ];
  assert.equal(firstChoice([full, free, other], 'unknown'), 'unknown');
  assert.equal(firstChoice([full, free, other], 'gone'), 'free');
  assert.equal(firstChoice([full, other], ''), 'full');
  assert.equal(firstChoice([], 'gone'), '');
});

test('hours of before are kept where the site still allows them', () => {
  const offer = { hours: 2, max_hours: 8 };
  assert.equal(firstHours(offer, '8'), '8');
  assert.equal(firstHours(offer, '0.5'), '0.5');
  for (const before of ['', '0', '-1', '8.1', 'many']) {
    assert.equal(firstHours(offer, before), '2', before);
  }
});

const typed = values => ({
  slice: 'cpu',
  hours: '1.5',
  name: ' fit ',
  typed: {},
  resume: false,
  restarts: '3',
  ...values
});

test('what was typed is sent as numbers and values', () => {
  const parameters = [{ name: 'lr', text: '0.1', comment: '', plain: true }];
  assert.deepEqual(wishesOf(typed({ typed: { lr: '0.5' } }), parameters), {
    slice: 'cpu',
    hours: 1.5,
    name: 'fit',
    parameters: { lr: 0.5 },
    resume: false,
    restarts: 0
  });
  assert.equal(wishesOf(typed({ resume: true }), []).restarts, 3);
  assert.equal(wishesOf(typed({ resume: true, restarts: '' }), []).restarts, 1);
  assert.equal(wishesOf(typed({ resume: true }), []).resume, true);
});

test('what has to be changed is said before anything is sent, the first of it', () => {
  const parameters = [{ name: 'lr', text: '0.1', comment: '', plain: true }];
  const all = { typed: { lr: 'many' }, slice: '', name: ' ', hours: '0' };
  assert.match(wishesOf(typed(all), parameters), /^lr: Type a number/);
  assert.equal(wishesOf(typed({ ...all, typed: {} }), parameters), 'Choose a slice.');
  assert.equal(wishesOf(typed({ name: ' ', hours: '0' }), []), 'name: type one.');
  for (const hours of ['0', '-1', '', 'many']) {
    assert.equal(wishesOf(typed({ hours }), []), 'hours: type a number above 0.', hours);
  }
});

test('what is wrong with a new cluster is said before it is sent', () => {
  const offer = { dask: true, message: '', most_jobs: 16, most_slice_hours: 64 };
  const here = { gpus: 1 };
  const wrong = values => wrongWith(offer, here, { workers: '2', hours: '1', ...values });
  assert.equal(wrong({}), '');
  assert.equal(wrong({ workers: '0' }), '');
  for (const workers of ['', '-1', '1.5', 'many']) {
    assert.equal(wrong({ workers }), 'workers: type a whole number.', workers);
  }
  for (const hours of ['', '0', '-1', 'many']) {
    assert.equal(wrong({ hours }), 'hours: type a number above 0.', hours);
  }
  assert.match(wrong({ workers: '17' }), /the site allows 16/);
  const fine = { workers: '2', hours: '1' };
  assert.equal(wrongWith(null, here, fine), 'Choose a slice.');
  assert.equal(wrongWith(offer, null, fine), 'Choose a slice.');
  assert.match(wrongWith({ ...offer, dask: false }, null, fine), /has no Dask/);
  assert.equal(withoutDask({ message: 'Dask is broken.' }), 'Dask is broken.');
  assert.match(withoutDask({ message: '' }), /^This session’s environment has no Dask/);
});

const request = values => ({ wish: { workers: 6 }, before: { workers: 4 }, heard: false, at: 0, ...values });

test('what was asked for is shown as what there is until it is answered', () => {
  const here = cluster({ workers: { ...FULL, wanted: 4 } });
  assert.deepEqual(requests.wishNow(null, here), { workers: 4 });
  assert.deepEqual(requests.wishNow(request({}), here), { workers: 6 });
  assert.deepEqual(requests.wishNow(request({ heard: true }), here), { workers: 4 });
});

test('a cluster that begins to adapt gets no more workers than it has, in whole jobs', () => {
  const bounds = (wanted, per_job) =>
    requests.firstBounds(cluster({ per_job, workers: { ...FULL, wanted } }));
  assert.deepEqual(bounds(4, 1), { minimum: 1, maximum: 4 });
  assert.deepEqual(bounds(0, 0), { minimum: 0, maximum: 1 });
  assert.deepEqual(bounds(0, 2), { minimum: 2, maximum: 2 });
});

test('of two bounds the one that was set pushes the other', () => {
  const here = cluster({ per_job: 2, most_workers: 16 });
  const now = { minimum: 2, maximum: 6 };
  assert.deepEqual(requests.boundsWith(here, now, { minimum: 3 }), { minimum: 4, maximum: 6 });
  assert.deepEqual(requests.boundsWith(here, now, { minimum: 8 }), { minimum: 8, maximum: 8 });
  assert.deepEqual(requests.boundsWith(here, now, { maximum: 0 }), { minimum: 2, maximum: 2 });
  assert.deepEqual(requests.boundsWith(here, { minimum: 4, maximum: 6 }, { maximum: 1 }), {
    minimum: 2,
    maximum: 2
  });
  assert.deepEqual(requests.boundsWith(here, now, { maximum: 99 }), { minimum: 2, maximum: 16 });
  assert.deepEqual(requests.boundsWith(here, now, {}), now);
  const beyond = cluster({ per_job: 1, most_workers: 4 });
  assert.deepEqual(requests.boundsWith(beyond, { minimum: 0, maximum: 9 }, { maximum: 8 }), {
    minimum: 0,
    maximum: 8
  });
  assert.deepEqual(requests.boundsWith(beyond, { minimum: 0, maximum: 3 }, { maximum: 0 }), {
    minimum: 0,
    maximum: 1
  });
});

test('the field for workers says what letting it go asks for', () => {
  const here = cluster({ per_job: 2, most_workers: 16 });
  const hint = draft => requests.hintWords(here, draft);
  assert.equal(hint(null), 'at most 16, 2 a job');
  assert.equal(hint(4), 'at most 16, 2 a job');
  assert.equal(hint(NaN), 'at most 16, 2 a job');
  assert.equal(hint(5), 'Let go, or press Enter, to ask for 6; Escape leaves 4.');
  assert.equal(requests.hintWords(cluster({}), null), 'at most 16');
  const none = cluster({ most_workers: 0, workers: { ...FULL, wanted: 0 } });
  assert.equal(requests.hintWords(none, 3), 'The limits of this site allow no worker now.');
});

test('a request says what changes, and when it has', () => {
  assert.equal(requests.requestWords(request({}), cluster({})), 'Asking: from 4 workers to 6 workers…');
  const back = request({ wish: { workers: 1 }, before: { minimum: 1, maximum: 8 }, heard: true });
  const one = cluster({ workers: { ...FULL, wanted: 1, ready: 1 } });
  assert.equal(requests.requestWords(back, one), 'Changed from 1–8 workers to 1 worker.');
});

test('keys move within the list, and others do nothing', () => {
  const moves = (key, at, count = 30) => target(key, at, count);
  assert.deepEqual(
    ['ArrowDown', 'ArrowUp', 'PageDown', 'PageUp', 'Home', 'End'].map(key => moves(key, 12)),
    [13, 11, 22, 2, 0, 29]
  );
  assert.deepEqual(
    ['ArrowDown', 'ArrowUp', 'PageDown', 'PageUp'].map(key => moves(key, -1)),
    [0, 29, 9, 0]
  );
  assert.deepEqual([moves('ArrowDown', 29), moves('ArrowUp', 0), moves('PageDown', 25)], [29, 0, 29]);
  assert.deepEqual([moves('Enter', 3), moves('toString', 3), moves('ArrowDown', -1, 0)], [null, null, null]);
});

test('a notebook’s kernel is told in Python what to send off', () => {
  const wishes = {
    slice: 'cpu',
    hours: 0.5,
    name: 'it’s "mine"\n',
    parameters: {},
    resume: false,
    restarts: 0
  };
  assert.equal(
    code.restCode('d-1', 3, wishes),
    'import skiva\nskiva.submit_rest(draft="d-1", start_at=3, slice="cpu", hours=0.5, name="it’s \\"mine\\"\\n")'
  );
  const resumed = code.restCode('d-1', 0, { ...wishes, resume: true, restarts: 2 });
  assert.match(resumed, /start_at=0, .*, resume=True, restarts=2\)$/);
});

test('a cell’s variables get their names, and any other result is shown', () => {
  assert.equal(code.loadCode({ id: 'a', kind: 'cell' }), 'skiva.run("a").bind()');
  assert.equal(code.loadCode({ id: 'a', kind: 'map' }), 'skiva.run("a").result()');
  assert.equal(code.loadedWords({ kind: 'cell' }, "['x', 'y_1']", ''), 'Here now: x, y_1.');
  assert.equal(code.loadedWords({ kind: 'cell' }, '[]', 'hello'), 'It assigned no variables.\nhello');
  assert.equal(code.loadedWords({ kind: 'function' }, '42', ''), '42');
});
