import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';

import { Notification } from '@jupyterlab/apputils';

import { CommandIDs } from '../src/commands.ts';
import { EndNotice } from '../src/ended.ts';
import { Warnings } from '../src/warnings.ts';
import { clockTime } from '../src/words.ts';
import { dialogs } from './support/apputils.mjs';
import { documents, session, signal, status } from './support/session.mjs';
import { settle, stoppedClock } from './support/time.mjs';

const said = () => Notification.manager.notifications.map(({ message }) => message);
const shown = () => Notification.manager.notifications[0];

beforeEach(() => {
  Notification.manager.dismiss();
  Object.assign(dialogs, { shown: [], accept: false, flushed: 0 });
});

/** Warnings of a session that is set by hand. */
function warned(t, values = {}) {
  const pass = stoppedClock(t);
  const there = session(values.session);
  const open = documents(values.documents);
  const executed = [];
  new Warnings(there, open, { execute: command => executed.push(command) });
  return { there, open, executed, pass, tick: async left => (there.tick(left), settle()) };
}

test('a session without an end is never warned of', async t => {
  const { tick } = warned(t);
  await tick(null);
  assert.deepEqual(said(), []);
});

test('half an hour before the end is told once, with its time of day', async t => {
  const { there, open, tick } = warned(t);
  await tick(1801);
  assert.deepEqual(said(), []);
  await tick(1800);
  const when = clockTime(there.ends);
  assert.deepEqual(said(), [`This session ends in 30 minutes (at ${when}): its time limit.`]);
  assert.deepEqual([shown().type, shown().options.autoClose], ['warning', false]);
  await tick(1799);
  await tick(1200);
  assert.equal(said().length, 1);
  assert.deepEqual([open.saved, open.again], [0, 0]);
});

test('near the end everything is saved, and the warning says what was', async t => {
  const { there, open, tick } = warned(t, { documents: { result: { saved: ['a.ipynb'], failed: [] } } });
  await tick(601);
  there.ends = null;
  await tick(120);
  assert.deepEqual(said(), ['This session ends in 2 minutes: its time limit. Saved a.ipynb.']);
  assert.equal(open.saved, 1);
});

test('a later warning takes the place of an earlier one', async t => {
  const { tick } = warned(t);
  await tick(3600);
  await tick(1800);
  await tick(600);
  assert.equal(said().length, 1);
  assert.match(said()[0], /10 minutes/);
});

test('a slow saving is told of while it lasts, and again when it is over', async t => {
  let done;
  const saveAll = () => new Promise(resolve => (done = resolve));
  const { pass, tick } = warned(t, { documents: { saveAll } });
  await tick(601);
  await tick(120);
  assert.deepEqual(said(), []);
  await pass(1);
  assert.match(said()[0], /time limit\. Saving…$/);
  done({ saved: [], failed: ['a.ipynb'] });
  await settle();
  assert.equal(said().length, 1);
  assert.match(said()[0], /time limit\. Not saved: a\.ipynb\.$/);
});

test('in the last two minutes what is open is saved each twenty seconds', async t => {
  const { open, pass, tick } = warned(t);
  await tick(121);
  assert.equal(open.again, 0);
  await tick(120);
  await tick(119);
  assert.deepEqual([open.saved, open.again], [1, 0]);
  await pass(20);
  await tick(100);
  assert.equal(open.again, 0);
  await pass(1);
  await tick(99);
  await tick(98);
  assert.equal(open.again, 1);
  await pass(21);
  await tick(0);
  assert.equal(open.again, 1, 'there is nothing left to save to');
});

test('a page that was asleep asks before it warns', async t => {
  const { there, tick } = warned(t);
  await tick(3600);
  there.refreshIfStale = async () => {
    there.left = 5000;
  };
  await tick(100);
  assert.deepEqual(said(), []);
  there.refreshIfStale = async () => {
    there.left = null;
  };
  await tick(90);
  assert.deepEqual(said(), []);
  await tick(null);
  let answer;
  let asked = 0;
  there.refreshIfStale = () => {
    asked += 1;
    return new Promise(resolve => (answer = resolve));
  };
  there.left = 3600;
  await tick(3600);
  await tick(1790);
  await tick(1789);
  assert.equal(asked, 1);
  answer();
  await settle();
  assert.match(said()[0], /ends in 30 minutes/);
});

test('an extension takes a warning away, a small correction does not', async t => {
  const { tick } = warned(t);
  await tick(3600);
  await tick(1800);
  await tick(1850);
  assert.equal(said().length, 1);
  await tick(1870);
  assert.equal(said().length, 0);
});

test('Slurm’s signal is told at once, whatever the clock says, and once', async t => {
  const { there, open, tick } = warned(t);
  await tick(3600);
  there.stateChanged.emit();
  assert.deepEqual(said(), []);
  there.status = status({ warning: signal({ id: 3 }) });
  there.stateChanged.emit();
  there.stateChanged.emit();
  await settle();
  assert.deepEqual(said(), ['Slurm needs the node. Everything was saved already.']);
  assert.equal(open.saved, 1);
  there.status = status({ warning: signal({ id: 4, sentence: 'Slurm needs it now.' }) });
  there.stateChanged.emit();
  await settle();
  assert.deepEqual(said(), ['Slurm needs it now. Everything was saved already.']);
});

test('a signal speaks for the threshold that it came close to, not for later ones', async t => {
  const { there, tick } = warned(t);
  const told = signal({ id: 3, early: false, sentence: 'It ends soon.' });
  there.status = status({ warning: told });
  there.left = 630;
  there.stateChanged.emit();
  await settle();
  await tick(600);
  assert.match(said()[0], /^It ends soon/);
  await tick(120);
  assert.match(said()[0], /^This session ends in 2 minutes/);
});

test('a signal without a time left counts from what it says itself', async t => {
  const { there, tick } = warned(t, { session: { left: null } });
  there.status = status({ warning: signal({ id: 3, seconds_left: 130 }) });
  there.stateChanged.emit();
  await settle();
  assert.equal(said().length, 1);
  await tick(119);
  assert.match(said()[0], /^Slurm needs the node/);
});

test('a warning offers to save, and to extend where that is allowed', async t => {
  const { there, executed, tick } = warned(t);
  await tick(1801);
  await tick(1800);
  const [save, extend, ...more] = shown().options.actions;
  assert.deepEqual([save.label, extend.label, more], ['Save all', 'Extend by 1 h', []]);
  assert.deepEqual([save.displayType, extend.displayType], ['accent', 'default']);
  save.callback();
  extend.callback();
  assert.deepEqual(executed, [CommandIDs.saveAll, CommandIDs.extend]);
  there.status = status({ extend: { allowed: false, hours: 0, until: null } });
  await tick(600);
  assert.deepEqual(
    shown().options.actions.map(({ label }) => label),
    ['Save all']
  );
});

/** The notice of a session that is set by hand. */
function noticed(values, spawnPage = '/hub/spawn') {
  const there = session(values);
  const open = documents();
  new EndNotice(there, open, spawnPage);
  return { there, open, tick: async left => (there.tick(left), settle()) };
}

const lines = ({ body }) => body.node.children.map(({ textContent }) => textContent);

test('the end is told once, when the time is up and the server is gone', async () => {
  const { there, open, tick } = noticed({ answers: false });
  await tick(1);
  await tick(null);
  there.answers = true;
  await tick(0);
  assert.equal(dialogs.shown.length, 0);
  there.answers = false;
  Object.assign(open, { lastSave: new Date(2026, 10, 22, 14, 0), unsaved: ['a.ipynb'] });
  await tick(0);
  await tick(-1);
  assert.deepEqual([dialogs.shown.length, dialogs.flushed], [1, 1]);
  const [{ title, buttons, ...shownOnce }] = dialogs.shown;
  assert.equal(title, 'Session ended');
  assert.deepEqual(lines(shownOnce), [
    `Your session ended at ${clockTime(there.ends)}: its time limit was reached.`,
    `Everything saved until ${clockTime(open.lastSave)} is on disk.`,
    'Not saved, and only in this page: a.ipynb.'
  ]);
  assert.deepEqual(
    buttons.map(({ label, accept }) => [label, accept]),
    [
      ['Stay on this page', false],
      ['Start a new session', true]
    ]
  );
});

test('a new session at the same address is told the end of too', async () => {
  const { there, tick } = noticed({ answers: false });
  await tick(0);
  await tick(100);
  await tick(0);
  assert.equal(dialogs.shown.length, 1, 'nobody answered in between');
  there.answers = true;
  await tick(3600);
  there.answers = false;
  await tick(0);
  assert.equal(dialogs.shown.length, 2);
});

test('a session that Slurm ended early is told so', async () => {
  const { tick } = noticed({ answers: false, status: status({ warning: signal() }) });
  await tick(0);
  assert.match(lines(dialogs.shown[0])[0], /Slurm needed its node/);
});

test('a session whose end nobody knows is not told of', async () => {
  const { there, tick } = noticed({ answers: false });
  there.ends = null;
  await tick(0);
  assert.equal(dialogs.shown.length, 0);
});

test('a new session is started in another tab, where there is a hub and somebody wants one', async t => {
  const opened = [];
  t.mock.method(globalThis, 'open', (...what) => opened.push(what), { getter: false });
  for (const [accept, page] of [
    [false, '/hub/spawn'],
    [true, null],
    [true, '/hub/spawn']
  ]) {
    dialogs.accept = accept;
    const { tick } = noticed({ answers: false }, page);
    await tick(0);
  }
  assert.deepEqual(opened, [['/hub/spawn', '_blank', 'noopener']]);
  assert.deepEqual(
    dialogs.shown.map(({ buttons }) => buttons.length),
    [2, 1, 2]
  );
});
