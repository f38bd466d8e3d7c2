// The rate decision: C's own (src/wire/media/rate_decision.h), as WebAssembly. One session at a time.
import bytes from 'decision.wasm';

export const WHENS = ['room', 'full', 'plenty', 'running', 'too_slow', 'silent', 'no_server', 'end'] as const;
export const WHATS = ['first', 'only', 'top', 'planned', 'up', 'down', 'buffer_low', 'throughput', 'buffer'] as const;
export const WHERES = ['ranked', 'only', 'failed_over', 'faster', 'probed', 'same'] as const;
export type When = typeof WHENS[number];
export type What = typeof WHATS[number] | 'trick';       // trick: not C's: fast motion backwards takes the smallest
export type Where = typeof WHERES[number];

const ACTS = ['fetch', 'wait', 'go_on', 'abandon', 'done'] as const;
const PLAYOUTS = ['starting', 'playing', 'stalled', 'paused'] as const;
const ENDS = ['whole', 'abandoned', 'failed'] as const;
export const AHEAD_MAX = 8;                              // rows of sizes that a decision looks at

export type Playout = typeof PLAYOUTS[number];

export interface Situation {
  nowMs: number; playout: Playout; bufferMs: number; capacityMs: number; speedPermille: number; segmentMs: number; segmentsLeft: number;
  bps: number[]; bytes: number[]; servers: number; barred: boolean[];      // bytes: a row of rungs for each of the next segments
  running?: { rung: number; server: number; bytes: number; got: number; elapsedMs: number; firstByteMs: number; silentMs: number };
}

export interface Decision {
  act: typeof ACTS[number]; rung: number; server: number; waitMs: number; when: When; what: What; where: Where;
  throughputBps: number; throughputLowBps: number; downloadMs: number; bufferAfterMs: number; worthMilli: number; nextWorthMilli: number;
}

export interface Download {
  nowMs: number; server: number; rung: number; bytes: number; firstByteMs: number; elapsedMs: number; end: typeof ENDS[number];
}

interface Door {
  start(rule: number): void;
  jump(): void;
  situate(nowMs: number, playout: number, bufferMs: number, capacityMs: number, speed: number, segmentMs: number, left: number, rungs: number, ahead: number, servers: number): void;
  rung(i: number, bps: number): void;
  size(row: number, rung: number, bytes: number): void;
  bar(server: number): void;
  running(rung: number, server: number, bytes: number, got: number, elapsedUs: number, firstByteUs: number, silentMs: number): void;
  decide(): void;
  decided(what: number): number;
  learn(nowMs: number, server: number, rung: number, bytes: number, firstByteUs: number, elapsedUs: number, end: number): void;
  place(i: number, before: number): void;
  reorder(count: number): void;
}

export class Decider {
  private constructor(private readonly door: Door) {
    door.start(0);
  }

  static async make(code: BufferSource = bytes as BufferSource): Promise<Decider> {
    const { instance } = await WebAssembly.instantiate(code, {});
    return new Decider(instance.exports as unknown as Door);
  }

  decide(s: Situation): Decision {
    const d = this.door, whole = Math.round;
    d.situate(whole(s.nowMs), PLAYOUTS.indexOf(s.playout), whole(s.bufferMs), s.capacityMs, s.speedPermille, whole(s.segmentMs), s.segmentsLeft, s.bps.length,
      Math.floor(s.bytes.length / s.bps.length), s.servers);
    s.bytes.forEach((bytes, i) => d.size(Math.floor(i / s.bps.length), i % s.bps.length, bytes));
    s.bps.forEach((bps, i) => d.rung(i, bps));
    s.barred.forEach((barred, i) => { if (barred) d.bar(i); });
    const r = s.running;
    if (r) d.running(r.rung, r.server, r.bytes, r.got, whole(r.elapsedMs * 1000), whole(r.firstByteMs * 1000), whole(r.silentMs));
    d.decide();
    return {
      act: ACTS[d.decided(0)]!, rung: d.decided(1), server: d.decided(2), waitMs: d.decided(3), when: WHENS[d.decided(4)]!, what: WHATS[d.decided(5)]!,
      where: WHERES[d.decided(6)]!, throughputBps: d.decided(7), throughputLowBps: d.decided(8), downloadMs: d.decided(9), bufferAfterMs: d.decided(10),
      worthMilli: d.decided(11), nextWorthMilli: d.decided(12),
    };
  }

  learn(x: Download): void {
    this.door.learn(Math.round(x.nowMs), x.server, x.rung, x.bytes, Math.round(x.firstByteMs * 1000), Math.round(x.elapsedMs * 1000), ENDS.indexOf(x.end));
  }

  // before[i]: where the server that is now i stood before, -1: it is new.
  reorder(before: number[]): void {
    before.forEach((at, i) => this.door.place(i, at));
    this.door.reorder(before.length);
  }

  jump(): void {
    this.door.jump();
  }
}
