import { LabIcon } from '@jupyterlab/ui-components';

const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" viewBox="0 0 16 16">
  <g class="jp-icon3" fill="#616161">
    <path d="M7 2.1A6.5 6.5 0 1 0 13.9 9H7z"/>
    <path d="M9 .6V7h6.4A6.5 6.5 0 0 0 9 .6z"/>
  </g>
</svg>`;

/** A disc with one slice drawn out. */
export const sliceIcon = new LabIcon({ name: '@skiva/lab:slice', svgstr: svg });
