// The index of a rendition's one file (ISO/IEC 14496-12 section 8.16.3): where its segments are and how long they last.
import { segment, SEGMENTS_MAX, type Rendition, type Segment } from './mpd';

const fail = (): never => { throw new Error('the index of a rendition cannot be read'); };

// at: the offset of these bytes in the file. Throws when it is no index, or one of indexes.
export function sidxRead(bytes: Uint8Array, at: number): { scale: number; segments: Segment[] } {
  const v = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const u64 = (i: number): number => v.getUint32(i) * 2 ** 32 + v.getUint32(i + 4);
  if (bytes.length < 32 || v.getUint32(4) !== 0x73696478) fail();            // "sidx"
  const box = v.getUint32(0), wide = v.getUint8(8) !== 0, scale = v.getUint32(16), head = wide ? 40 : 32;
  if (box > bytes.length || box < head || scale === 0) fail();
  const count = v.getUint16(head - 2), segments: Segment[] = [];
  let time = wide ? u64(20) : v.getUint32(20), offset = at + box + (wide ? u64(28) : v.getUint32(24));
  if (count === 0 || count > SEGMENTS_MAX || box < head + 12 * count) fail();
  for (let i = 0; i < count; i++) {
    const size = v.getUint32(head + 12 * i), length = v.getUint32(head + 12 * i + 4);
    if (size >= 2 ** 31 || size === 0 || !Number.isSafeInteger(offset + size) || !Number.isSafeInteger(time + length)) fail();
    segments.push(segment(time, length, scale, i + 1, offset, size));
    offset += size;
    time += length;
  }
  return { scale, segments };
}

// As C measures it (media_rates_measure): what segments of known sizes need, over one and over all, rounded up.
export function ratesMeasure(r: Rendition): void {
  const rate = (bytes: number, length: number) => Number((BigInt(bytes) * 8n * BigInt(r.scale) + BigInt(length) - 1n) / BigInt(length));
  if (!r.segments.length || r.segments.some(s => !s.bytes || !s.length)) return;
  const sum = (of: (s: Segment) => number) => r.segments.reduce((all, s) => all + of(s), 0);
  r.averageBps = rate(sum(s => s.bytes), sum(s => s.length));
  r.peakBps ||= Math.max(...r.segments.map(s => rate(s.bytes, s.length)));
  r.bps = r.averageBps;
}
