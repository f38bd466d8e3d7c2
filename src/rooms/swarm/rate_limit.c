#include "rooms/swarm/rate_limit.h"

#define SECOND_NS 1000000000ll

int64_t rate_limit_take(rate_limit *l, int64_t bytes, int64_t now_ns)
{
    if (!l->bytes_per_s)
        return now_ns;
    bool idle = now_ns - l->next_ns > RATE_LIMIT_LATE_NS;
    int64_t at = idle ? now_ns : l->next_ns;
    // Whole seconds and the rest apart: bytes * 10^9 alone would not stay below 2^63 for every size.
    int64_t whole = bytes / l->bytes_per_s, rest = bytes % l->bytes_per_s;
    int64_t rest_ns = rest < INT64_MAX / SECOND_NS ? rest * SECOND_NS / l->bytes_per_s : SECOND_NS;
    l->next_ns = at + whole * SECOND_NS + rest_ns;
    return at;
}

int64_t rate_limit_pay(rate_limit *l, int64_t bytes, int64_t now_ns)
{
    int64_t at = rate_limit_take(l, bytes, now_ns);
    return l->bytes_per_s ? l->next_ns : at;
}

int64_t rate_limit_slice(const rate_limit *l)
{
    if (!l->bytes_per_s)
        return RATE_LIMIT_SLICE_MAX;
    int64_t bytes = l->bytes_per_s / (SECOND_NS / RATE_LIMIT_SLICE_NS);
    return bytes < RATE_LIMIT_SLICE_MIN ? RATE_LIMIT_SLICE_MIN : bytes < RATE_LIMIT_SLICE_MAX ? bytes : RATE_LIMIT_SLICE_MAX;
}

void rate_limit_set(rate_limit *l, int64_t bytes_per_s, int64_t now_ns)
{
    if (l->bytes_per_s == bytes_per_s)
        return;
    l->bytes_per_s = bytes_per_s;
    l->next_ns = now_ns;
}
