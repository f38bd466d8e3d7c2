// Fibers: conversations that look like straight-line code. A fiber has its own guarded stack, belongs to one loop for all
// its life, and gives up the processor only where it parks. Fibers are started through scopes (scope.h) only.
#pragma once
#include "rt/world.h"

typedef struct fiber fiber;

fiber      *fiber_self(void);                    // must be on a fiber
bool        fiber_running(void);                 // are we on a fiber at all?
world      *world_here(void);                    // the machine of the running fiber; inherited from the fiber that started it
void        fiber_world(world *w);               // from here on (and for the fibers started from here) another machine: try, simulator
void        fiber_label(const char *what);       // shown by `ps` and the crash table; a literal or memory that outlives the fiber
uint64_t    fiber_trace(void);                   // the trace id that travels with the conversation (story.h); inherited
void        fiber_set_trace(uint64_t trace);

// Parks the running fiber until fiber_wake, the absolute time (NEVER_NS: none) or the ambient deadline of its scopes.
// `why` (a literal) is shown by `ps`. E_OK woken, E_TIMEOUT, E_CANCELED: once its scope was told to end every park fails
// at once with E_CANCELED (level-triggered).
err  fiber_park(int64_t until_ns, const char *why);
// The same but deaf to cancelling and deadlines: for who has lent out memory (workers, commit waits, a scope's closing).
void fiber_park_uncanceled(const char *why);
void fiber_wake(fiber *f);                       // same loop; waking one that is not parked makes its next park return at once
bool fiber_canceled(void);                       // was the running fiber told to end?
void fiber_yield(void);                          // lets the others run first
err  fiber_sleep(int64_t ns);                    // E_OK after the time, else E_CANCELED or E_TIMEOUT (ambient deadline)
int64_t fiber_deadline_ns(void);                 // the ambient deadline, NEVER_NS when there is none

// ---- a census, for `ps`, metrics and the crash table -----------------------------------------------------------------------
typedef struct {
    const char *label, *why;                     // what it is, what it waits for ("" when running)
    int64_t     since_ns;                        // parked since
    size_t      stack_used_max_bytes;            // deepest use seen so far
    uint64_t    trace;
    str         world_name;
} fiber_view;
int  fiber_census(fiber_view *out, int max);     // fibers of this loop; returns how many there are
typedef struct { int fibers, fibers_max, stacks_cached; size_t stack_bytes; bool guards_by_madvise; } fiber_limits;
fiber_limits fiber_limits_now(void);             // fibers_max: as many guarded stacks as this kernel gives us (said at start)
enum { FIBER_STACK_BYTES = 64 * 1024 };
