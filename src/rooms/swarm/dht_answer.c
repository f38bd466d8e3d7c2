// What is answered to a query. Never more bytes than the caller allows: what a stranger sent, until his address is proven.
#include <string.h>

#include "rooms/swarm/dht_core.h"
#include "rooms/swarm/peer_address.h"

static void nodes_add(const dht_core *c, int side, const uint8_t *target, dht_message *m)
{
    if (c->side[side].on)
        m->node_count += dht_table_nearest(&c->side[side].table, target, m->nodes + m->node_count, DHT_K);
}

static void neighbours(const dht_core *c, const dht_message *q, addr from, dht_message *m)
{
    int want = q->want ? q->want : from.family == 4 ? DHT_WANT_V4 : DHT_WANT_V6;      // BEP 32
    bool six_first = from.family == 6;
    for (int i = 0; i < 2; i++) {
        int side = six_first ? 1 - i : i;
        if (want & (side ? DHT_WANT_V6 : DHT_WANT_V4))
            nodes_add(c, side, q->target, m);
    }
}

static void peers_answer(dht_core *c, const dht_message *q, addr from, dht_message *m, uint8_t token[DHT_TOKEN_BYTES])
{
    uint64_t chance;
    c->settings.random(c->settings.arg, &chance, sizeof chance);
    dht_token_make(&c->guard, from, q->target, token);
    m->token = str_of(token, DHT_TOKEN_BYTES);
    m->peer_count = dht_store_find(&c->store, q->target, from.family, c->now_ns, chance, m->peers, DHT_ANSWER_PEERS_MAX);
    neighbours(c, q, from, m);
}

static void error_answer(dht_message *m, int code, const char *text)
{
    m->kind = DHT_ERROR;
    m->error = code;
    m->error_text = str_z(text);
}

static void announce_answer(dht_core *c, const dht_message *q, addr from, dht_message *m)
{
    addr peer = addr_with_port(from, q->implied_port ? from.port : q->port);
    peer_address_rules rules = {.private_allowed = c->settings.private_allowed};
    if (!dht_token_valid(&c->guard, from, q->target, q->token))
        error_answer(m, DHT_ERROR_PROTOCOL, "Bad token");
    else if (peer_address_acceptable(peer, PEER_FROM_DHT, &rules) != PEER_ACCEPTABLE)
        error_answer(m, DHT_ERROR_PROTOCOL, "Not an address for peers");
    else
        dht_store_add(&c->store, q->target, peer, c->now_ns);
}

// Takes something away: far nodes first, then peers, the address, the token. False: nothing is left to take.
static bool lessen(dht_message *m)
{
    if (m->node_count > 1)
        m->node_count--;
    else if (m->peer_count > 1)
        m->peer_count -= (m->peer_count + 3) / 4;
    else if (m->external.family)
        m->external = (addr){0};
    else if (m->node_count)
        m->node_count = 0;
    else if (m->peer_count)
        m->peer_count = 0;
    else if (m->token.len)
        m->token = (str){0};
    else if (m->error_text.len)
        m->error_text = (str){0};
    else
        return false;
    return true;
}

static bool fit(dht_core *c, dht_message *m, size_t limit)
{
    do {
        buf_clear(&c->out);
        if (dht_message_write(&c->out, m) && !c->out.full && c->out.len <= limit)
            return true;
    } while (lessen(m));
    return false;
}

bool dht_answer(dht_core *c, const dht_message *q, addr from, size_t limit)
{
    uint8_t token[DHT_TOKEN_BYTES];
    dht_message m = {.kind = DHT_RESPONSE, .transaction = q->transaction, .external = from};
    memcpy(m.id, c->side[dht_side_of(from.family)].table.own, DHT_ID_BYTES);
    switch (q->method) {
    case DHT_PING: break;
    case DHT_FIND_NODE: neighbours(c, q, from, &m); break;
    case DHT_GET_PEERS: peers_answer(c, q, from, &m, token); break;
    case DHT_ANNOUNCE_PEER: announce_answer(c, q, from, &m); break;
    default: error_answer(&m, DHT_ERROR_METHOD, "Method Unknown"); break;
    }
    return fit(c, &m, limit < DHT_DATAGRAM_BYTES_MAX ? limit : DHT_DATAGRAM_BYTES_MAX);
}
