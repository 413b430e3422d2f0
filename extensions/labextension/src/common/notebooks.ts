import type { ISessionContext } from '@jupyterlab/apputils';
import type { IDocumentManager } from '@jupyterlab/docmanager';
import type { DocumentRegistry, IDocumentWidget } from '@jupyterlab/docregistry';
import type { ICell, INotebookContent } from '@jupyterlab/nbformat';
import { DisposableDelegate, type IDisposable } from '@lumino/disposable';
import type { Widget } from '@lumino/widgets';

/** What is used of a notebook's cells. */
interface INotebookView extends Widget {
  activeCellIndex: number;
  readonly widgets: readonly { readonly model: { readonly id: string }; readonly node: HTMLElement }[];
  scrollToItem(index: number, align?: string): Promise<void>;
}

/** What is used of JupyterLab's NotebookPanel. */
export interface INotebookPanel extends IDocumentWidget<INotebookView> {
  readonly sessionContext: ISessionContext;
}

/** A notebook as it is on the screen now, with the edits that are not saved. */
export function contentOf(panel: INotebookPanel): INotebookContent {
  return panel.context.model.toJSON() as unknown as INotebookContent;
}

/** Make the cell that this node is of the active one. */
export function activate(panel: INotebookPanel, node: Node | undefined): void {
  const index = panel.content.widgets.findIndex(cell => cell.node === node);
  if (index >= 0) {
    panel.content.activeCellIndex = index;
  }
}

/** What is used of a notebook's shared model. */
interface ISharedCells {
  insertCell(index: number, cell: { cell_type: 'code'; source: string }): unknown;
}

/** Put code into a new cell below the active one, make that the active one, and run nothing. */
export function insertBelow(panel: INotebookPanel, source: string): void {
  const { content, context } = panel;
  const at = Math.min(content.activeCellIndex + 1, content.widgets.length);
  (context.model.sharedModel as unknown as ISharedCells).insertCell(at, { cell_type: 'code', source });
  content.activeCellIndex = at;
  void content.scrollToItem(at, 'smart').catch(() => undefined);
}

/** The notebooks that are open. */
export class Notebooks implements DocumentRegistry.WidgetExtension {
  constructor(dress: (panel: INotebookPanel) => IDisposable) {
    this._dress = dress;
  }

  /** A notebook was opened. */
  createNew(panel: IDocumentWidget): IDisposable {
    const notebook = panel as INotebookPanel;
    const dress = this._dress(notebook);
    this._panels.add(notebook);
    return new DisposableDelegate(() => {
      this._panels.delete(notebook);
      dress.dispose();
    });
  }

  /** This widget, if it is a notebook. */
  as(widget: Widget | null): INotebookPanel | null {
    return widget && this._panels.has(widget as INotebookPanel) ? (widget as INotebookPanel) : null;
  }

  /** The open notebook of that path. */
  at(path: string): INotebookPanel | null {
    return [...this._panels].find(panel => panel.context.path === path) ?? null;
  }

  /** One of those that can be seen now. */
  shown(): INotebookPanel | null {
    return [...this._panels].find(panel => panel.isVisible) ?? null;
  }

  /** The notebook in which this node is. */
  around(node: Node): INotebookPanel | null {
    return [...this._panels].find(panel => panel.node.contains(node)) ?? null;
  }

  /** Open a notebook at a cell; false where the cell is gone. */
  async reveal(manager: IDocumentManager, path: string, cell: string | null): Promise<boolean> {
    const panel = manager.openOrReveal(path) as INotebookPanel | undefined;
    if (!panel || cell === null) {
      return panel !== undefined;
    }
    await panel.context.ready;
    await panel.revealed;
    const index = panel.content.widgets.findIndex(({ model }) => model.id === cell);
    if (index >= 0) {
      panel.content.activeCellIndex = index;
      await panel.content.scrollToItem(index, 'center');
    }
    return index >= 0;
  }

  private _panels = new Set<INotebookPanel>();
  private _dress: (panel: INotebookPanel) => IDisposable;
}

/** A notebook's cells, whatever was in its file. */
export function cellsOf(content: INotebookContent): readonly ICell[] {
  return Array.isArray(content.cells) ? content.cells : [];
}
