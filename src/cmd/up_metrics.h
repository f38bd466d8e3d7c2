// Several processes' /metrics as one page: every value with a label more, `service`; what has one name stands together.
#pragma once
#include "base/buf.h"

enum { METRICS_FAMILIES_MAX = 1024, METRICS_BYTES_MAX = 4 << 20 };

typedef struct {
    str name, head;                      // the # HELP and # TYPE lines
    buf values;
} metrics_family;

typedef struct {
    arena           memory;
    metrics_family *families;
    int             count;
} metrics_page;

metrics_page metrics_page_make(void);
void metrics_page_free(metrics_page *p);
// A page in Prometheus' text format 0.0.4. What does not fit, or is no such page, is left out.
void metrics_add(metrics_page *p, const char *service, str text);
void metrics_write(metrics_page *p, buf *out);   // sorted by name
