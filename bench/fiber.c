// bench-fiber [--json]: what a conversation costs before it says a word: nanoseconds of CPU a switch between two stacks,
// a park and wake through the scheduler, a fiber's whole life, and the memory of 100,000 parked fibers (30,000 where the
// kernel has no guard pages of its own). The table goes to standard error when standard output gets JSON.
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/must.h"
#include "rt/loop.h"
#include "rt/switch.h"
#include "rt/wait.h"

enum { ROUNDS = 21, ROUND_OPS = 200 * 1000, RING_FIBERS = 1000, PARKED = 100 * 1000, PARKED_OLD_KERNEL = 30 * 1000 };

static double cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, int n)
{
    qsort(v, (size_t)n, sizeof *v, ascending);
    return v[n / 2];
}

// ---- two stacks that switch to each other ---------------------------------------------------------------------------------

static context here, there;

// Both sides leave from the same place, as fibers do.
static __attribute__((noinline)) void to_and_fro(context *from, context *to, long times)
{
    for (long i = 0; i < times; i++)
        context_switch(from, to);
}

static void switch_back(void *unused)
{
    (void)unused;
    context_arrived();
    to_and_fro(&there, &here, LONG_MAX);
}

static double bare_switch_ns(void)
{
    enum { BYTES = 64 * 1024 };
    double ns[ROUNDS];
    void *low = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    must(low != MAP_FAILED);
    context_of_thread(&here);
    context_make(&there, low, BYTES, switch_back, NULL);
    for (int round = 0; round < ROUNDS; round++) {
        double start = cpu_ns();
        to_and_fro(&here, &there, ROUND_OPS);
        ns[round] = (cpu_ns() - start) / (2.0 * ROUND_OPS);
    }
    context_free(&there);
    munmap(low, BYTES);
    return median(ns, ROUNDS);
}

// ---- a ring of fibers: each wakes the next and parks ----------------------------------------------------------------------

typedef struct { fiber **ring; int at, size, rounds; } runner;

static void run_in_ring(void *arg)
{
    runner *r = arg;
    r->ring[r->at] = fiber_self();
    for (int i = 0; i < r->rounds; i++) {
        if (fiber_park(NEVER_NS, "its turn") != E_OK)
            return;
        fiber_wake(r->ring[(r->at + 1) % r->size]);
    }
}

static double ring_ns(int size)
{
    static fiber *ring[RING_FIBERS];
    static runner runners[RING_FIBERS];
    int rounds = ROUND_OPS / size;
    SCOPE(s, 0, RING_FIBERS);
    for (int i = 0; i < size; i++) {
        runners[i] = (runner){ring, i, size, rounds};
        must(scope_go(&s, "runner", run_in_ring, &runners[i]) == E_OK);
    }
    fiber_yield();
    double start = cpu_ns();
    fiber_wake(ring[0]);
    must(scope_wait(&s) == E_OK);
    return (cpu_ns() - start) / (double)(rounds * size);
}

static void nothing(void *unused) { (void)unused; }

static double life_ns(void)
{
    enum { BATCH = 50, LIVES = 20 * 1000 };
    double start = cpu_ns();
    SCOPE(s, 0, BATCH);
    for (int i = 0; i < LIVES; i++)
        must(scope_go(&s, "short", nothing, NULL) == E_OK);
    must(scope_wait(&s) == E_OK);
    return (cpu_ns() - start) / LIVES;
}

// ---- memory ---------------------------------------------------------------------------------------------------------------

// A figure in bytes from a /proc file with lines "Name:   123 kB".
static double proc_bytes(const char *path, const char *name)
{
    char text[8192];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    must(n > 0);
    text[n] = '\0';
    const char *at = strstr(text, name);
    must(at);
    return strtod(at + strlen(name), NULL) * 1024;
}

static void park_for_ever(void *unused)
{
    (void)unused;
    fiber_park(NEVER_NS, "for ever");
}

typedef struct { int parked; double bytes_each, table_bytes_each; } memory_figures;

static memory_figures parked_memory(int count)
{
    double pss = proc_bytes("/proc/self/smaps_rollup", "\nPss:"), tables = proc_bytes("/proc/self/status", "VmPTE:");
    SCOPE(s, 0, PARKED);
    while (s.count < count && scope_go(&s, "parked", park_for_ever, NULL) == E_OK)
        ;
    fiber_yield();
    int n = s.count;
    return (memory_figures){n, (proc_bytes("/proc/self/smaps_rollup", "\nPss:") - pss) / n,
                            (proc_bytes("/proc/self/status", "VmPTE:") - tables) / n};
}

// ---- all together ---------------------------------------------------------------------------------------------------------

typedef struct { double bare, pair, ring, life; memory_figures memory; bool guards; } figures;

static void measure(void *arg)
{
    figures *f = arg;
    double pair[ROUNDS], ring[ROUNDS], life[ROUNDS];
    f->guards = fiber_limits_now().guards_by_madvise;
    f->memory = parked_memory(f->guards ? PARKED : PARKED_OLD_KERNEL);
    for (int round = 0; round < ROUNDS; round++) {
        pair[round] = ring_ns(2);
        ring[round] = ring_ns(RING_FIBERS);
        life[round] = life_ns();
    }
    f->pair = median(pair, ROUNDS);
    f->ring = median(ring, ROUNDS);
    f->life = median(life, ROUNDS);
}

static bool json;
static int missed, printed;

// A limit of zero: a figure without one.
static void row(const char *name, const char *unit, double value, double limit)
{
    FILE *table = json ? stderr : stdout;
    bool met = limit <= 0 || value <= limit;
    missed += !met;
    if (json)
        printf("%s  {\"name\": \"%s\", \"unit\": \"%s\", \"value\": %.1f, \"limit\": %.0f}", printed++ ? ",\n" : "",
               name, unit, value, limit);
    fprintf(table, "%-58s %8.1f %-5s", name, value, unit);
    if (limit > 0)
        fprintf(table, "  limit %.0f: %s", limit, met ? "met" : "MISSED");
    fprintf(table, "\n");
}

int main(int argc, char **argv)
{
    figures f = {.bare = bare_switch_ns()};
    json = argc > 1 && strcmp(argv[1], "--json") == 0;
    world *w = world_linux_new(S("bench"), NULL, 0);
    loop_driver *driver = driver_linux_new();
    must(loop_run(driver, w, measure, &f) == E_OK);
    driver_linux_free(driver);
    world_linux_free(w);
    char name[80];
    if (json)
        printf("{\"bench\": \"fiber\", \"guards\": \"%s\", \"rows\": [\n", f.guards ? "madvise" : "mprotect");
    row("bare switch", "ns", f.bare, 10);
    row("park and wake through the scheduler, 2 fibers", "ns", f.pair, 60);
    row("park and wake through the scheduler, 1,000 fibers in a ring", "ns", f.ring, 0);
    row("a fiber's life: start, run, end", "ns", f.life, 0);
    snprintf(name, sizeof name, "memory of a parked fiber, %d of them (PSS)", f.memory.parked);
    row(name, "bytes", f.memory.bytes_each, 5 * 1024);
    row("and the kernel's page tables for it", "bytes", f.memory.table_bytes_each, 0);
    if (json)
        printf("\n]}\n");
    return missed != 0;
}
