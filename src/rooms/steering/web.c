// What strangers ask over HTTP.
#include <string.h>

#include "rooms/steering/steering_inside.h"
#include "rt/loop.h"
#include "rt/meter.h"
#include "wire/media/steering.h"

enum { REPORT_BYTES_MAX = 2048, IDLE_S = 30, ID_BYTES_MAX = 128, ANSWER_BYTES_MAX = 1 << 20 };

static meter asked = {.name = "naru_steering_requests_total", .help = "HTTP requests by what was asked for", .type = METER_COUNTER,
                      .label = "what", .values = {"steer", "report", "ranking", "metrics", "other"}};
static meter reported = {.name = "naru_steering_reports_total", .help = "Players' reports by what became of them", .type = METER_COUNTER,
                         .label = "verdict", .values = {"taken", "too_fast", "no_room", "unknown_node", "malformed"}};
enum { ASKED_STEER, ASKED_REPORT, ASKED_RANKING, ASKED_METRICS, ASKED_OTHER, REPORT_MALFORMED = REPORT_UNKNOWN_NODE + 1 };

void steering_web_meters_show(void)
{
    meter_show(&asked);
    meter_show(&reported);
}

// Pages from other origins (players) may ask; nothing here is a secret, and nothing is done with cookies.
static void open_to_pages(http_reply *reply)
{
    http_answer_header(reply, S("Access-Control-Allow-Origin"), S("*"));
    http_answer_header(reply, S("Cache-Control"), S("no-store"));
}

static bool id_valid(str id)
{
    for (ptrdiff_t i = 0; i < id.len; i++)
        if (!is_alnum(id.at[i]) && !strchr("-_.&", id.at[i]))
            return false;
    return id.len > 0 && id.len <= ID_BYTES_MAX;
}

// ---- reports ----------------------------------------------------------------------------------------------------------------------

// A pathway, a node's name or address. A CDN's name means the node of it to which this client is sent.
static int node_meant(steering *s, str server, addr client, uint64_t session)
{
    addr at;
    int found = topology_node_find(s->top, server);
    if (found < 0 && addr_parse(server, 80, &at))
        for (int i = 0; i < s->top->node_count && found < 0; i++)
            found = addr_eq_ip(s->top->nodes[i].at, at) ? i : -1;
    if (found >= 0)
        return found;
    steering_order_of o;
    steering_rank_client(s, client, session, &o);
    for (int i = 0; i < o.count && found < 0; i++)
        if (str_eq(s->top->cdns[s->top->nodes[o.rows[i].node].cdn].name, server))
            found = o.rows[i].node;
    return found;
}

static report_verdict report_take(steering *s, addr client, const player_report *p)
{
    report in = {.client = client, .network = topology_network_of(s->top, client), .session = p->session, .failed = p->failed,
                 .throughput_bps = p->throughput_bps, .stalls = p->stalls};
    in.node = node_meant(s, p->server, client, p->session);
    report_verdict v = reports_take(s->reports, &s->report_rules, &in, loop_now_ns());
    if (v == REPORT_TAKEN)
        s->reported_ns = loop_now_ns();
    meter_add_at(&reported, (int)v, 1);
    return v;
}

static void on_report(steering *s, const http_request *q, http_reply *reply)
{
    static const struct { int status; const char *text; } answers[] = {
        [REPORT_TAKEN] = {204, ""}, [REPORT_TOO_FAST] = {429, "too many reports from this address\n"},
        [REPORT_NO_ROOM] = {503, "too many players report\n"}, [REPORT_UNKNOWN_NODE] = {404, "there is no such server here\n"},
    };
    player_report p;
    if (!str_eq(q->method, S("POST"))) {
        http_answer_header(reply, S("Allow"), S("POST, OPTIONS"));
        http_answer(reply, 405, S("text/plain"), S("a report is POSTed\n"));
    } else if (!player_report_read(q->body, &p)) {
        meter_add_at(&reported, REPORT_MALFORMED, 1);
        http_answer(reply, 400, S("text/plain"), S("a report is a JSON object with session, server and what was seen of it\n"));
    } else {
        report_verdict v = report_take(s, q->peer, &p);
        http_answer(reply, answers[v].status, S("text/plain"), str_z(answers[v].text));
    }
}

// ---- steering ---------------------------------------------------------------------------------------------------------------------

// `_DASH_pathway="east"&_DASH_throughput=4000000` (ETSI TS 103 998): what the player uses and sees is a report like any other.
static void note_throughput(steering *s, const http_request *q, uint64_t session, arena *msg)
{
    str pathway = http_query_get(q, S("_DASH_pathway"), msg), rate = http_query_get(q, S("_DASH_throughput"), msg);
    uint64_t bps;
    if (!pathway.len) {
        pathway = http_query_get(q, S("_HLS_pathway"), msg);
        rate = http_query_get(q, S("_HLS_throughput"), msg);
    }
    if (pathway.len > 1 && pathway.at[0] == '"' && pathway.at[pathway.len - 1] == '"')
        pathway = str_sub(pathway, 1, pathway.len - 2);
    if (pathway.len && str_to_u64(rate, &bps) && bps < INT64_MAX)
        (void)report_take(s, q->peer, &(player_report){.server = pathway, .session = session, .throughput_bps = (int64_t)bps, .stalls = -1});
}

static void manifest_fill(const steering *s, const steering_order_of *o, steering_manifest *m)
{
    for (int i = 0; i < o->count && m->count < MEDIA_BASES_MAX; i++) {
        str pathway = topology_pathway(s->top, o->rows[i].node);
        bool there = false;
        for (int k = 0; k < m->count; k++)
            there |= str_eq(m->ranking[k], pathway);
        if (!there)
            m->ranking[m->count++] = pathway;
    }
}

static void on_steer(steering *s, str id, const http_request *q, http_reply *reply, arena *msg)
{
    str name = http_query_get(q, S("session"), msg);
    if (!id_valid(id) || name.len > REPORTS_SESSION_BYTES_MAX || (name.len && !id_valid(name))) {
        http_answer(reply, 404, S("text/plain"), S("/steer/ID: a presentation's id\n"));
        return;
    }
    if (!name.len)
        name = str_format(msg, "%016llx", (unsigned long long)world_random_u64(s->room->world));
    uint64_t session = str_hash(name, 0);
    note_throughput(s, q, session, msg);
    steering_order_of o;
    steering_rank_client(s, q->peer, session, &o);
    steering_manifest m = {.ttl_s = (uint32_t)(s->ttl_ns / NS_PER_S)};
    m.reload_url = str_format(msg, "/steer/" STR_FMT "?session=" STR_FMT, STR_ARG(id), STR_ARG(name));
    manifest_fill(s, &o, &m);
    buf out = buf_make(STEERING_BYTES_MAX);
    if (steering_write(&m, &out))
        http_answer(reply, 200, S("application/json"), str_copy(msg, buf_str(&out)));
    else
        http_answer(reply, 500, S("text/plain"), S("the ranking is too long\n"));
    buf_free(&out);
}

// ---- the rest -----------------------------------------------------------------------------------------------------------------------

static bool may_look(const steering *s, addr peer)
{
    for (int i = 0; i < s->look_count; i++)
        if (addr_in_prefix(peer, s->look[i].prefix, s->look[i].bits))
            return true;
    return s->look_count == 0 && addr_is_loopback(peer);
}

static void on_look(steering *s, bool metrics, const http_request *q, http_reply *reply, arena *msg)
{
    addr client = q->peer;
    str wanted = http_query_get(q, S("client"), msg);
    buf out = buf_make(ANSWER_BYTES_MAX);
    steering_order_of o;
    if (!may_look(s, q->peer)) {
        http_answer(reply, 403, S("text/plain"), S("this is not shown to your address; `look` in the configuration says to whom\n"));
    } else if (wanted.len && !addr_parse_ip(wanted, 0, &client)) {
        http_answer(reply, 400, S("text/plain"), S("client wants an IP address\n"));
    } else if (metrics) {
        steering_metrics(s, &out);
        http_answer(reply, 200, S("text/plain; version=0.0.4"), str_copy(msg, buf_str(&out)));
    } else {
        steering_rank_client(s, client, 0, &o);
        steering_ranking_json(s, &o, &out);
        http_answer(reply, 200, S("application/json"), str_copy(msg, buf_str(&out)));
    }
    buf_free(&out);
}

static void on_request(void *arg, const http_request *q, http_reply *reply, arena *msg)
{
    steering *s = arg;
    bool told = str_eq(q->path, S("/report")), steer = str_starts(q->path, S("/steer/"));
    bool ranking = str_eq(q->path, S("/ranking")), metrics = str_eq(q->path, S("/metrics"));
    meter_add_at(&asked, told ? ASKED_REPORT : steer ? ASKED_STEER : ranking ? ASKED_RANKING : metrics ? ASKED_METRICS : ASKED_OTHER, 1);
    open_to_pages(reply);
    if (str_eq(q->method, S("OPTIONS"))) {
        http_answer_header(reply, S("Access-Control-Allow-Methods"), S("GET, POST, OPTIONS"));
        http_answer_header(reply, S("Access-Control-Allow-Headers"), S("Content-Type"));
        http_answer_header(reply, S("Access-Control-Max-Age"), S("86400"));
        http_answer(reply, 204, S("text/plain"), (str){0});
    } else if (told) {
        on_report(s, q, reply);
    } else if (!str_eq(q->method, S("GET"))) {
        http_answer_header(reply, S("Allow"), S("GET, OPTIONS"));
        http_answer(reply, 405, S("text/plain"), S("this is asked with GET\n"));
    } else if (steer) {
        on_steer(s, str_from(q->path, S("/steer/").len), q, reply, msg);
    } else if (ranking || metrics) {
        on_look(s, metrics, q, reply, msg);
    } else {
        http_answer(reply, 404, S("text/plain"), S("there are /steer/ID, /report, /ranking and /metrics\n"));
    }
}

void steering_web(conn *c, void *arg)
{
    http_serve(c, (http_limits){.body_bytes_max = REPORT_BYTES_MAX, .idle_ns = seconds(IDLE_S), .told = true}, on_request, arg);
}
