// The two pictures beside the film: what lies ready along the film, and the buffer over the last minute with the rung that was fetched.
import type { Player } from './player';

const CHART_MS = 60000;

function prepared(canvas: HTMLCanvasElement): CanvasRenderingContext2D | null {
  const ratio = devicePixelRatio || 1, width = Math.round(canvas.clientWidth * ratio), height = Math.round(canvas.clientHeight * ratio);
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const c = canvas.getContext('2d');
  c?.clearRect(0, 0, width, height);
  return width && height ? c : null;
}

const color = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name);

export function drawSeek(canvas: HTMLCanvasElement, player: Player): void {
  const c = prepared(canvas), length = player.presentation.seconds;
  if (!c) return;
  const x = (t: number) => t / length * canvas.width;
  c.fillStyle = color('--dim');
  c.globalAlpha = 0.5;
  for (const [from, to] of player.ranges()) c.fillRect(x(from), 0, x(to) - x(from), canvas.height);
  c.globalAlpha = 1;
  c.fillStyle = color('--main');
  c.fillRect(0, 0, x(player.element.currentTime), canvas.height);
}

export function drawBuffer(canvas: HTMLCanvasElement, player: Player): void {
  const c = prepared(canvas), now = performance.now();
  if (!c) return;
  const top = Math.max(...player.presentation.video.map(r => r.bps), 1), deepest = 30, first = Math.max(0, player.log.findIndex(p => p.atMs > now - CHART_MS) - 1);
  const x = (atMs: number) => (1 - (now - atMs) / CHART_MS) * canvas.width;
  const line = (value: (i: number) => number, stroke: string, steps: boolean, fill: boolean) => {
    c.beginPath();
    let last = canvas.height;
    for (let i = first; i < player.log.length; i++) {
      const px = x(player.log[i]!.atMs), py = canvas.height * (1 - Math.min(1, value(i)));
      if (i === first) c.moveTo(px, fill ? canvas.height : py);
      if (steps && i > first) c.lineTo(px, last);
      c.lineTo(px, py);
      last = py;
    }
    c.lineTo(canvas.width, last);
    if (fill) {
      c.lineTo(canvas.width, canvas.height);
      c.globalAlpha = 0.25;
      c.fillStyle = stroke;
      c.fill();
      c.globalAlpha = 1;
    } else {
      c.lineWidth = 2 * (devicePixelRatio || 1);
      c.strokeStyle = stroke;
      c.stroke();
    }
  };
  if (!player.log.length) return;
  line(i => player.log[i]!.bufferS / deepest, color('--audio'), false, true);
  line(i => player.log[i]!.bps / top * 0.9, color('--video'), true, false);
}
