#include "fiber_test.h"

#include <pthread.h>
#include <unistd.h>

#include "rt/fiber_inside.h"
#include "rt/worker.h"

typedef struct { int in, out; pthread_t thread; bool allowed, on_fiber; world *w; uint64_t trace; } square;

static void compute(void *arg)
{
    square *s = arg;
    s->out = s->in * s->in;
    s->thread = pthread_self();
    s->allowed = work_allowed();
    s->on_fiber = fiber_running();
    s->w = world_here();
    s->trace = fiber_trace();
}

FIBER_TEST(work_runs_on_another_thread)
{
    square s = {.in = 12};
    fiber_set_trace(5);
    CHECK(!work_allowed());
    work(compute, &s);
    CHECK_INT(s.out, 144);
    CHECK(!pthread_equal(s.thread, pthread_self()));
    CHECK(s.allowed && !s.on_fiber);
    CHECK(s.w == world_here());
    CHECK_INT(s.trace, 5);
}

TEST(work_outside_of_loops_just_runs)
{
    square s = {.in = 3};
    CHECK(work_allowed());
    work(compute, &s);
    CHECK_INT(s.out, 9);
    CHECK(pthread_equal(s.thread, pthread_self()));
}

typedef struct { int sum, *total; } adder;

static void add_in_steps(void *arg)
{
    adder *a = arg;
    for (int i = 0; i < 20; i++) {
        square s = {.in = i};
        work(compute, &s);
        a->sum += s.out;
    }
    *a->total += a->sum;
}

FIBER_TEST(many_fibers_work_at_once)
{
    enum { N = 50 };
    adder a[N];
    int total = 0;
    SCOPE(s, 0, N);
    for (int i = 0; i < N; i++) {
        a[i] = (adder){0, &total};
        scope_go(&s, "adder", add_in_steps, &a[i]);
    }
    CHECK_INT(scope_wait(&s), E_OK);
    CHECK_INT(total, N * 2470);
}

typedef struct { pthread_mutex_t lock; bool done; err after; } blocked;

static void wait_for_lock(void *arg)
{
    blocked *b = arg;
    pthread_mutex_lock(&b->lock);
    pthread_mutex_unlock(&b->lock);
}

static void blocked_fiber(void *arg)
{
    blocked *b = arg;
    work(wait_for_lock, b);
    b->done = true;
    b->after = fiber_park(NEVER_NS, "after");
}

FIBER_TEST(work_is_deaf_to_cancelling)
{
    blocked b = {.lock = PTHREAD_MUTEX_INITIALIZER};
    SCOPE(s, 0, 1);
    pthread_mutex_lock(&b.lock);
    scope_go(&s, "blocked", blocked_fiber, &b);
    fiber_sleep(millis(2));
    scope_cancel(&s);
    fiber_sleep(millis(2));
    CHECK(!b.done);
    pthread_mutex_unlock(&b.lock);
    scope_close(&s);
    CHECK(b.done);
    CHECK_INT(b.after, E_CANCELED);
}

static void many_blocked(void *arg) { work(wait_for_lock, arg); }

FIBER_TEST(a_full_queue_makes_callers_wait)
{
    blocked b = {.lock = PTHREAD_MUTEX_INITIALIZER};
    int many = SWITCH_TSAN ? 100 : WORK_QUEUE_MAX + 100;
    SCOPE(s, 0, many);
    pthread_mutex_lock(&b.lock);
    for (int i = 0; i < many; i++)
        CHECK_ROW(i, scope_go(&s, "one of many", many_blocked, &b) == E_OK);
    fiber_sleep(millis(1));
    CHECK(loop_here()->works <= WORK_QUEUE_MAX);
    CHECK_INT(loop_here()->works, many < WORK_QUEUE_MAX ? many : WORK_QUEUE_MAX);
    pthread_mutex_unlock(&b.lock);
    CHECK_INT(scope_wait(&s), E_OK);
    CHECK_INT(loop_here()->works, 0);
}

// ---- in a simulated world -------------------------------------------------------------------------------------------------

static int64_t virtual_now;
static int64_t now_virtual(void *self) { (void)self; return virtual_now; }

static bool wait_virtual(void *self, int64_t until_ns, bool poll_only)
{
    (void)self;
    if (!poll_only && until_ns != NEVER_NS && until_ns > virtual_now)
        virtual_now = until_ns;
    return poll_only || until_ns != NEVER_NS;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wframe-larger-than="
static void charge(void *arg)
{
    volatile char large[300 * 1024];             // more than any fiber's stack
    memset((void *)(uintptr_t)large, 1, sizeof large);
    CHECK(work_allowed());
    work_charge(millis(5));
    work_charge(millis(2));
    *(int *)arg += large[1000];
    work(compute, &(square){.in = 1});           // within a work: at once
}


#pragma GCC diagnostic pop

static void simulated_body(void *arg)
{
    int count = 0;
    int64_t start = loop_now_ns();
    work(charge, &count);
    CHECK_INT(count, 1);
    CHECK_INT(loop_now_ns() - start, millis(7));
    work_charge(seconds(1));                     // outside of a work: nothing
    CHECK_INT(loop_now_ns() - start, millis(7));
    *(bool *)arg = true;
}

TEST(simulated_work_runs_at_once_and_charges_time)
{
    world_operations operations = {.simulated = true};
    world w = {.operations = &operations, .name = S("simulated")};
    loop_driver driver = {.now_ns = now_virtual, .wait = wait_virtual};
    bool done = false;
    virtual_now = seconds(100);
    CHECK_INT(loop_run(&driver, &w, simulated_body, &done), E_OK);
    CHECK(done);
}

TEST(workers_stop_and_start_again)
{
    workers_stop();
    workers_start(3);
    CHECK_INT(run_real(many_fibers_work_at_once_body, NULL), E_OK);
    workers_stop();
}
