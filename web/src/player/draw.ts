// The pictures beside the film: what lies ready along the film; and over the last minute and a half the rung, the throughput and the buffer.
import { rate } from '../format';
import { say } from '../words';
import { KNOWN_BPS } from './panel';
import type { Player } from './player';

const CHART_MS_MIN = 20000, CHART_MS_MAX = 90000, BUFFER_S = 30, LEFT = 46, RIGHT = 8, TOP = 10, BOTTOM = 20, GAP = 16, WORD = 90, RATES_SHARE = 0.62;

function prepared(canvas: HTMLCanvasElement): { c: CanvasRenderingContext2D; width: number; height: number } | null {
  const ratio = devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
  if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
  const c = canvas.getContext('2d');
  c?.setTransform(ratio, 0, 0, ratio, 0, 0);
  c?.clearRect(0, 0, width, height);
  return c && width && height ? { c, width, height } : null;
}

const color = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name);

export function drawSeek(canvas: HTMLCanvasElement, player: Player): void {
  const at = prepared(canvas), length = player.presentation.seconds;
  if (!at) return;
  const { c, width, height } = at, x = (t: number) => t / length * width;
  c.fillStyle = color('--dim');
  c.globalAlpha = 0.5;
  for (const [from, to] of player.ranges()) c.fillRect(x(from), 0, x(to) - x(from), height);
  c.globalAlpha = 1;
  c.fillStyle = color('--main');
  c.fillRect(0, 0, x(player.element.currentTime), height);
}

// A round number a little above: 1, 2, 5, 10 ...
function ceiling(bps: number): number {
  const ten = 10 ** Math.floor(Math.log10(Math.max(bps, 1e5)));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map(n => n * ten).find(n => n >= bps)!;
}

export class Chart {
  private pointer: number | null = null;                 // its x over the picture
  private spanMs = CHART_MS_MIN;                         // from its left to now

  constructor(private readonly canvas: HTMLCanvasElement, private readonly says: HTMLElement, private readonly player: Player) {
    canvas.addEventListener('pointermove', e => { this.pointer = e.offsetX; this.draw(); });
    canvas.addEventListener('pointerleave', () => { this.pointer = null; this.draw(); });
  }

  draw(): void {
    const at = prepared(this.canvas), p = this.player, now = performance.now();
    if (!at || !p.log.length) return;
    this.spanMs = Math.min(Math.max(CHART_MS_MIN, now - p.begunMs), CHART_MS_MAX);
    const { c, width, height } = at, inner = width - LEFT - RIGHT, all = height - TOP - BOTTOM - GAP;
    const ratesTop = TOP, ratesBottom = TOP + all * RATES_SHARE, bufferTop = ratesBottom + GAP, bufferBottom = height - BOTTOM;
    const first = Math.max(0, p.log.findIndex(one => one.atMs > now - this.spanMs) - 1), points = p.log.slice(first);
    const highest = Math.max(...p.presentation.video.map(r => r.bps)), seen = Math.max(...points.map(one => Math.min(one.throughputBps, 2 * highest)));
    const top = ceiling(Math.max(highest, seen) * 1.05);
    const x = (ms: number) => LEFT + Math.max(0, 1 - (now - ms) / this.spanMs) * inner;
    const yRate = (bps: number) => ratesBottom - Math.min(1, bps / top) * (ratesBottom - ratesTop);
    const yBuffer = (s: number) => bufferBottom - Math.min(1, s / BUFFER_S) * (bufferBottom - bufferTop);
    c.font = '11px system-ui, sans-serif';
    c.lineJoin = 'round';
    this.grid(c, width, x, now, [[ratesTop, ratesBottom, rate(top)], [bufferTop, bufferBottom, `${BUFFER_S} ${say('seconds')}`]]);
    // stalls, behind everything
    c.fillStyle = color('--bad');
    c.globalAlpha = 0.25;
    for (const m of p.moments) if (m.kind === 'stall' && (m.endMs || now) > now - this.spanMs) c.fillRect(x(m.atMs), TOP, Math.max(2, x(m.endMs || now) - x(m.atMs)), bufferBottom - TOP);
    c.globalAlpha = 1;
    this.line(c, points, x, one => yBuffer(one.bufferS), '--audio', { floor: bufferBottom });
    this.line(c, points.filter(one => one.throughputBps >= KNOWN_BPS), x, one => yRate(one.throughputBps), '--warn', { dash: [] });
    this.line(c, points.filter(one => one.bps), x, one => yRate(one.bps), '--video', { steps: true, floor: ratesBottom, wide: true });
    this.marks(c, x, now, bufferBottom);
    this.tell(c, points, x, width, bufferBottom);
  }

  private grid(c: CanvasRenderingContext2D, width: number, x: (ms: number) => number, now: number, bands: [number, number, string][]): void {
    c.strokeStyle = color('--line');
    c.fillStyle = color('--dim');
    c.lineWidth = 1;
    for (const [from, to, label] of bands) {
      c.strokeRect(LEFT + 0.5, Math.round(from) + 0.5, width - LEFT - RIGHT - 1, Math.round(to - from) - 1);
      c.textAlign = 'right';
      c.textBaseline = 'middle';
      label.split(' ').forEach((word, i) => c.fillText(word, LEFT - 5, from + 5 + 12 * i));
      c.fillText('0', LEFT - 5, to - 5);
    }
    c.textBaseline = 'top';
    const gridMs = this.spanMs > 45000 ? 15000 : 5000;
    for (let ms = gridMs; ms < this.spanMs - gridMs / 4; ms += gridMs) {
      const at = Math.round(x(now - ms)) + 0.5;
      c.globalAlpha = 0.6;
      c.beginPath();
      for (const [from, to] of bands) c.moveTo(at, from), c.lineTo(at, to);
      c.stroke();
      c.globalAlpha = 1;
      c.textAlign = 'center';
      if (width > 420 || ms % (2 * gridMs) === 0) c.fillText(`−${ms / 1000} ${say('seconds')}`, at, bands[1]![1] + 5);
    }
    c.textAlign = 'right';
    c.fillText(say('now'), width - RIGHT, bands[1]![1] + 5);
  }

  private line(c: CanvasRenderingContext2D, points: Player['log'], x: (ms: number) => number, y: (one: Player['log'][number]) => number, stroke: string,
    how: { steps?: boolean; floor?: number; wide?: boolean; dash?: number[] }): void {
    if (!points.length) return;
    const path = new Path2D(), right = x(performance.now());
    let last = y(points[0]!);
    path.moveTo(x(points[0]!.atMs), last);
    for (const one of points.slice(1)) {
      if (how.steps) path.lineTo(x(one.atMs), last);
      last = y(one);
      path.lineTo(x(one.atMs), last);
    }
    path.lineTo(right, last);
    c.strokeStyle = c.fillStyle = color(stroke);
    if (how.floor !== undefined) {
      const area = new Path2D(path);
      area.lineTo(right, how.floor);
      area.lineTo(x(points[0]!.atMs), how.floor);
      c.globalAlpha = how.steps ? 0.1 : 0.22;
      c.fill(area);
      c.globalAlpha = 1;
    }
    c.lineWidth = how.wide ? 2.5 : 1.5;
    c.stroke(path);
  }

  // Another server, or one that failed.
  private marks(c: CanvasRenderingContext2D, x: (ms: number) => number, now: number, bottom: number): void {
    const written = { server: -Infinity, failed: -Infinity };          // where the last word of each row began: the next needs room
    c.textBaseline = 'top';
    for (const m of this.player.moments) {
      if (now - m.atMs > this.spanMs || (m.kind !== 'server' && m.kind !== 'failed')) continue;
      const at = Math.round(x(m.atMs)) + 0.5;
      c.strokeStyle = c.fillStyle = color(m.kind === 'server' ? '--fg' : '--bad');
      c.lineWidth = 1;
      c.setLineDash([3, 3]);
      c.beginPath();
      c.moveTo(at, TOP);
      c.lineTo(at, bottom);
      c.stroke();
      c.setLineDash([]);
      if (at - written[m.kind] < WORD) continue;
      written[m.kind] = at;
      c.textAlign = at > this.canvas.clientWidth - WORD ? 'right' : 'left';
      c.fillText(m.kind === 'server' ? `→ ${m.text}` : `✕ ${m.text}`, at + (c.textAlign === 'left' ? 3 : -3), m.kind === 'server' ? TOP + 2 : TOP + 15);
    }
  }

  // What it was where the pointer is, else now.
  private tell(c: CanvasRenderingContext2D, points: Player['log'], x: (ms: number) => number, width: number, bottom: number): void {
    const at = this.pointer === null || this.pointer < LEFT || this.pointer > width - RIGHT ? null : this.pointer;
    const one = at === null ? points[points.length - 1]! : points.reduce((best, p) => Math.abs(x(p.atMs) - at) < Math.abs(x(best.atMs) - at) ? p : best);
    const ago = (performance.now() - one.atMs) / 1000, rung = this.player.presentation.video.find(r => r.bps === one.bps);
    const text = `${at === null ? say('now') : `−${ago.toFixed(0)} ${say('seconds')}`}: ${rung ? `${rung.id} (${rate(one.bps)})` : '–'} · ${say('throughput')} ${one.throughputBps >= KNOWN_BPS ? rate(one.throughputBps) : '–'} · ${say('buffer')} ${one.bufferS.toFixed(1)} ${say('seconds')}`;
    if (this.says.textContent !== text) this.says.textContent = text;
    if (at === null) return;
    c.strokeStyle = color('--focus');
    c.lineWidth = 1;
    c.beginPath();
    c.moveTo(x(one.atMs), TOP);
    c.lineTo(x(one.atMs), bottom);
    c.stroke();
  }
}
