// Health checks: HEAD to each node of the configuration (and to nobody else: an address never comes from outside, and where an answer
// points is not followed), each with a deadline.
#include "base/heap_memory.h"
#include "rooms/steering/steering_inside.h"
#include "rt/log.h"
#include "rt/loop.h"
#include "rt/meter.h"
#include "talk/http_fetch.h"

enum { CHECK_MEMORY_BYTES_MAX = 64 * 1024, LOAD_MAX = 10 * RANKING_AWAY_ALL, ERROR_STATUS = 500 };

static meter checks = {.name = "naru_steering_checks_total", .help = "Health checks by what became of them", .type = METER_COUNTER,
                       .label = "verdict", .values = {"healthy", "failed"}};
static meter alive = {.name = "naru_steering_nodes_alive", .help = "Nodes that are alive", .type = METER_GAUGE};
static meter turned = {.name = "naru_steering_node_changes_total", .help = "Nodes that died or came back", .type = METER_COUNTER};

// What a node says of its own load, if it does: `Endpoint-Load-Metrics: TEXT application_utilization=0.85, ...` (ORCA, Open Request
// Cost Aggregation); per mille, -1: nothing.
int steering_load_read(str field)
{
    str key = S("utilization=");
    ptrdiff_t at = str_find_str(field, key);
    str digits = at < 0 ? (str){0} : str_from(field, at + key.len);
    int64_t n = 0, scale = RANKING_AWAY_ALL;
    bool point = false, any = false;
    for (ptrdiff_t i = 0; i < digits.len && n <= RANKING_AWAY_ALL && scale > 1; i++) {
        if (is_digit(digits.at[i])) {
            scale = point ? scale / 10 : scale;
            n = n * 10 + digits.at[i] - '0';
            any = true;
        } else if (digits.at[i] == '.' && !point) {
            point = true;
        } else {
            break;
        }
    }
    return any ? (int)(n * scale < LOAD_MAX ? n * scale : LOAD_MAX) : -1;
}

static health_check ask(steering *s, int number)
{
    const topology_node *n = &s->top->nodes[number];
    const topology_cdn *cdn = &s->top->cdns[n->cdn];
    arena a = arena_make(CHECK_MEMORY_BYTES_MAX);
    int64_t begun_ns = loop_now_ns();
    conn *c = conn_open(s->room->world, n->at, s->check_deadline_ns);
    conn_deadline(c, begun_ns + s->check_deadline_ns - loop_now_ns() > 0 ? begun_ns + s->check_deadline_ns - loop_now_ns() : 1);
    str host = cdn->host.len ? cdn->host : addr_ip_text(&a, n->at);
    const http_header fields[] = {{S("User-Agent"), S("naru-steering")}, {S("Connection"), S("close")}};
    http_result r = http_fetch(c, S("HEAD"), host, cdn->health, fields, 2, (str){0}, CHECK_MEMORY_BYTES_MAX, &a);
    health_check out = {.answered = r.error == E_OK && r.status < ERROR_STATUS, .answer_ms = (loop_now_ns() - begun_ns) / NS_PER_MS,
                        .load_per_mille = r.error ? -1 : steering_load_read(http_result_header(&r, S("Endpoint-Load-Metrics")))};
    conn_abort(c);
    arena_free(&a);
    return out;
}

static void take(steering *s, int number, health_check c)
{
    health *h = &s->health[number];
    int away = h->away_per_mille;
    bool was = h->alive, changed = health_take(h, &s->health_rules, c);
    meter_add_at(&checks, !c.answered, 1);
    if (changed) {
        meter_add(&alive, h->alive - was);
        meter_add(&turned, 1);
        log_line("steering", h->alive ? LOG_NOTICE : LOG_WARNING, h->alive ? "node is alive" : "node is dead",
                 F_STR("node", s->top->ranks[number].name), F_ADDR("address", &s->top->nodes[number].at), F_INT("answer_ms", c.answer_ms));
    }
    if (changed || h->away_per_mille != away)
        steering_publish(s);
}

void steering_check(void *arg)
{
    steering_checking own = *(steering_checking *)arg;
    steering *s = own.steering;
    memory_free(arg);
    meter_show(&checks);
    meter_show(&alive);
    meter_show(&turned);
    fiber_world(s->room->world);
    meter_add(&alive, s->health[own.node].alive);          // what is known from before a reload
    while (!fiber_canceled()) {
        int64_t every_ns = s->check_every_ns;
        health_check c = ask(s, own.node);
        if (fiber_canceled())
            break;
        take(s, own.node, c);
        fiber_sleep(every_ns - (int64_t)world_random_below(s->room->world, (uint64_t)every_ns / 8));
    }
    meter_add(&alive, -(int64_t)s->health[own.node].alive);
}
