import { Clipboard, Notification } from '@jupyterlab/apputils';
import React from 'react';

const CODE = 'import skiva\nrun = skiva.submit(sum, [1, 2, 3], hours=0.1)\nrun';

function copy(): void {
  Clipboard.copyToSystem(CODE);
  Notification.success('Copied: paste it into a cell.', { autoClose: 3000 });
}

/** What the panel says to somebody who never sent anything off. */
export function Empty(): React.ReactElement {
  return (
    <div className="skiva-Empty">
      <p>
        <strong>No runs yet.</strong>
      </p>
      <p>Send what takes long to the batch queue and close the laptop: log and result are here tomorrow.</p>
      <p>
        Press <em>Run in batch</em> in a notebook’s toolbar, write <code>%%batch</code> above a cell, or
        submit a function:
      </p>
      <pre tabIndex={0}>{CODE}</pre>
      <button type="button" className="jp-mod-styled jp-mod-reject" onClick={copy}>
        Copy
      </button>
    </div>
  );
}
