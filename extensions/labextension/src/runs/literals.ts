/** Plain values as Python and JSON write them: numbers, strings, lists, dictionaries, True, None. */

/** What JSON can carry. */
export type Value = null | boolean | number | string | Value[] | { [name: string]: Value };

const NAMES: Readonly<Record<string, Value>> = {
  True: true,
  true: true,
  False: false,
  false: false,
  None: null,
  null: null
};
const NUMBER = /[+-]?(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?/y;
const WORD = /[A-Za-z_]\w*/y;
const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  b: '\b',
  f: '\f',
  a: '\x07',
  v: '\v',
  '0': '\0',
  '\n': ''
};

class NotPlain extends Error {}

class Reader {
  constructor(text: string) {
    this._text = text;
  }

  whole(): Value {
    const value = this._value();
    this._space();
    if (this._at < this._text.length) {
      throw new NotPlain();
    }
    return value;
  }

  private _value(): Value {
    this._space();
    const letter = this._text.charAt(this._at);
    if (letter === '"' || letter === "'") {
      return this._string(letter);
    }
    if (letter === '[' || letter === '(') {
      return this._list(letter === '[' ? ']' : ')');
    }
    if (letter === '{') {
      return this._dictionary();
    }
    const word = this._match(WORD);
    if (word === '') {
      return this._number();
    }
    const value = Object.hasOwn(NAMES, word) ? NAMES[word] : undefined;
    if (value === undefined) {
      throw new NotPlain();
    }
    return value;
  }

  private _number(): Value {
    const digits = this._match(NUMBER).replaceAll('_', '');
    const value = Number(digits);
    if (digits === '' || !Number.isFinite(value)) {
      throw new NotPlain();
    }
    if (/^[+-]?\d+$/.test(digits) && !Number.isSafeInteger(value)) {
      throw new NotPlain('This number is too long to be sent exactly.');
    }
    return value;
  }

  private _string(quote: string): string {
    let text = '';
    for (this._at += 1; this._at < this._text.length; this._at += 1) {
      const letter = this._text.charAt(this._at);
      if (letter === quote) {
        this._at += 1;
        return text;
      }
      text += letter === '\\' ? this._escape() : letter;
    }
    throw new NotPlain('The closing quote is missing.');
  }

  private _escape(): string {
    this._at += 1;
    const letter = this._text.charAt(this._at);
    const length = { x: 2, u: 4, U: 8 }[letter];
    if (length) {
      const digits = this._text.slice(this._at + 1, this._at + 1 + length);
      const code = parseInt(digits, 16);
      if (digits.length < length || !/^[\da-f]*$/i.test(digits) || code > 0x10ffff) {
        throw new NotPlain(`The string has \\${letter} without the ${length} digits of a character.`);
      }
      this._at += length;
      return String.fromCodePoint(code);
    }
    if (/[0-7N]/.test(letter) && !/^0(?![0-7])/.test(this._text.slice(this._at))) {
      throw new NotPlain(`The string has \\${letter}, which is not read here: type the character itself.`);
    }
    return ESCAPES[letter] ?? ('\\\'"/'.includes(letter) ? letter : `\\${letter}`);
  }

  private _list(end: string): Value {
    const values: Value[] = [];
    let single = end === ')';
    this._at += 1;
    while (!this._takes(end)) {
      values.push(this._value());
      if (this._takes(',')) {
        single = false;
      } else if (!this._peeks(end)) {
        throw new NotPlain();
      }
    }
    // Brackets around one value make no tuple.
    return single && values.length === 1 ? (values[0] as Value) : values;
  }

  private _dictionary(): Value {
    const values: { [name: string]: Value } = Object.create(null) as { [name: string]: Value };
    this._at += 1;
    while (!this._takes('}')) {
      const key = this._value();
      if (typeof key !== 'string' || !this._takes(':')) {
        throw new NotPlain('A dictionary has strings as its keys here.');
      }
      values[key] = this._value();
      if (!this._takes(',') && !this._peeks('}')) {
        throw new NotPlain();
      }
    }
    return values;
  }

  private _takes(letter: string): boolean {
    const found = this._peeks(letter);
    this._at += found ? 1 : 0;
    return found;
  }

  private _peeks(letter: string): boolean {
    this._space();
    return this._text.charAt(this._at) === letter;
  }

  private _match(pattern: RegExp): string {
    pattern.lastIndex = this._at;
    const found = pattern.exec(this._text)?.[0] ?? '';
    this._at += found.length;
    return found;
  }

  private _space(): void {
    while (/\s/.test(this._text.charAt(this._at))) {
      this._at += 1;
    }
  }

  private _text: string;
  private _at = 0;
}

/** Read one plain value; what is none says so in a sentence. */
export function literal(text: string): { readonly value: Value } | { readonly error: string } {
  try {
    return { value: new Reader(text).whole() };
  } catch (error) {
    if (error instanceof NotPlain || error instanceof RangeError) {
      return {
        error:
          (error instanceof NotPlain && error.message) ||
          'Type a number, a "string", a list, a dictionary, True, False or None.'
      };
    }
    throw error;
  }
}
