#include "base/ring.h"

#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"

enum { RING_CAPACITY_MAX = 1 << 24 };

ring ring_make(size_t capacity, size_t item_bytes)
{
    must(capacity > 0 && capacity <= RING_CAPACITY_MAX && item_bytes > 0);
    size_t cap = 1;
    while (cap < capacity)
        cap *= 2;
    return (ring){.items = memory_zeroed(cap, item_bytes), .item_bytes = item_bytes, .cap = cap};
}

void ring_free(ring *r)
{
    memory_free(r->items);
    *r = (ring){0};
}

static unsigned char *place(const ring *r, uint64_t number)
{
    return r->items + (number & (r->cap - 1)) * r->item_bytes;
}

bool ring_push(ring *r, const void *item)
{
    if (ring_full(r))
        return false;
    memcpy(place(r, r->pushed++), item, r->item_bytes);
    return true;
}

void ring_push_over(ring *r, const void *item)
{
    if (ring_full(r))
        r->popped++;
    must(ring_push(r, item));
}

bool ring_pop(ring *r, void *item)
{
    if (ring_count(r) == 0)
        return false;
    memcpy(item, place(r, r->popped++), r->item_bytes);
    return true;
}

void *ring_at(const ring *r, size_t index) { return index < ring_count(r) ? place(r, r->popped + index) : NULL; }
