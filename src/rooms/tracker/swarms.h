// All torrents and their peers: one store for both families, with ceilings for both, and a hand that goes round it and takes
// away who has not announced for long, a few steps at a time. Pure.
#pragma once
#include "rooms/tracker/peer_set.h"
#include "base/siphash.h"
#include "wire/bt/tracker.h"

enum { SWARMS_TORRENTS_MAX = 1 << 22, SWARMS_PEERS_MAX = 1 << 25, SWARMS_DOWNLOADED_MAX = (1 << 29) - 1 };

typedef struct {
    uint8_t  hash[TRACKER_HASH_BYTES];
    uint32_t downloaded : 29;       // how often it was completed
    uint32_t listed : 1;            // on the allow list: stays when nobody is there
    uint32_t managed : 1;           // peers are handed out as a random graph in which all have about the same degree
    uint32_t private : 1;           // only for people with a pass key
    peer_set sets[2];               // IPv4, IPv6
} torrent;

typedef struct swarms swarms;
typedef struct {
    uint32_t torrents, torrents_max;
    uint32_t peers[2], peers_max;   // by family; the ceiling is for both together
    uint32_t seeds;
    uint64_t expired;               // since the beginning
} swarms_figures;

swarms *swarms_new(uint32_t torrents_max, uint32_t peers_max, siphash_key secret);
void   swarms_free(swarms *s);
swarms_figures swarms_figures_now(const swarms *s);
uint64_t      swarms_bytes(const swarms *s);       // of memory, as it was asked for; looks at every torrent

torrent *swarms_find(swarms *s, const uint8_t hash[TRACKER_HASH_BYTES]);       // until the next swarms_make or swarms_sweep; NULL
torrent *swarms_make(swarms *s, const uint8_t hash[TRACKER_HASH_BYTES]);       // that or a new one; NULL: torrents_max are there
torrent *swarms_torrent(swarms *s, uint32_t number);                           // 0 .. figures.torrents - 1, in no order

peer_set *torrent_set(torrent *t, int family);
uint32_t  torrent_seeds(const torrent *t);
uint32_t  torrent_leechers(const torrent *t);

typedef enum { SWARMS_SAME, SWARMS_NEW, SWARMS_CHANGED, SWARMS_FULL } swarms_outcome;
typedef struct {
    uint32_t position;              // where it stands now, until its set changes; PEER_NONE when FULL
    uint8_t  minute_before;         // of its last announce; if NEW the same as now
    bool     was_leecher;           // it was known, and no seed
} swarms_place;
// Takes what a peer says of itself. CHANGED: another address, or it is a seed now, or no longer. FULL: peers_max are there, and
// it is not one of them.
swarms_outcome swarms_put(swarms *s, torrent *t, const peer *p, swarms_place *place);
bool          swarms_remove(swarms *s, torrent *t, int family, uint32_t tag);      // false: it was not there

// The hand does `steps`: a step looks at a peer, or goes on to the next torrent. Peers older than expire_minutes (at most
// SWARMS_EXPIRE_MINUTES_MAX) go, and torrents that nobody has and that are not listed. `seen`, if not NULL, is told each torrent
// that stays. Who gives swarms_round_steps in a round of a known time has the hand go round once in that time.
typedef void swarms_seen(void *arg, const torrent *t);
enum { SWARMS_EXPIRE_MINUTES_MAX = 200 };
void   swarms_sweep(swarms *s, uint8_t minute, int expire_minutes, uint32_t steps, swarms_seen *seen, void *arg);
uint64_t swarms_round_steps(const swarms *s);
