#include <stdio.h>

#include "base/must.h"
#include "rooms/edge/edge.h"
#include "rt/sim.h"
#include "stage.h"
#include "talk/control.h"

enum { SETTINGS_BYTES_MAX = 64 * 1024, STARTS_MAX = 1000 };

typedef struct {
    sim        *sim;
    edge_stage  stage;
    str         edge_settings, site_settings;
    stage_play *play;
    void       *arg;
    bool        up, failed;
} theatre;

static statement *settings_make(theatre *t, arena *a)
{
    config_error error = {0};
    const char *memory = str_find_str(t->edge_settings, S("; memory ")) < 0 ? "; memory 16MB" : "";
    str text = str_format(a, "name edge; slice 64KiB%s" STR_FMT "\nsite " STAGE_HOST " www." STAGE_HOST " { origin " STR_FMT STR_FMT " }\n",
                          memory, STR_ARG(t->edge_settings), STR_ARG(addr_text(a, t->stage.origin_at)), STR_ARG(t->site_settings));
    statement *block = config_parse(S("stage"), text, a, NULL, NULL, &error);
    if (block && config_check(block, edge_kind.settings, a, &error))
        return block;
    fprintf(stderr, "naru-edge-cases: the edge's settings: line %d: " STR_FMT "\n", error.line, STR_ARG(error.text));
    return NULL;
}

static void edge_boot(void *arg)
{
    theatre *t = arg;
    arena a = arena_make(SETTINGS_BYTES_MAX);
    node n;
    str why = {0};
    statement *block = settings_make(t, &a);
    t->failed = !block || node_start(&n, t->stage.edge_world, S("edge"), S("/data")) != E_OK;
    if (!t->failed) {
        t->failed = node_add(&n, &edge_kind, block, NULL, &why) != E_OK || control_open(&n) != E_OK;
        if (t->failed)
            fprintf(stderr, "naru-edge-cases: the edge does not start: " STR_FMT "\n", STR_ARG(why));
        t->up = true;
        while (!t->failed && fiber_sleep(seconds(3600)) == E_OK)
            ;
        node_stop(&n);
    }
    arena_free(&a);
}

static void first(void *arg)
{
    theatre *t = arg;
    addr edge = addr_v4(0x0a000001, EDGE_PORT), origin = addr_v4(0x0a000002, 8080), visitor = addr_v4(0x0a000003, 0);
    world *home = world_here();
    t->stage = (edge_stage){.name = "simulator", .edge = edge, .origin_at = origin, .host = S(STAGE_HOST), .simulated = true,
                            .control = S("/data/control.sock")};
    t->stage.edge_world = sim_host(t->sim, S("edge"), &edge, 1, (sim_disk){.write_ns = 10000, .sync_ns = millis(1)});
    t->stage.origin = sim_host(t->sim, S("origin"), &origin, 1, (sim_disk){0});
    t->stage.visitor = sim_host(t->sim, S("visitor"), &visitor, 1, (sim_disk){0});
    SCOPE(hosts, 0, 1);
    must(sim_boot(t->stage.edge_world, &hosts, edge_boot, t) == E_OK);
    for (int i = 0; i < STARTS_MAX && !t->up && !t->failed; i++)
        fiber_sleep(millis(1));
    fiber_world(t->stage.visitor);
    if (t->up && !t->failed)
        t->play(&t->stage, t->arg);
    fiber_world(home);
    sim_shut_down(t->stage.edge_world);
}

bool stage_simulated(uint64_t seed, str edge_settings, str site_settings, stage_play *play, void *arg)
{
    theatre t = {.sim = sim_new(seed), .edge_settings = edge_settings, .site_settings = site_settings, .play = play, .arg = arg};
    err e = sim_run(t.sim, first, &t);
    if (e)
        fprintf(stderr, "naru-edge-cases: fibers were left that nothing would ever wake: %s\n", err_text(e));
    sim_free(t.sim);
    return !e && !t.failed;
}
