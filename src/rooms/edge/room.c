// The edge's life: settings, what is on the disk, doors, and a hand that goes round.
#include "base/heap_memory.h"
#include "rooms/edge/edge_inside.h"
#include "rooms/edge/meters.h"
#include "rt/log.h"
#include "rt/loop.h"
#include "rt/room_doors.h"
#include "rt/worker.h"

enum { HAND_S = 1, LOAD_PER_MILLE_MAX = 10000 };

// ---- TLS ------------------------------------------------------------------------------------------------------------------------

static const char *const alpn[] = {"http/1.1", ""};

// ---- doors ----------------------------------------------------------------------------------------------------------------------

static err door_at(edge *e, addr at, uint16_t port, bool tls, str *why)
{
    room *r = e->room;
    if (!port || (tls && !e->tls))
        return E_OK;
    door_options options = {
        .service = "edge", .at = addr_with_port(at, port), .tls = tls ? e->tls : NULL, .drain = true,
        .conns_max = (int)config_int(r->settings, edge_settings, "connections"),
        .conns_per_address_max = (int)config_int(r->settings, edge_settings, "connections-per-address"),
        .busy = S("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 5\r\nConnection: close\r\n\r\n"),
    };
    err x = door_open(r->scope, r->world, options, edge_serve, e, &e->doors[e->door_count]);
    e->door_count += x == E_OK;
    if (x == E_OK || room_has_no_ipv6(at, x))
        return E_OK;
    *why = str_format(r->memory, "edge cannot listen on " STR_FMT ": %s. End the program that has the port (ss -lntup shows which), or set "
                      "another (edge { port N })", STR_ARG(addr_text(r->memory, options.at)), err_text(x));
    return x;
}

static err doors_open(edge *e, str *why)
{
    addr at[WORLD_ADDRESSES_MAX];
    int count = room_addresses(e->room, false, 0, at, WORLD_ADDRESSES_MAX);
    uint16_t port = (uint16_t)config_int(e->room->settings, edge_settings, "port"),
             tls_port = (uint16_t)config_int(e->room->settings, edge_settings, "tls-port");
    err x = E_OK;
    for (int i = 0; i < count && !x; i++) {
        x = door_at(e, at[i], port, false, why);
        if (!x)
            x = door_at(e, at[i], tls_port, true, why);
    }
    return x;
}

// ---- life -----------------------------------------------------------------------------------------------------------------------

static void meters_update(edge *e)
{
    int64_t memory = e->piece_bytes + e->described_bytes;
    meter_add(&edge_memory, memory - e->counted_memory);
    meter_add(&edge_objects, e->object_count - e->counted_objects);
    e->counted_memory = memory;
    e->counted_objects = e->object_count;
}

// Half of what it was, half of what was given since: one large answer is no load, many are.
static void load_update(edge *e)
{
    int64_t bps = (e->given - e->given_before) * 8 / HAND_S, share = e->capacity_bps ? bps / (e->capacity_bps / 1000 + 1) : 0;
    e->given_before = e->given;
    e->load_per_mille = (e->load_per_mille + (int)(share < LOAD_PER_MILLE_MAX ? share : LOAD_PER_MILLE_MAX)) / 2;
}

static void every_second(void *arg)
{
    edge *e = arg;
    fiber_world(e->w);
    while (fiber_sleep(seconds(HAND_S)) == E_OK) {
        meters_update(e);
        load_update(e);
        memory_evict(e);
    }
}

static err parts_start(edge *e, str *why)
{
    room *r = e->room;
    if (!edge_settings_take(e, why))
        return E_PROTOCOL;
    edge_store_open(e);
    room_directory(r);                                   // by which `naru edge` finds us
    err x = E_OK;
    int64_t disk_bytes = config_int(r->settings, edge_settings, "disk");
    if (disk_bytes)
        x = disk_open(e, disk_bytes, why);
    if (!x)
        x = room_tls(r, "http", alpn, &e->tls, why);
    if (!x)
        x = scope_go(r->scope, "edge hand", every_second, e);
    if (!x && e->access_wanted)
        access_log_open(e);
    edge_routes_open(e);
    return x ? x : doors_open(e, why);
}

static err start(room *r, str *why)
{
    edge *e = memory_zeroed(1, sizeof *e);
    e->room = r;
    e->w = r->world;
    r->state = e;
    edge_meters_show();
    err x = parts_start(e, why);
    if (x == E_OK)
        log_line("edge", LOG_NOTICE, "ready", F_INT("sites", e->set->site_count), F_INT("objects", e->object_count));
    return x;
}

static err tls_renew(edge *e, const statement *block, bool only_try, str *why)
{
    return room_tls_renew(e->room, block, &e->tls, 1, only_try, why);
}

static err check(room *r, const statement *block, str *why)
{
    err x = tls_renew(r->state, block, true, why);
    return x ? x : edge_settings_renew(r->state, block, true, why) ? E_OK : E_PROTOCOL;
}

static err reload(room *r, const statement *block, str *why)
{
    err x = tls_renew(r->state, block, false, why);
    if (x == E_OK && !edge_settings_renew(r->state, block, false, why))
        x = E_PROTOCOL;
    if (x == E_OK)
        r->settings = block;
    return x;
}

static void stop(room *r)
{
    edge *e = r->state;
    e->stopping = true;
    for (int i = 0; i < e->door_count; i++)
        door_stop(e->doors[i]);
}

static void gone(room *r)
{
    edge *e = r->state;
    if (!e)
        return;
    meter_add(&edge_memory, -e->counted_memory);
    meter_add(&edge_objects, -e->counted_objects);
    origins_close(e);
    site_sets_free(e);
    access_log_close(e);
    disk_close(e);
    if (e->buckets)
        edge_store_close(e);
    disk_free(e);
    tls_free(e->tls);
    tls_free(e->origin_tls);
    memory_free(e);
    r->state = NULL;
}

const room_kind edge_kind = {.name = "edge", .settings = edge_settings, .start = start, .check = check, .reload = reload, .stop = stop, .gone = gone};
