import { ServerConnection } from '@jupyterlab/services';

const BASE = 'http://localhost/user/me/';

/** What a browser throws where nobody answers. */
export function silence() {
  throw new TypeError('Failed to fetch');
}

/** JupyterLab's own requests to a server that answers as `reply` says: with a status and what becomes JSON. */
export function server(reply) {
  const asked = [];
  const fetch = async request => {
    const text = await request.text();
    const asking = {
      method: request.method,
      path: request.url.replace(BASE, ''),
      body: text && JSON.parse(text)
    };
    asked.push(asking);
    const [status, answer] = await made.reply(asking);
    return new Response(answer === undefined ? null : JSON.stringify(answer), { status });
  };
  const made = {
    asked,
    reply,
    settings: { ...ServerConnection.makeSettings({ init: {}, fetch }), baseUrl: BASE }
  };
  return made;
}
