import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Keyed } from '../src/common/keyed.ts';
import { NotServed, sentenceOf, ServerError, SILENT } from '../src/common/rest.ts';
import { RunsApi } from '../src/runs/api.ts';
import { server, silence } from './support/server.mjs';

/** What went wrong. */
async function wrong(promise) {
  return promise.then(
    () => assert.fail('it went well'),
    error => error
  );
}

test('an answer is what the server said, asked for with a method, an address and a body', async () => {
  const { asked, settings } = server(() => [200, { id: 'a' }]);
  assert.deepEqual(await new RunsApi(settings).submit({ name: 'fit', key: 'k' }), { id: 'a' });
  assert.deepEqual(await new RunsApi(settings).list({ since: 3 }), { id: 'a' });
  assert.deepEqual(asked, [
    { method: 'POST', path: 'skiva/runs', body: { name: 'fit', key: 'k' } },
    { method: 'GET', path: 'skiva/runs?since=3', body: '' }
  ]);
});

test('no content is an answer', async () => {
  await new RunsApi(server(() => [204]).settings).remove('a');
});

test('a refusal is told in the server’s own sentence, with its status', async () => {
  const refused = await wrong(
    new RunsApi(server(() => [409, { message: 'It ended.' }]).settings).cancel('a')
  );
  assert.ok(refused instanceof ServerError);
  assert.deepEqual([refused.message, refused.status, refused.unheard], ['It ended.', 409, false]);
});

test('whatever is no sentence is told as silence', async () => {
  for (const answer of [undefined, null, {}, { message: '' }, { message: 7 }, 'no']) {
    const error = await wrong(new RunsApi(server(() => [500, answer]).settings).get('a'));
    assert.deepEqual([error.message, error.status], [SILENT, 500], JSON.stringify(answer));
  }
  const cut = await wrong(new RunsApi(server(() => [200]).settings).get('a'));
  assert.deepEqual([cut.message, cut.status], [SILENT, 200]);
});

test('nobody knows what became of a request that was not answered, or that a proxy answered', async () => {
  const unanswered = await wrong(new RunsApi(server(silence).settings).again('a', 'k'));
  assert.deepEqual([unanswered.message, unanswered.status, unanswered.unheard], [SILENT, 0, true]);
  const unheard = [0, 400, 404, 409, 499, 500, 502, 503, 504].filter(
    status => new ServerError('', status).unheard
  );
  assert.deepEqual(unheard, [0, 500, 502, 503, 504]);
});

test('only a list that is not there means that the server keeps none', async () => {
  const api = new RunsApi(server(() => [404, { message: 'Gone.' }]).settings);
  assert.ok((await wrong(api.list({ limit: 5 }))) instanceof NotServed);
  for (const asked of [api.get('261122-aaaaaaaa'), api.offer(), api.submit({})]) {
    assert.equal((await wrong(asked)).message, 'Gone.');
  }
  const broken = new RunsApi(server(() => [403, { message: 'No.' }]).settings);
  assert.equal((await wrong(broken.list({}))).message, 'No.');
});

test('a submission is waited for longer than a look', async t => {
  const waits = t.mock.method(AbortSignal, 'timeout', () => new AbortController().signal);
  const api = new RunsApi(server(() => [200, { tasks: [], draft: 'd' }]).settings);
  await api.tasks('a');
  await api.draft('a.ipynb', {});
  const [look, submission] = waits.mock.calls.map(call => call.arguments[0]);
  assert.deepEqual([look, submission], [15_000, 100_000]);
});

test('each thing that is done with a run has its address', async () => {
  const { asked, settings } = server(() => [200, { tasks: [7], draft: 'd' }]);
  const api = new RunsApi(settings);
  await Promise.all([api.log('a', 5), api.log('a', 5, 0), api.cancel('a')]);
  await Promise.all([api.again('a', 'k'), api.restore('a')]);
  await api.remove('a');
  assert.deepEqual(await api.tasks('a'), [7]);
  assert.equal(await api.draft('x.ipynb', { cells: [] }), 'd');
  await api.offer();
  assert.deepEqual(
    asked.map(({ method, path }) => `${method} ${path.replace('skiva/runs', '')}`),
    [
      'GET /a/log?offset=5',
      'GET /a/log?offset=5&task=0',
      'POST /a/cancel',
      'POST /a/again',
      'POST /a/restore',
      'DELETE /a',
      'GET /a/tasks',
      'POST /drafts',
      'GET /offer'
    ]
  );
  assert.deepEqual(asked.at(-2).body, { path: 'x.ipynb', content: { cells: [] } });
});

test('only what the server said is told to a person', () => {
  assert.equal(sentenceOf(new ServerError('It ended.', 409)), 'It ended.');
  assert.equal(sentenceOf(new TypeError('x is not a function')), SILENT);
});

test('pressing again after no answer, or after a 503, is the same submission', async () => {
  const keys = [];
  const once = new Keyed();
  const send = answer =>
    once
      .send(async key => {
        keys.push(key);
        return answer();
      })
      .catch(() => undefined);
  const fails = status => () => {
    throw new ServerError('', status);
  };
  for (const answer of [fails(0), fails(503), fails(500), fails(422), fails(0), () => 'done']) {
    await send(answer);
  }
  const [first, second, ...more] = new Set(keys);
  assert.deepEqual(keys, [first, first, first, first, second, second]);
  assert.deepEqual(more, []);
  assert.ok(first.length > 30 && second.length > 30);
});

test('what was refused may be sent anew, and whoever sends learns why', async () => {
  const once = new Keyed();
  const keys = new Set();
  for (const error of [new ServerError('Too many.', 429), new Error('It could not be read.')]) {
    const sent = once.send(async key => {
      keys.add(key);
      throw error;
    });
    assert.equal(await wrong(sent), error);
  }
  assert.equal(await once.send(async key => keys.add(key).size), 3);
});
