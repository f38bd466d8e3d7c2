// A swarm in memory for tests of policy: pickers, chokers and a seed's choice over uplinks that send block by block, fairly
// shared among who asks. No delay, no headers, downlinks without limit; integer arithmetic, everything from a seed.
#pragma once
#include "rooms/swarm/choker.h"
#include "rooms/swarm/picker.h"

typedef struct {
    int     leechers;
    int32_t pieces;
    int64_t piece_bytes;
    int64_t seed_bytes_per_s, peer_bytes_per_s;
    choker_mode mode;
    int     slots;                           // 0: CHOKER_SLOTS
    int     asked_max;                       // blocks that a peer asks of another ahead; 0: 4
    int     neighbours;                      // of each peer, beside the seed; 0: all
    bool    steered;                         // the seed suggests (seed_choice.h)
    bool    leave;                           // peers are gone as soon as they have everything
    uint64_t seed;
} model_swarm;

typedef struct {
    int64_t last_ns, first_ns;               // when the last and the first peer had everything; last 0: it never ended
    int64_t bound_ns;                        // max{F/u_s, N F / (u_s + N u)}
    int64_t injected_ns;                     // when each piece had been sent once by the seed
    int64_t seed_pieces;                     // that the seed sent, in blocks' worth
    int64_t blocks_wasted;                   // sent and not wanted any more
    int64_t idle_per_mille;                  // of all uplinks' time until injected_ns, except the seed's
} model_result;

model_result model_run(const model_swarm *m);
static inline int64_t model_per_mille(const model_result *r) { return r->last_ns / (r->bound_ns / 1000); }
