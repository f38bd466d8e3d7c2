#include "rate_optimum.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/heap_memory.h"
#include "base/must.h"

enum { LABELS_MAX = 60000, CELLS = 1 << 17, STALL_CELLS_MAX = 1024, STALL_CELL_MS = 250 };

static const double UTILITY_STEP = 0.005, WORTH_SPREAD = 20;

typedef struct {
    double now, buffer, worth, stalled;      // milliseconds; utility less what stalls and the start cost
    int    before;                           // label of the segment before, in its layer
    int    rung;
} label;

// How many bits a trace has given until a time, and when it has given so many.
typedef struct { const trace *t; double *ms, *bits; double loop_ms, loop_bits; } flow;

static flow flow_of(const trace *t)
{
    flow f = {.t = t};
    f.ms = memory_new((size_t)(t->count + 1) * sizeof *f.ms);
    f.bits = memory_new((size_t)(t->count + 1) * sizeof *f.bits);
    f.ms[0] = f.bits[0] = 0;
    for (int i = 0; i < t->count; i++) {
        f.ms[i + 1] = f.ms[i] + t->period[i].ms;
        f.bits[i + 1] = f.bits[i] + t->period[i].ms * t->period[i].kbps;
    }
    f.loop_ms = f.ms[t->count];
    f.loop_bits = f.bits[t->count];
    return f;
}

static int last_not_above(const double *sorted, int count, double x)
{
    int low = 0, high = count - 1;
    while (low < high) {
        int middle = (low + high + 1) / 2;
        if (sorted[middle] <= x)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

static double flow_bits(const flow *f, double ms)
{
    double loops = floor(ms / f->loop_ms);
    double rest = ms - loops * f->loop_ms;
    int i = last_not_above(f->ms, f->t->count, rest);
    return loops * f->loop_bits + f->bits[i] + (rest - f->ms[i]) * f->t->period[i].kbps;
}

static double flow_when(const flow *f, double bits)
{
    double loops = floor(bits / f->loop_bits);
    double rest = bits - loops * f->loop_bits;
    int i = last_not_above(f->bits, f->t->count, rest);
    double kbps = f->t->period[i].kbps;
    return loops * f->loop_ms + f->ms[i] + (kbps > 0 ? (rest - f->bits[i]) / kbps : 0);
}

typedef struct {
    const film *f;
    flow flow;
    double capacity, cell, start_price, stall_price;     // a segment's length of starting, of stalling
    label *layer[FILM_SEGMENTS_MAX];
    int    count[FILM_SEGMENTS_MAX];
    int   *cell_label;                       // hash of cells to the labels of the layer being made
    uint64_t *cell_key;
} search;

static void label_offer(search *x, int segment, label l)
{
    uint64_t when = (uint64_t)(l.now / x->cell), stalled = (uint64_t)(l.stalled / x->cell);
    uint64_t key = (when << 20 | stalled) + 1;
    uint32_t at = (uint32_t)(key * 0x9e3779b97f4a7c15u >> 40) & (CELLS - 1);
    while (x->cell_key[at] && x->cell_key[at] != key)
        at = (at + 1) & (CELLS - 1);
    label *layer = x->layer[segment];
    if (x->cell_key[at]) {
        if (l.worth > layer[x->cell_label[at]].worth)
            layer[x->cell_label[at]] = l;
    } else if (x->count[segment] < LABELS_MAX) {
        x->cell_key[at] = key;
        x->cell_label[at] = x->count[segment];
        layer[x->count[segment]++] = l;
    }
}

static void label_extend(search *x, int segment, const label *from, int index)
{
    const film *f = x->f;
    label wait = *from;
    double full = segment > 0 ? wait.buffer + f->segment_ms - x->capacity : 0;
    if (full > 0) {
        wait.now += full;
        wait.buffer -= full;
    }
    double sent = wait.now + x->flow.t->period[0].latency_ms, before = flow_bits(&x->flow, sent);
    for (int r = 0; r < f->rungs; r++) {
        double done = fmax(sent, flow_when(&x->flow, before + (double)rate_bytes(f, segment, r) * 8)), took = done - wait.now;
        double stalled = segment > 0 ? fmax(0, took - wait.buffer) : 0;
        double cost = segment > 0 ? stalled * x->stall_price : took * x->start_price;
        label l = {.now = done, .stalled = wait.stalled + stalled, .before = index, .rung = r};
        l.buffer = segment > 0 ? fmax(0, wait.buffer - took) + f->segment_ms : f->segment_ms;
        l.worth = wait.worth + log((double)f->bps[r] / (double)f->bps[0]) - cost / f->segment_ms;
        label_offer(x, segment, l);
    }
}

static int by_time(const void *a, const void *b)
{
    const label *x = a, *y = b;
    return x->now < y->now ? -1 : x->now > y->now;
}

// What was watched by then, without the price of the stalls.
static double label_utility(const search *x, const label *l)
{
    return l->worth + l->stalled * x->stall_price / x->f->segment_ms;
}

// A label that came no later, stalled no longer and watched as much could only do as well by stalling on purpose: the other one goes.
// best[] is a Fenwick tree: the highest utility so far up to a stall.
static void layer_prune(search *x, int segment)
{
    double best[STALL_CELLS_MAX + 1];
    label *layer = x->layer[segment];
    double top = -INFINITY;
    int kept = 0;
    for (int i = 0; i <= STALL_CELLS_MAX; i++)
        best[i] = -INFINITY;
    for (int i = 0; i < x->count[segment]; i++)
        top = fmax(top, layer[i].worth);
    qsort(layer, (size_t)x->count[segment], sizeof *layer, by_time);
    for (int i = 0; i < x->count[segment]; i++) {
        int cell = 1 + (int)fmin(layer[i].stalled / STALL_CELL_MS, STALL_CELLS_MAX - 1);
        double utility = label_utility(x, &layer[i]), other = -INFINITY;
        for (int k = cell; k > 0; k -= k & -k)
            other = fmax(other, best[k]);
        if (utility <= other + UTILITY_STEP || layer[i].worth < top - WORTH_SPREAD)
            continue;
        for (int k = cell; k <= STALL_CELLS_MAX; k += k & -k)
            best[k] = fmax(best[k], utility);
        layer[kept++] = layer[i];
    }
    x->count[segment] = kept;
}

static double search_run(search *x, unsigned char *rungs)
{
    int last = x->f->segments - 1, best = 0;
    for (int i = 0; i <= last; i++) {
        x->count[i] = 0;
        memset(x->cell_key, 0, CELLS * sizeof *x->cell_key);
        if (i == 0)
            label_extend(x, 0, &(label){0}, -1);
        for (int k = 0; i > 0 && k < x->count[i - 1]; k++)
            label_extend(x, i, &x->layer[i - 1][k], k);
        layer_prune(x, i);
    }
    for (int k = 1; k < x->count[last]; k++)
        if (x->layer[last][k].worth > x->layer[last][best].worth)
            best = k;
    double worth = x->layer[last][best].worth;
    for (int i = last, k = best; i >= 0; i--) {
        rungs[i] = (unsigned char)x->layer[i][k].rung;
        k = x->layer[i][k].before;
    }
    return worth;
}

outcome optimum_find(const film *f, const trace *t, double capacity_ms, double cell_ms, double score, unsigned char *rungs)
{
    static search x;
    if (!x.cell_key) {
        x.cell_key = memory_new(CELLS * sizeof *x.cell_key);
        x.cell_label = memory_new(CELLS * sizeof *x.cell_label);
        for (int i = 0; i < FILM_SEGMENTS_MAX; i++)
            x.layer[i] = NULL;
    }
    for (int i = 0; i < f->segments; i++)
        if (!x.layer[i])
            x.layer[i] = memory_new(LABELS_MAX * sizeof(label));
    x.f = f;
    x.flow = flow_of(t);
    x.capacity = capacity_ms;
    x.cell = cell_ms;
    outcome best = {.score = -INFINITY};
    unsigned char now[FILM_SEGMENTS_MAX];
    for (int turn = 0; turn < 3; turn++) {   // the best ratio: the price of time is the score itself
        x.start_price = score;
        x.stall_price = 5 + score;
        search_run(&x, now);
        outcome o = session_replay(f, t, now, capacity_ms);
        if (o.score <= best.score + 1e-4)
            break;
        best = o;
        score = o.score;
        memcpy(rungs, now, (size_t)f->segments);
    }
    memory_free(x.flow.ms);
    memory_free(x.flow.bits);
    return best;
}
