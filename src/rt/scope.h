// A scope owns fibers: it ends only when they have. Closing cancels, then waits.
#pragma once
#include "rt/wait.h"

typedef void fiber_body(void *arg);

// What is to happen when a scope has closed; lies in the memory of whoever asks for it.
typedef struct scope_end {
    void (*run)(void *arg);
    void  *arg;
    struct scope_end *next;
} scope_end;

typedef struct scope {
    struct scope *parent;            // the scope that the opening fiber ran in
    fiber        *owner;             // who opened it; waits in scope_wait and scope_close
    fiber        *members;           // linked through the fiber
    int           count, max;        // running now, ceiling
    int           depth;             // fibers around it, at most SCOPE_DEPTH_MAX
    int64_t       deadline_ns;       // absolute; NEVER_NS: none
    bool          canceled, open, owner_waits;
    gate          room;              // fibers parked in scope_go
    int           entering;          // how many: the scope's closing waits for them too, they look at it once more
    scope_end    *ends;              // run when it has closed
} scope;

// Opens a scope owned by the running fiber. timeout_ns from now (0: none); its fibers inherit the nearest deadline.
void scope_open(scope *s, int64_t timeout_ns, int fibers_max);
// Starts body(arg) on a new fiber. Waits while `max` are at work. E_CANCELED; E_LIMIT when no guarded stack can be had
// (nothing was started then: refuse the conversation).
err  scope_go(scope *s, const char *label, fiber_body *body, void *arg);
err  scope_try_go(scope *s, const char *label, fiber_body *body, void *arg);   // E_LIMIT instead of waiting
err  scope_wait(scope *s);           // until all have ended: E_OK; or E_TIMEOUT / E_CANCELED (they still run then)
void scope_cancel(scope *s);         // tells all, and their scopes, to end; does not wait
void scope_close(scope *s);          // cancel, then wait for the last one (deaf to cancelling); idempotent

// run(arg) when the last fiber has ended, the latest asked for first: frees what the scope's fibers shared.
void scope_at_end(scope *s, scope_end *end, void (*run)(void *arg), void *arg);

// SCOPE(batch, minutes(10), 20); declares and opens; closes on every way out of the block.
#define SCOPE(name, timeout_ns, fibers_max)                                    \
    __attribute__((cleanup(scope_close))) scope name;                          \
    scope_open(&name, (timeout_ns), (fibers_max))
