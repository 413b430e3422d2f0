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

test('a state and a job’s state have their looks and their names', () => {
  assert.deepEqual(['starting', 'closing', 'lost'].map(rows.tone), ['waiting', 'running', 'bad']);
  assert.deepEqual(
    ['submitting', 'queued', 'starting', 'ready', 'leaving', 'ended', 'brand_new'].map(rows.jobTone),
    ['waiting', 'waiting', 'waiting', 'running', 'stopped', 'stopped', 'waiting']
  );
  assert.deepEqual(['submitting', 'ready'].map(words.jobStateWords), ['Being submitted', 'Ready']);
  assert.deepEqual([rows.isBad(cluster({})), rows.isBad(cluster({ state: 'lost' }))], [false, true]);
});

test('every kind of unrest makes a cluster move, and only while it lives', () => {
  for (const kind of ['starting', 'queued', 'leaving']) {
    assert.ok(rows.moves(cluster({ workers: { ...FULL, [kind]: 1 } })), kind);
    assert.ok(!rows.moves(cluster({ state: 'closed', workers: { ...FULL, [kind]: 1 } })), kind);
  }
  for (const kind of ['processing', 'waiting', 'queued']) {
    assert.ok(rows.moves(cluster({ tasks: { ...IDLE, [kind]: 1 } })), kind);
    assert.ok(rows.hasWork(cluster({ tasks: { ...IDLE, [kind]: 1 } })), kind);
  }
  assert.ok(rows.hasWork(cluster({ tasks: { ...IDLE, memory: 1 } })));
  assert.ok(!rows.moves(cluster({ tasks: { ...IDLE, memory: 1, erred: 1 } })));
  assert.ok(rows.moves(cluster({ state: 'starting' })));
});

test('of clusters made at once the greater id comes first', () => {
  const made = ['a', 'c', 'b'].map(id => cluster({ id, created: 1 }));
  assert.equal(
    rows
      .inOrder(made)
      .map(({ id }) => id)
      .join(''),
    'cba'
  );
});

test('the slider goes at least as far as there are workers', () => {
  assert.equal(rows.mostOf(cluster({ per_job: 2, most_workers: 4, workers: { ...FULL, wanted: 7 } })), 8);
  assert.equal(rows.mostOf(cluster({ per_job: 0, most_workers: 5 })), 5);
  assert.equal(rows.fitting(3, 0, 16), 3);
});

test('of events at the same moment the later told comes first, and information is no death', () => {
  const event = (text, at, values = {}) => ({ text, at, level: 'warning', lines: ['x'], ...values });
  const latest = rows.latestFirst([event('a', 1), event('b', 1), event('c', 0)]);
  assert.equal(latest.map(({ text }) => text).join(''), 'bac');
  assert.equal(rows.lastDeath([event('a', 1, { level: 'info' })]), null);
  assert.equal(rows.lastDeath([event('a', 1, { lines: [] })]), null);
});

test('the reason for which most workers wait comes first', () => {
  const jobs = [
    job({ reason: 'few' }),
    job({ reason: 'many', workers: 2, action: 'Do this.', expected: NOW + 60 }),
    job({ reason: 'many', expected: NOW + 30 }),
    job({ reason: 'many' })
  ];
  assert.deepEqual(rows.waitingFor(jobs), [
    { reason: 'many', action: 'Do this.', workers: 4, expected: NOW + 30 },
    { reason: 'few', action: '', workers: 1, expected: null }
  ]);
});

test('a page’s address has words between slashes and nothing else', () => {
  assert.deepEqual(['/a', '//a/b-c', 'a_1/b'].map(rows.pagePath), ['a', 'a/b-c', 'a_1/b']);
  assert.deepEqual(
    ['a//b', 'a/', 'a b', 'a\n', 'x:y', '%2e', undefined, 7].map(rows.pagePath),
    Array(8).fill(null)
  );
});

test('few pages, or none that is liked, are shown without a fold', () => {
  const pages = count => Array.from({ length: count }, (_, index) => ({ title: `Page ${index}`, path: 'x' }));
  assert.deepEqual(
    rows.sortedPages(pages(12)).map(({ length }) => length),
    [9, 3]
  );
  const liked = [{ title: 'Progress' }, ...pages(8)];
  assert.deepEqual(
    rows.sortedPages(liked).map(({ length }) => length),
    [9, 0]
  );
  const [first, others] = rows.sortedPages([
    ...pages(8),
    { title: 'CLUSTER MAP' },
    { title: 'GPU' },
    { title: 'My progress' }
  ]);
  assert.deepEqual([first.map(({ title }) => title), others.length], [['CLUSTER MAP', 'GPU'], 9]);
});

test('a job that waits says why only beside others, one that runs says where and until when', () => {
  const soon = job({ expected: NOW - 5 });
  assert.equal(words.jobWords(soon, NOW, true), 'All are in use. Expected any moment.');
  assert.equal(words.jobWords(soon, NOW, false), '');
  const ready = job({ state: 'ready', ready: 1, workers: 1, node: 'n1' });
  assert.equal(words.jobWords(ready, NOW, true), 'on n1');
  assert.equal(words.jobWords({ ...ready, ready: 2, workers: 2 }, NOW, false), '2 workers · on n1');
  assert.equal(words.jobWords({ ...ready, state: 'ended', ends: NOW }, NOW, false), 'on n1');
});

test('kind and age of a cluster are said with what sets it apart', () => {
  assert.equal(words.kindWords(cluster({})), 'MIG 1g.10gb');
  const all = cluster({ slice_title: '', simulated: true, cuda: true, per_job: 2, threads: 4 });
  assert.equal(words.kindWords(all), '1g.10gb · simulated · CUDA workers · 2 workers a job · 4 threads each');
  assert.match(words.ageWords(cluster({}), NOW), /^for 1 min 00 s · ends .* \(1 h 0 min left\)$/);
  const attached = cluster({ ends: null, detached: false, created: NOW + 60 });
  assert.equal(words.ageWords(attached, NOW), 'for 0 s · ends with its notebook’s kernel');
  assert.match(words.ageWords(cluster({ state: 'closed' }), NOW), /^made .*\d\d:\d\d/);
});

test('a line says what a cluster does, or how it ended', () => {
  const busy = { ...IDLE, processing: 1 };
  assert.equal(words.lineWords(cluster({ tasks: busy })), '4 ready of 4 workers · 1 task to do');
  assert.equal(words.lineWords(cluster({ state: 'starting', workers: NONE })), 'no workers');
  assert.equal(words.lineWords(cluster({ state: 'closing', sentence: 'It closes.' })), 'It closes.');
  assert.equal(words.lineWords(cluster({ state: 'closed', sentence: '' })), 'Closed');
  assert.equal(
    words.spokenRow(cluster({ slice_title: '' })),
    'search, Running, 4 ready of 4 workers, 1g.10gb'
  );
});

test('each kind of task is counted in words', () => {
  const only = values => words.tasksWords({ ...IDLE, ...values });
  assert.equal(only({ processing: 1 }), '1 in work');
  assert.equal(only({ waiting: 1 }), '1 waiting');
  assert.equal(only({ queued: 2 }), '2 waiting');
  assert.equal(only({ memory: 2 }), '2 results kept');
  assert.equal(only({ erred: 1 }), '1 failed');
});

test('what closing takes away is counted', () => {
  assert.equal(
    words.lossWords(cluster({ tasks: { ...IDLE, waiting: 1 } })),
    'Lost with it: 1 task not done yet. Its jobs end at once.'
  );
  assert.equal(
    words.lossWords(cluster({ tasks: { ...IDLE, memory: 1 } })),
    'Lost with it: 1 result that only its workers have. Its jobs end at once.'
  );
});

test('memory of all workers is told with its limit where there is one', () => {
  const GB = 1024 ** 3;
  assert.equal(words.usedWords({ used: GB, limit: 4 * GB }), '1 / 4 GB');
  assert.equal(words.usedWords({ used: GB, limit: 0 }), '1 GB');
});

test('many clusters that change are summed up by name', () => {
  const before = new Map('abcd'.split('').map(id => [id, cluster({ id, name: id })]));
  const after = [...before.values()].map(one => ({ ...one, state: 'stuck' }));
  assert.equal(words.changesWords(before, after), '4 clusters changed, of them a, b, c and 1 more.');
  const three = words.changesWords(before, after.slice(0, 3));
  assert.match(three, /^a: Stuck\. .* b: Stuck\. .* c: Stuck\./);
  const shrunk = new Map([['a', cluster({ id: 'a', workers: { ...FULL, leaving: 1 } })]]);
  assert.equal(
    words.changesWords(shrunk, [cluster({ id: 'a', state: 'running' })]),
    'search: 4 workers ready.'
  );
});

test('a request that was done stays for some seconds, also where bounds were asked for', () => {
  const adapts = cluster({ adapt: { minimum: 1, maximum: 8 } });
  const request = { wish: { minimum: 1, maximum: 8 }, before: { workers: 4 }, heard: true, at: NOW };
  assert.ok(requests.isShown(request, adapts, NOW + 19));
  assert.ok(!requests.isShown(request, adapts, NOW + 20));
  assert.ok(!requests.same({ workers: 1 }, { minimum: 1, maximum: 8 }));
  assert.ok(!requests.same({ minimum: 1, maximum: 8 }, { workers: 1 }));
  const other = bounds => requests.same({ minimum: 1, maximum: 8 }, bounds);
  assert.deepEqual(
    [other({ minimum: 1, maximum: 8 }), other({ minimum: 2, maximum: 8 }), other({ minimum: 1, maximum: 7 })],
    [true, false, false]
  );
});

test('what nobody asks for is not counted against the limits', () => {
  const offer = { most_jobs: 16, most_slice_hours: 64 };
  assert.equal(limits.askWords(offer, { gpus: 1 }, 0, 1), '');
  assert.equal(limits.askWords(offer, { gpus: 1 }, 1, 0), '');
  assert.equal(limits.askWords(offer, { gpus: 1 }, NaN, 1), '');
  assert.match(
    limits.askWords(offer, { gpus: 1 }, 2, 0.5),
    /^2 jobs, 1 slice-hours of at most 16 jobs and 64 slice-hours at a time, all clusters together\.$/
  );
  assert.equal(limits.tooMuch(offer, { gpus: 1 }, 16, 4), '');
  assert.deepEqual(limits.asked({ gpus: 0 }, 3, 1 / 3), { jobs: 3, sliceHours: 1 });
});
