// Orders: for a network, for one client, and as what the name server is told.
#include "rooms/steering/steering_inside.h"

#include "rt/log.h"
#include "rt/loop.h"
#include "rt/meter.h"

enum { LINE_BYTES_MAX = 4096 };

static meter published = {.name = "naru_steering_rankings_changed_total", .help = "New rankings told to the name server", .type = METER_COUNTER};

static void client_of(const steering *s, int network, uint64_t complained, ranking_client *out)
{
    const topology_network *n = &s->top->networks[network];
    const addr *p = &n->network.prefix;
    *out = (ranking_client){.network = n->network, .place = n->place, .region = n->region, .complained = complained};
    out->hash = str_hash(str_of(p->ip, sizeof p->ip), s->key + (uint64_t)n->network.bits + p->family);
}

void steering_rank_network(steering *s, int network, uint64_t complained, steering_order_of *out)
{
    ranking_state now[RANKING_NODES_MAX] = {0};
    out->network = network;
    client_of(s, network, complained, &out->client);
    for (int i = 0; i < s->top->node_count; i++)
        now[i] = (ranking_state){!s->health[i].known || s->health[i].alive, s->health[i].away_per_mille};
    out->count = ranking_make(s->top->ranks, now, s->top->node_count, &out->client, out->rows);
}

uint64_t steering_complained(steering *s, int network)
{
    int64_t now_ns = loop_now_ns();
    if (!s->reported_ns || now_ns - s->reported_ns > s->report_rules.life_ns)
        return 0;
    return reports_of_network(s->reports, &s->report_rules, network, now_ns);
}

void steering_rank_client(steering *s, addr client, uint64_t session, steering_order_of *out)
{
    int network = topology_network_of(s->top, client);
    uint64_t own = reports_own(s->reports, &s->report_rules, client, session, loop_now_ns());
    steering_rank_network(s, network, own | steering_complained(s, network), out);
}

// ---- for the name server --------------------------------------------------------------------------------------------------------

// Of nodes that are equally good two or more are answered, so that one can stand in for the other. Never a worse one beside a better:
// resolvers turn the order of addresses.
static void line_put(const steering *s, const steering_order_of *o, uint64_t may, buf *out)
{
    const ranking_row *first = NULL;
    arena a = arena_make(LINE_BYTES_MAX);
    int put = 0;
    for (int i = 0; i < o->count && put < s->answers; i++) {
        const ranking_row *row = &o->rows[i];
        if (!(may >> row->node & 1))
            continue;
        if (first && (row->distance != first->distance || row->standing != first->standing))
            break;
        first = first ? first : row;
        if (put == 0)
            buf_format(out, STR_FMT "/%d", STR_ARG(addr_ip_text(&a, o->client.network.prefix)), o->client.network.bits);
        buf_format(out, " " STR_FMT, STR_ARG(addr_ip_text(&a, s->top->nodes[row->node].at)));
        put++;
    }
    if (put)
        buf_put_byte(out, '\n');
    arena_free(&a);
}

static void name_take(steering *s, int number, buf *fresh)
{
    steering_export *e = &s->names[number];
    if (e->version && str_eq(buf_str(&e->text), buf_str(fresh))) {
        buf_free(fresh);
        return;
    }
    buf_free(&e->text);
    e->text = *fresh;
    e->version = ++s->version;
    meter_add(&published, 1);
    log_line("steering", LOG_INFO, "ranking changed", F_STR("name", s->top->names[number].name), F_INT("version", e->version));
}

void steering_publish(steering *s)
{
    uint64_t before = s->version;
    buf fresh[TOPOLOGY_NAMES_MAX];
    for (int i = 0; i < s->top->name_count; i++)
        fresh[i] = buf_make(STEERING_NAMES_BYTES_MAX);
    for (int n = 0; n < s->top->network_count && s->top->name_count; n++) {
        steering_order_of o;
        steering_rank_network(s, n, steering_complained(s, n), &o);
        for (int i = 0; i < s->top->name_count; i++)
            line_put(s, &o, s->top->names[i].nodes, &fresh[i]);
    }
    for (int i = 0; i < s->top->name_count; i++)
        name_take(s, i, &fresh[i]);
    if (s->version != before)
        gate_wake_all(&s->changed);
}
