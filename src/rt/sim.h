// The simulated world: many hosts, one process, one loop, virtual time, everything from a seed. Same seed, same
// run: no order by address, no real clock, no floats.
#pragma once
#include "rt/loop.h"

typedef struct sim sim;

enum {
    SIM_HOSTS_MAX = 1200,
    SIM_STREAM_WINDOW_BYTES = 64 * 1024,      // sent and not yet read by the other side; above it writers wait
    SIM_FAST_WINDOW_BYTES = 512 * 1024,       // the most that it grows to from a host whose line sends 64 KiB in less than 4 ms
    SIM_DATAGRAM_QUEUE_BYTES = 208 * 1024,    // arrived and not yet received, a socket; above it datagrams are lost
    SIM_RESENDS_MAX = 9,                      // of a segment: 200 ms, 400 ms ... then E_TIMEOUT (after 204 s)
    SIM_CONNECT_RESENDS_MAX = 6,              // 1 s, 2 s ... then E_TIMEOUT (127 s)
    SIM_BACKLOG = 128,                        // connections that wait for accept, when the listener does not say
    SIM_SECTOR_BYTES = 512,
};

typedef struct {
    int64_t delay_min_ns, delay_max_ns;   // one way
    int     lose_per_million;             // datagrams lost; on streams: a retransmission delay instead
    int     cut_per_million;              // a stream segment's chance to cut the connection (both ends see E_RESET)
    int64_t bytes_per_s;                  // 0: unlimited
} sim_link;

// What all streams and datagrams of a host share, whatever the links carry: its own line. Streams share it fairly.
typedef struct {
    int64_t up_bytes_per_s, down_bytes_per_s;      // 0: unlimited
} sim_capacity;

typedef struct {
    int64_t write_ns, sync_ns, per_kib_ns;     // what a change costs, a sync, and each KiB moved
    int     sync_fail_per_million;        // file_sync answers E_IO; a crash may find what was written, or not
    int64_t capacity_bytes;               // above it E_NO_SPACE; 0: unlimited
} sim_disk;

sim   *sim_new(uint64_t seed);
void   sim_free(sim *s);                  // must(no fiber is left)
int    sim_blocks_kept(void);             // blocks (rt/shared.h) that somebody still held when the last simulation ended: a defect
// A host (SIM_HOSTS_MAX), up, with an empty disk. The name is copied. Its addresses (both families, ports
// ignored) are its alone; 127/8 and ::1 are every host's own.
world *sim_host(sim *s, str name, const addr *addresses, int count, sim_disk disk);
void   sim_capacity_set(world *host, sim_capacity c);                // before it sends; at first: unlimited
void   sim_link_default(sim *s, sim_link link);
void   sim_link_between(sim *s, world *a, world *b, sim_link link);   // both directions
void   sim_partition(sim *s, world *a, world *b, bool apart);
void   sim_disk_set(world *host, sim_disk disk);                      // a disk that fills up, or gets room again
void   sim_clock_step(world *host, int64_t ns);                       // the wall clock jumps

// Runs first(arg) as the first fiber (on a host of its own named "director"; fiber_world() moves on) until
// every fiber has ended.
err    sim_run(sim *s, fiber_body *first, void *arg);

// Switches a host on: boot(arg) is its first fiber, in a scope of its own that a crash cancels; every fiber of
// the host's services descends from it. When boot and all its fibers have ended by themselves the host is up
// but idle, and may be booted again. The scope s (of the harness, on another host) waits for it. must: up, and
// not running yet.
err    sim_boot(world *host, scope *s, fiber_body *boot, void *arg);
// Tells a host's services to end in order (cancels, no crash) and waits for them; the host stays up.
void   sim_shut_down(world *host);

// A crash: the disk image is frozen first: synced data is there; unsynced writes are there, gone or torn (each
// by chance, in order of the seed; by sectors of 512 bytes, the last one at any byte; unsynced renames and
// creations may be undone). From that instant every world call of the host answers E_CRASHED, its sockets
// vanish (peers see E_RESET or silence, by chance), the fibers that sim_boot started are canceled and drain.
// sim_crash waits for that (call it from another host's fiber; nothing happens when the host is down and
// drained). After sim_restart the host works again with the frozen disk: boot it.
void   sim_crash(world *host);
void   sim_restart(world *host);
// The host dies inside its n-th file operation from now (0: the next one), wherever that is in a running
// work(). The harness still calls sim_crash, which then only waits. n < 0: disarmed.
void   sim_crash_after(world *host, int64_t file_operations);
// For fault walks: the n-th file operation from now (0: the next) fails once with `error` (E_IO, E_NO_SPACE; a
// failed write may be on the disk in part, a failed sync loses or keeps what it should have saved). n < 0:
// disarmed. sim_fault_met: has it happened?
void   sim_fault_after(world *host, int64_t file_operations, err error);
bool   sim_fault_met(world *host);
bool   sim_is_up(world *host);
// Cuts every connection between two hosts now; returns how many.
int    sim_cut_streams(world *a, world *b);

uint64_t sim_random(sim *s);              // the director's own chance
uint64_t sim_random_below(sim *s, uint64_t bound);
bool     sim_chance(sim *s, int per_million);
int64_t  sim_now_ns(sim *s);
typedef struct {
    int64_t datagrams_sent, datagrams_lost;           // lost: by the link, a partition, a full queue, nobody there
    int64_t segments_resent;                          // of streams: lost on a link and sent again
    int64_t streams_opened, streams_cut;              // cut: by a link's chance, sim_cut_streams, giving up
    int64_t crashes, syncs, syncs_failed, events;
} sim_figures;
sim_figures sim_figures_now(const sim *s);
uint64_t sim_fingerprint(const sim *s);   // a hash over every event so far: two runs of one seed must agree
sim     *sim_of(world *host);             // NULL for a real world
// Deliberate mistakes for checking the checkers: BREAK=early-250, no-dedupe, skip-torn-tail. Code asks where it
// would make them; always false in the real world.
void     sim_break(sim *s, str what);
bool     world_broken(world *w, const char *what);
