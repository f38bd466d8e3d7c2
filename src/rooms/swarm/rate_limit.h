// A rate limit that several conversations share: a token bucket kept as one time, the one at which the next byte may move.
// Whoever wants to move bytes takes them and waits until the time that he is told; so the bytes of all together keep the rate,
// first come, first served. Pure; integers only.
#pragma once
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    int64_t bytes_per_s;                         // 0: no limit
    int64_t next_ns;                             // when the next byte may move
} rate_limit;

#define RATE_LIMIT_LATE_NS  50000000ll           // who comes so late makes up for it; who comes later was idle, and begins anew
#define RATE_LIMIT_SLICE_NS 50000000ll
enum { RATE_LIMIT_SLICE_MIN = 4 * 1024, RATE_LIMIT_SLICE_MAX = 1 << 20 };

// Takes `bytes` (0 .. 1 GiB). The absolute time from which they may move: now_ns or earlier when at once.
int64_t rate_limit_take(rate_limit *l, int64_t bytes, int64_t now_ns);
// The same for bytes that have moved already (they were read): the time until which nobody may move more, so that all that has
// moved since the limit was set is never more than the rate allows, and what moved last.
int64_t rate_limit_pay(rate_limit *l, int64_t bytes, int64_t now_ns);
// So much may be moved before it is paid for: a twentieth of a second's bytes, within the bounds above.
int64_t rate_limit_slice(const rate_limit *l);
// A new rate counts from now on; what was promised before is forgotten.
void    rate_limit_set(rate_limit *l, int64_t bytes_per_s, int64_t now_ns);
