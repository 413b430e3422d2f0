import { URLExt } from '@jupyterlab/coreutils';
import type { INotebookContent } from '@jupyterlab/nbformat';
import type { ServerConnection } from '@jupyterlab/services';

import type { ILogPart } from '../common/follow';
import { Rest } from '../common/rest';
import type { IOfferedSlice } from '../common/choices';
import type { Value } from './literals';
import type { IPage, IRow, ITask } from './rows';

/** One run with the end of its log and what is in its folder. */
export interface IDetail extends IRow {
  readonly log_size: number;
  /** The log's last 64 KiB. */
  readonly tail: string;
  readonly error: { readonly type: string; readonly message: string; readonly traceback?: unknown } | null;
  readonly outputs: readonly string[];
  readonly spec: Readonly<Record<string, unknown>>;
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

/** The server's addresses below `skiva/runs`. All throw ServerError. */
export class RunsApi extends Rest {
  constructor(settings: ServerConnection.ISettings) {
    super(settings, 'skiva/runs');
  }

  /** The newest runs, those before one, or those that changed. Throws NotServed too. */
  async list(query: { since?: number; limit?: number; before?: string }): Promise<IPage> {
    return this.ask('GET', URLExt.objectToQueryString({ ...query }));
  }

  /** One run. */
  async get(id: string): Promise<IDetail> {
    return this.ask('GET', `/${id}`);
  }

  /** A part of a run's log, or of one of its tasks'. */
  async log(id: string, offset: number, task: number | null = null): Promise<ILogPart> {
    const query = URLExt.objectToQueryString(task === null ? { offset } : { offset, task });
    return this.ask('GET', `/${id}/log${query}`);
  }

  /** A map's tasks. */
  async tasks(id: string): Promise<readonly ITask[]> {
    return (await this.ask<{ tasks: readonly ITask[] }>('GET', `/${id}/tasks`)).tasks;
  }

  /** What the site offers. */
  async offer(): Promise<IOffer> {
    return this.ask('GET', '/offer');
  }

  /** Send a notebook off. */
  async submit(submission: ISubmission): Promise<IRow> {
    return this.ask('POST', '', submission);
  }

  /** Leave a notebook as it is now for a kernel to send off; its name. */
  async draft(path: string, content: INotebookContent): Promise<string> {
    return (await this.ask<{ draft: string }>('POST', '/drafts', { path, content })).draft;
  }

  /** End a run. */
  async cancel(id: string): Promise<IRow> {
    return this.ask('POST', `/${id}/cancel`, {});
  }

  /** Send the same off once more; with the same key as before, what that has made. */
  async again(id: string, key: string): Promise<IRow> {
    return this.ask('POST', `/${id}/again`, { key });
  }

  /** Put an ended run aside. */
  async remove(id: string): Promise<void> {
    await this.ask('DELETE', `/${id}`);
  }

  /** Bring it back. */
  async restore(id: string): Promise<void> {
    await this.ask('POST', `/${id}/restore`, {});
  }
}
