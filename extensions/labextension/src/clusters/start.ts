import { Notification } from '@jupyterlab/apputils';

import { FormDialog } from '../common/dialog';
import { Keyed } from '../common/keyed';
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
    (error: unknown) => form.say((error as Error).message, true)
  );
  const words = { title: 'New cluster', button: 'Start', busy: 'Starting…' };
  const once = new Keyed();
  const send = async (wishes: IClusterWishes) => {
    const cluster = await once.send(key => model.start(wishes, key));
    started = cluster.id;
    Notification.success(fitted(`${cluster.name} was started.`), { autoClose: 5000 });
  };
  await new FormDialog<IClusterWishes>(words, form, send).launch();
  return started;
}
