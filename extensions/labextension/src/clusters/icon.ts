import { LabIcon } from '@jupyterlab/ui-components';

const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" viewBox="0 0 16 16">
  <g class="jp-icon3" fill="#616161">
    <path d="M5.8 1h4.4v3.6H8.7v2h4.6v2.8h-1.5V8.1H8.7v1.3H7.3V8.1H4.2v1.3H2.7V6.6h4.6v-2H5.8z"/>
    <path d="M1.2 10.6h4.4V15H1.2zM6 10.6h4V15H6zM10.4 10.6h4.4V15h-4.4z"/>
  </g>
</svg>`;

/** One that leads, and three that work. */
export const clustersIcon = new LabIcon({ name: '@skiva/lab:clusters', svgstr: svg });
