import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

/** What the server said, in a sentence for the user; `status` is 0 where it said nothing. */
export class ServerError extends Error {
  constructor(message: string, status: number) {
    super(message);
    this.status = status;
  }

  readonly status: number;

  /** Whether nobody knows what became of the request. */
  get unheard(): boolean {
    return this.status === 0 || this.status >= 500;
  }
}

/** The server knows nothing of this kind: a plain JupyterLab. */
export class NotServed extends Error {}

/** What is said where the server said nothing. */
export const SILENT = 'The server does not answer.';

/** The sentence of whatever went wrong with a request. */
export function sentenceOf(error: unknown): string {
  return error instanceof ServerError ? error.message : SILENT;
}

const PATIENCE = 15000;
/** Submitting looks for the job for a minute where Slurm did not answer. */
const LONG_PATIENCE = 100000;

type Method = 'GET' | 'POST' | 'DELETE';

/** The server's addresses below one of its roots. */
export abstract class Rest {
  constructor(settings: ServerConnection.ISettings, root: string) {
    this.settings = settings;
    this._root = root;
  }

  /** How the server is reached. */
  protected readonly settings: ServerConnection.ISettings;

  /** Ask. Throws ServerError; and NotServed where even the root is not known. */
  protected async ask<T>(method: Method, path: string, body?: object): Promise<T> {
    const url = `${URLExt.join(this.settings.baseUrl, this._root)}${path}`;
    const patience = method === 'POST' ? LONG_PATIENCE : PATIENCE;
    const init: RequestInit = { method, signal: AbortSignal.timeout(patience) };
    if (body) {
      init.body = JSON.stringify(body);
    }
    let response: Response;
    try {
      response = await ServerConnection.makeRequest(url, init, this.settings);
    } catch {
      throw new ServerError(SILENT, 0);
    }
    const answer: unknown = response.status === 204 ? {} : await response.json().catch(() => null);
    if (response.ok && answer !== null) {
      return answer as T;
    }
    if (response.status === 404 && method === 'GET' && !/\/[\w-]+/.test(path)) {
      throw new NotServed();
    }
    const message = (answer as { message?: unknown } | null)?.message;
    throw new ServerError(typeof message === 'string' && message ? message : SILENT, response.status);
  }

  private _root: string;
}
