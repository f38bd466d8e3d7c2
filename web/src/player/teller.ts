// The account of this viewing, and reports to the steering service.
import { me, post } from '../api';
import type { Player, Told } from './player';

const REPORT_MS = 5000, TELL_MS = 15000;

export class Teller {
  private id = '';
  private lastReportMs = 0;
  private over = false;
  private readonly timer = window.setInterval(() => void this.tell(false), TELL_MS);
  readonly session = [...crypto.getRandomValues(new Uint8Array(8))].map(b => b.toString(16).padStart(2, '0')).join('');

  constructor(private readonly film: string, private readonly player: Player) {
    post<{ viewing: string }>('/api/viewings', { film }).then(said => { this.id = said.viewing; }).catch(() => {});
    addEventListener('pagehide', this.end);
  }

  private async tell(ended: boolean): Promise<void> {
    const v = this.player.look();
    if (!this.id || this.over) return;
    this.over = ended;
    await post(`/api/viewings/${this.id}`, {
      watched_ms: Math.round(v.watchedMs), bytes: v.bytes, stalls: v.stalls, stall_ms: Math.round(v.stallMs), startup_ms: Math.round(v.startupMs), mean_bps: Math.round(v.meanBps),
      servers: v.servers.slice(0, 8), ended,
    }, ended).catch(() => {});
  }

  readonly end = (): void => {
    clearInterval(this.timer);
    removeEventListener('pagehide', this.end);
    void this.tell(true);
  };

  readonly report = (told: Told): void => {
    const now = performance.now();
    if (!me.steering || (told.kind === 'report' && now - this.lastReportMs < REPORT_MS)) return;
    this.lastReportMs = now;
    void post('/api/report', {
      session: this.session, presentation: this.film, server: told.server, rung: told.rung, throughput_bps: Math.round(told.throughputBps), stalls: told.stalls, buffer_ms: told.bufferMs,
      ...(told.kind === 'failed' ? { failed: true } : {}),
    }).catch(() => {});
  };
}
