// What the node of the distributed hash table counts. The core counts for itself alone; what is new since the last look is added.
#pragma once
#include "rooms/swarm/dht_core.h"

typedef struct {
    int64_t bytes_in, bytes_out, queries_in, queries_out, answers_out, dropped;
    int64_t nodes[2], torrents, peers;
} dht_counted;

void dht_meters_show(void);
void dht_meters_count(const dht_core *c, dht_counted *before);
void dht_meters_gone(dht_counted *before);           // the node ends: it holds nothing any more
