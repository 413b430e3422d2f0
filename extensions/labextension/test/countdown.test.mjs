import assert from 'node:assert/strict';
import { test } from 'node:test';

import { armedAtFirst, pollInterval, secondsLeft, step } from '../src/countdown.ts';

const at = (steady, wall = steady) => ({ steady, wall });

test('time left never depends on the two computers having the same clock', () => {
  const mark = { left: 100, at: at(10, 999999) };
  assert.equal(secondsLeft(mark, at(20, 1000009)), 90);
});

test('a clock set back or a sleep promises no time that is gone', () => {
  const mark = { left: 100, at: at(10, 1000) };
  assert.equal(secondsLeft(mark, at(40, 400)), 70);
  assert.equal(secondsLeft(mark, at(11, 1090)), 10);
});

test('each threshold speaks once while the time runs down', () => {
  let armed = armedAtFirst(3600);
  const said = [];
  for (let left = 3600; left > -5; left -= 1) {
    const next = step(armed, left);
    armed = next.armed;
    if (next.due !== null) {
      said.push([next.due, left]);
    }
  }
  assert.deepEqual(said, [
    [1800, 1800],
    [600, 600],
    [120, 120]
  ]);
});

test('small corrections from the server do not make a threshold speak twice', () => {
  let armed = armedAtFirst(1801);
  const said = [];
  for (const left of [1801, 1800, 1800.4, 1799, 1801, 1799]) {
    const next = step(armed, left);
    armed = next.armed;
    said.push(next.due);
  }
  assert.deepEqual(said, [null, 1800, null, null, null, null]);
});

test('after an extension the thresholds speak again', () => {
  let armed = step(armedAtFirst(150), 119).armed;
  assert.equal(step(armed, 110).due, null);
  armed = step(armed, 3700).armed;
  assert.equal(step(armed, 1799).due, 1800);
});

test('a page opened late, or a computer that woke, hears only the nearest warning', () => {
  assert.equal(step(armedAtFirst(25 * 60), 25 * 60).due, null);
  assert.equal(step(armedAtFirst(8 * 60), 8 * 60).due, 600);
  assert.equal(step(armedAtFirst(90), 90).due, 120);
  const slept = step(armedAtFirst(3600), 100);
  assert.equal(slept.due, 120);
  assert.deepEqual(slept.armed, []);
});

test('a warning that another would follow at once is left out', () => {
  const jumped = step(armedAtFirst(3600), 121);
  assert.equal(jumped.due, null);
  assert.equal(step(jumped.armed, 120).due, 120);
});

test('a threshold speaks up to its second, and never when the time is up', () => {
  assert.deepEqual(armedAtFirst(1800), [600, 120]);
  assert.deepEqual(armedAtFirst(1801), [1800, 600, 120]);
  assert.equal(step([600, 120], 180).due, null, 'two minutes would be told a minute later');
  assert.equal(step([600, 120], 181).due, 600);
  assert.equal(step([120], 0).due, null);
  assert.equal(step([120], -5).due, null);
});

test('a threshold that has spoken speaks again when the end moved away by more than a minute', () => {
  assert.deepEqual(step([], 1860).armed, [600, 120]);
  assert.deepEqual(step([], 1861).armed, [1800, 600, 120]);
});

test('the server is asked more often near the end', () => {
  assert.equal(pollInterval(null), 10000);
  assert.equal(pollInterval(600), 10000);
  assert.equal(pollInterval(599), 5000);
});
