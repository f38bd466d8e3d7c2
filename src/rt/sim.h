// The simulated world: many hosts, one process, one loop, virtual time, everything from a seed. Same seed, same run:
// no order by address, no real clock, no floats.
#pragma once
#include "rt/loop.h"

typedef struct sim sim;

typedef struct {
    int64_t delay_min_ns, delay_max_ns;   // one way
    int     lose_per_million;             // datagrams lost; on streams: a retransmission delay instead
    int     cut_per_million;              // a stream segment's chance to cut the connection (both ends see E_RESET)
    int64_t bytes_per_s;                  // 0: unlimited
} sim_link;

typedef struct {
    int64_t write_ns, sync_ns, per_kib_ns;     // what operations cost
    int     sync_fail_per_million;        // file_sync answers E_IO; what was written may or may not be there after a crash
    int64_t capacity_bytes;               // above it E_NO_SPACE; 0: unlimited
} sim_disk;

sim   *sim_new(uint64_t seed);
void   sim_free(sim *s);                  // must(no fiber is left)
world *sim_host(sim *s, str name, const addr *addresses, int count, sim_disk disk);
void   sim_link_default(sim *s, sim_link link);
void   sim_link_between(sim *s, world *a, world *b, sim_link link);   // both directions
void   sim_partition(sim *s, world *a, world *b, bool apart);
void   sim_disk_set(world *host, sim_disk disk);                      // a disk that fills up, or gets room again
void   sim_clock_step(world *host, int64_t ns);                       // the wall clock jumps

// Runs first(arg) as the first fiber (on a host of its own named "director"; fiber_world() moves on) until every fiber has ended.
err    sim_run(sim *s, fiber_body *first, void *arg);

// A crash: the disk image is frozen first: synced data is there; unsynced writes are there, gone or torn (each by chance, in order of
// the seed; the last one may be torn at any byte; unsynced renames and creations may be undone). From that instant every world
// call of the host answers E_CRASHED, its sockets vanish (peers see E_RESET or silence, by chance), its fibers are canceled and
// drain. sim_crash waits for that (call it from another host's fiber). After sim_restart the host works again with the frozen disk.
void   sim_crash(world *host);
void   sim_restart(world *host);
bool   sim_is_up(world *host);
// Cuts every connection between two hosts now; returns how many.
int    sim_cut_streams(world *a, world *b);

uint64_t sim_random(sim *s);              // the director's own chance
uint64_t sim_random_below(sim *s, uint64_t bound);
bool     sim_chance(sim *s, int per_million);
int64_t  sim_now_ns(sim *s);
int64_t  sim_datagrams_sent(const sim *s);
uint64_t sim_fingerprint(const sim *s);   // a hash over every event so far: two runs of one seed must agree
sim     *sim_of(world *host);             // NULL for a real world
// Deliberate mistakes for checking the checkers: BREAK=early-250, no-dedupe, skip-torn-tail. Code asks where it would make them;
// always false in the real world.
void     sim_break(sim *s, str what);
bool     world_broken(world *w, const char *what);
