// The buttons, the seek bar and the keys.
import { make } from '../dom';
import { clock } from '../format';
import { icon, type Icon } from '../icons';
import { say } from '../words';
import { drawSeek } from './draw';
import type { Player } from './player';
import { Tiles } from './tiles';

const JUMP_S = 10;

export function toggle(player: Player): void {
  if (player.speed !== 1 || player.element.paused) player.play().catch(() => {});
  else player.pause();
}

function full(stage: HTMLElement): void {
  (document.fullscreenElement ? document.exitFullscreen() : stage.requestFullscreen()).catch(() => {});
}

export function keys(player: Player, stage: HTMLElement): (e: KeyboardEvent) => void {
  const v = player.element, jump = (s: number) => player.jump(v.currentTime + s);
  const acts: Record<string, () => void> = {
    ' ': () => toggle(player), k: () => toggle(player), ArrowLeft: () => jump(-JUMP_S), ArrowRight: () => jump(JUMP_S), Home: () => player.jump(0), End: () => player.jump(player.presentation.seconds),
    j: () => player.setSpeed(player.speed === -2 ? -8 : -2), l: () => player.setSpeed(player.speed === 2 ? 8 : 2), m: () => player.mute(!player.isMuted), f: () => full(stage),
  };
  return e => {
    const target = e.target as HTMLElement;
    if (e.ctrlKey || e.metaKey || e.altKey || target.matches('input:not([type=range]), select') || (target.matches('button, a, summary') && e.key === ' ')) return;
    if (target.matches('#link') && (e.key.startsWith('Arrow') || e.key === 'Home' || e.key === 'End')) return;
    const act = acts[e.key.length === 1 ? e.key.toLowerCase() : e.key] ?? (/^[0-9]$/.test(e.key) ? () => player.jump(player.presentation.seconds * Number(e.key) / 10) : undefined);
    if (!act) return;
    e.preventDefault();
    act();
  };
}

export class Controls {
  private readonly play: HTMLElement;
  private readonly sound: HTMLElement;
  private readonly time = make('span', { class: 'time' });
  private readonly canvas = make('canvas', { 'aria-hidden': 'true' });
  private readonly seek: HTMLInputElement;
  private readonly speeds: { n: number; button: HTMLElement }[];
  private readonly tiles: Tiles;
  readonly root: HTMLElement;

  constructor(private readonly player: Player, stage: HTMLElement) {
    const v = player.element, length = player.presentation.seconds;
    const button = (inside: (Node | string)[], label: string, act: () => void, name: string) =>
      make('button', { type: 'button', 'aria-label': label, title: label, 'data-act': name, onclick: act }, ...inside);
    const faster = (n: number) => ({
      n, button: button([icon(n < 0 ? 'back' : 'forward'), ` ${Math.abs(n)}×`], `${say(n < 0 ? 'back' : 'forward')} ×${Math.abs(n)}`, () => player.setSpeed(player.speed === n ? 1 : n), `speed${n}`),
    });
    this.speeds = [-8, -2, 2, 8].map(faster);
    this.play = button([], say('play'), () => toggle(player), 'play');
    this.sound = button([], say('sound'), () => player.mute(!player.isMuted), 'sound');
    this.seek = make('input', { type: 'range', min: 0, max: length, step: 0.1, value: 0, 'aria-label': say('jump') });
    this.seek.addEventListener('input', () => player.jump(Number(this.seek.value)));
    const bar = make('div', { class: 'seek' }, this.canvas, this.seek, make('span', { class: 'ring' })), of = (i: number) => this.speeds[i]!.button;
    this.tiles = new Tiles(player, bar, this.seek);
    this.root = make('div', { class: 'controls' }, bar,
      make('div', { class: 'bar', role: 'group', 'aria-label': say('play') },
        make('span', { class: 'group' }, of(0), of(1), button(['−10'], `${say('jump')} −10 ${say('seconds')}`, () => player.jump(v.currentTime - JUMP_S), 'jump-back'), this.play,
          button(['+10'], `${say('jump')} +10 ${say('seconds')}`, () => player.jump(v.currentTime + JUMP_S), 'jump'), of(2), of(3)),
        this.time, make('span', { class: 'group end' }, this.sound, button([icon('full')], say('full'), () => full(stage), 'full'))));
  }

  private show(at: HTMLElement, name: Icon, label: string): void {
    if (at.dataset['icon'] === name) return;
    at.replaceChildren(icon(name));
    at.dataset['icon'] = name;
    at.setAttribute('aria-label', label);
    at.title = label;
  }

  look(): void {
    const p = this.player, v = p.element, going = p.speed === 1 && !v.paused && !v.ended;
    this.show(this.play, going ? 'pause' : 'play', say(going ? 'pause' : 'play'));
    this.show(this.sound, p.isMuted ? 'muted' : 'sound', say(p.isMuted ? 'sound_on' : 'sound_off'));
    for (const s of this.speeds) s.button.setAttribute('aria-pressed', String(p.speed === s.n));
    const time = `${clock(v.currentTime)} / ${clock(p.presentation.seconds)}`;
    if (this.time.textContent !== time) this.time.textContent = time;
    if (document.activeElement !== this.seek || !this.seek.matches(':active')) this.seek.value = String(v.currentTime);
    this.seek.setAttribute('aria-valuetext', time);
    drawSeek(this.canvas, p);
    this.tiles.look();
  }
}
