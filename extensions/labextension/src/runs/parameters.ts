/** A notebook's parameters: the assignments of its cell tagged `parameters`, and the values typed for them. */

import { literal, type Value } from './literals.ts';

interface ICell {
  readonly cell_type?: unknown;
  readonly source?: unknown;
  readonly metadata?: unknown;
}

/** One assignment. */
export interface IParameter {
  readonly name: string;
  /** Its value as it is written in the notebook. */
  readonly text: string;
  /** The comment behind it. */
  readonly comment: string;
  /** Whether the value is a plain one, so that another can be typed. */
  readonly plain: boolean;
}

const ASSIGNMENT = /^([A-Za-z_]\w*)\s*(?::[^=]+)?=(?!=)\s*(.+)$/;

function isParameters(cell: ICell): boolean {
  const tags = (cell.metadata as { tags?: unknown } | undefined)?.tags;
  return cell.cell_type === 'code' && Array.isArray(tags) && tags.includes('parameters');
}

function sourceOf(cell: ICell): string {
  const { source } = cell;
  return Array.isArray(source) ? source.join('') : typeof source === 'string' ? source : '';
}

/** Where a comment begins, outside of strings; the text's length where there is none. */
function commentAt(text: string): number {
  let quote = '';
  for (let at = 0; at < text.length; at += 1) {
    const letter = text.charAt(at);
    if (quote) {
      if (letter === '\\') {
        at += 1;
      } else if (letter === quote) {
        quote = '';
      }
    } else if (letter === '"' || letter === "'") {
      quote = letter;
    } else if (letter === '#') {
      return at;
    }
  }
  return text.length;
}

/** Each statement on a line of its own: lists and dictionaries may take several. */
function statements(source: string): string[] {
  const found: string[] = [];
  for (const line of source.split('\n')) {
    const last = found.at(-1);
    const goesOn = /^\s+\S|^[\])}]/.test(line) && last !== undefined;
    if (goesOn) {
      found[found.length - 1] = `${last.slice(0, commentAt(last)).trimEnd()} ${line.trim()}`;
    } else {
      found.push(line);
    }
  }
  return found;
}

/** The assignments of the cell tagged `parameters`; null where there is no such cell. */
export function parametersOf(cells: readonly unknown[]): IParameter[] | null {
  const cell = (cells as readonly ICell[]).find(isParameters);
  if (!cell) {
    return null;
  }
  const found = new Map<string, IParameter>();
  for (const statement of statements(sourceOf(cell))) {
    const end = commentAt(statement);
    const match = ASSIGNMENT.exec(statement.slice(0, end).trim());
    if (match && /^\S/.test(statement)) {
      const [, name = '', text = ''] = match;
      const comment = statement.slice(end).replace(/^#\s*/, '').trim();
      found.set(name, { name, text, comment, plain: 'value' in literal(text) });
    }
  }
  return [...found.values()];
}

/** What was typed, as values; only those that differ from the notebook's. `errors`: a sentence for a name. */
export function changedValues(
  parameters: readonly IParameter[],
  typed: Readonly<Record<string, string>>
): { readonly values: Record<string, Value>; readonly errors: Record<string, string> } {
  const values = new Map<string, Value>();
  const errors = new Map<string, string>();
  for (const { name, text } of parameters) {
    // Names are anybody's: `constructor` is one too.
    const now = Object.hasOwn(typed, name) ? typed[name] : undefined;
    if (now === undefined || now.trim() === text.trim()) {
      continue;
    }
    const found = literal(now);
    if ('value' in found) {
      values.set(name, found.value);
    } else {
      errors.set(name, found.error);
    }
  }
  return { values: Object.fromEntries(values), errors: Object.fromEntries(errors) };
}
