#include "rt/fiber.h"

#include "rt/fiber_inside.h"

_Thread_local loop *loop_of_thread;
_Thread_local worker_place worker_here;

bool fiber_running(void) { return loop_of_thread && loop_of_thread->running; }

fiber *fiber_self(void)
{
    must(fiber_running());
    return loop_of_thread->running;
}

world *world_here(void)
{
    loop *l = loop_of_thread;
    return !l ? worker_here.world : l->running ? l->running->world : l->world;
}

void     fiber_world(world *w) { fiber_self()->world = w; }
void     fiber_label(const char *what) { fiber_self()->label = what; }
uint64_t fiber_trace(void) { return fiber_running() ? fiber_self()->trace : worker_here.trace; }
void     fiber_set_trace(uint64_t trace) { fiber_self()->trace = trace; }
bool     fiber_canceled(void) { return fiber_running() && fiber_self()->canceled; }
int64_t  fiber_deadline_ns(void) { return fiber_self()->deadline_ns; }

int64_t time_after(int64_t now_ns, int64_t ns)
{
    int64_t sum;
    return ns <= 0 ? now_ns : __builtin_add_overflow(now_ns, ns, &sum) ? INT64_MAX : sum;
}

// ---- parking and waking ---------------------------------------------------------------------------------------------------

// Timers are lazy: one that stands earlier than needed stays there, fires, and is moved then. A conversation that renews
// a far deadline with every line touches the heap once in that time.
static void timer_set(fiber *f)
{
    heap *timers = &f->loop->timers;
    if (heap_holds(&f->timer) && f->timer_ns <= f->until_ns)
        return;
    f->timer_ns = f->until_ns;
    if (heap_holds(&f->timer))
        heap_move(timers, &f->timer, f->timer_ns);
    else
        must(heap_add(timers, &f->timer, f->timer_ns));
}

void fiber_timer_fired(fiber *f)
{
    if (f->state != FIBER_PARKED || f->until_ns == NEVER_NS)
        return;
    if (f->until_ns > f->loop->now_ns)
        timer_set(f);
    else
        fiber_end_park(f, E_TIMEOUT);
}

static err park(fiber *f, int64_t until_ns, bool deaf, const char *why)
{
    loop *l = f->loop;
    must(!l->in_work);                           // work() may block, but not park
    if (f->permit) {
        f->permit = false;
        return E_OK;
    }
    if (until_ns != NEVER_NS && until_ns <= l->now_ns)
        return E_TIMEOUT;
    f->until_ns = until_ns;
    f->deaf = deaf;
    f->why = why;
    f->since_ns = l->now_ns;
    f->state = FIBER_PARKED;
    if (until_ns != NEVER_NS)
        timer_set(f);
    loop_next(l, f);
    f->why = "";
    return f->result;
}

err fiber_park(int64_t until_ns, const char *why)
{
    fiber *f = fiber_self();
    if (f->canceled)
        return E_CANCELED;                       // a permit stays: a park that is deaf may wait for it
    return park(f, time_nearest(until_ns, f->deadline_ns), false, why);
}

void fiber_park_uncanceled(const char *why) { park(fiber_self(), NEVER_NS, true, why); }
err  fiber_park_deaf(int64_t until_ns, const char *why) { return park(fiber_self(), until_ns, true, why); }

void fiber_end_park(fiber *f, err result)
{
    must(f->state == FIBER_PARKED);
    f->result = result;
    loop_ready(f->loop, f);
}

void fiber_wake(fiber *f)
{
    must(f->loop == loop_of_thread);             // from another thread: loop_post
    if (f->state == FIBER_PARKED)
        fiber_end_park(f, E_OK);
    else
        f->permit = true;
}

void fiber_interrupt(fiber *f, err result)
{
    if (f->state == FIBER_PARKED)
        fiber_end_park(f, result);
    else
        f->result = result;
}

void fiber_cancel(fiber *f)
{
    f->canceled = true;
    for (scope *s = f->scope; s != f->home; s = s->parent)
        scope_cancel(s);
    if (f->state == FIBER_PARKED && !f->deaf)
        fiber_end_park(f, E_CANCELED);
}

void fiber_yield(void)
{
    fiber *f = fiber_self();
    must(!f->loop->in_work);
    loop_ready(f->loop, f);
    loop_next(f->loop, f);
}

err fiber_sleep(int64_t ns)
{
    loop *l = fiber_self()->loop;
    int64_t until = time_after(l->driver->now_ns(l->driver->self), ns);     // not the round's time: that may be past
    if (ns <= 0)
        fiber_yield();
    for (;;) {
        if (fiber_canceled())
            return E_CANCELED;
        if (l->now_ns >= until)
            return E_OK;
        err e = fiber_park(until, "sleep");
        if (e == E_CANCELED || (e == E_TIMEOUT && l->now_ns < until))
            return e;                            // the ambient deadline came first
    }
}

// ---- beginning and ending -------------------------------------------------------------------------------------------------

static void member_leave(fiber *f)
{
    scope *s = f->home;
    *(f->member_prev ? &f->member_prev->member_next : &s->members) = f->member_next;
    if (f->member_next)
        f->member_next->member_prev = f->member_prev;
    s->count--;
    gate_wake_one(&s->room);
    if (s->count == 0 && s->owner_waits)
        fiber_wake(s->owner);
}

static void fiber_main(void *arg)
{
    fiber *f = arg;
    loop *l = f->loop;
    context_arrived();
    f->body(f->arg);
    must(f->scope == f->home);                   // a scope that was opened was not closed
    heap_remove(&l->timers, &f->timer);
    if (l->trim_next == &f->all)
        l->trim_next = list_next(&l->all, &f->all);
    list_remove(&f->all);
    member_leave(f);
    l->fiber_count--;
    l->ended = f;                                // the scheduler gives the stack back
    l->running = NULL;
    context_leave(&f->context, &l->main);
}

static void member_join(fiber *f, scope *s)
{
    f->home = f->scope = s;
    f->deadline_ns = s->deadline_ns;
    f->canceled = s->canceled;
    f->member_next = s->members;
    if (s->members)
        s->members->member_prev = f;
    s->members = f;
    s->count++;
}

err fiber_start(scope *s, const char *label, fiber_body *body, void *arg, world *w, uint64_t trace)
{
    loop *l = loop_of_thread;
    stack *k = stack_take(&l->stacks);
    if (!k)
        return E_LIMIT;
    fiber *f = (fiber *)((uintptr_t)((unsigned char *)k - sizeof(fiber)) & ~(uintptr_t)15);
    *f = (fiber){.loop = l, .stack = k, .label = label, .why = "", .body = body, .arg = arg, .world = w, .trace = trace,
                 .since_ns = l->now_ns};
    unsigned char *low = stack_low(k);
    context_make(&f->context, low, (size_t)((unsigned char *)f - low), fiber_main, f);
    member_join(f, s);
    list_append(&l->all, &f->all);
    l->fiber_count++;
    loop_ready(l, f);
    return E_OK;
}
