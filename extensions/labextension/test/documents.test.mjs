import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Signal } from '@lumino/signaling';

import { insertBelow, activate, cellsOf, contentOf, Notebooks } from '../src/common/notebooks.ts';
import { OpenDocuments } from '../src/documents.ts';
import { settle, stoppedClock } from './support/time.mjs';

/** A document with unsaved changes, but for these. */
function context(name, values = {}) {
  const made = {
    localPath: `work/${name}`,
    isDisposed: false,
    contentsModel: { writable: true },
    saves: 0,
    async save() {
      made.saves += 1;
      made.model.dirty = false;
    },
    ...values,
    model: { readOnly: false, dirty: true, ...values.model }
  };
  return made;
}

/** The open documents: each in an area of the page, a widget without one beside it. */
function documentsOf(areas) {
  const fileChanged = new Signal({});
  const shell = { widgets: area => [...(areas[area] ?? []), 'a terminal'] };
  const manager = {
    services: { contents: { fileChanged } },
    contextForWidget: widget => (widget === 'a terminal' ? undefined : widget)
  };
  return { open: new OpenDocuments(shell, manager), fileChanged };
}

test('what has unsaved changes is saved wherever it is on the page, each once', async () => {
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map(name => context(`${name}.ipynb`));
  const { open } = documentsOf({ main: [a, b, a], down: [c], left: [d], right: [a] });
  assert.deepEqual(open.unsaved, ['a.ipynb', 'b.ipynb', 'c.ipynb', 'd.ipynb']);
  assert.deepEqual(await open.saveAll(), { saved: ['a.ipynb', 'b.ipynb', 'c.ipynb', 'd.ipynb'], failed: [] });
  assert.deepEqual([a.saves, open.unsaved], [1, []]);
});

test('what is saved already, or closed, is left alone', async () => {
  const [clean, closed] = [context('a', { model: { dirty: false } }), context('b', { isDisposed: true })];
  const { open } = documentsOf({ main: [clean, closed] });
  assert.deepEqual(await open.saveAll(), { saved: [], failed: [] });
  assert.deepEqual([clean.saves, closed.saves], [0, 0]);
});

test('what cannot be saved is named, and does not keep the others from it', async () => {
  const refuses = () => Promise.reject(new Error('The disk is full.'));
  const read = context('read', { model: { readOnly: true } });
  const locked = context('locked', { contentsModel: { writable: false } });
  const unknown = context('new', { contentsModel: null });
  const { open } = documentsOf({
    main: [context('full', { save: refuses }), read, locked, unknown, context('fine')]
  });
  assert.deepEqual(await open.saveAll(), { saved: ['new', 'fine'], failed: ['full', 'read', 'locked'] });
  assert.deepEqual([read.saves, locked.saves], [0, 0]);
});

test('a save that waits for an answer to a dialog is given up after twenty seconds', async t => {
  const pass = stoppedClock(t);
  const { open } = documentsOf({
    main: [context('asks', { save: () => new Promise(() => undefined) }), context('b')]
  });
  let result = null;
  void open.saveAll().then(saved => {
    result = saved;
  });
  await pass(19);
  assert.equal(result, null);
  await pass(1);
  assert.deepEqual(result, { saved: ['b'], failed: ['asks'] });
});

test('saving again leaves out what could not be saved, until it could', async () => {
  let full = true;
  const stuck = context('a', {
    save: async () => {
      stuck.saves += 1;
      if (full) {
        throw new Error('The disk is full.');
      }
    }
  });
  const fine = context('b');
  const { open } = documentsOf({ main: [stuck, fine] });
  await open.saveAgain();
  fine.model.dirty = true;
  await open.saveAgain();
  assert.deepEqual([stuck.saves, fine.saves], [1, 2]);
  full = false;
  await open.saveAll();
  await open.saveAgain();
  assert.equal(stuck.saves, 3);
});

test('when something was saved last is known, and nothing else counts', async () => {
  const { open, fileChanged } = documentsOf({});
  assert.equal(open.lastSave, null);
  fileChanged.emit({ type: 'rename' });
  assert.equal(open.lastSave, null);
  fileChanged.emit({ type: 'save' });
  assert.ok(Date.now() - open.lastSave.getTime() < 60_000);
});

/** An open notebook with cells of these ids. */
function notebook(path, cells = ['x', 'y']) {
  const inserted = [];
  const made = {
    isVisible: false,
    revealed: Promise.resolve(),
    node: { contains: node => node === made.inside },
    inside: {},
    inserted,
    context: {
      path,
      ready: Promise.resolve(),
      model: {
        toJSON: () => ({ cells: [] }),
        sharedModel: { insertCell: (index, cell) => inserted.push([index, cell]) }
      }
    },
    content: {
      activeCellIndex: 0,
      widgets: cells.map(id => ({ model: { id }, node: { id } })),
      scrolled: [],
      scrollToItem: async (...to) => made.content.scrolled.push(to)
    }
  };
  return made;
}

/** Some open notebooks. */
function opened(...panels) {
  const dressed = new Set();
  const notebooks = new Notebooks(panel => {
    dressed.add(panel);
    return { dispose: () => dressed.delete(panel) };
  });
  return { notebooks, dressed, closes: panels.map(panel => notebooks.createNew(panel)) };
}

test('an open notebook is found by its path, by what is inside it, and where it is seen', () => {
  const [a, b] = [notebook('a.ipynb'), notebook('b.ipynb')];
  const { notebooks, dressed, closes } = opened(a, b);
  assert.deepEqual([notebooks.at('b.ipynb'), notebooks.at('c.ipynb')], [b, null]);
  assert.deepEqual([notebooks.around(b.inside), notebooks.around({})], [b, null]);
  assert.equal(notebooks.shown(), null);
  b.isVisible = true;
  assert.equal(notebooks.shown(), b);
  assert.deepEqual([notebooks.as(a), notebooks.as({}), notebooks.as(null)], [a, null, null]);
  closes[1].dispose();
  assert.deepEqual([notebooks.at('b.ipynb'), notebooks.as(b), [...dressed]], [null, null, [a]]);
});

test('a cell is put below the active one and becomes that; nothing is run', async () => {
  const panel = notebook('a.ipynb');
  panel.content.activeCellIndex = 1;
  insertBelow(panel, 'import skiva');
  insertBelow(panel, 'x');
  await settle();
  const cell = source => ({ cell_type: 'code', source });
  assert.deepEqual(panel.inserted, [
    [2, cell('import skiva')],
    [2, cell('x')]
  ]);
  assert.equal(panel.content.activeCellIndex, 2);
  assert.deepEqual(panel.content.scrolled[0], [2, 'smart']);
});

test('the cell that somebody points at becomes the active one', () => {
  const panel = notebook('a.ipynb');
  activate(panel, panel.content.widgets[1].node);
  assert.equal(panel.content.activeCellIndex, 1);
  for (const node of [undefined, {}]) {
    activate(panel, node);
    assert.equal(panel.content.activeCellIndex, 1);
  }
  activate(panel, panel.content.widgets[0].node);
  assert.equal(panel.content.activeCellIndex, 0);
});

test('a notebook is opened at a cell, and it is told when that is gone', async () => {
  const panel = notebook('a.ipynb');
  const { notebooks } = opened(panel);
  const manager = { openOrReveal: path => (path === 'a.ipynb' ? panel : undefined) };
  assert.equal(await notebooks.reveal(manager, 'a.ipynb', 'y'), true);
  assert.deepEqual([panel.content.activeCellIndex, panel.content.scrolled], [1, [[1, 'center']]]);
  assert.equal(await notebooks.reveal(manager, 'a.ipynb', 'gone'), false);
  assert.equal(panel.content.scrolled.length, 1);
  assert.equal(await notebooks.reveal(manager, 'a.ipynb', 'x'), true);
  assert.equal(await notebooks.reveal(manager, 'a.ipynb', null), true);
  assert.equal(await notebooks.reveal(manager, 'b.ipynb', null), false);
  assert.equal(await notebooks.reveal(manager, 'b.ipynb', 'x'), false);
});

test('a notebook’s cells are read whatever was in its file', () => {
  assert.deepEqual(contentOf(notebook('a')), { cells: [] });
  assert.deepEqual(cellsOf({ cells: [1] }), [1]);
  assert.deepEqual(cellsOf({ cells: 'no' }), []);
  assert.deepEqual(cellsOf({}), []);
});
