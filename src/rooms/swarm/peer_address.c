#include "rooms/swarm/peer_address.h"

#include <string.h>

enum { PORT_TRUSTED_MIN = 1024, PORT_HTTP = 80, PORT_HTTPS = 443, NETWORK_BYTES_4 = 3, NETWORK_BYTES_6 = 6 };

const char *peer_verdict_text(peer_verdict v)
{
    static const char *const texts[PEER_VERDICTS] = {
        "it may be a peer", "it is no address of a host", "it has no port", "it is our own address", "it is a multicast address",
        "it is a loopback address", "it is a private address", "its port belongs to another service",
        "this source has named its share", "enough of this network are known",
    };
    return v < PEER_VERDICTS ? texts[v] : "";
}

static bool is_nobody(addr x)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff}, zero[12];
    if (x.family == 4)
        return x.ip[0] == 0;
    if (x.family != 6)
        return true;
    return memcmp(x.ip, mapped, 12) == 0 || (memcmp(x.ip, zero, 12) == 0 && !addr_is_loopback(x));
}

// 224/4 is multicast, 240/4 is nobody's and its last address the broadcast.
static bool is_for_many(addr x) { return x.family == 4 ? x.ip[0] >= 224 : x.ip[0] == 0xff; }

static bool is_ours(addr x, const peer_address_rules *rules)
{
    for (int i = 0; i < rules->own_count; i++)
        if (addr_eq_ip(x, rules->own[i]) && (rules->own[i].port == 0 || rules->own[i].port == x.port))
            return true;
    return false;
}

static bool is_a_service(uint16_t port) { return port < PORT_TRUSTED_MIN && port != PORT_HTTP && port != PORT_HTTPS; }

peer_verdict peer_address_acceptable(addr x, peer_source from, const peer_address_rules *rules)
{
    bool seen = from == PEER_FROM_INCOMING, trusted = seen || from == PEER_FROM_USER || rules->private_allowed;
    if (is_nobody(x))
        return PEER_NO_ADDRESS;
    if (x.port == 0)
        return PEER_NO_PORT;
    if (is_for_many(x))
        return PEER_IS_MULTICAST;
    if (is_ours(x, rules))
        return PEER_IS_OURSELVES;
    if (addr_is_loopback(x) && !trusted)
        return PEER_IS_LOOPBACK;
    if (addr_is_private(x) && !trusted && from != PEER_FROM_LOCAL)
        return PEER_IS_PRIVATE;
    if (is_a_service(x.port) && from != PEER_FROM_USER)
        return PEER_PORT_IS_A_SERVICE;
    return PEER_ACCEPTABLE;
}

static uint16_t *network_of(peer_tally *t, addr x)
{
    str network = {x.ip, x.family == 4 ? NETWORK_BYTES_4 : NETWORK_BYTES_6};
    return addr_is_private(x) ? NULL : &t->of_network[str_hash(network, t->secret) % PEER_TALLY_NETWORKS];
}

peer_verdict peer_tally_take(peer_tally *t, addr x, peer_source from, int source_max)
{
    uint16_t *network = network_of(t, x);
    if (t->of_source[from] >= source_max || t->of_source[from] == UINT16_MAX)
        return PEER_SOURCE_FULL;
    if (network && *network >= PEER_NETWORK_PEERS_MAX)
        return PEER_NETWORK_FULL;
    t->of_source[from]++;
    if (network)
        ++*network;
    return PEER_ACCEPTABLE;
}

void peer_tally_give(peer_tally *t, addr x, peer_source from)
{
    uint16_t *network = network_of(t, x);
    if (t->of_source[from])
        t->of_source[from]--;
    if (network && *network)
        --*network;
}
