// A CDN in the simulator: the small Internet with one of its further maps, on simulated hosts whose lines and distances are those of the
// map, in virtual time. Naru's own rooms throughout; viewers are naru's own player. For scenes and tests.
#pragma once
#include "cmd/small_internet.h"
#include "rooms/player/player.h"
#include "rt/sim.h"
#include "talk/http_fetch.h"

typedef struct {
    sim           *sim;
    small_internet net;
    scope         *all;                      // viewers' fibers
    int64_t        begun_ns;
    arena          memory;
} cdn_stage;

typedef void cdn_play(cdn_stage *s, void *arg);
// Builds the map's hosts, waits until steering knows its nodes, calls play (on a fiber) and takes everything down. False: *why (in a).
bool cdn_stage_run(uint64_t seed, const char *map, cdn_play *play, void *arg, arena *a, str *why);
int64_t cdn_now_ms(const cdn_stage *s);              // since play began

// How two places are joined: one way, in milliseconds.
enum { CDN_BESIDE_MS = 2, CDN_REGION_MS = 15, CDN_FAR_MS = 70 };
world *cdn_world(cdn_stage *s, const char *host);
// One more machine, in the same place as a host, with a line of its own.
world *cdn_machine(cdn_stage *s, str name, addr at, const char *beside, int64_t bps);
// The path between two hosts becomes this narrow and slow; 0 bytes_per_s and 0 ms: as it was.
void   cdn_path(cdn_stage *s, const char *a, const char *b, int64_t bytes_per_s, int delay_ms);
void   cdn_kill(cdn_stage *s, const char *host);     // it crashes
// The first address that the host's name server (`resolver`) finds now; family 0: none.
addr   cdn_ask(cdn_stage *s, const char *host, const char *resolver, const char *name);
// The same, with no word to anybody of where the host is (RFC 7871 7.1.2).
addr   cdn_ask_untold(cdn_stage *s, const char *host, const char *resolver, const char *name);
// Whose address that is; empty: nobody's.
str    cdn_host_of(cdn_stage *s, addr at);
// One request from a host: what came..
typedef struct { err error; int status; size_t bytes; int64_t all_ms; str location, cache; } cdn_got;
cdn_got cdn_get(cdn_stage *s, const char *host, addr at, str site, str target, arena *a);
// Any request, with headers and a body; the answer is in the arena.
http_result cdn_request(cdn_stage *s, const char *host, addr at, const char *method, str site, str target, const http_header *headers, int header_count,
                        str body, arena *a);

// A viewer. Every segment is compared with what the film has there.
typedef struct {
    cdn_stage *stage;
    const char  *host, *resolver;
    world       *machine;                    // NULL: the host's own
    player_options options;                  // url and the like; heard and take are the stage's
    void       (*heard)(void *arg, const player_event *e);
    void        *arg;
    player      *player;                     // while it runs
    player_view  view;                       // in the end; texts live with the stage
    err          result;
    bool         over;
    int          segments, wrong;            // that came; whose bytes were others
    gate         ended;
} cdn_viewer;
void cdn_view(cdn_stage *s, cdn_viewer *v);        // starts it
void cdn_wait(cdn_viewer *v);                        // until it has ended
