// Asking the console. What changes something carries the session's own token, which a foreign page cannot know.
export interface Me {
  title: string;
  registration: boolean;
  films: boolean;
  safe: boolean;
  relay: string[];
  steering?: string;
  who?: string;
  role?: string;
  csrf?: string;
}

export interface Film {
  id: string;
  title: string;
  about?: string;
  duration_ms?: number;
  manifest: string;
  poster: string;
}

export class Refusal extends Error {
  constructor(readonly status: number, readonly code: string) {
    super(code);
  }
}

export let me: Me = { title: 'naru', registration: false, films: false, safe: true, relay: [] };
let ended: () => void = () => {};

export function whenSignedOut(run: () => void): void {
  ended = run;
}

async function answerOf<T>(answer: Response): Promise<T> {
  const said = await answer.json().catch(() => ({ error: 'trouble' }));
  if (answer.ok) return said as T;
  if (answer.status === 401 && me.who && said.error === 'sign-in') {
    me = { ...me, who: undefined, role: undefined, csrf: undefined };
    ended();
  }
  throw new Refusal(answer.status, said.error ?? 'trouble');
}

export async function get<T>(path: string): Promise<T> {
  return answerOf<T>(await fetch(path, { headers: { Accept: 'application/json' } }));
}

// keepalive: the request outlives the page (the last word of a viewing).
export async function post<T>(path: string, body: unknown, keepalive = false): Promise<T> {
  return answerOf<T>(await fetch(path, {
    method: 'POST', body: JSON.stringify(body), keepalive,
    headers: { 'Content-Type': 'application/json', ...(me.csrf ? { 'X-Naru-Csrf': me.csrf } : {}) },
  }));
}

export async function lookMe(): Promise<void> {
  me = await get<Me>('/api/me');
}

export async function become(path: '/api/sign-in' | '/api/register' | '/api/sign-out' | '/api/sign-out-everywhere' | '/api/password', body: unknown = {}): Promise<void> {
  me = await post<Me>(path, body);
}
