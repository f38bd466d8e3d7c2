#include "rt/meter.h"

#include <stdlib.h>

#include "base/heap_memory.h"
#include "base/must.h"

// All meters that were ever used, newest first. Meters are static and never leave, so a reader needs no lock.
static _Atomic(meter *) meters;

static void meter_register(meter *m)
{
    if (atomic_exchange(&m->registered, true))
        return;
    m->next = atomic_load(&meters);
    while (!atomic_compare_exchange_weak(&meters, &m->next, m))
        ;
}

static inline void meter_used(meter *m)
{
    if (!atomic_load_explicit(&m->registered, memory_order_relaxed))
        meter_register(m);
}

void meter_show(meter *m) { meter_used(m); }

void meter_add_at(meter *m, int index, int64_t n)
{
    must(index >= 0 && index < METER_LABELS_MAX && (index == 0 || m->values[index]));
    meter_used(m);
    atomic_fetch_add_explicit(&m->cells[index], n, memory_order_relaxed);
}

void meter_add(meter *m, int64_t n) { meter_add_at(m, 0, n); }

void meter_set(meter *m, int64_t n)
{
    meter_used(m);
    atomic_store_explicit(&m->cells[0], n, memory_order_relaxed);
}

// Bucket i holds what is at most 4^i; the last holds the rest.
void meter_observe(meter *m, int64_t value)
{
    must(m->type == METER_HISTOGRAM);
    meter_used(m);
    int i = 0;
    while (i < METER_BUCKETS - 1 && value > INT64_C(1) << 2 * i)
        i++;
    atomic_fetch_add_explicit(&m->buckets[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&m->sum, value, memory_order_relaxed);
}

int64_t meter_value(const meter *m, int index)
{
    must(index >= 0 && index < METER_LABELS_MAX);
    return atomic_load_explicit(&m->cells[index], memory_order_relaxed);
}

// ---- Prometheus text format 0.0.4 ----

// HELP escapes backslash and line feed, label values the quote too.
static void put_escaped(buf *out, const char *text, bool quote)
{
    for (; *text; text++) {
        if (*text == '\n')
            buf_put(out, S("\\n"));
        else if (*text == '\\' || (quote && *text == '"'))
            buf_format(out, "\\%c", *text);
        else
            buf_put_byte(out, (unsigned char)*text);
    }
}

static void put_head(buf *out, const char *name, const char *help, const char *type)
{
    buf_format(out, "# HELP %s ", name);
    put_escaped(out, help ? help : "", false);
    buf_format(out, "\n# TYPE %s %s\n", name, type);
}

static void put_label(buf *out, const char *label, const char *value)
{
    buf_format(out, "{%s=\"", label);
    put_escaped(out, value, true);
    buf_put(out, S("\"}"));
}

static void print_histogram(buf *out, const meter *m)
{
    int64_t count = 0;
    for (int i = 0; i < METER_BUCKETS; i++) {
        count += atomic_load_explicit(&m->buckets[i], memory_order_relaxed);
        if (i < METER_BUCKETS - 1)
            buf_format(out, "%s_bucket{le=\"%lld\"} %lld\n", m->name, 1ll << 2 * i, (long long)count);
    }
    buf_format(out, "%s_bucket{le=\"+Inf\"} %lld\n", m->name, (long long)count);
    buf_format(out, "%s_sum %lld\n", m->name, (long long)atomic_load_explicit(&m->sum, memory_order_relaxed));
    buf_format(out, "%s_count %lld\n", m->name, (long long)count);
}

static void print_values(buf *out, const meter *m)
{
    for (int i = 0; i < (m->label ? METER_LABELS_MAX : 1); i++) {
        if (m->label && !m->values[i])
            continue;
        buf_put(out, str_z(m->name));
        if (m->label)
            put_label(out, m->label, m->values[i]);
        buf_format(out, " %lld\n", (long long)meter_value(m, i));
    }
}

static int by_name(const void *a, const void *b)
{
    const meter *const *left = a, *const *right = b;
    return str_cmp(str_z((*left)->name), str_z((*right)->name));
}

static meter build_info = {
    .name = "naru_build_info",
    .help = "What is running.",
    .type = METER_GAUGE,
    .label = "version",
    .values = {NARU_VERSION},
};

void meters_print(buf *out)
{
    meter_set(&build_info, 1);
    meter *first = atomic_load(&meters);
    size_t count = 0;
    for (const meter *m = first; m; m = m->next)
        count++;
    const meter **sorted = memory_zeroed(count + 1, sizeof *sorted);
    size_t i = 0;
    for (const meter *m = first; m; m = m->next)
        sorted[i++] = m;
    qsort(sorted, count, sizeof *sorted, by_name);

    static const char *const types[] = {"counter", "gauge", "histogram"};
    for (i = 0; i < count; i++) {
        const meter *m = sorted[i];
        if (i == 0 || by_name(&sorted[i - 1], &sorted[i]) != 0)
            put_head(out, m->name, m->help, types[m->type]);
        if (m->type == METER_HISTOGRAM)
            print_histogram(out, m);
        else
            print_values(out, m);
    }
    memory_free(sorted);
}
