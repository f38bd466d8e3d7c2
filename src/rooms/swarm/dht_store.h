// What others announced to us: peers of torrents, each for half an hour, under ceilings. Pure.
#pragma once
#include "base/list.h"
#include "base/map.h"
#include "wire/bt/dht.h"

enum {
    DHT_TORRENTS_MAX = 2000,                 // the least recently announced goes
    DHT_TORRENT_PEERS_MAX = 200,             // of one torrent and family; the oldest goes
    DHT_STORE_PEERS_MAX = 50000,             // all together
    DHT_HOST_PEERS_MAX = 4,                  // of one address in one torrent (several clients behind one NAT)
    DHT_PEER_S = 2100,                       // clients announce every 15 to 30 minutes
};

typedef struct { addr at; int64_t until_ns; } dht_peer;

typedef struct {
    list_link recent;
    uint8_t   hash[DHT_ID_BYTES];
    dht_peer *peers;
    int       count, cap;
} dht_torrent;

typedef struct {
    map  torrents;
    list recent;                             // the least recently announced first
    int  peer_count;
} dht_store;

void dht_store_init(dht_store *s, uint64_t secret);
void dht_store_free(dht_store *s);
void dht_store_add(dht_store *s, const uint8_t hash[DHT_ID_BYTES], addr peer, int64_t now_ns);
// At most max living peers of the family, beginning at a random one. Returns how many.
int  dht_store_find(const dht_store *s, const uint8_t hash[DHT_ID_BYTES], int family, int64_t now_ns, uint64_t random,
                    addr *out, int max);
void dht_store_expire(dht_store *s, int64_t now_ns);         // looks at all: once a minute
