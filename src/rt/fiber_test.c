#include "fiber_test.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rt/fiber_inside.h"

// ---- order and permits ----------------------------------------------------------------------------------------------------

typedef struct { char text[64]; int len; } diary;
typedef struct { diary *d; char letter; int times; } writer_arg;

static void write_letters(void *arg)
{
    writer_arg *w = arg;
    for (int i = 0; i < w->times; i++) {
        w->d->text[w->d->len++] = w->letter;
        fiber_yield();
    }
}

FIBER_TEST(fibers_run_in_order_of_becoming_ready)
{
    diary d = {0};
    writer_arg a = {&d, 'a', 3}, b = {&d, 'b', 2}, c = {&d, 'c', 4};
    SCOPE(s, 0, 10);
    CHECK_INT(scope_go(&s, "a", write_letters, &a), E_OK);
    CHECK_INT(scope_go(&s, "b", write_letters, &b), E_OK);
    CHECK_INT(scope_go(&s, "c", write_letters, &c), E_OK);
    CHECK_INT(scope_wait(&s), E_OK);
    CHECK_STR(str_of(d.text, (size_t)d.len), S("abcabcacc"));
}

FIBER_TEST(wake_before_park_is_not_lost)
{
    fiber_wake(fiber_self());
    CHECK_INT(fiber_park(NEVER_NS, "test"), E_OK);
    CHECK_INT(fiber_park(loop_now_ns() + millis(1), "test"), E_TIMEOUT);       // one wake, one return
    fiber_wake(fiber_self());
    CHECK_INT(fiber_park(1, "a deadline in the past"), E_OK);                  // the permit comes first
    CHECK_INT(fiber_park(1, "a deadline in the past"), E_TIMEOUT);
}

typedef struct { fiber *f; err got[4]; int n, returns; bool deaf; } sleeper;

static void park_twice(void *arg)
{
    sleeper *s = arg;
    s->f = fiber_self();
    s->got[s->n++] = fiber_park(NEVER_NS, "first");
    s->got[s->n++] = fiber_park(loop_now_ns() + seconds(20), "second");
}

FIBER_TEST(wakes_of_a_ready_fiber_become_a_permit)
{
    sleeper p = {0};
    SCOPE(s, 0, 1);
    scope_go(&s, "sleeper", park_twice, &p);
    fiber_yield();
    fiber_wake(p.f);                     // ready now
    fiber_wake(p.f);                     // the next park returns at once
    CHECK_INT(scope_wait(&s), E_OK);
    CHECK_INT(p.n, 2);
    CHECK_INT(p.got[0], E_OK);
    CHECK_INT(p.got[1], E_OK);
}

// ---- cancelling: level-triggered, at every park ---------------------------------------------------------------------------

FIBER_TEST(cancel_ends_a_park_and_every_later_one)
{
    sleeper p = {0};
    SCOPE(s, 0, 1);
    scope_go(&s, "sleeper", park_twice, &p);
    fiber_yield();
    scope_cancel(&s);
    CHECK_INT(scope_wait(&s), E_OK);
    CHECK_INT(p.got[0], E_CANCELED);
    CHECK_INT(p.got[1], E_CANCELED);
    CHECK_INT(scope_go(&s, "late", park_twice, &p), E_CANCELED);
    CHECK_INT(scope_try_go(&s, "late", park_twice, &p), E_CANCELED);
    CHECK(!fiber_canceled());
}

static void park_awake(void *arg)
{
    sleeper *s = arg;
    s->f = fiber_self();
    s->got[s->n++] = fiber_park(NEVER_NS, "woken, then canceled");
    s->got[s->n++] = fiber_park(NEVER_NS, "canceled");
}

FIBER_TEST(a_wake_that_came_first_is_told_before_the_cancel)
{
    sleeper p = {0};
    SCOPE(s, 0, 1);
    scope_go(&s, "sleeper", park_awake, &p);
    fiber_yield();
    fiber_wake(p.f);
    scope_cancel(&s);                    // before it ran
    scope_wait(&s);
    CHECK_INT(p.got[0], E_OK);
    CHECK_INT(p.got[1], E_CANCELED);
}

static void lend_memory(void *arg)
{
    sleeper *s = arg;
    s->f = fiber_self();
    for (; !s->deaf; s->returns++)
        fiber_park_uncanceled("lent");
    s->got[s->n++] = fiber_park(NEVER_NS, "after");
}

FIBER_TEST(deaf_parks_finish_first)
{
    sleeper p = {0};
    SCOPE(s, millis(1), 1);
    scope_go(&s, "lender", lend_memory, &p);
    fiber_yield();
    scope_cancel(&s);
    CHECK_INT(scope_wait(&s), E_TIMEOUT);        // the ambient deadline is deaf for nobody else
    CHECK_INT(p.n + p.returns, 0);               // it did not even come back to look
    p.deaf = true;
    fiber_wake(p.f);
    scope_close(&s);
    CHECK_INT(p.n, 1);
    CHECK_INT(p.got[0], E_CANCELED);
}

// ---- time -----------------------------------------------------------------------------------------------------------------

FIBER_TEST(sleep_ends_after_its_time_and_not_before)
{
    int64_t start = world_now_ns(world_here());
    CHECK_INT(fiber_sleep(millis(5)), E_OK);
    CHECK(world_now_ns(world_here()) - start >= millis(5));
    CHECK_INT(fiber_sleep(0), E_OK);
    CHECK_INT(fiber_sleep(-5), E_OK);
}

FIBER_TEST(sleep_outlasts_wakes)
{
    int64_t start = world_now_ns(world_here());
    fiber_wake(fiber_self());
    CHECK_INT(fiber_sleep(millis(3)), E_OK);
    CHECK(world_now_ns(world_here()) - start >= millis(3));
}

FIBER_TEST(the_ambient_deadline_cuts_a_sleep)
{
    SCOPE(s, millis(2), 1);
    CHECK(fiber_deadline_ns() != NEVER_NS);
    CHECK_INT(fiber_sleep(seconds(100)), E_TIMEOUT);
    CHECK_INT(fiber_sleep(millis(1)), E_TIMEOUT);        // it has passed for good
    scope_close(&s);
    CHECK_INT(fiber_deadline_ns(), NEVER_NS);
    CHECK_INT(fiber_sleep(millis(1)), E_OK);
}

static void renew_twice(void *arg)
{
    sleeper *s = arg;
    s->f = fiber_self();
    for (int i = 0; i < 2; i++)
        CHECK_INT(fiber_park(loop_now_ns() + seconds(300 + i), "a line"), E_OK);
}

FIBER_TEST(renewing_a_far_deadline_leaves_the_heap_alone)
{
    fiber *f = fiber_self();
    fiber_wake(f);
    fiber_park(loop_now_ns() + seconds(300), "nothing");                // a permit: no timer yet
    CHECK(!heap_holds(&f->timer));
    for (int i = 0; i < 10; i++)
        CHECK_INT(fiber_park(loop_now_ns() + millis(1), "short"), E_TIMEOUT);
    CHECK_INT(f->loop->timers.count, 0);
    sleeper p = {0};
    SCOPE(s, 0, 1);
    scope_go(&s, "conversation", renew_twice, &p);
    fiber_yield();
    int64_t first = p.f->timer_ns;
    fiber_wake(p.f);
    fiber_yield();
    CHECK(p.f->until_ns > first && p.f->timer_ns == first);             // it stays where it stood
    fiber_wake(p.f);
    CHECK_INT(scope_wait(&s), E_OK);
}

// ---- what a fiber inherits ------------------------------------------------------------------------------------------------

static void check_inherited(void *arg)
{
    CHECK(world_here() == arg);
    CHECK_INT(fiber_trace(), 77);
    fiber_set_trace(78);
}

FIBER_TEST(world_and_trace_are_inherited)
{
    world *before = world_here(), *other = world_linux_new(S("other"), NULL, 0);
    fiber_world(other);
    fiber_set_trace(77);
    SCOPE(s, 0, 1);
    scope_go(&s, "child", check_inherited, other);
    CHECK_INT(scope_wait(&s), E_OK);
    CHECK_INT(fiber_trace(), 77);
    scope_close(&s);
    CHECK_INT(fibers_on(other), 1);
    CHECK_INT(fibers_on(before), 0);
    fiber_world(before);
    world_linux_free(other);
}

// ---- registers ------------------------------------------------------------------------------------------------------------

static void divide_differently(void *arg)
{
    volatile double third = 1.0, zero = 3.0;
    for (int i = 0; i < 10; i++) {
        third = third / zero;
        fiber_yield();
    }
    *(double *)arg = third;
}

FIBER_TEST(floating_point_survives_switches)
{
    double a = 0, b = 0, c = 1;
    SCOPE(s, 0, 2);
    scope_go(&s, "a", divide_differently, &a);
    scope_go(&s, "b", divide_differently, &b);
    scope_wait(&s);
    for (int i = 0; i < 10; i++)
        c /= 3.0;
    CHECK(a == c && b == c);
}

// ---- stacks ---------------------------------------------------------------------------------------------------------------

// As deep as asked, one page a step; not a tail call.
static int dive(int pages)
{
    char page[4000];
    memset(page, pages, sizeof page);
    __asm__ volatile("" :: "r"(page) : "memory");        // the compiler may not make it smaller
    return pages > 0 ? dive(pages - 1) + page[17] : page[0];
}

static void dive_and_park(void *arg)
{
    *(volatile int *)arg = dive(10);
    fiber_park(NEVER_NS, "after the dive");
}

FIBER_TEST(a_long_parked_fiber_gives_its_deep_pages_back)
{
    int sum;
    SCOPE(s, 0, 1);
    scope_go(&s, "diver", dive_and_park, &sum);
    fiber_yield();
    fiber *f = s.members;
    size_t before = stack_depth(f->stack);
    CHECK(before >= 10 * 4000);
#if SWITCH_UCONTEXT
    test_skip("ucontext does not tell the stack pointer");
    return;
#endif
    fiber_view views[8];
    CHECK_INT(fiber_census(views, 8), 2);
    loop *l = f->loop;
    f->since_ns -= seconds(10);                  // as if it had waited
    l->tick_ns = 0;
    l->tick_due = true;
    fiber_sleep(millis(1));
    CHECK(f->trimmed);
    CHECK(stack_depth(f->stack) <= (SWITCH_ASAN || SWITCH_TSAN ? before - 8 * 4000 : 2 * 4096));
    CHECK_INT(fiber_census(views, 8), 2);
    CHECK_INT(views[1].stack_used_max_bytes, before);
    CHECK_STR(str_z(views[1].why), S("after the dive"));
    CHECK_STR(str_z(views[1].label), S("diver"));
    CHECK_STR(views[1].world_name, S("test"));
}

static void nothing(void *arg) { (void)arg; }

FIBER_TEST(stacks_are_used_again_and_the_cache_is_bounded)
{
    SCOPE(s, 0, 2000);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 2000; i++)
            CHECK_ROW(i, scope_go(&s, "short", nothing, NULL) == E_OK);
        CHECK_INT(scope_wait(&s), E_OK);
    }
    fiber_sleep(millis(1));
    fiber_limits limits = fiber_limits_now();
    CHECK_INT(limits.fibers, 1);
    CHECK(limits.stacks_cached <= STACKS_WARM_MAX);
    CHECK(limits.stack_bytes <= (size_t)(2001 + STACK_SLAB_SLOTS) * STACK_SLOT_BYTES);
    CHECK(limits.fibers_max >= 1000);
}

static void old_kernel(void *arg)
{
    int *started = arg;
    SCOPE(s, 0, STACKS_MAX);
    int max = fiber_limits_now().fibers_max;
    CHECK(!fiber_limits_now().guards_by_madvise);
    err e = E_OK;
    while (*started < max + 10 && !e)
        if (!(e = scope_try_go(&s, "one of many", nothing, NULL)))
            ++*started;
    CHECK_INT(e, E_LIMIT);                       // refused, not unguarded
    CHECK(*started >= max - STACK_SLAB_SLOTS && *started < max);
}

TEST(without_guard_installing_the_count_of_mappings_is_the_limit)
{
    int started = 0;
    if (SWITCH_TSAN || SWITCH_ASAN) {
        test_skip("a sanitizer's own maps are in the way");
        return;
    }
    stacks_pretend_old_kernel(true);
    CHECK_INT(run_real(old_kernel, &started), E_OK);
    stacks_pretend_old_kernel(false);
}

static void fill_address_space(void *unused)
{
    (void)unused;
    int started = 0;
    err e = E_OK;
    char text[64] = "";
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (read(fd, text, sizeof text - 1) <= 0)
        _exit(9);
    close(fd);
    rlim_t bytes = strtoul(text, NULL, 10) * STACK_PAGE_BYTES + (64 << 20);       // what is there, and a little more
    if (setrlimit(RLIMIT_AS, &(struct rlimit){bytes, bytes}) != 0)
        _exit(9);
    SCOPE(s, 0, STACKS_MAX);
    while (!(e = scope_go(&s, "one of many", nothing, NULL)) && started < 100000)
        started++;
    _exit(e == E_LIMIT && started > 100 ? 7 : 8);
}

TEST(without_memory_for_stacks_nothing_is_started)
{
    int status = 0;
    if (SWITCH_ASAN || SWITCH_TSAN) {
        test_skip("a sanitizer's own maps are above any limit");
        return;
    }
    pid_t pid = fork();
    if (pid == 0) {
        run_real(fill_address_space, NULL);
        _exit(0);
    }
    waitpid(pid, &status, 0);
    CHECK(WIFEXITED(status));
    CHECK_INT(WEXITSTATUS(status), 7);
}

// ---- ends -----------------------------------------------------------------------------------------------------------------

// Runs the body in a child process; its exit status, and what it wrote to standard error.
static int in_child(fiber_body *body, char *text, size_t size)
{
    int ends[2], status = 0;
    memset(text, 0, size);
    if (pipe(ends) != 0)
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        run_real(body, NULL);
        _exit(0);
    }
    close(ends[1]);
    for (size_t n = 0; n < size - 1; ) {
        ssize_t got = read(ends[0], text + n, size - 1 - n);
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    close(ends[0]);
    waitpid(pid, &status, 0);
    return status;
}

static void overflow(void *unused) { (void)unused; fiber_label("a deep one"); dive(100000); }

static void overflow_beside_others(void *unused)
{
    SCOPE(s, 0, 2);
    static int sum;
    scope_go(&s, "bystander", dive_and_park, &sum);
    fiber_yield();
    overflow(unused);
}

TEST(a_stack_overflow_is_named)
{
    char text[4096];
    if (SWITCH_ASAN || SWITCH_TSAN) {
        test_skip("the sanitizer reports it itself");
        return;
    }
    int status = in_child(overflow_beside_others, text, sizeof text);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    CHECK(strstr(text, "fiber a deep one overflowed its stack"));
    CHECK(strstr(text, "bystander"));
    CHECK(strstr(text, "after the dive"));
}

static void leave_scope_open(void *arg)
{
    (void)arg;
    scope s;
    scope_open(&s, 0, 1);
}

static void broken(void *arg)
{
    (void)arg;
    SCOPE(s, 0, 2);
    scope_go(&s, "the careless one", leave_scope_open, NULL);
    scope_wait(&s);
}

TEST(a_scope_left_open_is_our_mistake_and_the_table_is_printed)
{
    char text[4096];
    int status = in_child(broken, text, sizeof text);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    CHECK(strstr(text, "broken invariant"));
    CHECK(strstr(text, "the careless one"));
    CHECK(strstr(text, "a scope's fibers"));
}

// ---- a driver of our own: virtual time ------------------------------------------------------------------------------------

typedef struct { loop_driver base; int64_t now; int waits; } clock_driver;

static int64_t clock_now(void *self) { return ((clock_driver *)self)->now; }

static bool clock_wait(void *self, int64_t until_ns, bool poll_only)
{
    clock_driver *d = self;
    d->waits++;
    if (poll_only)
        return true;
    if (until_ns == NEVER_NS)
        return false;
    d->now = until_ns > d->now ? until_ns : d->now;
    return true;
}

static err run_virtual(clock_driver *d, fiber_body *first, void *arg)
{
    world *w = world_linux_new(S("virtual"), NULL, 0);
    d->base = (loop_driver){.self = d, .now_ns = clock_now, .wait = clock_wait};
    err e = loop_run(&d->base, w, first, arg);
    world_linux_free(w);
    return e;
}

static void sleep_a_year(void *arg)
{
    (void)arg;
    for (int day = 0; day < 365; day++)
        CHECK_INT(fiber_sleep(minutes(24 * 60)), E_OK);
}

TEST(virtual_time_passes_at_once)
{
    clock_driver d = {.now = 1000};
    CHECK_INT(run_virtual(&d, sleep_a_year, NULL), E_OK);
    CHECK_INT(d.now, 1000 + 365 * minutes(24 * 60));
    CHECK(d.waits < 1000);
}

static void renew(void *arg)
{
    clock_driver *d = arg;
    fiber *f = fiber_self();
    for (int i = 0; i < 1000; i++) {             // a conversation: every second a line, the deadline five minutes away
        SCOPE(s, 0, 1);
        CHECK_INT(fiber_sleep(seconds(1)), E_OK);
        fiber_wake(f);
        CHECK_INT(fiber_park(loop_now_ns() + minutes(5), "line"), E_OK);
    }
    CHECK_INT(d->now, 1 + seconds(1000));
}

TEST(lazy_timers_do_not_move_the_clock)
{
    clock_driver d = {.now = 1};
    CHECK_INT(run_virtual(&d, renew, &d), E_OK);
}

typedef struct { int64_t at; int *order; int *n; int id; } alarm_arg;

static void wait_for(void *arg)
{
    alarm_arg *a = arg;
    err e = fiber_park(a->at + seconds(1000), "far");     // the timer moves from far to near and back
    CHECK_INT(e, E_OK);
    CHECK_INT(fiber_park(a->at, "near"), E_TIMEOUT);
    CHECK(loop_now_ns() >= a->at);
    a->order[(*a->n)++] = a->id;
}

static void many_alarms(void *unused)
{
    (void)unused;
    enum { N = 200 };
    int order[N], n = 0;
    uint64_t seed = 7;
    alarm_arg a[N];
    int64_t start = loop_now_ns();
    SCOPE(s, 0, N);
    for (int i = 0; i < N; i++) {
        a[i] = (alarm_arg){start + millis(20) + (int64_t)(test_random(&seed) % 1000) * 10000, order, &n, i};
        CHECK_INT(scope_go(&s, "alarm", wait_for, &a[i]), E_OK);
    }
    fiber_yield();
    for (fiber *f = s.members; f; f = f->member_next)
        fiber_wake(f);
    CHECK_INT(scope_wait(&s), E_OK);
    CHECK_INT(n, N);
    for (int i = 1; i < n; i++)
        CHECK_ROW(i, a[order[i - 1]].at <= a[order[i]].at);
}

TEST(timers_fire_in_order_of_their_times)
{
    clock_driver d = {.now = 1};
    CHECK_INT(run_virtual(&d, many_alarms, NULL), E_OK);
}

static void wait_for_nobody(void *arg) { *(err *)arg = fiber_park(NEVER_NS, "nobody"); }

static int quiet_stderr(void)
{
    int saved = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    dup2(null, STDERR_FILENO);
    close(null);
    return saved;
}

TEST(waiting_for_what_never_happens_is_reported_and_canceled)
{
    clock_driver d = {.now = 1};
    err got = E_OK;
    int saved = quiet_stderr();
    err e = run_virtual(&d, wait_for_nobody, &got);
    dup2(saved, STDERR_FILENO);
    close(saved);
    CHECK_INT(e, E_CANCELED);
    CHECK_INT(got, E_CANCELED);
}

// ---- posts and threads ----------------------------------------------------------------------------------------------------

typedef struct { loop *loop; fiber *f; int count; } posted;

static void count_post(void *arg)
{
    posted *p = arg;
    if (++p->count == 1000)
        fiber_wake(p->f);
}

static void *post_many(void *arg)
{
    posted *p = arg;
    for (int i = 0; i < 500; i++)
        loop_post(p->loop, count_post, p);
    return NULL;
}

FIBER_TEST(posts_from_threads_arrive)
{
    posted p = {loop_here(), fiber_self(), 0};
    pthread_t a, b;
    CHECK(pthread_create(&a, NULL, post_many, &p) == 0);
    CHECK(pthread_create(&b, NULL, post_many, &p) == 0);
    while (p.count < 1000)
        CHECK_INT(fiber_park(NEVER_NS, "posts"), E_OK);
    pthread_join(a, NULL);
    pthread_join(b, NULL);
    CHECK_INT(p.count, 1000);
}

static _Atomic int loops_seen;

static void one_of_loops(void *arg, int number)
{
    CHECK(arg == &loops_seen);
    atomic_fetch_add(&loops_seen, 1 << (8 * number));
    SCOPE(s, 0, 100);
    for (int i = 0; i < 100; i++)
        scope_go(&s, "short", nothing, NULL);
    scope_wait(&s);
    fiber_sleep(millis(1));
}

TEST(several_loops_run_side_by_side)
{
    world *w = world_linux_new(S("test"), NULL, 0);
    CHECK_INT(loops_run(3, w, one_of_loops, &loops_seen), E_OK);
    CHECK_INT(loops_seen, 0x010101);
    world_linux_free(w);
}

// ---- signals --------------------------------------------------------------------------------------------------------------

static void take_signal(void *arg) { *(int *)arg = signal_wait(); }

static void expect_signals(void *unused)
{
    (void)unused;
    int got[2] = {-1, -1};
    SCOPE(s, 0, 2);
    scope_go(&s, "signals", take_signal, &got[0]);
    fiber_yield();
    kill(getpid(), SIGHUP);
    CHECK_INT(scope_wait(&s), E_OK);
    CHECK_INT(got[0], SIGHUP);
    scope_go(&s, "signals", take_signal, &got[1]);
    fiber_yield();
    scope_cancel(&s);
    CHECK_INT(scope_wait(&s), E_OK);
    CHECK_INT(got[1], 0);
}

TEST(signals_wake_a_fiber)
{
    sigset_t before;
    pthread_sigmask(SIG_BLOCK, NULL, &before);
    signals_block();
    CHECK_INT(run_real(expect_signals, NULL), E_OK);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}
