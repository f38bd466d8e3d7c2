// The narrow line between some people's machine and a network: what worlds of the small Internet (world_line) write to peers beyond
// it passes at its rate, all streams together, one piece after the other in the order in which they came. Bytes that wait, wait at their
// sender, so a new rate counts at once. Of one loop. In the simulator hosts have lines of their own (sim.h).
#pragma once
#include "rt/world.h"

enum { ACCESS_LINE_PIECE_MS = 20, ACCESS_LINE_PIECE_BYTES_MIN = 1500, ACCESS_LINE_PIECE_BYTES_MAX = 64 * 1024, ACCESS_LINE_HOSTS_MAX = 256 };
#define ACCESS_LINE_BPS_MIN INT64_C(50000)
#define ACCESS_LINE_BPS_MAX INT64_C(1000000000)

typedef struct access_line {
    int64_t  bps;                            // 0: as fast as the machine
    int64_t  free_ns;                        // when all that was taken has passed
    uint64_t bytes;                          // that passed while it had a rate
    addr     hosts[ACCESS_LINE_HOSTS_MAX];   // of the network: what goes between these does not pass the line
    int      host_count;
} access_line;

// 0, and more than ACCESS_LINE_BPS_MAX: no limit; less than ACCESS_LINE_BPS_MIN: that.
void access_line_rate(access_line *l, int64_t bps);
// Streams of this world that are accepted from now on pass it. The line must live as long as they do.
void world_line(world *w, access_line *line);

// ---- for world.c ------------------------------------------------------------------------------------------------------------------

access_line *access_line_of(access_line *l, addr peer);              // NULL: the peer is not beyond it
// The next piece of a stream, of at most `wanted` bytes: how many, and when they have passed.
size_t  access_line_take(access_line *l, int64_t now_ns, size_t wanted, int64_t *passed_ns);
