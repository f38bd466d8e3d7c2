// The rate decision (src/wire/media/rate_decision.h) as WebAssembly: the page's player decides with the same code as `naru play`. This is
// the door: one session at a time, numbers in and out, no memory but its own. Numbers over 32 bits come as doubles: JavaScript's numbers.
#include <string.h>

#include "wire/media/rate_decision.h"

#define EXPORT(name) __attribute__((export_name(#name)))

enum { ROWS_MAX = RATE_AHEAD_MAX };

static rate_situation situation;
static rate_memory    memory;
static rate_decision  decision;
static uint64_t       sizes[ROWS_MAX * RATE_RUNGS_MAX];
static int            order[RATE_SERVERS_MAX];

static uint64_t whole(double n) { return n > 0 ? (uint64_t)n : 0; }

EXPORT(start) void start(int rule) { rate_memory_start(&memory, (rate_rule)rule); }
EXPORT(jump) void jump(void) { rate_memory_jump(&memory); }

EXPORT(situate)
void situate(double now_ms, int playout, int buffer_ms, int capacity_ms, int speed_permille, int segment_ms, int left, int rungs, int ahead, int servers)
{
    situation = (rate_situation){
        .now_ms = (int64_t)now_ms, .playout = (rate_playout)playout, .buffer_ms = (uint32_t)buffer_ms, .capacity_ms = (uint32_t)capacity_ms,
        .speed_permille = (uint32_t)speed_permille, .segment_ms = (uint32_t)segment_ms, .segments_left = (uint32_t)left, .rungs = rungs,
        .bytes = sizes, .ahead = ahead < ROWS_MAX ? ahead : ROWS_MAX, .servers = servers,
    };
}

EXPORT(rung) void rung(int i, double bps) { situation.bps[i] = whole(bps); }
EXPORT(size) void size(int row, int i, double bytes) { sizes[row * situation.rungs + i] = whole(bytes); }
EXPORT(bar) void bar(int server) { situation.barred[server] = true; }

EXPORT(running)
void running(int at_rung, int server, double bytes, double got, double elapsed_us, double first_byte_us, int silent_ms)
{
    situation.running = (rate_running){
        .is = true, .rung = at_rung, .server = server, .bytes = whole(bytes), .bytes_got = whole(got), .elapsed_us = whole(elapsed_us),
        .first_byte_us = whole(first_byte_us), .silent_ms = (uint32_t)silent_ms,
    };
}

EXPORT(decide) void decide(void) { decision = rate_decide(&situation, &memory); }

EXPORT(decided)
double decided(int what)
{
    switch (what) {
    case 0: return decision.act;
    case 1: return decision.rung;
    case 2: return decision.server;
    case 3: return decision.wait_ms;
    case 4: return decision.when;
    case 5: return decision.what;
    case 6: return decision.where;
    case 7: return (double)decision.throughput_bps;
    case 8: return (double)decision.throughput_low_bps;
    case 9: return decision.download_ms;
    case 10: return decision.buffer_after_ms;
    case 11: return (double)decision.worth_milli;
    case 12: return (double)decision.next_worth_milli;
    }
    return -1;
}

EXPORT(learn)
void learn(double now_ms, int server, int at_rung, double bytes, double first_byte_us, double elapsed_us, int end)
{
    rate_learn(&memory, &(rate_download){
        .now_ms = (int64_t)now_ms, .server = server, .rung = at_rung, .bytes = whole(bytes), .first_byte_us = whole(first_byte_us),
        .elapsed_us = whole(elapsed_us), .end = end,
    });
}

// The steering's order changed: place(new index, old index or -1) for each, then reorder(count).
EXPORT(place) void place(int i, int before) { order[i] = before; }
EXPORT(reorder) void reorder(int count) { rate_memory_reorder(&memory, order, count); }

// ---- what the compiler and base want of a machine -----------------------------------------------------------------------------------

_Noreturn void must_failed(const char *what, const char *file, int line, const char *function);
_Noreturn void must_failed(const char *what, const char *file, int line, const char *function)
{
    (void)what, (void)file, (void)line, (void)function;
    __builtin_trap();
}

void *memset(void *to, int byte, size_t n)
{
    for (unsigned char *p = to; n--;)
        *p++ = (unsigned char)byte;
    return to;
}

void *memcpy(void *to, const void *from, size_t n)
{
    const unsigned char *f = from;
    for (unsigned char *p = to; n--;)
        *p++ = *f++;
    return to;
}

void *memmove(void *to, const void *from, size_t n)
{
    unsigned char *p = to;
    const unsigned char *f = from;
    for (size_t i = 0; p < f && i < n; i++)
        p[i] = f[i];
    for (size_t i = n; p > f && i-- > 0;)
        p[i] = f[i];
    return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const unsigned char *x = a, *y = b;
    for (size_t i = 0; i < n; i++)
        if (x[i] != y[i])
            return x[i] < y[i] ? -1 : 1;
    return 0;
}
