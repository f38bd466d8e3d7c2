// Where: the steering's order, unless a server fails, is silent, or does not carry the film while another is known to.
#include "wire/media/rate_inside.h"

enum {
    BACK_OFF_MS = 1000, BACK_OFF_DOUBLINGS_MAX = 6,          // 1 s, 2 s, ... 64 s after so many failures in a row
    SILENT_MS_MIN = 1200, SILENT_MS_MAX = 8000,
    FIRST_BYTES_SILENT = 6,                  // times the usual time to first byte
    SAMPLES_MIN = 2,                         // downloads before a server's throughput says anything
};

// When the server may be asked again; <= now: it may.
static int64_t again_ms(const rate_measured *v)
{
    if (v->failures == 0)
        return INT64_MIN;
    uint32_t doublings = v->failures - 1 < BACK_OFF_DOUBLINGS_MAX ? v->failures - 1 : BACK_OFF_DOUBLINGS_MAX;
    return v->failed_ms + ((int64_t)BACK_OFF_MS << doublings);
}

static bool eligible(const rate_situation *s, const rate_memory *m, int server, bool all_barred)
{
    return (all_barred || !s->barred[server]) && again_ms(&m->server[server]) <= s->now_ms;
}

static bool every_one_barred(const rate_situation *s)
{
    for (int i = 0; i < s->servers; i++)
        if (!s->barred[i])
            return false;
    return true;
}

// All failed a moment ago: when the first of them may be asked again.
static rate_place wait_for_one(const rate_situation *s, const rate_memory *m, bool all_barred)
{
    int64_t soonest = INT64_MAX;
    rate_place place = {.where = RATE_WHERE_FAILED_OVER};
    for (int i = 0; i < s->servers; i++)
        if ((all_barred || !s->barred[i]) && again_ms(&m->server[i]) < soonest) {
            soonest = again_ms(&m->server[i]);
            place.server = i;
        }
    place.wait_ms = (uint32_t)(soonest - s->now_ms);
    return place;
}

// A server that gives less than the second rung while another gave twice as much does not carry the film.
static bool carries_not(const rate_situation *s, const rate_measured *v)
{
    return v->downloads >= SAMPLES_MIN && s->rungs > 1 && v->throughput_bps < s->bps[1];
}

static int faster_than(const rate_situation *s, const rate_memory *m, int server, bool all_barred)
{
    for (int i = 0; i < s->servers; i++) {
        const rate_measured *v = &m->server[i];
        bool faster = v->downloads < SAMPLES_MIN || v->throughput_bps >= 2 * m->server[server].throughput_bps;      // or worth a try
        if (i != server && eligible(s, m, i, all_barred) && faster)
            return i;
    }
    return -1;
}

rate_place rate_server_choose(const rate_situation *s, const rate_memory *m)
{
    bool all_barred = every_one_barred(s);
    int first = 0;
    while (first < s->servers && !eligible(s, m, first, all_barred))
        first++;
    if (first == s->servers)
        return wait_for_one(s, m, all_barred);
    rate_place place = {.server = first};
    int faster = carries_not(s, &m->server[first]) ? faster_than(s, m, first, all_barred) : -1;
    if (s->servers == 1)
        place.where = RATE_WHERE_ONLY;
    else if (faster >= 0)
        place = (rate_place){.server = faster, .where = RATE_WHERE_FASTER};
    else if (m->server[first].failures > 0)
        place.where = RATE_WHERE_PROBED;
    else
        place.where = first == 0 ? RATE_WHERE_RANKED : RATE_WHERE_FAILED_OVER;
    return place;
}

// Is there another that could be asked at once?
static bool another(const rate_situation *s, const rate_memory *m)
{
    for (int i = 0; i < s->servers; i++)
        if (i != s->running.server && !s->barred[i] && again_ms(&m->server[i]) <= s->now_ms)
            return true;
    return false;
}

// How long a server may be silent: some of its usual times to first byte, and never so long that the buffer runs dry meanwhile when
// there is another server to ask (a third of the buffer: the other one needs time, too).
bool rate_server_silent(const rate_situation *s, const rate_memory *m)
{
    const rate_running *r = &s->running;
    if (!another(s, m))
        return r->silent_ms > SILENT_MS_MAX * 2;
    uint64_t limit = m->server[r->server].first_byte_us / 1000 * FIRST_BYTES_SILENT;
    limit = limit < SILENT_MS_MIN * 2 ? SILENT_MS_MIN * 2 : limit;
    limit = limit > s->buffer_ms / 3 ? s->buffer_ms / 3 : limit;
    limit = limit < SILENT_MS_MIN ? SILENT_MS_MIN : limit > SILENT_MS_MAX ? SILENT_MS_MAX : limit;
    return r->silent_ms > limit;
}

void rate_server_learn(rate_memory *m, const rate_download *d)
{
    rate_measured *v = &m->server[d->server];
    if (d->end == RATE_ENDED_FAILED) {
        v->failures++;
        v->failed_ms = d->now_ms;
    } else if (d->end == RATE_ENDED_WHOLE) {
        v->failures = 0;
    }
    if (d->bytes == 0 || d->elapsed_us <= d->first_byte_us)
        return;
    uint64_t bps = d->bytes * 8000000 / (d->elapsed_us - d->first_byte_us);
    bool fell = bps < v->throughput_bps / 4;             // to less than a quarter: a path that is congested, believed at once
    v->throughput_bps = v->downloads == 0 || fell ? bps : (3 * v->throughput_bps + bps) / 4;
    v->first_byte_us = v->downloads == 0 ? d->first_byte_us : (3 * v->first_byte_us + d->first_byte_us) / 4;
    v->downloads++;
}
