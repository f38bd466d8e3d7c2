// A binary heap of things that know their place in it: the smallest key comes first, equal keys in the order in
// which they were added (so that a run repeats). Made for timers: add, move and remove are O(log n).
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint32_t id;            // its number in the heap; 0: in no heap (a zeroed node is ready for use)
} heap_node;

typedef struct {
    int64_t    key;         // for timers: nanoseconds
    uint64_t   order;       // of arrival, decides between equal keys
    heap_node *node;
    uint32_t   id;          // the node's: who moves in the heap is noted by number, and not looked at
} heap_slot;

typedef struct {
    heap_slot *slots;       // slots[1..count]
    uint32_t  *places;      // of each id, 1-based
    uint32_t  *free_ids;    // a stack of cap - count of them
    size_t     count, cap, max;
    uint64_t   arrivals;
} heap;

heap       heap_make(size_t max);                                   // at most `max` nodes; allocates nothing yet
void       heap_free(heap *h);                                      // forgets all nodes; may be used again
bool       heap_add(heap *h, heap_node *node, int64_t key);         // false at the ceiling; node is in no heap before
heap_node *heap_first(const heap *h);                               // the smallest, stays in; NULL when empty
int64_t    heap_first_key(const heap *h);                           // INT64_MAX when empty
heap_node *heap_take(heap *h);                                      // removes and returns the smallest; NULL when empty
void       heap_remove(heap *h, heap_node *node);                   // nothing happens when it is in no heap
void       heap_move(heap *h, heap_node *node, int64_t key);        // a new key; behind those that have it already
int64_t    heap_key(const heap *h, const heap_node *node);          // of one that it holds
static inline bool heap_holds(const heap_node *n) { return n->id != 0; }
