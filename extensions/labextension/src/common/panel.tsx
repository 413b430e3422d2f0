import { VDomRenderer, type LabIcon, type VDomModel } from '@jupyterlab/ui-components';
import type { IDisposable } from '@lumino/disposable';
import type { Message } from '@lumino/messaging';
import React from 'react';

/** Something that is looked at closely. */
export interface IWatch extends IDisposable {
  readonly id: string;
  /** Whether it is on the screen: only then the server is asked. */
  visible: boolean;
}

/** A model that can be looked at. */
export interface IWatched extends VDomModel {
  /** What a screen reader is told. */
  readonly announcement: string;
  /** Look at it until the returned object is disposed. */
  watch(): IDisposable;
}

/** A side panel that shows a list, or one thing of it. */
export abstract class ListPanel<M extends IWatched, W extends IWatch> extends VDomRenderer<M> {
  constructor(model: M, id: string, name: string, icon: LabIcon) {
    super(model);
    this.id = id;
    this.addClass('skiva-Panel');
    this.title.icon = icon;
    this.title.caption = name;
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', name);
  }

  /** Show this one. */
  open = (id: string): void => {
    if (this._watch?.id !== id) {
      this._leave();
      this._watch = this.watchOne(id);
      this._watch.visible = this.isVisible;
    }
    this.active = id;
    this.update();
  };

  /** Show the list. */
  back = (): void => {
    this._leave();
    this.returned = true;
    this.update();
  };

  override dispose(): void {
    if (!this.isDisposed) {
      this._leave();
      this._looking?.dispose();
      super.dispose();
    }
  }

  /** The one that keys act upon. */
  protected active: string | null = null;

  /** Whether somebody came back to the list from one of it. */
  protected returned = false;

  protected abstract watchOne(id: string): W;

  protected abstract list(): React.ReactElement;

  protected abstract one(watch: W): React.ReactElement;

  protected setActive = (id: string): void => {
    this.active = id;
    this.update();
  };

  protected override onBeforeShow(message: Message): void {
    super.onBeforeShow(message);
    this._look(true);
  }

  protected override onAfterHide(message: Message): void {
    super.onAfterHide(message);
    this._look(false);
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this._look(this.isVisible);
  }

  protected override onActivateRequest(message: Message): void {
    super.onActivateRequest(message);
    this.node.querySelector<HTMLElement>(this._watch ? '.skiva-Back' : '.skiva-List')?.focus();
  }

  protected override render(): React.ReactElement {
    return (
      <>
        <div className="skiva-Hidden" role="status" aria-live="polite">
          {this.model.announcement}
        </div>
        {this._watch ? this.one(this._watch) : this.list()}
      </>
    );
  }

  private _look(visible: boolean): void {
    if (visible && this._looking === null) {
      this._looking = this.model.watch();
    } else if (!visible) {
      this._looking?.dispose();
      this._looking = null;
    }
    if (this._watch) {
      this._watch.visible = visible;
    }
  }

  private _leave(): void {
    this._watch?.dispose();
    this._watch = null;
  }

  private _watch: W | null = null;
  private _looking: IDisposable | null = null;
}
