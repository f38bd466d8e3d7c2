// naru's own rule: plans ahead over what the model expects. The worth of a state (what the buffer holds, the level of the last step) is the
// best over the rungs of: the rung's utility, less the price of stalling while it comes, plus the worth of the state after. A download runs
// in steps of the model: each brings what its level brings and plays a step of the buffer. Backwards through the next segments with their
// real sizes, from the worth in the long run with middle sizes, which grows by a segment's horizon with each decision.
#include "wire/media/rate_inside.h"
#include <string.h>
#include "base/must.h"
#include "wire/media/rate_fixed.h"

enum {
    WORTH_LEAST = -300 * RATE_WORTH_ONE,     // so that sums over chances stay in 32 bits
    BITS_LEAST = 65536,                      // the smallest size of the table
    STAGES = 4, STAGES_LAST = 5,             // segments looked at with their real sizes: on the way, and when so few are left
    SWEEPS_FIRST = 2,                        // segments that the horizon grows by: before the first download, then with each one
    START_PRICE = 4 * RATE_WORTH_ONE,        // of a segment's length of waiting for the first picture
    ABANDON_MARGIN = RATE_WORTH_ONE / 5,     // what abandoning must be better by
};

// Between two points of a table: `part` of 65536 from point `at` to the next.
typedef struct { int at; int32_t part; } spot;

typedef struct {
    const rate_outlook *o;
    int     rungs, buffers;                  // points of the buffer in use
    int32_t utility[RATE_RUNGS_MAX];
    int64_t segment_us, first_byte_us, price;
    int64_t size[RATE_SIZES];                // bits, in equal ratios
    spot    full;                            // the buffer from which a download waits
    // A step at a level with so many bits to fetch: is it the last one? Then how long, and where the buffer stands after it if it was empty
    // before; if not, the bits left after it.
    bool    last[RATE_SIZES][RATE_LEVELS];
    int32_t us[RATE_SIZES][RATE_LEVELS];
    spot    left[RATE_SIZES][RATE_LEVELS];
} plan;

static int32_t mix(int32_t a, int32_t b, int32_t part)
{
    return a + (int32_t)((int64_t)(b - a) * part >> 16);
}

static int32_t worth_of_stall(const plan *p, int64_t us)
{
    return (int32_t)(us * p->price / p->segment_us);
}

static spot spot_of_buffer(const plan *p, int64_t us)
{
    spot s = {(int)(us / RATE_STEP_US), (int32_t)((us % RATE_STEP_US << 16) / RATE_STEP_US)};
    return s.at < p->buffers - 1 ? s : (spot){p->buffers - 2, 65536};
}

static spot spot_of_size(const plan *p, int64_t bits)
{
    int k = 0;
    if (bits <= p->size[0])
        return (spot){0, 0};
    if (bits >= p->size[RATE_SIZES - 1])
        return (spot){RATE_SIZES - 2, 65536};
    while (p->size[k + 1] < bits)
        k++;
    return (spot){k, (int32_t)(((bits - p->size[k]) << 16) / (p->size[k + 1] - p->size[k]))};
}

// ---- the plan's constants ----

static void sizes_set(plan *p, const rate_situation *s)
{
    uint64_t most = 4 * BITS_LEAST;
    for (int row = 0; row < RATE_AHEAD_MAX; row++)
        for (int r = 0; r < s->rungs; r++) {
            uint64_t bits = rate_segment_bytes(s, row, r) * 8;
            most = bits > most ? bits : most;
        }
    int64_t range = rate_log2_q(most) - rate_log2_q(BITS_LEAST);
    for (int k = 0; k < RATE_SIZES; k++) {
        uint64_t fraction = (uint64_t)rate_half_power((RATE_SIZES - 1 - k) * range, (int64_t)(RATE_SIZES - 1) * 65536);
        p->size[k] = (int64_t)((most >> 12) * fraction >> 12);
    }
}

static void steps_set(plan *p)
{
    for (int k = 0; k < RATE_SIZES; k++)
        for (int l = 0; l < RATE_LEVELS; l++) {
            int64_t brings = (int64_t)p->o->bps[l] * (RATE_STEP_US / 1000) / 1000;
            p->last[k][l] = p->size[k] <= brings;
            if (p->last[k][l])
                p->us[k][l] = (int32_t)(RATE_STEP_US * p->size[k] / brings);
            else
                p->left[k][l] = spot_of_size(p, p->size[k] - brings);
        }
}

static plan plan_of(const rate_situation *s, const rate_memory *m, const rate_outlook *o)
{
    plan p = {.o = o, .rungs = s->rungs, .segment_us = (int64_t)s->segment_ms * 1000, .price = o->stall_price};
    int64_t room = (int64_t)rate_capacity_ms(s) * 1000 - p.segment_us;
    room = room > RATE_STEP_US ? room : RATE_STEP_US;
    int64_t points = room / RATE_STEP_US + 2;
    p.buffers = points < RATE_BUFFERS_MAX ? (int)points : RATE_BUFFERS_MAX;
    p.full = spot_of_buffer(&p, room);
    p.first_byte_us = rate_average_first_byte_us(m);
    for (int r = 0; r < s->rungs; r++)
        p.utility[r] = (int32_t)((rate_ln_micro(s->bps[r]) - rate_ln_micro(s->bps[0])) * RATE_WORTH_ONE / 1000000);
    sizes_set(&p, s);
    steps_set(&p);
    return p;
}

// ---- one segment back ----

// Between segments: what lies behind the full mark waits until it does not, without cost.
static int32_t after_at(const plan *p, const rate_worth_table after, int64_t buffer_us, int level)
{
    spot s = spot_of_buffer(p, buffer_us);
    if (s.at > p->full.at || (s.at == p->full.at && s.part > p->full.part))
        s = p->full;
    return mix(after[s.at][level], after[s.at + 1][level], s.part);
}

static int32_t rest_at(rate_worth_table *const rest, spot size, int buffer, int level)
{
    return mix(rest[size.at][buffer][level], rest[size.at + 1][buffer][level], size.part);
}

// The worth of a download's last step, for each level of the buffer: it ends `us` into the step.
static void last_step(const plan *p, const rate_worth_table after, int64_t us, int level, int32_t worth[RATE_BUFFERS_MAX])
{
    worth[0] = after_at(p, after, p->segment_us, level) - worth_of_stall(p, us);
    spot s = spot_of_buffer(p, RATE_STEP_US - us + p->segment_us);
    for (int b = 1; b < p->buffers; b++, s.at++) {
        bool full = s.at > p->full.at || (s.at == p->full.at && s.part > p->full.part);
        spot at = full ? p->full : s;
        worth[b] = mix(after[at.at][level], after[at.at + 1][level], at.part);
    }
}

static void chances_apply(const rate_outlook *o, const int32_t step[RATE_LEVELS], int32_t worth[RATE_LEVELS])
{
    int32_t sum[RATE_LEVELS] = {0};
    for (int to = 0; to < RATE_LEVELS; to++) {
        int32_t w = step[to] < WORTH_LEAST ? WORTH_LEAST : step[to];
        for (int l = 0; l < RATE_LEVELS; l++)
            sum[l] += o->chance_to[to][l] * w;
    }
    for (int l = 0; l < RATE_LEVELS; l++)
        worth[l] = sum[l] / RATE_CHANCE_ONE;
}

// A size of the table: what goes on after the step is at a smaller size and a step less of buffer, so that was filled before. At an empty
// buffer it may stay where it is (nothing comes): begun at the size below, then three times over.
static void rest_fill_size(const plan *p, const rate_worth_table after, rate_worth_table *rest, int k)
{
    int32_t ends[RATE_LEVELS][RATE_BUFFERS_MAX], step[RATE_LEVELS], stalled = worth_of_stall(p, RATE_STEP_US);
    for (int l = 0; l < RATE_LEVELS; l++)
        if (p->last[k][l])
            last_step(p, after, p->us[k][l], l, ends[l]);
    for (int l = 0; l < RATE_LEVELS; l++)
        rest[k][0][l] = k > 0 ? rest[k - 1][0][l] : 0;
    for (int turn = -3; turn < p->buffers; turn++) {
        int b = turn > 0 ? turn : 0;
        for (int l = 0; l < RATE_LEVELS; l++)
            if (p->last[k][l])
                step[l] = ends[l][b];
            else if (b > 0)
                step[l] = rest_at(rest, p->left[k][l], b - 1, l);
            else
                step[l] = rest_at(rest, p->left[k][l], 0, l) - stalled;
        chances_apply(p->o, step, rest[k][b]);
    }
}

static void rest_fill(const plan *p, const rate_worth_table after, rate_worth_table *rest)
{
    for (int k = 0; k < RATE_SIZES; k++)
        rest_fill_size(p, after, rest, k);
}

// The request goes out, its first byte comes: a little of the buffer is gone.
static int32_t fetch_worth(const plan *p, rate_worth_table *const rest, spot size, int64_t buffer_us, int level)
{
    int64_t stall = p->first_byte_us > buffer_us ? p->first_byte_us - buffer_us : 0;
    spot s = spot_of_buffer(p, buffer_us - p->first_byte_us + stall);
    return mix(rest_at(rest, size, s.at, level), rest_at(rest, size, s.at + 1, level), s.part) - worth_of_stall(p, stall);
}

// The states before a segment, in `worth`, from those behind it.
static void plan_back(const plan *p, const uint64_t *bytes, const rate_worth_table after, rate_worth_table *rest, rate_worth_table worth)
{
    rest_fill(p, after, rest);
    for (int b = 0; b < p->buffers; b++)
        for (int l = 0; l < RATE_LEVELS; l++)
            worth[b][l] = INT32_MIN;
    for (int r = 0; r < p->rungs; r++) {
        spot size = spot_of_size(p, (int64_t)bytes[r] * 8);
        for (int b = 0; b < p->buffers; b++) {
            int64_t have = (int64_t)b * RATE_STEP_US, stall = p->first_byte_us > have ? p->first_byte_us - have : 0;
            spot s = spot_of_buffer(p, have - p->first_byte_us + stall);
            int32_t flat = p->utility[r] - worth_of_stall(p, stall);
            for (int l = 0; l < RATE_LEVELS; l++) {
                int32_t w = flat + mix(rest_at(rest, size, s.at, l), rest_at(rest, size, s.at + 1, l), s.part);
                worth[b][l] = w > worth[b][l] ? w : worth[b][l];
            }
        }
    }
}

// The worth in the long run, a segment nearer; that of a full buffer at the best level is 0.
static void plan_settle(const plan *p, const rate_situation *s, rate_plan *w)
{
    uint64_t middle[RATE_RUNGS_MAX];
    rate_worth_table worth;
    for (int r = 0; r < s->rungs; r++)
        middle[r] = s->bps[r] * s->segment_ms / 8000;
    plan_back(p, middle, w->steady, w->rest, worth);
    int32_t top = worth[p->buffers - 1][RATE_LEVELS - 1];
    for (int b = 0; b < p->buffers; b++)
        for (int l = 0; l < RATE_LEVELS; l++)
            w->steady[b][l] = worth[b][l] - top;
}

// Fills plan.after with the worth of the states behind the next segment. Behind the film's last one nothing is worth anything.
static void plan_ahead(const plan *p, const rate_situation *s, rate_plan *w)
{
    rate_worth_table worth;
    bool end = s->segments_left <= STAGES_LAST;
    if (end)
        memset(w->after, 0, sizeof w->after);
    else
        memcpy(w->after, w->steady, sizeof w->after);
    for (int row = (end ? (int)s->segments_left : STAGES) - 1; row > 0; row--) {
        uint64_t bytes[RATE_RUNGS_MAX];
        for (int r = 0; r < s->rungs; r++)
            bytes[r] = rate_segment_bytes(s, row, r);
        plan_back(p, bytes, w->after, w->rest, worth);
        memcpy(w->after, worth, sizeof worth);
    }
}

// ---- the doors ----

static bool starting(const rate_situation *s)
{
    return s->playout == RATE_STARTING && s->buffer_ms == 0;
}

static rate_what what_of(const rate_situation *s, const rate_memory *m, int rung)
{
    if (s->rungs == 1)
        return RATE_WHAT_ONLY;
    if (m->last_rung < 0)
        return RATE_WHAT_FIRST;
    if (rung == s->rungs - 1)
        return RATE_WHAT_TOP;
    return rung > m->last_rung ? RATE_WHAT_UP : rung < m->last_rung ? RATE_WHAT_DOWN : RATE_WHAT_PLANNED;
}

rate_pick rate_plan_pick(const rate_situation *s, rate_memory *m)
{
    rate_worth_table *rest = m->plan.rest;
    rate_outlook o;
    rate_model_outlook(&m->model, &o);
    plan p = plan_of(s, m, &o);
    for (int i = m->plan.ready ? 1 : SWEEPS_FIRST; i > 0; i--)
        plan_settle(&p, s, &m->plan);
    plan_ahead(&p, s, &m->plan);
    m->plan.ready = true;
    if (starting(s))
        p.price = START_PRICE;
    if (!m->model.known)
        rate_outlook_first(&o);
    rest_fill(&p, m->plan.after, rest);
    rate_pick pick = {.worth = INT32_MIN, .next_worth = INT32_MIN};
    for (int r = 0; r < s->rungs; r++) {
        spot size = spot_of_size(&p, (int64_t)rate_segment_bytes(s, 0, r) * 8);
        int32_t worth = p.utility[r] + fetch_worth(&p, rest, size, (int64_t)s->buffer_ms * 1000, o.level);
        if (worth > pick.worth) {
            pick.next_worth = pick.worth;
            pick.worth = worth;
            pick.rung = r;
        } else if (worth > pick.next_worth) {
            pick.next_worth = worth;
        }
    }
    pick.what = what_of(s, m, pick.rung);
    return pick;
}

// Worth a look: a step of the model has just ended, and there is a smaller rung.
static bool abandon_asked(const rate_situation *s, const rate_memory *m)
{
    const rate_running *run = &s->running;
    return run->rung > 0 && run->bytes_got > 0 && run->bytes_got < run->bytes && m->plan.ready && m->model.us_taken > 0
        && run->elapsed_us - run->first_byte_us == m->model.us_taken;
}

int rate_plan_abandon(const rate_situation *s, rate_memory *m)
{
    if (!abandon_asked(s, m))
        return -1;
    rate_worth_table *rest = m->plan.rest;
    rate_outlook o;
    rate_model_outlook(&m->model, &o);
    plan p = plan_of(s, m, &o);
    if (starting(s))
        p.price = START_PRICE;
    rest_fill(&p, m->plan.after, rest);
    const rate_running *run = &s->running;
    int64_t first_byte = p.first_byte_us, buffer = (int64_t)s->buffer_ms * 1000;
    p.first_byte_us = 0;
    spot left = spot_of_size(&p, (int64_t)(run->bytes - run->bytes_got) * 8);
    int32_t best = p.utility[run->rung] + fetch_worth(&p, rest, left, buffer, o.level) + ABANDON_MARGIN;
    p.first_byte_us = first_byte;
    int to = -1;
    for (int r = 0; r < run->rung; r++) {
        int32_t worth = p.utility[r] + fetch_worth(&p, rest, spot_of_size(&p, (int64_t)rate_segment_bytes(s, 0, r) * 8), buffer, o.level);
        if (worth > best) {
            best = worth;
            to = r;
        }
    }
    return to;
}
