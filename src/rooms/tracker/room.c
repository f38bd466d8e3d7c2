// The tracker's life: settings, what was known before, doors, and the hand that goes round once a second.
#include "base/heap_memory.h"
#include "rooms/tracker/room_inside.h"
#include "rooms/tracker/udp.h"
#include "rt/log.h"
#include "rt/loop.h"
#include "rt/meter.h"

enum {
    TURNS_UNTIL_EXPIRED = 8,        // the hand goes round so often while a peer may be silent
    STEPS_A_SECOND_MAX = 200000,
};

static meter peers = {.name = "naru_tracker_peers", .help = "Peers known, by family", .type = METER_GAUGE,
                      .label = "family", .values = {"ipv4", "ipv6"}};
static meter torrents = {.name = "naru_tracker_torrents", .help = "Torrents known", .type = METER_GAUGE};
static meter expired = {.name = "naru_tracker_peers_expired_total", .help = "Peers forgotten because they did not announce",
                        .type = METER_COUNTER};

void tracker_core_now(tracker_room *t) { t->core.now_s = loop_now_ns() / NS_PER_S; }

static void meters_update(tracker_room *t, uint64_t expired_before)
{
    swarms_figures f = swarms_figures_now(t->core.store);
    int64_t now[] = {f.peers[0], f.peers[1], f.torrents};
    for (int k = 0; k < 2; k++)
        meter_add_at(&peers, k, now[k] - t->counted[k]);
    meter_add(&torrents, now[2] - t->counted[2]);
    meter_add(&expired, (int64_t)(f.expired - expired_before));
    for (int k = 0; k < 3; k++)
        t->counted[k] = now[k];
}

static void on_seen(void *arg, const torrent *x)
{
    if (x->downloaded > 0)
        keeper_count(arg, x);
}

static void second_pass(tracker_room *t)
{
    tracker_core_now(t);
    uint64_t before = swarms_figures_now(t->core.store).expired;
    uint64_t steps = swarms_round_steps(t->core.store) * TURNS_UNTIL_EXPIRED / ((uint64_t)t->expire_minutes * 60) + 1;
    swarms_sweep(t->core.store, announce_minute(&t->core), t->expire_minutes,
                steps < STEPS_A_SECOND_MAX ? (uint32_t)steps : STEPS_A_SECOND_MAX, on_seen, &t->keep);
    meters_update(t, before);
    keeper_write(&t->keep);
}

static void every_second(void *arg)
{
    fiber_world(((tracker_room *)arg)->room->world);
    while (!fiber_canceled()) {
        fiber_sleep(seconds(1));
        if (!fiber_canceled())
            second_pass(arg);
    }
}

static err parts_start(tracker_room *t, str *why)
{
    room *r = t->room;
    tracker_core_now(t);
    err e = tracker_settings_take(t, why);
    if (e == E_OK)
        e = keeper_open(&t->keep, r, &t->core, t->expire_minutes, why);
    if (e != E_OK)
        return e;
    tracker_routes_open(t);
    tracker_backup(t);
    e = scope_go(r->scope, "tracker hand", every_second, t);
    return e == E_OK ? tracker_doors_open(t, why) : e;
}

static err start(room *r, str *why)
{
    tracker_room *t = memory_zeroed(1, sizeof *t);
    t->room = r;
    t->port = TRACKER_PORT;
    t->real_port = world_port(r->world, TRACKER_PORT);
    t->msg = arena_make(UDP_REQUEST_MEMORY_BYTES);
    r->state = t;
    meter_show(&peers);
    meter_show(&torrents);
    meter_show(&expired);
    tracker_doors_meters_show();
    err e = parts_start(t, why);
    if (e == E_OK)
        log_line("tracker", LOG_NOTICE, "ready", F_INT("torrents", swarms_figures_now(t->core.store).torrents),
                 F_INT("peers_restored", t->keep.restored));
    return e;
}

static err reload(room *r, const statement *block, str *why)
{
    err e = tracker_settings_take_lists(r->state, block, why);
    if (e == E_OK)
        r->settings = block;
    return e;
}

static void stop(room *r)
{
    tracker_room *t = r->state;
    tracker_doors_stop(t);
    keeper_write(&t->keep);
}

static void gone(room *r)
{
    tracker_room *t = r->state;
    if (!t)
        return;
    for (int k = 0; k < 2; k++)
        meter_add_at(&peers, k, -t->counted[k]);
    meter_add(&torrents, -t->counted[2]);
    keeper_close(&t->keep);
    swarms_free(t->core.store);
    arena_free(&t->msg);
    for (int i = 0; i < 2; i++)
        arena_free(&t->lists[i]);
    memory_free(t);
    r->state = NULL;
}

const room_kind tracker_kind = {.name = "tracker", .settings = tracker_settings, .start = start, .reload = reload, .stop = stop, .gone = gone};
