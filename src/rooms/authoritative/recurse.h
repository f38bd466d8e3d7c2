// Recursion on behalf of the asker (scene N2): a server that refers would, instead, ask the servers it refers to, and
// they theirs, and hand the answer back. For the small Internet; a resolver does this job better.
#pragma once
#include "rooms/authoritative/answer.h"
#include "rt/world.h"

enum { RECURSE_SECONDS_MAX = 6, RECURSE_SERVERS_MAX = 4 };

// The query was answered with ANSWER_RECURSE. Asks on; writes the reply (SERVFAIL when nobody answers) and returns its
// length. Parks.
size_t recurse(world *w, const zone_table *zones, str query, bool is_stream, arena *msg, void *out, size_t out_max);
