// Meters: counters, gauges and histograms with bounded labels, printed as Prometheus text. A meter is a static struct in
// the file that counts; it registers itself on first use. Counting is a plain add to this loop's (thread's) own cell.
#pragma once
#include <stdatomic.h>
#include "base/buf.h"

typedef enum { METER_COUNTER, METER_GAUGE, METER_HISTOGRAM } meter_type;
enum { METER_LABELS_MAX = 16, METER_BUCKETS = 16 };

typedef struct meter {
    const char *name;                // "naru_smtp_letters_accepted_total"
    const char *help;
    meter_type  type;
    const char *label;               // the one label's name, NULL: none
    const char *values[METER_LABELS_MAX];   // its possible values, known beforehand: bounded by construction
    _Atomic int64_t cells[METER_LABELS_MAX];
    _Atomic int64_t buckets[METER_BUCKETS], sum;      // histogram: powers of four from 1 (unit in the name)
    struct meter *next;
    _Atomic bool registered;
} meter;

// Printed from now on, with 0 until something happens: `increase()` and `absent()` need a beginning. At a service's start.
void meter_show(meter *m);
void meter_add(meter *m, int64_t n);                       // counter or gauge (n may be negative for a gauge)
void meter_add_at(meter *m, int value_index, int64_t n);   // with the label's value
void meter_set(meter *m, int64_t n);
void meter_observe(meter *m, int64_t value);
int64_t meter_value(const meter *m, int value_index);
// Prometheus text format 0.0.4, sorted by name; naru_build_info{version=...} is among them.
void meters_print(buf *out);
