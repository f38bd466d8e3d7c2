// Measures the rate decision: naru's rule and the comparison rules over the public throughput traces (NARU_THROUGHPUT=FOLDER, or
// ../shared/data/throughput beside the tree) and over made ones, beside the optimum of hindsight. Prints a table a set.
//
//     bench-rate [--json] [--all] [--check]
//     --all     every trace of the public sets, not only the odd ones, which the prior of naru's rule was not learned from
//     --check   small made sets only; fails when naru's rule is worse than the best comparison rule or stalls more (for `make test`)
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "rate_optimum.h"
#include "rate_sets.h"

enum { CELL_MS = 100, SEED = 2026 };

typedef struct { double score, stalled, stalls, kbps, switches, start_ms; } row;
typedef struct {
    row    rule[RATE_RULES], optimum;
    int    traces, best;                     // best: of the comparison rules
    double closed;                           // part of the distance from the best rule to the optimum that naru's rule closes
    double decision_us;                      // of naru's rule, sessions' time by segments
} result;

static void row_add(row *r, const outcome *o)
{
    r->score += o->score;
    r->stalled += o->stalled_ms / o->total_ms;
    r->stalls += o->stalls;
    r->kbps += o->kbps;
    r->switches += o->switches_kbps;
    r->start_ms += o->start_ms;
}

static void row_divide(row *r, int n)
{
    *r = (row){r->score / n, r->stalled / n, r->stalls / n, r->kbps / n, r->switches / n, r->start_ms / n};
}

static result set_play(const film *f, const trace_set *set, int from, int step)
{
    result x = {.best = RATE_THROUGHPUT};
    unsigned char rungs[FILM_SEGMENTS_MAX];
    for (int i = from; i < set->count; i += step, x.traces++) {
        double top = -INFINITY;
        for (int r = 0; r < RATE_RULES; r++) {
            clock_t began = clock();
            outcome o = session_play(f, &set->traces[i], (rate_rule)r, RATE_CAPACITY_MS, NULL);
            if (r == RATE_NARU)
                x.decision_us += (double)(clock() - began) * 1e6 / CLOCKS_PER_SEC / f->segments;
            row_add(&x.rule[r], &o);
            top = fmax(top, o.score);
        }
        outcome o = optimum_find(f, &set->traces[i], RATE_CAPACITY_MS, CELL_MS, top, rungs);
        row_add(&x.optimum, &o);
    }
    for (int r = 0; r < RATE_RULES; r++) {
        row_divide(&x.rule[r], x.traces);
        if (r != RATE_NARU && x.rule[r].score > x.rule[x.best].score)
            x.best = r;
    }
    row_divide(&x.optimum, x.traces);
    x.decision_us /= x.traces;
    x.closed = (x.rule[RATE_NARU].score - x.rule[x.best].score) / (x.optimum.score - x.rule[x.best].score);
    return x;
}

static void row_print(const char *name, const row *r)
{
    fprintf(stderr, "  %-12s %7.3f %9.4f %7.2f %7.0f %8.0f %8.0f\n", name, r->score, r->stalled, r->stalls, r->kbps, r->switches, r->start_ms);
}

static void result_print(const trace_set *set, const result *x)
{
    char name[16];
    fprintf(stderr, "%s: %d traces%s\n  %-12s %7s %9s %7s %7s %8s %8s\n", set->name, x->traces, set->made ? ", made" : "", "rule", "score",
            "stalled", "stalls", "kbit/s", "switches", "start ms");
    for (int r = RATE_RULES - 1; r >= 0; r--) {
        str rule = rate_rule_name((rate_rule)r);
        snprintf(name, sizeof name, STR_FMT, STR_ARG(rule));
        row_print(name, &x->rule[r]);
    }
    row_print("hindsight", &x->optimum);
    str best = rate_rule_name((rate_rule)x->best);
    fprintf(stderr, "  naru closes %.0f%% of the distance from " STR_FMT " to hindsight (goal: 50%%); %.0f us of processor a segment\n\n",
            100 * x->closed, STR_ARG(best), x->decision_us);
}

static void result_json(const trace_set *set, const result *x, bool first)
{
    const row *n = &x->rule[RATE_NARU], *b = &x->rule[x->best];
    printf("%s\n  {\"set\": \"%s\", \"made\": %s, \"traces\": %d, \"naru\": %.4f, \"best_rule\": %.4f, \"hindsight\": %.4f, \"closed\": %.3f, "
           "\"naru_stalled\": %.5f, \"best_rule_stalled\": %.5f, \"decision_us\": %.0f}",
           first ? "" : ",", set->name, set->made ? "true" : "false", x->traces, n->score, b->score, x->optimum.score, x->closed,
           n->stalled, b->stalled, x->decision_us);
}

// Plays a set, prints it; true: the goal was reached.
static bool set_measure(const film *f, const trace_set *set, int from, int step, bool json, bool first)
{
    result x = set_play(f, set, from, step);
    result_print(set, &x);
    if (json)
        result_json(set, &x, first);
    return x.closed >= 0.5 && x.rule[RATE_NARU].stalled <= x.rule[x.best].stalled;
}

static const char *const made_kinds[] = {"3G", "4G", "DSL"};

// Mean scores of a rule over a set's first traces.
static row rule_play(const film *f, const trace_set *set, rate_rule rule)
{
    row r = {0};
    for (int i = 0; i < set->count; i++) {
        outcome o = session_play(f, &set->traces[i], rule, RATE_CAPACITY_MS, NULL);
        row_add(&r, &o);
    }
    row_divide(&r, set->count);
    return r;
}

// Not worse: the score within a hundredth of the best comparison rule's, and no more than a thousandth of the time stalled beyond its.
static bool kind_check(const film *f, const char *kind, uint64_t seed)
{
    enum { TRACES = 3 };
    trace_set set;
    set_make(&set, kind, TRACES, seed);
    row best = {.score = -INFINITY}, naru = rule_play(f, &set, RATE_NARU);
    for (int r = RATE_NARU + 1; r < RATE_RULES; r++) {
        row other = rule_play(f, &set, (rate_rule)r);
        best = other.score > best.score ? other : best;
    }
    set_free(&set);
    bool good = naru.score >= best.score * 0.99 && naru.stalled <= best.stalled + 0.001;
    fprintf(stderr, "%s %s-like: naru's rule %.3f (stalled %.4f), the best other %.3f (%.4f)\n", good ? "ok" : "FAILED", kind, naru.score,
            naru.stalled, best.score, best.stalled);
    return good;
}

static int check(void)
{
    film f;
    int bad = 0;
    film_make(&f, SEED);
    f.segments = 120;
    for (int k = 0; k < 3; k++)
        bad += !kind_check(&f, made_kinds[k], SEED + (uint64_t)k);
    film_free(&f);
    printf("%d passed, %d failed, 0 skipped\n", 3 - bad, bad);
    return bad > 0;
}

int main(int argc, char **argv)
{
    static const char *const public_sets[] = {"3G", "4G", "FCC-SD", "FCC-HD"};
    bool json = false, all = false, quick = getenv("NARU_BENCH_QUICK") && *getenv("NARU_BENCH_QUICK"), good = true, first = true;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--check") == 0)
            return check();
        json |= strcmp(argv[i], "--json") == 0;
        all |= strcmp(argv[i], "--all") == 0;
    }
    const char *folder = getenv("NARU_THROUGHPUT") ? getenv("NARU_THROUGHPUT") : "../shared/data/throughput";
    char path[600];
    film f;
    trace_set set;
    snprintf(path, sizeof path, "%s/bbb.json", folder);
    bool table = film_load(&f, path);
    if (!table) {
        fprintf(stderr, "the public traces are absent (%s; NARU_THROUGHPUT=FOLDER names another): made ones only\n", folder);
        film_make(&f, SEED);
    }
    printf("%s", json ? "[" : "");
    for (int k = 0; table && k < 4; k++)
        if (set_load(&set, folder, public_sets[k])) {
            good &= set_measure(&f, &set, !all, (all ? 1 : 2) * (quick ? 8 : 1), json, first);
            first = false;
            set_free(&set);
        }
    for (int k = 0; k < 3; k++) {
        set_make(&set, made_kinds[k], quick ? 4 : 24, SEED + (uint64_t)k);
        good &= set_measure(&f, &set, 0, 1, json, first);
        first = false;
        set_free(&set);
    }
    printf("%s", json ? "\n]\n" : "");
    film_free(&f);
    return good ? 0 : 1;
}
