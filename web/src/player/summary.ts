// How it was: the figures by which players are measured, and where the time and the bytes went.
import { make } from '../dom';
import { clock, rate, size } from '../format';
import { say } from '../words';
import type { Player } from './player';

function bar(parts: { name: string; part: number; text: string }[], label: string): HTMLElement {
  const all = parts.reduce((sum, one) => sum + one.part, 0) || 1;
  const strip = make('div', { class: 'strip', 'aria-hidden': 'true' }, ...parts.filter(one => one.part).map((one, i) => {
    const piece = make('span', { class: `part part-${(i + 1) % 6}` });
    piece.style.setProperty('--part', `${one.part / all * 100}%`);
    return piece;
  }));
  return make('div', { class: 'parts' }, make('h3', {}, label), strip,
    make('ul', {}, ...parts.filter(one => one.part).map((one, i) => make('li', {}, make('span', { class: `dot part-${(i + 1) % 6}`, 'aria-hidden': 'true' }), ` ${one.name} `, make('span', { class: 'dim' }, one.text)))));
}

export class Summary {
  readonly root = make('section', { class: 'card summary', 'aria-labelledby': 'summary-title' });
  private was = '';

  constructor(private readonly player: Player) {}

  look(): void {
    const p = this.player, v = p.look(), s = say('seconds');
    const facts: [string, string][] = [
      [say('watched_for'), clock(v.watchedMs / 1000)], [say('mean_quality'), v.meanBps ? rate(v.meanBps) : '–'], [say('start_up'), `${(v.startupMs / 1000).toFixed(1)} ${s}`],
      [say('stall_count'), `${v.stalls} (${(v.stallMs / 1000).toFixed(1)} ${s})`], [say('switches'), String(p.switches)], [say('given_up'), String(p.abandoned)],
      [say('failures'), String(v.failures)], [say('received'), size(v.bytes)], [say('quality'), p.quality().toFixed(2)],
    ];
    const rungs = p.presentation.video.map(r => ({ name: r.id, part: p.heldS.get(r.id) ?? 0, text: `${Math.round(p.heldS.get(r.id) ?? 0)} ${s}` }));
    const servers = [...p.used].map(([name, part]) => ({ name, part, text: size(part) }));
    const now = JSON.stringify([facts, rungs, servers]);
    if (now === this.was) return;
    this.was = now;
    this.root.replaceChildren(make('h2', { id: 'summary-title' }, say('summary')),
      make('dl', { class: 'facts' }, ...facts.map(([name, value]) => make('div', {}, make('dt', {}, name), make('dd', {}, value)))),
      make('div', { class: 'two' }, bar(rungs, say('by_rung')), bar(servers, say('by_server'))), make('p', { class: 'reason' }, say('quality_help')));
  }
}
