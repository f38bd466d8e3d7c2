// A trial: one scenario in one simulated world, made by one seed. main.c runs trials; a scenario is a function
// that runs as the first fiber of the trial's world (on its "director" host), builds hosts, lets them work and
// suffer, and checks what must hold.
#pragma once
#include "rt/sim.h"

typedef struct {
    int64_t letters, bounces;            // accepted with a 250, and those that came back as promised
    int64_t lost, doubled;               // what a checker found: both must stay zero
    int64_t records;                     // of journals and the like, promised and found again
} tally;

typedef struct trial {
    sim        *sim;
    uint64_t    seed;
    const char *scenario;
    tally       tally;
    int         failures;                // of checks; the first TRIAL_FAILURES_TOLD are printed
} trial;

enum { TRIAL_FAILURES_TOLD = 5 };

// A check did not hold: says so, with the command that replays it. The trial goes on, so that one run shows
// several.
void trial_failed(trial *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

typedef struct {
    const char *name, *about;
    void      (*play)(trial *t);
} scenario;

void disk_play(trial *t);                // scenario_disk.c
void echo_play(trial *t);                // scenario_echo.c
void journal_play(trial *t);             // scenario_journal.c

void swarm_play(trial *t);               // scenario_swarm.c
void letter_play(trial *t);              // scenario_letter.c
void tracker_play(trial *t);             // scenario_tracker.c
void edge_play(trial *t);                // scenario_edge.c

// A number between both, and a time between both, by the director's chance.
int64_t sim_between(sim *s, int64_t least, int64_t most);
