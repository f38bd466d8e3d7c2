#include "rt/scope.h"

#include "rt/fiber_inside.h"

void scope_open(scope *s, int64_t timeout_ns, int fibers_max)
{
    fiber *f = fiber_self();
    must(fibers_max > 0 && f->home->depth < SCOPE_DEPTH_MAX);
    int64_t own = timeout_ns > 0 ? time_after(f->loop->now_ns, timeout_ns) : NEVER_NS;
    *s = (scope){.parent = f->scope, .owner = f, .max = fibers_max, .depth = f->home->depth + 1,
                 .deadline_ns = time_nearest(own, f->deadline_ns), .canceled = f->canceled, .open = true};
    f->scope = s;
    f->deadline_ns = s->deadline_ns;
}

// Whoever was woken because there is room, and does not use it, wakes the next.
static err pass_on(scope *s, err e)
{
    if (e && s->count < s->max)
        gate_wake_one(&s->room);
    return e;
}

static err go(scope *s, const char *label, fiber_body *body, void *arg)
{
    fiber *f = fiber_self();
    if (s->canceled || f->canceled)
        return E_CANCELED;
    return fiber_start(s, label, body, arg, f->world, f->trace);
}

// Between its wake and its turn to run the scope may have been told to close.
static err wait_for_room(scope *s)
{
    s->entering++;
    err e = gate_wait(&s->room, NEVER_NS, "room in a scope");
    if (--s->entering == 0 && s->owner_waits)
        fiber_wake(s->owner);
    return e;
}

err scope_go(scope *s, const char *label, fiber_body *body, void *arg)
{
    must(s->open);
    while (s->count >= s->max) {
        err e = s->canceled ? E_CANCELED : wait_for_room(s);
        if (e)
            return e;
    }
    return pass_on(s, go(s, label, body, arg));
}

err scope_try_go(scope *s, const char *label, fiber_body *body, void *arg)
{
    must(s->open);
    return s->count >= s->max ? E_LIMIT : go(s, label, body, arg);
}

err scope_wait(scope *s)
{
    must(s->open && s->owner == fiber_self());
    err e = E_OK;
    s->owner_waits = true;
    while (s->count && !e)
        e = fiber_park(NEVER_NS, "a scope's fibers");
    s->owner_waits = false;
    return e;
}

// The depth of the recursion is that of fibers within fibers (SCOPE_DEPTH_MAX); the scopes of one fiber stand side by
// side. Nobody runs meanwhile, so the list holds still.
void scope_cancel(scope *s)
{
    must(!s->owner || s->owner->loop == loop_of_thread);
    if (s->canceled || !s->open)
        return;
    s->canceled = true;
    for (fiber *m = s->members; m; m = m->member_next)
        fiber_cancel(m);
    gate_wake_all(&s->room);
}

void scope_at_end(scope *s, scope_end *end, void (*run)(void *arg), void *arg)
{
    must(s->open);
    *end = (scope_end){run, arg, s->ends};
    s->ends = end;
}

static void run_ends(scope *s)
{
    for (scope_end *e; (e = s->ends); ) {
        s->ends = e->next;                       // run may free e
        e->run(e->arg);
    }
}

static void unlink_scope(scope *s)
{
    fiber *f = s->owner;
    scope **at = &f->scope;
    while (*at != s) {
        must(*at != f->home);
        at = &(*at)->parent;
    }
    *at = s->parent;
    f->deadline_ns = f->scope->deadline_ns;
}

void scope_close(scope *s)
{
    if (!s->open)
        return;
    must(s->owner == fiber_self());
    scope_cancel(s);
    s->owner_waits = true;
    while (s->count || s->entering)
        fiber_park_deaf(NEVER_NS, "a scope's closing");
    run_ends(s);
    unlink_scope(s);
    s->open = false;
}
