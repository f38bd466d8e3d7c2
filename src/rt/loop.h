// A loop runs fibers on one thread: a run queue, timers, and a driver that knows how to wait (epoll, or virtual time).
#pragma once
#include "rt/scope.h"

typedef struct loop loop;

typedef struct loop_driver {
    void   *self;
    int64_t (*now_ns)(void *self);                     // the loop's clock (cached per round by the loop)
    // Waits until something may be ready or until_ns (NEVER_NS: for ever); marks sockets and calls fiber_wake.
    // poll_only: look, do not wait. The simulator moves its clock to the next event here.
    // false: nothing will ever happen again (simulator: no event and no timer): the loop ends, reporting stuck fibers.
    bool    (*wait)(void *self, int64_t until_ns, bool poll_only);
    void    (*wake)(void *self);                       // makes wait return; called from any thread; NULL: nobody will
    bool    real;                                      // real time: stacks are trimmed now and then
} loop_driver;

// Runs first(arg) on the first fiber of a new loop on this thread, in `w`; returns when it and all fibers have ended.
// E_LIMIT when not even one guarded stack can be had; E_CANCELED when the fibers waited for what could never happen:
// they were listed on standard error and canceled.
err   loop_run(const loop_driver *driver, world *w, fiber_body *first, void *arg);
loop *loop_here(void);                                 // this thread's, NULL when none runs
int64_t loop_now_ns(void);                             // the round's cached time; cheap
// From any thread: run body(arg) as a task on the loop's next round, outside fibers (keep it tiny: fiber_wake ...).
void  loop_post(loop *l, void (*task)(void *), void *arg);

// The fibers of this loop that run on machine w: how many there are; tells them all to end (a simulated crash).
int  fibers_on(world *w);
void fibers_cancel_on(world *w);

// The real driver (epoll) for this thread; made for one loop and freed after it.
loop_driver *driver_linux_new(void);
void         driver_linux_free(loop_driver *d);

// Runs first(arg) in `count` loops, each on its own thread (the calling one is number 0), and waits for all.
// number 0 .. count-1, at most LOOPS_MAX. E_LIMIT when a thread or its first stack cannot be had; the others run all
// the same.
enum { LOOPS_MAX = 256 };
int loops_advised(void);                               // one a processor
err loops_run(int count, world *w, void (*first)(void *arg, int number), void *arg);

// SIGINT and SIGTERM (signalfd): parks until one comes; returns its number, 0 when canceled. SIGHUP comes here too.
// Signals must be blocked first, before any thread starts: signals_block().
void signals_block(void);
int  signal_wait(void);
