// The runtime's inside: what a fiber and a loop are made of. For fiber.c, scope.c, wait.c, loop.c, worker.c, world.c and
// census.c alone; everybody else uses fiber.h, scope.h, wait.h and loop.h.
#pragma once
#include <stdatomic.h>

#include "base/heap.h"
#include "base/list.h"
#include "rt/loop.h"
#include "rt/stack.h"
#include "rt/switch.h"
#include "rt/wait.h"

enum {
    RUN_BUDGET = 64,                 // switches between two looks at the driver
    TRIM_EVERY_MS = 500,             // the slow tick
    TRIM_AFTER_MS = 2000,            // parked that long, a fiber gives back what lies below its stack pointer
    TRIM_FIBERS_MAX = 1024,          // per tick: a millisecond
    TRIM_LOOKS_MAX = 16 * 1024,      // fibers looked at per tick: another one
    COOL_STACKS_MAX = 64,            // cached stacks whose memory is given back per tick
    SCOPE_DEPTH_MAX = 64,            // fibers within the scopes of fibers
    TABLE_LINES_MAX = 100,           // of the fiber table when we abort
};

typedef enum { FIBER_READY, FIBER_RUNNING, FIBER_PARKED } fiber_state;

// Stands at the high end of its own stack, so that a parked fiber's first page is all that it costs.
struct fiber {
    context      context;
    loop        *loop;
    fiber       *ready_next;         // in the run queue
    fiber_state  state;
    err          result;             // of the park that ends
    bool         permit;             // woken before it parked
    bool         canceled, deaf, trimmed;
    int64_t      until_ns;           // of this park; NEVER_NS: none
    int64_t      deadline_ns;        // ambient
    int64_t      timer_ns;           // where the timer stands in the heap: at until_ns or before (lazily moved)
    heap_node    timer;
    scope       *home, *scope;       // member of; innermost one that it has open (home: none)
    fiber       *member_prev, *member_next;
    gate        *gate;               // where it waits
    fiber       *gate_prev, *gate_next;
    list_link    all;
    world       *world;
    uint64_t     trace;
    const char  *label, *why;
    int64_t      since_ns;
    size_t       depth_max;
    fiber_body  *body;
    void        *arg;
    stack       *stack;
};

typedef struct post {
    struct post *next;
    void       (*task)(void *);
    void        *arg;
    bool         owned;              // made by loop_post, freed when it ran
} post;

struct loop {
    const loop_driver *driver;
    world       *world;
    context      main;               // the thread's own stack: the scheduler
    fiber       *running;            // NULL in the scheduler
    fiber       *ready_first, *ready_last;
    int          budget;
    int64_t      now_ns;
    heap         timers;
    list         all;
    int          fiber_count;
    fiber       *ended;              // has just left its stack
    stacks       stacks;
    scope        root;
    void       (*call)(void *);      // a fiber asks the scheduler to run this on the thread's stack
    void        *call_arg;
    bool         in_work;            // that call is running, or a simulated work: nobody may park
    int64_t      charged_ns;         // by work_charge
    int          works;              // of this loop, waiting or running
    gate         works_room;
    int64_t      tick_ns;            // the next slow tick
    bool         tick_due;           // something happened since the last idle tick
    list_link   *trim_next;          // where the tick goes on
    _Atomic(post *) posts;           // newest first
    _Atomic int  posting;            // threads between their post and their wake: the loop may not go yet
};

extern _Thread_local loop *loop_of_thread;

// What a worker thread does its work for: the world and the trace of the fiber that waits.
typedef struct { world *world; uint64_t trace; } worker_place;
extern _Thread_local worker_place worker_here;

err   fiber_start(scope *s, const char *label, fiber_body *body, void *arg, world *w, uint64_t trace);
err   fiber_park_deaf(int64_t until_ns, const char *why);       // E_OK or E_TIMEOUT; no ambient deadline
void  fiber_end_park(fiber *f, err result);                     // of a parked one: makes it ready
void  fiber_interrupt(fiber *f, err result);                    // the same; one that was just woken gets this result instead
void  fiber_cancel(fiber *f);
void  fiber_timer_fired(fiber *f);

void  loop_next(loop *l, fiber *f);                             // f is parked or ready: runs others until it is its turn
void  loop_ready(loop *l, fiber *f);                            // to the end of the run queue
void  loop_call(loop *l, void (*fn)(void *), void *arg);        // on the thread's own large stack; fn must not park
void  loop_post_node(loop *l, post *p);                         // like loop_post, memory is the caller's

void  census_print(int fd);                                     // the fiber table of this thread's loop
void  crash_handlers_start(void);                               // must_hook, and SIGSEGV for this thread
void  crash_handlers_stop(void);
int64_t time_after(int64_t now_ns, int64_t ns);                 // saturating
static inline int64_t time_nearest(int64_t a, int64_t b)        // of two deadlines, NEVER_NS: none
{
    return a == NEVER_NS ? b : b == NEVER_NS || a < b ? a : b;
}
