// Learns the prior of naru's rate decision, src/wire/media/rate_prior.c, from the even traces of the public sets (the odd ones are what
// bench/rate measures on):
//     build/bench/bench-rate_learn FOLDER >src/wire/media/rate_prior.c
// Each set is a kind of network. A session of naru's own rule is played over each trace; the steps that its model counted are added up. To
// repeat the file in the tree: run it twice (the sessions are played with the prior that is built in), from any prior.
#include <math.h>
#include <stdio.h>
#include "rate_sets.h"

static const struct { const char *set; int price_percent; } kinds[RATE_KINDS] = {{"3G", 750}, {"4G", 380}, {"FCC-SD", 330}, {"FCC-HD", 340}};

static struct {
    double first[RATE_LEVELS], next[RATE_LEVELS][RATE_LEVELS], steps;
} seen[RATE_KINDS];

static rate_memory memory;

static void kind_play(int k, const film *f, const trace_set *set)
{
    for (int i = 0; i < set->count; i += 2) {
        session_play(f, &set->traces[i], RATE_NARU, RATE_CAPACITY_MS, &memory);
        seen[k].first[rate_model_level(memory.model.first)]++;
        for (int from = 0; from < RATE_LEVELS; from++)
            for (int to = 0; to < RATE_LEVELS; to++) {
                double count = memory.model.seen[from][to - from + RATE_LEVELS];
                seen[k].next[from][to] += count;
                seen[k].steps += count;
            }
    }
}

static void first_print(int k)
{
    double sum = 0;
    for (int i = 0; i < RATE_LEVELS; i++)
        sum += seen[k].first[i];
    printf("        .first = {");
    for (int i = 0; i < RATE_LEVELS; i++) {
        double near = 0, weights = 0;
        for (int j = 0; j < RATE_LEVELS; j++) {
            double weight = exp(-(i - j) * (i - j) / 2.0);
            near += weight * seen[k].first[j];
            weights += weight;
        }
        printf("%s%.0f", i ? ", " : "", RATE_CHANCE_ONE * (0.97 * near / weights / sum + 0.03 / RATE_LEVELS));
    }
    printf("},\n");
}

// What every kind saw after a level, each by how much it saw.
static double pooled(int from, int to)
{
    double sum = 0, weights = 0.01;
    for (int k = 0; k < RATE_KINDS; k++) {
        double steps = 0.01;
        for (int i = 0; i < RATE_LEVELS; i++)
            steps += seen[k].next[from][i];
        sum += steps / (steps + 10) * seen[k].next[from][to] / steps;
        weights += steps / (steps + 10);
    }
    return sum / weights;
}

// The same step from the levels beside, a little; the kind's steps and its levels over all, as much as one step seen.
static double smoothed(int k, int from, int to)
{
    double count = seen[k].next[from][to], same_step = 0.1, same_level = 0.01 * seen[k].steps / RATE_LEVELS;
    for (int apart = -2; apart <= 2; apart++)
        if (apart && from + apart >= 0 && from + apart < RATE_LEVELS && to + apart >= 0 && to + apart < RATE_LEVELS)
            count += seen[k].next[from + apart][to + apart] * (apart * apart == 1 ? 0.15 : 0.03);
    for (int i = 0; i < RATE_LEVELS; i++) {
        if (i + to - from >= 0 && i + to - from < RATE_LEVELS)
            same_step += seen[k].next[i][i + to - from];
        same_level += seen[k].next[i][to];
    }
    return count + pooled(from, to) + 0.5 * (same_step + same_level) / seen[k].steps;
}

static void row_print(int k, int from)
{
    double row[RATE_LEVELS], sum = 0;
    int out[RATE_LEVELS], rest = RATE_CHANCE_ONE, top = 0;
    for (int to = 0; to < RATE_LEVELS; to++)
        sum += row[to] = smoothed(k, from, to);
    for (int to = 0; to < RATE_LEVELS; to++) {
        out[to] = (int)(row[to] / sum * RATE_CHANCE_ONE);
        rest -= out[to];
        top = out[to] > out[top] ? to : top;
    }
    out[top] += rest;
    printf("            {");
    for (int to = 0; to < RATE_LEVELS; to++)
        printf("%s%d", to ? ", " : "", out[to]);
    printf("},\n");
}

int main(int argc, char **argv)
{
    film f;
    char path[600];
    snprintf(path, sizeof path, "%s/bbb.json", argc > 1 ? argv[1] : "");
    if (argc != 2 || !film_load(&f, path)) {
        fprintf(stderr, "usage: bench-rate_learn FOLDER (of the public traces, with bbb.json)\n");
        return 2;
    }
    for (int k = 0; k < RATE_KINDS; k++) {
        trace_set set;
        if (!set_load(&set, argv[1], kinds[k].set))
            return 1;
        kind_play(k, &f, &set);
        set_free(&set);
    }
    printf("// What naru's rate decision believes before a session: chances in 1/4096. Written by bench/rate_learn.c from the even traces of\n"
           "// the public sets; docs/rate.md says how. Not to be edited.\n"
           "#include \"wire/media/rate_model.h\"\n\nconst rate_prior rate_priors[RATE_KINDS] = {\n");
    for (int k = 0; k < RATE_KINDS; k++) {
        printf("    {   // %s\n        .stall_price = %d,\n", kinds[k].set, kinds[k].price_percent * RATE_WORTH_ONE / 100);
        first_print(k);
        printf("        .next = {\n");
        for (int from = 0; from < RATE_LEVELS; from++)
            row_print(k, from);
        printf("        },\n    },\n");
    }
    printf("};\n");
    film_free(&f);
}
