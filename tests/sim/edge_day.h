// What the day of viewers is made of: a catalogue whose objects change, an origin, edges, viewers who check every byte and every age.
#pragma once
#include "base/must.h"
#include "rt/room.h"
#include "talk/http_serve.h"
#include "trial.h"

enum {
    DAY_OBJECTS = 14, DAY_VERSIONS_MAX = 80, DAY_LANGUAGES = 3, DAY_EDGES = 3, DAY_VIEWERS = 4, DAY_ORIGIN_PORT = 8080,
    DAY_SLOW_MS_MAX = 3000,              // how long the origin may take before it answers
    DAY_TAGS = 4,
};

// An object's body is a function of its number, version and language, so that every byte a viewer gets can be checked.
typedef struct {
    int     number, version;             // the version that the origin has now, from 0
    int64_t ended_ns[DAY_VERSIONS_MAX];  // when a version stopped being the one that the origin gives; 0: not yet
    int64_t max_age_s, revalidate_s, error_s;        // stale-while-revalidate, stale-if-error; 0: no leave
    int64_t bytes;                       // how long version 0 is; others differ a little
    bool    by_language, must_revalidate, coded;     // coded: the origin sends it in chunks
} day_object;

typedef struct {
    world  *world;
    addr    at;
    node    node;                        // while it runs
    struct day *of;
    int     number, lives;
    bool    up, forgets;                 // forgets: its next life has an empty directory
    int     floor[DAY_OBJECTS];          // the oldest version that a purge which it acknowledged leaves
    int64_t floor_ns[DAY_OBJECTS];       // when that purge was acknowledged
    int     put[DAY_OBJECTS], put_life[DAY_OBJECTS];     // the version that a viewer's PUT through it made, and in which life
    int64_t put_ns[DAY_OBJECTS];         // when it was answered; 0: never
} day_edge;

typedef struct day {
    trial     *t;
    world     *origin;
    addr       origin_at;
    day_object objects[DAY_OBJECTS];
    day_edge   edges[DAY_EDGES];
    world     *viewers[DAY_VIEWERS];
    bool       origin_broken, origin_slow, calm, over;
    int64_t    asked, hits, stale, parts, broken, refused, good, puts;       // of viewers: what they met
} day;

typedef struct { day *d; int number; } day_viewer;

// ---- edge_origin.c ------------------------------------------------------------------------------------------------------------
void    day_catalogue_make(day *d);
void    day_object_change(day_object *o, int64_t now_ns);
int64_t day_object_bytes(const day_object *o, int version);
void    day_object_write(const day_object *o, int version, int language, int64_t first, unsigned char *out, int64_t n);
void    day_origin_boot(void *day);

// ---- edge_viewer.c ------------------------------------------------------------------------------------------------------------
void day_viewer_run(void *viewer);
// One request for the whole object, or all but its first bytes, at one edge, on the running fiber; true: a whole answer that is right.
bool day_object_ask(day *d, world *w, day_edge *e, day_object *o, int language, bool part);
