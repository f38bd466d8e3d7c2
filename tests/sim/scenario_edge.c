// edge: a day of viewers at three edges before one origin. Edges die and come back, with their disk or without it, stall and lose their
// origin; the origin changes objects, is slow, broken, dead. No wrong byte is ever given, nothing is older than it may be without saying so,
// what was purged does not come back; and when the trouble is over everybody is served what is new.
#include <stdio.h>

#include "edge_day.h"
#include "rooms/edge/edge.h"
#include "talk/control.h"
#include "talk/http_fetch.h"

enum {
    DAY_S = 24 * 3600, EVENTS = 90, SETTINGS_BYTES_MAX = 64 * 1024, PURGE_PATIENCE_S = 20, CALM_TRIES_MAX = 40,
    PURGE_ANSWER_BYTES_MAX = 64 * 1024,
};

// ---- the edges ----------------------------------------------------------------------------------------------------------------

static const statement *settings_make(const day *d, arena *a)
{
    config_error error;
    str text = str_format(a, "name edge; slice 64KiB; memory 1MiB; disk %s\nsite films.example { origin " STR_FMT " }\n",
                          d->t->seed % 3 ? "8MB" : "0", STR_ARG(addr_text(a, d->origin_at)));
    statement *block = config_parse(S("sim"), text, a, NULL, NULL, &error);
    must(block && config_check(block, edge_kind.settings, a, &error));
    return block;
}

static void edge_boot(void *arg)
{
    day_edge *e = arg;
    arena a = arena_make(SETTINGS_BYTES_MAX);
    str why = {0};
    if (e->forgets)
        e->number += DAY_EDGES;          // another directory; the number is told by its remainder
    e->forgets = false;
    e->lives++;
    err trouble = node_start(&e->node, e->world, S("edge"), str_format(&a, "/data-%d", e->number));
    if (trouble == E_OK) {
        trouble = node_add(&e->node, &edge_kind, settings_make(e->of, &a), NULL, &why);
        if (!trouble)
            trouble = control_open(&e->node);
        if (trouble && trouble != E_CRASHED && trouble != E_CANCELED)
            trial_failed(e->of->t, "edge %d, life %d, does not start: " STR_FMT, e->number, e->lives, STR_ARG(why));
        e->up = !trouble;
        while (!trouble && fiber_sleep(seconds(3600)) == E_OK)
            ;
        e->up = false;
        node_stop(&e->node);
    }
    arena_free(&a);
}

// ---- what happens -------------------------------------------------------------------------------------------------------------

typedef struct { day *d; scope *hosts; } director;

static void edge_die(director *x, day_edge *e)
{
    sim *s = x->d->t->sim;
    sim_crash(e->world);
    fiber_sleep(sim_between(s, 0, seconds(600)));
    sim_restart(e->world);
    e->forgets = sim_chance(s, 300000);
    sim_boot(e->world, x->hosts, edge_boot, e);
}

static void edge_lose(director *x, world *from, day_edge *e)
{
    sim *s = x->d->t->sim;
    sim_partition(s, e->world, from, true);
    fiber_sleep(sim_between(s, 0, seconds(400)));
    sim_partition(s, e->world, from, false);
}

static void origin_die(director *x)
{
    sim *s = x->d->t->sim;
    sim_crash(x->d->origin);
    fiber_sleep(sim_between(s, 0, seconds(300)));
    sim_restart(x->d->origin);
    sim_boot(x->d->origin, x->hosts, day_origin_boot, x->d);
}

// A tag is purged at one edge, over its control socket. What it acknowledges must hold, also in its next lives.
static void purge(director *x, day_edge *e, int tag)
{
    day *d = x->d;
    arena a = arena_make(SETTINGS_BYTES_MAX);
    int now[DAY_OBJECTS];
    for (int i = 0; i < DAY_OBJECTS; i++)
        now[i] = d->objects[i].version;
    world *home = world_here();
    fiber_world(e->world);
    str path = str_format(&a, "/data-%d/control.sock", e->number), target = str_format(&a, "/edge/purge?tag=tag-%d", tag);
    conn *c = conn_open_unix(e->world, str_to_z(&a, path), seconds(PURGE_PATIENCE_S));
    conn_deadline(c, seconds(PURGE_PATIENCE_S));
    http_result r = http_fetch(c, S("POST"), S("naru"), target, NULL, 0, (str){0}, PURGE_ANSWER_BYTES_MAX, &a);
    conn_close(c);
    fiber_world(home);
    for (int i = tag; i < DAY_OBJECTS && !r.error && r.status == 200; i += DAY_TAGS) {
        e->floor[i] = now[i];
        e->floor_ns[i] = sim_now_ns(d->t->sim);
        d->t->tally.records++;
    }
    arena_free(&a);
}

static void trouble_make(director *x)
{
    day *d = x->d;
    sim *s = d->t->sim;
    day_edge *e = &d->edges[sim_random_below(s, DAY_EDGES)];
    switch (sim_random_below(s, 10)) {
    case 0: case 1: edge_die(x, e); break;
    case 2: edge_lose(x, d->origin, e); break;
    case 3: edge_lose(x, d->viewers[sim_random_below(s, DAY_VIEWERS)], e); break;
    case 4: sim_cut_streams(e->world, d->origin); break;
    case 5: d->origin_broken = !d->origin_broken; break;
    case 6: d->origin_slow = !d->origin_slow; break;
    case 7: origin_die(x); break;
    default:
        purge(x, e, (int)sim_random_below(s, DAY_TAGS));
        if (sim_chance(s, 500000))       // what was acknowledged must be on the disk by now
            edge_die(x, e);
        break;
    }
}

static void changes_run(void *arg)
{
    day *d = arg;
    sim *s = d->t->sim;
    while (!d->calm && !fiber_canceled()) {
        day_object_change(&d->objects[sim_random_below(s, DAY_OBJECTS)], sim_now_ns(s));
        fiber_sleep(sim_between(s, 0, seconds(400)));
    }
}

// ---- the end of the day -------------------------------------------------------------------------------------------------------

// When all is sound and every lifetime is over, everybody gets what the origin has now.
static void served(day *d, int i, bool part)
{
    day_edge *e = &d->edges[i % DAY_EDGES];
    day_object *o = &d->objects[i / DAY_EDGES];
    int language = o->by_language ? i % DAY_LANGUAGES : 0;
    for (int n = 0; n < CALM_TRIES_MAX; n++) {
        if (day_object_ask(d, d->viewers[i % DAY_VIEWERS], e, o, language, part))
            return;
        fiber_sleep(seconds(1));
    }
    trial_failed(d->t, "all is sound, and edge %d does not give object %d%s", e->number, o->number, part ? ", a part of it" : "");
}

static void everybody_is_served(director *x)
{
    day *d = x->d;
    int64_t longest_s = 0;
    for (int i = 0; i < DAY_OBJECTS; i++) {
        const day_object *o = &d->objects[i];
        int64_t s = o->max_age_s + (o->revalidate_s > o->error_s ? o->revalidate_s : o->error_s);
        longest_s = s > longest_s ? s : longest_s;
    }
    fiber_sleep(seconds(longest_s + 60));
    for (int i = 0; i < DAY_EDGES * DAY_TAGS; i++)
        purge(x, &d->edges[i % DAY_EDGES], i / DAY_EDGES);
    for (int i = 0; i < DAY_EDGES * DAY_OBJECTS; i++) {
        served(d, i, true);
        served(d, i, false);
    }
}

static void hosts_make(day *d, arena *a)
{
    sim *s = d->t->sim;
    sim_disk disk = {.write_ns = 20000, .sync_ns = millis(1), .per_kib_ns = 500, .sync_fail_per_million = d->t->seed % 5 ? 0 : 20000};
    d->origin_at = addr_v4(0x0a000001, DAY_ORIGIN_PORT);
    d->origin = sim_host(s, S("origin"), &d->origin_at, 1, (sim_disk){0});
    for (int i = 0; i < DAY_EDGES; i++) {
        d->edges[i] = (day_edge){.at = addr_v4(0x0a000010u + (uint32_t)i, EDGE_PORT), .of = d, .number = i};
        d->edges[i].world = sim_host(s, str_format(a, "edge%d", i), &d->edges[i].at, 1, disk);
    }
    for (int i = 0; i < DAY_VIEWERS; i++) {
        addr at = addr_v4(0x0a000100u + (uint32_t)i, 0);
        d->viewers[i] = sim_host(s, str_format(a, "viewer%d", i), &at, 1, (sim_disk){0});
    }
}

static void day_pass(director *x, scope *viewers)
{
    day *d = x->d;
    sim *s = d->t->sim;
    for (int i = 0; i < EVENTS; i++) {
        fiber_sleep(sim_between(s, 0, seconds(2 * DAY_S / EVENTS)));
        trouble_make(x);
    }
    d->calm = d->over = true;
    d->origin_broken = d->origin_slow = false;
    scope_wait(viewers);
}

void edge_play(trial *t)
{
    day d = {.t = t};
    arena a = arena_make(SETTINGS_BYTES_MAX);
    day_viewer viewers[DAY_VIEWERS];
    sim_link_default(t->sim, (sim_link){.delay_min_ns = millis(1), .delay_max_ns = millis(sim_between(t->sim, 1, 80)),
                                        .lose_per_million = (int)sim_random_below(t->sim, 30000),
                                        .cut_per_million = (int)sim_random_below(t->sim, 3000)});
    day_catalogue_make(&d);
    hosts_make(&d, &a);
    SCOPE(hosts, 0, DAY_EDGES + 2);
    director x = {&d, &hosts};
    sim_boot(d.origin, &hosts, day_origin_boot, &d);
    for (int i = 0; i < DAY_EDGES; i++)
        sim_boot(d.edges[i].world, &hosts, edge_boot, &d.edges[i]);
    SCOPE(changes, 0, 1);
    scope_go(&changes, "changes", changes_run, &d);
    SCOPE(talkers, 0, DAY_VIEWERS);
    for (int i = 0; i < DAY_VIEWERS; i++) {
        viewers[i] = (day_viewer){&d, i};
        scope_go(&talkers, "viewer", day_viewer_run, &viewers[i]);
    }
    day_pass(&x, &talkers);
    sim_link_default(t->sim, (sim_link){.delay_min_ns = millis(1), .delay_max_ns = millis(10)});
    scope_wait(&changes);
    everybody_is_served(&x);
    for (int i = 0; i < DAY_EDGES; i++)
        sim_shut_down(d.edges[i].world);
    sim_shut_down(d.origin);
    if (!d.hits || !d.parts || !d.good)
        trial_failed(t, "the day saw %lld hits and %lld parts in %lld answers: nothing was checked", (long long)d.hits,
                     (long long)d.parts, (long long)d.asked);
    t->tally.records += d.good;
    arena_free(&a);
}
