// naru race: what its parts share. Private to race*.c and the scene F1.
#pragma once
#include "cmd/race_draw.h"
#include "rooms/swarm/choker.h"
#include "rt/conn.h"
#include "wire/bt/metainfo.h"

enum { RACE_RATES_MAX = 16, RACE_SIZES_MAX = 32, RACE_SIM_PEERS_MAX = 1000, RACE_REAL_PEERS_MAX = 50, RACE_MEMORY_BYTES_MAX = 1 << 30 };

typedef struct {
    int64_t  file_bytes, piece_bytes;        // piece 0: chosen by the length
    int64_t  server_rate, peer_rates[RACE_RATES_MAX], down_rate;     // bytes a second; down 0: no limit
    int      peer_rate_count;
    int      sizes[RACE_SIZES_MAX], size_count;          // the N that are run
    choker_mode mode;
    bool     leave;                          // peers go as soon as they have everything
    int      selfish_percent;                // peers that never send
    int      churn_percent;                  // peers that crash once on the way and come back
    bool     client_server;                  // runs the download from one server, too
    uint64_t seed;
} race_plan;

typedef struct {
    int64_t last_ms, first_ms;               // until the last and the first peer had everything; last -1: not within 20 bounds
    int64_t bound_ms;
    int64_t source_per_mille;                // what the source sent, of the file: 1000 were every piece once; 0: not known
    int64_t events;                          // of the simulator: how much happened
    int     cpu_percent;                     // of the machine, in namespaces
} race_outcome;

race_lines race_plan_lines(const race_plan *p);
const char *race_mode_name(choker_mode mode);
bool race_mode_read(str text, choker_mode *out);

// Runs the plan for one N in the simulator: peers of naru (rooms/swarm) on simulated hosts, or clients of one HTTP server.
// Virtual time. False: *why says what did not work.
bool race_simulate(const race_plan *p, int peers, race_kind kind, race_outcome *out, arena *a, str *why);

// One HTTP server that gives everybody the same bytes, and what fetches them: true when `length` bytes came.
void race_http_serve(conn *c, str body);
bool race_http_fetch(conn *c, int64_t length);
// Gives the file to whoever asks on port 80 of all addresses, over and over; "complete" on standard output when it is there to be
// asked for. Comes back with an exit code when that cannot be.
int  race_serve(world *w, str path);

// The run in network namespaces (race_real.c): peers and server as processes behind capped lines.
typedef struct {
    const char *client;                      // "naru", "libtorrent", "aria2", "transmission", "http"
    int   runs;
} race_rig;
bool race_run_real(const race_plan *p, int peers, const race_rig *rig, race_outcome *outcomes, arena *a, str *why);
