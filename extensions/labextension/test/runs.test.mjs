import assert from 'node:assert/strict';
import { test } from 'node:test';

import { isId } from '../src/common/ids.ts';
import { hoursWords, sizeWords, soonWords, whenShort, whenWords } from '../src/common/words.ts';
import * as rows from '../src/runs/rows.ts';
import * as words from '../src/runs/words.ts';
import { failed, NOW, queued, row } from './support/rows.mjs';

test('what changed replaces what was known, and what was removed goes', () => {
  const known = new Map([
    ['a', row({ id: 'a' })],
    ['b', row({ id: 'b' })]
  ]);
  const runs = [row({ id: 'b', ...failed }), row({ id: 'c' })];
  const page = { version: 2, whole: false, runs, removed: ['a'], more: false, trouble: '' };
  const next = rows.merged(known, page);
  assert.deepEqual([...next.keys()].sort(), ['b', 'c']);
  assert.equal(next.get('b').state, 'failed');
  assert.equal(known.size, 2);
});

test('the newest run comes first', () => {
  const sorted = rows.newestFirst([
    row({ id: 'a', created: 1 }),
    row({ id: 'b', created: 3 }),
    row({ id: 'c', created: 2 })
  ]);
  assert.deepEqual(
    sorted.map(({ id }) => id),
    ['b', 'c', 'a']
  );
});

test('a filter takes life, outcome and every word', () => {
  const all = [
    row({ id: 'a', name: 'fit resnet' }),
    row({ id: 'b', ...failed }),
    row({ id: 'c', ...failed, state: 'cancelled' }),
    row({ id: 'd', ...failed, state: 'completed', sentence: 'Completed.' }),
    row({ id: 'e', ...queued })
  ];
  const ids = (choice, text = '') => rows.filtered(all, choice, text).map(({ id }) => id);
  assert.deepEqual(ids('all'), ['a', 'b', 'c', 'd', 'e']);
  assert.deepEqual(ids('live'), ['a', 'e']);
  assert.deepEqual(ids('ended'), ['b', 'c', 'd']);
  assert.deepEqual(ids('failed'), ['b']);
  assert.deepEqual(ids('all', 'RESNET 1g'), ['a']);
  assert.deepEqual(ids('all', 'valueerror'), ['b', 'c']);
  assert.deepEqual(ids('live', 'valueerror'), []);
});

test('only an id counts as one', () => {
  assert.ok(isId('261122-k3f9ta2x'));
  for (const other of ['261122-K3F9TA2X', '261122-k3f9ta2x/..', '261122-k3f9ta2x\n', '', null, 5, 'x")#']) {
    assert.ok(!isId(other), String(other));
  }
});

test('progress is between nothing and all, and unknown where nobody knows', () => {
  assert.equal(rows.share({ done: 7, total: 12 }), 7 / 12);
  assert.equal(rows.share({ done: 14, total: 12 }), 1);
  assert.equal(rows.share({ done: 3, total: null }), null);
  assert.equal(rows.share({ done: 3, total: 0 }), null);
  assert.equal(rows.share(null), null);
  assert.equal(rows.shareOf(row({ tasks: { completed: 5, failed: 1, running: 2, queued: 2 } })), 0.6);
});

test('every state has a look and a name, also one that is new', () => {
  assert.equal(rows.tone('queued'), 'waiting');
  assert.equal(rows.tone('ending'), 'running');
  assert.equal(rows.tone('completed'), 'good');
  assert.equal(rows.tone('cancelled'), 'stopped');
  assert.equal(rows.tone('time_limit'), 'bad');
  assert.equal(words.stateWords('out_of_memory'), 'Out of memory');
  assert.equal(words.stateWords('brand_new'), 'Brand new');
});

test('a queued run tells why it waits and when it is expected', () => {
  const line = words.lineWords(row({ ...queued, expected: NOW + 600 }), NOW, null);
  assert.match(line, /^All are in use\. Expected about .*\d\d:\d\d/);
  assert.equal(words.lineWords(row(queued), NOW, null), 'All are in use.');
  assert.match(words.lineWords(row({ ...queued, expected: NOW - 5 }), NOW, null), /Expected any moment\.$/);
});

test('a running run tells how far it is and what is left', () => {
  const cells = { done: 7, total: 12, text: 'cell 7 of 12' };
  assert.equal(words.lineWords(row({ progress: cells }), NOW, 3600), 'cell 7 of 12 · 1 h 0 min left');
  assert.equal(words.lineWords(row({}), NOW, null), 'Running');
  assert.equal(words.progressWords({ done: 3, total: 10 }), '3 of 10');
  assert.equal(words.progressWords({ done: 0.4, total: 1 }), '40 %');
  assert.equal(words.cornerWords(row({}), NOW), '50 s');
  assert.equal(words.lineWords(row(failed), NOW, null), 'ValueError: no');
});

test('a map’s tasks are counted in words', () => {
  assert.equal(
    words.tasksWords({ completed: 120, failed: 2, out_of_memory: 1, running: 8, queued: 69 }),
    '200 tasks: 120 completed, 3 failed, 8 running, 69 waiting'
  );
  assert.equal(words.tasksWords({ queued: 1 }), '1 task: 1 waiting');
});

test('a screen reader hears name, state, progress, time and slice', () => {
  const said = words.spokenRow(row({ progress: { done: 1, total: 4, text: '' } }), NOW, 3600);
  assert.equal(said, 'fit, Running, 25 %, 1 of 4, 1 hour left, MIG 1g.10gb');
  const done = row({ ...failed, state: 'completed', sentence: 'Completed.' });
  assert.equal(words.spokenRow(done, NOW, null), 'fit, Completed, MIG 1g.10gb');
  assert.equal(words.spokenRow(row(failed), NOW, null), 'fit, Failed, ValueError: no, MIG 1g.10gb');
});

test('changes of state are announced, and many of them are summed up', () => {
  const before = new Map([['261122-aaaaaaaa', row({})]]);
  assert.equal(words.changesWords(before, [row(failed)]), 'fit: Failed. ValueError: no');
  assert.equal(words.changesWords(before, [row({ progress: { done: 1, total: 2 } })]), '');
  assert.equal(words.changesWords(before, [row({ id: 'new' })]), '');
  const many = new Map('abcd'.split('').map(id => [id, row({ id, name: id })]));
  const all = [...many.values()].map(one => ({ ...one, ...failed }));
  assert.equal(words.changesWords(many, all), '4 runs changed, of them a, b, c and 1 more.');
});

test('a moment of another day has its day', () => {
  const noon = new Date(2026, 10, 22, 12, 0).getTime() / 1000;
  assert.equal(whenWords(noon, noon, 'en-GB'), '12:00');
  assert.equal(whenWords(noon - 86400, noon, 'en-GB'), '21 Nov, 12:00');
  assert.equal(whenShort(noon - 86400, noon, 'en-GB'), '21 Nov');
  assert.equal(hoursWords(0.5), '30 min');
  assert.equal(hoursWords(1.5), '1 h 30 min');
});

test('only an outcome that was meant counts as none that failed', () => {
  const outcome = (state, life = 'ended') => rows.hasFailed(row({ state, life }));
  for (const state of [
    'failed',
    'time_limit',
    'preempted',
    'out_of_memory',
    'node_failed',
    'killed',
    'not_restarted',
    'refused',
    'vanished',
    'unknown',
    'brand_new'
  ]) {
    assert.ok(outcome(state), state);
    assert.ok(!outcome(state, 'running'), state);
  }
  assert.deepEqual([outcome('completed'), outcome('cancelled')], [false, false]);
});

test('a run is found by anything that is said of it, and by a long part of its id', () => {
  const one = row({
    id: '261122-k3f9ta2x',
    name: 'Fit',
    notebook: 'work/A.ipynb',
    job_id: 4711,
    kind: 'cell'
  });
  const found = text => rows.filtered([one], 'all', text).length === 1;
  for (const text of [
    'fit',
    'FIT a.ipynb',
    '4711',
    '1g.10gb',
    'mig',
    'running',
    'cell',
    'k3f9t',
    ' fit  mig ',
    ''
  ]) {
    assert.ok(found(text), text);
  }
  for (const text of ['k3f9', 'fit other', 'K3F9TA2Y']) {
    assert.ok(!found(text), text);
  }
});

test('of runs made at once the greater id comes first', () => {
  const made = ['a', 'c', 'b'].map(id => row({ id, created: 1 }));
  assert.equal(
    rows
      .newestFirst(made)
      .map(({ id }) => id)
      .join(''),
    'cba'
  );
});

test('a share is of what is known to be done', () => {
  assert.equal(rows.share({ done: null, total: 5 }), null);
  assert.equal(rows.share({ done: -1, total: 5 }), 0);
  assert.equal(rows.shareOf(row({ tasks: {} })), null);
  assert.equal(rows.shareOf(row({ tasks: { cancelled: 1, queued: 3 } })), 0.25);
  assert.equal(rows.shareOf(row({ progress: { done: 1, total: 2 } })), 0.5);
  assert.deepEqual(
    rows.tasksByTone({
      completed: 1,
      failed: 2,
      killed: 3,
      cancelled: 4,
      running: 5,
      ending: 6,
      queued: 7,
      preparing: 8,
      requeued: 9,
      unknown: 1
    }),
    {
      good: 1,
      bad: 5,
      stopped: 4,
      running: 11,
      waiting: 25
    }
  );
});

test('tasks that somebody wants to see come first', () => {
  const task = (task, state) => ({ task, state });
  const all = [
    task(0, 'queued'),
    task(1, 'completed'),
    task(2, 'cancelled'),
    task(4, 'running'),
    task(3, 'running'),
    task(5, 'failed')
  ];
  assert.deepEqual(
    rows.interestingFirst(all).map(({ task: number }) => number),
    [5, 3, 4, 2, 1, 0]
  );
  assert.equal(all[0].task, 0);
});

test('a task says how far it is while it runs, and why it failed', () => {
  const task = values => ({
    task: 0,
    state: 'running',
    sentence: 'Why.',
    started: 100,
    ended: null,
    progress: null,
    ...values
  });
  assert.deepEqual(
    [
      words.taskTime(task({}), 150),
      words.taskTime(task({ ended: 110 }), 150),
      words.taskTime(task({ started: null }), 150)
    ],
    ['50 s', '10 s', '']
  );
  assert.equal(words.taskLine(task({})), '');
  assert.equal(words.taskLine(task({ progress: { done: 1, total: 2 } })), '1 of 2');
  assert.equal(words.taskLine(task({ progress: { done: null, total: null, text: 'epoch 3' } })), 'epoch 3');
  assert.equal(words.taskLine(task({ progress: { done: 3, total: null } })), '');
  assert.equal(words.taskLine(task({ state: 'failed', progress: { done: 1, total: 2 } })), 'Why.');
  assert.equal(words.taskLine(task({ state: 'completed', progress: { done: 2, total: 2 } })), '');
});

test('progress is said as a count, a share, or what the code says', () => {
  assert.deepEqual(
    [
      null,
      { done: null, total: null },
      { done: 3, total: null },
      { done: 1, total: 1 },
      { done: 1.5, total: 4 },
      { done: null, total: 5 },
      { done: 1, total: 2, text: 'half' }
    ].map(words.progressWords),
    ['', '', '3', '100 %', '37 %', '', 'half']
  );
});

test('times say for how long it ran, what is left, and how often it began again', () => {
  const said = (values, left = null) => words.timesWords(row(values), NOW, left);
  assert.equal(said({}, 3600), 'running for 50 s · 1 h 0 min left');
  assert.equal(said({}), 'running for 50 s');
  assert.match(said(queued, 60), /^submitted .*\d\d:\d\d/);
  assert.equal(said({ ...queued, submitted: null }), '');
  assert.match(
    said({ ...failed, restarts: 1 }, 60),
    /^ran for 40 s · ended .*\d\d:\d\d.* · began again once$/
  );
  assert.match(said({ ...failed, ended: null, restarts: 3 }), /^ran for 50 s · began again 3 times$/);
  assert.equal(words.elapsed(row({ started: NOW + 5 }), NOW), 0);
});

test('a sentence that says no more than the state’s name is left out', () => {
  assert.equal(words.sentenceWords(row({})), '');
  assert.equal(words.sentenceWords(row({ sentence: 'Running on n1.' })), 'Running on n1.');
});

test('what is rarely asked for is there where it is known', () => {
  const known = words.facts(row({ notebook: 'a.ipynb', again_of: 'b' }), ['x', 'y'], NOW);
  const terms = Object.fromEntries(known);
  assert.deepEqual(
    [terms.Kind, terms.Run, terms.Job, terms['Time limit'], terms.Repeats, terms.Files],
    ['Function', '261122-aaaaaaaa', '7 on n1', '2 h', 'b', 'x, y']
  );
  assert.equal(terms.Notebook, 'a.ipynb');
  assert.match(terms.Started, /\d\d:\d\d/);
  assert.equal(terms.Ended, '');
  const bare = Object.fromEntries(
    words.facts(row({ job_id: null, submitted: null, started: null, hours: null }), [], NOW)
  );
  assert.deepEqual(
    [bare.Job, bare['Time limit'], bare.Repeats, bare.Files, bare.Started, bare.Notebook],
    ['', '', '', '', '', '']
  );
  assert.match(bare.Submitted, /\d\d:\d\d/);
  assert.equal(Object.fromEntries(words.facts(row({ node: null }), [], NOW)).Job, '7');
});

test('the corner says for how long, or when', () => {
  const corner = values => words.cornerWords(row(values), NOW);
  assert.equal(corner({ started: null }), '0 s');
  assert.match(corner({ ...queued, submitted: NOW - 86400 * 3 }), /\d/);
  assert.notEqual(corner({ ...queued, submitted: NOW - 86400 * 3 }), corner({ ...queued, submitted: NOW }));
  assert.notEqual(corner({ ...failed, ended: NOW - 86400 * 3 }), corner({ ...failed, ended: NOW }));
  assert.equal(corner({ ...failed, ended: null, created: NOW - 5 }), corner({ ...failed, ended: NOW - 5 }));
});

test('a map’s line counts its tasks, and a state that says it all stands alone', () => {
  assert.equal(words.lineWords(row({ tasks: { running: 2 } }), NOW, null), '2 tasks: 2 running');
  assert.equal(words.lineWords(row({ ...queued, sentence: '' }), NOW, null), 'Queued');
  assert.equal(words.lineWords(row({ ...failed, sentence: '' }), NOW, null), 'Failed');
  assert.equal(words.expectedWords(row({ expected: NOW - 5 }), NOW), '');
  assert.equal(words.tasksWords({}), '0 tasks');
  assert.equal(words.tasksWords({ cancelled: 2 }), '2 tasks: 2 cancelled');
  assert.deepEqual(['function', 'map', 'cell', 'notebook', 'command', 'new'].map(words.kindWords), [
    'Function',
    'Map',
    'Cell',
    'Notebook',
    'Command',
    'New'
  ]);
});

test('what waits is heard with why, and nothing of a time limit', () => {
  assert.equal(words.spokenRow(row(queued), NOW, 60), 'fit, Queued, All are in use, MIG 1g.10gb');
  assert.equal(words.spokenRow(row({ slice_title: '' }), NOW, null), 'fit, Running, 1g.10gb');
});

test('three changes are told one by one', () => {
  const before = new Map('abc'.split('').map(id => [id, row({ id, name: id })]));
  const after = [...before.values()].map(one => ({ ...one, state: 'requeued', life: 'waiting' }));
  assert.equal(words.changesWords(before, after), 'a: Queued again. b: Queued again. c: Queued again.');
});

test('amounts and moments are told in words of their size', () => {
  assert.deepEqual(
    [0, 812, 1023, 1024, 1536, 102400, 1024 ** 2, 3.1 * 1024 ** 2, 1024 ** 3, 5 * 1024 ** 4].map(sizeWords),
    ['0 B', '812 B', '1023 B', '1.0 KB', '1.5 KB', '100 KB', '1.0 MB', '3.1 MB', '1.0 GB', '5120 GB']
  );
  assert.deepEqual([null, 2, 0.25, 24].map(hoursWords), ['', '2 h', '15 min', '24 h']);
  const noon = new Date(2026, 10, 22, 12, 0).getTime() / 1000;
  assert.equal(whenWords(noon - 365 * 86400, noon, 'en-GB'), '22 Nov 2025, 12:00');
  assert.equal(soonWords(null, '', noon), '');
  assert.equal(soonWords(noon, '', noon), 'Expected any moment.');
  assert.equal(soonWords(noon + 60, 'It begins about 14:05.', noon), '');
  assert.match(
    soonWords(noon + 60, 'All are in use.', noon),
    /^Expected about .*12:01|^Expected about 12:01/
  );
});
