#include "play_test.h"

#include <stdlib.h>

#include "rt/worker.h"

typedef struct { stage *stage; stage_body *body; } opening;

static void stage_live(void *arg)
{
    opening *o = arg;
    o->stage->director = world_here();
    if (o->stage->sim)
        fiber_world(o->stage->world);
    o->body(o->stage);
}

void stage_simulated(uint64_t seed, sim_disk disk, stage_body *body, void *arg)
{
    addr at = addr_v4(0x0a000001, 0);
    stage t = {.sim = sim_new(seed), .directory = "/data", .memory = arena_make(64 << 20), .arg = arg};
    t.world = sim_host(t.sim, S("host"), &at, 1, disk);
    CHECK_INT(sim_run(t.sim, stage_live, &(opening){&t, body}), E_OK);
    arena_free(&t.memory);
    sim_free(t.sim);
}

static void tree_remove(world *w, const char *path)
{
    arena a = arena_make(1 << 20);
    str *names;
    int count = 0;
    if (dir_list(w, path, &a, &names, &count) == E_OK)
        for (int i = 0; i < count; i++)
            tree_remove(w, str_to_z(&a, str_format(&a, "%s/" STR_FMT, path, STR_ARG(names[i]))));
    path_remove(w, path);
    arena_free(&a);
}

void stage_real(stage_body *body, void *arg)
{
    stage t = {.directory = "/tmp/naru-keep-XXXXXX", .memory = arena_make(64 << 20), .arg = arg};
    CHECK(mkdtemp(t.directory));
    t.world = world_linux_new(S("here"), NULL, 0);
    loop_driver *driver = driver_linux_new();
    CHECK_INT(loop_run(driver, t.world, stage_live, &(opening){&t, body}), E_OK);
    driver_linux_free(driver);
    tree_remove(t.world, t.directory);
    world_linux_free(t.world);
    arena_free(&t.memory);
}

static void stage_work_run(void *arg)
{
    opening *o = arg;
    o->body(o->stage);
}

void stage_work(stage *t, stage_body *body) { work(stage_work_run, &(opening){t, body}); }

void stage_restart(stage *t)
{
    world *here = world_here();
    fiber_world(t->director);                 // a host is crashed from another one
    sim_crash(t->world);
    sim_restart(t->world);
    fiber_world(here);
}

typedef struct { stage *stage; const char *path; int64_t offset; } damage;

static void damage_run(void *arg)
{
    damage *d = arg;
    file *f;
    unsigned char byte = 0;
    size_t got;
    CHECK_INT(file_open(d->stage->world, d->path, FILE_READ | FILE_WRITE, 0, &f), E_OK);
    CHECK_INT(file_read(f, d->offset, &byte, 1, &got), E_OK);
    CHECK_INT(got, 1);
    byte ^= 0x20;
    CHECK_INT(file_write(f, d->offset, &(struct iovec){&byte, 1}, 1), E_OK);
    CHECK_INT(file_sync(f), E_OK);
    file_close(f);
}

void stage_damage(stage *t, const char *path, int64_t offset)
{
    work(damage_run, &(damage){t, path, offset});
}
