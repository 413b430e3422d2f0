import type { Kernel } from '@jupyterlab/services';

/** What a line of code printed and returned. */
export interface IOutcome {
  readonly text: string;
  /** Data by type, of what it displayed last. */
  readonly data: Readonly<Record<string, unknown>>;
}

/** The code raised; the message is what it said. */
export class CodeRaised extends Error {
  constructor(type: string, value: string) {
    super(value ? `${type}: ${value}` : type);
  }
}

interface IContent {
  readonly name?: string;
  readonly text?: string;
  readonly data?: Record<string, unknown>;
}

/** Run code in a notebook's own kernel, outside of its cells. Throws CodeRaised. */
export async function runCodeIn(kernel: Kernel.IKernelConnection, code: string): Promise<IOutcome> {
  const future = kernel.requestExecute({
    code,
    stop_on_error: false,
    store_history: false,
    allow_stdin: false
  });
  let text = '';
  let data: Record<string, unknown> = {};
  future.onIOPub = message => {
    const content = message.content as IContent;
    text += content.text ?? '';
    if (message.header.msg_type === 'execute_result' || message.header.msg_type === 'display_data') {
      data = content.data ?? {};
    }
  };
  const reply = await future.done;
  if (reply.content.status === 'error') {
    throw new CodeRaised(reply.content.ename, reply.content.evalue);
  }
  if (reply.content.status !== 'ok') {
    throw new CodeRaised('Interrupted', 'the kernel was interrupted before it was done.');
  }
  return { text: text.trim(), data };
}
