import assert from 'node:assert/strict';
import { test } from 'node:test';

import { SILENT } from '../src/common/rest.ts';
import { ClustersApi } from '../src/clusters/api.ts';
import { ClustersModel } from '../src/clusters/model.ts';
import { RunsApi } from '../src/runs/api.ts';
import { RunsModel } from '../src/runs/model.ts';
import { cluster, FULL, row } from './support/rows.mjs';
import { server, silence } from './support/server.mjs';
import { refresh, show, stoppedClock } from './support/time.mjs';

const page = values => [
  200,
  { version: 1, whole: false, runs: [], removed: [], more: false, trouble: '', ...values }
];
const ended = { state: 'failed', life: 'ended', sentence: 'ValueError: no', seconds_left: null };

/** A list, the server that it asks, and what moves its clock. */
function listOf(t, reply, Model, Api) {
  const pass = stoppedClock(t);
  const there = server(reply);
  const list = new Model(new Api(there.settings));
  t.after(() => list.dispose());
  return { list, there, pass };
}

const runsOf = (t, reply) => listOf(t, reply, RunsModel, RunsApi);
const clustersOf = (t, reply) => listOf(t, reply, ClustersModel, ClustersApi);

const answer = (...clusters) => [200, { clusters }];
const ids = list => list.rows.map(({ id }) => id);

/** How often something was said. */
function counted(signal) {
  const heard = { times: 0 };
  signal.connect(() => {
    heard.times += 1;
  });
  return heard;
}

test('the whole list is read once, then what changed since', async t => {
  const { list, there, pass } = runsOf(t, () =>
    page({ version: 5, whole: true, runs: [row({ id: 'a' }), row({ id: 'b', created: 1 })] })
  );
  assert.deepEqual([list.loaded, list.rows, list.get('a')], [false, [], null]);
  await refresh(list, pass);
  there.reply = () =>
    page({ version: 6, runs: [row({ id: 'c' }), row({ id: 'b', ...ended })], removed: ['a'] });
  await refresh(list, pass);
  assert.deepEqual(
    there.asked.map(({ path }) => path),
    ['skiva/runs?limit=200', 'skiva/runs?since=5']
  );
  assert.equal(list.loaded, true);
  assert.deepEqual(
    ids(list),
    ['c', 'b'].toSorted((one, other) => list.get(other).created - list.get(one).created)
  );
  assert.equal(list.get('b').state, 'failed');
  assert.deepEqual([list.isGone('a'), list.isGone('b'), list.get('a')], [true, false, null]);
  await refresh(list, pass);
  assert.equal(there.asked[2].path, 'skiva/runs?since=6');
});

test('a server that does not know the version tells everything, and that is all there is', async t => {
  const { list, there, pass } = runsOf(t, () => page({ whole: true, runs: [row({ id: 'a' })] }));
  await refresh(list, pass);
  there.reply = () => page({ version: 9, whole: true, runs: [row({ id: 'b' })], removed: ['a'] });
  await refresh(list, pass);
  assert.deepEqual([ids(list), list.isGone('a')], [['b'], true]);
});

test('silence of the server is noticed, told, and over when it answers', async t => {
  const { list, there, pass } = runsOf(t, () => page({ whole: true, runs: [row({ id: 'a' })] }));
  await refresh(list, pass);
  assert.deepEqual([list.silent, list.trouble], [false, '']);
  const heard = counted(list.stateChanged);
  there.reply = silence;
  await refresh(list, pass);
  assert.deepEqual([list.silent, list.trouble, ids(list), heard.times], [true, SILENT, ['a'], 1]);
  there.reply = () => [503, { message: 'The hub restarts.' }];
  await refresh(list, pass);
  assert.deepEqual([list.silent, list.trouble], [true, 'The hub restarts.']);
  there.reply = () => page();
  const before = heard.times;
  await refresh(list, pass);
  assert.deepEqual([list.silent, list.trouble, ids(list)], [false, '', ['a']]);
  assert.equal(heard.times, before + 1, 'nothing changed but that it answers again');
});

test('what makes a list old is told, and nothing is drawn again where nothing changed', async t => {
  const { list, there, pass } = runsOf(t, () => page({ whole: true, trouble: 'Slurm does not answer.' }));
  await refresh(list, pass);
  assert.deepEqual([list.silent, list.trouble], [false, 'Slurm does not answer.']);
  const heard = counted(list.stateChanged);
  there.reply = () => page({ trouble: 'Slurm does not answer.' });
  await refresh(list, pass);
  assert.equal(heard.times, 0);
  there.reply = () => page();
  await refresh(list, pass);
  assert.deepEqual([heard.times, list.trouble], [1, '']);
  there.reply = () => page({ removed: ['x'] });
  await refresh(list, pass);
  assert.equal(heard.times, 2);
  there.reply = () => page({ runs: [row({ id: 'n' })] });
  await refresh(list, pass);
  assert.equal(heard.times, 3);
});

test('a plain JupyterLab is asked once', async t => {
  const { list, there, pass } = runsOf(t, () => [404, {}]);
  const heard = counted(list.stateChanged);
  await pass(60);
  assert.deepEqual([list.available, list.loaded, there.asked.length, heard.times], [false, false, 1, 1]);
  list.watch().dispose();
  list.take(row({ id: 'a' }));
  show(true);
  await refresh(list, pass);
  await pass(60);
  assert.equal(there.asked.length, 1);
});

test('a list that was read once is not given up when its address is gone for a while', async t => {
  const { list, there, pass } = runsOf(t, () => page({ whole: true }));
  await refresh(list, pass);
  there.reply = () => [404, {}];
  await refresh(list, pass);
  assert.deepEqual([list.available, list.trouble], [true, SILENT]);
});

test('of many runs the older ones are read when they are asked for', async t => {
  const { list, there, pass } = runsOf(t, () =>
    page({ whole: true, more: true, runs: [row({ id: 'b', created: 2 })] })
  );
  await list.older();
  assert.equal(there.asked.length, 0, 'nothing is known to be older than');
  await refresh(list, pass);
  assert.equal(list.more, true);
  there.reply = () => page({ more: false, runs: [row({ id: 'a', created: 1, seconds_left: 60 })] });
  await list.older();
  assert.equal(there.asked.at(-1).path, 'skiva/runs?before=b&limit=200');
  assert.deepEqual([ids(list), list.more], [['b', 'a'], false]);
  there.reply = () => page();
  await pass(10);
  assert.ok(Math.abs(list.left(list.get('a')) - 50) < 1);
  await list.older();
  assert.match(there.asked.at(-1).path, /before=a/);
});

test('further changes are read at once', async t => {
  let left = 3;
  const { list, there, pass } = runsOf(t, ({ path }) => {
    left -= 1;
    return path.includes('since') ? page({ more: left > 0 }) : page({ whole: true, more: true });
  });
  await refresh(list, pass);
  assert.equal(there.asked.length, 1, 'of a whole list more means older ones');
  await refresh(list, pass);
  await pass(1);
  assert.equal(there.asked.length, 3);
});

test('runs are asked for each second while something moves and somebody looks', async t => {
  let runs = [row({ id: 'a' }), row({ id: 'b', ...ended })];
  const { list, there, pass } = runsOf(t, () => page({ whole: true, runs }));
  const asked = async seconds => {
    const before = there.asked.length;
    await pass(seconds);
    return there.asked.length - before;
  };
  await pass(1);
  assert.equal(await asked(30), 3);
  const looking = list.watch();
  await pass(1);
  assert.equal(list.watched, true);
  assert.equal(await asked(30), 30);
  runs = [row({ id: 'a', ...ended })];
  await pass(2);
  assert.equal(await asked(30), 3);
  runs = [row({ id: 'a' })];
  await refresh(list, pass);
  await pass(1);
  looking.dispose();
  await pass(1);
  assert.equal(list.watched, false);
  assert.equal(await asked(30), 3);
});

test('looking at a list asks at once and sets its pace at once', async t => {
  const { list, there, pass } = runsOf(t, () => page({ whole: true, runs: [row({ id: 'a' })] }));
  await pass(2);
  const before = there.asked.length;
  const looking = list.watch();
  await pass(0.1);
  assert.equal(there.asked.length, before + 1);
  await pass(2);
  assert.equal(there.asked.length, before + 3);
  looking.dispose();
  await pass(1);
  const after = there.asked.length;
  await pass(8);
  assert.equal(there.asked.length, after);
});

test('a hidden page asks nothing, and asks at once when it is seen again', async t => {
  const { list, there, pass } = runsOf(t, () => page({ whole: true }));
  await pass(1);
  show(false);
  t.after(() => show(true));
  await pass(60);
  const before = there.asked.length;
  assert.ok(before <= 2, 'it lingers once');
  show(true);
  await pass(0.1);
  assert.equal(there.asked.length, before + 1);
  list.dispose();
  show(true);
  await pass(60);
  assert.equal(there.asked.length, before + 1);
});

test('a server that does not answer is asked less and less often, but within half a minute', async t => {
  const { list, there, pass } = runsOf(t, silence);
  await pass(300);
  assert.ok(there.asked.length >= 10 && there.asked.length < 25, String(there.asked.length));
  assert.equal(list.silent, true);
});

test('the time that is left is counted down from what was told', async t => {
  const { list, pass } = runsOf(t, () => page({ whole: true, runs: [row({ id: 'a', seconds_left: 5 })] }));
  await refresh(list, pass);
  const told = list.get('a');
  assert.ok(list.left(told) > 4.9 && list.left(told) <= 5);
  await pass(3);
  assert.ok(Math.abs(list.left(told) - 2) < 0.1);
  await pass(5);
  assert.equal(list.left(told), 0);
  assert.equal(list.left(row({ seconds_left: 7 })), 7, 'nobody knows when this was told');
  const endless = row({ id: 'b', seconds_left: null });
  list.take(endless);
  assert.equal(list.left(endless), null);
});

test('what an answer said of one is taken over at once, announced, and soon looked after', async t => {
  const { list, there, pass } = runsOf(t, () => page({ whole: true, runs: [row({ id: 'a', name: 'fit' })] }));
  await refresh(list, pass);
  const heard = counted(list.stateChanged);
  list.take(row({ id: 'a', name: 'fit', ...ended, seconds_left: 9 }));
  assert.equal(list.announcement, 'fit: Failed. ValueError: no');
  assert.deepEqual([list.get('a').state, heard.times], ['failed', 1]);
  assert.equal(list.left(list.get('a')) > 8, true);
  list.take(list.get('a'));
  assert.equal(list.announcement, 'fit: Failed. ValueError: no', 'no news leaves what was said');
  await pass(3);
  assert.ok(Math.abs(list.left(list.get('a')) - 6) < 0.5);
  assert.equal(there.asked.length, 1, 'nobody looks');
});

test('one that was removed is gone, and back when it is told again', async t => {
  const { list, pass } = runsOf(t, () => page({ whole: true, runs: [row({ id: 'a' }), row({ id: 'b' })] }));
  await refresh(list, pass);
  const heard = counted(list.stateChanged);
  list.drop('a');
  assert.deepEqual([list.get('a'), list.isGone('a'), ids(list), heard.times], [null, true, ['b'], 1]);
  list.take(row({ id: 'a' }));
  assert.deepEqual([list.get('a').id, list.isGone('a')], ['a', false]);
});

test('changes of state are announced as they are told', async t => {
  const { list, there, pass } = runsOf(t, () => page({ whole: true, runs: [row({ id: 'a', name: 'fit' })] }));
  await refresh(list, pass);
  assert.equal(list.announcement, '');
  there.reply = () => page({ runs: [row({ id: 'a', name: 'fit', ...ended })] });
  await refresh(list, pass);
  assert.equal(list.announcement, 'fit: Failed. ValueError: no');
});

test('clusters are asked for as often as they may look different', async t => {
  let clusters = [];
  const { list, there, pass } = clustersOf(t, () => answer(...clusters));
  const asked = async seconds => {
    await refresh(list, pass);
    const before = there.asked.length;
    await pass(seconds);
    return there.asked.length - before;
  };
  assert.equal(await asked(60), 2, 'nothing is there');
  clusters = [cluster({ state: 'closed' })];
  assert.equal(await asked(60), 2, 'nothing lives');
  clusters = [cluster({})];
  assert.equal(await asked(60), 3, 'nobody looks');
  const looking = list.watch();
  assert.equal(await asked(60), 10, 'somebody looks');
  clusters = [cluster({ id: 'calm' }), cluster({ workers: { ...FULL, wanted: 6 } })];
  assert.equal(await asked(60), 30, 'it moves');
  looking.dispose();
  assert.equal(await asked(60), 3);
});

test('an answer that was on its way while something was ordered is older than the order’s', async t => {
  let tell;
  const { list, there, pass } = clustersOf(t, () => answer(cluster({ name: 'old' })));
  await refresh(list, pass);
  there.reply = () =>
    new Promise(resolve => {
      tell = () => resolve(answer(cluster({ name: 'old' })));
    });
  const asking = list.refresh();
  await pass(0.1);
  list.take(cluster({ name: 'new' }));
  const heard = counted(list.stateChanged);
  tell();
  await asking;
  assert.deepEqual([list.rows[0].name, heard.times], ['new', 1]);
  there.reply = () => answer(cluster({ name: 'newest' }));
  await refresh(list, pass);
  assert.equal(list.rows[0].name, 'newest');
});

test('a cluster that was taken off the list does not come back with an older answer', async t => {
  const { list, pass } = clustersOf(t, () =>
    answer(cluster({ id: 'a' }), cluster({ id: 'b', state: 'closed' }))
  );
  await refresh(list, pass);
  list.drop('b');
  await refresh(list, pass);
  assert.deepEqual(ids(list), ['a']);
});

test('clusters’ changes are announced, and what makes the list old is told', async t => {
  const { list, there, pass } = clustersOf(t, () => answer(cluster({})));
  await refresh(list, pass);
  assert.deepEqual([list.announcement, list.trouble], ['', '']);
  there.reply = () => [200, { clusters: [cluster({ state: 'stuck' })], trouble: 'Some are not readable.' }];
  await refresh(list, pass);
  assert.match(list.announcement, /^search: Stuck/);
  assert.deepEqual([list.trouble, list.silent], ['Some are not readable.', false]);
});

test('a cluster that was started is on the list', async t => {
  const { list, there } = clustersOf(t, ({ method }) =>
    method === 'POST' ? [200, cluster({ id: 'n' })] : answer()
  );
  assert.equal((await list.start({ slice: 'cpu', workers: 2, hours: 1 }, 'k')).id, 'n');
  assert.deepEqual(there.asked.at(-1).body, { slice: 'cpu', workers: 2, hours: 1, key: 'k' });
  assert.equal(list.get('n').id, 'n');
});

test('the list is read again where nobody was told whether a cluster started', async t => {
  const { list, there, pass } = clustersOf(t, ({ method }) => (method === 'POST' ? silence() : answer()));
  await refresh(list, pass);
  await assert.rejects(list.start({}, 'k'), { message: SILENT, unheard: true });
  await pass(0.1);
  assert.equal(there.asked.filter(({ method }) => method === 'GET').length, 2);
  there.reply = ({ method }) => (method === 'POST' ? [409, { message: 'Too many jobs.' }] : answer());
  await assert.rejects(list.start({}, 'k'), { message: 'Too many jobs.' });
  await pass(0.1);
  assert.equal(
    there.asked.filter(({ method }) => method === 'GET').length,
    2,
    'a refusal leaves nothing behind'
  );
});

test('each thing that is done with a cluster has its address', async () => {
  const { asked, settings } = server(() => [200, {}]);
  const api = new ClustersApi(settings);
  await api.scale('a', 3);
  await api.adapt('a', { minimum: 1, maximum: 2 });
  await api.close('a');
  await api.remove('a');
  await api.get('a');
  await api.log('a', 'w', 5);
  await api.log('a', '', 0);
  await api.offer();
  assert.deepEqual(
    asked.map(
      ({ method, path, body }) => `${method} ${path.replace('skiva/clusters', '')} ${JSON.stringify(body)}`
    ),
    [
      'POST /a/scale {"workers":3}',
      'POST /a/adapt {"minimum":1,"maximum":2}',
      'POST /a/close {}',
      'DELETE /a ""',
      'GET /a ""',
      'GET /a/log?worker=w&offset=5 ""',
      'GET /a/log?offset=0 ""',
      'GET /offer ""'
    ]
  );
  assert.equal(api.page('a', 'status'), 'http://localhost/user/me/skiva/clusters/a/dashboard/status');
});
