import { Notification } from '@jupyterlab/apputils';

import { FormDialog } from '../common/dialog';
import type { ServerError } from '../common/rest';
import { fitted } from '../words';
import type { IClusterWishes } from './api';
import { ClusterForm } from './form';
import type { ClustersModel } from './model';

/** Ask what a new cluster is to be, and start it; its id, or null where it was given up. */
export async function startCluster(model: ClustersModel): Promise<string | null> {
  const form = new ClusterForm();
  let started: string | null = null;
  void model.api.offer().then(
    offer => {
      form.offer = offer;
    },
    (error: Error) => form.say(error.message, true)
  );
  const words = { title: 'New cluster', button: 'Start', busy: 'Starting…' };
  const send = async (wishes: IClusterWishes) => {
    const cluster = await model.api.start(wishes).catch((error: ServerError) => {
      // It may be there all the same: nobody should start a second one.
      void (error.unheard && model.refresh());
      const look = error.unheard ? ' Look in the list before you start it again.' : '';
      throw new Error(`${error.message}${look}`);
    });
    model.take(cluster);
    started = cluster.id;
    Notification.success(fitted(`${cluster.name} was started.`), { autoClose: 5000 });
  };
  await new FormDialog<IClusterWishes>(words, form, send).launch();
  return started;
}
