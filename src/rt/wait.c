#include "rt/wait.h"

#include "rt/fiber_inside.h"

static void gate_leave(fiber *f)
{
    gate *g = f->gate;
    if (!g)
        return;
    *(f->gate_prev ? &f->gate_prev->gate_next : &g->first) = f->gate_next;
    *(f->gate_next ? &f->gate_next->gate_prev : &g->last) = f->gate_prev;
    f->gate = NULL;
    f->gate_prev = f->gate_next = NULL;
}

static fiber *gate_join(gate *g)
{
    fiber *f = fiber_self();
    must(!f->gate);
    f->gate = g;
    f->gate_prev = g->last;
    *(g->last ? &g->last->gate_next : &g->first) = f;
    return g->last = f;
}

// A permit from elsewhere may end a park early; only who was taken out of the gate was woken by it.
err gate_wait(gate *g, int64_t until_ns, const char *why)
{
    fiber *f = gate_join(g);
    err e = E_OK;
    while (!e && f->gate)
        e = fiber_park(until_ns, why);
    if (!f->gate)
        return E_OK;
    gate_leave(f);
    return e;
}

void gate_wait_uncanceled(gate *g, const char *why)
{
    fiber *f = gate_join(g);
    while (f->gate)
        fiber_park_uncanceled(why);
}

bool gate_wake_one(gate *g)
{
    for (fiber *f = g->first; f; f = f->gate_next) {
        if (f->state != FIBER_PARKED && f->result != E_OK)
            continue;                            // on its way out with E_TIMEOUT or E_CANCELED: the wake is for the next
        gate_leave(f);
        if (f->state == FIBER_PARKED)
            fiber_end_park(f, E_OK);
        return true;
    }
    return false;
}

void gate_wake_all(gate *g)
{
    while (gate_wake_one(g))
        ;
}

// ---- turns and slots: what is given back goes straight to who waits longest -----------------------------------------------

err turn_take(turn *t, int64_t until_ns)
{
    if (t->taken)
        return gate_wait(&t->waiting, until_ns, "its turn");
    t->taken = true;
    return E_OK;
}

void turn_give(turn *t)
{
    must(t->taken);
    t->taken = gate_wake_one(&t->waiting);
}

bool slots_try(slots *s)
{
    if (s->free <= 0)
        return false;
    s->free--;
    return true;
}

err slots_take(slots *s, int64_t until_ns)
{
    return slots_try(s) ? E_OK : gate_wait(&s->waiting, until_ns, "a slot");
}

void slots_give(slots *s)
{
    if (!gate_wake_one(&s->waiting))
        s->free++;
}

// ---- channels -------------------------------------------------------------------------------------------------------------

channel channel_over(void **items, int size)
{
    must(size > 0);
    return (channel){.items = items, .size = size};
}

bool channel_try_send(channel *c, void *item)
{
    if (c->closed || c->count == c->size)
        return false;
    c->items[(c->first + c->count++) % c->size] = item;
    gate_wake_one(&c->receivers);
    return true;
}

err channel_send(channel *c, void *item, int64_t until_ns)
{
    while (!channel_try_send(c, item)) {
        err e = c->closed ? E_EOF : gate_wait(&c->senders, until_ns, "room in a channel");
        if (e)
            return e;
    }
    return E_OK;
}

err channel_receive(channel *c, void **item, int64_t until_ns)
{
    while (!c->count) {
        err e = c->closed ? E_EOF : gate_wait(&c->receivers, until_ns, "a channel");
        if (e)
            return e;
    }
    *item = c->items[c->first];
    c->first = (c->first + 1) % c->size;
    c->count--;
    gate_wake_one(&c->senders);
    return E_OK;
}

void channel_close(channel *c)
{
    c->closed = true;
    gate_wake_all(&c->senders);
    gate_wake_all(&c->receivers);
}
