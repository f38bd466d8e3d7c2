// Who is there and what do they wait for: for `ps`, and for the last words of a process that found itself broken.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "rt/fiber_inside.h"

int fibers_on(world *w)
{
    int n = 0;
    for (list_link *k = list_first(&loop_of_thread->all); k; k = list_next(&loop_of_thread->all, k))
        n += LIST_OF(k, fiber, all)->world == w;
    return n;
}

void fibers_cancel_on(world *w)
{
    for (list_link *k = list_first(&loop_of_thread->all); k; k = list_next(&loop_of_thread->all, k))
        if (LIST_OF(k, fiber, all)->world == w)
            fiber_cancel(LIST_OF(k, fiber, all));
}

int fiber_census(fiber_view *out, int max)
{
    loop *l = loop_of_thread;
    int n = 0;
    for (list_link *k = l ? list_first(&l->all) : NULL; k && n < max; k = list_next(&l->all, k)) {
        fiber *f = LIST_OF(k, fiber, all);
        size_t depth = stack_depth(f->stack);
        f->depth_max = depth > f->depth_max ? depth : f->depth_max;
        out[n++] = (fiber_view){f->label, f->state == FIBER_PARKED ? f->why : "", f->since_ns, f->depth_max, f->trace,
                                f->world->name};
    }
    return l ? l->fiber_count : 0;
}

fiber_limits fiber_limits_now(void)
{
    loop *l = loop_of_thread;
    fiber_limits limits = {.fibers_max = stacks_max(), .guards_by_madvise = stacks_guarded_by_madvise()};
    if (l) {
        limits.fibers = l->fiber_count;
        limits.stacks_cached = l->stacks.warm_count;
        limits.stack_bytes = (size_t)l->stacks.slots * STACK_SLOT_BYTES;
    }
    return limits;
}

// ---- last words -----------------------------------------------------------------------------------------------------------

// May run in a signal handler: formats into its own stack and writes; allocates nothing, takes no lock.
static void print_fiber(int fd, const loop *l, const fiber *f)
{
    char line[256];
    str host = f->world ? f->world->name : S("");
    const char *state = f == l->running ? "running" : f->state == FIBER_READY ? "ready" : f->why;
    int n = snprintf(line, sizeof line, "  %-24.60s " STR_FMT "  %.80s  %lld ms%s  trace %llx\n", f->label ? f->label : "",
                     (int)(host.len < 40 ? host.len : 40), (const char *)host.at, state,
                     (long long)((l->now_ns - f->since_ns) / NS_PER_MS), f->canceled ? "  canceled" : "",
                     (unsigned long long)f->trace);
    size_t len = n < 0 ? 0 : (size_t)n < sizeof line ? (size_t)n : sizeof line - 1;
    (void)!write(fd, line, len);
}

void census_print(int fd)
{
    loop *l = loop_of_thread;
    int n = 0;
    for (list_link *k = l ? list_first(&l->all) : NULL; k && n < TABLE_LINES_MAX; k = list_next(&l->all, k), n++)
        print_fiber(fd, l, LIST_OF(k, fiber, all));
    if (l && l->fiber_count > n) {
        char line[64];
        int len = snprintf(line, sizeof line, "  ... and %d more\n", l->fiber_count - n);
        (void)!write(fd, line, (size_t)len);
    }
}

static void print_table(const char *what, const char *where, int line)
{
    (void)what, (void)where, (void)line;
    if (loop_of_thread)
        census_print(STDERR_FILENO);
}

#if !SWITCH_ASAN && !SWITCH_TSAN
// A stack that runs into its guard raises SIGSEGV; the handler stands on a stack of its own, one a thread.
static struct sigaction segv_before;
static _Thread_local void *signal_stack;
enum { SIGNAL_STACK_BYTES = 64 * 1024 };

static void on_segv(int number, siginfo_t *info, void *machine)
{
    (void)machine;
    loop *l = loop_of_thread;
    stack *k = l ? stack_of_guard(&l->stacks, info->si_addr) : NULL;
    if (k) {
        char line[160];
        fiber *f = l->running;
        bool own = f && f->stack == k;
        int n = snprintf(line, sizeof line, "naru: fiber %.80s overflowed its stack of %d KiB\n",
                         own && f->label ? f->label : "?", STACK_SLOT_BYTES / 1024);
        (void)!write(STDERR_FILENO, line, n < 0 ? 0 : (size_t)n);
        census_print(STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        abort();
    }
    sigaction(number, &segv_before, NULL);       // not ours: the instruction runs again and meets who was there before
}

static void overflow_handler_start(void)
{
    signal_stack = mmap(NULL, SIGNAL_STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    must(signal_stack != MAP_FAILED);
    stack_t at = {.ss_sp = signal_stack, .ss_size = SIGNAL_STACK_BYTES};
    struct sigaction now, ours = {.sa_sigaction = on_segv, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigemptyset(&ours.sa_mask);
    must(sigaltstack(&at, NULL) == 0 && sigaction(SIGSEGV, NULL, &now) == 0);
    if (now.sa_sigaction != on_segv) {
        segv_before = now;
        must(sigaction(SIGSEGV, &ours, NULL) == 0);
    }
}

static void overflow_handler_stop(void)
{
    if (!signal_stack)
        return;
    stack_t off = {.ss_flags = SS_DISABLE};
    sigaltstack(&off, NULL);
    munmap(signal_stack, SIGNAL_STACK_BYTES);
    signal_stack = NULL;
}

#else                                            // the sanitizers report overflows themselves
static void overflow_handler_start(void) {}
static void overflow_handler_stop(void) {}
#endif

void crash_handlers_start(void)
{
    __atomic_store_n(&must_hook, print_table, __ATOMIC_RELAXED);
    overflow_handler_start();
}

void crash_handlers_stop(void) { overflow_handler_stop(); }
