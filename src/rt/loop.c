#include "rt/loop.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/heap_memory.h"
#include "rt/fiber_inside.h"

loop   *loop_here(void) { return loop_of_thread; }

int64_t loop_now_ns(void)
{
    must(loop_of_thread);
    return loop_of_thread->now_ns;
}

// ---- the run queue --------------------------------------------------------------------------------------------------------

// The frames that it will return through are fetched into the cache while others run: of many fibers none is there.
static void stack_near(const fiber *f)
{
    enum { NEAR_BYTES = 768, LINE_BYTES = 64 };
    const char *sp = context_sp(&f->context);
    for (int i = 0; sp && i < NEAR_BYTES; i += LINE_BYTES)
        __builtin_prefetch(sp + i);
}

void loop_ready(loop *l, fiber *f)
{
    stack_near(f);
    f->state = FIBER_READY;
    f->ready_next = NULL;
    if (l->ready_first)
        l->ready_last->ready_next = f;
    else
        l->ready_first = f;
    l->ready_last = f;
}

static fiber *ready_take(loop *l)
{
    fiber *f = l->ready_first;
    l->ready_first = f->ready_next;
    f->state = FIBER_RUNNING;
    f->trimmed = false;
    return l->running = f;
}

// From fiber to fiber without the scheduler in between, as long as somebody is ready and the budget lasts.
void loop_next(loop *l, fiber *f)
{
    if (l->ready_first && l->budget-- > 0) {
        fiber *next = ready_take(l);
        if (next != f)
            context_switch(&f->context, &next->context);
        return;
    }
    l->running = NULL;
    context_switch(&f->context, &l->main);
}

void loop_call(loop *l, void (*fn)(void *), void *arg)
{
    l->call = fn;
    l->call_arg = arg;
    context_switch(&l->running->context, &l->main);
}

// Runs ready fibers until none is, or the budget is used up.
static void run_ready(loop *l)
{
    l->budget = RUN_BUDGET;
    while (l->ready_first && l->budget-- > 0) {
        fiber *f = ready_take(l);
        context_switch(&l->main, &f->context);
        while (l->call) {
            void (*call)(void *) = l->call;
            l->call = NULL;
            l->in_work = true;
            call(l->call_arg);
            l->in_work = false;
            context_switch(&l->main, &l->running->context);
        }
        if (l->ended) {
            context_free(&l->ended->context);
            stack_give(&l->stacks, l->ended->stack);
            l->ended = NULL;
        }
    }
    if (l->stacks.warm_count > STACKS_WARM_MAX)
        stacks_cool(&l->stacks, STACKS_WARM_MAX, RUN_BUDGET);
}

// ---- posts from other threads ---------------------------------------------------------------------------------------------

void loop_post_node(loop *l, post *p)
{
    atomic_fetch_add_explicit(&l->posting, 1, memory_order_relaxed);
    post *newest = atomic_load_explicit(&l->posts, memory_order_relaxed);
    do
        p->next = newest;
    while (!atomic_compare_exchange_weak_explicit(&l->posts, &newest, p, memory_order_release, memory_order_relaxed));
    if (!newest && l->driver->wake)              // the first of a batch; the others come with it
        l->driver->wake(l->driver->self);
    atomic_fetch_sub_explicit(&l->posting, 1, memory_order_release);
}

void loop_post(loop *l, void (*task)(void *), void *arg)
{
    post *p = memory_new(sizeof *p);
    *p = (post){.task = task, .arg = arg, .owned = true};
    loop_post_node(l, p);
}

static bool posts_run(loop *l)
{
    post *newest = atomic_exchange_explicit(&l->posts, NULL, memory_order_acquire), *oldest = NULL;
    for (post *p = newest, *next; p; p = next) {
        next = p->next;
        p->next = oldest;
        oldest = p;
    }
    for (post *p = oldest, *next; p; p = next) {
        next = p->next;
        bool owned = p->owned;
        p->task(p->arg);
        if (owned)                               // the memory of others may be gone by now
            memory_free(p);
    }
    return oldest;
}

// ---- waiting --------------------------------------------------------------------------------------------------------------

static bool park_is_long(const loop *l, const fiber *f)
{
    return f->state == FIBER_PARKED && !f->trimmed && l->now_ns - f->since_ns >= millis(TRIM_AFTER_MS);
}

static void fiber_trim(fiber *f)
{
    size_t depth = stack_depth(f->stack);
    unsigned char *sp = context_sp(&f->context);
    f->depth_max = depth > f->depth_max ? depth : f->depth_max;
    if (sp && (size_t)((unsigned char *)(f->stack + 1) - sp) + STACK_PAGE_BYTES < depth)
        stack_trim(f->stack, sp);
    f->trimmed = true;
}

// The slow tick: fibers parked for long and stacks cached for nothing give memory back, a bounded number each time. Without
// anything left to do it stops until the loop has worked again.
static void slow_tick(loop *l)
{
    bool more = false;
    list_link *k = l->trim_next ? l->trim_next : list_first(&l->all);
    for (int looks = 0, trims = 0; k && looks < TRIM_LOOKS_MAX && trims < TRIM_FIBERS_MAX; looks++) {
        fiber *f = LIST_OF(k, fiber, all);
        k = list_next(&l->all, k);
        if (park_is_long(l, f))
            fiber_trim(f), trims++;
        more |= !f->trimmed;
    }
    l->trim_next = k;
    more |= stacks_cool(&l->stacks, STACKS_WARM_MIN, COOL_STACKS_MAX) == COOL_STACKS_MAX;
    l->tick_due = more || k;
    l->tick_ns = time_after(l->now_ns, millis(TRIM_EVERY_MS));
}

static void timers_fire(loop *l)
{
    while (heap_first_key(&l->timers) <= l->now_ns)
        fiber_timer_fired(LIST_OF(heap_take(&l->timers), fiber, timer));
}

// One look at the world: posts, readiness, timers. false: nothing will ever happen again.
static bool look(loop *l)
{
    bool busy = posts_run(l) || l->ready_first;
    int64_t until = l->timers.count ? heap_first_key(&l->timers) : NEVER_NS;
    bool ticks = l->driver->real && l->tick_due;
    if (ticks)
        until = time_nearest(until, l->tick_ns);
    bool alive = l->driver->wait(l->driver->self, until, busy) || busy;
    l->now_ns = l->driver->now_ns(l->driver->self);
    posts_run(l);
    timers_fire(l);
    if (ticks && l->now_ns >= l->tick_ns)
        slow_tick(l);
    else if (l->driver->real && !l->tick_due && l->ready_first) {
        l->tick_due = true;
        l->tick_ns = time_after(l->now_ns, millis(TRIM_EVERY_MS));
    }
    return alive || l->ready_first;
}

// ---- a loop's life --------------------------------------------------------------------------------------------------------

static void loop_begin(loop *l, const loop_driver *driver, world *w)
{
    must(!loop_of_thread);
    memset(l, 0, sizeof *l);
    l->driver = driver;
    l->world = w;
    l->timers = heap_make(STACKS_MAX);
    l->root = (scope){.max = 1, .open = true};
    list_init(&l->all);
    l->now_ns = driver->now_ns(driver->self);
    context_of_thread(&l->main);
    loop_of_thread = l;
    crash_handlers_start();
}

static void loop_end(loop *l)
{
    while (atomic_load_explicit(&l->posting, memory_order_acquire))
        sched_yield();                           // whose post we have taken, but who still holds our driver
    posts_run(l);
    crash_handlers_stop();
    loop_of_thread = NULL;
    heap_free(&l->timers);
    stacks_free(&l->stacks);
}

// Nothing can happen any more, but fibers wait: says which, and tells them to end.
static void report_stuck(loop *l)
{
    static const char text[] = "naru: these fibers wait for something that can never happen:\n";
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    census_print(STDERR_FILENO);
    must(!l->root.canceled);                     // they were told before, and are deaf
    scope_cancel(&l->root);
}

err loop_run(const loop_driver *driver, world *w, fiber_body *first, void *arg)
{
    loop l;
    loop_begin(&l, driver, w);
    err e = fiber_start(&l.root, "first", first, arg, w, 0);
    while (l.fiber_count) {
        run_ready(&l);
        if (l.fiber_count && !look(&l)) {
            report_stuck(&l);
            e = E_CANCELED;
        }
    }
    loop_end(&l);
    return e;
}

// ---- several loops --------------------------------------------------------------------------------------------------------

typedef struct {
    pthread_t thread;
    world    *world;
    void    (*first)(void *arg, int number);
    void     *arg;
    int       number;
    err       result;
} loop_thread;

static void thread_first(void *arg)
{
    loop_thread *t = arg;
    t->first(t->arg, t->number);
}

static void *thread_main(void *arg)
{
    loop_thread *t = arg;
    loop_driver *driver = driver_linux_new();
    t->result = loop_run(driver, t->world, thread_first, t);
    driver_linux_free(driver);
    return NULL;
}

int loops_advised(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > LOOPS_MAX ? LOOPS_MAX : (int)n;
}

err loops_run(int count, world *w, void (*first)(void *arg, int number), void *arg)
{
    must(count > 0 && count <= LOOPS_MAX);
    loop_thread *threads = memory_zeroed((size_t)count, sizeof *threads);
    int started = 1;
    for (int i = 0; i < count; i++)
        threads[i] = (loop_thread){.world = w, .first = first, .arg = arg, .number = i};
    while (started < count && pthread_create(&threads[started].thread, NULL, thread_main, &threads[started]) == 0)
        started++;
    thread_main(&threads[0]);
    err e = started < count ? E_LIMIT : E_OK;
    for (int i = 0; i < started; i++) {
        if (i)
            pthread_join(threads[i].thread, NULL);
        e = e ? e : threads[i].result;
    }
    memory_free(threads);
    return e;
}
