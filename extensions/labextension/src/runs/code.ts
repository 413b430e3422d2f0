/** The Python that is run in a notebook's kernel, or put in the clipboard. */

import type { IWishes } from './api';
import type { IRow } from './rows';

/** The line that finds a run again from any notebook. */
export function runCode(id: string): string {
  return `skiva.run("${id}")`;
}

/** Bring a result here: a cell's variables get their names; a function's result has no name, so it is shown. */
export function loadCode(row: Pick<IRow, 'id' | 'kind'>): string {
  return `${runCode(row.id)}.${row.kind === 'cell' ? 'bind' : 'result'}()`;
}

/** What came of that, in words: what Python shows of the result, and what it printed. */
export function loadedWords(row: Pick<IRow, 'kind'>, result: string, printed: string): string {
  const names = result.match(/\w+/g)?.join(', ');
  const said = row.kind !== 'cell' ? result : names ? `Here now: ${names}.` : 'It assigned no variables.';
  return [said, printed].filter(Boolean).join('\n');
}

/** Send a notebook's cells from this one on off, with the kernel's variables. */
export function restCode(draft: string, first: number, wishes: IWishes): string {
  const { slice, hours, name, resume, restarts } = wishes;
  const values = { draft, start_at: first, slice, hours, name };
  // What JSON writes of strings and numbers Python reads as the same.
  const given = Object.entries(values).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  if (resume) {
    given.push(`resume=True, restarts=${restarts}`);
  }
  return `import skiva\nskiva.submit_rest(${given.join(', ')})`;
}
