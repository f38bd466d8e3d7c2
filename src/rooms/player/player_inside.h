// What the files of the player share.
#pragma once
#include "rooms/player/player.h"
#include "rt/loop.h"
#include "talk/http_fetch.h"
#include "wire/media/boxes.h"
#include "wire/media/segment_url.h"
#include "wire/media/steering.h"

enum {
    PLAYER_MEMORY_BYTES_MAX = 96 * 1024 * 1024,          // manifests and their tables
    PLAYER_DOWNLOAD_MEMORY_BYTES = 256 * 1024,
    PLAYER_PLACES_MAX = 24,                              // origins (host and port) that are talked to
    PLAYER_ADDRESSES_MAX = 8,
    PLAYER_CONNECT_S = 4,
    PLAYER_ROWS = RATE_AHEAD_MAX,                        // of sizes that a decision looks at
    PLAYER_SILENT_S = 8,                                 // without a byte: the download has failed (the rule may give up sooner)
    PLAYER_LOAD_S = 10,                                  // for a manifest, an index, a ranking
    PLAYER_SOUND_S = 20,                                 // for a segment of sound, or what stands before a rendition
    PLAYER_RESOLVE_S = 5,
    PLAYER_REDIRECTS_MAX = 4,
    PLAYER_NAME_TTL_S_MIN = 5,                           // names are not asked again sooner, whatever their TTL
};

// One origin of a URL: its addresses and the connection that is kept to it.
typedef struct {
    str      authority, host;
    uint16_t port;
    bool     tls, busy;                                  // busy: its conn is in use
    addr     addresses[PLAYER_ADDRESSES_MAX]; int address_count;
    int64_t  expires_ns;                                 // of the addresses
    conn    *conn;
} player_place;

typedef struct {
    str      url;                                        // absolute
    uint64_t bytes, downloads, failures;
} player_server;

// One GET. The caller fills the first part; the counters change while it runs.
typedef struct {
    str      url;                                        // absolute
    uint64_t offset, bytes;                              // a range when bytes > 0
    uint64_t bytes_max;
    int64_t  timeout_ns;                                 // for all of it; 0: as long as bytes come
    buf      body;                                       // by download_free
    int64_t  asked_ns, first_ns, last_ns, ended_ns;
    uint64_t got, told;                                  // told: how long the body is said to be, 0: not said
    err      error;                                      // E_PROTOCOL: an answer that is no success, see status
    int      status;
    str      location;                                   // where the answer came from in the end (redirects); in `memory`
    arena    memory;
} player_download;

struct player {
    world         *world;
    player_options options;
    arena          memory;
    media_presentation *film;
    str            manifest_url;
    media_rendition *rungs[RATE_RUNGS_MAX]; int rung_count;
    media_rendition *sound;                              // NULL: none beside lane 0
    playout        playout;
    rate_memory    rate;
    rate_decision  decision;
    player_server  servers[RATE_SERVERS_MAX]; int server_count;      // by the manifest's order
    int            order[RATE_SERVERS_MAX];              // rank -> server
    player_place   places[PLAYER_PLACES_MAX]; int place_count;
    str            initializations[RATE_RUNGS_MAX + 1];  // fetched; the last is the sound's
    int            taken_rung;                           // whose initialization was given to `take` last; -1
    bool           taken_sound;
    gate           changed;                              // wakes the fetching fiber: a command, a new ranking
    bool           stop, jumped;
    bool           from_outside;                         // the manifest came from a public address: it leads to no private one
    const player_download *running; int running_segment;
    int            rung, server;                         // last used
    int64_t        begun_ns, byte_ns;                    // the last byte that came
    playout_state  told_state;
    uint64_t       session;
    steering_manifest steering; str steering_text, steering_url; bool steered;
    char           trouble[PLAYER_REASON_BYTES];
    player_view    counts;                               // only its counters
};

// player_fetch.c
void player_download_free(player_download *d);
player_download player_download_new(uint64_t bytes_max);
// GETs d->url over the kept connection of its origin or a new one; redirects are followed. Fills d. Runs on a
// fiber of its own or not.
void player_get(player *p, player_download *d);
// POSTs JSON over a connection of its own; the answer's status, 0: none.
int  player_post(player *p, str url, str json);
void player_hang_up(player *p, bool in_order);         // in order: on a loop

// player_load.c: the manifest, playlists and indexes; the rungs, the sound, the servers.
err  player_load(player *p);

// player_decide.c: the decision about a segment (-1: none is missing); rows: room for PLAYER_ROWS * RATE_RUNGS_MAX sizes.
rate_decision player_decide(player *p, int segment, const rate_running *running, uint64_t *rows);
void player_running(const player *p, const player_download *d, int rung, int server, rate_running *out);
int64_t player_capacity_ms(const player *p);             // of the film
uint64_t player_rate_of(const media_rendition *r);

// player_steer.c: bodies of fibers.
void player_steer(void *arg);
void player_report(void *arg);
err  player_steer_once(player *p, uint32_t *ttl_s);

// player.c
int64_t player_now_ms(const player *p);                  // since the start, of the world's time
void player_tell(player *p, player_event e);
err  player_fail(player *p, err e, const char *format, ...) __attribute__((format(printf, 3, 4)));
int  player_rank_of(const player *p, int server);
str  player_server_location(const player *p, int server);
