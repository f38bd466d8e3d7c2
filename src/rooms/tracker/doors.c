// The doors: UDP and HTTP on one port of every address, both families.
#include <string.h>

#include "base/must.h"
#include "rooms/tracker/room_inside.h"
#include "rooms/tracker/udp.h"
#include "rooms/tracker/web.h"
#include "rt/loop.h"
#include "rt/meter.h"
#include "rt/room_doors.h"
#include "talk/http_serve.h"

enum {
    CONNS_PER_ADDRESS_MAX = 200,
    WEB_IDLE_S = 10,                // between two requests: most clients ask once
    WEB_BODY_BYTES_MAX = 1,         // an announce has no body
};

static meter datagrams = {.name = "naru_tracker_udp_requests_total", .help = "UDP requests by what became of them", .type = METER_COUNTER,
                          .label = "verdict", .values = {"dropped", "connected", "announced", "scraped", "refused", "unproven"}};
static meter requests = {.name = "naru_tracker_http_requests_total", .help = "HTTP requests by what became of them", .type = METER_COUNTER,
                         .label = "verdict", .values = {"announced", "scraped", "refused", "unknown"}};

void tracker_doors_meters_show(void)
{
    meter_show(&datagrams);
    meter_show(&requests);
}

static size_t on_datagram(void *arg, datagram_door *d, const datagram *in, unsigned char *out, size_t out_max)
{
    tracker_room *t = arg;
    size_t len;
    (void)d;
    tracker_core_now(t);
    arena_reset(&t->msg);
    udp_verdict v = udp_answer(&t->core, in->peer, str_of(in->at, in->len), &t->msg, out, out_max, &len);
    meter_add_at(&datagrams, (int)v, 1);
    return len;
}

static void on_request(void *arg, const http_request *q, http_reply *reply, arena *msg)
{
    tracker_room *t = arg;
    buf out = buf_make(WEB_ANSWER_BYTES_MAX);
    tracker_core_now(t);
    if (!str_eq(q->method, S("GET"))) {
        http_answer_header(reply, S("Allow"), S("GET"));
        http_answer(reply, 405, S("text/plain"), S("a tracker is asked with GET\n"));
        return;
    }
    web_verdict v = web_answer(&t->core, q->peer, q->path, q->query, msg, &out);
    meter_add_at(&requests, (int)v, 1);
    if (v == WEB_UNKNOWN)
        http_answer(reply, 404, S("text/plain"), S("a tracker answers /announce and /scrape\n"));
    else
        http_answer(reply, 200, S("text/plain"), buf_str(&out));
    buf_free(&out);
}

static void on_conn(conn *c, void *arg)
{
    http_serve(c, (http_limits){.body_bytes_max = WEB_BODY_BYTES_MAX, .idle_ns = seconds(WEB_IDLE_S), .told = true}, on_request, arg);
}

// ---- opening ----------------------------------------------------------------------------------------------------------------

static err pair_open(tracker_room *t, addr at)
{
    datagram_door *udp;
    room *r = t->room;
    door_options options = {.service = "tracker", .at = at, .conns_per_address_max = CONNS_PER_ADDRESS_MAX,
                            .conns_max = (int)config_int(r->settings, tracker_settings, "connections")};
    err e = datagram_open(r->scope, r->world, "tracker", at, false, on_datagram, t, &udp);
    if (e == E_OK)
        e = door_open(r->scope, r->world, options, on_conn, t, &t->tcp[t->door_count]);
    t->door_count += e == E_OK;
    return e;
}

err tracker_doors_open(tracker_room *t, str *why)
{
    addr at[ROOM_DOORS_MAX];
    int count = room_addresses(t->room, false, TRACKER_PORT, at, ROOM_DOORS_MAX);
    for (int i = 0; i < count; i++) {
        err e = pair_open(t, at[i]);
        if (e && !room_has_no_ipv6(at[i], e)) {
            *why = str_format(t->room->memory, "tracker cannot listen on " STR_FMT ": %s. End the program that has the port (ss -lntup "
                              "shows which), or set another (ports { tracker N })", STR_ARG(addr_text(t->room->memory, at[i])), err_text(e));
            return e;
        }
    }
    return E_OK;
}

void tracker_doors_stop(tracker_room *t)
{
    for (int i = 0; i < t->door_count; i++)
        door_stop(t->tcp[i]);
}
