// The swarm scenario's parts: honest hosts with the real service, and hosts that behave badly.
#pragma once
#include "rooms/swarm/swarm.h"
#include "trial.h"

enum { SWARM_PIECES = 48, SWARM_PIECE_BYTES = 32 * 1024, SWARM_LENGTH = SWARM_PIECES * SWARM_PIECE_BYTES - 12345 };

typedef enum {
    LIAR_CORRUPTS_ALL, LIAR_CORRUPTS_SOME, LIAR_NEVER_ANSWERS, LIAR_ASKS_WITHOUT_END, LIAR_TALKS_NONSENSE, LIAR_KINDS
} liar_kind;

typedef struct {
    trial        *t;
    unsigned char payload[SWARM_LENGTH];
    unsigned char digests[SWARM_PIECES * INFO_HASH_BYTES];
    uint8_t       hash[INFO_HASH_BYTES];
    str           metainfo;
    arena         memory;
} swarm_payload;

typedef struct {
    str            payload;              // of a torrent of one file
    int64_t        piece_bytes;
    int32_t        piece_count;
    liar_kind      kind;
    world         *world;
    addr           at;
    int64_t        requests_taken;       // of the one that asks without end: how many it could send before it was left
} swarm_liar;

void swarm_liar_boot(void *liar);        // a host's first fiber

// The crowd (swarm_crowd.c): many peers and a few liars that corrupt what they send; honest ones all get the file. Prints what it
// took. false: something did not hold.
typedef struct { int peers, mebibytes; uint64_t seed; const char *broken; } crowd_plan;
bool swarm_crowd(const crowd_plan *plan);
