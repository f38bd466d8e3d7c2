// A viewing over a throughput trace, as Spiteri's simulator Sabre models it: a request costs the latency, bytes then come at the trace's
// rate (the trace repeats), a full buffer waits, an empty one stalls. Times in milliseconds, sizes in bits (a bit a millisecond = 1 kbit/s).
#pragma once
#include "wire/media/rate_decision.h"

typedef struct { double ms, kbps, latency_ms; } trace_period;
typedef struct { char name[48]; trace_period *period; int count; } trace;

enum { FILM_RUNGS_MAX = RATE_RUNGS_MAX, FILM_SEGMENTS_MAX = 1024 };
typedef struct {
    uint32_t  segment_ms;
    int       rungs, segments;
    uint64_t  bps[FILM_RUNGS_MAX];
    uint64_t *bytes;                         // [segment * rungs + rung]
} film;
uint64_t rate_bytes(const film *f, int segment, int rung);

typedef struct {
    double score;                            // (sum of ln(R / R lowest) - 5 * stalled / segment) / (time in segments), Sabre's
    double stalled_ms, total_ms, start_ms;
    double utility, kbps, switches_kbps;     // kbps: mean over the segments
    int    stalls, abandoned;
} outcome;

// Where in a trace a session is.
typedef struct { const trace *t; int at; double left; } network;
network network_of(const trace *t);
double  network_latency(network *n);                     // a request's; milliseconds that it took
double  network_download(network *n, double bits);       // milliseconds
void    network_wait(network *n, double ms);
// Takes at least `bits` and `ms` of a download of `most` bits (less when it ends): milliseconds; *got grows.
double  network_some(network *n, double most, double bits, double ms, double *got);

// Plays the film by a rule. `memory`, where it is not NULL, gets what the session has learned in the end.
outcome session_play(const film *f, const trace *t, rate_rule rule, double capacity_ms, rate_memory *memory);
// Plays rungs that are known in advance (an optimum's), fetching as soon as the buffer has room.
outcome session_replay(const film *f, const trace *t, const unsigned char *rungs, double capacity_ms);

// What plays: the simulator's clock. session_play is made of these; so are other players (bench/rate_bound.c).
typedef struct {
    const film *film;
    unsigned char buffer[FILM_SEGMENTS_MAX]; // rungs of all segments fetched
    int fetched, played;                     // segments; played counts those begun
    double buffer_ms;                        // to play
    outcome out;
    int last;                                // rung of the last segment shown; -1: none
} player;
