// No edge at all: clients speak to the origin themselves. Most cases must fail here, or they say nothing about a cache.
#include "rt/sim.h"
#include "stage.h"

typedef struct {
    sim        *sim;
    stage_play *play;
    void       *arg;
} theatre;

static void first(void *arg)
{
    theatre *t = arg;
    addr origin = addr_v4(0x0a000002, 8080), visitor = addr_v4(0x0a000003, 0);
    edge_stage stage = {.name = "without an edge", .edge = origin, .origin_at = origin, .host = S(STAGE_HOST), .simulated = true};
    stage.origin = sim_host(t->sim, S("origin"), &origin, 1, (sim_disk){0});
    stage.visitor = sim_host(t->sim, S("visitor"), &visitor, 1, (sim_disk){0});
    fiber_world(stage.visitor);
    t->play(&stage, t->arg);
}

bool stage_direct(stage_play *play, void *arg)
{
    theatre t = {.sim = sim_new(1), .play = play, .arg = arg};
    err e = sim_run(t.sim, first, &t);
    sim_free(t.sim);
    return e == E_OK;
}
