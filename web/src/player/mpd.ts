// A DASH manifest of the kind that naru writes (ISO/IEC 23009-1; SegmentTemplate by duration or timeline), read by the browser's XML parser.
import { unvia } from './relay';

export interface Segment { start: number; end: number; number: number; time: number }       // seconds; $Number$ and $Time$
export interface Rendition {
  id: string; kind: 'video' | 'audio' | 'image'; mime: string; codecs: string; bps: number; width: number; height: number;
  init: string; media: string; segments: Segment[]; across: number; down: number;
}
export interface Base { location: string; url: string }
export interface Presentation {
  title: string; seconds: number; video: Rendition[]; audio: Rendition[]; images: Rendition[]; bases: Base[];
  steering?: { url: string; first: string; beforeStart: boolean };
}

const SEGMENTS_MAX = 32768, RENDITIONS_MAX = 16, BASES_MAX = 16;
const own = (e: Element, name: string): Element[] => [...e.children].filter(c => c.localName === name);
const number = (e: Element | undefined, name: string, otherwise = 0): number => {
  const n = Number(e?.getAttribute(name));
  return e?.hasAttribute(name) && Number.isFinite(n) ? n : otherwise;
};

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
      segments.push({ start: time / scale, end: (time + length) / scale, number: first + segments.length, time });
  }
  return segments;
}

function segmentsOf(template: Element, seconds: number): Segment[] {
  const scale = number(template, 'timescale', 1), first = number(template, 'startNumber', 1), length = number(template, 'duration');
  if (own(template, 'SegmentTimeline').length) return timeline(template, scale, first);
  const count = length > 0 ? Math.min(Math.ceil(seconds * scale / length - 1e-6), SEGMENTS_MAX) : 0;
  return Array.from({ length: count }, (_, i) => ({ start: i * length / scale, end: Math.min((i + 1) * length / scale, seconds), number: first + i, time: i * length }));
}

function renditionRead(set: Element, e: Element, seconds: number): Rendition | null {
  const says = (name: string) => e.getAttribute(name) ?? set.getAttribute(name) ?? '';
  const template = own(e, 'SegmentTemplate')[0] ?? own(set, 'SegmentTemplate')[0], mime = says('mimeType');
  const kind = mime.startsWith('video/') ? 'video' : mime.startsWith('audio/') ? 'audio' : mime.startsWith('image/') ? 'image' : null;
  if (!template || !kind) return null;
  const tiles = own(e, 'EssentialProperty').find(p => p.getAttribute('schemeIdUri')?.endsWith('/thumbnail_tile'))?.getAttribute('value');
  const [across, down] = (tiles ?? '1x1').split('x').map(Number);
  return {
    id: says('id'), kind, mime, codecs: says('codecs'), bps: number(e, 'bandwidth'), width: Number(says('width')), height: Number(says('height')),
    init: template.getAttribute('initialization') ?? '', media: template.getAttribute('media') ?? '', segments: segmentsOf(template, seconds), across: across || 1, down: down || 1,
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

export function mpdRead(text: string, from: string): Presentation {
  const root = new DOMParser().parseFromString(text, 'application/xml').documentElement, base = unvia(from);
  const period = own(root, 'Period')[0];
  if (root.localName !== 'MPD' || !period) throw new Error('no DASH manifest');
  const seconds = duration(root.getAttribute('mediaPresentationDuration') ?? period.getAttribute('duration'));
  const all = own(period, 'AdaptationSet').flatMap(set => own(set, 'Representation').map(e => renditionRead(set, e, seconds))).filter((r): r is Rendition => r !== null && r.segments.length > 0);
  const of = (kind: Rendition['kind']) => all.filter(r => r.kind === kind).sort((a, b) => a.bps - b.bps).slice(0, RENDITIONS_MAX);
  const steering = own(root, 'ContentSteering')[0];
  return {
    title: own(root, 'ProgramInformation')[0]?.querySelector('Title')?.textContent ?? '', seconds, video: of('video'), audio: of('audio'), images: of('image'), bases: basesOf(root, base),
    steering: steering ? {
      url: new URL(steering.textContent!.trim(), base).href, first: steering.getAttribute('defaultServiceLocation') ?? '', beforeStart: steering.getAttribute('queryBeforeStart') === 'true',
    } : undefined,
  };
}

// The URL of a rendition's file relative to a base: "$RepresentationID$/$Number%05d$.m4s".
export function fill(template: string, r: Rendition, segment?: Segment): string {
  return template.replace(/\$(\w*)(?:%0(\d+)d)?\$/g, (_, name: string, width?: string) => {
    const value = name === 'RepresentationID' ? r.id : name === 'Bandwidth' ? String(r.bps) : name === 'Number' ? String(segment?.number ?? '') : name === 'Time' ? String(segment?.time ?? '') : '$';
    return width ? value.padStart(Number(width), '0') : value;
  });
}
