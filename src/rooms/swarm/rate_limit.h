// A rate limit that several conversations share: a token bucket kept as one time, the one at which the next byte may move.
// Whoever wants to move bytes takes them and waits until the time that he is told; so the bytes of all together keep the rate,
// first come, first served. Pure; integers only.
#pragma once
#include <stdint.h>

typedef struct {
    int64_t bytes_per_s;                         // 0: no limit
    int64_t next_ns;                             // when the next byte may move
} rate_limit;

#define RATE_LIMIT_BURST_NS 50000000ll           // of idle time that may be made up for

// Takes `bytes` (0 .. 1 GiB). The absolute time from which they may move: now_ns or earlier when at once.
int64_t rate_limit_take(rate_limit *l, int64_t bytes, int64_t now_ns);
// A new rate counts from now on; what was promised before is forgotten.
void    rate_limit_set(rate_limit *l, int64_t bytes_per_s, int64_t now_ns);
