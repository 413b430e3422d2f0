/** Values in words: what the status bar shows and what a screen reader says. */

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

function plural(count: number, unit: string): string {
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}

/** Time left, short: `2 d 3 h`, `1 h 12 min`, `9 min`, `1 min 05 s`, `0 s`. Rounded down. */
export function shortTime(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const hours = Math.floor((whole % DAY) / HOUR);
  const minutes = Math.floor((whole % HOUR) / MINUTE);
  if (whole >= DAY) {
    return `${Math.floor(whole / DAY)} d ${hours} h`;
  }
  if (whole >= HOUR) {
    return `${hours} h ${minutes} min`;
  }
  if (whole >= 2 * MINUTE) {
    return `${minutes} min`;
  }
  const rest = whole % MINUTE;
  return minutes ? `${minutes} min ${String(rest).padStart(2, '0')} s` : `${rest} s`;
}

/** What the status bar says of the time: nothing where there is no limit. */
export function timeWords(left: number | null): string {
  if (left === null) {
    return '';
  }
  return left > 0 ? shortTime(left) : 'time is up';
}

/** Time left in full words, to the minute: `1 hour 12 minutes`, `less than a minute`. */
export function longTime(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const parts = [
    [Math.floor(whole / DAY), 'day'],
    [Math.floor((whole % DAY) / HOUR), 'hour'],
    [Math.floor((whole % HOUR) / MINUTE), 'minute']
  ] as const;
  const said = parts.filter(([count]) => count > 0).map(([count, unit]) => plural(count, unit));
  return said.slice(0, 2).join(' ') || 'less than a minute';
}

/** About how many minutes: for sentences such as *ends in 10 minutes*. */
export function aboutMinutes(seconds: number): string {
  const minutes = Math.round(seconds / MINUTE);
  return minutes > 0 ? plural(minutes, 'minute') : 'less than a minute';
}

/** `Extend by 1 h`, `Extend by 30 min`. */
export function extendLabel(hours: number): string {
  const minutes = Math.round(hours * 60);
  return `Extend by ${minutes % 60 === 0 ? `${minutes / 60} h` : `${minutes} min`}`;
}

const UNITS = ['B', 'KB', 'MB', 'GB', 'TB'];

function scaled(bytes: number, unit: number): string {
  const value = bytes / 1024 ** unit;
  return value >= 100 || unit === 0 ? value.toFixed(0) : value.toFixed(1).replace(/\.0$/, '');
}

function unitOf(bytes: number): number {
  const power = bytes >= 1 ? Math.floor(Math.log2(bytes) / 10) : 0;
  return Math.min(power, UNITS.length - 1);
}

/** Memory: `3.1 / 10 GB` in the unit of the limit, or `812 MB` where there is none. */
export function memoryWords(used: number, limit: number | null): string {
  const unit = unitOf(limit ?? used);
  const end = limit === null ? '' : ` / ${scaled(limit, unit)}`;
  return `${scaled(used, unit)}${end} ${UNITS[unit]}`;
}

/** What each kind of isolation means to the person who uses it. */
export function isolationWords(isolation: string, simulated: boolean): string {
  const words: Record<string, string> = {
    exclusive: 'only yours: nobody else can open its devices',
    shared: 'shared with others',
    none: 'no GPU'
  };
  return (words[isolation] ?? isolation) + (simulated ? ' (simulated, no real GPU)' : '');
}

/** The environment that runs the server, with as much of its digest as people compare. */
export function environmentWords(status: { readonly environment: string; readonly digest?: string }): string {
  const short = (status.digest ?? '').replace(/^sha256:/, '').slice(0, 12);
  return status.environment && short ? `${status.environment} (${short})` : status.environment;
}

/** A few names in a row: `a.ipynb, b.py and 3 more`. */
export function nameList(names: readonly string[], most = 3): string {
  const shown = names.slice(0, most);
  const more = names.length - shown.length;
  if (more > 0) {
    return `${shown.join(', ')} and ${more} more`;
  }
  return shown.length > 1 ? `${shown.slice(0, -1).join(', ')} and ${shown.at(-1)}` : (shown[0] ?? '');
}

/** What a *save all* did. */
export interface ISaved {
  readonly saved: readonly string[];
  readonly failed: readonly string[];
}

/** What was saved, in a sentence or two. */
export function savedWords(result: ISaved): string {
  const sentences = [
    result.saved.length ? `Saved ${nameList(result.saved, 2)}.` : '',
    result.failed.length ? `Not saved: ${nameList(result.failed, 2)}.` : ''
  ];
  return sentences.filter(Boolean).join(' ') || 'Everything was saved already.';
}

/** JupyterLab cuts notifications at 140 characters: keep whole words up to there. */
export function fitted(message: string, most = 140): string {
  if (message.length <= most) {
    return message;
  }
  const cut = message.slice(0, most - 1);
  return `${cut.slice(0, Math.max(cut.lastIndexOf(' '), most / 2))}…`;
}

/** A time of day on this computer's clock, e.g. `14:05`. */
export function clockTime(when: Date, locale?: string): string {
  return when.toLocaleTimeString(locale, { hour: '2-digit', minute: '2-digit' });
}

/** What is said when the session is over. */
export function endedWords(
  ended: string,
  lastSave: string | null,
  unsaved: readonly string[],
  early: boolean
): string[] {
  const cause = early ? 'Slurm needed its node' : 'its time limit was reached';
  const disk = lastSave
    ? `Everything saved until ${lastSave} is on disk.`
    : 'Everything that was saved is on disk.';
  const open = unsaved.length ? `Not saved, and only in this page: ${nameList(unsaved)}.` : '';
  return [`Your session ended at ${ended}: ${cause}.`, disk, open].filter(Boolean);
}
