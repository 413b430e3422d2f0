import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Signal } from '@lumino/signaling';

import { KernelList } from '../src/kernels.ts';
import { Session } from '../src/session.ts';
import { server, silence } from './support/server.mjs';
import { signal, status } from './support/session.mjs';
import { refresh, show, stoppedClock } from './support/time.mjs';

/** A session, the server that it asks, its events and what moves its clock. */
function sessionOf(t, reply) {
  const pass = stoppedClock(t);
  const there = server(reply);
  const events = {};
  events.stream = new Signal(events);
  const session = new Session(there.settings, events);
  t.after(() => session.dispose());
  return { session, there, pass, tell: schema_id => events.stream.emit({ schema_id }) };
}

const near = (left, wanted) => assert.ok(Math.abs(left - wanted) < 0.2, `${left} is not about ${wanted}`);

test('a plain JupyterLab has no session, and is asked once', async t => {
  for (const answer of [
    [404, {}],
    [200, { slice: null }]
  ]) {
    const { session, there, pass, tell } = sessionOf(t, () => answer);
    await pass(60);
    show(true);
    tell('urn:skiva:kernels-changed');
    await pass(60);
    assert.deepEqual([session.status, there.asked.length], [null, 1]);
    assert.deepEqual([session.left, session.ends], [null, null]);
    t.mock.timers.reset();
  }
});

test('what is left is counted down between two answers', async t => {
  const { session, there, pass } = sessionOf(t, () => [200, status({ seconds_left: 3600 })]);
  await pass(1);
  assert.deepEqual(there.asked, [{ method: 'GET', path: 'skiva/status', body: '' }]);
  assert.equal(session.status.title, 'MIG 1g.10gb');
  await pass(5);
  near(session.left, 3595);
  near(session.ends.getTime() / 1000, Date.now() / 1000 + 3595);
});

test('a session without an end has no time left and no end', async t => {
  const { session, pass } = sessionOf(t, () => [200, status({ seconds_left: null })]);
  await pass(1);
  assert.deepEqual([session.left, session.ends, session.answers], [null, null, true]);
});

test('silence of the server is noticed, and the time goes on', async t => {
  const { session, there, pass } = sessionOf(t, () => [200, status({ seconds_left: 3600 })]);
  await refresh(session, pass);
  assert.equal(session.answers, true);
  let heard = 0;
  session.stateChanged.connect(() => {
    heard += 1;
  });
  for (const reply of [silence, () => [503, {}], () => [200], () => [404, {}]]) {
    there.reply = reply;
    heard = 0;
    await refresh(session, pass);
    assert.deepEqual([session.answers, session.status.title, heard > 0], [false, 'MIG 1g.10gb', true]);
    there.reply = () => [200, status({ seconds_left: 3600 })];
    await refresh(session, pass);
    assert.equal(session.answers, true);
  }
  there.reply = silence;
  await pass(30);
  near(session.left, 3570);
  assert.equal(session.answers, false);
});

test('the server is asked each ten seconds, and each five near the end', async t => {
  const { there, pass } = sessionOf(t, () => [200, status({ seconds_left: 3600 })]);
  await pass(1);
  assert.equal(there.asked.length, 1);
  await pass(30);
  assert.equal(there.asked.length, 4);
  there.reply = () => [200, status({ seconds_left: 300 })];
  await pass(10);
  assert.equal(there.asked.length, 5);
  await pass(30);
  assert.equal(there.asked.length, 11);
});

test('a server that does not answer is asked within half a minute', async t => {
  const { there, pass } = sessionOf(t, silence);
  await pass(300);
  assert.ok(there.asked.length >= 10 && there.asked.length < 30, String(there.asked.length));
});

test('an early warning of Slurm’s brings the end nearer, a later one does not move it away', async t => {
  const { session, there, pass } = sessionOf(t, () => [
    200,
    status({ warning: signal({ seconds_left: 60 }) })
  ]);
  await refresh(session, pass);
  near(session.left, 60);
  there.reply = () => [200, status({ seconds_left: 30, warning: signal({ seconds_left: 60 }) })];
  await refresh(session, pass);
  near(session.left, 30);
  there.reply = () => [200, status({ seconds_left: null, warning: signal({ seconds_left: 60 }) })];
  await refresh(session, pass);
  near(session.left, 60);
  there.reply = () => [200, status({ warning: signal({ seconds_left: 60, early: false }) })];
  await refresh(session, pass);
  near(session.left, 3600);
});

test('each second is told, and a state when the words for the time change', async t => {
  const { session, there, pass } = sessionOf(t, () => [200, status({ seconds_left: 7200 })]);
  const told = { ticks: 0, states: 0 };
  session.ticked.connect(() => {
    told.ticks += 1;
  });
  session.stateChanged.connect(() => {
    told.states += 1;
  });
  await pass(1);
  told.ticks = told.states = 0;
  await pass(8);
  assert.deepEqual(told, { ticks: 8, states: 0 });
  there.reply = silence;
  show(false);
  t.after(() => show(true));
  await pass(30);
  told.states = 0;
  await pass(60);
  assert.equal(told.states, 1, 'the minute');
  session.dispose();
  told.ticks = 0;
  await pass(5);
  assert.equal(told.ticks, 0);
});

test('nothing is told before the server said anything', async t => {
  const { session, pass } = sessionOf(t, silence);
  let ticks = 0;
  session.ticked.connect(() => {
    ticks += 1;
  });
  await pass(30);
  assert.equal(ticks, 0);
});

test('an old answer is asked for again before anything is said of it, a recent one is not', async t => {
  const { session, there, pass } = sessionOf(t, () => [200, status()]);
  await session.refreshIfStale();
  assert.equal(there.asked.length, 1, 'nothing was heard yet');
  await session.refreshIfStale();
  assert.equal(there.asked.length, 1);
  there.reply = silence;
  show(false);
  t.after(() => show(true));
  await pass(10);
  const before = there.asked.length;
  await session.refreshIfStale();
  assert.equal(there.asked.length, before, 'ten seconds are recent');
  await pass(6);
  const later = there.asked.length;
  await session.refreshIfStale();
  assert.equal(there.asked.length, later + 1);
});

test('a warning is asked for when the server tells that there is one', async t => {
  const { there, pass, tell } = sessionOf(t, () => [200, status()]);
  await pass(1);
  tell('urn:skiva:kernels-changed');
  await pass(1);
  assert.equal(there.asked.length, 1);
  tell('urn:skiva:session-warning');
  await pass(1);
  assert.equal(there.asked.length, 2);
});

test('a page that is seen again asks at once, and a hidden one does not', async t => {
  const { session, there, pass } = sessionOf(t, () => [200, status()]);
  await pass(1);
  show(false);
  await pass(1);
  assert.equal(there.asked.length, 1);
  show(true);
  await pass(0.1);
  assert.equal(there.asked.length, 2);
  session.dispose();
  show(true);
  session.dispose();
  await pass(60);
  assert.equal(there.asked.length, 2);
});

test('an extension is what the server answers to it', async t => {
  const { session, there, pass } = sessionOf(t, () => [200, status({ seconds_left: 60 })]);
  await refresh(session, pass);
  there.reply = () => [200, status({ seconds_left: 3660 })];
  await session.extend();
  near(session.left, 3660);
  assert.deepEqual(there.asked.at(-1), { method: 'POST', path: 'skiva/extend', body: {} });
});

test('why a session was not extended is told in the hub’s sentence, or in ours', async t => {
  const { session, there } = sessionOf(t, () => [403, { message: 'This is the longest.' }]);
  await assert.rejects(session.extend(), { message: 'This is the longest.' });
  for (const answer of [[403, {}], [500, { message: '' }], [500, { message: 7 }], [200], [500]]) {
    there.reply = () => answer;
    await assert.rejects(session.extend(), { message: 'The session was not extended.' });
  }
  there.reply = silence;
  const said = 'The server did not answer, so the session was not extended.';
  await assert.rejects(session.extend(), { message: said });
});

test('an extension is waited for longer than a look', async t => {
  const waits = t.mock.method(AbortSignal, 'timeout', () => new AbortController().signal);
  const { session, pass } = sessionOf(t, () => [200, status()]);
  await refresh(session, pass);
  await session.extend();
  const patience = waits.mock.calls.map(call => call.arguments[0]);
  assert.deepEqual([patience[0], patience.at(-1)], [8000, 40_000]);
});

test('kernels are read again when the server tells that they changed, and at nothing else', async () => {
  const events = {};
  events.stream = new Signal(events);
  let read = 0;
  const refreshSpecs = async () => {
    read += 1;
    throw new Error('The server does not answer.');
  };
  assert.ok(new KernelList({ refreshSpecs }, events));
  events.stream.emit({ schema_id: 'urn:skiva:session-warning' });
  assert.equal(read, 0);
  events.stream.emit({ schema_id: 'urn:skiva:kernels-changed' });
  assert.equal(read, 1);
});
