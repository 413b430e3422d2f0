import { Clipboard, Notification } from '@jupyterlab/apputils';
import React from 'react';

import { useNow } from '../common/clock';
import { useReturn } from '../common/listbox';
import { Notice } from '../common/notice';
import type { ClusterActions } from './actions';
import { ClusterList } from './list';
import type { ClustersModel } from './model';
import { isLiving } from './rows';

interface IAllProps {
  model: ClustersModel;
  actions: ClusterActions;
  active: string | null;
  /** Whether somebody comes back to the list, with the keyboard too. */
  focused: boolean;
  setActive: (id: string) => void;
  open: (id: string) => void;
}

const CODE = 'import skiva\ncluster = skiva.cluster(workers=4)\nclient = cluster.get_client()';

function copy(): void {
  Clipboard.copyToSystem(CODE);
  Notification.success('Copied: paste it into a cell.', { autoClose: 3000 });
}

/** What the panel says to somebody who has none. */
function Empty(): React.ReactElement {
  return (
    <div className="skiva-Empty">
      <p>
        <strong>No clusters yet.</strong>
      </p>
      <p>A Dask cluster runs one computation on many slices at once, each of them only yours.</p>
      <p>
        <em>New cluster</em> starts one that outlives the kernel. From a cell it lives as long as the kernel,
        or, with <code>detached=True</code>, on its own:
      </p>
      <pre tabIndex={0}>{CODE}</pre>
      <button type="button" className="jp-mod-styled jp-mod-reject" onClick={copy}>
        Copy
      </button>
    </div>
  );
}

/** The list in the panel. */
export function AllClusters(props: IAllProps): React.ReactElement {
  const { model, actions, active, setActive, open } = props;
  const { rows } = model;
  const now = useNow(rows.some(isLiving));
  const box = useReturn(props.focused, active);
  return (
    <section className="skiva-All" aria-label="All clusters">
      <header className="skiva-PanelHeader">
        <h2>Clusters</h2>
        <button type="button" className="skiva-Link" onClick={() => void actions.start()}>
          New cluster…
        </button>
      </header>
      <Notice trouble={model.trouble} loaded={model.loaded} />
      <div className="skiva-Scrolled" ref={box}>
        {model.loaded && rows.length === 0 && <Empty />}
        {rows.length > 0 && <ClusterList {...{ rows, now, active, setActive, open, actions }} />}
      </div>
    </section>
  );
}
