import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';

import { Notification } from '@jupyterlab/apputils';
import { Signal } from '@lumino/signaling';

import { ClusterCommands } from '../src/clusters/actions.ts';
import { TroubleNotices } from '../src/clusters/notices.ts';
import { complain } from '../src/common/complain.ts';
import { RunCommands } from '../src/runs/actions.ts';
import { EndNotices } from '../src/runs/notices.ts';
import { cluster, row } from './support/rows.mjs';

const said = () => Notification.manager.notifications.map(({ message }) => message);

beforeEach(() => Notification.manager.dismiss());

/** A list that is set by hand, and who tells of it. */
function told(Notices, values) {
  const list = { rows: [], loaded: true, watched: false, ...values };
  list.stateChanged = new Signal(list);
  const executed = [];
  new Notices(list, { execute: (...what) => executed.push(what) });
  const now = rows => {
    list.rows = rows;
    list.stateChanged.emit();
  };
  return { list, executed, now };
}

const ended = values => row({ state: 'completed', life: 'ended', ...values });

test('a run that ended while nobody looked is told of, once', () => {
  const { executed, now } = told(EndNotices);
  now([row({ name: 'fit' }), ended({ id: 'old' })]);
  assert.deepEqual(said(), [], 'what had ended before is no news');
  now([ended({ name: 'fit' })]);
  now([ended({ name: 'fit' })]);
  assert.deepEqual(said(), ['fit: Completed']);
  const [{ type, options }] = Notification.manager.notifications;
  assert.deepEqual([type, options.autoClose, options.actions[0].label], ['info', 10_000, 'Show']);
  options.actions[0].callback();
  assert.deepEqual(executed, [[RunCommands.show, { id: '261122-aaaaaaaa' }]]);
});

test('whatever ended otherwise than it was meant to stays until it is seen, with why', () => {
  for (const state of [
    'failed',
    'time_limit',
    'out_of_memory',
    'node_failed',
    'refused',
    'vanished',
    'brand_new'
  ]) {
    Notification.manager.dismiss();
    const { now } = told(EndNotices);
    now([row({})]);
    now([ended({ name: 'fit', state, sentence: 'It needed more.' })]);
    const [{ message, type, options }] = Notification.manager.notifications;
    assert.deepEqual([message, type, options.autoClose], ['fit: It needed more.', 'warning', false], state);
  }
});

test('a run that somebody cancelled has not failed', () => {
  const { now } = told(EndNotices);
  now([row({})]);
  now([ended({ name: 'fit', state: 'cancelled', sentence: 'You cancelled it.' })]);
  assert.deepEqual(said(), ['fit: Cancelled']);
});

test('whoever looks at runs is not told of them', () => {
  const { list, now } = told(EndNotices);
  now([row({})]);
  list.watched = true;
  now([ended({})]);
  list.watched = false;
  now([ended({})]);
  assert.deepEqual(said(), []);
});

test('whoever was away all night is told of three', () => {
  const { now } = told(EndNotices);
  const all = 'abcde'.split('');
  now(all.map(id => row({ id })));
  now(all.map(id => ended({ id, name: id })));
  assert.deepEqual(said().toSorted(), ['a: Completed', 'b: Completed', 'c: Completed']);
});

const stuck = values => cluster({ state: 'stuck', sentence: 'No worker can start.', ...values });

test('a cluster that gets stuck while nobody looks is told of, once', () => {
  const { executed, now } = told(TroubleNotices);
  now([cluster({}), stuck({ id: 'old', name: 'old' })]);
  assert.deepEqual(said(), [], 'what was in trouble before is no news');
  now([stuck({})]);
  now([stuck({})]);
  assert.deepEqual(said(), ['search: No worker can start.']);
  const [{ type, options }] = Notification.manager.notifications;
  assert.deepEqual([type, options.autoClose, options.actions[0].label], ['warning', false, 'Show']);
  options.actions[0].callback();
  assert.deepEqual(executed, [[ClusterCommands.show, { id: '261122-aaaaaaaa' }]]);
  now([cluster({})]);
  now([stuck({ state: 'lost', sentence: 'It is lost.' })]);
  assert.deepEqual(said().toSorted(), ['search: It is lost.', 'search: No worker can start.']);
});

test('a list of clusters that was not read yet tells nothing', () => {
  const { list, now } = told(TroubleNotices, { loaded: false });
  now([]);
  list.loaded = true;
  now([stuck({})]);
  assert.deepEqual(said(), []);
});

test('whoever looks at clusters is not told of them, and of many three are told', () => {
  const { list, now } = told(TroubleNotices);
  now([]);
  list.watched = true;
  now([stuck({ id: 'seen' })]);
  list.watched = false;
  now([stuck({ id: 'seen' })]);
  assert.deepEqual(said(), []);
  now('abcde'.split('').map(id => stuck({ id, name: id })));
  assert.equal(said().length, 3);
});

test('what went wrong is told until somebody saw it', () => {
  complain(new Error('It ended.'));
  const [{ message, type, options }] = Notification.manager.notifications;
  assert.deepEqual([message, type, options.autoClose], ['It ended.', 'error', false]);
});
