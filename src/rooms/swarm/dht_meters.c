#include "rooms/swarm/dht_meters.h"

#include "rt/meter.h"

static meter nodes = {.name = "naru_swarm_dht_nodes", .help = "Nodes of the hash table that answered lately, by family", .type = METER_GAUGE,
    .label = "family", .values = {"ipv4", "ipv6"}};
static meter queries = {.name = "naru_swarm_dht_queries_total", .help = "Queries of the hash table, by direction", .type = METER_COUNTER,
    .label = "direction", .values = {"in", "out"}};
static meter bytes = {.name = "naru_swarm_dht_bytes_total", .help = "Bytes of the hash table's datagrams, by direction", .type = METER_COUNTER,
    .label = "direction", .values = {"in", "out"}};
static meter answers = {.name = "naru_swarm_dht_answers_total", .help = "Queries of other nodes that were answered", .type = METER_COUNTER};
static meter refused = {.name = "naru_swarm_dht_refused_total", .help = "Datagrams of other nodes that got nothing: nonsense, too many, no room",
    .type = METER_COUNTER};
static meter torrents = {.name = "naru_swarm_dht_stored_torrents", .help = "Torrents that others announced to us", .type = METER_GAUGE};
static meter peers = {.name = "naru_swarm_dht_stored_peers", .help = "Peers that others announced to us", .type = METER_GAUGE};

void dht_meters_show(void)
{
    meter *const all[] = {&nodes, &queries, &bytes, &answers, &refused, &torrents, &peers};
    for (int i = 0; i < (int)(sizeof all / sizeof *all); i++)
        meter_show(all[i]);
}

static void moved(meter *m, int value, int64_t now, int64_t *before)
{
    if (now != *before)
        meter_add_at(m, value, now - *before);
    *before = now;
}

void dht_meters_count(const dht_core *c, dht_counted *before)
{
    for (int i = 0; i < 2; i++)
        moved(&nodes, i, c->side[i].table.live, &before->nodes[i]);
    moved(&queries, 0, c->queries_in, &before->queries_in);
    moved(&queries, 1, c->queries_out, &before->queries_out);
    moved(&bytes, 0, c->bytes_in, &before->bytes_in);
    moved(&bytes, 1, c->bytes_out, &before->bytes_out);
    moved(&answers, 0, c->answers_out, &before->answers_out);
    moved(&refused, 0, c->dropped, &before->dropped);
    moved(&torrents, 0, (int64_t)c->store.torrents.count, &before->torrents);
    moved(&peers, 0, c->store.peer_count, &before->peers);
}

void dht_meters_gone(dht_counted *before)
{
    for (int i = 0; i < 2; i++)
        moved(&nodes, i, 0, &before->nodes[i]);
    moved(&torrents, 0, 0, &before->torrents);
    moved(&peers, 0, 0, &before->peers);
}
