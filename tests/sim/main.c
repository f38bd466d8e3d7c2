// naru-sim: plays scenarios in the simulated world, one after the other, seed after seed.
//
//     naru-sim [--seeds N] [--first-seed S] [--scenario NAME] [--break NAME] [--story] [--list]
//     naru-sim --crowd PEERS [--mebibytes M] [--first-seed S] [--break NAME]
//
// The last line sums up. Exit status: 0 all held, 1 something did not, 2 the arguments.
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "rt/log.h"
#include "story_list.h"
#include "swarm_trial.h"
#include "trial.h"

static const scenario scenarios[] = {
    {"disk", "a program that appends and renames, under crashes, full disks and failed syncs", disk_play},
    {"echo", "clients of an echo over TCP and UDP, over links that lose, delay, cut and part", echo_play},
    {"edge", "a day of viewers at three edges that die, stall and come back empty, while the origin changes objects", edge_play},
    {"journal", "many fibers append to a journal while its host crashes at random", journal_play},
    {"letter", "two mail domains in a small Internet, a hundred senders, everything goes wrong", letter_play},
    {"swarm", "honest peers, crashes, partitions and liars: every piece arrives, nothing is promised that is not on disk", swarm_play},
    {"tracker", "clients of a BitTorrent tracker whose host crashes again and again", tracker_play},
};
enum { SCENARIOS = sizeof scenarios / sizeof scenarios[0], SAME_TWICE_EVERY = 50, CROWD_MAX = 1100, MEBIBYTES_MAX = 512 };

static struct {
    uint64_t    first_seed;
    int64_t     seeds;
    const char *only, *broken;
    bool        story;
    int         crowd, mebibytes;        // crowd 0: scenarios are played
} options = {.first_seed = 1, .seeds = 100, .mebibytes = 64};

static trial  *playing;                 // for what is said when an invariant breaks
static void  (*must_hook_before)(const char *, const char *, int);

// ---- telling -----------------------------------------------------------------------------------------------

static void replay_print(FILE *out, const trial *t)
{
    fprintf(out, "  replay: build/naru-sim --first-seed %" PRIu64 " --seeds 1 --scenario %s%s%s --story\n", t->seed,
            t->scenario, options.broken ? " --break " : "", options.broken ? options.broken : "");
}

void trial_failed(trial *t, const char *format, ...)
{
    if (t->failures++ >= TRIAL_FAILURES_TOLD)
        return;
    va_list args;
    va_start(args, format);
    printf("FAILED seed %" PRIu64 " %s at %lld ms: ", t->seed, t->scenario,
           (long long)(sim_now_ns(t->sim) / NS_PER_MS));
    vprintf(format, args);
    printf("\n");
    va_end(args);
    if (t->failures == 1)
        replay_print(stdout, t);
    fflush(stdout);
}

static void invariant_broke(const char *what, const char *where, int line)
{
    if (playing)
        replay_print(stderr, playing);
    if (must_hook_before)
        must_hook_before(what, where, line);
}

// A wild pointer in one of a thousand seeds: which one? Sanitizers tell more themselves, so they are left alone.
#ifndef __SANITIZE_ADDRESS__
static void on_wild_pointer(int number)
{
    if (playing)
        replay_print(stderr, playing);
    signal(number, SIG_DFL);             // the instruction runs again and ends the program
}

static void wild_pointers_tell(void)
{
    struct sigaction ours = {.sa_handler = on_wild_pointer, .sa_flags = SA_ONSTACK};
    sigaction(SIGSEGV, &ours, NULL);
}
#else
static void wild_pointers_tell(void) { }
#endif

static void log_nowhere(void *arg, str line) { (void)arg, (void)line; }

// ---- one trial ---------------------------------------------------------------------------------------------

int64_t sim_between(sim *s, int64_t least, int64_t most)
{
    return least + (int64_t)sim_random_below(s, (uint64_t)(most - least) + 1);
}

static void trial_first(void *arg)
{
    trial *t = arg;
    for (int i = 0; i < SCENARIOS; i++)
        if (!strcmp(scenarios[i].name, t->scenario))
            scenarios[i].play(t);
}

static trial trial_run(const scenario *c, uint64_t seed, sim_figures *figures, uint64_t *fingerprint)
{
    trial t = {.sim = sim_new(seed), .seed = seed, .scenario = c->name};
    if (options.broken)
        sim_break(t.sim, str_z(options.broken));
    playing = &t;
    err e = sim_run(t.sim, trial_first, &t);
    if (e)
        trial_failed(&t, "fibers were left that nothing would ever wake: %s", err_text(e));
    *figures = sim_figures_now(t.sim);
    *fingerprint = sim_fingerprint(t.sim);
    sim_free(t.sim);
    playing = NULL;
    if (sim_blocks_kept()) {
        t.failures++;
        printf("FAILED seed %" PRIu64 " %s: %d shared blocks were never given back\n", seed, c->name, sim_blocks_kept());
    }
    return t;
}

typedef struct {
    tally       tally;
    sim_figures figures;
    int64_t     trials, failed;
} sum;

static void sum_add(sum *all, const trial *t, const sim_figures *f)
{
    all->trials++;
    all->failed += t->failures > 0;
    all->tally.letters += t->tally.letters;
    all->tally.bounces += t->tally.bounces;
    all->tally.lost += t->tally.lost;
    all->tally.doubled += t->tally.doubled;
    all->tally.records += t->tally.records;
    all->figures.crashes += f->crashes;
    all->figures.streams_cut += f->streams_cut;
    all->figures.datagrams_lost += f->datagrams_lost;
    all->figures.syncs_failed += f->syncs_failed;
}

static void seed_play(uint64_t seed, sum sums[SCENARIOS])
{
    for (int i = 0; i < SCENARIOS; i++) {
        if (options.only && strcmp(options.only, scenarios[i].name))
            continue;
        sim_figures figures;
        uint64_t fingerprint, again;
        trial t = trial_run(&scenarios[i], seed, &figures, &fingerprint);
        if (!options.story && (seed - options.first_seed) % SAME_TWICE_EVERY == 0) {
            sim_figures unused;
            trial_run(&scenarios[i], seed, &unused, &again);
            if (again != fingerprint) {
                t.failures++;
                printf("FAILED seed %" PRIu64 " %s: two runs of the same seed differed\n", seed, scenarios[i].name);
            }
        }
        sum_add(&sums[i], &t, &figures);
    }
}

static int sums_print(const sum sums[SCENARIOS])
{
    sum all = {0};
    for (int i = 0; i < SCENARIOS; i++) {
        const sum *s = &sums[i];
        if (!s->trials)
            continue;
        printf("%-8s %" PRId64 " seeds, %" PRId64 " failed; crashes %" PRId64 ", failed syncs %" PRId64
               ", cut connections %" PRId64 ", lost datagrams %" PRId64 "; letters %" PRId64 ", bounces %" PRId64
               ", records %" PRId64 "\n",
               scenarios[i].name, s->trials, s->failed, s->figures.crashes, s->figures.syncs_failed,
               s->figures.streams_cut, s->figures.datagrams_lost, s->tally.letters, s->tally.bounces,
               s->tally.records);
        all.failed += s->failed;
        all.figures.crashes += s->figures.crashes;
        all.figures.streams_cut += s->figures.streams_cut;
        all.tally.letters += s->tally.letters;
        all.tally.lost += s->tally.lost;
        all.tally.doubled += s->tally.doubled;
    }
    printf("%" PRId64 " seeds: letters %" PRId64 ", crashes %" PRId64 ", cut connections %" PRId64 ", lost %" PRId64
           ", doubled %" PRId64 "\n",
           options.seeds, all.tally.letters, all.figures.crashes, all.figures.streams_cut, all.tally.lost,
           all.tally.doubled);
    return all.failed || all.tally.lost || all.tally.doubled;
}

// ---- arguments ---------------------------------------------------------------------------------------------

static int usage(FILE *out)
{
    fprintf(out, "naru-sim [--seeds N] [--first-seed S] [--scenario NAME] [--break NAME] [--story] [--list]\n"
                 "naru-sim --crowd PEERS [--mebibytes M] [--first-seed S] [--break NAME]: a swarm of so many, and what it took\n"
                 "plays scenarios in the simulated world; --break early-250, no-dedupe, skip-torn-tail, no-sync, no-ban, early-complete, no-hash,\n"
                 "edge-no-vary, edge-stale, edge-lose-purge, edge-join or edge-no-invalidate\n"
                 "builds in a defect: then it must fail\n");
    return out == stdout ? 0 : 2;
}

static bool scenario_known(const char *name)
{
    for (int i = 0; i < SCENARIOS; i++)
        if (!strcmp(scenarios[i].name, name))
            return true;
    fprintf(stderr, "naru-sim: there is no scenario '%s'; --list shows them\n", name);
    return false;
}

static bool break_known(const char *name)
{
    static const char *const defects[] = {"early-250", "no-dedupe", "skip-torn-tail", "no-sync", "no-ban", "early-complete", "no-hash",
                                          "edge-no-vary", "edge-stale", "edge-lose-purge", "edge-join", "edge-no-invalidate"};
    for (size_t i = 0; i < sizeof defects / sizeof *defects; i++)
        if (!strcmp(defects[i], name))
            return true;
    fprintf(stderr, "naru-sim: there is no defect '%s' to build in\n", name);
    return false;
}

static bool number_option(const char *text, uint64_t *out)
{
    if (text && str_to_u64(str_z(text), out))
        return true;
    fprintf(stderr, "naru-sim: '%s' is not a number\n", text ? text : "");
    return false;
}

static bool options_read(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        uint64_t n = 0;
        if (!strcmp(argv[i], "--story")) {
            options.story = true;
            continue;
        }
        if (!value)
            return false;
        if (!strcmp(argv[i], "--seeds") && number_option(value, &n) && n > 0 && n < INT64_MAX)
            options.seeds = (int64_t)n;
        else if (!strcmp(argv[i], "--first-seed") && number_option(value, &n))
            options.first_seed = n;
        else if (!strcmp(argv[i], "--scenario") && scenario_known(value))
            options.only = value;
        else if (!strcmp(argv[i], "--crowd") && number_option(value, &n) && n > 0 && n <= CROWD_MAX)
            options.crowd = (int)n;
        else if (!strcmp(argv[i], "--mebibytes") && number_option(value, &n) && n > 0 && n <= MEBIBYTES_MAX)
            options.mebibytes = (int)n;
        else if (!strcmp(argv[i], "--break") && break_known(value))
            options.broken = value;
        else
            return false;
        i++;
    }
    return true;
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "--help"))
        return usage(stdout);
    if (argc == 2 && !strcmp(argv[1], "--list")) {
        for (int i = 0; i < SCENARIOS; i++)
            printf("%-8s %s\n", scenarios[i].name, scenarios[i].about);
        return 0;
    }
    if (!options_read(argc, argv))
        return usage(stderr);
    if (!options.story)
        log_setup(LOG_LOGFMT, LOG_ERROR, log_nowhere, NULL);
    must_hook_before = must_hook;
    must_hook = invariant_broke;
    wild_pointers_tell();
    if (options.crowd)
        return !swarm_crowd(&(crowd_plan){options.crowd, options.mebibytes, options.first_seed, options.broken});
    sum sums[SCENARIOS] = {0};
    for (int64_t i = 0; i < options.seeds; i++)
        seed_play(options.first_seed + (uint64_t)i, sums);
    if (options.story)
        story_list(stdout);
    return sums_print(sums);
}
