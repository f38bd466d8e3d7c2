#include "base/must.h"
#include "rooms/origin/room_inside.h"
#include "rt/json_text.h"
#include "rt/room_doors.h"
#include "rt/worker.h"
#include "talk/control.h"

enum { MANIFEST_MEMORY_BYTES_MAX = 256 * 1024, SETTINGS_BYTES_MAX = 16 * 1024 };

// ---- what `naru video` asks -------------------------------------------------------------------------------------------

static void on_settings(void *arg, const http_request *q, http_reply *reply, arena *msg)
{
    const origin_room *o = arg;
    buf out = buf_make(SETTINGS_BYTES_MAX);
    (void)q, (void)msg;
    buf_put(&out, S("{\"directory\": "));
    json_put(&out, o->room->directory);
    buf_put(&out, S(", \"ladder_bps\": ["));
    for (int i = 0; i < o->encoding.ladder_count; i++)
        buf_format(&out, "%s%lld", i ? ", " : "", (long long)o->encoding.ladder_bps[i]);
    buf_format(&out, "], \"segment_ms\": %lld, \"rate\": \"%s\"}\n",
               (long long)(o->encoding.segment_ns / NS_PER_MS), o->encoding.constant ? "cbr" : "vbr");
    http_answer(reply, 200, S("application/json"), buf_str(&out));
    buf_free(&out);
}

// ---- the room ---------------------------------------------------------------------------------------------------------

static err doors_open(origin_room *o, str *why)
{
    room *r = o->room;
    addr at[ORIGIN_DOORS_MAX];
    int count = room_addresses(r, false, (uint16_t)config_int(r->settings, origin_settings, "port"), at, ORIGIN_DOORS_MAX);
    for (int i = 0; i < count; i++) {
        door_options options = {.service = "origin", .at = at[i], .conns_max = (int)config_int(r->settings,
                origin_settings, "connections"), .drain = true};
        err e = door_open(r->scope, r->world, options, origin_converse, o, &o->doors[o->door_count]);
        o->door_count += e == E_OK;
        if (e && !room_has_no_ipv6(at[i], e)) {
            *why = str_format(r->memory,
                              "origin cannot listen on " STR_FMT ": %s. Set another port (origin { port N }), or "
                                                                 "end the program that has it: "
                              "ss -lntp shows which.", STR_ARG(addr_text(r->memory, at[i])), err_text(e));
            return e;
        }
    }
    return E_OK;
}

static bool settings_take(origin_room *o, const statement *settings, str *why)
{
    const char *trouble;
    origin_encoding encoding;
    origin_manifest manifest;
    arena memory = arena_make(MANIFEST_MEMORY_BYTES_MAX);
    if (!origin_encoding_of(settings, &encoding, &trouble) || !origin_manifest_of(settings, &manifest, &memory, &trouble)) {
        arena_free(&memory);
        *why = str_copy(o->room->memory, str_z(trouble));
        return false;
    }
    arena_free(&o->manifest_memory);
    o->manifest_memory = memory;
    o->encoding = encoding;
    o->manifest = manifest;
    o->idle_ns = config_int(settings, origin_settings, "idle");
    return true;
}

typedef struct { origin_room *o; char *path; err error; } opening;

static void open_blocking(void *arg)
{
    opening *p = arg;
    p->error = catalogue_open(&p->o->films, p->o->room->world, p->path);
}

static err start(room *r, str *why)
{
    static const control_route routes[] = {{"/settings", on_settings, NULL}};
    origin_room *o = arena_new(r->memory, origin_room);
    must(o);
    o->room = r;
    r->state = o;
    if (!settings_take(o, r->settings, why))
        return E_PROTOCOL;
    opening p = {o, room_path(r, r->memory, S(ORIGIN_FILMS)), E_OK};
    work(open_blocking, &p);
    if (p.error) {
        *why = str_format(r->memory, "origin cannot open its films in %s: %s%s", p.path, err_text(p.error),
                          p.error == E_UNSUPPORTED ? "; it needs openat2 (Linux 5.6)" : "");
        return p.error;
    }
    err e = doors_open(o, why);
    if (e)
        return e;
    control_route *own = arena_array(r->memory, control_route, 1);
    must(own);
    own[0] = (control_route){routes[0].path, routes[0].handler, o};
    control_add(r, own, 1);
    origin_backup(o);
    origin_meters_show();
    return E_OK;
}

static err check(room *r, const statement *settings, str *why)
{
    const char *trouble;
    origin_encoding encoding;
    origin_manifest manifest;
    arena memory = arena_make(MANIFEST_MEMORY_BYTES_MAX);
    bool good = origin_encoding_of(settings, &encoding, &trouble) && origin_manifest_of(settings, &manifest,
            &memory, &trouble);
    arena_free(&memory);
    if (!good)
        *why = str_copy(r->memory, str_z(trouble));
    return good ? E_OK : E_PROTOCOL;
}

static err reload(room *r, const statement *settings, str *why)
{
    return settings_take(r->state, settings, why) ? E_OK : E_PROTOCOL;
}

static void stop(room *r)
{
    origin_room *o = r->state;
    for (int i = 0; i < o->door_count; i++)
        door_stop(o->doors[i]);
}

static void close_blocking(void *arg) { catalogue_close(arg); }

static void gone(room *r)
{
    origin_room *o = r->state;
    if (!o)
        return;
    if (o->films.folder)
        work(close_blocking, &o->films);
    arena_free(&o->manifest_memory);
}

const room_kind origin_kind = {.name = "origin", .settings = origin_settings, .start = start, .check = check,
                               .reload = reload, .stop = stop, .gone = gone};
