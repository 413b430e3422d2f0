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

test('escapes in strings are read as Python reads them, or refused', () => {
  const cases = [
    [String.raw`'\n\t\r\b\f\a\v\0'`, '\n\t\r\b\f\x07\v\0'],
    [String.raw`"\\ \' \" \/ \q"`, String.raw`\ ' " / \q`],
    [String.raw`"\x41\u00e9\U0001f600\ud83d\ude00"`, 'Aé😀😀'],
    ['"a\\\nb"', 'ab'],
    [String.raw`'\0a'`, '\0a'],
    [`'it"s'`, 'it"s']
  ];
  for (const [text, value] of cases) {
    assert.deepEqual(literal(text), { value }, text);
  }
  for (const text of ['"\\x4"', '"\\xzz"', '"\\x4', '"\\u00e"', '"\\u00g0"', '"\\U00110000"']) {
    assert.match(literal(text).error, /without the \d digits of a character|closing quote/, text);
  }
  for (const text of ['"\\101"', '"\\012"', '"\\N{DASH}"']) {
    assert.match(literal(text).error, /type the character itself/, text);
  }
});

test('lists and dictionaries are read with all that may stand between', () => {
  const plain = text => JSON.parse(JSON.stringify(literal(text).value));
  assert.deepEqual(plain(' [ 1 , "a" ,\n None ] '), [1, 'a', null]);
  assert.deepEqual(plain('{ "a" : 1 , "b" : { } , }'), { a: 1, b: {} });
  assert.deepEqual(plain('((1, 2), [])'), [[1, 2], []]);
  assert.deepEqual(plain('((1))'), 1);
  assert.deepEqual(plain('([1],)'), [[1]]);
  assert.deepEqual(Object.keys(literal('{"__proto__": 1}').value), ['__proto__']);
});

test('what is not plain is refused in words, and nothing is rounded', () => {
  const generic = /^Type a number, a "string"/;
  const cases = [
    ['', generic],
    ['name', generic],
    ['constructor', generic],
    ['Path("x")', generic],
    ['1 2', generic],
    ['1x', generic],
    ['-', generic],
    ['.', generic],
    ['[1', generic],
    ['[1 2]', generic],
    ['(1]', generic],
    ['{"a": 1 "b": 2}', generic],
    ['{1: 2}', 'A dictionary has strings as its keys here.'],
    ['{"a" 2}', 'A dictionary has strings as its keys here.'],
    ['"open', 'The closing quote is missing.'],
    [`"open'`, 'The closing quote is missing.'],
    ['12345678901234567890', 'This number is too long to be sent exactly.'],
    ['-12345678901234567890', 'This number is too long to be sent exactly.'],
    ['1e999', generic],
    ['['.repeat(100_000), generic]
  ];
  for (const [text, wanted] of cases) {
    const { error } = literal(text);
    assert.ok(
      wanted === error || (wanted instanceof RegExp && wanted.test(error)),
      `${text.slice(0, 30)}: ${error}`
    );
  }
  assert.deepEqual(literal('9007199254740991'), { value: 9007199254740991 });
  assert.deepEqual(literal('1.5e+3'), { value: 1500 });
  assert.deepEqual(literal('+7'), { value: 7 });
  assert.deepEqual(literal('12345678901234567890.5'), { value: 12345678901234567000 });
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

test('statements and comments are found as they are written', () => {
  const found = source =>
    parametersOf([cell(source)]).map(({ name, text, comment }) => [name, text, comment]);
  assert.deepEqual(found('a = "#1" # one\nb="it\\"s # no"#two  \nd == 4\n# e = 5\n6 = 7'), [
    ['a', '"#1"', 'one'],
    ['b', '"it\\"s # no"', 'two']
  ]);
  assert.deepEqual(found('sizes = [  # bytes\n  1,  # one\n  2\n]\nd: dict[str, int] = {\n}'), [
    ['sizes', '[ 1, 2 ]', ''],
    ['d', '{ }', '']
  ]);
  assert.deepEqual(found('a = 1\na = 2'), [['a', '2', '']]);
  assert.deepEqual(found("q = '\"' # single"), [['q', `'"'`, 'single']]);
  assert.deepEqual(found(['a = 1\n', 'b = 2']).length, 2);
  assert.deepEqual([found(undefined), found(7), found('')], [[], [], []]);
  assert.deepEqual(found('  a = 1'), []);
});

test('only a code cell that is tagged so has parameters', () => {
  const tagged = tags => ({ cell_type: 'code', metadata: { tags }, source: 'x = 1' });
  assert.equal(parametersOf([tagged(['other', 'parameters'])]).length, 1);
  const cells = [tagged(['other']), tagged('parameters'), { cell_type: 'code', source: 'x = 1' }];
  assert.equal(parametersOf([...cells, { ...tagged(['parameters']), cell_type: 'markdown' }]), null);
});

test('what is typed as the notebook has it, but for spaces, has not changed', () => {
  const parameters = parametersOf([cell('n = 3')]);
  assert.deepEqual(changedValues(parameters, { n: ' 3 ' }), { values: {}, errors: {} });
  assert.deepEqual(changedValues(parameters, { other: '4' }), { values: {}, errors: {} });
  assert.deepEqual(changedValues(parameters, { n: '4' }), { values: { n: 4 }, errors: {} });
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
