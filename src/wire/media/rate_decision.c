#include "wire/media/rate_decision.h"
#include <string.h>
#include "base/must.h"
#include "wire/media/rate_inside.h"

uint32_t rate_capacity_ms(const rate_situation *s)
{
    return s->capacity_ms ? s->capacity_ms : RATE_CAPACITY_MS;
}

uint64_t rate_segment_bytes(const rate_situation *s, int row, int rung)
{
    uint64_t told = row < s->ahead ? s->bytes[row * s->rungs + rung] : 0;
    return told ? told : s->bps[rung] * s->segment_ms / 8000;
}

void rate_memory_start(rate_memory *m, rate_rule rule)
{
    memset(m, 0, sizeof *m);
    m->rule = rule;
    m->last_rung = -1;
    rate_compare_start(m);
}

void rate_memory_reorder(rate_memory *m, const int *servers, int count)
{
    rate_measured old[RATE_SERVERS_MAX];
    must(count <= RATE_SERVERS_MAX);
    for (int i = 0; i < RATE_SERVERS_MAX; i++)
        old[i] = m->server[i];
    for (int i = 0; i < RATE_SERVERS_MAX; i++)
        m->server[i] = i < count && servers[i] >= 0 && servers[i] < RATE_SERVERS_MAX ? old[servers[i]] : (rate_measured){0};
}

void rate_memory_jump(rate_memory *m)
{
    rate_average known = m->average;
    rate_compare_start(m);
    m->average = known;
    m->abandoned = 0;
}

void rate_learn(rate_memory *m, const rate_download *d)
{
    must(d->server >= 0 && d->server < RATE_SERVERS_MAX && d->rung >= 0 && d->rung < RATE_RUNGS_MAX);
    m->history[m->downloads++ % RATE_HISTORY_MAX] = *d;
    rate_server_learn(m, d);
    rate_compare_learn(m, d);
    rate_model_watch(&m->model, d->bytes, d->elapsed_us > d->first_byte_us ? d->elapsed_us - d->first_byte_us : 0, true);
    if (d->end == RATE_ENDED_WHOLE) {
        m->whole++;
        m->abandoned = 0;
        m->last_rung = d->rung;
    } else {
        m->abandoned++;
    }
}

static void situation_check(const rate_situation *s)
{
    must(s->rungs >= 1 && s->rungs <= RATE_RUNGS_MAX && s->servers >= 1 && s->servers <= RATE_SERVERS_MAX);
    must(s->segment_ms > 0 && s->segment_ms <= 60000 && s->bps[0] > 0 && s->bps[s->rungs - 1] <= 100000000000);
    for (int i = 1; i < s->rungs; i++)
        must(s->bps[i] >= s->bps[i - 1]);
}

// What a view prints beside the choice. The low throughput: the level that the model expects at least, nine times of ten.
static void numbers_add(rate_decision *d, const rate_situation *s, const rate_memory *m, uint64_t bytes)
{
    d->throughput_bps = rate_average_bps(m);
    d->throughput_low_bps = m->model.known ? rate_model_low(&m->model) : 0;
    uint64_t ms = d->throughput_bps ? bytes * 8000 / d->throughput_bps : 0;
    d->download_ms = ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX;
    d->buffer_after_ms = (s->buffer_ms > d->download_ms ? s->buffer_ms - d->download_ms : 0) + s->segment_ms;
}

static rate_decision decide_running(const rate_situation *s, rate_memory *m)
{
    const rate_running *r = &s->running;
    rate_decision d = {.act = RATE_GO_ON, .rung = r->rung, .server = r->server, .wait_ms = RATE_TICK_MS, .when = RATE_WHEN_RUNNING,
                       .where = RATE_WHERE_SAME};
    numbers_add(&d, s, m, r->bytes > r->bytes_got ? r->bytes - r->bytes_got : 0);
    if (r->bytes_got > 0 && r->elapsed_us > r->first_byte_us)
        rate_model_watch(&m->model, r->bytes_got, r->elapsed_us - r->first_byte_us, false);
    int to = m->rule != RATE_NARU ? rate_compare_abandon(s, m) : m->abandoned < RATE_ABANDONS_MAX ? rate_plan_abandon(s, m) : -1;
    if (rate_server_silent(s, m)) {
        d.when = RATE_WHEN_SILENT;
    } else if (to >= 0) {
        d.when = RATE_WHEN_TOO_SLOW;
        d.rung = to;
    } else {
        return d;
    }
    d.act = RATE_ABANDON;
    d.wait_ms = 0;
    return d;
}

static rate_decision decide_wait(uint32_t wait_ms, rate_when when)
{
    return (rate_decision){.act = RATE_WAIT, .rung = -1, .server = -1, .wait_ms = wait_ms > 0 ? wait_ms : 1, .when = when};
}

rate_decision rate_decide(const rate_situation *s, rate_memory *m)
{
    situation_check(s);
    m->segment_ms = s->segment_ms;
    if (s->running.is)
        return decide_running(s, m);
    if (s->segments_left == 0)
        return (rate_decision){.act = RATE_DONE, .rung = -1, .server = -1, .when = RATE_WHEN_END};
    rate_compare_catch_up(s, m);
    if (s->buffer_ms + s->segment_ms > rate_capacity_ms(s)) {
        m->buffer.waiting_since_ms = s->now_ms;
        return decide_wait(s->buffer_ms + s->segment_ms - rate_capacity_ms(s), RATE_WHEN_FULL);
    }
    rate_place place = rate_server_choose(s, m);
    if (place.wait_ms > 0)
        return decide_wait(place.wait_ms, RATE_WHEN_NO_SERVER);
    rate_pick pick = m->rule == RATE_NARU ? rate_plan_pick(s, m) : rate_compare_pick(s, m);
    if (pick.wait_ms > 0)
        return decide_wait(pick.wait_ms, RATE_WHEN_PLENTY);
    rate_decision d = {.act = RATE_FETCH, .rung = pick.rung, .server = place.server, .wait_ms = RATE_TICK_MS, .when = RATE_WHEN_ROOM,
                       .what = pick.what, .where = place.where};
    d.worth_milli = (int64_t)pick.worth * 1000 / RATE_WORTH_ONE;
    d.next_worth_milli = (int64_t)pick.next_worth * 1000 / RATE_WORTH_ONE;
    numbers_add(&d, s, m, rate_segment_bytes(s, 0, pick.rung));
    return d;
}

