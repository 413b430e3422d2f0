import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { IStatusBar } from '@jupyterlab/statusbar';
import { Token } from '@lumino/coreutils';

import { clusters } from './clusters/plugins';
import { addCommands, hubPage } from './commands';
import { OpenDocuments } from './documents';
import { EndNotice } from './ended';
import { SessionItem } from './item';
import { KernelList } from './kernels';
import { runs } from './runs/plugins';
import { ISession, Session } from './session';
import { Warnings } from './warnings';

const IOpenDocuments = new Token<OpenDocuments>('@skiva/lab:IOpenDocuments', 'The open documents.');

const session: JupyterFrontEndPlugin<Session> = {
  id: '@skiva/lab:session',
  description: 'Knows the session that JupyterLab runs in.',
  autoStart: true,
  provides: ISession,
  activate: ({ serviceManager }: JupyterFrontEnd) =>
    new Session(serviceManager.serverSettings, serviceManager.events)
};

const commands: JupyterFrontEndPlugin<OpenDocuments> = {
  id: '@skiva/lab:commands',
  description: 'Adds the commands to save all, to extend and to stop the session.',
  autoStart: true,
  provides: IOpenDocuments,
  requires: [ISession, IDocumentManager],
  optional: [ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    session: Session,
    manager: IDocumentManager,
    palette: ICommandPalette | null
  ) => {
    const documents = new OpenDocuments(app.shell, manager);
    addCommands(app, session, documents, palette);
    return documents;
  }
};

const status: JupyterFrontEndPlugin<void> = {
  id: '@skiva/lab:status',
  description: 'Shows slice, time left, memory and GPU use in the status bar.',
  autoStart: true,
  requires: [ISession, IStatusBar],
  activate: (app: JupyterFrontEnd, session: Session, bar: IStatusBar) => {
    bar.registerStatusItem('@skiva/lab:status', {
      item: new SessionItem(session, app.commands),
      align: 'left',
      rank: 100,
      isActive: () => session.status !== null,
      activeStateChanged: session.stateChanged
    });
  }
};

const warnings: JupyterFrontEndPlugin<void> = {
  id: '@skiva/lab:warnings',
  description: 'Warns before the session ends, saves when the end is near, and says when it is over.',
  autoStart: true,
  requires: [ISession, IOpenDocuments],
  activate: (app: JupyterFrontEnd, session: Session, documents: OpenDocuments) => {
    // Before that there is nothing to show a notification, and no document to save.
    void app.restored.then(() => {
      new Warnings(session, documents, app.commands);
      new EndNotice(session, documents, hubPage('spawn'));
    });
  }
};

const kernels: JupyterFrontEndPlugin<void> = {
  id: '@skiva/lab:kernels',
  description: 'Shows a kernel that was added, removed or broken at once.',
  autoStart: true,
  activate: ({ serviceManager }: JupyterFrontEnd) => {
    new KernelList(serviceManager.kernelspecs, serviceManager.events);
  }
};

export default [session, commands, status, warnings, kernels, ...runs, ...clusters];
