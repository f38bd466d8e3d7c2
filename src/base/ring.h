// A ring of equal items with a fixed capacity: first in, first out. For channels (push fails when full) and for
// histories (push_over forgets the oldest).
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    unsigned char *items;
    size_t         item_bytes, cap;         // cap is a power of two
    uint64_t       pushed, popped;          // ever; pushed - popped are inside
} ring;

ring   ring_make(size_t capacity, size_t item_bytes);       // allocates now; capacity is rounded up to a power of two
void   ring_free(ring *r);
bool   ring_push(ring *r, const void *item);                // copies the item in; false when full
void   ring_push_over(ring *r, const void *item);           // when full the oldest is lost
bool   ring_pop(ring *r, void *item);                       // copies the oldest out; false when empty
void  *ring_at(const ring *r, size_t index);                // 0: the oldest; NULL past the newest; valid until the next push
static inline size_t ring_count(const ring *r) { return (size_t)(r->pushed - r->popped); }
static inline bool   ring_full(const ring *r) { return ring_count(r) == r->cap; }
