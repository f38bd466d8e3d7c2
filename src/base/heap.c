#include "base/heap.h"

#include "base/heap_memory.h"
#include "base/must.h"

enum { HEAP_FIRST_SLOTS = 64 };

heap heap_make(size_t max) { return (heap){.max = max}; }

void heap_free(heap *h)
{
    for (size_t i = 1; i <= h->count; i++)
        h->slots[i].node->id = 0;
    memory_free(h->slots);
    memory_free(h->places);
    memory_free(h->free_ids);
    *h = heap_make(h->max);
}

static bool before(heap_slot a, heap_slot b) { return a.key != b.key ? a.key < b.key : a.order < b.order; }

static void settle(heap *h, size_t place, heap_slot slot)
{
    h->slots[place] = slot;
    h->places[slot.id] = (uint32_t)place;
}

static void rise(heap *h, size_t place, heap_slot slot)
{
    while (place > 1 && before(slot, h->slots[place / 2])) {
        settle(h, place, h->slots[place / 2]);
        place /= 2;
    }
    settle(h, place, slot);
}

static void sink(heap *h, size_t place, heap_slot slot)
{
    for (size_t child; (child = place * 2) <= h->count; place = child) {
        if (child < h->count && before(h->slots[child + 1], h->slots[child]))
            child++;
        if (!before(h->slots[child], slot))
            break;
        settle(h, place, h->slots[child]);
    }
    settle(h, place, slot);
}

// Slots and ids are numbered from 1 on. Of the ids those that are free stand in free_ids[0 .. cap - count), the next one last.
static void grow(heap *h)
{
    size_t cap = h->cap ? h->cap * 2 : HEAP_FIRST_SLOTS;
    must(cap <= UINT32_MAX);
    h->slots = memory_resize(h->slots, (cap + 1) * sizeof *h->slots);
    h->places = memory_resize(h->places, (cap + 1) * sizeof *h->places);
    h->free_ids = memory_resize(h->free_ids, cap * sizeof *h->free_ids);
    for (size_t i = 0; i < cap - h->cap; i++)
        h->free_ids[i] = (uint32_t)(cap - i);
    h->cap = cap;
}

bool heap_add(heap *h, heap_node *node, int64_t key)
{
    must(!heap_holds(node));
    if (h->count >= h->max)
        return false;
    if (h->count == h->cap)
        grow(h);
    node->id = h->free_ids[h->cap - ++h->count];
    rise(h, h->count, (heap_slot){key, h->arrivals++, node, node->id});
    return true;
}

heap_node *heap_first(const heap *h) { return h->count ? h->slots[1].node : NULL; }
int64_t    heap_first_key(const heap *h) { return h->count ? h->slots[1].key : INT64_MAX; }

void heap_remove(heap *h, heap_node *node)
{
    if (!node->id)
        return;
    size_t place = h->places[node->id];
    must(place <= h->count && h->slots[place].node == node);
    h->free_ids[h->cap - h->count] = node->id;
    node->id = 0;
    heap_slot last = h->slots[h->count--];
    if (last.node == node)
        return;
    if (place > 1 && before(last, h->slots[place / 2]))
        rise(h, place, last);
    else
        sink(h, place, last);
}

int64_t heap_key(const heap *h, const heap_node *node)
{
    must(heap_holds(node));
    return h->slots[h->places[node->id]].key;
}

heap_node *heap_take(heap *h)
{
    heap_node *node = heap_first(h);
    if (node)
        heap_remove(h, node);
    return node;
}

void heap_move(heap *h, heap_node *node, int64_t key)
{
    must(heap_holds(node));
    heap_remove(h, node);
    must(heap_add(h, node, key));            // there is room: one has just left
}
