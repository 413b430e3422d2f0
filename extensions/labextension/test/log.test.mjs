import assert from 'node:assert/strict';
import { test } from 'node:test';

import { coloured, lastLines } from '../src/common/ansi.ts';

const text = line => line.map(span => span.text).join('');

test('colours become JupyterLab’s classes and go on over lines', () => {
  const [one, two, three] = coloured('\x1b[1;31mbad\n\x1b[22mworse\x1b[0m fine\nplain');
  assert.deepEqual(one, [{ text: 'bad', style: 'ansi-red-fg ansi-bold' }]);
  assert.deepEqual(two, [
    { text: 'worse', style: 'ansi-red-fg' },
    { text: ' fine', style: '' }
  ]);
  assert.deepEqual(three, [{ text: 'plain', style: '' }]);
});

test('a progress bar that writes over itself is seen once', () => {
  assert.equal(text(coloured('\r 10%|#   |\r 50%|##  |\r100%|####|')[0]), '100%|####|');
  assert.equal(text(coloured('windows\r\nline')[0]), 'windows');
});

test('whatever else a terminal would do is left out', () => {
  assert.equal(text(coloured('\x1b[2Ja\x1b]0;title\x07b\x1b[?25lc\x00\x07d\x1b')[0]), 'abcd');
  assert.deepEqual(coloured('<b>&amp;</b>')[0], [{ text: '<b>&amp;</b>', style: '' }]);
  assert.equal(coloured('\x1b[38;5;9mx')[0][0].style, 'ansi-red-intense-fg');
  assert.equal(coloured('\x1b[38;2;1;2;31mx')[0][0].style, '');
  assert.equal(coloured('\x1b[7mx')[0][0].style, 'ansi-default-inverse-fg ansi-default-inverse-bg');
});

test('the end of a log is its last lines', () => {
  assert.deepEqual(lastLines('a\nb\nc\n', 2), { text: 'b\nc', before: 1 });
  assert.deepEqual(lastLines('a', 2), { text: 'a', before: 0 });
  assert.deepEqual(lastLines('', 2), { text: '', before: 0 });
});
