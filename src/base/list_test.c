#include "test.h"

#include "base/list.h"

typedef struct {
    int       number;
    list_link link;
} thing;

static int number_of(list_link *k) { return k ? LIST_OF(k, thing, link)->number : -1; }

// The numbers in order as text, read once forward and once backward; "differ" when the two disagree.
static str order(arena *msg, const list *l)
{
    str forward = S(""), backward = S("");
    for (list_link *k = list_first(l); k; k = list_next(l, k))
        forward = str_format(msg, STR_FMT "%d", STR_ARG(forward), number_of(k));
    for (list_link *k = list_last(l); k; k = list_prev(l, k))
        backward = str_format(msg, "%d" STR_FMT, number_of(k), STR_ARG(backward));
    return str_eq(forward, backward) ? forward : S("differ");
}

TEST(list_keeps_order_both_ways)
{
    arena msg = arena_make(1 << 16);
    thing t[6] = {{.number = 0}, {.number = 1}, {.number = 2}, {.number = 3}, {.number = 4}, {.number = 5}};
    list l;
    list_init(&l);
    CHECK(list_empty(&l));
    CHECK(!list_first(&l) && !list_last(&l) && !list_take(&l));
    list_append(&l, &t[1].link);
    list_append(&l, &t[2].link);
    list_prepend(&l, &t[0].link);
    list_append(&l, &t[4].link);
    list_insert_after(&t[2].link, &t[3].link);
    CHECK_STR(order(&msg, &l), S("01234"));
    list_remove(&t[2].link);
    list_remove(&t[2].link);                    // a second time: nothing
    CHECK(!list_linked(&t[2].link));
    CHECK_STR(order(&msg, &l), S("0134"));
    CHECK_INT(number_of(list_take(&l)), 0);
    list_remove(&t[4].link);
    CHECK_STR(order(&msg, &l), S("13"));
    list_append(&l, &t[5].link);
    list_append(&l, &t[0].link);
    CHECK_STR(order(&msg, &l), S("1350"));
    while (list_take(&l))
        continue;
    CHECK(list_empty(&l));
    arena_free(&msg);
}
