// What up_service.c and up_loop.c share: the process of one service, and its loops. What every_loop rooms have, each loop has; loop 0
// speaks with the supervisor and gives the others their orders.
#pragma once
#include <stdatomic.h>

#include "cmd/up_service.h"
#include "rt/loop.h"

enum { UP_PROCESS_MEMORY_BYTES_MAX = 16 << 20 };

typedef enum { UP_ORDER_CHECK, UP_ORDER_RELOAD, UP_ORDER_END } up_order;

typedef struct {
    up_process     *process;
    int             number;
    _Atomic(loop *) loop;                // NULL: does not run yet
    arena           memory, reloaded;
    node            node;
    room           *room;
    _Atomic unsigned beats;              // it turns
    unsigned        beats_seen;          // by loop 0
    gate            woken;               // an order has come
    bool            ordered, good;
    str             why;                 // not good; in `memory`
} up_loop;

struct up_process {
    const up_plan    *plan;
    const up_service *service;
    service_ends      ends;
    int               number, code, count;       // count: of loops
    arena             memory;
    world            *world;
    up_loop           loops[UP_LOOPS_MAX];
    conn             *channel;
    gate              ending, answered, obeyed;
    int               at_work;           // loops that have not done yet what they were told (at first: to start)
    up_order          order;
    str               text;              // of the order
    bool              end, replaced;
    turn              asking;
    str              *answer;            // where the answer that is waited for goes
    arena            *answer_memory;
};

// On loop `number`: its room starts. *why lives in the loop's memory.
err  up_loop_start(up_loop *l, str *why);
// On loop 0: all loops do it; false with *why when one did not.
bool up_loops_order(up_process *p, up_order order, str text, str *why);
// On loop 0: until all others have started.
bool up_loops_started(up_process *p, str *why);
// The first fiber of the others: starts, obeys, ends.
void up_loop_run(up_loop *l);
void up_loop_end(up_loop *l);            // conversations may finish, then the room ends
bool up_loops_alive(up_process *p);      // has every loop turned since the last call?
