// What the tests of the tracker's decisions share: a tracker without a room, and a client's datagrams.
#pragma once
#include "base/heap_memory.h"
#include "rooms/tracker/udp.h"

static inline tracker *stage_tracker(void)
{
    tracker *t = memory_zeroed(1, sizeof *t);
    t->rules = (announce_rules){.interval_s = 1800, .interval_min_s = 300, .wanted = 50, .wanted_max = 200, .degree = 20,
                                .new_peers_max = 2000, .new_torrents_max = 100};
    t->access.open = true;
    t->tags = (siphash_key){1, 2};
    t->ids = (siphash_key){3, 4};
    t->store = swarms_new(100000, 1000000, (siphash_key){5, 6});
    t->now_s = 100000;
    return t;
}

static inline void stage_free(tracker *t)
{
    swarms_free(t->store);
    memory_free(t);
}

static inline tracker_announce stage_said(unsigned swarm, unsigned who)
{
    tracker_announce x = {.port = (uint16_t)(1000 + who), .left = 100, .wanted = -1, .has_key = true, .key = 77 + who, .compact = true};
    x.hash[0] = (uint8_t)swarm, x.hash[1] = (uint8_t)(swarm >> 8), x.hash[2] = (uint8_t)(swarm >> 16);
    x.peer_id[0] = (uint8_t)who, x.peer_id[1] = (uint8_t)(who >> 8);
    return x;
}
