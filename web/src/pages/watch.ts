// The film, and beside it what the player does and why.
import { get, me, post, type Film } from '../api';
import type { Page } from '../app';
import { make } from '../dom';
import { clock, rate, size } from '../format';
import { icon, type Icon } from '../icons';
import { drawBuffer, drawSeek } from '../player/draw';
import { Player, type Told } from '../player/player';
import { Tiles } from '../player/tiles';
import { say, sayError, type Word } from '../words';

const LOOK_MS = 250, REPORT_MS = 5000, TELL_MS = 15000;
const LINKS = [100e3, 200e3, 300e3, 500e3, 1e6, 2e6, 3e6, 5e6, 10e6, 20e6, 0];       // bit/s; 0: unlimited
const JUMP_S = 10;

declare global {
  interface Window { naruPlayer?: Player }               // for the browser's console, and the tests
}

// ---- the account of this viewing, and reports to the steering service ------------------------------------------------------------------

class Teller {
  private id = '';
  private lastReportMs = 0;
  private over = false;
  private readonly timer = window.setInterval(() => void this.tell(false), TELL_MS);
  readonly session = [...crypto.getRandomValues(new Uint8Array(8))].map(b => b.toString(16).padStart(2, '0')).join('');

  constructor(private readonly film: string, private readonly player: Player) {
    post<{ viewing: string }>('/api/viewings', { film }).then(said => { this.id = said.viewing; }).catch(() => {});
    addEventListener('pagehide', this.end);
  }

  private async tell(ended: boolean): Promise<void> {
    const v = this.player.look();
    if (!this.id || this.over) return;
    this.over = ended;
    await post(`/api/viewings/${this.id}`, {
      watched_ms: Math.round(v.watchedMs), bytes: v.bytes, stalls: v.stalls, stall_ms: Math.round(v.stallMs), startup_ms: Math.round(v.startupMs), mean_bps: Math.round(v.meanBps),
      servers: v.servers.slice(0, 8), ended,
    }, ended).catch(() => {});
  }

  readonly end = (): void => {
    clearInterval(this.timer);
    removeEventListener('pagehide', this.end);
    void this.tell(true);
  };

  readonly report = (told: Told): void => {
    const now = performance.now();
    if (!me.steering || (told.kind === 'report' && now - this.lastReportMs < REPORT_MS)) return;
    this.lastReportMs = now;
    void post('/api/report', {
      session: this.session, presentation: this.film, server: told.server, rung: told.rung, throughput_bps: Math.round(told.throughputBps), stalls: told.stalls, buffer_ms: told.bufferMs,
      ...(told.kind === 'failed' ? { failed: true } : {}),
    }).catch(() => {});
  };
}

// ---- the panel -----------------------------------------------------------------------------------------------------------------------

function panelMake(): { root: HTMLElement; look: (player: Player) => void } {
  const chart = make('canvas', { role: 'img', 'aria-label': say('buffer') });
  const names = ['buffer', 'playout_delay', 'throughput', 'rung', 'server', 'stall_count'] as const;
  const values = new Map(names.map(name => [name, { main: make('strong', { 'data-is': name }), more: make('div', { class: 'reason', 'data-why': name }) }]));
  const root = make('dl', {}, ...names.map(name => make('div', {}, make('dt', {}, say(name)), make('dd', {}, values.get(name)!.main, values.get(name)!.more), name === 'buffer' ? chart : null)));
  const put = (name: typeof names[number], main: string, more = '') => {
    const v = values.get(name)!;
    if (v.main.textContent !== main) v.main.textContent = main;
    if (v.more.textContent !== more) v.more.textContent = more;
  };
  const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} ${say('seconds')}`;
  const look = (player: Player) => {
    const v = player.look(), d = v.decision;
    put('buffer', `${v.bufferS.toFixed(1)} ${say('seconds')}`, `${say(v.playout === 'over' ? 'over' : v.playout)}${d ? ' · ' + say(`when_${d.when}` as Word) : ''}`);
    put('playout_delay', seconds(v.delayMs), `${say('start_up')} ${seconds(v.startupMs)}`);
    put('throughput', d?.throughputBps ? rate(d.throughputBps) : '–', d?.throughputLowBps ? `≥ ${rate(d.throughputLowBps)} · ${size(v.bytes)}` : size(v.bytes));
    put('rung', v.rung ? `${v.rung.id} · ${rate(v.rung.bps)}${v.rung.height ? ` · ${v.rung.width}×${v.rung.height}` : ''}` : '–', d ? say(`what_${d.what}` as Word) : '');
    put('server', v.server?.location ?? '–', `${d ? say(`where_${d.where}` as Word) : ''}${v.order ? ` (${v.order})` : ''}`);
    put('stall_count', String(v.stalls), v.stallMs ? seconds(v.stallMs) : '');
    drawBuffer(chart, player);
  };
  return { root, look };
}

function linkSlider(): HTMLElement {
  const at = Math.max(0, LINKS.indexOf(me.link_bps ?? 0)), shown = make('output', { for: 'link' });
  const name = (i: number) => LINKS[i] ? rate(LINKS[i]!) : say('unlimited');
  const input = make('input', { type: 'range', id: 'link', min: 0, max: LINKS.length - 1, step: 1, value: at });
  const take = () => {
    shown.textContent = name(Number(input.value));
    input.setAttribute('aria-valuetext', shown.textContent);
  };
  input.addEventListener('input', take);
  input.addEventListener('change', () => {
    me.link_bps = LINKS[Number(input.value)]!;
    void post('/api/link', { bps: me.link_bps }).catch(() => {});
  });
  take();
  return make('div', { class: 'link' }, make('label', { for: 'link' }, say('link') + ' '), shown, input, make('div', { class: 'reason' }, say('link_help')));
}

// ---- the controls ----------------------------------------------------------------------------------------------------------------------

function keys(player: Player, stage: HTMLElement): (e: KeyboardEvent) => void {
  const v = player.element;
  const acts: Record<string, () => void> = {
    ' ': () => toggle(player), k: () => toggle(player), ArrowLeft: () => player.jump(v.currentTime - JUMP_S), ArrowRight: () => player.jump(v.currentTime + JUMP_S),
    j: () => player.setSpeed(player.speed === -2 ? -8 : -2), l: () => player.setSpeed(player.speed === 2 ? 8 : 2), m: () => player.mute(!v.muted),
    f: () => void (document.fullscreenElement ? document.exitFullscreen() : stage.requestFullscreen()).catch(() => {}),
  };
  return e => {
    const target = e.target as HTMLElement;
    if (e.ctrlKey || e.metaKey || e.altKey || target.matches('input:not([type=range]), select') || (target.matches('button, a') && e.key === ' ')) return;
    if (target.matches('input[type=range]#link') && e.key.startsWith('Arrow')) return;
    const act = acts[e.key] ?? (/^[0-9]$/.test(e.key) ? () => player.jump(player.presentation.seconds * Number(e.key) / 10) : undefined);
    if (!act) return;
    e.preventDefault();
    act();
  };
}

function toggle(player: Player): void {
  if (player.speed !== 1 || player.element.paused) player.play().catch(() => {});
  else player.pause();
}

function controls(player: Player, stage: HTMLElement): { root: HTMLElement; look: () => void } {
  const v = player.element, length = player.presentation.seconds;
  const button = (inside: (Node | string)[], label: string, act: () => void, name: string) =>
    make('button', { type: 'button', 'aria-label': label, title: label, 'data-act': name, onclick: act }, ...inside);
  const speeds = [-8, -2, 2, 8].map(n => ({
    n, button: button([icon(n < 0 ? 'back' : 'forward'), ` ${Math.abs(n)}×`], `${say(n < 0 ? 'back' : 'forward')} ×${Math.abs(n)}`, () => player.setSpeed(player.speed === n ? 1 : n), `speed${n}`),
  }));
  const play = button([], say('play'), () => toggle(player), 'play'), sound = button([], say('sound'), () => player.mute(!v.muted), 'sound');
  const showIcon = (at: HTMLElement, name: Icon) => {
    if (at.dataset['icon'] !== name) at.replaceChildren(icon(name));
    at.dataset['icon'] = name;
  };
  const time = make('span', { class: 'time' });
  const canvas = make('canvas', {}), seek = make('input', { type: 'range', min: 0, max: length, step: 0.1, value: 0, 'aria-label': say('jump') });
  seek.addEventListener('input', () => player.jump(Number(seek.value)));
  const bar = make('div', { class: 'seek' }, canvas, seek, make('span', { class: 'ring' }));
  const tiles = new Tiles(player, bar, seek);
  const root = make('div', {}, bar,
    make('div', { class: 'bar', role: 'group', 'aria-label': say('play') },
      button(['−10'], `${say('jump')} −10 ${say('seconds')}`, () => player.jump(v.currentTime - JUMP_S), 'jump-back'), speeds[0]!.button, speeds[1]!.button, play, speeds[2]!.button, speeds[3]!.button,
      button(['+10'], `${say('jump')} +10 ${say('seconds')}`, () => player.jump(v.currentTime + JUMP_S), 'jump'), sound,
      button([icon('full')], say('full'), () => void stage.requestFullscreen().catch(() => {}), 'full'), time));
  const look = () => {
    const moving = player.speed !== 1 || !v.paused;
    showIcon(play, moving && player.speed === 1 ? 'pause' : 'play');
    play.setAttribute('aria-label', say(moving && player.speed === 1 ? 'pause' : 'play'));
    showIcon(sound, v.muted ? 'muted' : 'sound');
    for (const s of speeds) s.button.setAttribute('aria-pressed', String(player.speed === s.n));
    time.textContent = `${clock(v.currentTime)} / ${clock(length)}`;
    if (document.activeElement !== seek) seek.value = String(v.currentTime);
    seek.setAttribute('aria-valuetext', clock(v.currentTime));
    drawSeek(canvas, player);
    tiles.look();
  };
  return { root, look };
}

// ---- the page --------------------------------------------------------------------------------------------------------------------------

export const watchPage: Page = async (main, id) => {
  const film = (await get<{ films: Film[] }>('/api/films').catch(() => ({ films: [] }))).films.find(f => f.id === id);
  const title = make('h1', {}, film?.title || id), trouble = make('p', { class: 'bad', role: 'alert' });
  const video = make('video', { playsinline: true, autoplay: true, tabindex: -1, poster: film?.poster }), says = make('span', { class: 'says', 'aria-live': 'polite' });
  const stage = make('div', { class: 'stage' }, video, says), left = make('div', {}, stage), right = make('aside', { class: 'panel card', 'aria-label': say('why') });
  main.append(title, trouble, make('div', { class: 'watch' }, left, right));
  if (!film) {
    trouble.textContent = sayError('film');
    return undefined;
  }
  let player: Player;
  try {
    player = await Player.open(video, film.manifest);
  } catch (error) {
    trouble.textContent = say('error_play') + (error as Error).message;
    return undefined;
  }
  window.naruPlayer = player;
  const teller = new Teller(id, player), panel = panelMake(), control = controls(player, stage), pressed = keys(player, stage);
  player.onTold = teller.report;
  player.onTrouble = text => { trouble.textContent = say('error_play') + text; };
  left.append(control.root, make('p', { class: 'keys' }, say('keys')));
  right.append(panel.root);
  if (me.link) right.append(linkSlider());
  video.addEventListener('click', () => toggle(player));
  document.addEventListener('keydown', pressed);
  const timer = setInterval(() => {
    panel.look(player);
    control.look();
    const p = player.playout;
    says.textContent = p === 'stalled' || p === 'starting' ? say(p) : player.speed !== 1 ? `${player.speed < 0 ? '◀◀' : '▶▶'} ×${Math.abs(player.speed)}` : '';
  }, LOOK_MS);
  return () => {
    clearInterval(timer);
    document.removeEventListener('keydown', pressed);
    teller.end();
    player.close();
    delete window.naruPlayer;
  };
};
