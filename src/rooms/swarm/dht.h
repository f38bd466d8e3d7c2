// A node of the distributed hash table: BEP 5, over IPv4 and IPv6 (32), ids that belong to addresses (42), read-only nodes (43).
// docs/dht.md tells how it is built and what it refuses. Nothing is sent to an address that has not proven itself beyond what
// it sent: a query from a new address is answered by a ping first, and in full when its pong has come.
#pragma once
#include "rt/listener.h"
#include "wire/bt/dht.h"

enum {
    DHT_ROUTERS_MAX = 16,                    // bootstrap nodes
    DHT_ROUTER_BYTES_MAX = 255,
    DHT_SEARCHES_MAX = 16,                   // at work, both families together; further callers of dht_find wait
    DHT_NAME_SERVERS_MAX = 4,
    DHT_BYTES_PER_S = 16 * 1024,             // what is sent, all together
};

typedef struct dht dht;

typedef struct {
    world   *world;
    addr     at[2];                          // IPv4 and IPv6 (either may be missing: family 0), with port; 0.0.0.0 and :: are any
    str      directory;                      // where the table is kept (file "dht"); empty: nowhere
    str      routers[DHT_ROUTERS_MAX];       // "host:port" or "[2001:db8::1]:port": asked while we know nobody
    int      router_count;
    addr     dns[DHT_NAME_SERVERS_MAX];      // to find their addresses
    int      dns_count;
    bool     read_only;                      // BEP 43: asks, never answers
    bool     private_allowed;                // an own network: private addresses are as good as others
    int      bytes_per_s_max;                // 0: DHT_BYTES_PER_S
    // Datagrams that are no DHT messages (a later uTP shares the port); NULL: dropped. Must not park.
    void   (*other)(void *arg, datagram_door *d, const datagram *in);
    void    *arg;
} dht_settings;

// Opens the sockets and starts to find its neighbours. Everything runs in the scope and is freed with it; when it is canceled
// the table is written. E_IN_USE, E_ACCESS ... of the sockets; nothing is left then. Texts are copied.
err  dht_start(scope *s, const dht_settings *settings, dht **out);

// Peers of a torrent as they are found, some at a time; duplicates are possible. Must not park.
typedef void dht_found(void *arg, const uint8_t hash[DHT_ID_BYTES], const addr *peers, int count);

typedef struct {
    int nodes_asked, nodes_answered;
    int peers;                               // told to `found`
    int announced;                           // nodes that were told about us
} dht_outcome;

// Looks for peers of a torrent in one family (4, 6; 0: both, one after the other), and with announce_port (0: not) tells the
// nearest nodes that we are one, with implied_port when the NAT in front of us is to name the port. Parks the calling fiber
// for seconds, at most a minute for a family; waits for a turn when DHT_SEARCHES_MAX are at work. The callback runs on other
// fibers meanwhile. E_OK also when nobody was found; E_AGAIN: no other node is known yet; E_CANCELED; E_UNSUPPORTED: no such
// family here.
err  dht_find(dht *d, const uint8_t hash[DHT_ID_BYTES], int family, uint16_t announce_port, bool implied_port, dht_found *found,
              void *arg, dht_outcome *out);
static inline err dht_announce(dht *d, const uint8_t hash[DHT_ID_BYTES], uint16_t port, dht_found *found, void *arg)
{
    return dht_find(d, hash, 0, port, false, found, arg, NULL);
}
// A node that somebody named (a PORT message, a magnet link): it is looked at when there is room for it.
void dht_add_node(dht *d, addr node);
uint16_t dht_port(const dht *d, int family);             // 0: there is no such socket. For PORT messages

typedef struct {
    struct {
        bool    is_on;
        addr    at;
        uint8_t id[DHT_ID_BYTES];
        int     nodes;                       // that answered lately; spare: waiting behind them
        int     spare;
        addr    external;                    // as others see us; family 0: not known yet
    } side[2];                               // IPv4, IPv6
    int     torrents, peers;                 // that others announced to us
    int     searches, searches_waiting;
    int64_t bytes_in, bytes_out, queries_in, queries_out, answers_out, dropped;
    bool    ready;                           // knows somebody
} dht_view;
void dht_look(const dht *d, dht_view *out);
