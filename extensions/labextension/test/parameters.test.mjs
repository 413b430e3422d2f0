import assert from 'node:assert/strict';
import { test } from 'node:test';

import { literal } from '../src/runs/literals.ts';
import { changedValues, parametersOf } from '../src/runs/parameters.ts';

const cell = source => ({ cell_type: 'code', metadata: { tags: ['parameters'] }, source });

test('Python’s and JSON’s plain values are read', () => {
  const cases = [
    ['1', 1],
    ['-2.5e3', -2500],
    ['1_000', 1000],
    ['.5', 0.5],
    ['None', null],
    ['null', null],
    ['True', true],
    ["'it\\'s'", "it's"],
    ['"a\\n\\u00e9"', 'a\né'],
    ['[1, [2],]', [1, [2]]],
    ['(1,)', [1]],
    ['(1)', 1],
    ['()', []]
  ];
  for (const [text, value] of cases) {
    assert.deepEqual(literal(text), { value }, text);
  }
  assert.deepEqual({ ...literal('{\'a\': [None], "b": {}}').value }.a, [null]);
});

test('what is not plain is refused in words, and nothing is rounded', () => {
  for (const text of [
    '',
    'name',
    'Path("x")',
    '1 2',
    '[1',
    '{1: 2}',
    '"open',
    '12345678901234567890',
    '1e999'
  ]) {
    assert.ok(literal(text).error, text);
  }
});

test('the assignments of the cell tagged parameters are found', () => {
  const source = [
    'lr = 0.1  # learning rate\n',
    'epochs: int = 3\n',
    "name = 'a # b'\n",
    'sizes = [64,\n',
    '  32]\n'
  ];
  const found = parametersOf([
    { cell_type: 'markdown', source: 'x = 1' },
    cell([...source, 'root = Path("x")\n', 'if a == 1:\n', '    b = 2'])
  ]);
  assert.deepEqual(
    found.map(({ name, text, plain }) => [name, text, plain]),
    [
      ['lr', '0.1', true],
      ['epochs', '3', true],
      ['name', "'a # b'", true],
      ['sizes', '[64, 32]', true],
      ['root', 'Path("x")', false]
    ]
  );
  assert.equal(found[0].comment, 'learning rate');
  assert.equal(parametersOf([{ cell_type: 'code', source: 'x = 1', metadata: {} }]), null);
});

test('a parameter may have the name of what every object has', () => {
  const parameters = parametersOf([cell('constructor = 1\ntoString = 2\n__proto__ = 3')]);
  assert.deepEqual(changedValues(parameters, {}), { values: {}, errors: {} });
  const { values } = changedValues(parameters, { constructor: '5', ['__proto__']: '7' });
  assert.equal(JSON.stringify(values), '{"constructor":5,"__proto__":7}');
});

test('only changed parameters are sent, and a wrong one is named', () => {
  const parameters = parametersOf([cell('lr = 0.1\nname = "a"\nn = 3')]);
  const { values, errors } = changedValues(parameters, { lr: '0.5', name: '"a"', n: 'many' });
  assert.deepEqual(values, { lr: 0.5 });
  assert.deepEqual(Object.keys(errors), ['n']);
});
