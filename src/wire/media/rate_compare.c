// The comparison rules, as Spiteri's simulator Sabre and dash.js have them (BOLA: INFOCOM 2016; BOLA-E, Dynamic: MMSys 2018). Times in
// microseconds, utilities in millionths of a natural logarithm, fractions of RATE_ONE.
#include "wire/media/rate_inside.h"
#include "base/must.h"
#include "wire/media/rate_fixed.h"

enum {
    UTILITY_ONE = 1000000,
    GAMMA_P = 5 * UTILITY_ONE,               // what a segment's length of stall costs
    LOW_BUFFER_MS = 10000, EMPTY_BUFFER_MS = 5000,
    MINIMUM_BUFFER_MS = 10000, MINIMUM_BUFFER_MS_A_RUNG = 2000,
    ABANDON_GRACE_MS = 500,
};

static const int64_t half_life_ms[2] = {8000, 3000};

// ---- the average ----

static void average_add(rate_average *a, int64_t elapsed_ms, int64_t bps, int64_t first_byte_us, int64_t segment_ms)
{
    for (int i = 0; i < 2; i++) {
        int64_t keep = rate_half_power(elapsed_ms, half_life_ms[i]);
        a->bps[i] = (keep * a->bps[i] + (RATE_ONE - keep) * bps) >> 24;
        keep = rate_half_power(segment_ms, half_life_ms[i]);
        a->first_byte_us[i] = (keep * a->first_byte_us[i] + (RATE_ONE - keep) * first_byte_us) >> 24;
    }
    a->weight_ms += elapsed_ms;
    a->count++;
}

// The averages began at 0: divides by how much of them is filled.
static int64_t average_filled(int64_t value, int64_t numerator, int64_t denominator)
{
    int64_t filled = RATE_ONE - rate_half_power(numerator, denominator);
    return (value << 24) / (filled > 0 ? filled : 1);
}

uint64_t rate_average_bps(const rate_memory *m)
{
    int64_t lowest = INT64_MAX;
    if (m->average.count == 0)
        return 0;
    for (int i = 0; i < 2; i++) {
        int64_t bps = average_filled(m->average.bps[i], m->average.weight_ms, half_life_ms[i]);
        lowest = bps < lowest ? bps : lowest;
    }
    return lowest > 0 ? (uint64_t)lowest : 1;
}

int64_t rate_average_first_byte_us(const rate_memory *m)
{
    int64_t longest = 0;
    if (m->average.count == 0)
        return 0;
    for (int i = 0; i < 2; i++) {
        int64_t us = average_filled(m->average.first_byte_us[i], m->average.count * m->segment_ms, half_life_ms[i]);
        longest = us > longest ? us : longest;
    }
    return longest;
}

// The highest rung whose segments come, at `bps`, in the time that they play.
static int rung_of_throughput(const rate_situation *s, const rate_memory *m, int64_t bps)
{
    int64_t segment_us = (int64_t)s->segment_ms * 1000, late = rate_average_first_byte_us(m);
    int rung = 0;
    while (rung + 1 < s->rungs && late + (int64_t)s->bps[rung + 1] * s->segment_ms / bps * 1000 <= segment_us)
        rung++;
    return rung;
}

// The insufficient buffer rule: no more than what comes before the buffer is empty, with a safety that grows as the session ages.
static int rung_of_buffer_left(const rate_situation *s, rate_memory *m, int rung, int which)
{
    int64_t *safety = &m->buffer.safety[which];
    int64_t left_us = (int64_t)s->buffer_ms * 1000 - rate_average_first_byte_us(m);
    int64_t bits = (int64_t)rate_average_bps(m) / 1000 * (left_us / 1000) / 100 * (*safety / (RATE_ONE / 100));
    *safety = *safety * 9 / 10;
    if (*safety < RATE_ONE / 2)
        *safety = RATE_ONE / 2;
    for (int r = 0; r < rung; r++)
        if ((int64_t)s->bps[r + 1] * s->segment_ms / 1000 > bits)
            return r;
    return rung;
}

// ---- throughput ----

static rate_pick throughput_pick(const rate_situation *s, rate_memory *m)
{
    int rung = rung_of_throughput(s, m, (int64_t)rate_average_bps(m) * 9 / 10);
    int safe = rung_of_buffer_left(s, m, rung, 0);
    return (rate_pick){.rung = safe, .what = safe < rung ? RATE_WHAT_BUFFER_LOW : RATE_WHAT_THROUGHPUT};
}

// When the whole would take 1.8 segments' time, the rung that the throughput of this download allows, if that is less to fetch.
static int throughput_abandon(const rate_situation *s, const rate_memory *m)
{
    const rate_running *r = &s->running;
    int64_t us = (int64_t)(r->elapsed_us - r->first_byte_us), left = (int64_t)(r->bytes - r->bytes_got);
    if (r->elapsed_us < ABANDON_GRACE_MS * 1000 || us <= 0)
        return -1;
    int64_t bps = (int64_t)r->bytes_got * 8000000 / us;
    if (bps <= 0 || (int64_t)r->elapsed_us + left * 8000000 / bps <= (int64_t)s->segment_ms * 1800)
        return -1;
    int rung = rung_of_throughput(s, m, bps * 9 / 10 > 0 ? bps * 9 / 10 : 1);
    int64_t other = (int64_t)(r->bytes * s->bps[rung] / s->bps[r->rung]);
    return rung < r->rung && other < left ? rung : -1;
}

// ---- BOLA: each rung's score is (V (utility + gamma p) - buffer) / rate; the highest wins ----

typedef struct {
    int64_t v_us;                            // V: microseconds of buffer that a unit of utility is worth
    int64_t gamma_p;
    int64_t offset;                          // utility of the lowest rung
} bola;

static int64_t utility(const rate_situation *s, const bola *b, int rung)
{
    return rate_ln_micro(s->bps[rung]) - rate_ln_micro(s->bps[0]) + b->offset;
}

// V (utility + gamma p): from this level of the buffer on, the rung is not worth fetching.
static int64_t level_most(const rate_situation *s, const bola *b, int rung)
{
    return b->v_us * (utility(s, b, rung) + b->gamma_p) / UTILITY_ONE;
}

// BOLA's parameters grow with the film: at both ends the buffer is taken for smaller, half of what has been or will be played.
static bola bola_plain(const rate_situation *s, const rate_memory *m)
{
    int64_t segment = (int64_t)s->segment_ms * 1000, size = (int64_t)rate_capacity_ms(s) * 1000;
    int64_t nearest = m->whole < s->segments_left ? m->whole : s->segments_left;
    int64_t ends = (nearest < 6 ? 6 : nearest) * segment / 2;
    bola b = {.gamma_p = GAMMA_P};
    b.v_us = ((size < ends ? size : ends) - segment) * UTILITY_ONE / (utility(s, &b, s->rungs - 1) + b.gamma_p);
    return b;
}

static bola bola_enhanced(const rate_situation *s)
{
    bola b = {.offset = UTILITY_ONE};
    int64_t size = MINIMUM_BUFFER_MS + (int64_t)MINIMUM_BUFFER_MS_A_RUNG * s->rungs, capacity = rate_capacity_ms(s);
    size = size > capacity ? size : capacity;
    int64_t range = utility(s, &b, s->rungs - 1) - UTILITY_ONE;
    b.gamma_p = range * MINIMUM_BUFFER_MS / (size - MINIMUM_BUFFER_MS);
    b.v_us = b.gamma_p > 0 ? (int64_t)MINIMUM_BUFFER_MS * 1000 * UTILITY_ONE / b.gamma_p : 0;
    return b;
}

static int rung_of_level(const rate_situation *s, const bola *b, int64_t level_us)
{
    int best = 0;
    for (int r = 1; r < s->rungs; r++) {
        int64_t mine = (level_most(s, b, r) - level_us) / 1000, other = (level_most(s, b, best) - level_us) / 1000;
        if (mine * (int64_t)s->bps[best] > other * (int64_t)s->bps[r])
            best = r;
    }
    return best;
}

// A smaller rung with a better score than what is left of this one; -1: none.
static int bola_abandon(const rate_situation *s, const bola *b, int64_t level_us, int64_t left)
{
    const rate_running *run = &s->running;
    int64_t best = (level_most(s, b, run->rung) - level_us), best_size = left;
    int to = -1;
    for (int r = 0; r < run->rung; r++) {
        int64_t size = (int64_t)(run->bytes * s->bps[r] / s->bps[run->rung]), score = level_most(s, b, r) - level_us;
        if (size < left && score / 100 * best_size > best / 100 * size) {
            best = score;
            best_size = size;
            to = r;
        }
    }
    return to;
}

static rate_pick buffer_pick(const rate_situation *s, rate_memory *m)
{
    bola b = bola_plain(s, m);
    int rung = rung_of_level(s, &b, (int64_t)s->buffer_ms * 1000), last = m->buffer.last_rung;
    rate_pick pick = {.what = RATE_WHAT_BUFFER};
    if (rung > last) {
        int allowed = rung_of_throughput(s, m, (int64_t)rate_average_bps(m));
        if (rung > allowed) {
            rung = last > allowed ? last : allowed + 1;
            pick.what = RATE_WHAT_THROUGHPUT;
        }
    }
    pick.rung = m->buffer.last_rung = rung;
    return pick;
}

static int buffer_abandon(const rate_situation *s, rate_memory *m)
{
    bola b = bola_plain(s, m);
    int64_t level = (int64_t)s->buffer_ms * 1000;
    if (level_most(s, &b, s->running.rung) < level)
        return -1;
    int to = bola_abandon(s, &b, level, (int64_t)(s->running.bytes - s->running.bytes_got));
    if (to >= 0)
        m->buffer.last_rung = to;
    return to;
}

// ---- BOLA-E: the same with a placeholder, a virtual part of the buffer that lets it start high and wait without forgetting ----

// The lowest level of the buffer at which BOLA prefers this rung to all below it.
static int64_t level_least(const rate_situation *s, const bola *b, int rung)
{
    int64_t level = 0;
    for (int r = 0; r < rung; r++) {
        int64_t mine = (int64_t)s->bps[rung], other = (int64_t)s->bps[r];
        int64_t worth = (mine * utility(s, b, r) - other * utility(s, b, rung)) / (mine - other) + b->gamma_p;
        int64_t here = b->v_us * worth / UTILITY_ONE;
        level = here > level ? here : level;
    }
    return level;
}

static int64_t at_most(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t at_least(int64_t a, int64_t b) { return a > b ? a : b; }

static void placeholder_limit(rate_memory *m, int64_t most)
{
    m->buffer.placeholder_us = at_most(m->buffer.placeholder_us, at_least(most, 0));
}

// What the download that ended means for the placeholder.
static void enhanced_download(const rate_situation *s, rate_memory *m)
{
    rate_buffer *e = &m->buffer;
    const rate_download *d = &m->history[(m->downloads - 1) % RATE_HISTORY_MAX];
    bola b = bola_enhanced(s);
    int64_t level = (int64_t)s->buffer_ms * 1000, was = level + (int64_t)d->elapsed_us;
    if (e->abandoned) {
        placeholder_limit(m, (e->abandoned_to > 0 ? level_least(s, &b, e->abandoned_to) : (int64_t)MINIMUM_BUFFER_MS * 1000) - level);
        e->last_rung = d->rung;
        return;
    }
    e->last_rung = d->rung;
    placeholder_limit(m, level_most(s, &b, d->rung) - was);
    if (level > 0)
        e->placeholder_us = at_least(e->placeholder_us, level_least(s, &b, d->rung) - was);
}

static rate_pick enhanced_start(const rate_situation *s, rate_memory *m, const bola *b)
{
    m->buffer.steady = true;
    int rung = rung_of_throughput(s, m, (int64_t)rate_average_bps(m));
    m->buffer.placeholder_us = at_least(0, level_least(s, b, rung) - (int64_t)s->buffer_ms * 1000);
    return (rate_pick){.rung = rung, .what = RATE_WHAT_THROUGHPUT};
}

static rate_pick enhanced_pick(const rate_situation *s, rate_memory *m)
{
    rate_buffer *e = &m->buffer;
    bola b = bola_enhanced(s);
    if (!e->steady)
        return enhanced_start(s, m, &b);
    int64_t level = (int64_t)s->buffer_ms * 1000;
    int rung = rung_of_level(s, &b, level + e->placeholder_us), allowed = rung_of_throughput(s, m, (int64_t)rate_average_bps(m));
    rate_pick pick = {.what = RATE_WHAT_BUFFER};
    if (rung > e->last_rung && rung > allowed) {
        rung = (e->last_rung > allowed ? e->last_rung : allowed) + 1;
        pick.what = RATE_WHAT_THROUGHPUT;
    }
    int64_t wait = at_least(0, level + e->placeholder_us - level_most(s, &b, rung));
    int64_t spent = at_most(wait, e->placeholder_us);
    e->placeholder_us -= spent;
    wait = rung == s->rungs - 1 ? 0 : wait - spent;
    int safe = rung_of_buffer_left(s, m, rung, 1);
    if (safe < rung) {
        wait = 0;
        placeholder_limit(m, level_least(s, &b, safe) - level);
        pick.what = RATE_WHAT_BUFFER_LOW;
    }
    pick.rung = safe;
    pick.wait_ms = (uint32_t)(wait / 1000);
    return pick;
}

static int enhanced_abandon(const rate_situation *s, rate_memory *m)
{
    const rate_running *r = &s->running;
    bola b = bola_enhanced(s);
    int64_t us = (int64_t)(r->elapsed_us - r->first_byte_us), first_byte = (int64_t)r->first_byte_us;
    int64_t left = (int64_t)(r->bytes - r->bytes_got) - (int64_t)r->bytes_got * first_byte / at_least(us, 1);
    if (left <= 0)
        return -1;
    int64_t level = at_least(0, (int64_t)s->buffer_ms * 1000 + m->buffer.placeholder_us - first_byte);
    int to = bola_abandon(s, &b, level, left);
    if (to >= 0)
        m->buffer.abandoned_to = to;
    return to;
}

// ---- the hybrids ----

static rate_pick hybrid_pick(const rate_situation *s, rate_memory *m)
{
    rate_pick b = buffer_pick(s, m), t = throughput_pick(s, m);
    if (m->buffer.by_buffer && s->buffer_ms < LOW_BUFFER_MS && b.rung < t.rung)
        m->buffer.by_buffer = false;
    else if (!m->buffer.by_buffer && s->buffer_ms > LOW_BUFFER_MS && b.rung >= t.rung)
        m->buffer.by_buffer = true;
    return m->buffer.by_buffer ? b : t;
}

static rate_pick hybrid_enhanced_pick(const rate_situation *s, rate_memory *m)
{
    if (m->buffer.by_buffer && s->buffer_ms < EMPTY_BUFFER_MS)
        m->buffer.by_buffer = false;
    else if (!m->buffer.by_buffer && s->buffer_ms > LOW_BUFFER_MS)
        m->buffer.by_buffer = true;
    return m->buffer.by_buffer ? enhanced_pick(s, m) : throughput_pick(s, m);
}

// ---- the doors ----

void rate_compare_start(rate_memory *m)
{
    m->buffer = (rate_buffer){.safety = {RATE_ONE / 10 * 9, RATE_ONE / 10 * 9}, .promised = -1, .waiting_since_ms = -1};
}

void rate_compare_learn(rate_memory *m, const rate_download *d)
{
    int64_t us = (int64_t)(d->elapsed_us - d->first_byte_us);
    if (d->end == RATE_ENDED_WHOLE)
        average_add(&m->average, us / 1000, (int64_t)d->bytes * 8000000 / (us > 0 ? us : 1), (int64_t)d->first_byte_us, m->segment_ms);
    m->buffer.fetched = true;
    m->buffer.abandoned = d->end != RATE_ENDED_WHOLE;
}

// Tells the placeholder what happened since: a download ended, the buffer was full for a while.
void rate_compare_catch_up(const rate_situation *s, rate_memory *m)
{
    rate_buffer *b = &m->buffer;
    if (b->fetched)
        enhanced_download(s, m);
    b->fetched = false;
    if (b->waiting_since_ms >= 0)
        b->placeholder_us += (s->now_ms - b->waiting_since_ms) * 1000;
    b->waiting_since_ms = -1;
}

rate_pick rate_compare_pick(const rate_situation *s, rate_memory *m)
{
    int promised = m->buffer.promised;
    m->buffer.promised = -1;
    if (m->average.count == 0)
        return (rate_pick){.rung = 0, .what = RATE_WHAT_FIRST};
    if (promised >= 0)
        return (rate_pick){.rung = promised, .what = RATE_WHAT_BUFFER};
    rate_pick pick;
    switch (m->rule) {
    case RATE_BUFFER:          pick = buffer_pick(s, m); break;
    case RATE_BUFFER_ENHANCED: pick = enhanced_pick(s, m); break;
    case RATE_HYBRID:          pick = hybrid_pick(s, m); break;
    case RATE_HYBRID_ENHANCED: pick = hybrid_enhanced_pick(s, m); break;
    default:                   pick = throughput_pick(s, m); break;
    }
    if (pick.wait_ms > 0)
        m->buffer.promised = pick.rung;
    return pick;
}

int rate_compare_abandon(const rate_situation *s, rate_memory *m)
{
    const rate_running *r = &s->running;
    if (m->average.count == 0 || r->bytes_got == 0 || r->bytes_got >= r->bytes)
        return -1;
    switch (m->rule) {
    case RATE_BUFFER:          return buffer_abandon(s, m);
    case RATE_BUFFER_ENHANCED: return enhanced_abandon(s, m);
    case RATE_HYBRID_ENHANCED: return m->buffer.by_buffer ? enhanced_abandon(s, m) : throughput_abandon(s, m);
    default:                   return throughput_abandon(s, m);
    }
}
