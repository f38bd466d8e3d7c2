import { get } from '../api';
import type { Page } from '../app';
import { make, table } from '../dom';
import { clock } from '../format';
import { say, sayError } from '../words';

interface Status {
  node: string; version: string; source: 'supervisor' | 'process'; uptime_ms?: number; sessions: number; viewings: number;
  services: { service: string; state: string; since_ms?: number; restarts?: number }[];
}
const EVERY_MS = 5000;

const stateOf = (state: string) => make('span', { class: state === 'ready' ? 'good' : 'bad' }, state === 'ready' ? say('ready') : state);

// The supervisor knows since when and how often; a process knows of itself only that it is there.
function services(s: Status): HTMLElement {
  if (s.source === 'process') return table([say('service'), say('state')], s.services.map(one => [one.service, stateOf(one.state)]));
  return table([say('service'), say('state'), say('since'), say('restarts')], s.services.map(one => [
    one.service, stateOf(one.state), one.since_ms === undefined ? '' : clock(one.since_ms / 1000), one.restarts === undefined ? '' : String(one.restarts),
  ]), [2, 3]);
}

export const statusPage: Page = async main => {
  const place = make('div', {});
  main.append(make('h1', {}, say('status')), place);
  const look = async () => {
    try {
      const s = await get<Status>('/api/status');
      const fact = (name: string, value: string | number) => make('div', {}, make('dt', {}, name), make('dd', {}, String(value)));
      place.replaceChildren(
        make('dl', { class: 'facts' }, fact(say('node'), s.node), fact(say('version'), s.version), fact(say('sessions'), s.sessions), fact(say('viewings'), s.viewings)),
        services(s),
        make('p', { class: 'dim' }, say(s.source === 'supervisor' ? 'from_supervisor' : 'from_process')));
    } catch {
      place.replaceChildren(make('p', { class: 'bad', role: 'alert' }, sayError('lost')));
    }
  };
  await look();
  const timer = setInterval(() => void look(), EVERY_MS);
  return () => clearInterval(timer);
};
