// The player: fetches a film in segments over HTTP and plays it out, by the decisions of wire/media/rate_decision.
// It stores no pictures: whoever wants to see them takes the segments as they come (`take`). Runs in any
// world.
#pragma once
#include "rooms/player/playout.h"
#include "rt/conn.h"
#include "wire/media/rate_decision.h"

enum {
    PLAYER_MANIFEST_BYTES_MAX = 4 * 1024 * 1024,
    PLAYER_SEGMENT_BYTES_MAX = 64 * 1024 * 1024,
    PLAYER_RESOLVERS_MAX = 4,
    PLAYER_REASON_BYTES = 200,
    PLAYER_START_MS = 2000,                  // the playout delay when nobody says another
    PLAYER_GIVE_UP_S = 60,                   // without a byte from any server while there is nothing to play
    PLAYER_REPORT_S = 5,
};

typedef enum {
    PLAYER_LOADED,                           // the manifest is there
    PLAYER_SWITCHED,                         // another rung than before: rung, rung_before
    PLAYER_MOVED,                            // another server than before
    PLAYER_HELD,                             // a segment has come: rung, segment, bytes, ms
    PLAYER_ABANDONED,                        // a download was given up for another
    PLAYER_FAILED,                           // a server gave nothing, or nonsense: reason
    PLAYER_STATE,                            // the playout's state is another one
    PLAYER_STEERED,                          // the ranking has changed: reason says it
    PLAYER_ENDED,
} player_event_type;

typedef struct {
    player_event_type type;
    int64_t  at_ms;                          // since the start
    int      rung, rung_before, server, segment;
    uint64_t bytes;
    int64_t  ms;                             // of the download
    playout_state state;
    rate_decision decision;                  // that was behind it
    str      reason;                         // for people; gone when the call returns
} player_event;

// A whole segment (or what stands before the first), in the order in which they come: lane 0 the pictures, 1 the
// sound.
typedef struct {
    const media_rendition *rendition;
    int lane, rung, segment;                 // segment -1: the initialization segment, before the first of a rendition and at each change
    str bytes;                               // gone when the call returns
} player_piece;

typedef struct {
    str       url;                           // of the MPD or the multivariant playlist
    addr      resolvers[PLAYER_RESOLVERS_MAX]; int resolver_count;
    struct tls_config *tls;                  // for https; NULL: https is refused. Not owned
    rate_rule rule;
    uint32_t  capacity_ms;                   // of the buffer; 0: RATE_CAPACITY_MS
    uint32_t  start_ms, resume_ms;           // the playout delay; 0: PLAYER_START_MS, and a resume like the start
    int       rung_fixed;                    // -1: the rule decides; else this one (from 0, by rising rate)
    uint32_t  hurry;                         // the film runs so many times faster (a test of long ones); 0: 1
    str       language;                      // of the sound, if there is a choice
    bool      report;                        // tell the steering service how it goes
    bool      start_paused;
    int64_t   stop_after_ns;                 // of the world's time; 0: to the end
    void    (*heard)(void *arg, const player_event *e);
    bool    (*take)(void *arg, const player_piece *piece);      // false: nobody wants more: the player ends
    void     *arg;
} player_options;

typedef struct {
    str      location;                       // service location
    str      host;
    int      rank;                           // from 0
    uint64_t bytes, downloads, failures;
} player_server_view;

typedef struct {
    bool     loaded;
    str      title;
    playout_state state;
    bool     paused;
    int32_t  speed_permille;
    int64_t  position_ms, duration_ms, buffer_ms, sound_buffer_ms, capacity_ms;
    int64_t  startup_ms;                     // -1: not yet
    int      stalls; int64_t stalled_ms, played_ms, paused_ms;
    int      rungs, rung;                    // -1: none yet
    uint64_t bps[RATE_RUNGS_MAX];            // of the rungs
    str      ids[RATE_RUNGS_MAX];
    uint32_t heights[RATE_RUNGS_MAX];
    int64_t  held_ms[RATE_RUNGS_MAX];        // of the film, fetched at each rung
    int      switches; uint64_t switched_bps;            // sum of the differences
    uint64_t fetched_bits;                   // of pictures: segments' durations times their rung's rate, for the mean
    uint64_t bytes, wasted_bytes;            // all; given up or of failed downloads
    int      segments, abandoned, failed;
    player_server_view servers[RATE_SERVERS_MAX]; int server_count, server;      // server: index into servers, -1: none yet
    rate_decision decision;                  // the last
    bool     downloading;
    int      download_segment; uint64_t download_bytes, download_bytes_all;
    str      steering; uint32_t steering_ttl_s;          // the last ranking, "east west"; empty: none
    bool     ended;
    str      trouble;                        // why it ended, empty: in order
} player_view;

typedef struct player player;

player *player_new(world *w, const player_options *options);     // options are copied, texts as well
void    player_free(player *p);
// Plays, on the running fiber, until the film, its viewer or its servers end. E_OK: to the end or told to stop;
// E_UNREACHABLE, E_NO_ENTRY, E_PROTOCOL ...: player_look says why.
err     player_run(player *p);
void    player_look(player *p, player_view *out);                // texts live as long as p

// What the viewer does, from other fibers of the same loop.
void player_stop(player *p);
void player_pause(player *p, bool paused);
void player_speed(player *p, int32_t speed_permille);            // 1000, 2000, 8000, -2000 ...
void player_jump(player *p, int64_t to_ms);

// Thousandths of the course's measure: mean rate in Mbit/s - 4.3 a second of stall and for the start - the
// differences between neighbouring segments in Mbit/s, a segment (Yin et al., SIGCOMM 2015).
int64_t player_quality_milli(const player_view *v);
