// Where cases are played: an edge, an origin that does what a case says, and a visitor; in the simulator, or a real `naru up` and real
// sockets.
#pragma once
#include "case.h"
#include "rt/conn.h"

typedef struct {
    const char *name;
    world      *visitor, *origin;            // the machines of clients and origin; the same one for real sockets
    addr        edge, origin_at;             // where the edge listens; where the origin is to listen
    str         host;                        // the site
    bool        simulated;
    // Asks the running edge to forget. False with *why in `a`.
    bool      (*purge)(void *arg, str host, const case_step *s, arena *a, str *why);
    void       *arg;
} edge_stage;

typedef void stage_play(const edge_stage *stage, void *arg);

enum { STAGE_SLICE_BYTES = 64 * 1024, STAGE_SITES_MAX = 4 };

// A fresh simulated world with a fresh edge: calls play on a fiber of the visitor and takes everything down. False with a sentence on
// standard error.
bool stage_simulated(uint64_t seed, stage_play *play, void *arg);
bool stage_direct(stage_play *play, void *arg);
// `naru up` with a configuration of its own in a directory of its own, over loopback.
bool stage_real(const char *naru, stage_play *play, void *arg);
