import React from 'react';

import type { ClusterActions } from './actions';
import { isLiving, sortedPages, type ICluster, type IDashboardPage } from './rows';

/** Dask's own pages, each a tab in JupyterLab. */
export function Pages(props: { cluster: ICluster; actions: ClusterActions }): React.ReactElement | null {
  const { cluster, actions } = props;
  const [liked, others] = sortedPages(cluster.pages);
  if (!isLiving(cluster)) {
    return null;
  }
  const links = (pages: readonly IDashboardPage[]) => (
    <div className="skiva-Links">
      {pages.map(page => (
        <button
          type="button"
          key={page.path}
          className="skiva-Link"
          onClick={() => void actions.openPage(cluster, page)}
        >
          {page.title}
        </button>
      ))}
    </div>
  );
  return (
    <section aria-label="Dask’s dashboard">
      <h4>Dask’s dashboard</h4>
      {cluster.pages.length ? (
        links(liked)
      ) : (
        <p className="skiva-Quiet">It comes when the scheduler is there.</p>
      )}
      {others.length > 0 && (
        <details className="skiva-Facts">
          <summary>{`${others.length} more pages`}</summary>
          {links(others)}
        </details>
      )}
    </section>
  );
}
