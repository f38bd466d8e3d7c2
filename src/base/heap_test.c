#include "test.h"

#include "base/heap.h"

enum { NODES = 200, STEPS = 20000 };

// The shadow: a plain array, searched from end to end.
typedef struct {
    int64_t  key;
    uint64_t order;
    bool     inside;
} shadow;

static int shadow_first(const shadow *s)
{
    int first = -1;
    for (int i = 0; i < NODES; i++)
        if (s[i].inside && (first < 0 || s[i].key < s[first].key ||
                            (s[i].key == s[first].key && s[i].order < s[first].order)))
            first = i;
    return first;
}

TEST(heap_agrees_with_a_plain_array)
{
    heap h = heap_make(NODES - 20);
    heap_node nodes[NODES] = {0};
    shadow model[NODES] = {0};
    uint64_t seed = 7, arrivals = 0;
    size_t count = 0;
    for (int step = 0; step < STEPS; step++) {
        size_t i = test_random(&seed) % NODES;
        int64_t key = (int64_t)(test_random(&seed) % 50) - 25;          // many equal keys
        switch (test_random(&seed) % 4) {
        case 0:
        case 1:
            if (model[i].inside)
                break;
            CHECK_ROW(step, heap_add(&h, &nodes[i], key) == (count < NODES - 20));
            if (heap_holds(&nodes[i]))
                model[i] = (shadow){key, arrivals++, true}, count++;
            break;
        case 2:
            heap_remove(&h, &nodes[i]);
            count -= model[i].inside;
            model[i].inside = false;
            break;
        case 3:
            if (model[i].inside) {
                heap_move(&h, &nodes[i], key);
                model[i] = (shadow){key, arrivals++, true};
            }
            break;
        }
        int first = shadow_first(model);
        CHECK_ROW(step, heap_first(&h) == (first < 0 ? NULL : &nodes[first]));
        CHECK_ROW(step, heap_first_key(&h) == (first < 0 ? INT64_MAX : model[first].key));
        CHECK_ROW(step, h.count == count);
    }
    for (int first; (first = shadow_first(model)) >= 0; model[first].inside = false)
        CHECK(heap_take(&h) == &nodes[first]);
    CHECK(heap_take(&h) == NULL);
    heap_free(&h);
}

TEST(heap_equal_keys_leave_in_the_order_they_came)
{
    heap h = heap_make(100);
    heap_node n[100] = {0};
    for (int i = 0; i < 100; i++)
        CHECK(heap_add(&h, &n[i], 5));
    heap_node extra = {0};
    CHECK(!heap_add(&h, &extra, 1));
    CHECK(!heap_holds(&extra));
    for (int i = 0; i < 100; i++)
        CHECK_ROW(i, heap_take(&h) == &n[i]);
    heap_free(&h);
}

TEST(heap_free_lets_nodes_go)
{
    heap h = heap_make(4);
    heap_node n = {0};
    CHECK(heap_add(&h, &n, 1));
    heap_free(&h);
    CHECK(!heap_holds(&n));
    CHECK(heap_add(&h, &n, 2));
    CHECK_INT(heap_first_key(&h), 2);
    heap_free(&h);
}
