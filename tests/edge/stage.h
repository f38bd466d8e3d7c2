// Where cases are played: an edge, an origin that does what a case says, and a visitor; in the simulator, or a running `naru up` over
// real sockets.
#pragma once
#include "case.h"
#include "rt/conn.h"

typedef struct {
    const char *name;
    world      *visitor, *origin;            // the machines of clients and origin; the same one for real sockets
    addr        edge, origin_at;             // where the edge listens; where the origin is to listen
    str         host;                        // the site
    bool        simulated;
    world      *edge_world;                  // simulated: whose control socket it is
    str         control;                     // the path of the socket that takes purges; empty: there is no edge
} edge_stage;

typedef void stage_play(const edge_stage *stage, void *arg);

#define STAGE_HOST "film.example"
enum { STAGE_SLICE_BYTES = 64 * 1024 };

// A fresh simulated world with a fresh edge, with these settings added to it and to its site: calls play on a fiber of the visitor and
// takes everything down. False with a sentence on standard error.
bool stage_simulated(uint64_t seed, str edge_settings, str site_settings, stage_play *play, void *arg);
// The same hosts without an edge: clients speak to the origin.
bool stage_direct(stage_play *play, void *arg);

// Against an edge that runs: where it and its control socket are, and where its origin is to be.
typedef struct { addr edge, origin; str control; } stage_places;
bool stage_real(stage_places places, stage_play *play, void *arg);

// POST to the edge's control socket: "/edge/purge?url=...". False with *why in `a`.
bool stage_control(const edge_stage *stage, str target, arena *a, str *why);
