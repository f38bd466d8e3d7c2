// The tracker's decisions: an announce or a scrape in, what to say out. No socket, no clock, no disk: `now_s` is told, what has
// changed is told on. Both doors (udp.h, http.h) ask here.
#pragma once
#include "rooms/tracker/access.h"
#include "rooms/tracker/newcomers.h"
#include "rooms/tracker/swarms.h"

enum {
    ANNOUNCE_FEW_PEERS = 3,         // who was told of fewer, and wanted more, may come again after the minimum interval
    ANNOUNCE_TRUST_MAX = 16,
    ANNOUNCE_NEVER = -1,            // BEP 31
};

typedef struct {
    uint32_t interval_s, interval_min_s;
    int      wanted, wanted_max;    // peers to tell of when the asker does not say; and at most
    int      degree;                // in a managed swarm
    uint32_t new_peers_max, new_torrents_max;       // of one network, in NEWCOMERS_WINDOW_S
    struct { addr prefix; int bits; } trust[ANNOUNCE_TRUST_MAX];    // believed in `ip`, not counted; loopback always is
    int      trust_count;
} announce_rules;

typedef enum { CHANGE_HERE, CHANGE_GONE } change_kind;
typedef void announce_changed(void *arg, change_kind kind, const uint8_t *hash, const peer *p);   // worth being remembered

typedef struct {
    swarms        *store;
    access         access;
    announce_rules rules;
    siphash_key    tags, ids;       // secrets: who a peer is; connection ids
    newcomers      new_peers, new_torrents;
    chance         chance;
    int64_t        now_s;           // never goes back; set before each request
    announce_changed *changed;
    void          *changed_arg;
} tracker;

typedef struct {
    // In: where compact peers may be put, and how many.
    unsigned char *room[2];         // IPv4, IPv6; NULL: not of this family
    int            room_for[2];
    // Out.
    const char    *refusal;         // a literal; NULL: taken
    int            retry_min;       // with a refusal: come again then; 0: not said; ANNOUNCE_NEVER
    uint32_t       interval_s, interval_min_s, seeds, leechers;
    int            count[2];
} announce_told;

// from: the address the announce came from, as proven; key: the pass key of the path, empty: none.
void announce(tracker *t, addr from, str key, const tracker_announce *said, announce_told *told);
// A torrent's figures; zeros when it is not known, or not to be known without a pass key.
tracker_swarm scrape(tracker *t, str key, const uint8_t hash[TRACKER_HASH_BYTES]);

// An IPv4 address in IPv6's clothes (::ffff:1.2.3.4) is IPv4.
addr    address_plain(addr x);
uint8_t announce_minute(const tracker *t);
bool    announce_trusts(const announce_rules *rules, addr from);
