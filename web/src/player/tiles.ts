// A small picture over the seek bar: where the pointer (or the keyboard's focus) is.
import { clock } from '../format';
import { fill } from './mpd';
import type { Player } from './player';
import { via } from './relay';

const WIDTH = 160;

export class Tiles {
  private readonly box = document.createElement('div');
  private readonly label = document.createElement('span');
  private at: number | null = null;
  private readonly pictures = new Map<number, string>();

  constructor(private readonly player: Player, private readonly bar: HTMLElement, private readonly seek: HTMLInputElement) {
    this.box.className = 'tile';
    this.box.hidden = true;
    this.box.append(this.label);
    bar.append(this.box);
    bar.addEventListener('pointermove', e => {
      const r = bar.getBoundingClientRect();
      this.show(Math.min(1, Math.max(0, (e.clientX - r.left) / r.width)) * player.presentation.seconds);
    });
    bar.addEventListener('pointerleave', () => this.hide());
    seek.addEventListener('blur', () => this.hide());
  }

  private hide(): void {
    this.at = null;
    this.box.hidden = true;
  }

  // By keyboard the thumb is where the pointer would be.
  look(): void {
    if (this.at === null && this.seek.matches(':focus-visible')) this.show(Number(this.seek.value));
  }

  private show(t: number): void {
    const r = this.player.presentation.images[0], sheet = r?.segments.find(s => t < s.end) ?? r?.segments[r.segments.length - 1];
    this.at = t;
    this.label.textContent = clock(t);
    if (!r || !sheet) return;
    const count = r.across * r.down, each = (sheet.end - sheet.start) / count, full = r.segments[0]!.end - r.segments[0]!.start;
    const step = sheet === r.segments[r.segments.length - 1] ? full / count : each, index = Math.min(count - 1, Math.max(0, Math.floor((t - sheet.start) / step)));
    const height = Math.round(WIDTH * (r.height / r.down) / (r.width / r.across)) || 90, s = this.box.style;
    const width = this.bar.clientWidth, left = Math.min(Math.max(0, t / this.player.presentation.seconds * width - WIDTH / 2), width - WIDTH);
    s.width = `${WIDTH}px`;
    s.height = `${height}px`;
    s.left = `${left}px`;
    s.backgroundImage = `url("${this.picture(r.segments.indexOf(sheet))}")`;
    s.backgroundSize = `${WIDTH * r.across}px ${height * r.down}px`;
    s.backgroundPosition = `-${index % r.across * WIDTH}px -${Math.floor(index / r.across) * height}px`;
    this.box.hidden = false;
  }

  // Fetched by the page and shown as a blob: the policy lets pictures come from the console alone.
  private picture(i: number): string {
    const known = this.pictures.get(i);
    if (known !== undefined) return known;
    const r = this.player.presentation.images[0]!, base = this.player.server ?? this.player.servers.bases[0]!;
    this.pictures.set(i, '');
    fetch(via(new URL(fill(r.media, r, r.segments[i]), base.url).href))
      .then(answer => answer.ok ? answer.blob() : Promise.reject(new Error(String(answer.status))))
      .then(blob => { this.pictures.set(i, URL.createObjectURL(blob)); if (this.at !== null) this.show(this.at); })
      .catch(() => { this.pictures.delete(i); });
    return '';
  }
}
