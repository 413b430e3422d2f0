import assert from 'node:assert/strict';
import { test } from 'node:test';

import * as words from '../src/words.ts';

test('time left is short, rounded down and gets seconds near the end', () => {
  const cases = [
    [2 * 86400 + 3 * 3600 + 59, '2 d 3 h'],
    [86400, '1 d 0 h'],
    [3600 + 12 * 60 + 59, '1 h 12 min'],
    [3600, '1 h 0 min'],
    [3599, '59 min'],
    [120, '2 min'],
    [119.9, '1 min 59 s'],
    [65, '1 min 05 s'],
    [59.9, '59 s'],
    [0, '0 s'],
    [-5, '0 s']
  ];
  for (const [seconds, text] of cases) {
    assert.equal(words.shortTime(seconds), text);
  }
});

test('where time has run out, or there is no limit, no number is shown', () => {
  assert.equal(words.timeWords(3600), '1 h 0 min');
  assert.equal(words.timeWords(0), 'time is up');
  assert.equal(words.timeWords(-3), 'time is up');
  assert.equal(words.timeWords(null), '');
});

test('a screen reader hears whole words', () => {
  assert.equal(words.longTime(3600 + 120), '1 hour 2 minutes');
  assert.equal(words.longTime(90000), '1 day 1 hour');
  assert.equal(words.longTime(60), '1 minute');
  assert.equal(words.longTime(86400 + 3600 + 60), '1 day 1 hour');
  assert.equal(words.longTime(-5), 'less than a minute');
  assert.equal(words.longTime(20), 'less than a minute');
  assert.equal(words.aboutMinutes(119), '2 minutes');
  assert.equal(words.aboutMinutes(31), '1 minute');
  assert.equal(words.aboutMinutes(20), 'less than a minute');
});

test('memory is told in the unit of its limit', () => {
  const gb = 1024 ** 3;
  assert.equal(words.memoryWords(3.14 * gb, 10 * gb), '3.1 / 10 GB');
  assert.equal(words.memoryWords(0.5 * gb, 180 * gb), '0.5 / 180 GB');
  assert.equal(words.memoryWords(812 * 1024 ** 2, null), '812 MB');
  assert.equal(words.memoryWords(0, null), '0 B');
  assert.equal(words.memoryWords(812.5 * 1024 ** 2, null), '813 MB');
  assert.equal(words.memoryWords(99.5 * 1024, null), '99.5 KB');
  assert.equal(words.memoryWords(512.4, null), '512 B');
  assert.equal(words.memoryWords(2048 * 1024 ** 4, null), '2048 TB');
});

test('an extension is named by what it adds', () => {
  assert.equal(words.extendLabel(1), 'Extend by 1 h');
  assert.equal(words.extendLabel(0.5), 'Extend by 30 min');
  assert.equal(words.extendLabel(1.5), 'Extend by 90 min');
});

test('what was saved is said by name, and what was not too', () => {
  assert.equal(words.savedWords({ saved: [], failed: [] }), 'Everything was saved already.');
  assert.equal(words.savedWords({ saved: ['a.ipynb'], failed: ['b.py'] }), 'Saved a.ipynb. Not saved: b.py.');
  assert.equal(words.savedWords({ saved: ['a', 'b', 'c', 'd'], failed: [] }), 'Saved a, b and 2 more.');
  assert.equal(words.nameList(['a', 'b', 'c']), 'a, b and c');
});

test('a long message is cut between words within 140 characters', () => {
  const message = words.fitted('word '.repeat(60));
  assert.ok(message.length <= 140);
  assert.match(message, /word…$/);
  assert.equal(words.fitted('short'), 'short');
  assert.equal(words.fitted('a'.repeat(140)), 'a'.repeat(140));
  assert.equal(words.fitted('a'.repeat(141)), `${'a'.repeat(70)}…`);
  const [whole, rest] = ['b'.repeat(100), 'c'.repeat(38)];
  assert.equal(words.fitted(`${whole} ${rest} d`), `${whole}…`);
});

test('the end is told with its cause and with what is on disk', () => {
  assert.deepEqual(words.endedWords('14:05', '14:04', [], false), [
    'Your session ended at 14:05: its time limit was reached.',
    'Everything saved until 14:04 is on disk.'
  ]);
  assert.deepEqual(words.endedWords('14:05', null, ['a.ipynb'], true), [
    'Your session ended at 14:05: Slurm needed its node.',
    'Everything that was saved is on disk.',
    'Not saved, and only in this page: a.ipynb.'
  ]);
});

test('isolation and simulation are both said', () => {
  assert.match(words.isolationWords('exclusive', true), /^only yours.*simulated/);
  assert.equal(words.isolationWords('shared', false), 'shared with others');
  assert.equal(words.isolationWords('none', false), 'no GPU');
  assert.equal(words.isolationWords('new', false), 'new');
});

test('an environment is named with as much of its digest as people compare', () => {
  const digest = `sha256:${'ab'.repeat(32)}`;
  assert.equal(words.environmentWords({ environment: 'Base', digest }), 'Base (abababababab)');
  assert.equal(words.environmentWords({ environment: 'Base', digest: '' }), 'Base');
  assert.equal(words.environmentWords({ environment: 'Base' }), 'Base');
  assert.equal(words.environmentWords({ environment: '', digest }), '');
});

test('a time of day has two digits for each', () => {
  assert.equal(words.clockTime(new Date(2026, 10, 22, 9, 5, 7), 'en-GB'), '09:05');
});
