// What fibers of one loop wait with: gates, turns, slots and channels. None of them is for threads.
#pragma once
#include "rt/fiber.h"

// A gate: fibers wait until somebody opens it. First come, first woken.
typedef struct { fiber *first, *last; } gate;
err  gate_wait(gate *g, int64_t until_ns, const char *why);   // E_OK woken, E_TIMEOUT, E_CANCELED
void gate_wait_uncanceled(gate *g, const char *why);
bool gate_wake_one(gate *g);                                  // false: nobody waited
void gate_wake_all(gate *g);

// A turn: one fiber at a time, in order of coming.
typedef struct { bool taken; gate waiting; } turn;
err  turn_take(turn *t, int64_t until_ns);
void turn_give(turn *t);

// Slots: at most `free` at a time (a bound on concurrent hashing, senders to one destination ...).
typedef struct { int free; gate waiting; } slots;
err  slots_take(slots *s, int64_t until_ns);
bool slots_try(slots *s);
void slots_give(slots *s);

// A channel: a bounded queue of pointers between fibers. Memory of the array is the caller's.
typedef struct { void **items; int size, first, count; bool closed; gate senders, receivers; } channel;
channel channel_over(void **items, int size);
err  channel_send(channel *c, void *item, int64_t until_ns);      // waits while full; E_EOF when closed
bool channel_try_send(channel *c, void *item);
err  channel_receive(channel *c, void **item, int64_t until_ns);  // waits while empty; E_EOF when closed and empty
void channel_close(channel *c);
