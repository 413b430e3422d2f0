import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ClustersApi } from '../src/clusters/api.ts';
import { ClustersModel } from '../src/clusters/model.ts';
import { ClusterWatch } from '../src/clusters/watch.ts';
import { LogText } from '../src/common/follow.ts';
import { SILENT } from '../src/common/rest.ts';
import { RunsApi } from '../src/runs/api.ts';
import { RunsModel } from '../src/runs/model.ts';
import { RunWatch } from '../src/runs/watch.ts';
import { cluster, row } from './support/rows.mjs';
import { server, silence } from './support/server.mjs';
import { refresh, stoppedClock } from './support/time.mjs';

const ID = '261122-aaaaaaaa';
const ended = { state: 'failed', life: 'ended', sentence: 'ValueError: no', seconds_left: null };

/** A server with one run, its log and its tasks; what it says of them can be changed. */
function runServer(values) {
  const here = {
    row: row({}),
    detail: {},
    log: 'one\ntwo\n',
    tasks: [],
    fails: null,
    known: true,
    ...values
  };
  const there = server(({ path }) => {
    if (here.fails) {
      return here.fails();
    }
    const [, name = '', query] = /^skiva\/runs(?:\/[\w-]+)?(\/\w+)?(\?.*)?$/.exec(path);
    if (name === '/log') {
      const offset = Number(new URLSearchParams(query).get('offset'));
      const text = here.log.slice(offset, offset + 8);
      return [200, { text, next: offset + text.length, size: here.log.length }];
    }
    if (name === '/tasks') {
      return [200, { tasks: here.tasks }];
    }
    if (path.startsWith('skiva/runs/')) {
      return [
        200,
        { ...here.row, log_size: here.log.length, tail: here.log, error: null, outputs: [], ...here.detail }
      ];
    }
    const runs = here.known ? [here.row] : [];
    return [200, { version: 1, whole: true, runs, removed: [], more: false, trouble: '' }];
  });
  return Object.assign(here, {
    there,
    asked: part => there.asked.filter(({ path }) => path.includes(part)).length
  });
}

/** One run looked at closely. */
async function runWatch(t, values) {
  const pass = stoppedClock(t);
  const here = runServer(values);
  const list = new RunsModel(new RunsApi(here.there.settings));
  await refresh(list, pass);
  const watch = new RunWatch(ID, list);
  t.after(() => {
    watch.dispose();
    list.dispose();
  });
  return { here, list, watch, pass };
}

test('a run is asked for only while it is on the screen', async t => {
  const { here, list, watch, pass } = await runWatch(t);
  await pass(30);
  assert.deepEqual([watch.visible, list.watched, here.asked(ID), watch.detail], [false, false, 0, null]);
  watch.visible = true;
  watch.visible = true;
  await pass(1);
  assert.deepEqual([watch.visible, list.watched, watch.detail.id], [true, true, ID]);
  const before = here.asked('/log');
  await pass(10);
  assert.equal(here.asked('/log') - before, 10);
  watch.visible = false;
  await pass(2);
  const after = here.asked('/log');
  await pass(30);
  assert.deepEqual([list.watched, here.asked('/log') - after], [false, 0]);
});

test('a log begins with its end and is read on as it grows', async t => {
  const { here, watch, pass } = await runWatch(t);
  watch.visible = true;
  await pass(1);
  assert.equal(watch.log.text, 'one\ntwo\n');
  here.log += 'three\nfour\nfive\n';
  await pass(1);
  assert.equal(watch.log.text, 'one\ntwo\nthree\nfour\nfive\n');
  assert.deepEqual([watch.log.size, watch.log.before], [here.log.length, 0]);
});

test('the whole log is read when somebody wants it', async t => {
  const { watch, pass } = await runWatch(t, { detail: { tail: 'two\n' } });
  watch.visible = true;
  await pass(0.1);
  assert.deepEqual([watch.log.text, watch.log.before], ['two\n', 4]);
  let heard = 0;
  watch.stateChanged.connect(() => {
    heard += 1;
  });
  await watch.readAll();
  assert.deepEqual([watch.log.text, watch.log.before, heard], ['one\ntwo\n', 0, 1]);
});

test('what has ended is read once more and then left alone', async t => {
  const { here, watch, pass } = await runWatch(t);
  watch.visible = true;
  await pass(3);
  here.row = row({ ...ended });
  here.log += 'last\n';
  here.detail = { error: { type: 'ValueError', message: 'no' } };
  await pass(3);
  assert.equal(watch.detail.error.type, 'ValueError');
  assert.equal(watch.log.text, 'one\ntwo\nlast\n');
  assert.equal(watch.row.state, 'failed');
  const before = here.there.asked.filter(({ path }) => path.includes(ID)).length;
  await pass(60);
  assert.equal(here.asked(ID), before);
});

test('the end of a run is read at once when the list tells of it', async t => {
  const { here, list, watch, pass } = await runWatch(t);
  watch.visible = true;
  await pass(3);
  let heard = 0;
  watch.stateChanged.connect(() => {
    heard += 1;
  });
  const before = here.asked(ID);
  here.log += 'last\n';
  list.take(row({ ...ended }));
  assert.ok(heard > 0);
  await pass(0.01);
  assert.ok(here.asked(ID) > before);
  assert.equal(watch.log.text, 'one\ntwo\nlast\n');
});

test('silence is told while a run lives, and its end is the end of it', async t => {
  const { here, watch, pass } = await runWatch(t);
  watch.visible = true;
  await pass(1);
  assert.equal(watch.trouble, '');
  here.fails = silence;
  await pass(2);
  assert.deepEqual([watch.trouble, watch.missing, watch.row.id], [SILENT, false, ID]);
  here.fails = null;
  await pass(31);
  assert.equal(watch.trouble, '');
});

test('the list’s silence is told of what lives, and not of what has ended', async t => {
  const { here, list, watch, pass } = await runWatch(t);
  here.fails = silence;
  await refresh(list, pass);
  assert.equal(watch.trouble, SILENT);
  here.fails = null;
  here.row = row(ended);
  await refresh(list, pass);
  here.fails = silence;
  await refresh(list, pass);
  assert.equal(watch.trouble, '');
});

test('a run that nobody knows is missing, and is asked for no more', async t => {
  const { here, watch, pass } = await runWatch(t, { known: false });
  assert.equal(watch.row, null);
  here.fails = () => [404, { message: 'There is no such run.' }];
  watch.visible = true;
  await pass(1);
  assert.deepEqual([watch.missing, watch.trouble], [true, 'There is no such run.']);
  const before = here.asked(ID);
  await pass(60);
  assert.equal(here.asked(ID), before);
});

test('a run that is not on the list is found, and put on it while it lives', async t => {
  const { here, list, watch, pass } = await runWatch(t, { known: false });
  here.there.reply = (reply => asking =>
    asking.path.includes('/runs?')
      ? [200, { version: 1, whole: false, runs: [], removed: [], more: false, trouble: '' }]
      : reply(asking))(here.there.reply);
  watch.visible = true;
  await pass(0.1);
  assert.deepEqual([watch.row.id, list.get(ID)?.id], [ID, ID]);
});

test('an old run that has ended is shown and not put on the list', async t => {
  const { list, watch, pass } = await runWatch(t, { known: false, row: row(ended) });
  watch.visible = true;
  await pass(1);
  assert.deepEqual([watch.row.state, list.get(ID)], ['failed', null]);
});

test('a run that was removed says so, and lives again when it is brought back', async t => {
  const { here, list, watch, pass } = await runWatch(t);
  watch.visible = true;
  await pass(1);
  here.known = false;
  list.drop(ID);
  assert.deepEqual([watch.gone, watch.missing, watch.trouble], [true, true, 'This run was removed.']);
  const before = here.asked(ID);
  await pass(10);
  await refresh(watch, pass);
  assert.equal(here.asked(ID), before);
  list.take(row({ name: 'back' }));
  assert.deepEqual([watch.gone, watch.missing, watch.trouble, watch.row.name], [false, false, '', 'back']);
});

test('a map’s tasks are read again while they are few, and one’s log where somebody wants it', async t => {
  const tasks = count => Array.from({ length: count }, (_, task) => ({ task, state: 'running' }));
  const { here, watch, pass } = await runWatch(t, { row: row({ tasks: { running: 2 } }), tasks: tasks(2) });
  watch.visible = true;
  await pass(1);
  assert.deepEqual([watch.tasks.length, watch.task], [2, null]);
  let before = here.asked('/tasks');
  await pass(5);
  assert.equal(here.asked('/tasks') - before, 5);
  const shown = watch.showTask(1);
  assert.deepEqual([watch.task, watch.log.text], [1, '']);
  await pass(0.1);
  await shown;
  assert.match(
    here.there.asked.filter(({ path }) => path.includes('/log')).at(-1).path,
    /offset=0&task=1|offset=\d+&task=1/
  );
  assert.equal(watch.log.text, here.log);
});

test('many tasks are read again only when one of them changed', async t => {
  const tasks = Array.from({ length: 200 }, (_, task) => ({ task, state: 'running' }));
  const { here, list, watch, pass } = await runWatch(t, { row: row({ tasks: { running: 200 } }), tasks });
  list.take(here.row);
  here.there.reply = (reply => asking =>
    asking.path.includes('?since') || asking.path.includes('?limit')
      ? [200, { version: 1, whole: false, runs: [], removed: [], more: false, trouble: '' }]
      : reply(asking))(here.there.reply);
  watch.visible = true;
  await pass(1);
  const before = here.asked('/tasks');
  await pass(5);
  assert.equal(here.asked('/tasks'), before);
  list.take(row({ tasks: { running: 199, completed: 1 } }));
  await pass(2);
  assert.equal(here.asked('/tasks'), before + 1);
});

test('whoever waits for an answer is let go when the watch is closed', async t => {
  const { watch, pass } = await runWatch(t);
  const waiting = watch.refresh();
  await pass(0);
  watch.dispose();
  await waiting;
});

test('a watch that was closed neither asks nor hears', async t => {
  const { here, list, watch, pass } = await runWatch(t);
  watch.visible = true;
  await pass(1);
  watch.dispose();
  watch.dispose();
  assert.equal(list.watched, false);
  const before = here.asked(ID);
  watch.visible = true;
  list.take(row({ name: 'other' }));
  await pass(10);
  assert.deepEqual([here.asked(ID), watch.row.name, list.watched], [before, 'fit', false]);
});

/** One cluster looked at closely. */
async function clusterWatch(t, values) {
  const pass = stoppedClock(t);
  const here = { known: true, row: cluster({}), log: 'line\n', fails: null, ...values };
  here.there = server(({ path }) => {
    if (here.fails && path.includes('/')) {
      return here.fails(path);
    }
    if (path.includes('/log')) {
      const offset = Number(new URLSearchParams(path.split('?')[1]).get('offset'));
      return [200, { text: here.log.slice(offset), next: here.log.length, size: here.log.length }];
    }
    return [200, path.endsWith(ID) ? here.row : { clusters: here.known ? [here.row] : [] }];
  });
  const list = new ClustersModel(new ClustersApi(here.there.settings));
  await refresh(list, pass);
  const watch = new ClusterWatch(ID, list);
  t.after(() => {
    watch.dispose();
    list.dispose();
  });
  const asked = () => here.there.asked.filter(({ path }) => path.includes(ID)).length;
  return { here, list, watch, pass, asked };
}

test('a cluster on the list is known from there, and read by itself only where it is not on it', async t => {
  const { watch, pass, asked } = await clusterWatch(t);
  watch.visible = true;
  await pass(10);
  assert.deepEqual([watch.row.id, asked()], [ID, 0]);
});

test('a cluster that ended long ago is read once', async t => {
  const { watch, pass, asked } = await clusterWatch(t, { known: false, row: cluster({ state: 'closed' }) });
  watch.visible = true;
  await pass(10);
  assert.deepEqual([watch.row.state, asked()], ['closed', 1]);
});

test('a cluster that left the list while it lived is read again', async t => {
  const { here, list, watch, pass, asked } = await clusterWatch(t);
  watch.visible = true;
  await pass(1);
  here.known = false;
  here.row = cluster({ state: 'closed' });
  await refresh(list, pass);
  await pass(1);
  assert.deepEqual([watch.row.state, asked()], ['closed', 1]);
});

test('a cluster that was taken off the list says so', async t => {
  const { list, watch, pass } = await clusterWatch(t);
  watch.visible = true;
  await pass(1);
  list.drop(ID);
  assert.equal(watch.trouble, 'This cluster was taken off the list.');
});

test('a worker’s log is followed while its cluster lives and somebody wants it', async t => {
  const { here, list, watch, pass, asked } = await clusterWatch(t);
  watch.visible = true;
  await pass(1);
  assert.deepEqual([watch.worker, watch.log.text, watch.logTrouble], [null, '', '']);
  const shown = watch.showLog('w-1');
  assert.equal(watch.worker, 'w-1');
  await pass(0.1);
  await shown;
  assert.equal(watch.log.text, 'line\n');
  here.log += 'more\n';
  await pass(2);
  assert.equal(watch.log.text, 'line\nmore\n');
  let before = asked();
  await pass(10);
  assert.equal(asked() - before, 5);
  here.row = cluster({ state: 'closed' });
  await refresh(list, pass);
  await pass(2);
  before = asked();
  await pass(20);
  assert.equal(asked(), before);
  void watch.showLog(null);
  await pass(0.1);
  assert.deepEqual([watch.worker, watch.log.text], [null, '']);
});

test('a log that is not there says why, and the cluster is fine all the same', async t => {
  const { here, watch, pass } = await clusterWatch(t);
  watch.visible = true;
  here.fails = path =>
    path.includes('/log') ? [404, { message: 'It wrote nothing yet.' }] : [200, { clusters: [here.row] }];
  void watch.showLog('w-1');
  await pass(1);
  assert.deepEqual([watch.logTrouble, watch.trouble, watch.missing], ['It wrote nothing yet.', '', false]);
  here.fails = null;
  await pass(3);
  assert.deepEqual([watch.logTrouble, watch.log.text], ['', 'line\n']);
  here.fails = path => (path.includes('/log') ? silence() : [200, { clusters: [here.row] }]);
  await pass(3);
  assert.equal(watch.logTrouble, SILENT);
  here.fails = null;
  void watch.showLog('');
  assert.equal(watch.logTrouble, '');
});

const parts =
  (text, size = 3) =>
  async offset => {
    const part = text.slice(offset, offset + size);
    return { text: part, next: offset + part.length, size: text.length };
  };

test('a log is read part by part until there is no more', async () => {
  const log = new LogText();
  assert.deepEqual([log.text, log.before, log.size, log.next], ['', 0, 0, null]);
  await log.follow(parts('abcdefgh'));
  assert.deepEqual([log.text, log.before, log.size, log.next], ['abcdefgh', 0, 8, 8]);
  await log.follow(parts('abcdefghij'));
  assert.deepEqual([log.text, log.next], ['abcdefghij', 10]);
  log.forget();
  assert.deepEqual([log.text, log.before, log.next], ['', 0, 0]);
});

test('where a log’s end is known what comes before is counted in bytes', () => {
  const log = new LogText();
  log.begin('é!', 10);
  assert.deepEqual([log.text, log.before, log.size, log.next], ['é!', 7, 10, 10]);
  log.begin('é!', 2);
  assert.equal(log.before, 0);
});

test('a log that does not go on is asked for once, and of a huge one the end is kept', async () => {
  const log = new LogText();
  let asked = 0;
  await log.follow(async () => {
    asked += 1;
    return { text: '', next: 0, size: 100 };
  });
  assert.equal(asked, 1);
  const most = 2 * 1024 * 1024;
  const huge = `${'a'.repeat(most)}${'b'.repeat(most / 2)}`;
  await log.follow(parts(huge, most / 2));
  assert.deepEqual([log.text.length, log.before, log.next, log.text.at(-1)], [most, 0, most, 'a']);
  await log.follow(parts(huge, most / 2));
  assert.deepEqual(
    [log.text.length, log.before, log.text.at(-1), log.next],
    [most, most / 2, 'b', huge.length]
  );
});
