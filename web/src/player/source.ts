// One SourceBuffer: appends and removals one after the other; what is there in seconds.
const HAVE_SLACK_S = 0.15, GAP_S = 0.3;                  // sound and picture do not end on the same instant

export class Track {
  private chain: Promise<void> = Promise.resolve();
  initOf = '';                                           // whose initialization segment was appended last

  constructor(private readonly buffer: SourceBuffer) {}

  private turn(act: () => void): Promise<void> {
    const done = this.chain.then(() => new Promise<void>((yes, no) => {
      const end = (run: () => void) => {
        this.buffer.removeEventListener('updateend', good);
        this.buffer.removeEventListener('error', bad);
        run();
      };
      const good = () => end(yes), bad = () => end(() => no(new Error('the browser cannot decode this')));
      this.buffer.addEventListener('updateend', good);
      this.buffer.addEventListener('error', bad);
      try {
        act();
        if (!this.buffer.updating) end(yes);
      } catch (error) {
        end(() => no(error as Error));
      }
    }));
    this.chain = done.catch(() => {});
    return done;
  }

  append(bytes: BufferSource): Promise<void> {
    return this.turn(() => this.buffer.appendBuffer(bytes));
  }

  remove(from: number, to: number): Promise<void> {
    return to > from ? this.turn(() => this.buffer.remove(from, to)) : Promise.resolve();
  }

  idle(): Promise<void> {
    return this.chain;
  }

  has(start: number, end: number): boolean {
    const b = this.buffer.buffered;
    for (let i = 0; i < b.length; i++)
      if (b.start(i) <= start + HAVE_SLACK_S && b.end(i) >= end - HAVE_SLACK_S) return true;
    return false;
  }

  // Seconds that lie ready from t on, without a gap.
  ahead(t: number): number {
    const b = this.buffer.buffered;
    let end = t;
    for (let i = 0; i < b.length; i++)
      if (b.start(i) <= end + GAP_S && b.end(i) > end) end = b.end(i);
    return end - t;
  }

  ranges(): [number, number][] {
    const b = this.buffer.buffered;
    return Array.from({ length: b.length }, (_, i) => [b.start(i), b.end(i)]);
  }
}
