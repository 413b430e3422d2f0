/** How a cluster is written into a notebook. */
export const CLUSTER_TYPE = 'application/vnd.skiva.cluster+json';
