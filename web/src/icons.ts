// The few signs on buttons, drawn: no font is asked whether it has them.
const PATHS = {
  play: 'M7 4l14 8-14 8z',
  pause: 'M6 4h4v16H6zM14 4h4v16h-4z',
  back: 'M12 5v14l-9-7zM21 5v14l-9-7z',
  forward: 'M3 5l9 7-9 7zM12 5l9 7-9 7z',
  sound: 'M3 9h4l6-5v16l-6-5H3zM16 8c2 2 2 6 0 8M18.5 5c4 4 4 10 0 14',
  muted: 'M3 9h4l6-5v16l-6-5H3zM16 9l6 6M22 9l-6 6',
  full: 'M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5',
  theme: 'M12 3a9 9 0 1 0 0 18a9 9 0 1 0 0-18zM12 5a7 7 0 0 1 0 14z',
};
export type Icon = keyof typeof PATHS;

export function icon(name: Icon): SVGSVGElement {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg'), path = document.createElementNS(svg.namespaceURI, 'path');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  svg.setAttribute('class', name === 'full' ? 'icon line' : 'icon');
  path.setAttribute('d', PATHS[name]);
  path.setAttribute('fill-rule', 'evenodd');
  svg.append(path);
  return svg;
}
