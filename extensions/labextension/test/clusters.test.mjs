import assert from 'node:assert/strict';
import { test } from 'node:test';

import * as limits from '../src/clusters/limits.ts';
import * as requests from '../src/clusters/requests.ts';
import * as rows from '../src/clusters/rows.ts';
import * as words from '../src/clusters/words.ts';
import { cluster, FULL, IDLE, job, NONE, NOW } from './support/rows.mjs';

test('living clusters come first, then the newest', () => {
  const sorted = rows.inOrder([
    cluster({ id: 'a', created: 3, state: 'closed' }),
    cluster({ id: 'b', created: 1 }),
    cluster({ id: 'c', created: 2, state: 'stuck' }),
    cluster({ id: 'd', created: 4, state: 'lost' })
  ]);
  assert.equal(sorted.map(({ id }) => id).join(''), 'cbda');
});

test('only what changes is asked for often', () => {
  assert.ok(!rows.moves(cluster({})));
  assert.ok(rows.moves(cluster({ workers: { ...FULL, wanted: 5, queued: 1 } })));
  assert.ok(rows.moves(cluster({ tasks: { ...IDLE, processing: 1 } })));
  assert.ok(rows.moves(cluster({ state: 'closing' })));
  assert.ok(!rows.moves(cluster({ state: 'lost', workers: { ...NONE, wanted: 3 } })));
});

test('a state that nobody knows yet looks as if it needed somebody', () => {
  assert.equal(rows.tone('running'), 'running');
  assert.equal(rows.tone('closed'), 'stopped');
  assert.equal(rows.tone('stuck'), 'bad');
  assert.equal(rows.tone('brand_new'), 'bad');
  assert.equal(words.stateWords('brand_new'), 'Brand new');
});

test('workers come in whole jobs, and no more of them than is allowed', () => {
  assert.equal(rows.fitting(3, 1, 16), 3);
  assert.equal(rows.fitting(3, 2, 16), 4);
  assert.equal(rows.fitting(99, 4, 18), 16);
  assert.equal(rows.fitting(-1, 2, 16), 0);
  assert.equal(rows.fitting(5, 2, 0), 0);
  assert.equal(rows.mostOf(cluster({ per_job: 2, most_workers: 7 })), 6);
  assert.equal(rows.mostOf(cluster({ most_workers: 0 })), 4);
});

test('each reason to wait is told once, with the first expected start', () => {
  const jobs = [
    job({ expected: NOW + 1200 }),
    job({ expected: NOW + 600 }),
    job({ reason: 'A limit.', action: 'Ask for fewer.' }),
    job({ state: 'ready' })
  ];
  const [first, second, ...more] = words.waitingWords(jobs, NOW);
  assert.match(first, /^2 workers queued: All are in use\. Expected about .*\d\d:\d\d/);
  assert.equal(second, '1 worker queued: A limit. Ask for fewer.');
  assert.deepEqual(more, []);
  assert.deepEqual(words.waitingWords([job({ reason: '' })], NOW), [
    '1 worker queued: Slurm has not said yet why.'
  ]);
  assert.deepEqual(words.waitingWords([job({ state: 'submitting', reason: '' })], NOW), [
    '1 worker queued: On the way to Slurm.'
  ]);
});

test('a job tells its workers and its node, and why it waits only where reasons differ', () => {
  const ready = job({ state: 'ready', ready: 2, workers: 2, node: 'gpu1', ends: NOW + 60 });
  assert.match(words.jobWords(ready, NOW, false), /^2 workers · on gpu1 · until .*\d\d:\d\d/);
  assert.match(words.jobWords({ ...ready, ready: 1, ends: null }, NOW, false), /^1 of 2 ready · on gpu1$/);
  assert.equal(words.jobWords(job({ state: 'submitting', reason: '', workers: 2 }), NOW, true), '');
  assert.equal(words.jobWords(job({ ends: NOW + 60 }), NOW, false), '');
  assert.equal(words.jobWords(job({}), NOW, true), 'All are in use.');
});

test('a state that says it all stands alone', () => {
  assert.equal(words.sentenceWords(cluster({ state: 'closed', sentence: 'It was closed.' })), '');
  const over = 'Its time was over.';
  assert.equal(words.sentenceWords(cluster({ state: 'closed', sentence: over })), over);
});

test('workers and tasks are counted in words', () => {
  const mixed = { wanted: 8, ready: 5, starting: 1, queued: 2, leaving: 1 };
  assert.equal(words.workersWords(mixed), '5 ready, 1 starting, 2 queued, 1 leaving of 8 workers');
  assert.equal(words.workersWords({ ...NONE, wanted: 1 }), 'none of 1 worker yet');
  assert.equal(words.workersWords(NONE), 'no workers');
  const tasks = { processing: 2, waiting: 3, queued: 4, memory: 1, erred: 1 };
  assert.equal(words.tasksWords(tasks), '2 in work, 7 waiting, 1 result kept, 1 failed');
  assert.equal(words.tasksWords(IDLE), 'none');
});

test('closing asks only where something would be lost, and says what', () => {
  assert.ok(!rows.hasWork(cluster({})));
  const busy = cluster({ tasks: { ...IDLE, waiting: 2, memory: 5 } });
  assert.ok(rows.hasWork(busy));
  assert.match(words.lossWords(busy), /2 tasks not done yet and 5 results/);
});

test('a screen reader hears name, state, workers and slice', () => {
  assert.equal(words.spokenRow(cluster({})), 'search, Running, 4 ready of 4 workers, MIG 1g.10gb');
  const stuck = cluster({ state: 'stuck', sentence: 'No worker can start.', simulated: true });
  assert.equal(words.spokenRow(stuck), 'search, Stuck, No worker can start., MIG 1g.10gb, simulated');
});

test('changes of state and workers that are there are announced', () => {
  const before = new Map([['261122-aaaaaaaa', cluster({ workers: { ...FULL, wanted: 5, queued: 1 } })]]);
  assert.equal(words.changesWords(before, [cluster({})]), 'search: 4 workers ready.');
  const stuck = cluster({ state: 'stuck', sentence: 'No worker can start.', action: 'Close it.' });
  assert.equal(words.changesWords(before, [stuck]), 'search: Stuck. No worker can start. Close it.');
  assert.equal(words.changesWords(before, [cluster({ id: 'new' })]), '');
  assert.equal(words.changesWords(before, [before.get('261122-aaaaaaaa')]), '');
});

test('the newest worker that died is the one that is shown at once', () => {
  const event = values => ({ at: NOW, level: 'error', text: 'died', lines: ['Killed'], ...values });
  const events = [
    event({ text: 'first', at: NOW - 9 }),
    event({ text: 'second' }),
    event({ lines: [], at: NOW + 5 }),
    event({ level: 'info', at: NOW + 6 })
  ];
  assert.equal(rows.lastDeath(events).text, 'second');
  assert.equal(rows.lastDeath([]), null);
  assert.equal(rows.latestFirst(events)[0].level, 'info');
});

test('a page leads nowhere but below the dashboard', () => {
  assert.equal(rows.pagePath('/individual-task-stream'), 'individual-task-stream');
  assert.equal(rows.pagePath('gpu/memory'), 'gpu/memory');
  for (const path of ['', '/', '../x', 'a/../b', 'https://x', '//x/y?z', 'a b', null, 'status?theme=1']) {
    const bare = rows.pagePath(path);
    assert.ok(bare === null || !/[.:?]/.test(bare), String(path));
  }
  assert.equal(rows.pagePath('../x'), null);
});

test('the pages that most people look at come first', () => {
  const pages = ['Task stream', ...'ABCDEFG', 'Workers’ memory', 'GPU memory'].map(title => ({ title }));
  const [liked, others] = rows.sortedPages(pages);
  assert.deepEqual(
    liked.map(({ title }) => title),
    ['Task stream', 'Workers’ memory', 'GPU memory']
  );
  assert.equal(others.length, 7);
  assert.equal(rows.sortedPages(pages.slice(0, 9))[0].length, 9);
});

test('a request is shown until it is done, and not when somebody else asked for something else', () => {
  const request = { wish: { workers: 6 }, before: { workers: 4 }, heard: true, at: NOW };
  const scaling = cluster({ workers: { ...FULL, wanted: 6, queued: 2 } });
  assert.ok(requests.isShown(request, scaling, NOW + 900));
  assert.equal(
    requests.requestWords(request, scaling),
    'Changing from 4 workers to 6 workers: 4 of 6 ready.'
  );
  const done = cluster({ workers: { ...FULL, wanted: 6, ready: 6 } });
  assert.ok(requests.isShown(request, done, NOW + 5));
  assert.ok(!requests.isShown(request, done, NOW + 60));
  assert.ok(!requests.isShown(request, cluster({}), NOW));
  assert.ok(requests.isShown({ ...request, heard: false }, cluster({}), NOW));
});

test('a wish is a number or bounds', () => {
  const adapts = cluster({ adapt: { minimum: 1, maximum: 8 } });
  assert.deepEqual(requests.wishOf(adapts), { minimum: 1, maximum: 8 });
  assert.ok(requests.same(requests.wishOf(cluster({})), { workers: 4 }));
  assert.ok(!requests.same(requests.wishOf(adapts), { workers: 8 }));
  assert.equal(requests.wishWords(requests.wishOf(adapts)), '1–8 workers');
});

test('the cell that connects names the cluster as Python reads it', () => {
  assert.equal(
    words.connectCode('my "x"'),
    'import skiva\n\nclient = skiva.cluster("my \\"x\\"").get_client()'
  );
});

test('what is asked for is counted in jobs and slice-hours before it is sent', () => {
  const offer = { most_jobs: 16, most_slice_hours: 64 };
  assert.deepEqual(limits.asked({ gpus: 2 }, 5, 2), { jobs: 3, sliceHours: 12 });
  assert.equal(limits.tooMuch(offer, { gpus: 0 }, 16, 4), '');
  assert.match(limits.tooMuch(offer, { gpus: 1 }, 17, 1), /17 jobs, and the site allows 16/);
  assert.match(limits.tooMuch(offer, { gpus: 1 }, 16, 5), /80 slice-hours, and the site allows 64/);
  assert.match(limits.askWords(offer, { gpus: 1 }, 1, 2), /^1 job, 2 slice-hours of at most 16 jobs/);
});
