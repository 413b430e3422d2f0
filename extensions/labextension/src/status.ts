import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

/** Bytes in use and allowed; null where it is not known. */
export interface IMemory {
  readonly used: number;
  readonly limit: number | null;
}

/** One GPU of the session, as NVML tells it. */
export interface IGpu {
  readonly name: string;
  readonly utilization: number | null;
  readonly memory_used: number | null;
  readonly memory_total: number | null;
}

/** Slurm's warning signal; `early` when it is not for the time limit. */
export interface ISignalWarning {
  readonly id: number;
  readonly minutes: number;
  readonly seconds_left: number;
  readonly early: boolean;
  readonly sentence: string;
}

/** The answer of `GET skiva/status`. Times are for people to read; only `seconds_left` is counted from. */
export interface IStatus {
  readonly slice: string;
  readonly title: string;
  readonly environment: string;
  /** Of the environment's packages, e.g. `sha256:…`; empty where it has no record. */
  readonly digest: string;
  readonly isolation: string;
  readonly simulated: boolean;
  readonly job_id: number;
  readonly node: string;
  readonly gres: string;
  readonly seconds_left: number | null;
  readonly memory: IMemory | null;
  readonly gpus: readonly IGpu[] | null;
  readonly warning: ISignalWarning | null;
  readonly extend: { readonly allowed: boolean; readonly hours: number; readonly until: number | null };
  readonly trouble: string;
}

/** The server has no session: no address `skiva/status`, or nothing behind it. */
export class NoSession extends Error {}

/** The hub did not extend the session; the message is a sentence for the user. */
export class ExtendRefused extends Error {}

const PATIENCE = 8000;
const EXTEND_PATIENCE = 40000;

async function ask(
  settings: ServerConnection.ISettings,
  name: string,
  method: 'GET' | 'POST',
  patience: number
): Promise<Response> {
  const url = URLExt.join(settings.baseUrl, 'skiva', name);
  const init: RequestInit = { method, signal: AbortSignal.timeout(patience) };
  return ServerConnection.makeRequest(url, method === 'POST' ? { ...init, body: '{}' } : init, settings);
}

/** Ask the server how the session is. Throws NoSession, or whatever kept it from answering. */
export async function readStatus(settings: ServerConnection.ISettings): Promise<IStatus> {
  const response = await ask(settings, 'status', 'GET', PATIENCE);
  if (response.status === 404) {
    throw new NoSession();
  }
  if (!response.ok) {
    throw new ServerConnection.ResponseError(response);
  }
  // The page of a hub whose server is gone is no JSON, so this throws then.
  const status = (await response.json()) as IStatus | { slice: null };
  if (status.slice === null) {
    throw new NoSession();
  }
  return status;
}

/** Ask for a later end. Throws ExtendRefused with the reason. */
export async function extendSession(settings: ServerConnection.ISettings): Promise<IStatus> {
  let response: Response;
  try {
    response = await ask(settings, 'extend', 'POST', EXTEND_PATIENCE);
  } catch {
    throw new ExtendRefused('The server did not answer, so the session was not extended.');
  }
  const answer: unknown = await response.json().catch(() => null);
  if (response.ok && answer !== null) {
    return answer as IStatus;
  }
  const message = (answer as { message?: unknown } | null)?.message;
  throw new ExtendRefused(typeof message === 'string' && message ? message : 'The session was not extended.');
}
