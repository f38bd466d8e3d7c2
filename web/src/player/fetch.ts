// One download, watched while it runs.
import { via } from './relay';

export interface Progress { got: number; bytes: number; elapsedMs: number; firstByteMs: number; silentMs: number }
export interface Fetched extends Progress { body: Uint8Array<ArrayBuffer> | null; end: 'whole' | 'abandoned' | 'failed'; cache: string }

// judge: asked every so often (it says when again); false gives the download up.
// expected: how large it will be, where that is known before.
export async function download(url: string, range: [number, number] | undefined, expected: number, judge: (p: Progress) => { goOn: boolean; waitMs: number; failed?: boolean }, signal: AbortSignal): Promise<Fetched> {
  const stop = new AbortController(), begun = performance.now(), parts: Uint8Array[] = [];
  const p: Progress = { got: 0, bytes: expected, elapsedMs: 0, firstByteMs: 0, silentMs: 0 };
  let last = begun, timer = 0, end: Fetched['end'] = 'failed', cache = '';
  const look = () => {
    p.elapsedMs = performance.now() - begun;
    p.silentMs = performance.now() - last;
    const judged = judge(p);
    if (judged.goOn) {
      timer = window.setTimeout(look, Math.max(50, judged.waitMs));
    } else {
      end = judged.failed ? 'failed' : 'abandoned';
      stop.abort();
    }
  };
  const given = () => { end = 'abandoned'; stop.abort(); };
  signal.addEventListener('abort', given);
  timer = window.setTimeout(look, 250);
  try {
    const answer = await fetch(via(url), { signal: stop.signal, headers: range ? { Range: `bytes=${range[0]}-${range[1]}` } : {} });
    if (!answer.ok || !answer.body || (range && answer.status !== 206)) throw new Error(String(answer.status));
    if (!answer.headers.has('Content-Encoding')) p.bytes = Number(answer.headers.get('Content-Length') ?? 0) || expected;
    cache = answer.headers.get('Cache-Status') ?? '';
    for (const reader = answer.body.getReader(); ;) {
      const { done, value } = await reader.read();
      if (done) break;
      last = performance.now();
      if (!p.got) p.firstByteMs = last - begun;
      p.got += value.length;
      parts.push(value);
    }
    end = 'whole';
  } catch { /* end says which */ }
  clearTimeout(timer);
  signal.removeEventListener('abort', given);
  p.elapsedMs = performance.now() - begun;
  if (end !== 'whole') return { ...p, body: null, end, cache };
  const body = new Uint8Array(p.got);
  let at = 0;
  for (const part of parts) body.set(part, at), at += part.length;
  return { ...p, body, end, cache };
}
