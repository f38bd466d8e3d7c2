// The presentation as it can be played: the manifest, and what it leaves to others: where segments lie in one file (its index), how large
// they are (the origin's record).
import { mpdRead, type Base, type Piece, type Presentation, type Rendition } from './mpd';
import { via } from './relay';
import { ratesMeasure, sidxRead } from './sidx';

const LOAD_MS = 10000, INDEX_BYTES_MAX = 4 << 20, RECORD_BYTES_MAX = 16 << 20, RUNGS_MAX = 16;

export async function bytesOf(url: string, range?: [number, number]): Promise<Uint8Array<ArrayBuffer>> {
  const answer = await fetch(via(url), { signal: AbortSignal.timeout(LOAD_MS), headers: range ? { Range: `bytes=${range[0]}-${range[1]}` } : {} });
  if (!answer.ok || (range && answer.status !== 206)) throw new Error(String(answer.status));
  return new Uint8Array(await answer.arrayBuffer());
}

// From one server after the other.
async function any(bases: Base[], piece: Piece): Promise<Uint8Array<ArrayBuffer>> {
  let last = new Error('no server');
  for (const base of bases)
    try {
      return await bytesOf(new URL(piece.url, base.url).href, piece.range);
    } catch (error) {
      last = error as Error;
    }
  throw last;
}

async function indexLoad(p: Presentation, r: Rendition): Promise<void> {
  const [from, to] = r.index!;
  if (to - from >= INDEX_BYTES_MAX) throw new Error('an index too large');
  const read = sidxRead(await any(p.bases, { url: r.whole, range: r.index! }), from);
  r.scale = read.scale;
  r.segments = read.segments;
  ratesMeasure(r);
}

// What the origin's record says of the sizes, where it speaks of the same segments; elsewhere nothing changes.
export function sizesTake(p: Presentation, record: unknown): void {
  const all = (record as { renditions?: { id?: string; segments?: [number, number][] }[] })?.renditions;
  for (const r of [...p.video, ...p.audio]) {
    const said = Array.isArray(all) ? all.find(one => one?.id === r.id)?.segments : undefined;
    if (!Array.isArray(said) || said.length !== r.segments.length || said.some((s, i) => !Array.isArray(s) || s[0] !== r.segments[i]!.length || !Number.isSafeInteger(s[1]) || s[1] <= 0)) continue;
    said.forEach((s, i) => { r.segments[i]!.bytes = s[1]; });
    ratesMeasure(r);
  }
}

async function recordLoad(p: Presentation, manifest: string): Promise<void> {
  try {
    const bytes = await bytesOf(new URL('presentation.json', manifest).href);
    if (bytes.length <= RECORD_BYTES_MAX) sizesTake(p, JSON.parse(new TextDecoder().decode(bytes)));
  } catch { /* then by their rates */ }
}

// Rungs are of one family of codecs, by rising rate, and begin together; sound is the best there is.
function choose(p: Presentation): void {
  const family = (r: Rendition) => r.codecs.split('.')[0], begins = (r: Rendition) => r.segments.map(s => Math.floor(s.at * 1000 / r.scale)).join();
  const first = p.video.find(r => r.segments.length && r.bps > 0);
  if (!first) throw new Error('no video that can be played');
  const rungs = p.video.filter(r => r.segments.length && r.bps > 0 && family(r) === family(first)).sort((a, b) => a.bps - b.bps);
  const distinct = rungs.filter((r, i) => !i || r.bps !== rungs[i - 1]!.bps).slice(0, RUNGS_MAX);
  p.video = distinct.filter(r => begins(r) === begins(distinct[0]!));
  p.audio = p.audio.filter(r => r.segments.length).sort((a, b) => b.bps - a.bps).slice(0, 1);
  const last = p.video[0]!.segments[p.video[0]!.segments.length - 1]!;
  p.seconds = p.seconds ? Math.min(p.seconds, last.end) : last.end;
}

export async function load(manifest: string): Promise<Presentation> {
  const answer = await fetch(via(manifest), { signal: AbortSignal.timeout(LOAD_MS) });
  if (!answer.ok) throw new Error(String(answer.status));
  const p = mpdRead(await answer.text(), answer.url);
  const indexed = [...p.video, ...p.audio].filter(r => r.index);
  await Promise.all(indexed.map(r => indexLoad(p, r)));
  if (!indexed.length) await recordLoad(p, new URL(manifest, location.href).href);
  choose(p);
  return p;
}
