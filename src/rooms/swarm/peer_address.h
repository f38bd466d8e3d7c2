// Addresses that strangers name as peers: which of them may be connected to at all, and how many of one source or network are
// kept, so that nobody makes us run against a third party. Pure.
#pragma once
#include "base/address.h"

typedef enum {
    PEER_FROM_TRACKER, PEER_FROM_DHT, PEER_FROM_EXCHANGE, PEER_FROM_LOCAL, PEER_FROM_MAGNET, PEER_FROM_INCOMING, PEER_FROM_USER,
    PEER_SOURCES
} peer_source;

typedef enum {
    PEER_ACCEPTABLE,
    PEER_NO_ADDRESS,             // none, 0.0.0.0/8, ::, IPv4 in IPv6 clothes
    PEER_NO_PORT,
    PEER_IS_OURSELVES,
    PEER_IS_MULTICAST,           // and broadcast
    PEER_IS_LOOPBACK,            // named by somebody who is not on this machine
    PEER_IS_PRIVATE,             // named by somebody outside (a private network of ours is not his business)
    PEER_PORT_IS_A_SERVICE,      // below 1024, other than 80 and 443: mail, DNS ... of a third party
    PEER_SOURCE_FULL,            // this source has named its share
    PEER_NETWORK_FULL,           // enough of this /24 (IPv6: /48) are known
    PEER_VERDICTS
} peer_verdict;
const char *peer_verdict_text(peer_verdict v);           // "it is our own address"

typedef struct {
    const addr *own;             // our addresses: listening ones, and the one that others see us with (port 0: any port of it)
    int         own_count;
    bool        private_allowed; // an own network (the small Internet, an organisation): private and loopback peers are welcome
} peer_address_rules;

// Peers from the local network, from an incoming connection or from the user may be private; loopback only from the user and
// by incoming connections, or where private_allowed.
peer_verdict peer_address_acceptable(addr x, peer_source from, const peer_address_rules *rules);

// ---- how many ----------------------------------------------------------------------------------------------------------
enum {
    PEER_TALLY_NETWORKS = 256,               // slots that networks share by keyed hash
    PEER_NETWORK_PEERS_MAX = 32,             // addresses of one slot; private networks are not counted
};
typedef struct {
    uint64_t secret;                         // from the world's chance
    uint16_t of_source[PEER_SOURCES];
    uint16_t of_network[PEER_TALLY_NETWORKS];
} peer_tally;

// May one more be remembered? Counts it. source_max: this source's share. Give it back with the same arguments.
peer_verdict peer_tally_take(peer_tally *t, addr x, peer_source from, int source_max);
void         peer_tally_give(peer_tally *t, addr x, peer_source from);

// ---- who may be asked for peers (BEP 27) --------------------------------------------------------------------------------
// A private torrent's peers come from its trackers alone (and by incoming connections, and from the user's hand).
static inline bool peer_source_allowed(bool private_torrent, peer_source from)
{
    return !private_torrent || from == PEER_FROM_TRACKER || from == PEER_FROM_INCOMING || from == PEER_FROM_USER;
}
