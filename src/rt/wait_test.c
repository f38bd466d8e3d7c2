#include "fiber_test.h"

#include "base/heap_memory.h"
#include "rt/fiber_inside.h"

typedef struct { gate *g; int64_t until; err e; int *order, *n; int id; } waiter;

static void wait_at_gate(void *arg)
{
    waiter *w = arg;
    w->e = gate_wait(w->g, w->until, "the gate");
    if (w->order)
        w->order[(*w->n)++] = w->id;
}

FIBER_TEST(a_gate_wakes_in_order_of_coming)
{
    enum { N = 5 };
    gate g = {0};
    int order[N], n = 0;
    waiter w[N];
    SCOPE(s, 0, N);
    CHECK(!gate_wake_one(&g));
    for (int i = 0; i < N; i++) {
        w[i] = (waiter){&g, NEVER_NS, E_EOF, order, &n, i};
        scope_go(&s, "waiter", wait_at_gate, &w[i]);
    }
    fiber_yield();
    CHECK(gate_wake_one(&g));
    CHECK(gate_wake_one(&g));
    fiber_yield();
    CHECK_INT(n, 2);
    gate_wake_all(&g);
    scope_wait(&s);
    for (int i = 0; i < N; i++)
        CHECK_ROW(i, order[i] == i && w[i].e == E_OK);
    CHECK(!g.first && !g.last);
}

// The first in line has timed out, or was canceled, in the same round: the wake goes to the second.
FIBER_TEST(a_wake_is_not_given_to_one_who_leaves)
{
    gate g = {0};
    waiter late = {.g = &g, .until = loop_now_ns() + millis(1)}, told = {.g = &g}, good = {.g = &g, .e = E_EOF};
    SCOPE(a, 0, 1);
    SCOPE(b, 0, 1);
    SCOPE(c, 0, 1);
    scope_go(&a, "late", wait_at_gate, &late);
    scope_go(&b, "told", wait_at_gate, &told);
    scope_go(&c, "good", wait_at_gate, &good);
    fiber_yield();
    a.members->loop->now_ns += millis(2);
    fiber_timer_fired(a.members);                // ready with E_TIMEOUT, has not run yet
    scope_cancel(&b);                            // ready with E_CANCELED
    CHECK(gate_wake_one(&g));
    CHECK_INT(scope_wait(&c), E_OK);
    CHECK_INT(good.e, E_OK);
    CHECK_INT(late.e, E_TIMEOUT);
    CHECK_INT(told.e, E_CANCELED);
    CHECK(!gate_wake_one(&g));
}

FIBER_TEST(stray_permits_do_not_open_a_gate)
{
    gate g = {0};
    waiter w = {.g = &g, .e = E_EOF};
    SCOPE(s, 0, 1);
    scope_go(&s, "waiter", wait_at_gate, &w);
    fiber_yield();
    fiber_wake(s.members);
    fiber_yield();
    CHECK_INT(w.e, E_EOF);
    CHECK(gate_wake_one(&g));
    scope_wait(&s);
    CHECK_INT(w.e, E_OK);
}

// ---- turns and slots ------------------------------------------------------------------------------------------------------

typedef struct { turn *t; slots *s; int *inside, *most, rounds; uint64_t seed; int taken, missed; } worker_arg;

static void take_turns(void *arg)
{
    worker_arg *w = arg;
    for (int i = 0; i < w->rounds; i++) {
        int64_t until = test_random(&w->seed) % 3 ? NEVER_NS : loop_now_ns() + (int64_t)(test_random(&w->seed) % 50000);
        err e = w->t ? turn_take(w->t, until) : slots_take(w->s, until);
        if (e) {
            w->missed++;
            continue;
        }
        w->taken++;
        *w->most = ++*w->inside > *w->most ? *w->inside : *w->most;
        if (test_random(&w->seed) % 2)
            fiber_yield();
        else
            fiber_sleep(1000);
        --*w->inside;
        if (w->t)
            turn_give(w->t);
        else
            slots_give(w->s);
    }
}

static int turns_or_slots(turn *t, slots *s)
{
    enum { N = 10 };
    int inside = 0, most = 0, taken = 0;
    worker_arg w[N];
    SCOPE(all, 0, N);
    for (int i = 0; i < N; i++) {
        w[i] = (worker_arg){t, s, &inside, &most, 100, (uint64_t)i, 0, 0};
        scope_go(&all, "worker", take_turns, &w[i]);
    }
    CHECK_INT(scope_wait(&all), E_OK);
    for (int i = 0; i < N; i++) {
        CHECK_ROW(i, w[i].taken + w[i].missed == 100);
        taken += w[i].taken;
    }
    CHECK(taken > N * 50);
    CHECK_INT(inside, 0);
    return most;
}

FIBER_TEST(a_turn_is_one_at_a_time)
{
    turn t = {0};
    CHECK_INT(turns_or_slots(&t, NULL), 1);
    CHECK(!t.taken && !t.waiting.first);
}

FIBER_TEST(slots_are_so_many_at_a_time)
{
    slots s = {.free = 3};
    CHECK_INT(turns_or_slots(NULL, &s), 3);
    CHECK_INT(s.free, 3);
    CHECK(slots_try(&s) && slots_try(&s) && slots_try(&s) && !slots_try(&s));
}

// A turn that was handed over belongs to the new holder even when it is canceled before it runs.
static void hold_turn(void *arg)
{
    turn *t = arg;
    if (turn_take(t, NEVER_NS) == E_OK)
        turn_give(t);
}

FIBER_TEST(a_turn_handed_to_a_canceled_fiber_is_given_back)
{
    turn t = {0};
    turn_take(&t, NEVER_NS);
    SCOPE(s, 0, 1);
    scope_go(&s, "next", hold_turn, &t);
    fiber_yield();
    turn_give(&t);
    scope_cancel(&s);
    scope_wait(&s);
    CHECK(!t.taken);
}

// ---- channels against a shadow --------------------------------------------------------------------------------------------

// Each item is sender * 2^20 + its number. Every receiver must see each sender's numbers ascend; together they see all of
// them once.
enum { SENDERS = 4, RECEIVERS = 3, ITEMS = 2000 };

typedef struct { channel *c; uint64_t seed; intptr_t id, sent; } sender_arg;
typedef struct { channel *c; uint64_t seed; intptr_t last[SENDERS]; int got; unsigned char *seen; err end; } receiver_arg;

static void send_items(void *arg)
{
    sender_arg *a = arg;
    while (a->sent < ITEMS) {
        void *item = (void *)(a->id << 20 | (a->sent + 1));
        int64_t until = test_random(&a->seed) % 4 ? NEVER_NS : loop_now_ns() + 1;
        bool sent = test_random(&a->seed) % 3 ? channel_send(a->c, item, until) == E_OK : channel_try_send(a->c, item);
        a->sent += sent;
        if (!sent || test_random(&a->seed) % 8 == 0)
            fiber_yield();
    }
}

static void receive_items(void *arg)
{
    receiver_arg *a = arg;
    for (void *item; ; ) {
        int64_t until = test_random(&a->seed) % 4 ? NEVER_NS : loop_now_ns() + 1;
        a->end = channel_receive(a->c, &item, until);
        if (a->end == E_TIMEOUT) {
            fiber_yield();
            continue;
        }
        if (a->end)
            return;
        intptr_t sender = (intptr_t)item >> 20, number = (intptr_t)item & 0xfffff;
        CHECK(number > a->last[sender]);
        a->last[sender] = number;
        a->seen[sender * ITEMS + number - 1]++;
        a->got++;
        if (test_random(&a->seed) % 5 == 0)
            fiber_yield();
    }
}

static void channel_shadow(int size, uint64_t seed)
{
    void *items[16];
    channel c = channel_over(items, size);
    sender_arg senders[SENDERS];
    receiver_arg receivers[RECEIVERS];
    unsigned char *seen = memory_zeroed(SENDERS * ITEMS, 1);
    SCOPE(out, 0, RECEIVERS);
    SCOPE(in, 0, SENDERS);
    for (int i = 0; i < RECEIVERS; i++) {
        receivers[i] = (receiver_arg){.c = &c, .seed = seed + 100 + (uint64_t)i, .seen = seen};
        scope_go(&out, "receiver", receive_items, &receivers[i]);
    }
    for (int i = 0; i < SENDERS; i++) {
        senders[i] = (sender_arg){&c, seed + (uint64_t)i, i, 0};
        scope_go(&in, "sender", send_items, &senders[i]);
    }
    CHECK_INT(scope_wait(&in), E_OK);
    channel_close(&c);
    CHECK_INT(scope_wait(&out), E_OK);
    int got = 0;
    for (int i = 0; i < RECEIVERS; i++) {
        got += receivers[i].got;
        CHECK_ROW(i, receivers[i].end == E_EOF);
    }
    CHECK_INT(got, SENDERS * ITEMS);
    for (int i = 0; i < SENDERS * ITEMS; i++)
        CHECK_ROW(i, seen[i] == 1);
    memory_free(seen);
}

FIBER_TEST(channels_lose_and_double_nothing)
{
    static const int sizes[] = {1, 2, 7, 16};
    for (int i = 0; i < 4; i++)
        channel_shadow(sizes[i], (uint64_t)(i * 1000 + 1));
}

static void send_one(void *arg) { CHECK_INT(channel_send(arg, arg, NEVER_NS), E_EOF); }

FIBER_TEST(closing_a_channel_wakes_senders_and_leaves_what_is_inside)
{
    void *items[1], *item = NULL;
    channel c = channel_over(items, 1);
    SCOPE(s, 0, 2);
    CHECK_INT(channel_send(&c, &c, NEVER_NS), E_OK);
    CHECK(!channel_try_send(&c, &c));
    CHECK_INT(channel_send(&c, &c, loop_now_ns() + millis(1)), E_TIMEOUT);
    scope_go(&s, "sender", send_one, &c);
    scope_go(&s, "sender", send_one, &c);
    fiber_yield();
    channel_close(&c);
    scope_wait(&s);
    CHECK_INT(channel_receive(&c, &item, NEVER_NS), E_OK);
    CHECK(item == &c);
    CHECK_INT(channel_receive(&c, &item, NEVER_NS), E_EOF);
    CHECK(!channel_try_send(&c, &c));
}

static void receive_canceled(void *arg)
{
    void *item;
    CHECK_INT(channel_receive(arg, &item, NEVER_NS), E_CANCELED);
}

FIBER_TEST(cancelling_ends_a_wait_at_a_channel)
{
    void *items[1];
    channel c = channel_over(items, 1);
    SCOPE(s, 0, 1);
    scope_go(&s, "receiver", receive_canceled, &c);
    fiber_yield();
    scope_close(&s);
    CHECK(!c.receivers.first);
}
