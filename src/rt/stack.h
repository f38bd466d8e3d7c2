// Guarded stacks for one loop's fibers: cut from slabs, each with an inaccessible guard below. Stacks that were given back
// are kept warm (memory there) up to a bound, then cold (address space alone).
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rt/fiber.h"
#include "rt/switch.h"

enum {
    STACK_PAGE_BYTES = 4096,
    // A sanitizer's frames are several times as large as those of the shipped build.
    STACK_SLOT_BYTES = FIBER_STACK_BYTES * (SWITCH_ASAN || SWITCH_TSAN ? 4 : 1),
    STACK_GUARD_BYTES = 2 * STACK_PAGE_BYTES,      // two pages: libraries are not all built with probes of large frames
    STACK_BYTES = STACK_SLOT_BYTES - STACK_GUARD_BYTES,
    STACK_PAGES = STACK_BYTES / STACK_PAGE_BYTES,
    STACK_SLAB_SLOTS = 64,           // one bit each in a word
    STACKS_MAX = 1 << 20,            // of a process, even where the kernel would give more
    STACKS_WARM_MAX = 256,           // of a loop
    STACKS_WARM_MIN = 16,            // kept warm when the loop is at rest
    STACK_MAPS_RESERVED = 2048,      // mappings left for everything else where guards are mappings
};

typedef struct stack_slab stack_slab;

// Stands at the high end of each stack, above the fiber.
typedef struct stack {
    stack_slab   *slab;
    struct stack *next;              // the next warm one
} stack;

typedef struct {
    stack_slab *slabs;
    stack      *warm;
    int         warm_count, slots, in_use;
} stacks;

// A stack, NULL when the kernel gives no further guarded one.
stack *stack_take(stacks *s);
// Gives one back. The caller may still run on it until it switches away: its memory is not touched before stacks_cool.
void   stack_give(stacks *s, stack *k);
// Gives the memory of at most `most` warm stacks back, leaving `keep`; returns how many.
int    stacks_cool(stacks *s, int keep, int most);
void   stacks_free(stacks *s);                            // all slabs; nothing runs on them any more

static inline unsigned char *stack_low(stack *k) { return (unsigned char *)(k + 1) - STACK_BYTES; }
// How deep memory is there, in bytes from the high end (whole pages).
size_t stack_depth(stack *k);
// Gives back the pages that lie wholly below sp.
void   stack_trim(stack *k, const void *sp);
// Is this address in the guard of one of our stacks? Safe in a signal handler.
stack *stack_of_guard(const stacks *s, const void *address);

int  stacks_max(void);                                    // guarded stacks that a process may have
bool stacks_guarded_by_madvise(void);
void stacks_pretend_old_kernel(bool pretend);             // for tests: guards by mprotect
