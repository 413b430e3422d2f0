import { URLExt } from '@jupyterlab/coreutils';
import type { ServerConnection } from '@jupyterlab/services';

import type { ILogPart } from '../common/follow';
import { Rest } from '../common/rest';
import type { IOfferedSlice } from '../common/choices';
import type { IBounds, ICluster, IClusters } from './rows';

/** A slice that worker jobs can be on; `gpus` are the devices of each job. */
export interface IWorkerSlice extends IOfferedSlice {
  readonly gpus: number;
}

/** What the site offers to clusters. */
export interface IClusterOffer {
  readonly slices: readonly IWorkerSlice[];
  readonly hours: number;
  readonly max_hours: number;
  readonly most_jobs: number;
  readonly most_slice_hours: number;
  /** Whether the session's environment has what a scheduler needs, and CUDA workers. */
  readonly dask: boolean;
  readonly cuda: boolean;
  readonly message: string;
  readonly trouble?: string;
}

/** What was chosen in the form; without a name the server makes one. */
export interface IClusterWishes {
  readonly slice: string;
  readonly workers: number;
  readonly name?: string;
  readonly hours: number;
}

/** The server's addresses below `skiva/clusters`. All throw ServerError. */
export class ClustersApi extends Rest {
  constructor(settings: ServerConnection.ISettings) {
    super(settings, 'skiva/clusters');
  }

  /** The living ones and the last that ended. Throws NotServed too. */
  async list(): Promise<IClusters> {
    return this.ask('GET', '');
  }

  /** One cluster. */
  async get(id: string): Promise<ICluster> {
    return this.ask('GET', `/${id}`);
  }

  /** A part of a worker's log; without a name of a detached scheduler's own. */
  async log(id: string, worker: string, offset: number): Promise<ILogPart> {
    const query = URLExt.objectToQueryString(worker ? { worker, offset } : { offset });
    return this.ask('GET', `/${id}/log${query}`);
  }

  /** What the site offers. */
  async offer(): Promise<IClusterOffer> {
    return this.ask('GET', '/offer');
  }

  /** Start one that lives on its own; with the same key as before, that which lives already. */
  async start(wishes: IClusterWishes, key: string): Promise<ICluster> {
    return this.ask('POST', '', { ...wishes, key });
  }

  /** Ask for so many workers; it does not adapt any more. */
  async scale(id: string, workers: number): Promise<ICluster> {
    return this.ask('POST', `/${id}/scale`, { workers });
  }

  /** Let it adapt to its work. */
  async adapt(id: string, bounds: IBounds): Promise<ICluster> {
    return this.ask('POST', `/${id}/adapt`, bounds);
  }

  /** End it. */
  async close(id: string): Promise<ICluster> {
    return this.ask('POST', `/${id}/close`, {});
  }

  /** Take an ended one off the list. */
  async remove(id: string): Promise<void> {
    await this.ask('DELETE', `/${id}`);
  }

  /** Where one of its dashboard's pages is. */
  page(id: string, path: string): string {
    return URLExt.join(this.settings.baseUrl, 'skiva/clusters', id, 'dashboard', path);
  }
}
