#include "base/heap.h"

#include "base/heap_memory.h"
#include "base/must.h"

enum { HEAP_FIRST_SLOTS = 64 };

heap heap_make(size_t max) { return (heap){.max = max}; }

void heap_free(heap *h)
{
    for (size_t i = 1; i <= h->count; i++)
        h->slots[i].node->place = 0;
    memory_free(h->slots);
    *h = heap_make(h->max);
}

static bool before(heap_slot a, heap_slot b) { return a.key != b.key ? a.key < b.key : a.order < b.order; }

static void settle(heap *h, size_t place, heap_slot slot)
{
    h->slots[place] = slot;
    slot.node->place = place;
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

bool heap_add(heap *h, heap_node *node, int64_t key)
{
    must(!heap_holds(node));
    if (h->count >= h->max)
        return false;
    if (h->count + 1 >= h->cap) {
        h->cap = h->cap ? h->cap * 2 : HEAP_FIRST_SLOTS;
        h->slots = memory_resize(h->slots, h->cap * sizeof *h->slots);
    }
    h->count++;
    rise(h, h->count, (heap_slot){key, h->arrivals++, node});
    return true;
}

heap_node *heap_first(const heap *h) { return h->count ? h->slots[1].node : NULL; }
int64_t    heap_first_key(const heap *h) { return h->count ? h->slots[1].key : INT64_MAX; }

void heap_remove(heap *h, heap_node *node)
{
    size_t place = node->place;
    if (!place)
        return;
    must(place <= h->count && h->slots[place].node == node);
    node->place = 0;
    heap_slot last = h->slots[h->count--];
    if (last.node == node)
        return;
    if (place > 1 && before(last, h->slots[place / 2]))
        rise(h, place, last);
    else
        sink(h, place, last);
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
