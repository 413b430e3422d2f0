import { Notification } from '@jupyterlab/apputils';

import { fitted } from '../words';

/** Say in a notification what went wrong. */
export function complain(error: unknown): void {
  Notification.error(fitted((error as Error).message), { autoClose: false });
}
