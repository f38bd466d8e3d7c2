// What people are shown: JSON over HTTP and the control socket, and figures a node.
#include "rooms/steering/steering_inside.h"
#include "rt/json_text.h"
#include "rt/loop.h"
#include "talk/control.h"

enum { LOOK_BYTES_MAX = 4 << 20, LOOK_TEXT_BYTES_MAX = 4096 };

static void pair_put(buf *out, const char *before, const char *key, str value)
{
    buf_format(out, "%s\"%s\":", before, key);
    json_put(out, value);
}

static void address_put(buf *out, const char *before, const char *key, addr at, bool port)
{
    arena a = arena_make(LOOK_TEXT_BYTES_MAX);
    pair_put(out, before, key, port ? addr_text(&a, at) : addr_ip_text(&a, at));
    arena_free(&a);
}

void steering_ranking_json(steering *s, const steering_order_of *o, buf *out)
{
    address_put(out, "{", "network", o->client.network.prefix, false);
    buf_format(out, ",\"bits\":%d", o->client.network.bits);
    pair_put(out, ",", "place", o->client.place);
    pair_put(out, ",", "region", o->client.region);
    buf_put(out, S(",\"ranking\":["));
    for (int i = 0; i < o->count; i++) {
        const ranking_row *row = &o->rows[i];
        const topology_node *n = &s->top->nodes[row->node];
        const health *h = &s->health[row->node];
        pair_put(out, i ? ",\n{" : "\n{", "node", s->top->ranks[row->node].name);
        pair_put(out, ",", "cdn", s->top->cdns[n->cdn].name);
        address_put(out, ",", "address", n->at, true);
        pair_put(out, ",", "distance", str_z(ranking_distance_text(row->distance)));
        pair_put(out, ",", "standing", str_z(ranking_standing_text(row->standing)));
        buf_format(out, ",\"away_per_mille\":%d,\"load_per_mille\":%d,\"answer_ms\":%lld}", h->away_per_mille, h->load_per_mille,
                   (long long)h->answer_ms);
    }
    buf_put(out, S("]}\n"));
}

void steering_nodes_json(steering *s, buf *out)
{
    buf_format(out, "{\"ttl_s\":%lld,\"reports\":%d,\"networks\":%d,\"nodes\":[", (long long)(s->ttl_ns / NS_PER_S),
               reports_count(s->reports, &s->report_rules, loop_now_ns()), s->top->network_count);
    for (int i = 0; i < s->top->node_count; i++) {
        const topology_node *n = &s->top->nodes[i];
        const ranking_node *k = &s->top->ranks[i];
        const health *h = &s->health[i];
        pair_put(out, i ? ",\n{" : "\n{", "node", k->name);
        pair_put(out, ",", "cdn", s->top->cdns[n->cdn].name);
        address_put(out, ",", "address", n->at, true);
        pair_put(out, ",", "place", k->place);
        pair_put(out, ",", "state", !h->known ? S("not checked yet") : h->alive ? S("alive") : S("dead"));
        buf_format(out, ",\"capacity_bps\":%lld,\"away_per_mille\":%d,\"load_per_mille\":%d,\"answer_ms\":%lld,\"checks\":%lld,\"failures\":%lld,"
                   "\"changes\":%lld}", (long long)k->capacity_bps, h->away_per_mille, h->load_per_mille, (long long)h->answer_ms,
                   (long long)h->checks, (long long)h->failures, (long long)h->changes);
    }
    buf_put(out, S("],\"names\":["));
    for (int i = 0; i < s->top->name_count; i++) {
        pair_put(out, i ? ",{" : "{", "name", s->top->names[i].name);
        buf_format(out, ",\"version\":%llu}", (unsigned long long)s->names[i].version);
    }
    buf_put(out, S("]}\n"));
}

// ---- Prometheus text: a line a node --------------------------------------------------------------------------------------------------

static int64_t figure_of(const health *h, int which)
{
    return which == 0 ? h->alive : which == 1 ? h->away_per_mille : which == 2 ? h->answer_ms : h->failures;
}

void steering_metrics(steering *s, buf *out)
{
    static const struct { const char *name, *type, *help; } figures[] = {
        {"naru_steering_node_alive", "gauge", "1: the node answers its health checks"},
        {"naru_steering_node_away_per_mille", "gauge", "The share of client networks that the node sends elsewhere"},
        {"naru_steering_node_answer_milliseconds", "gauge", "How long the last health check took"},
        {"naru_steering_node_check_failures_total", "counter", "Failed health checks"},
    };
    for (int f = 0; f < (int)(sizeof figures / sizeof *figures); f++) {
        buf_format(out, "# HELP %s %s\n# TYPE %s %s\n", figures[f].name, figures[f].help, figures[f].name, figures[f].type);
        for (int i = 0; i < s->top->node_count; i++) {
            buf_format(out, "%s{node=", figures[f].name);
            json_put(out, s->top->ranks[i].name);
            buf_format(out, "} %lld\n", (long long)figure_of(&s->health[i], f));
        }
    }
}

// ---- the control socket ------------------------------------------------------------------------------------------------------------

static void on_show(void *arg, const http_request *q, http_reply *reply, arena *msg)
{
    buf out = buf_make(LOOK_BYTES_MAX);
    (void)q;
    steering_nodes_json(arg, &out);
    control_answer(reply, &out, msg);
}

static void on_why(void *arg, const http_request *q, http_reply *reply, arena *msg)
{
    addr client;
    str wanted = http_query_get(q, S("client"), msg);
    steering_order_of o;
    if (!addr_parse_ip(wanted, 0, &client)) {
        control_error(reply, 400, S("client wants an IP address"), msg);
        return;
    }
    buf out = buf_make(LOOK_BYTES_MAX);
    steering_rank_client(arg, client, 0, &o);
    steering_ranking_json(arg, &o, &out);
    control_answer(reply, &out, msg);
}

void steering_routes_open(steering *s)
{
    enum { ROUTES = 2 };
    control_route *routes = arena_array(s->room->memory, control_route, ROUTES);
    routes[0] = (control_route){"/show", on_show, s};
    routes[1] = (control_route){"/why", on_why, s};
    control_add(s->room, routes, ROUTES);
}
