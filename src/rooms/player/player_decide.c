// What rate_decide is told, and what it says.
#include "rooms/player/player_inside.h"

enum {
    SEGMENT_MS_MAX = 60000,
    PACE_HELD_MAX = 4 * PLAYOUT_SPEED_NORMAL,
};
#define RATE_MAX_BPS UINT64_C(100000000000)

uint64_t player_rate_of(const media_rendition *r) { return r->average_bps ? r->average_bps : r->peak_bps; }

// The sound that goes with a segment of pictures, in bytes.
static uint64_t sound_bytes(const player *p, const media_segment *s, uint32_t timescale)
{
    if (!p->sound || !playout_needs_sound(&p->playout))
        return 0;
    return player_rate_of(p->sound) / 8 * media_ms(s->duration, timescale) / 1000;
}

static int rows_fill(const player *p, int segment, uint64_t *bytes)
{
    int step = p->playout.speed_permille < 0 ? -1 : 1, rows = 0;
    for (int at = segment; rows < PLAYER_ROWS && at >= 0 && at < p->rungs[0]->segment_count; at += step, rows++)
        for (int k = 0; k < p->rung_count; k++) {
            const media_segment *s = &p->rungs[k]->segments[at];
            uint64_t own = s->bytes ? s->bytes : player_rate_of(p->rungs[k]) / 8 * media_ms(s->duration, p->rungs[k]->timescale) / 1000;
            bytes[rows * p->rung_count + k] = own + sound_bytes(p, s, p->rungs[k]->timescale);
        }
    return rows;
}

static uint32_t ms_of(int64_t ns)
{
    return ns <= 0 ? 0 : ns / NS_PER_MS > UINT32_MAX ? UINT32_MAX : (uint32_t)(ns / NS_PER_MS);
}

static uint32_t segments_left(const player *p, int segment)
{
    if (segment < 0)
        return 0;
    int count = p->rungs[0]->segment_count;
    return (uint32_t)(p->playout.speed_permille < 0 ? segment + 1 : count - segment);
}

void player_running(const player *p, const player_download *d, int rung, int server, rate_running *out)
{
    int64_t now = world_now_ns(p->world);
    *out = (rate_running){.is = true, .rung = rung, .server = player_rank_of(p, server), .bytes = d->told, .bytes_got = d->got,
                          .elapsed_us = (uint64_t)(now - d->asked_ns) / 1000};
    out->first_byte_us = d->got ? (uint64_t)(d->first_ns - d->asked_ns) / 1000 : 0;
    out->silent_ms = ms_of(now - (d->got ? d->last_ns : d->asked_ns));
}

// For views: a wait or a look at what runs says nothing of what and where, so that these stay as they were last
// decided.
static void remember(player *p, rate_decision d)
{
    rate_decision before = p->decision;
    p->decision = d;
    if (d.act != RATE_FETCH && d.act != RATE_ABANDON) {
        p->decision.what = before.what;
        p->decision.where = before.where;
    }
    if (d.throughput_bps == 0) {
        p->decision.throughput_bps = before.throughput_bps;
        p->decision.throughput_low_bps = before.throughput_low_bps;
    }
}

// How much film passes in a thousandth of the world's time, in thousandths.
static int64_t pace(const player *p)
{
    int64_t speed = p->playout.speed_permille < 0 ? -(int64_t)p->playout.speed_permille : p->playout.speed_permille;
    return speed * p->options.hurry;
}

// Of the film. What plays faster is fetched further ahead, so that the time to react does not shrink as much.
int64_t player_capacity_ms(const player *p)
{
    int64_t fast = pace(p) < PACE_HELD_MAX ? pace(p) : PACE_HELD_MAX;
    return fast > PLAYOUT_SPEED_NORMAL ? p->options.capacity_ms * fast / PLAYOUT_SPEED_NORMAL : p->options.capacity_ms;
}

// The situation in the world's time: at twice the speed a segment lasts half as long, and its rate is twice as
// high. So every rule is right at every speed. rows: room for PLAYER_ROWS * RATE_RUNGS_MAX sizes.
rate_decision player_decide(player *p, int segment, const rate_running *running, uint64_t *rows)
{
    const playout *o = &p->playout;
    int64_t fast = pace(p);
    rate_situation s = {.now_ms = player_now_ms(p), .servers = p->server_count, .rungs = p->rung_count,
                        .segments_left = segments_left(p, segment)};
    s.playout = o->paused ? RATE_PAUSED : o->state == PLAYOUT_STALLED ? RATE_STALLED
              : o->state == PLAYOUT_PLAYING ? RATE_PLAYING : RATE_STARTING;
    s.capacity_ms = ms_of(millis(player_capacity_ms(p) * PLAYOUT_SPEED_NORMAL / fast));
    s.buffer_ms = ms_of(playout_lane_ahead_ns(o, 0) / fast * PLAYOUT_SPEED_NORMAL);
    if (segment >= 0) {
        int64_t ms = (int64_t)(media_segment_end_ms(p->rungs[0], segment) - media_segment_start_ms(p->rungs[0], segment));
        s.segment_ms = ms_of(millis(ms * PLAYOUT_SPEED_NORMAL / fast));
        s.ahead = rows_fill(p, segment, rows);
        s.bytes = rows;
    }
    s.segment_ms = s.segment_ms == 0 ? 1 : s.segment_ms > SEGMENT_MS_MAX ? SEGMENT_MS_MAX : s.segment_ms;
    s.capacity_ms = s.capacity_ms < 2 * s.segment_ms ? 2 * s.segment_ms : s.capacity_ms;
    for (int k = 0; k < p->rung_count; k++) {
        uint64_t most = RATE_MAX_BPS / (uint64_t)fast * PLAYOUT_SPEED_NORMAL, bps = player_rate_of(p->rungs[k]);
        s.bps[k] = (bps < most ? bps : most) * (uint64_t)fast / PLAYOUT_SPEED_NORMAL;
        s.bps[k] = s.bps[k] ? s.bps[k] : 1;
    }
    if (running)
        s.running = *running;
    rate_decision d = rate_decide(&s, &p->rate);
    if (p->options.rung_fixed >= 0 && (d.act == RATE_FETCH || d.act == RATE_ABANDON)) {
        d.rung = p->options.rung_fixed < p->rung_count ? p->options.rung_fixed : p->rung_count - 1;
        d.what = RATE_WHAT_ONLY;
        if (d.act == RATE_ABANDON && d.when == RATE_WHEN_TOO_SLOW)
            d.act = RATE_GO_ON;              // with one rung only there is nothing smaller
    }
    remember(p, d);
    return d;
}
