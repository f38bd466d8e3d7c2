// A DASH manifest (ISO/IEC 23009-1) as naru writes it, read by the browser's XML parser: SegmentTemplate by duration or timeline, and
// SegmentBase (one file a rendition, whose index says where its segments are: sidx.ts).
import { unvia } from './relay';

// In the rendition's units; offset, bytes: where it lies in the one file; bytes 0: nobody has said how large it is.
export interface Segment { at: number; length: number; start: number; end: number; number: number; offset: number; bytes: number }
export interface Rendition {
  id: string; kind: 'video' | 'audio' | 'image'; mime: string; codecs: string; peakBps: number; averageBps: number; bps: number; width: number; height: number;
  scale: number; init: string; media: string; whole: string; index: [number, number] | null; segments: Segment[]; across: number; down: number;
}
export interface Base { location: string; url: string }
export interface Presentation {
  title: string; seconds: number; video: Rendition[]; audio: Rendition[]; images: Rendition[]; bases: Base[]; onDemand: boolean;
  steering?: { url: string; first: string; beforeStart: boolean };
}

export const SEGMENTS_MAX = 32768;
const RENDITIONS_MAX = 16, BASES_MAX = 16;
const own = (e: Element, name: string): Element[] => [...e.children].filter(c => c.localName === name);
const number = (e: Element | undefined, name: string, otherwise = 0): number => {
  const n = Number(e?.getAttribute(name));
  return e?.hasAttribute(name) && Number.isFinite(n) ? n : otherwise;
};

// Milliseconds as C counts them (media_ms), so that both players see the same film.
export const millis = (units: number, scale: number): number => Math.floor(units * 1000 / scale);
export const segmentMs = (r: Rendition, i: number): number => millis(r.segments[i]!.at + r.segments[i]!.length, r.scale) - millis(r.segments[i]!.at, r.scale);

export function segment(at: number, length: number, scale: number, n: number, offset = 0, bytes = 0): Segment {
  return { at, length, start: at / scale, end: (at + length) / scale, number: n, offset, bytes };
}

// "PT1H2M3.5S"
export function duration(text: string | null): number {
  const m = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/.exec(text ?? '');
  return m ? Number(m[1] ?? 0) * 86400 + Number(m[2] ?? 0) * 3600 + Number(m[3] ?? 0) * 60 + Number(m[4] ?? 0) : 0;
}

function timeline(template: Element, scale: number, first: number): Segment[] {
  const segments: Segment[] = [];
  let time = 0;
  for (const s of own(own(template, 'SegmentTimeline')[0]!, 'S')) {
    const length = number(s, 'd');
    time = number(s, 't', time);
    for (let i = 0; i <= number(s, 'r') && length > 0 && segments.length < SEGMENTS_MAX; i++, time += length)
      segments.push(segment(time, length, scale, first + segments.length));
  }
  return segments;
}

function segmentsOf(template: Element, seconds: number, scale: number): Segment[] {
  const first = number(template, 'startNumber', 1), length = number(template, 'duration'), all = Math.round(seconds * scale);
  if (own(template, 'SegmentTimeline').length) return timeline(template, scale, first);
  const count = length > 0 ? Math.min(Math.ceil(all / length - 1e-6), SEGMENTS_MAX) : 0;
  return Array.from({ length: count }, (_, i) => segment(i * length, Math.min(length, all - i * length), scale, first + i));
}

function range(text: string | null | undefined): [number, number] | null {
  const m = /^(\d{1,15})-(\d{1,15})$/.exec(text ?? '');
  return m && Number(m[2]) >= Number(m[1]) ? [Number(m[1]), Number(m[2])] : null;
}

function renditionRead(set: Element, e: Element, seconds: number): Rendition | null {
  const says = (name: string) => e.getAttribute(name) ?? set.getAttribute(name) ?? '';
  const template = own(e, 'SegmentTemplate')[0] ?? own(set, 'SegmentTemplate')[0], base = own(e, 'SegmentBase')[0], mime = says('mimeType');
  const kind = mime.startsWith('video/') ? 'video' : mime.startsWith('audio/') ? 'audio' : mime.startsWith('image/') ? 'image' : null;
  const index = range(base?.getAttribute('indexRange')), whole = own(e, 'BaseURL')[0]?.textContent?.trim() ?? '';
  if (!kind || (!template && !(base && index && index[0] > 0 && whole))) return null;
  const tiles = own(e, 'EssentialProperty').find(p => p.getAttribute('schemeIdUri')?.endsWith('/thumbnail_tile'))?.getAttribute('value');
  const [across, down] = (tiles ?? '1x1').split('x').map(Number), scale = number(template ?? base, 'timescale', 1), bps = number(e, 'bandwidth');
  return {
    id: says('id'), kind, mime, codecs: says('codecs'), peakBps: bps, averageBps: 0, bps, width: Number(says('width')), height: Number(says('height')), scale,
    init: template?.getAttribute('initialization') ?? '', media: template?.getAttribute('media') ?? '', whole: template ? '' : whole, index: template ? null : index,
    segments: template ? segmentsOf(template, seconds, scale) : [], across: across || 1, down: down || 1,
  };
}

function basesOf(root: Element, from: string): Base[] {
  const bases = own(root, 'BaseURL').map((b, i) => ({
    location: b.getAttribute('serviceLocation') ?? '', url: new URL(b.textContent!.trim(), from).href, rank: number(b, 'dvb:priority', i + 1),
  }));
  bases.sort((a, b) => a.rank - b.rank);
  const all = bases.slice(0, BASES_MAX).map(b => ({ location: b.location || new URL(b.url).host, url: b.url }));
  return all.length ? all : [{ location: new URL(from).host, url: from }];
}

// Renditions with an index have no segments yet: load.ts fetches it.
export function mpdRead(text: string, from: string): Presentation {
  const root = new DOMParser().parseFromString(text, 'application/xml').documentElement, base = unvia(from);
  const periods = own(root, 'Period'), period = periods[0];
  if (root.localName !== 'MPD' || !period) throw new Error('no DASH manifest');
  if (root.getAttribute('type') === 'dynamic' || periods.length > 1) throw new Error('a live presentation, or several Periods');
  const seconds = duration(root.getAttribute('mediaPresentationDuration') ?? period.getAttribute('duration'));
  const all = own(period, 'AdaptationSet').flatMap(set => own(set, 'Representation').map(e => renditionRead(set, e, seconds))).filter((r): r is Rendition => r !== null);
  const of = (kind: Rendition['kind']) => all.filter(r => r.kind === kind).slice(0, RENDITIONS_MAX);
  const steering = own(root, 'ContentSteering')[0], title = own(root, 'ProgramInformation')[0];
  return {
    title: (title && own(title, 'Title')[0]?.textContent) ?? '', seconds, video: of('video'), audio: of('audio'), images: of('image'), bases: basesOf(root, base),
    onDemand: all.some(r => r.index !== null),
    steering: steering ? {
      url: new URL(steering.textContent!.trim(), base).href, first: steering.getAttribute('defaultServiceLocation') ?? '', beforeStart: steering.getAttribute('queryBeforeStart') === 'true',
    } : undefined,
  };
}

// The URL of a rendition's file relative to a base: "$RepresentationID$/$Number%05d$.m4s".
export function fill(template: string, r: Rendition, s?: Segment): string {
  return template.replace(/\$(\w*)(?:%0(\d+)d)?\$/g, (_, name: string, width?: string) => {
    const value = name === 'RepresentationID' ? r.id : name === 'Bandwidth' ? String(r.peakBps) : name === 'Number' ? String(s?.number ?? '') : name === 'Time' ? String(s?.at ?? '') : '$';
    return width ? value.padStart(Number(width), '0') : value;
  });
}

// What to ask for: a URL relative to the base, and the first and last byte where it is a part of a file.
export interface Piece { url: string; range?: [number, number] }
export const segmentPiece = (r: Rendition, s: Segment): Piece =>
  r.whole ? { url: r.whole, range: [s.offset, s.offset + s.bytes - 1] } : { url: fill(r.media, r, s) };
export const initPiece = (r: Rendition): Piece => r.whole ? { url: r.whole, range: [0, r.index![0] - 1] } : { url: fill(r.init, r) };
