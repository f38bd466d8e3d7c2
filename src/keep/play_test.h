// The stage for keep's tests: a body on a fiber in the simulated world or in the real one, over an empty directory.
#pragma once
#include "rt/scope.h"
#include "rt/sim.h"
#include "test.h"

typedef struct {
    sim   *sim;                       // NULL in the real world
    world *world, *director;
    char   directory[64];
    arena  memory;
    void  *arg;
} stage;

typedef void stage_body(stage *t);

static const sim_disk quick_disk = {.write_ns = 1000, .sync_ns = 100000, .per_kib_ns = 100};

void stage_simulated(uint64_t seed, sim_disk disk, stage_body *body, void *arg);
void stage_real(stage_body *body, void *arg);
void stage_work(stage *t, stage_body *body);          // runs it in one work()
// The host dies (if it has not yet) and comes back; everything of it must have been closed.
void stage_restart(stage *t);
// A byte of a file is changed behind everybody's back.
void stage_damage(stage *t, const char *path, int64_t offset);
