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

const styles = text => coloured(text)[0].map(({ style }) => style);

test('each colour of a terminal has its class, before and behind the text', () => {
  const names = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'];
  names.forEach((name, index) => {
    assert.deepEqual(styles(`\x1b[3${index}ma`), [`ansi-${name}-fg`]);
    assert.deepEqual(styles(`\x1b[4${index}ma`), [`ansi-${name}-bg`]);
    assert.deepEqual(styles(`\x1b[9${index}ma`), [`ansi-${name}-intense-fg`]);
    assert.deepEqual(styles(`\x1b[10${index}ma`), [`ansi-${name}-intense-bg`]);
    assert.deepEqual(styles(`\x1b[38;5;${index}ma`), [`ansi-${name}-fg`]);
    assert.deepEqual(styles(`\x1b[48:5:${index + 8}ma`), [`ansi-${name}-intense-bg`]);
  });
});

test('what a code switched on another switches off', () => {
  assert.deepEqual(styles('\x1b[1ma\x1b[22mb'), ['ansi-bold', '']);
  assert.deepEqual(styles('\x1b[4ma\x1b[24mb'), ['ansi-underline', '']);
  assert.deepEqual(styles('\x1b[31ma\x1b[39mb'), ['ansi-red-fg', '']);
  assert.deepEqual(styles('\x1b[41ma\x1b[49mb'), ['ansi-red-bg', '']);
  assert.deepEqual(styles('\x1b[31;42;7ma\x1b[27mb'), [
    'ansi-green-fg ansi-red-bg',
    'ansi-red-fg ansi-green-bg'
  ]);
  assert.deepEqual(styles('\x1b[31;1;4;7ma\x1b[mb'), [
    'ansi-default-inverse-fg ansi-red-bg ansi-bold ansi-underline',
    ''
  ]);
});

test('codes that nobody knows change nothing, and long ones are skipped whole', () => {
  assert.deepEqual(styles('\x1b[31m\x1b[3;58;99;109;110;8ma'), ['ansi-red-fg']);
  assert.deepEqual(styles('\x1b[38;2;1;2;3;1ma'), ['ansi-bold']);
  assert.deepEqual(styles('\x1b[38;5;200;1ma'), ['ansi-bold']);
  assert.deepEqual(styles('\x1b[38;1ma'), ['ansi-bold']);
  assert.deepEqual(styles('\x1b[31m\x1b[38;5;16ma'), ['']);
});

test('what moves a cursor leaves no trace in the text', () => {
  for (const escape of [
    '\x1b[2K',
    '\x1b[10;5H',
    '\x1b[?1049h',
    '\x1b[A',
    '\x1b(B',
    '\x1b)0',
    '\x1bM',
    '\x1b]8;;http://x\x1b\\'
  ]) {
    assert.equal(text(coloured(`a${escape}b`)[0]), 'ab', JSON.stringify(escape));
  }
  assert.equal(text(coloured('a\tb\x7f\x08\x1a')[0]), 'a\tb');
});
