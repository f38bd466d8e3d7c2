// The picker's order of pieces nobody was asked for yet: by priority, within it by availability, equals in random order.
// An array of all pieces cut into ranks; a HAVE moves a piece by one rank, in constant time. 8 bytes a piece. Nobody but
// picker*.c includes this.
#pragma once
#include "rooms/swarm/picker.h"

enum { RANK_CLASSES = 3 };                   // PICKER_HIGH, PICKER_NORMAL, PICKER_LOW

typedef struct {
    int32_t   count;                         // pieces
    uint32_t *order;                         // the piece at each place; places from first[last] on are not ranked
    uint32_t *fact;                          // of each piece: place, availability without seeds, priority
    int32_t  *first;                         // where each rank begins; first[RANK_CLASSES * levels]: where the ranked end
    int       levels;                        // availabilities that have a rank; grows
    int       seeds;                         // peers that have everything, counted once instead of at each piece
    uint64_t  chance;
} picker_rank;

// All pieces unranked, PICKER_NORMAL, availability 0.
void rank_make(picker_rank *r, int32_t count, uint64_t seed);
void rank_free(picker_rank *r);
uint64_t rank_chance(picker_rank *r, uint64_t bound);                // 0 <= x < bound

int  rank_availability(const picker_rank *r, int32_t piece);         // with seeds
picker_priority rank_priority(const picker_rank *r, int32_t piece);
int32_t rank_place(const picker_rank *r, int32_t piece);             // of one that is ranked: the smaller the sooner
bool rank_holds(const picker_rank *r, int32_t piece);                // is it ranked (wanted, lacked, not open)?
static inline int rank_last(const picker_rank *r) { return RANK_CLASSES * r->levels; }
static inline int32_t rank_ranked(const picker_rank *r) { return r->first[rank_last(r)]; }
static inline int rank_class(picker_priority p) { return PICKER_HIGH - (int)p; }
// The places of one class: [rank_from(c), rank_from(c + 1)).
static inline int32_t rank_from(const picker_rank *r, int class) { return r->first[class * r->levels]; }

void rank_more(picker_rank *r, int32_t piece);                       // one more peer has it
void rank_less(picker_rank *r, int32_t piece);                       // must: one had it
void rank_seed_gone(picker_rank *r);                                 // a peer that had everything
void rank_set(picker_rank *r, int32_t piece, bool ranked);           // must not: ranked with PICKER_SKIP
void rank_priority_set(picker_rank *r, int32_t piece, picker_priority to);   // of a piece that is not ranked
