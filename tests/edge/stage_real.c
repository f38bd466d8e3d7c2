#include <stdio.h>

#include "rt/loop.h"
#include "stage.h"
#include "talk/http_fetch.h"

typedef struct {
    stage_places places;
    world       *world;
    stage_play  *play;
    void        *arg;
} theatre;

enum { CONTROL_S = 60, CONTROL_ANSWER_BYTES_MAX = 64 * 1024 };

bool stage_control(const edge_stage *stage, str target, arena *a, str *why)
{
    world *home = world_here();
    if (!stage->control.len)
        return true;
    fiber_world(stage->edge_world);
    conn *c = conn_open_unix(stage->edge_world, str_to_z(a, stage->control), seconds(CONTROL_S));
    conn_deadline(c, seconds(CONTROL_S));
    http_result r = http_fetch(c, S("POST"), S("naru"), target, NULL, 0, (str){0}, CONTROL_ANSWER_BYTES_MAX, a);
    conn_close(c);
    fiber_world(home);
    *why = r.error ? str_z(err_text(r.error)) : r.body;
    return !r.error && r.status == 200;
}

static void first(void *arg)
{
    theatre *t = arg;
    edge_stage stage = {.name = "real", .visitor = t->world, .origin = t->world, .edge_world = t->world, .edge = t->places.edge,
                        .origin_at = t->places.origin, .host = S(STAGE_HOST), .control = t->places.control};
    t->play(&stage, t->arg);
}

bool stage_real(stage_places places, stage_play *play, void *arg)
{
    theatre t = {.places = places, .play = play, .arg = arg, .world = world_linux_new(S("visitor"), NULL, 0)};
    loop_driver *driver = driver_linux_new();
    err e = loop_run(driver, t.world, first, &t);
    driver_linux_free(driver);
    world_linux_free(t.world);
    return e == E_OK;
}
