import { LabIcon } from '@jupyterlab/ui-components';

const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" viewBox="0 0 16 16">
  <g class="jp-icon3" fill="#616161">
    <path d="M1 2h9v2.4H1zM1 6.8h6v2.4H1zM1 11.6h5V14H1z"/>
    <path d="M8.5 7.2v7.3l6.3-3.65z"/>
  </g>
</svg>`;

/** Lines of a list, and what makes them run. */
export const runsIcon = new LabIcon({ name: '@skiva/lab:runs', svgstr: svg });
