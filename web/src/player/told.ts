// What the rate decision is told: the same as `naru play` tells it (src/rooms/player/player_decide.c), number for number, so that both
// decide the same. Time is the world's: at twice the speed a segment lasts half as long, and its rate is twice as high.
import { AHEAD_MAX, type Playout, type Situation } from './decision';
import { segmentMs, millis, type Rendition } from './mpd';

export const CAPACITY_MS = 25000;                        // of the buffer
const SEGMENT_MS_MAX = 60000, FAST_HELD_MAX = 4;
const whole = Math.floor;

// What is fetched ahead, of the film: more when it plays fast, so that the time to react does not shrink as much.
export const capacityMs = (speed: number): number => CAPACITY_MS * Math.min(Math.max(1, Math.abs(speed)), FAST_HELD_MAX);

// Sizes of the next segments in bytes: row by row, each rung's, with the sound that goes with it.
function sizes(video: Rendition[], sound: Rendition | undefined, index: number, step: number): number[] {
  const rows: number[] = [];
  for (let i = index, n = 0; n < AHEAD_MAX && i >= 0 && i < video[0]!.segments.length; i += step, n++)
    for (const r of video) {
      const s = r.segments[i]!, ms = millis(s.length, r.scale);
      rows.push((s.bytes || whole(whole(r.bps / 8) * ms / 1000)) + (sound ? whole(whole(sound.bps / 8) * ms / 1000) : 0));
    }
  return rows;
}

export interface Now {
  nowMs: number; playout: Playout; bufferMs: number; speed: number; index: number; servers: number;       // bufferMs: of pictures, of the film
  running?: Situation['running'];
}

export function situationOf(video: Rendition[], sound: Rendition | undefined, now: Now): Situation {
  const fast = Math.abs(now.speed) || 1, back = now.speed < 0, count = video[0]!.segments.length;
  const segment = Math.min(Math.max(1, whole(segmentMs(video[0]!, now.index) / fast)), SEGMENT_MS_MAX);
  return {
    nowMs: now.nowMs, playout: now.playout, bufferMs: whole(now.bufferMs / fast), capacityMs: Math.max(whole(capacityMs(now.speed) / fast), 2 * segment),
    speedPermille: 0, segmentMs: segment, segmentsLeft: back ? now.index + 1 : count - now.index, bps: video.map(r => Math.max(1, r.bps * fast)),
    bytes: sizes(video, now.speed === 1 ? sound : undefined, now.index, back ? -1 : 1), servers: now.servers, barred: [], running: now.running,
  };
}
