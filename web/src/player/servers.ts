// Where the film may come from: the manifest's ranked list, put in order by the steering service (ETSI TS 103 998) while it plays.
import type { Base, Presentation } from './mpd';
import { via } from './relay';

const TTL_S_MIN = 2, TTL_S_DEFAULT = 300, ASK_MS = 3000;

export class Servers {
  bases: Base[];
  asked = '';                                            // the steering's last order, for the view
  private timer = 0;
  private url: string | undefined;

  constructor(p: Presentation, private readonly reordered: (before: number[]) => void, private readonly throughput: () => number) {
    this.bases = p.bases;
    this.url = p.steering?.url;
    if (p.steering?.first) this.order([p.steering.first]);
  }

  private order(ranking: string[]): void {
    const rank = (b: Base) => { const i = ranking.indexOf(b.location); return i < 0 ? ranking.length : i; };
    const before = this.bases, after = [...before].sort((a, b) => rank(a) - rank(b));
    if (after.every((b, i) => b === before[i])) return;
    this.bases = after;
    this.reordered(after.map(b => before.indexOf(b)));
  }

  // Asks now and whenever the answer has had its time. Never fails: without an answer the order stays.
  async ask(): Promise<void> {
    clearTimeout(this.timer);
    if (!this.url) return;
    let ttl = TTL_S_DEFAULT;
    try {
      const u = new URL(this.url);
      u.searchParams.set('_DASH_pathway', `"${this.bases[0]!.location}"`);
      if (this.throughput()) u.searchParams.set('_DASH_throughput', String(Math.round(this.throughput())));
      const said = await (await fetch(via(u.href), { signal: AbortSignal.timeout(ASK_MS), cache: 'no-store' })).json();
      const ranking = said['PATHWAY-PRIORITY'] ?? said['SERVICE-LOCATION-PRIORITY'];
      if (Array.isArray(ranking)) {
        this.asked = ranking.join(' > ');
        this.order(ranking.map(String));
      }
      if (typeof said['RELOAD-URI'] === 'string') this.url = new URL(said['RELOAD-URI'], this.url).href;
      ttl = Math.max(TTL_S_MIN, Number(said.TTL) || TTL_S_DEFAULT);
    } catch { /* the next time, then */ }
    this.timer = window.setTimeout(() => void this.ask(), ttl * 1000);
  }

  close(): void {
    clearTimeout(this.timer);
    this.url = undefined;
  }
}
