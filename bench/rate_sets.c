#include "rate_sets.h"
#include <dirent.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/heap_memory.h"
#include "base/must.h"

static double number(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static bool trace_load(trace *t, const char *path)
{
    json_t *root = json_load_file(path, 0, NULL);
    size_t count = json_array_size(root);
    double bits = 0;
    if (count == 0 || count > 100000) {
        json_decref(root);
        return false;
    }
    t->period = memory_new(count * sizeof *t->period);
    t->count = (int)count;
    for (size_t i = 0; i < count; i++) {
        const json_t *p = json_array_get(root, i);
        t->period[i] = (trace_period){number(p, "duration_ms"), number(p, "bandwidth_kbps"), number(p, "latency_ms")};
        bits += t->period[i].ms * t->period[i].kbps;
    }
    json_decref(root);
    return bits > 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const trace *)a)->name, ((const trace *)b)->name);
}

bool set_load(trace_set *set, const char *folder, const char *name)
{
    char path[600];
    *set = (trace_set){0};
    snprintf(set->name, sizeof set->name, "%s", name);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    DIR *d = opendir(path);
    if (!d)
        return false;
    set->traces = memory_new(SET_TRACES_MAX * sizeof *set->traces);
    for (struct dirent *e; (e = readdir(d)) && set->count < SET_TRACES_MAX;) {
        trace *t = &set->traces[set->count];
        snprintf(path, sizeof path, "%s/%s/%s", folder, name, e->d_name);
        snprintf(t->name, sizeof t->name, "%.47s", e->d_name);
        if (strstr(e->d_name, ".json") && trace_load(t, path))
            set->count++;
    }
    closedir(d);
    qsort(set->traces, (size_t)set->count, sizeof *set->traces, by_name);
    return set->count > 0;
}

bool film_load(film *f, const char *path)
{
    json_t *root = json_load_file(path, 0, NULL);
    const json_t *rates = json_object_get(root, "bitrates_kbps"), *sizes = json_object_get(root, "segment_sizes_bits");
    *f = (film){.segment_ms = (uint32_t)number(root, "segment_duration_ms"), .rungs = (int)json_array_size(rates),
                .segments = (int)json_array_size(sizes)};
    bool good = f->segment_ms > 0 && f->rungs > 0 && f->rungs <= FILM_RUNGS_MAX && f->segments > 0 && f->segments <= FILM_SEGMENTS_MAX;
    if (good)
        f->bytes = memory_new((size_t)f->segments * (size_t)f->rungs * sizeof *f->bytes);
    for (int i = 0; good && i < f->segments * f->rungs; i++)
        f->bytes[i] = (uint64_t)json_number_value(json_array_get(json_array_get(sizes, (size_t)(i / f->rungs)), (size_t)(i % f->rungs))) / 8;
    for (int r = 0; good && r < f->rungs; r++)
        f->bps[r] = (uint64_t)(json_number_value(json_array_get(rates, (size_t)r)) * 1000);
    json_decref(root);
    return good;
}

void set_free(trace_set *set)
{
    for (int i = 0; i < set->count; i++)
        memory_free(set->traces[i].period);
    memory_free(set->traces);
    *set = (trace_set){0};
}

// ---- made ones ----

static double made_number(uint64_t *state)               // 0 .. 1
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (double)((z ^ z >> 31) >> 11) / 9007199254740992.0;
}

static double made_bell(uint64_t *state)                 // mean 0, deviation 1, nearly normal
{
    double sum = -6;
    for (int i = 0; i < 12; i++)
        sum += made_number(state);
    return sum;
}

// What a kind of network is like. The rate's logarithm wanders about the session's mean; now and then it falls by `fall` for a while.
typedef struct {
    const char *name;
    double kbps, spread;                     // of the sessions' means: middle, deviation of its logarithm
    double period_ms, latency_ms;
    double keep, noise;                      // of the logarithm's distance from the mean, from period to period
    double fall_chance, fall_ms, fall;       // a period; how long on average; logarithm of the part that is left
} kind;

static const kind kinds[] = {
    {"3G",  1100,  0.50, 1000, 100, 0.90, 0.22, 0.012, 9000, -2.5},      // a moving telephone: wanders, gaps of seconds
    {"4G",  28000, 0.30, 1000, 20,  0.55, 0.35, 0.006, 5000, -3.5},      // fast, noisy, short gaps
    {"DSL", 7000,  0.25, 5000, 20,  0.30, 0.06, 0.040, 60000, -2.0},     // steady, for a minute at a time a part of it
};

static void trace_make(trace *t, const kind *k, uint64_t *state)
{
    enum { TRACE_MS = 600000 };
    double mean = log(k->kbps) + k->spread * made_bell(state), away = 0;
    bool fallen = false;
    t->count = (int)(TRACE_MS / k->period_ms);
    t->period = memory_new((size_t)t->count * sizeof *t->period);
    for (int i = 0; i < t->count; i++) {
        away = k->keep * away + k->noise * made_bell(state);
        fallen = fallen ? made_number(state) > k->period_ms / k->fall_ms : made_number(state) < k->fall_chance;
        t->period[i] = (trace_period){k->period_ms, exp(mean + away + (fallen ? k->fall : 0)), k->latency_ms};
    }
}

void set_make(trace_set *set, const char *name, int count, uint64_t seed)
{
    const kind *k = NULL;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].name, name) == 0)
            k = &kinds[i];
    must(k && count > 0 && count <= SET_TRACES_MAX);
    *set = (trace_set){.count = count, .made = true};
    snprintf(set->name, sizeof set->name, "%s-like", name);
    set->traces = memory_new((size_t)count * sizeof *set->traces);
    for (int i = 0; i < count; i++) {
        snprintf(set->traces[i].name, sizeof set->traces[i].name, "made-%d", i);
        trace_make(&set->traces[i], k, &seed);
    }
}

void film_make(film *f, uint64_t seed)
{
    static const uint32_t kbps[] = {230, 331, 477, 688, 991, 1427, 2056, 2962, 5027, 6000};
    *f = (film){.segment_ms = 3000, .rungs = 10, .segments = 199};
    f->bytes = memory_new((size_t)f->segments * (size_t)f->rungs * sizeof *f->bytes);
    for (int r = 0; r < f->rungs; r++)
        f->bps[r] = kbps[r] * 1000u;
    for (int i = 0; i < f->segments; i++) {
        double scene = exp(0.2 * made_bell(&seed));
        for (int r = 0; r < f->rungs; r++)
            f->bytes[i * f->rungs + r] = (uint64_t)((double)f->bps[r] * 3 / 8 * scene * exp(0.05 * made_bell(&seed)));
    }
}

void film_free(film *f)
{
    memory_free(f->bytes);
    *f = (film){0};
}
