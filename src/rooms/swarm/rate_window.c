#include "rooms/swarm/rate_window.h"

#include <string.h>

#define SHORTEST_NS 50000000ll
#define SECOND_NS   1000000000ll

void rate_count(rate_window *w, int64_t bytes, int64_t now_ns)
{
    int64_t slot = now_ns / RATE_SLOT_NS;
    if (!w->began_ns) {
        w->began_ns = now_ns > 0 ? now_ns : 1;
        w->newest = slot;
    }
    if (slot - w->newest >= RATE_SLOTS) {
        memset(w->slots, 0, sizeof w->slots);
        w->newest = slot;
    }
    while (w->newest < slot)
        w->slots[++w->newest % RATE_SLOTS] = 0;
    uint32_t *at = &w->slots[w->newest % RATE_SLOTS];
    *at = bytes > UINT32_MAX - *at ? UINT32_MAX : *at + (uint32_t)bytes;
}

int64_t rate_now(const rate_window *w, int64_t span_ns, int64_t now_ns)
{
    if (!w->began_ns)
        return 0;
    int64_t first = (now_ns - span_ns) / RATE_SLOT_NS + 1, last = now_ns / RATE_SLOT_NS, sum = 0;
    if (first <= last - RATE_SLOTS)
        first = last - RATE_SLOTS + 1;
    int64_t counted = w->began_ns / RATE_SLOT_NS, oldest = w->newest - RATE_SLOTS + 1;       // nothing is in slots before these
    int64_t from = first > counted ? first : counted;
    for (int64_t i = from > oldest ? from : oldest; i <= last && i <= w->newest; i++)
        sum += w->slots[i % RATE_SLOTS];
    int64_t first_ns = first * RATE_SLOT_NS, elapsed = now_ns - (w->began_ns > first_ns ? w->began_ns : first_ns);
    if (elapsed < SHORTEST_NS)
        elapsed = SHORTEST_NS;
    return sum <= INT64_MAX / SECOND_NS ? sum * SECOND_NS / elapsed : sum / (elapsed / SECOND_NS + 1);
}
