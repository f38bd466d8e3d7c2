// Hosts that this browser cannot reach by name, the small Internet's, are asked through the console: http://HOST/PATH is /via/HOST/PATH.
import { me } from '../api';

function relayed(host: string): boolean {
  return me.relay.some(name => name === host || (name.startsWith('*.') && host.endsWith(name.slice(1))));
}

export function via(url: string): string {
  const u = new URL(url, location.href);
  if (u.origin === location.origin || u.protocol !== 'http:' || !relayed(u.hostname)) return u.href;
  return `${location.origin}/via/${u.host}${u.pathname}${u.search}`;
}

export function unvia(url: string): string {
  const u = new URL(url, location.href);
  return u.origin === location.origin && u.pathname.startsWith('/via/') ? 'http://' + u.pathname.slice(5) + u.search : u.href;
}
