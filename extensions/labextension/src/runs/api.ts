import { URLExt } from '@jupyterlab/coreutils';
import type { INotebookContent } from '@jupyterlab/nbformat';
import { ServerConnection } from '@jupyterlab/services';

import type { IPage, IRow, ITask } from './rows';
import type { Value } from './literals';

/** One run with the end of its log and what is in its folder. */
export interface IDetail extends IRow {
  readonly log_size: number;
  /** The log's last 64 KiB. */
  readonly tail: string;
  readonly error: { readonly type: string; readonly message: string; readonly traceback?: unknown } | null;
  readonly outputs: readonly string[];
  readonly spec: Readonly<Record<string, unknown>>;
}

/** A part of a log; `next` is where to go on. */
export interface ILogPart {
  readonly text: string;
  readonly next: number;
  readonly size: number;
}

/** One slice that runs can be sent to. */
export interface IOfferedSlice {
  readonly id: string;
  readonly title: string;
  readonly simulated: boolean;
  readonly isolation: string;
  readonly free: number | null;
  readonly total: number | null;
  readonly waiting: number | null;
  readonly status: string;
}

/** What the site offers to runs. */
export interface IOffer {
  readonly slices: readonly IOfferedSlice[];
  readonly hours: number;
  readonly max_hours: number;
  readonly trouble: string;
}

/** What was chosen in the form. */
export interface IWishes {
  readonly slice: string;
  readonly hours: number;
  readonly name: string;
  readonly parameters: Readonly<Record<string, Value>>;
  readonly resume: boolean;
  readonly restarts: number;
}

/** A notebook to be sent off. */
export interface ISubmission extends IWishes {
  readonly kind: 'notebook';
  readonly path: string;
  readonly content: INotebookContent;
  readonly start_at: number;
  readonly draft: string | null;
  /** What is sent twice under one key is one run. */
  readonly key: string;
}

/** What the server said, in a sentence for the user; `status` is 0 where it said nothing. */
export class RunsError extends Error {
  constructor(
    message: string,
    readonly status: number
  ) {
    super(message);
  }

  /** Whether nobody knows what became of the request. */
  get unheard(): boolean {
    return this.status === 0 || this.status >= 500;
  }
}

/** The server keeps no runs: a plain JupyterLab. */
export class NoRuns extends Error {}

const PATIENCE = 15000;
/** Submitting looks for the job for a minute where Slurm did not answer. */
const LONG_PATIENCE = 100000;
const SILENT = 'The server does not answer.';

type Method = 'GET' | 'POST' | 'DELETE';

/** The server's addresses below `skiva/runs`. All throw RunsError. */
export class RunsApi {
  constructor(settings: ServerConnection.ISettings) {
    this._settings = settings;
  }

  /** The newest runs, those before one, or those that changed. Throws NoRuns too. */
  async list(query: { since?: number; limit?: number; before?: string }): Promise<IPage> {
    const page = await this._ask<IPage | null>('GET', URLExt.objectToQueryString({ ...query }));
    if (page === null) {
      throw new NoRuns();
    }
    return page;
  }

  /** One run. */
  async get(id: string): Promise<IDetail> {
    return this._ask('GET', `/${id}`);
  }

  /** A part of a run's log, or of one of its tasks'. */
  async log(id: string, offset: number, task: number | null = null): Promise<ILogPart> {
    const query = URLExt.objectToQueryString(task === null ? { offset } : { offset, task });
    return this._ask('GET', `/${id}/log${query}`);
  }

  /** A map's tasks. */
  async tasks(id: string): Promise<readonly ITask[]> {
    return (await this._ask<{ tasks: readonly ITask[] }>('GET', `/${id}/tasks`)).tasks;
  }

  /** What the site offers. */
  async offer(): Promise<IOffer> {
    return this._ask('GET', '/offer');
  }

  /** Send a notebook off. */
  async submit(submission: ISubmission): Promise<IRow> {
    return this._ask('POST', '', submission);
  }

  /** Leave a notebook as it is now for a kernel to send off; its name. */
  async draft(path: string, content: INotebookContent): Promise<string> {
    return (await this._ask<{ draft: string }>('POST', '/drafts', { path, content })).draft;
  }

  /** End a run. */
  async cancel(id: string): Promise<IRow> {
    return this._ask('POST', `/${id}/cancel`, {});
  }

  /** Send the same off once more. */
  async again(id: string): Promise<IRow> {
    return this._ask('POST', `/${id}/again`, {});
  }

  /** Put an ended run aside. */
  async remove(id: string): Promise<void> {
    await this._ask('DELETE', `/${id}`);
  }

  /** Bring it back. */
  async restore(id: string): Promise<void> {
    await this._ask('POST', `/${id}/restore`, {});
  }

  private async _ask<T>(method: Method, path: string, body?: object): Promise<T> {
    const url = `${URLExt.join(this._settings.baseUrl, 'skiva/runs')}${path}`;
    const patience = method === 'POST' ? LONG_PATIENCE : PATIENCE;
    const init: RequestInit = { method, signal: AbortSignal.timeout(patience) };
    if (body) {
      init.body = JSON.stringify(body);
    }
    let response: Response;
    try {
      response = await ServerConnection.makeRequest(url, init, this._settings);
    } catch {
      throw new RunsError(SILENT, 0);
    }
    const answer: unknown = response.status === 204 ? {} : await response.json().catch(() => null);
    if (response.ok && answer !== null) {
      return answer as T;
    }
    if (response.status === 404 && method === 'GET' && !/\/[\w-]+/.test(path)) {
      return null as T;
    }
    const message = (answer as { message?: unknown } | null)?.message;
    throw new RunsError(typeof message === 'string' && message ? message : SILENT, response.status);
  }

  private _settings: ServerConnection.ISettings;
}
