import assert from 'node:assert/strict';
import { test } from 'node:test';

import { isId } from '../src/common/ids.ts';
import { hoursWords, whenShort, whenWords } from '../src/common/words.ts';
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
