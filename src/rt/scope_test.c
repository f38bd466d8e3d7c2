#include "fiber_test.h"

#include "rt/fiber_inside.h"

static void park_for_ever(void *arg)
{
    int *ended = arg;
    CHECK_INT(fiber_park(NEVER_NS, "for ever"), E_CANCELED);
    ++*ended;
}

static void nothing(void *arg) { (void)arg; }

FIBER_TEST(closing_a_scope_of_a_thousand_ends_all)
{
    int ended = 0;
    scope s;
    scope_open(&s, 0, 1000);
    for (int i = 0; i < 1000; i++)
        CHECK_ROW(i, scope_go(&s, "member", park_for_ever, &ended) == E_OK);
    CHECK_INT(s.count, 1000);
    CHECK_INT(scope_try_go(&s, "one too many", park_for_ever, &ended), E_LIMIT);
    fiber_yield();
    scope_close(&s);
    CHECK_INT(ended, 1000);
    CHECK_INT(s.count, 0);
    scope_close(&s);                             // idempotent
    CHECK_INT(fiber_limits_now().fibers, 1);
}

static void use_macro(int *ended)
{
    SCOPE(s, 0, 5);
    for (int i = 0; i < 5; i++)
        scope_go(&s, "member", park_for_ever, ended);
    // Members that have not even begun are told as well.
}

FIBER_TEST(a_scope_closes_on_the_way_out)
{
    int ended = 0;
    use_macro(&ended);
    CHECK_INT(ended, 5);
}

// ---- nesting --------------------------------------------------------------------------------------------------------------

typedef struct { int level, *ended; err waited; } nest;

static void nest_deeper(void *arg)
{
    nest *n = arg, below = {n->level - 1, n->ended, E_OK};
    SCOPE(s, 0, 1);
    if (n->level > 0)
        scope_go(&s, "deeper", nest_deeper, &below);
    else
        scope_go(&s, "deepest", park_for_ever, n->ended);
    n->waited = scope_wait(&s);
    if (n->level > 0)
        CHECK_INT(below.waited, E_CANCELED);
}

FIBER_TEST(cancelling_reaches_scopes_within_scopes)
{
    int ended = 0;
    nest n = {20, &ended, E_OK};
    SCOPE(s, 0, 1);
    scope_go(&s, "nest", nest_deeper, &n);
    fiber_sleep(millis(1));
    scope_cancel(&s);
    CHECK_INT(scope_wait(&s), E_OK);
    CHECK_INT(n.waited, E_CANCELED);
    CHECK_INT(ended, 1);
}

typedef struct { int64_t deadline; err e; } deadline_arg;

static void see_deadline(void *arg)
{
    deadline_arg *d = arg;
    d->deadline = fiber_deadline_ns();
    SCOPE(inner, seconds(100), 1);               // cannot reach further than the outer one
    CHECK_INT(fiber_deadline_ns(), d->deadline);
    d->e = fiber_park(NEVER_NS, "the deadline");
}

FIBER_TEST(members_inherit_the_nearest_deadline)
{
    deadline_arg d = {0};
    int64_t start = loop_now_ns();
    SCOPE(s, millis(3), 1);
    scope_go(&s, "member", see_deadline, &d);
    CHECK_INT(scope_wait(&s), E_TIMEOUT);
    scope_close(&s);
    CHECK_INT(d.deadline, start + millis(3));
    CHECK_INT(d.e, E_TIMEOUT);
}

FIBER_TEST(scopes_may_close_in_any_order)
{
    int ended = 0;
    scope a, b, c;
    scope_open(&a, seconds(5), 1);
    scope_open(&b, seconds(3), 1);
    scope_open(&c, seconds(4), 1);
    scope_go(&b, "b", park_for_ever, &ended);
    scope_close(&b);
    CHECK_INT(ended, 1);
    scope_close(&a);
    CHECK(fiber_deadline_ns() != NEVER_NS);
    scope_close(&c);
    CHECK_INT(fiber_deadline_ns(), NEVER_NS);
}

// ---- every way to wait ----------------------------------------------------------------------------------------------------

// What all of them wait at: nothing here ever comes.
typedef struct { gate g; turn t; slots s; channel full, empty; scope *crowded; sock *quiet; } places;
typedef struct { const char *name; err (*wait)(places *); } way;

static err by_park(places *p) { (void)p; return fiber_park(NEVER_NS, "for ever"); }
static err by_sleep(places *p) { (void)p; return fiber_sleep(seconds(1000)); }
static err by_gate(places *p) { return gate_wait(&p->g, NEVER_NS, "a gate"); }
static err by_turn(places *p) { return turn_take(&p->t, NEVER_NS); }
static err by_slots(places *p) { return slots_take(&p->s, NEVER_NS); }
static err by_send(places *p) { return channel_send(&p->full, p, NEVER_NS); }
static err by_receive(places *p) { void *item; return channel_receive(&p->empty, &item, NEVER_NS); }
static err by_go(places *p) { return scope_go(p->crowded, "no room", nothing, NULL); }
static err by_sock(places *p) { return sock_wait(p->quiet, WAIT_READ, NEVER_NS); }

static void park_once(void *unused) { (void)unused, (void)fiber_park(NEVER_NS, "for ever"); }

static err by_scope(places *p)
{
    (void)p;
    SCOPE(s, 0, 1);
    err e = scope_go(&s, "member", park_once, NULL);
    return e ? e : scope_wait(&s);
}

static const way ways[] = {
    {"park", by_park}, {"sleep", by_sleep}, {"gate", by_gate}, {"turn", by_turn}, {"slots", by_slots}, {"send", by_send},
    {"receive", by_receive}, {"scope_go", by_go}, {"sock", by_sock}, {"scope_wait", by_scope},
};

typedef struct { const way *w; places *p; err first, second; } tried;

static void try_twice(void *arg)
{
    tried *t = arg;
    t->first = t->w->wait(t->p);
    t->second = t->w->wait(t->p);                // the reason is still there: no wait at all
}

static void every_way(int64_t timeout_ns, err expected)
{
    void *items[1];
    int ended = 0;
    SCOPE(crowded, 0, 1);
    places p = {.t = {.taken = true}, .full = channel_over(items, 1), .empty = channel_over(items, 1), .crowded = &crowded};
    p.full.count = 1;
    CHECK_INT(sock_listen(world_here(), addr_v4(0x7f000001, 0), (listen_options){0}, &p.quiet), E_OK);
    scope_go(&crowded, "the crowd", park_for_ever, &ended);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        tried t = {&ways[i], &p, E_OK, E_OK};
        scope s;
        scope_open(&s, timeout_ns, 1);
        scope_go(&s, ways[i].name, try_twice, &t);
        fiber_yield();
        if (expected == E_CANCELED)
            scope_cancel(&s);
        else
            scope_wait(&s);
        scope_close(&s);
        // After a deadline the scope's closing may have come as well before the second wait.
        CHECK_ROW(i, t.first == expected && (t.second == expected || t.second == E_CANCELED));
    }
    CHECK(!p.g.first && !p.t.waiting.first && !p.s.waiting.first && !p.full.senders.first && !p.empty.receivers.first &&
          !crowded.room.first && !p.quiet->reader);
    sock_close(p.quiet);
}

FIBER_TEST(cancelling_ends_every_way_to_wait) { every_way(0, E_CANCELED); }
FIBER_TEST(the_ambient_deadline_ends_every_way_to_wait) { every_way(millis(2), E_TIMEOUT); }

// ---- room -----------------------------------------------------------------------------------------------------------------

typedef struct { int now, most, done; } crowd;

static void be_there(void *arg)
{
    crowd *c = arg;
    c->most = ++c->now > c->most ? c->now : c->most;
    fiber_yield();
    fiber_yield();
    c->now--;
    c->done++;
}

FIBER_TEST(scope_go_waits_for_room)
{
    crowd c = {0};
    SCOPE(s, 0, 3);
    for (int i = 0; i < 50; i++)
        CHECK_INT(scope_go(&s, "one of a crowd", be_there, &c), E_OK);
    CHECK_INT(scope_wait(&s), E_OK);
    CHECK_INT(c.most, 3);
    CHECK_INT(c.done, 50);
}

typedef struct { scope *into; err e; int ended; } starter;

static void start_one(void *arg)
{
    starter *st = arg;
    st->e = scope_go(st->into, "started", park_for_ever, &st->ended);
}

FIBER_TEST(waiting_for_room_ends_when_either_side_is_canceled)
{
    int ended = 0;
    starter a = {0}, b = {0};
    SCOPE(full, 0, 1);
    scope_go(&full, "occupant", park_for_ever, &ended);
    a.into = b.into = &full;
    SCOPE(others, 0, 2);
    SCOPE(another, 0, 1);
    scope_go(&others, "a", start_one, &a);
    scope_go(&another, "b", start_one, &b);
    fiber_yield();
    scope_cancel(&others);                       // a gives up, b still waits
    scope_wait(&others);
    CHECK_INT(a.e, E_CANCELED);
    CHECK_INT(another.count, 1);
    scope_cancel(&full);                         // nobody will find room there
    scope_wait(&another);
    CHECK_INT(b.e, E_CANCELED);
    scope_wait(&full);
    CHECK_INT(ended, 1);
}

static void start_and_remember(void *arg)
{
    starter *st = arg;
    st->e = scope_go(st->into, "started", nothing, NULL);
}

// Room that goes to a waiter which cannot use it any more must go to the next one.
FIBER_TEST(room_is_passed_on)
{
    crowd c = {0};
    starter a = {0}, b = {0};
    SCOPE(full, 0, 1);
    a.into = b.into = &full;
    scope_go(&full, "occupant", be_there, &c);
    SCOPE(others, 0, 2);
    SCOPE(another, 0, 1);
    scope_go(&others, "a", start_and_remember, &a);
    scope_go(&another, "b", start_and_remember, &b);
    while (!c.done)
        fiber_yield();                           // the occupant has just gone: a is woken
    scope_cancel(&others);
    CHECK_INT(scope_wait(&another), E_OK);
    CHECK_INT(b.e, E_OK);
}

static void close_crowded(crowd *c, starter *st, scope *others)
{
    scope s;
    scope_open(&s, 0, 1);
    st->into = &s;
    scope_go(&s, "occupant", be_there, c);
    scope_go(others, "waits for room", start_and_remember, st);
    fiber_yield();
    fiber_yield();
    while (s.count)
        fiber_yield();                           // the occupant has gone; who waits was woken and has not run yet
    CHECK_INT(s.entering, 1);
    scope_close(&s);
    memset(&s, 0xff, sizeof s);                  // nobody looks at it any more
}

FIBER_TEST(closing_waits_for_who_was_about_to_enter)
{
    crowd c = {0};
    starter st = {.e = E_EOF};
    SCOPE(others, 0, 1);
    close_crowded(&c, &st, &others);
    CHECK_INT(scope_wait(&others), E_OK);
    CHECK_INT(st.e, E_CANCELED);
}

FIBER_TEST(a_canceled_fiber_starts_nothing)
{
    starter a = {0};
    SCOPE(outer, 0, 2);
    SCOPE(inner, 0, 1);
    a.into = &outer;
    scope_go(&inner, "a", start_one, &a);
    scope_cancel(&inner);
    scope_wait(&inner);
    CHECK_INT(a.e, E_CANCELED);
    CHECK_INT(outer.count, 0);
}

FIBER_TEST(fibers_of_a_machine_are_canceled_together)
{
    int ended = 0;
    world *host = world_linux_new(S("host"), NULL, 0), *here = world_here();
    SCOPE(s, 0, 10);
    fiber_world(host);
    for (int i = 0; i < 5; i++)
        scope_go(&s, "on the host", park_for_ever, &ended);
    fiber_world(here);
    CHECK_INT(fibers_on(host), 5);
    fibers_cancel_on(host);
    scope_wait(&s);
    CHECK_INT(ended, 5);
    CHECK_INT(fibers_on(host), 0);
    CHECK(!s.canceled && !fiber_canceled());
    scope_close(&s);
    world_linux_free(host);
}
