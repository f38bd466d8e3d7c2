// The film, and beside it what the player does and why.
import { get, type Film } from '../api';
import type { Page } from '../app';
import { make } from '../dom';
import { clock } from '../format';
import { icon } from '../icons';
import { Controls, keys, toggle } from '../player/controls';
import { Chart } from '../player/draw';
import { linkSlider } from '../player/link';
import { Panel } from '../player/panel';
import { Player } from '../player/player';
import { Summary } from '../player/summary';
import { Teller } from '../player/teller';
import { say, sayError, type Word } from '../words';

const LOOK_MS = 250;

declare global {
  interface Window { naruPlayer?: Player }               // for the browser's console, and the tests
}

// Both packagings that naru emits as DASH; the address keeps which (?as=ondemand).
const PACKAGINGS: { as: string; file: string; word: Word }[] = [{ as: '', file: 'manifest.mpd', word: 'as_segments' }, { as: 'ondemand', file: 'ondemand.mpd', word: 'as_whole' }];

function packagingChoice(id: string, now: string): HTMLElement {
  return make('nav', { class: 'as', 'aria-label': say('packaging') },
    ...PACKAGINGS.map(p => make('a', { href: `/watch/${id}${p.as ? `?as=${p.as}` : ''}`, 'aria-current': p.as === now ? 'true' : undefined }, say(p.word))));
}

function chartMake(player: Player): { root: HTMLElement; chart: Chart } {
  const canvas = make('canvas', { role: 'img', 'aria-label': say('chart') }), says = make('p', { class: 'reason says-chart' });
  const legend = (word: Word, name: string) => make('li', {}, make('span', { class: `key ${name}`, 'aria-hidden': 'true' }), ' ' + say(word));
  return {
    root: make('section', { class: 'card chart', 'aria-label': say('chart') },
      make('ul', { class: 'legend' }, legend('rung', 'video'), legend('throughput', 'warn'), legend('buffer', 'audio'), legend('stall_count', 'bad')), canvas, says),
    chart: new Chart(canvas, says, player),
  };
}

// What lies over the picture: that it waits, how fast it runs, a large button when it stands.
function overlayMake(player: Player): { root: HTMLElement[]; look: () => void } {
  const says = make('span', { class: 'says', 'aria-live': 'polite' }), ring = make('span', { class: 'waits', 'aria-hidden': 'true' });
  const begin = make('button', { type: 'button', class: 'begin', 'aria-label': say('play'), onclick: () => toggle(player) }, icon('play'));
  return {
    root: [says, ring, begin],
    look: () => {
      const p = player.playout, waits = !player.broken && (p === 'stalled' || p === 'starting');
      const text = waits ? say(p) : player.speed !== 1 ? `${player.speed < 0 ? '◀◀' : '▶▶'} ×${Math.abs(player.speed)}` : '';
      if (says.textContent !== text) says.textContent = text;
      ring.hidden = !waits || (p === 'starting' && player.bufferS > 1);
      begin.hidden = player.broken || !(p === 'paused' || p === 'over' || (p === 'starting' && player.element.paused && player.bufferS > 1));
    },
  };
}

async function filmOf(id: string): Promise<Film | undefined> {
  return (await get<{ films: Film[] }>('/api/films').catch(() => ({ films: [] as Film[] }))).films.find(f => f.id === id);
}

export const watchPage: Page = async (main, id) => {
  const film = await filmOf(id), asked = new URLSearchParams(location.search).get('as') ?? '', packaging = PACKAGINGS.find(p => p.as === asked) ?? PACKAGINGS[0]!;
  const title = make('h1', {}, film?.title || id), trouble = make('p', { class: 'bad', role: 'alert' });
  if (!film) {
    main.append(title, trouble, make('p', {}, make('a', { href: '/films' }, say('to_films'))));
    trouble.textContent = sayError('film');
    return undefined;
  }
  const video = make('video', { playsinline: true, autoplay: true, tabindex: -1, poster: film.poster, 'aria-label': film.title || id }), stage = make('div', { class: 'stage' }, video);
  const left = make('div', { class: 'left' }, stage), right = make('aside', {}), below = make('div', { class: 'below' });
  main.append(make('div', { class: 'top' }, make('div', {}, title, make('p', { class: 'dim' }, [film.duration_ms ? clock(film.duration_ms / 1000) : '', film.about ?? ''].filter(Boolean).join(' · '))), packagingChoice(id, packaging.as)),
    trouble, make('div', { class: 'watch' }, left, right, below));
  document.title = `${film.title || id} · ${document.title.split(' · ').pop()}`;
  let player: Player;
  try {
    player = await Player.open(video, film.manifest.replace(/manifest\.mpd$/, packaging.file));
  } catch (error) {
    trouble.textContent = say('error_play') + (error as Error).message;
    return undefined;
  }
  window.naruPlayer = player;
  const teller = new Teller(id, player), panel = new Panel(player), control = new Controls(player, stage), pressed = keys(player, stage), link = linkSlider(), { root, chart } = chartMake(player);
  const summary = new Summary(player), overlay = overlayMake(player);
  player.onTold = teller.report;
  player.onTrouble = text => { trouble.textContent = say('error_play') + text; };
  stage.append(...overlay.root);
  left.append(control.root, make('details', { class: 'keys' }, make('summary', {}, say('keys_title')), make('p', {}, say('keys'))));
  below.append(root, summary.root);
  right.append(panel.root, link.root);
  video.addEventListener('click', () => toggle(player));
  document.addEventListener('keydown', pressed);
  const look = () => {
    panel.look();
    control.look();
    overlay.look();
    chart.draw();
    summary.look();
  };
  const timer = setInterval(look, LOOK_MS);
  look();
  return () => {
    clearInterval(timer);
    link.close();
    document.removeEventListener('keydown', pressed);
    teller.end();
    player.close();
    delete window.naruPlayer;
  };
};
