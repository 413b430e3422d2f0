import { Dialog, showDialog } from '@jupyterlab/apputils';
import { Widget } from '@lumino/widgets';

import type { OpenDocuments } from './documents';
import type { Session } from './session';
import { clockTime, endedWords } from './words';

function paragraphs(lines: readonly string[]): Widget {
  const body = new Widget();
  for (const line of lines) {
    const paragraph = document.createElement('p');
    paragraph.textContent = line;
    body.node.appendChild(paragraph);
  }
  return body;
}

/** Says once that the session is over, when its time is up and its server is gone. */
export class EndNotice {
  constructor(session: Session, documents: OpenDocuments, spawnPage: string | null) {
    this._session = session;
    this._documents = documents;
    this._spawnPage = spawnPage;
    session.ticked.connect(this._look, this);
  }

  private _look(): void {
    const { left, answers, ends } = this._session;
    const over = left !== null && left <= 0 && !answers;
    if (!over) {
      // A new session may have started at the same address.
      this._told = this._told && !answers;
    } else if (!this._told && ends) {
      this._told = true;
      void this._tell(ends);
    }
  }

  private async _tell(ended: Date): Promise<void> {
    const { lastSave, unsaved } = this._documents;
    const early = this._session.status?.warning?.early ?? false;
    const lines = endedWords(clockTime(ended), lastSave && clockTime(lastSave), unsaved, early);
    // Dialogs queue up, and those about the lost connection have nothing more to say.
    Dialog.flush();
    const start = Dialog.okButton({ label: 'Start a new session' });
    const { button } = await showDialog({
      title: 'Session ended',
      body: paragraphs(lines),
      buttons: [Dialog.cancelButton({ label: 'Stay on this page' }), ...(this._spawnPage ? [start] : [])]
    });
    if (button.accept && this._spawnPage) {
      window.open(this._spawnPage, '_blank', 'noopener');
    }
  }

  private _session: Session;
  private _documents: OpenDocuments;
  private _spawnPage: string | null;
  private _told = false;
}
