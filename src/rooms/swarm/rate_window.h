// How many bytes a second have moved lately: counted in slots of half a second. Pure; integers only.
#pragma once
#include <stdint.h>

enum { RATE_SLOTS = 40 };                        // 20 seconds
#define RATE_SLOT_NS 500000000ll

typedef struct {
    uint32_t slots[RATE_SLOTS];                  // bytes, at most 4 GiB each
    int64_t  newest;                             // number of the newest slot since time 0
    int64_t  began_ns;                           // of counting; 0: nothing was counted yet
} rate_window;

void    rate_count(rate_window *w, int64_t bytes, int64_t now_ns);
// Bytes a second over the last `span_ns` (at most 20 s), or since counting began when that is shorter (but 50 ms at least).
int64_t rate_now(const rate_window *w, int64_t span_ns, int64_t now_ns);
