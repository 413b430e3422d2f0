/* eslint-disable no-control-regex -- a terminal's escapes are what is looked for */
/** Logs as text with colours: nothing of a log ever becomes HTML. */

/** A piece of a line, with JupyterLab's own classes for terminals' colours. */
export interface ISpan {
  readonly text: string;
  readonly style: string;
}

interface IPen {
  fg: string;
  bg: string;
  bold: boolean;
  underline: boolean;
  inverse: boolean;
}

const COLOURS = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'];

// Everything that moves a cursor, sets a title and the like; colours (they end with m) stay.
const OTHER_ESCAPES =
  /\x1b(?:\[[0-?]*[ -/]*[@-ln-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_](?!\[)|[()][0-9A-B])/g;
const CONTROLS = /[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]/g;
const COLOUR = /\x1b\[([\d;:]*)m/;

function plainPen(): IPen {
  return { fg: '', bg: '', bold: false, underline: false, inverse: false };
}

/** Skip what a code for one of 256 or of 16 million colours takes; the first sixteen are named. */
function extended(codes: number[], at: number): [string | null, number] {
  if (codes[at + 1] === 5) {
    const index = codes[at + 2] ?? 0;
    const name = COLOURS[index % 8];
    return [index < 16 ? `${name}${index > 7 ? '-intense' : ''}` : null, at + 2];
  }
  return [null, codes[at + 1] === 2 ? at + 4 : at];
}

function draw(pen: IPen, codes: number[]): void {
  for (let at = 0; at < codes.length; at += 1) {
    const code = codes[at] ?? 0;
    if (code === 0) {
      Object.assign(pen, plainPen());
    } else if (code === 1 || code === 22) {
      pen.bold = code === 1;
    } else if (code === 4 || code === 24) {
      pen.underline = code === 4;
    } else if (code === 7 || code === 27) {
      pen.inverse = code === 7;
    } else if (code === 38 || code === 48) {
      const [name, next] = extended(codes, at);
      pen[code === 38 ? 'fg' : 'bg'] = name ?? '';
      at = next;
    } else {
      named(pen, code);
    }
  }
}

function named(pen: IPen, code: number): void {
  const [tens, units] = [Math.floor(code / 10), code % 10];
  const place = tens === 3 || tens === 9 ? 'fg' : tens === 4 || tens === 10 ? 'bg' : null;
  if (place && units === 9 && tens < 9) {
    pen[place] = '';
  } else if (place && units < 8) {
    pen[place] = `${COLOURS[units]}${tens > 8 ? '-intense' : ''}`;
  }
}

function classes(pen: IPen): string {
  const [front, back] = pen.inverse ? [pen.bg, pen.fg] : [pen.fg, pen.bg];
  return [
    front ? `ansi-${front}-fg` : pen.inverse ? 'ansi-default-inverse-fg' : '',
    back ? `ansi-${back}-bg` : pen.inverse ? 'ansi-default-inverse-bg' : '',
    pen.bold ? 'ansi-bold' : '',
    pen.underline ? 'ansi-underline' : ''
  ]
    .filter(Boolean)
    .join(' ');
}

/** What a terminal shows of a line on which a progress bar wrote itself anew again and again. */
function overwritten(line: string): string {
  return line.includes('\r') ? (line.split('\r').filter(Boolean).at(-1) ?? '') : line;
}

/** The lines of a log, each in pieces of one colour. */
export function coloured(text: string): ISpan[][] {
  const pen = plainPen();
  return text.split('\n').map(line => {
    const parts = overwritten(line).replace(OTHER_ESCAPES, '').replace(CONTROLS, '').split(COLOUR);
    const spans: ISpan[] = [];
    parts.forEach((part, index) => {
      if (index % 2) {
        draw(pen, part.split(/[;:]/).map(Number));
      } else if (part) {
        spans.push({ text: part.replaceAll('\x1b', ''), style: classes(pen) });
      }
    });
    return spans;
  });
}

/** The last lines of a text, and how many came before them. */
export function lastLines(text: string, most: number): { readonly text: string; readonly before: number } {
  const lines = text.split('\n');
  const empty = lines.at(-1) === '' ? 1 : 0;
  const before = Math.max(0, lines.length - empty - most);
  return { text: lines.slice(before, lines.length - empty).join('\n'), before };
}
