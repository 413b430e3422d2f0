import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { ReactWidget } from '@jupyterlab/ui-components';
import type { Message } from '@lumino/messaging';

import type { IWatch } from './panel';

/** What a notebook keeps of something that lives on elsewhere. */
export interface IKept {
  readonly id?: unknown;
  readonly name?: unknown;
  readonly kind?: unknown;
  readonly created?: unknown;
}

/** A text as it was kept; anything may be in a notebook. */
export function keptText(value: unknown, otherwise: string): string {
  return typeof value === 'string' && value ? value : otherwise;
}

/** Arrows, Enter and letters are of the control that has the focus: in a notebook they move from cell to cell. */
function keepKeys(event: KeyboardEvent): void {
  const plain = !event.ctrlKey && !event.metaKey && !event.altKey && !event.shiftKey;
  if (plain && event.key !== 'Escape' && event.key !== 'Tab') {
    event.stopPropagation();
  }
}

/** Something in a cell's output that is as live as in its panel, after any restart. */
export abstract class OutputCard<W extends IWatch> extends ReactWidget implements IRenderMime.IRenderer {
  constructor(type: string) {
    super();
    this._type = type;
    this._observer = new IntersectionObserver(entries => {
      if (this.watch) {
        this.watch.visible = entries.some(entry => entry.isIntersecting);
      }
    });
    this.node.addEventListener('keydown', keepKeys);
    this.addClass('skiva-CardHost');
  }

  /** Take what the notebook keeps. */
  async renderModel(mime: IRenderMime.IMimeModel): Promise<void> {
    const kept = (mime.data[this._type] ?? {}) as IKept;
    this.kept = kept;
    if (this.watch?.id !== kept.id) {
      this.watch?.dispose();
      this.watch = this.watchOne(kept.id);
      this._observer.unobserve(this.node);
      this._observer.observe(this.node);
    }
    this.update();
    await this.renderPromise;
  }

  override dispose(): void {
    if (!this.isDisposed) {
      this._observer.disconnect();
      this.watch?.dispose();
      super.dispose();
    }
  }

  /** What the notebook keeps. */
  protected kept: IKept = {};

  /** What it is of; null where the output names nothing. */
  protected watch: W | null = null;

  /** Look at what has this id; null for anything else that may be in a notebook. */
  protected abstract watchOne(id: unknown): W | null;

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this.update();
  }

  private _type: string;
  private _observer: IntersectionObserver;
}
