import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Notification, type ICommandPalette } from '@jupyterlab/apputils';
import { PageConfig, URLExt } from '@jupyterlab/coreutils';

import type { OpenDocuments } from './documents';
import type { Session } from './session';
import { extendLabel, fitted, longTime, savedWords } from './words';

/** What the status item, the warnings and the palette can do. */
export const CommandIDs = {
  extend: 'skiva:extend',
  saveAll: 'skiva:save-all',
  stop: 'skiva:stop'
} as const;

/** The hub's page `name` for this server's owner; null for a server without a hub. */
export function hubPage(name: 'home' | 'spawn'): string | null {
  const [host, prefix, user, server] = ['hubHost', 'hubPrefix', 'hubUser', 'hubServerName'].map(option =>
    PageConfig.getOption(option)
  ) as [string, string, string, string];
  if (!prefix) {
    return null;
  }
  const named = name === 'spawn' && user && server ? [user, server] : [];
  return host + URLExt.join(prefix, name, ...named.map(encodeURIComponent));
}

function timeLeft(session: Session): string {
  const left = session.left;
  return left === null ? 'This session has no time limit.' : `${capital(longTime(left))} left.`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Add the commands, to the palette too where there is one. */
export function addCommands(
  app: JupyterFrontEnd,
  session: Session,
  documents: OpenDocuments,
  palette: ICommandPalette | null
): void {
  const { commands } = app;
  const allowed = () => session.answers && (session.status?.extend.allowed ?? false);
  commands.addCommand(CommandIDs.extend, {
    label: 'Skiva: Extend session',
    caption: () => extendLabel(session.status?.extend.hours ?? 0),
    isEnabled: allowed,
    isVisible: () => session.status !== null,
    execute: async () => {
      try {
        await session.extend();
        Notification.success(fitted(`Extended. ${timeLeft(session)}`), { autoClose: 5000 });
      } catch (error) {
        Notification.error(fitted((error as Error).message), { autoClose: false });
      }
    }
  });
  commands.addCommand(CommandIDs.saveAll, {
    label: 'Skiva: Save all and show time left',
    isVisible: () => session.status !== null,
    execute: async () => {
      const result = await documents.saveAll();
      const message = fitted(`${savedWords(result)} ${timeLeft(session)}`);
      Notification.emit(message, result.failed.length ? 'error' : 'success', { autoClose: 8000 });
    }
  });
  const home = hubPage('home');
  commands.addCommand(CommandIDs.stop, {
    label: 'Skiva: Stop session',
    caption: 'Save all, then open the hub’s page, where the session can be stopped',
    isEnabled: () => home !== null,
    isVisible: () => home !== null && session.status !== null,
    execute: async () => {
      const { failed } = await documents.saveAll();
      if (failed.length) {
        Notification.error(fitted(savedWords({ saved: [], failed })), { autoClose: false });
      } else if (home !== null) {
        window.open(home, '_blank', 'noopener');
      }
    }
  });
  for (const command of Object.values(CommandIDs)) {
    palette?.addItem({ command, category: 'Skiva' });
  }
}
