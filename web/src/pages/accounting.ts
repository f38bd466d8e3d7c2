import { get } from '../api';
import type { Page } from '../app';
import { make, table } from '../dom';
import { clock, rate, size, when } from '../format';
import { language, say, sayError } from '../words';

interface Sums { viewings?: number; watched_ms?: number; bytes?: number; stalls?: number }
interface Viewing {
  viewing: string; film: string; title: string; who: string; start: string; watched_ms: number; bytes: number; stalls: number; startup_ms: number;
  mean_bps: number; servers: string[];
}
interface Accounting { owner: boolean; viewings: Viewing[]; sums?: { all: Sums; films: Record<string, Sums>; servers: Record<string, Sums> } }

const sumRow = (name: string, s: Sums) => [name, String(s.viewings ?? 0), clock((s.watched_ms ?? 0) / 1000), size(s.bytes ?? 0), String(s.stalls ?? 0)];

function sums(title: string, first: string, rows: [string, Sums][]): HTMLElement[] {
  return [make('h2', {}, title),
    table([first, say('viewings'), say('watched'), say('bytes'), say('stalls')], rows.map(([name, s]) => sumRow(name, s)), [1, 2, 3, 4])];
}

export const accountingPage: Page = async main => {
  main.append(make('h1', {}, say('accounting')));
  try {
    const a = await get<Accounting>('/api/accounting');
    if (!a.viewings.length) main.append(make('p', { class: 'dim' }, say('nothing_watched')));
    else if (!a.owner) main.append(make('p', { class: 'dim' }, say('own_only')));
    if (a.sums && a.viewings.length) {
      const titles = new Map(a.viewings.map(v => [v.film, v.title]));
      const films = Object.entries(a.sums.films).map(([id, s]): [string, Sums] => [titles.get(id) || id, s]);
      main.append(...sums(say('by_film'), say('film'), [...films, [say('all'), a.sums.all]]));
      main.append(...sums(say('by_server'), say('server'), Object.entries(a.sums.servers)));
    }
    if (a.viewings.length)
      main.append(make('h2', {}, say('each')), table(
        [say('film'), say('who'), say('began'), say('watched'), say('bytes'), say('mean_rate'), say('startup'), say('stalls'), say('servers')],
        a.viewings.map(v => [v.title || v.film, v.who, when(v.start, language), clock(v.watched_ms / 1000), size(v.bytes), rate(v.mean_bps),
          (v.startup_ms / 1000).toFixed(1) + ' ' + say('seconds'), String(v.stalls), v.servers.join(', ')]), [3, 4, 5, 6, 7]));
  } catch {
    main.append(make('p', { class: 'bad', role: 'alert' }, sayError('lost')));
  }
};
