// The routing table of one family: buckets of nodes that have answered us, by how many leading bits their id shares with
// ours. One node for each IP address (IPv6: for each /64): an address with a thousand ids has one place. Nodes whose id is
// not one that their address may have (BEP 42) give way to nodes whose id is. Pure.
#pragma once
#include "wire/bt/dht.h"

enum {
    DHT_K = 8,                               // nodes of a bucket, and of an answer (BEP 5)
    DHT_SPARE = 8,                           // further ones that wait behind a full bucket
    DHT_BUCKETS = 40,                        // the last holds all that share more bits: 2^40 nodes are no worry
    DHT_FAILS_MAX = 2,                       // silent so many times in a row: replaced
};
#define DHT_GOOD_NS (15ll * 60 * 1000000000) // BEP 5: good while it answered within 15 minutes

typedef struct {
    uint8_t id[DHT_ID_BYTES];
    addr    at;
    bool    fits;                            // BEP 42
    uint8_t fails;
    int64_t answered_ns, asked_ns;
} dht_entry;

typedef struct {
    dht_entry live[DHT_K], spare[DHT_SPARE];
    int       live_count, spare_count;
    int64_t   refreshed_ns;
} dht_bucket;

typedef struct {
    uint8_t    own[DHT_ID_BYTES];
    int        live, spare;
    dht_bucket bucket[DHT_BUCKETS];
} dht_table;

void dht_table_init(dht_table *t, const uint8_t own[DHT_ID_BYTES]);
// Our id has changed: everybody finds a new place (or none).
void dht_table_rekey(dht_table *t, const uint8_t own[DHT_ID_BYTES]);
// This node has answered us from this address. False: it has no place (its address has one already, or all are taken).
bool dht_table_answered(dht_table *t, const uint8_t id[DHT_ID_BYTES], addr at, int64_t now_ns);
// It has not answered.
void dht_table_failed(dht_table *t, addr at);
// Would a node with this id find a place (live or spare)?
bool dht_table_has_room(const dht_table *t, const uint8_t id[DHT_ID_BYTES], addr at);
// The nearest to target, nearest first; those that fail now are left out. Returns how many.
int  dht_table_nearest(const dht_table *t, const uint8_t target[DHT_ID_BYTES], dht_node *out, int max);
// Whom to ping: the one that was silent longest, when that is longer than DHT_GOOD_NS (a failing one: than retry_ns).
// NULL: nobody.
dht_entry *dht_table_stale(dht_table *t, int64_t now_ns, int64_t retry_ns);
// A bucket that nobody was looked for in for DHT_GOOD_NS: an id in it, made of 20 random bytes. Marks it as refreshed.
bool dht_table_refresh(dht_table *t, int64_t now_ns, const uint8_t random[DHT_ID_BYTES], uint8_t target[DHT_ID_BYTES]);
bool dht_same_host(addr a, addr b);          // one place: the same IPv4 address, the same IPv6 /64
