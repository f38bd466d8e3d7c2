// What the player does and why, in words: beside the picture.
import { make } from '../dom';
import { rate, size } from '../format';
import { say, type Word } from '../words';
import type { Player } from './player';

const names = ['rung', 'server', 'throughput', 'buffer', 'stall_count', 'playout_delay'] as const;

export const KNOWN_BPS = 1000;

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} ${say('seconds')}`;

// Servers in the steering's order: whose turn it is, and what each has given.
function serverRow(player: Player, i: number, bytes: number, most: number): HTMLElement {
  const base = player.servers.bases[i]!, now = player.server === base, share = most ? Math.round(bytes / most * 100) : 0;
  const bar = make('span', { class: 'share', 'aria-hidden': 'true' });
  bar.style.setProperty('--share', `${share}%`);
  return make('li', { class: now ? 'now' : undefined, 'aria-current': now ? 'true' : undefined },
    make('span', { class: 'rank' }, String(i + 1)), make('span', { class: 'where' }, base.location), make('span', { class: 'n' }, bytes ? size(bytes) : '–'), bar);
}

export class Panel {
  private readonly values = new Map(names.map(name => [name, { main: make('strong', { 'data-is': name }), more: make('div', { class: 'reason', 'data-why': name }) }]));
  private readonly servers = make('ol', { class: 'servers', 'aria-label': say('ranking') });
  private serversWere = '';
  readonly root = make('section', { class: 'card panel', 'aria-label': say('why') },
    make('dl', {}, ...names.map(name => make('div', {}, make('dt', {}, say(name)), make('dd', {}, this.values.get(name)!.main, this.values.get(name)!.more, name === 'server' ? this.servers : null)))));

  constructor(private readonly player: Player) {}

  private put(name: typeof names[number], main: string, more = ''): void {
    const v = this.values.get(name)!;
    if (v.main.textContent !== main) v.main.textContent = main;
    if (v.more.textContent !== more) v.more.textContent = more;
  }

  look(): void {
    const v = this.player.look(), d = v.decision;
    this.put('rung', v.rung ? `${v.rung.id} · ${rate(v.rung.bps)}${v.rung.height ? ` · ${v.rung.width}×${v.rung.height}` : ''}` : '–', d ? say(`what_${d.what}` as Word) : '');
    this.put('server', v.server?.location ?? '–', d ? say(`where_${d.where}` as Word) : '');
    const known = d && d.throughputBps >= KNOWN_BPS;         // less: nothing was large enough to be measured
    this.put('throughput', known ? rate(d.throughputBps) : '–', known && d.throughputLowBps ? `${say('at_least')} ${rate(Math.min(d.throughputLowBps, d.throughputBps))}` : '');
    this.put('buffer', `${v.bufferS.toFixed(1)} ${say('seconds')}`, `${say(v.playout === 'over' ? 'over' : v.playout)}${d ? ' · ' + say(`when_${d.when}` as Word) : ''}`);
    this.put('stall_count', String(v.stalls), v.stallMs ? seconds(v.stallMs) : '');
    this.put('playout_delay', seconds(v.delayMs), `${say('start_up')} ${seconds(v.startupMs)}`);
    const bytes = this.player.servers.bases.map(b => this.player.used.get(b.location) ?? 0), most = Math.max(...bytes);
    const are = JSON.stringify([this.player.servers.bases.map(b => b.location), this.player.server?.location, bytes.map(size)]);
    if (are === this.serversWere) return;
    this.serversWere = are;
    this.servers.replaceChildren(...bytes.map((n, i) => serverRow(this.player, i, n, most)));
  }
}
