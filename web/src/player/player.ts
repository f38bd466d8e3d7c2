// naru's player: fetches segments one after the other as the rate decision says, gives them to the browser's decoder (Media Source
// Extensions), and can tell at any time what it does and why.
import { Decider, type Decision, type Playout, type Situation } from './decision';
import { download, type Fetched, type Progress } from './fetch';
import { load } from './load';
import { initPiece, segmentPiece, type Base, type Piece, type Presentation, type Rendition, type Segment } from './mpd';
import { Servers } from './servers';
import { say } from '../words';
import { Track } from './source';
import { capacityMs, situationOf } from './told';

const START_MS = 1000;                                   // what is there before it starts
const KEEP_BEHIND_S = 30, KEEP_AHEAD_BACKWARDS_S = 12, BACK_FETCH_S = 24;
const WAIT_MS_MAX = 500, TICK_MS = 100, BACK_TICK_MS = 250;
const SOUND_MS_MAX = 8000, SILENT_MS_MAX = 4000;         // of a download that the decision does not watch: sound, initialization
const NOTE_MS = 250;                                     // the picture of the buffer has a point so often
const NUDGE_S = 0.6;                                     // a hole so small is stepped over
const TRIES_MAX = 32;                                    // of one small download, over all servers

export interface Told { kind: 'report' | 'failed'; server: string; rung: string; throughputBps: number; stalls: number; bufferMs: number }

export interface Moment { atMs: number; endMs: number; kind: 'stall' | 'server' | 'failed' | 'jump'; text: string }

export interface View {
  playout: Playout | 'over'; bufferS: number; delayMs: number; startupMs: number; stalls: number; stallMs: number; watchedMs: number; bytes: number;
  decision: Decision | null; rung: Rendition | null; server: Base | null; speed: number; meanBps: number; servers: string[]; failures: number; order: string;
}

export class Player {
  readonly presentation: Presentation;
  readonly servers: Servers;
  stalls = 0;
  stallMs = 0;
  startupMs = 0;
  watchedMs = 0;
  bytes = 0;
  failures = 0;
  speed = 1;
  decision: Decision | null = null;
  rung: Rendition | null = null;                         // fetched last
  server: Base | null = null;
  readonly used = new Map<string, number>();             // bytes by server
  readonly log: { atMs: number; bufferS: number; bps: number; throughputBps: number; lowBps: number }[] = [];
  readonly moments: Moment[] = [];                       // what is worth a mark in the picture
  readonly heldS = new Map<string, number>();            // seconds of the film, by rendition
  switches = 0;
  broken = false;                                        // the decoder gave up: nothing more will come
  abandoned = 0;
  readonly begunMs = performance.now();
  onTold: (what: Told) => void = () => {};
  onTrouble: (text: string) => void = () => {};

  private readonly media = new MediaSource();
  private video!: Track;
  private audio: Track | null = null;
  private readonly inits = new Map<string, Uint8Array<ArrayBuffer>>();
  private closed = false;
  private started = false;
  private wake: () => void = () => {};
  private current = new AbortController();
  private running: Situation['running'];
  private serverAt = 0;
  private stallSinceMs = 0;
  private lastTime = 0;
  private lastTickMs = performance.now();
  private ticker = 0;
  private stall: Moment | null = null;
  private lastNoteMs = 0;
  private backTimer = 0;
  private bpsSeconds = 0;
  private switchedBps = 0;
  private lastHeld: Rendition | null = null;
  private segments = 0;
  private lastGiver: Base | null = null;                 // of a whole segment of the picture
  private rungSeconds = 0;
  private muted = false;

  private constructor(readonly element: HTMLVideoElement, presentation: Presentation, private readonly decider: Decider) {
    this.presentation = presentation;
    this.servers = new Servers(this.presentation, before => {
      decider.reorder(before);
      this.serverAt = Math.max(0, before.indexOf(this.serverAt));
    }, () => this.decision?.throughputBps ?? 0);
  }

  static async open(element: HTMLVideoElement, manifest: string): Promise<Player> {
    const [decider, presentation] = await Promise.all([Decider.make(), load(manifest)]);
    const player = new Player(element, presentation, decider);
    await player.begin();
    return player;
  }

  private async begin(): Promise<void> {
    const p = this.presentation, opened = new Promise<void>(yes => this.media.addEventListener('sourceopen', () => yes(), { once: true }));
    this.element.src = URL.createObjectURL(this.media);
    const asked = this.servers.ask();
    if (p.steering?.beforeStart) await asked;
    await opened;
    URL.revokeObjectURL(this.element.src);
    this.media.duration = p.seconds;
    const track = (r: Rendition) => new Track(this.media.addSourceBuffer(`${r.mime}; codecs="${r.codecs}"`));
    this.video = track(p.video[p.video.length - 1]!);
    if (p.audio[0]) this.audio = track(p.audio[0]);
    this.element.addEventListener('seeking', this.onSeeking);
    this.element.addEventListener('play', this.onPlay);
    this.element.addEventListener('error', this.onError);
    this.ticker = window.setInterval(this.tick, TICK_MS);
    void this.run();
  }

  close(): void {
    this.closed = true;
    clearInterval(this.ticker);
    clearInterval(this.backTimer);
    this.servers.close();
    this.current.abort();
    this.wake();
    this.element.removeEventListener('seeking', this.onSeeking);
    this.element.removeEventListener('play', this.onPlay);
    this.element.removeEventListener('error', this.onError);
    this.element.removeAttribute('src');
    this.element.load();
  }

  // ---- what it is doing ------------------------------------------------------------------------------------------------------------

  get bufferS(): number {
    const t = this.element.currentTime, picture = this.video.ahead(t), sound = this.audio ? this.audio.ahead(t) : picture;
    return Math.min(picture, sound);
  }

  get playout(): Playout | 'over' {
    if (this.element.ended) return 'over';
    if (!this.started) return 'starting';
    if (this.speed > 0 && this.element.paused) return 'paused';
    return this.stallSinceMs ? 'stalled' : 'playing';
  }

  look(): View {
    return {
      playout: this.playout, bufferS: this.bufferS, delayMs: this.startupMs + this.stallMs, startupMs: this.startupMs, stalls: this.stalls, stallMs: this.stallMs,
      watchedMs: this.watchedMs, bytes: this.bytes, decision: this.decision, rung: this.rung, server: this.server, speed: this.speed, failures: this.failures,
      meanBps: this.rungSeconds ? this.bpsSeconds / this.rungSeconds : 0, servers: [...this.used.keys()], order: this.servers.asked,
    };
  }

  // Mean rate - 4.3 a second of waiting - the steps between neighbours, in Mbit/s a segment (Yin and others, SIGCOMM 2015): as `naru play`.
  quality(): number {
    if (!this.segments) return 0;
    return this.bpsSeconds / this.rungSeconds / 1e6 - (4.3 * (this.startupMs + this.stallMs) / 1000 + this.switchedBps / 1e6) / this.segments;
  }

  private held(r: Rendition, s: Segment): void {
    this.segments++;
    this.heldS.set(r.id, (this.heldS.get(r.id) ?? 0) + s.end - s.start);
    if (this.lastHeld && this.lastHeld !== r) {
      this.switches++;
      this.switchedBps += Math.abs(this.lastHeld.bps - r.bps);
    }
    this.lastHeld = r;
  }

  private mark(kind: Moment['kind'], text: string): Moment {
    const moment = { atMs: performance.now(), endMs: 0, kind, text };
    this.moments.push(moment);
    if (this.moments.length > 500) this.moments.splice(0, 250);
    return moment;
  }

  ranges(): [number, number][] {
    return this.video.ranges();
  }

  // ---- what the viewer wants ---------------------------------------------------------------------------------------------------------

  play(): Promise<void> {
    this.setSpeed(1);
    return this.element.play();
  }

  pause(): void {
    this.setSpeed(1);
    this.element.pause();
  }

  jump(seconds: number): void {
    this.mark('jump', '');
    this.element.currentTime = Math.min(Math.max(0, seconds), this.presentation.seconds - 0.1);
  }

  get isMuted(): boolean {
    return this.muted;
  }

  mute(muted: boolean): void {
    this.muted = muted;
    this.element.muted = muted || Math.abs(this.speed) > 2;
  }

  // 1, 2, 8 forward; -2, -8 back: pictures in steps, the smallest rendition.
  setSpeed(speed: number): void {
    if (this.speed === speed) return;
    clearInterval(this.backTimer);
    const back = speed < 0 || this.speed < 0;
    this.speed = speed;
    this.mute(this.muted);
    if (speed > 0) {
      this.element.playbackRate = speed;
      if (speed > 1) this.element.play().catch(() => {});
    } else {
      this.element.pause();
      this.backTimer = window.setInterval(this.backStep, BACK_TICK_MS);
    }
    if (back) this.current.abort();
    this.wake();
  }

  private readonly backStep = (): void => {
    const t = this.element.currentTime, next = Math.max(0, t + this.speed * BACK_TICK_MS / 1000);
    if (!this.element.seeking && this.video.ahead(next) > 0) this.element.currentTime = next;
    if (t === 0) this.pause();
  };

  private readonly onPlay = (): void => {
    if (this.speed < 0) this.setSpeed(1);
  };

  private readonly onSeeking = (): void => {
    if (this.speed < 0) return;
    const t = this.element.currentTime, s = this.segmentAt(this.presentation.video, t);
    if (!s || this.video.has(s.start, s.end)) return;
    this.decider.jump();
    this.current.abort();
    this.wake();
  };

  private readonly onError = (): void => {
    this.broken = true;
    this.onTrouble(say('error_decode'));
    this.closed = true;
  };

  // ---- ten times a second ------------------------------------------------------------------------------------------------------------

  private readonly tick = (): void => {
    const e = this.element, now = performance.now(), moved = e.currentTime - this.lastTime;
    const dry = e.readyState < HTMLMediaElement.HAVE_FUTURE_DATA && !e.seeking && !e.ended && this.speed > 0;
    if (!this.started && e.readyState >= HTMLMediaElement.HAVE_FUTURE_DATA && !e.paused) {
      this.started = true;
      this.startupMs = now - this.begunMs;
    }
    if (this.started && !e.paused && moved > 0 && moved < 1 + 2 * Math.abs(this.speed)) this.watchedMs += moved * 1000;
    if (dry) this.stepOver();
    if (this.started && dry && !e.paused && !this.stallSinceMs) {
      this.stallSinceMs = now;
      this.stalls++;
      this.stall = this.mark('stall', '');
    } else if (this.stallSinceMs) {
      this.stallMs += now - this.lastTickMs;
      if (!dry) this.stallSinceMs = 0;
      if (!dry && this.stall) this.stall.endMs = now;
    }
    if (now - this.lastNoteMs >= NOTE_MS) this.noteNow();
    this.lastTime = e.currentTime;
    this.lastTickMs = now;
  };

  private stepOver(): void {
    const t = this.element.currentTime, b = this.element.buffered;
    for (let i = 0; i < b.length; i++)
      if (b.start(i) > t && b.start(i) < t + NUDGE_S) this.element.currentTime = b.start(i) + 0.01;
  }

  // ---- the loop ----------------------------------------------------------------------------------------------------------------------

  private segmentAt(renditions: Rendition[], t: number): Segment | undefined {
    return renditions[0]?.segments.find(s => t < s.end);
  }

  // The first segment from t on that is not there.
  private wanted(renditions: Rendition[], track: Track, t: number): number {
    const segments = renditions[0]!.segments;
    let i = Math.max(0, segments.findIndex(s => t < s.end));
    if (t >= segments[segments.length - 1]!.end) return segments.length;
    while (i < segments.length && track.has(segments[i]!.start, segments[i]!.end)) i++;
    return i;
  }

  private sleep(ms: number): Promise<void> {
    return new Promise(yes => {
      const timer = window.setTimeout(yes, ms);
      this.wake = () => { clearTimeout(timer); yes(); };
    });
  }

  private async run(): Promise<void> {
    while (!this.closed) {
      this.current = new AbortController();
      try {
        if (this.speed < 0) await this.stepBackwards();
        else await this.step();
      } catch (error) {
        if (this.closed) return;
        if (this.element.error) return this.onError();
        this.onTrouble((error as Error).message);
        await this.sleep(WAIT_MS_MAX);
      }
    }
  }

  private async step(): Promise<void> {
    const p = this.presentation, t = this.element.currentTime;
    const v = this.wanted(p.video, this.video, t), picture = p.video[0]!.segments[v];
    const a = this.audio ? this.wanted(p.audio, this.audio, t) : Infinity, sound = p.audio[0]?.segments[a];
    if (!picture && !sound) {
      if (this.media.readyState === 'open' && v >= p.video[0]!.segments.length) this.media.endOfStream();
      this.noteNow();
      return this.sleep(WAIT_MS_MAX);
    }
    if (sound && this.audio && (!picture || sound.start < picture.start) && sound.start < t + capacityMs(this.speed) / 1000) {
      return this.small(p.audio[0]!, sound, this.audio);
    }
    if (picture) return this.large(v, picture);
    return this.sleep(WAIT_MS_MAX);
  }

  private situation(index: number): Situation {
    const playout = this.playout, t = this.element.currentTime;
    return situationOf(this.presentation.video, this.presentation.audio[0], {
      nowMs: performance.now(), playout: playout === 'over' ? 'paused' : playout, bufferMs: this.video.ahead(t) * 1000, speed: this.speed, index,
      servers: this.servers.bases.length, running: this.running,
    });
  }

  // What is shown while nothing new is fetched: why it waits, and still why that rung and server.
  private kept(now: Decision): Decision {
    const last = this.decision ?? now;
    return { ...last, act: now.act, when: now.when, waitMs: now.waitMs, throughputBps: now.throughputBps || last.throughputBps, throughputLowBps: now.throughputLowBps || last.throughputLowBps };
  }

  private noteNow(): void {
    const bps = this.rung?.bps ?? 0;
    this.lastNoteMs = performance.now();
    this.log.push({ atMs: this.lastNoteMs, bufferS: this.bufferS, bps, throughputBps: this.decision?.throughputBps ?? 0, lowBps: this.decision?.throughputLowBps ?? 0 });
    if (this.log.length > 4000) this.log.splice(0, 2000);
  }

  // A segment of the picture, as the decision says.
  private async large(index: number, segment: Segment): Promise<void> {
    const d = this.decider.decide(this.situation(index));
    this.decision = d.act === 'fetch' ? d : this.kept(d);
    this.noteNow();
    if (d.act !== 'fetch') return this.sleep(Math.min(d.waitMs || WAIT_MS_MAX, WAIT_MS_MAX));
    const r = this.presentation.video[d.rung]!, base = this.servers.bases[d.server]!, s = r.segments[index]!, piece = segmentPiece(r, s);
    this.serverAt = d.server;
    this.rung = r;
    this.server = base;
    const got = await download(new URL(piece.url, base.url).href, piece.range, s.bytes, p => this.judge(p, d, index), this.current.signal);
    this.running = undefined;
    this.decider.learn({ nowMs: performance.now(), server: this.servers.bases.indexOf(base), rung: d.rung, bytes: got.got, firstByteMs: got.firstByteMs, elapsedMs: got.elapsedMs, end: got.end });
    this.count(base, r, got);
    if (!got.body) return;
    this.bpsSeconds += r.bps * (segment.end - segment.start);
    this.rungSeconds += segment.end - segment.start;
    this.held(r, segment);
    if (this.lastGiver && this.lastGiver !== base) this.mark('server', base.location);
    this.lastGiver = base;
    await this.give(this.video, r, got.body, base);
  }

  private judge(p: Progress, d: Decision, index: number): { goOn: boolean; waitMs: number; failed?: boolean } {
    this.running = { rung: d.rung, server: d.server, bytes: p.bytes, got: p.got, elapsedMs: p.elapsedMs, firstByteMs: p.firstByteMs, silentMs: p.silentMs };
    const now = this.decider.decide(this.situation(index));
    this.decision = now.act === 'go_on' ? this.kept(now) : now;
    this.noteNow();
    return { goOn: now.act !== 'abandon', waitMs: now.waitMs, failed: now.when === 'silent' };
  }

  private count(base: Base, r: Rendition, got: Fetched): void {
    this.bytes += got.got;
    if (got.got) this.used.set(base.location, (this.used.get(base.location) ?? 0) + got.got);
    if (got.end === 'failed') this.failures++, this.mark('failed', base.location);
    if (got.end === 'abandoned') this.abandoned++;
    this.onTold({
      kind: got.end === 'failed' ? 'failed' : 'report', server: base.location, rung: r.id, throughputBps: this.decision?.throughputBps ?? 0, stalls: this.stalls, bufferMs: Math.round(this.bufferS * 1000),
    });
  }

  // Sound, initialization, pictures in fast motion backwards: from the server of the last decision, else the next ones.
  private async plain(r: Rendition, piece: Piece, first: Base | null): Promise<{ body: Uint8Array<ArrayBuffer>; base: Base } | null> {
    let at = first ? Math.max(0, this.servers.bases.indexOf(first)) : this.serverAt;
    for (let tries = 0; tries < TRIES_MAX && !this.closed && !this.current.signal.aborted; tries++, at++) {
      const base = this.servers.bases[at % this.servers.bases.length]!;
      const got = await download(new URL(piece.url, base.url).href, piece.range, 0,
        p => ({ goOn: p.elapsedMs < SOUND_MS_MAX && p.silentMs < SILENT_MS_MAX, waitMs: 250, failed: true }), this.current.signal);
      if (got.end !== 'abandoned') this.count(base, r, got);
      if (got.body) return { body: got.body, base };
      if (got.end === 'failed') {
        this.decider.learn({ nowMs: performance.now(), server: this.servers.bases.indexOf(base), rung: 0, bytes: 0, firstByteMs: 0, elapsedMs: got.elapsedMs, end: 'failed' });
        if (tries % this.servers.bases.length === this.servers.bases.length - 1) await this.sleep(WAIT_MS_MAX);
      }
    }
    return null;
  }

  private async small(r: Rendition, segment: Segment, track: Track): Promise<void> {
    const got = await this.plain(r, segmentPiece(r, segment), null);
    if (got) await this.give(track, r, got.body, got.base);
  }

  // To the decoder: the initialization first where another rendition was there before.
  private async give(track: Track, r: Rendition, body: Uint8Array<ArrayBuffer>, base: Base): Promise<void> {
    let init = this.inits.get(r.id);
    if (!init) {
      const got = await this.plain(r, initPiece(r), base);
      if (!got) return;
      this.inits.set(r.id, init = got.body);
    }
    if (track.initOf !== r.id) await track.append(init);
    track.initOf = r.id;
    try {
      await track.append(body);
    } catch (error) {
      if ((error as DOMException).name !== 'QuotaExceededError') throw error;
      await track.remove(0, Math.max(0, this.element.currentTime - 5));
      await track.append(body);
    }
    const t = this.element.currentTime, oldest = track.ranges()[0]?.[0] ?? t;
    if (this.speed > 0 && oldest < t - 2 * KEEP_BEHIND_S) await track.remove(0, t - KEEP_BEHIND_S);
    if (this.speed < 0) await track.remove(t + KEEP_AHEAD_BACKWARDS_S, Infinity);
    if (!this.started && this.element.autoplay && this.bufferS * 1000 >= START_MS) this.element.play().catch(() => {});
  }

  // Fast motion backwards: the smallest rendition, from here towards the beginning.
  private async stepBackwards(): Promise<void> {
    const r = this.presentation.video[0]!, t = this.element.currentTime;
    for (let i = r.segments.findIndex(s => t < s.end); i >= 0 && r.segments[i]!.end > t - BACK_FETCH_S; i--) {
      const s = r.segments[i]!;
      if (this.video.has(s.start, s.end)) continue;
      const got = await this.plain(r, segmentPiece(r, s), null);
      if (!got) return;
      this.rung = r;
      this.server = got.base;
      if (this.decision) this.decision = { ...this.decision, what: 'trick', when: 'room', rung: 0 };
      this.noteNow();
      return this.give(this.video, r, got.body, got.base);
    }
    return this.sleep(BACK_TICK_MS);
  }
}
