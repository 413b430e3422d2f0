/** A part of a log; `next` is where to go on. */
export interface ILogPart {
  readonly text: string;
  readonly next: number;
  readonly size: number;
}

/** How much of a log is kept in the page: the rest is in its file. */
const MOST = 2 * 1024 * 1024;

/** A log as it grows. */
export class LogText {
  /** The log, or its end. */
  get text(): string {
    return this._text;
  }

  /** Bytes before the part that is here. */
  get before(): number {
    return this._before;
  }

  /** Bytes of the whole log. */
  get size(): number {
    return this._size;
  }

  /** Where to go on; null before anything is known of it. */
  get next(): number | null {
    return this._next;
  }

  /** Its end is known already. */
  begin(tail: string, size: number): void {
    this._text = tail;
    this._size = this._next = size;
    this._before = Math.max(0, size - new TextEncoder().encode(tail).length);
  }

  /** Read it from its beginning. */
  forget(): void {
    this._text = '';
    this._before = 0;
    this._next = 0;
  }

  /** Read on, until there is no more or it is too much for a page. */
  async follow(read: (offset: number) => Promise<ILogPart>): Promise<void> {
    let offset = this._next ?? 0;
    for (let more = true; more;) {
      const part = await read(offset);
      this._text += part.text;
      this._size = part.size;
      more = part.next > offset && part.next < part.size && this._text.length < MOST;
      offset = part.next;
    }
    this._next = offset;
    if (this._text.length > MOST) {
      this._before += this._text.length - MOST;
      this._text = this._text.slice(-MOST);
    }
  }

  private _text = '';
  private _before = 0;
  private _size = 0;
  private _next: number | null = null;
}
