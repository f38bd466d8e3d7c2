#include "rooms/mta/mta.h"

#include "base/heap_memory.h"
#include "base/must.h"
#include "rooms/mta/queue.h"
#include "rt/log.h"
#include "rt/room_doors.h"
#include "rt/worker.h"
#include "talk/control.h"

// ---- TLS --------------------------------------------------------------------------------------------------------------

static const char *const alpn[] = {"smtp", ""};           // who comes for HTTP is refused in the handshake (ALPACA)

static err tls_start(mta *m, str *why)
{
    m->tls_client = tls_client_new(m->w, (str){0}, NULL, m->room->memory, why);
    err e = m->tls_client ? room_tls(m->room, "smtp", alpn, &m->tls_smtp, why) : E_TLS;
    return e ? e : room_tls(m->room, "submission", alpn, &m->tls_submission, why);
}

static err tls_renew(mta *m, const statement *block, bool only_try, str *why)
{
    tls_config *const both[] = {m->tls_smtp, m->tls_submission};
    return room_tls_renew(m->room, block, both, 2, only_try, why);
}

// ---- doors ------------------------------------------------------------------------------------------------------------

static err door_at(mta *m, addr at, uint16_t port, str *why)
{
    const statement *block = m->room->settings;
    door_options options = {
        .service = port == 25 ? "smtp" : "submission",
        .at = addr_with_port(at, port),
        .conns_max = (int)config_int(block, mta_settings, "connections"),
        .conns_per_address_max = (int)config_int(block, mta_settings, "connections-per-address"),
        .busy = S("421 4.7.0 Too many connections, try again later\r\n"),
        .tls = port == 465 ? m->tls_submission : NULL,
        .drain = true,
    };
    door *opened;
    err e = door_open(m->room->scope, m->w, options, port == 25 ? mta_converse : mta_converse_submission, m, &opened);
    if (e != E_OK)
        *why = str_format(m->room->memory, "mta: cannot listen on " STR_FMT ": %s", STR_ARG(addr_text(m->room->memory, options.at)), err_text(e));
    return e;
}

static err doors_open(mta *m, str *why)
{
    static const uint16_t ports[] = {25, 587, 465};
    addr at[WORLD_ADDRESSES_MAX];
    int n = room_addresses(m->room, false, 0, at, WORLD_ADDRESSES_MAX);
    for (int i = 0; i < n; i++)
        for (size_t p = 0; p < sizeof ports / sizeof *ports; p++) {
            if (ports[p] == 465 && !m->tls_submission)
                continue;
            err e = door_at(m, at[i], ports[p], why);
            if (e != E_OK)
                return e;
        }
    return E_OK;
}

// ---- life -------------------------------------------------------------------------------------------------------------

static void stop(room *r)
{
    mta *m = r->state;
    queue_finish(m->queue, QUEUE_FINISH_NS);
}

static void gone(room *r)
{
    mta *m = r->state;
    if (!m)
        return;
    queue_free(m->queue);
    spool_close(m->spool);
    tls_free(m->tls_smtp);
    tls_free(m->tls_submission);
    tls_free(m->tls_client);
    r->state = NULL;
    memory_free(m);
}

static err start(room *r, str *why)
{
    mta *m = memory_zeroed(1, sizeof *m);
    r->state = m;
    mta_meters_show();
    m->room = r;
    m->w = r->world;
    if (!mta_settings_take(m, r->settings, why))
        return E_PROTOCOL;
    err e = tls_start(m, why);
    if (e == E_OK)
        e = spool_open(m->w, room_directory(r), r->memory, &m->spool, why);
    if (e != E_OK)
        return e;
    queue_new(m);
    mta_control(m);
    mta_backup(m);
    control_add_story(r, mta_story, m);
    e = room_offer(r, "mta.submit", mta_converse_submission, m);
    if (e == E_OK)
        e = doors_open(m, why);
    if (e == E_OK)
        log_line("mta", LOG_NOTICE, "ready", F_STR("host_name", m->host), F_INT("waiting", spool_count(m->spool)));
    return e;
}

static err check(room *r, const statement *block, str *why)
{
    mta *m = r->state;
    mta old = *m;
    bool good = mta_settings_take(m, block, why);
    *m = old;
    return good ? tls_renew(m, block, true, why) : E_PROTOCOL;
}

static err reload(room *r, const statement *block, str *why)
{
    mta *m = r->state;
    mta old = *m;
    if (mta_settings_take(m, block, why) && tls_renew(m, block, false, why) == E_OK)
        return E_OK;
    *m = old;
    return E_PROTOCOL;
}

const room_kind mta_kind = {.name = "mta", .settings = mta_settings, .start = start, .check = check, .reload = reload, .stop = stop, .gone = gone};
