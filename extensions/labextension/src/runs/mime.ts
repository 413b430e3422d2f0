/** How a run is written into a notebook. */
export const RUN_TYPE = 'application/vnd.skiva.run+json';
