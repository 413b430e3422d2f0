import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';

import { Clipboard, Notification } from '@jupyterlab/apputils';

import { ClusterActions, ClusterCommands } from '../src/clusters/actions.ts';
import { ClustersApi } from '../src/clusters/api.ts';
import { FormDialog } from '../src/common/dialog.ts';
import { SILENT } from '../src/common/rest.ts';
import { RunActions, RunCommands } from '../src/runs/actions.ts';
import { RunsApi } from '../src/runs/api.ts';
import { CodeRaised, runCodeIn } from '../src/runs/kernel.ts';
import { dialogs } from './support/apputils.mjs';
import { cluster, FULL, IDLE, row } from './support/rows.mjs';
import { server, silence } from './support/server.mjs';
import { settle } from './support/time.mjs';

const said = () => Notification.manager.notifications.map(({ message }) => message);

beforeEach(() => {
  Notification.manager.dismiss();
  Object.assign(dialogs, { shown: [], accept: false });
});

/** A list that takes down what it is told. */
function listOf(Api, there) {
  const list = { api: new Api(there.settings), taken: [], dropped: [] };
  list.take = one => list.taken.push(one);
  list.drop = id => list.dropped.push(id);
  return list;
}

/** What can be done with runs, on a server that answers so. */
function runActions(reply, notebooks = {}) {
  const there = server(reply);
  const list = listOf(RunsApi, there);
  const done = [];
  const manager = { openOrReveal: path => done.push(path) };
  const actions = new RunActions(list, manager, notebooks, { execute: async (...what) => done.push(what) });
  const asked = () => there.asked.map(({ method, path }) => `${method} ${path.replace('skiva/runs', '')}`);
  return { actions, list, done, asked, there };
}

const ended = values => row({ id: 'a', state: 'completed', life: 'ended', ...values });

test('a run that waits is cancelled at once, one that runs only when somebody is sure', async () => {
  const { actions, list, asked } = runActions(() => [200, { id: 'a', state: 'cancelled' }]);
  await actions.cancel(row({ id: 'a', life: 'waiting' }));
  assert.deepEqual([asked(), dialogs.shown.length], [['POST /a/cancel'], 0]);
  assert.deepEqual(list.taken, [{ id: 'a', state: 'cancelled' }]);
  await actions.cancel(row({ id: 'a', name: 'fit' }));
  assert.deepEqual([asked().length, dialogs.shown[0].title], [1, 'Cancel fit?']);
  assert.deepEqual(
    dialogs.shown[0].buttons.map(({ label }) => label),
    ['Let it run', 'Cancel the run']
  );
  assert.match(dialogs.shown[0].body, /is kept, and it can be run again/);
  dialogs.accept = true;
  await actions.cancel(row({ id: 'a' }));
  assert.equal(asked().length, 2);
});

test('what goes wrong with a run is told, and nothing is taken over', async () => {
  const { actions, list, there } = runActions(() => [409, { message: 'It ended.' }]);
  await actions.cancel(row({ life: 'waiting' }));
  await actions.remove(ended());
  assert.deepEqual(said(), ['It ended.', 'It ended.']);
  there.reply = silence;
  await actions.again(ended());
  assert.equal(said()[0], SILENT);
  assert.deepEqual([list.taken, list.dropped], [[], []]);
});

test('the same is sent off once more and looked at', async () => {
  const { actions, list, done, asked } = runActions(() => [200, { id: 'b' }]);
  await actions.again(ended());
  assert.deepEqual([asked(), list.taken], [['POST /a/again'], [{ id: 'b' }]]);
  assert.deepEqual(done, [[RunCommands.show, { id: 'b' }]]);
});

test('pressing again after no answer is the same repetition, and after an answer another', async () => {
  const { actions, there } = runActions(silence);
  await actions.again(ended());
  await actions.again(ended());
  await actions.again(ended({ id: 'c' }));
  there.reply = () => [200, { id: 'b' }];
  await actions.again(ended());
  await actions.again(ended());
  const keys = there.asked.map(({ body }) => body.key);
  assert.deepEqual([keys[1], keys[3]], [keys[0], keys[0]]);
  assert.equal(new Set(keys).size, 3);
});

test('a run that was removed can be brought back', async () => {
  const { actions, list, asked } = runActions(() => [200, {}]);
  const gone = ended({ name: 'fit' });
  await actions.end(gone);
  assert.deepEqual([asked(), list.dropped, said()], [['DELETE /a'], ['a'], ['fit was removed.']]);
  const [{ options }] = Notification.manager.notifications;
  assert.deepEqual([options.autoClose, options.actions[0].label], [10_000, 'Undo']);
  options.actions[0].callback();
  await settle();
  assert.deepEqual([asked()[1], list.taken], ['POST /a/restore', [gone]]);
});

test('the key Delete cancels what lives', async () => {
  const { actions, asked } = runActions(() => [200, {}]);
  await actions.end(row({ id: 'a', life: 'waiting' }));
  assert.deepEqual(asked(), ['POST /a/cancel']);
});

test('what a run left is opened where it is', async () => {
  const { actions, done } = runActions(() => [200, {}]);
  const one = ended({ dir: 'skiva-runs/a' });
  actions.openResult(one);
  actions.openLog(one, null);
  actions.openLog(one, 0);
  await actions.openFolder(one);
  assert.deepEqual(done, [
    'skiva-runs/a/out.ipynb',
    'skiva-runs/a/log',
    'skiva-runs/a/tasks/0.log',
    ['filebrowser:go-to-path', { path: 'skiva-runs/a' }]
  ]);
  actions.copy(one);
  assert.deepEqual([Clipboard.text, said()], ['skiva.run("a")', ['Copied skiva.run("a")']]);
});

test('whoever goes to a run’s cell is told when the notebook has it no more', async () => {
  let there = true;
  const looked = [];
  const reveal = async (_, ...where) => {
    looked.push(where);
    return there;
  };
  const { actions } = runActions(() => [200, {}], { reveal });
  await actions.goToCell(row({ notebook: null }));
  await actions.goToCell(row({ notebook: 'work/a.ipynb', cell_id: 'x' }));
  assert.deepEqual([looked, said()], [[['work/a.ipynb', 'x']], []]);
  there = false;
  await actions.goToCell(row({ notebook: 'work/a.ipynb', cell_id: 'x' }));
  assert.deepEqual(said(), ['a.ipynb no longer has the cell.']);
});

/** What can be done with clusters, on a server that answers so. */
function clusterActions(reply, notebooks = {}) {
  const there = server(reply);
  const list = listOf(ClustersApi, there);
  const done = [];
  const commands = { execute: async (...what) => done.push(what) };
  const shell = { currentWidget: 'current', activateById: id => done.push(id) };
  const actions = new ClusterActions(list, { commands, shell }, notebooks);
  const asked = () =>
    there.asked.map(
      ({ method, path, body }) => `${method} ${path.replace('skiva/clusters', '')} ${JSON.stringify(body)}`
    );
  return { actions, list, done, asked, there };
}

test('so many workers are asked for, and what was there before can be had again', async () => {
  const { actions, list, asked } = clusterActions(() => [200, { id: 'a', name: 'answer' }]);
  let heard = 0;
  actions.changed.connect(() => {
    heard += 1;
  });
  const one = cluster({ id: 'a' });
  assert.equal(actions.request('a'), null);
  const asking = actions.scale(one, 6);
  assert.deepEqual([actions.request('a').heard, actions.request('a').wish], [false, { workers: 6 }]);
  await asking;
  assert.deepEqual([asked(), heard], [['POST /a/scale {"workers":6}'], 2]);
  const { heard: known, before, at } = actions.request('a');
  assert.deepEqual([known, before, Math.abs(at - Date.now() / 1000) < 60], [true, { workers: 4 }, true]);
  assert.deepEqual(list.taken, [{ id: 'a', name: 'answer' }]);
  await actions.undo(cluster({ id: 'a', workers: { ...FULL, wanted: 6 } }));
  assert.equal(asked()[1], 'POST /a/scale {"workers":4}');
});

test('bounds are asked for as bounds', async () => {
  const { actions, asked } = clusterActions(() => [200, {}]);
  await actions.adapt(cluster({ id: 'a' }), { minimum: 1, maximum: 3 });
  assert.deepEqual(asked(), ['POST /a/adapt {"minimum":1,"maximum":3}']);
});

test('what it has already is not asked for, nor is anything undone that was not asked', async () => {
  const { actions, asked } = clusterActions(() => [200, {}]);
  await actions.scale(cluster({}), 4);
  await actions.undo(cluster({}));
  assert.deepEqual([asked(), actions.request('261122-aaaaaaaa')], [[], null]);
});

test('a request that was refused is told and forgotten', async () => {
  const { actions, list } = clusterActions(() => [409, { message: 'It is closing.' }]);
  await actions.scale(cluster({ id: 'a' }), 6);
  assert.deepEqual([said(), actions.request('a'), list.taken], [['It is closing.'], null, []]);
});

test('closing asks only where something would be lost', async () => {
  const { actions, list, asked } = clusterActions(() => [200, { id: 'a' }]);
  await actions.end(cluster({ id: 'a' }));
  assert.deepEqual([asked(), list.taken, dialogs.shown.length], [['POST /a/close {}'], [{ id: 'a' }], 0]);
  const busy = cluster({ id: 'a', tasks: { ...IDLE, memory: 3 } });
  await actions.close(busy);
  assert.deepEqual([asked().length, dialogs.shown[0].title], [1, 'Close search?']);
  assert.match(dialogs.shown[0].body, /3 results/);
  assert.deepEqual(
    dialogs.shown[0].buttons.map(({ label }) => label),
    ['Keep it', 'Close the cluster']
  );
  dialogs.accept = true;
  await actions.close(busy);
  assert.equal(asked().length, 2);
});

test('a cluster that ended is taken off the list, unless the server says no', async () => {
  const { actions, list, asked, there } = clusterActions(() => [204]);
  await actions.end(cluster({ id: 'a', state: 'closed' }));
  assert.deepEqual([asked(), list.dropped], [['DELETE /a ""'], ['a']]);
  there.reply = () => [409, { message: 'It lives.' }];
  await actions.remove(cluster({ id: 'b' }));
  assert.deepEqual([said(), list.dropped], [['It lives.'], ['a']]);
});

/** A notebook that takes a cell. */
function panel(id) {
  const cells = [];
  const sharedModel = { insertCell: (_, cell) => cells.push(cell.source) };
  const content = { activeCellIndex: 0, widgets: [0], scrollToItem: async () => undefined };
  return { id, cells, content, context: { model: { sharedModel } } };
}

test('the line that connects goes into the notebook around, the current one, or one that is seen', () => {
  const [around, current, seen] = ['around', 'current', 'seen'].map(panel);
  const found = { as: () => current, shown: () => seen };
  const { actions, done } = clusterActions(() => [200, {}], found);
  actions.connect(cluster({}), around);
  actions.connect(cluster({}));
  found.as = () => null;
  actions.connect(cluster({}));
  assert.deepEqual([around.cells.length, current.cells.length, seen.cells.length], [1, 1, 1]);
  assert.match(seen.cells[0], /skiva\.cluster\("search"\)/);
  assert.deepEqual(done, ['around', 'current', 'seen']);
  assert.deepEqual(said()[0], 'Run the new cell: it connects to search.');
  found.shown = () => null;
  actions.connect(cluster({}));
  assert.match(said()[0], /^No notebook is open/);
});

test('pages, the panel and the form are opened by their commands', async () => {
  const { actions, done } = clusterActions(() => [200, {}]);
  await actions.openPage(cluster({ id: 'a' }), { title: 'Status', path: 'status' });
  await actions.show('a');
  await actions.start();
  assert.deepEqual(done, [
    [ClusterCommands.dashboard, { id: 'a', name: 'search', title: 'Status', path: 'status' }],
    [ClusterCommands.show, { id: 'a' }],
    [ClusterCommands.start]
  ]);
});

/** A form in its dialog, with what was said in it. */
function formDialog(send, wishes = () => 'wishes') {
  const form = { busy: false, told: [], wishes, say: (...what) => form.told.push(what) };
  const words = { title: 'Run', button: 'Submit', busy: 'Submitting…' };
  return { form, dialog: new FormDialog(words, form, send) };
}

test('a form is sent once, however often it is pressed', async () => {
  const sent = [];
  let done;
  const { form, dialog } = formDialog(wishes => {
    sent.push(wishes);
    return new Promise(resolve => (done = resolve));
  });
  assert.deepEqual([dialog.options.title, dialog.options.buttons[1].label], ['Run', 'Submit']);
  dialog.resolve();
  dialog.resolve(1);
  dialog.resolve();
  assert.deepEqual([sent, form.busy, form.told], [['wishes'], true, [['Submitting…', false]]]);
  assert.deepEqual(dialog.left, []);
  done();
  await settle();
  assert.deepEqual(dialog.left, [1]);
});

test('a form stays, with why, until what it asks for was done', async () => {
  let fails = true;
  const { form, dialog } = formDialog(async () => {
    if (fails) {
      throw new Error('Too many.');
    }
  });
  dialog.resolve();
  await settle();
  assert.deepEqual([form.busy, form.told.at(-1), dialog.left], [false, ['Too many.', true], []]);
  fails = false;
  dialog.resolve();
  await settle();
  assert.deepEqual(dialog.left, [1]);
});

test('a form that is wrong sends nothing, and one that is given up neither', async () => {
  const sent = [];
  const { form, dialog } = formDialog(
    async wishes => sent.push(wishes),
    () => null
  );
  dialog.resolve();
  await settle();
  assert.deepEqual([sent, form.busy, dialog.left], [[], false, []]);
  dialog.resolve(0);
  assert.deepEqual([sent, dialog.left], [[], [0]]);
});

/** A kernel that says so of what it is asked to run. */
function kernel(messages, content) {
  const asked = [];
  const requestExecute = request => {
    asked.push(request);
    const future = {};
    future.done = settle().then(() => {
      messages.forEach(([msg_type, said]) => future.onIOPub({ header: { msg_type }, content: said }));
      return { content };
    });
    return future;
  };
  return { asked, requestExecute };
}

test('what code printed, and what it showed last, comes back from a kernel', async () => {
  const shown = value => ({ data: { 'text/plain': value } });
  const here = kernel(
    [
      ['stream', { text: ' one\n' }],
      ['display_data', shown('first')],
      ['stream', { text: 'two\n' }],
      ['execute_result', shown('middle')],
      ['display_data', shown('last')],
      ['status', { execution_state: 'idle', data: { no: 1 } }]
    ],
    { status: 'ok' }
  );
  assert.deepEqual(await runCodeIn(here, 'x'), { text: 'one\ntwo', data: { 'text/plain': 'last' } });
  assert.deepEqual(here.asked, [
    { code: 'x', stop_on_error: false, store_history: false, allow_stdin: false }
  ]);
  const bare = kernel([['display_data', {}]], { status: 'ok' });
  assert.deepEqual(await runCodeIn(bare, 'x'), { text: '', data: {} });
});

test('code that raised, and a kernel that was interrupted, are told', async () => {
  const raised = kernel([], { status: 'error', ename: 'ValueError', evalue: 'no' });
  await assert.rejects(runCodeIn(raised, 'x'), { message: 'ValueError: no' });
  await assert.rejects(runCodeIn(kernel([], { status: 'abort' }), 'x'), /^Error: Interrupted: the kernel/);
  assert.equal(new CodeRaised('KeyboardInterrupt', '').message, 'KeyboardInterrupt');
});
