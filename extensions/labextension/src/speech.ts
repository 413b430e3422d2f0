/** A place where a screen reader hears of warnings, and of nothing else, without being interrupted. */
export function liveRegion(): (text: string) => void {
  const region = document.createElement('div');
  region.className = 'skiva-LiveRegion';
  region.setAttribute('role', 'status');
  region.setAttribute('aria-live', 'polite');
  document.body.appendChild(region);
  return text => {
    region.textContent = text;
  };
}
