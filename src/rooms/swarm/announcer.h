// How a torrent finds peers: announces to its trackers (BEP 3, 12, 31) and to the DHT, and repeats it in time. One clock fiber
// serves all torrents; an announce is a short fiber, a bounded number at once, so that thousands of torrents cost little.
//
// Trackers (BEP 12): tiers in order; in a tier a random order, the one that answered goes to its front. By default a further
// tier is asked only when all of the one before failed; `every_tier` asks one tracker of each tier.
#pragma once
#include "base/heap.h"
#include "rooms/swarm/dht.h"
#include "rooms/swarm/peer_address.h"
#include "rt/scope.h"
#include "talk/tracker_ask.h"

enum {
    ANNOUNCER_TRACKERS_MAX = 128,            // of a torrent; further ones are passed over
    ANNOUNCER_TORRENTS_MAX = 20000,
    ANNOUNCER_AT_ONCE_MAX = 50,              // announces to trackers that run at the same time
    ANNOUNCER_DHT_AT_ONCE_MAX = 10,          // look-ups in the DHT
    ANNOUNCER_ERROR_BYTES_MAX = 120,
    ANNOUNCER_INTERVAL_S = 1800,             // when the tracker says nothing
    ANNOUNCER_INTERVAL_S_MIN = 60,           // what a tracker can make us do
    ANNOUNCER_INTERVAL_S_MAX = 24 * 3600,
    ANNOUNCER_HURRY_S = 60,                  // "need peers": the least pause, unless the tracker's min interval is longer
    ANNOUNCER_OWN_S_MIN = 5,                 // both, in an own network (tracker_asker.private_allowed)
    ANNOUNCER_RETRY_S = 15, ANNOUNCER_RETRY_S_MAX = 1800,    // after failures: doubled each time
    ANNOUNCER_DHT_S = 900, ANNOUNCER_DHT_HURRY_S = 120,
};

// For all torrents of a room.
typedef struct announcers announcers;
typedef struct {
    const tracker_asker *asker;              // borrowed
    dht  *dht;                               // NULL: none
    bool  every_tier;
    int   at_once_max;                       // 0: ANNOUNCER_AT_ONCE_MAX
} announcers_settings;
// Starts the clock in the scope; freed with it. E_LIMIT, E_CANCELED.
err announcers_start(scope *s, const announcers_settings *settings, announcers **out);

typedef struct { str url; int tier; } announcer_url;     // tier 0 is asked first (metainfo_tracker has the same shape)

typedef struct {
    uint8_t hash[TRACKER_HASH_BYTES], peer_id[TRACKER_HASH_BYTES];
    uint32_t key;
    uint16_t port;                           // where peers reach us
    bool     private_torrent;                // BEP 27: no DHT
    bool     complete;                       // at the start: `completed` is never said
    const announcer_url *trackers;           // copied
    int      tracker_count;
} announcer_torrent;

// Bytes; how many peers are wanted, -1: as many as the tracker likes, 0: none.
typedef struct { int64_t uploaded, downloaded, left; int wanted; } announcer_figures;

typedef struct {
    // All run on the announcer's fibers and must not park.
    void (*figures)(void *arg, announcer_figures *out);                  // asked before each announce
    void (*peers)(void *arg, const addr *list, int count, peer_source from);
    void (*external)(void *arg, addr ip);    // how a tracker sees us (BEP 24); may be NULL
    void *arg;
} announcer_calls;

typedef struct announcer announcer;
// The first announce goes out at once (as its turn comes). NULL: ANNOUNCER_TORRENTS_MAX are there. The announcer is freed by
// announcer_stop, or with the scope.
announcer *announcer_start(announcers *all, const announcer_torrent *t, const announcer_calls *calls);

typedef enum {
    ANNOUNCER_NEEDS_PEERS,                   // as soon as the pauses allow; until the next answer
    ANNOUNCER_COMPLETED,                     // all pieces are there: said at once, once
    ANNOUNCER_USER,                          // a user asked: now, unless the tracker's min interval forbids
} announcer_reason;
void announcer_nudge(announcer *a, announcer_reason why);
// Says `stopped` to the trackers that heard of us, all at the same time, for at most timeout_ns (0: says nothing); then frees
// the announcer. No callback runs after that. Parks (also when the fiber is canceled: then nothing can be said).
void announcer_stop(announcer *a, int64_t timeout_ns);

typedef enum { ANNOUNCER_IDLE, ANNOUNCER_WAITING, ANNOUNCER_QUEUED, ANNOUNCER_ASKING, ANNOUNCER_OUT } announcer_state;
typedef struct {
    str  url, host;                          // views: good until the next park; host is "name:port"
    int  tier;
    announcer_state state;                   // IDLE: a backup, not asked unless those before fail; OUT: not asked any more
    bool answered;                           // the last announce was
    int64_t last_ns, next_ns;                // of world_now_ns; 0: never, not planned
    int64_t seeders, leechers;               // -1: not said
    int  peers;                              // of the last answer
    int  failures;                           // in a row
    str  trouble;                            // the last one's reason, or the tracker's words or warning; empty
} announcer_tracker_view;
int announcer_view(const announcer *a, announcer_tracker_view *out, int max);      // how many there are
