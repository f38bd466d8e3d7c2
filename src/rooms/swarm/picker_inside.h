// What picker.c (the books) and picker_choice.c (the choice) share. Nobody but picker*.c includes this.
#pragma once
#include "rooms/swarm/picker_open.h"
#include "rooms/swarm/picker_rank.h"

typedef struct {
    uint16_t asked;                          // blocks
    bool     steers;                         // picker_steers
    uint8_t  suggested_count;
    int32_t  suggested[PICKER_SUGGESTED_MAX];            // newest last
} asked_peer;

typedef struct { int64_t at_ns; int32_t piece; } deadline;
typedef struct { int32_t piece; open_piece *at; } opened;

struct picker {
    picker_shape shape;
    bitfield     have;
    picker_rank  rank;
    bitfield     untouched;                  // ranked: wanted, lacked, nobody asked for it yet
    bitfield     begun, with_free;           // open; open with blocks that nobody was asked for
    opened      *open;                       // the oldest first
    int          open_count, open_cap;
    int32_t      skipped, done;              // pieces at PICKER_SKIP that we lack; completed since the start
    bool         sequential;
    int32_t      in_order;                   // all before it are there or skipped (sequential)
    asked_peer  *peers;
    int          peer_cap;
    deadline    *deadlines;                  // PICKER_DEADLINES_MAX once there was one; the earliest first
    int          deadline_count;
};

// ---- shape -------------------------------------------------------------------------------------------------------------

static inline int32_t picker_piece_length(const picker *p, int32_t piece)
{
    int64_t left = p->shape.length - piece * p->shape.piece_bytes;
    return (int32_t)(left < p->shape.piece_bytes ? left : p->shape.piece_bytes);
}

static inline int32_t picker_piece_blocks(const picker *p, int32_t piece)
{
    return (picker_piece_length(p, piece) - 1) / PICKER_BLOCK_BYTES + 1;
}

static inline picker_block picker_block_at(const picker *p, int32_t piece, int32_t block)
{
    int32_t begin = block * PICKER_BLOCK_BYTES, left = picker_piece_length(p, piece) - begin;
    return (picker_block){piece, begin, left < PICKER_BLOCK_BYTES ? left : PICKER_BLOCK_BYTES};
}

static inline bool picker_piece_fits(const picker *p, int32_t piece) { return piece >= 0 && piece < p->shape.piece_count; }

// ---- the books ---------------------------------------------------------------------------------------------------------

asked_peer *picker_peer_of(picker *p, int peer);                     // room for it is made
open_piece *picker_open_of(const picker *p, int32_t piece);          // NULL: it is not open
open_piece *picker_piece_open(picker *p, int32_t piece);             // NULL: PICKER_OPEN_MAX are. must: it is ranked
void        picker_free_note(picker *p, const open_piece *o);        // blocks of it were asked for, came or were given back
bool        picker_endgame(const picker *p);                         // nothing wanted is left that nobody was asked for
