#include "rooms/swarm/picker_rank.h"

#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"

enum {
    PLACE_BITS = 20, AVAILABILITY_BITS = 10,
    PLACE_MASK = (1 << PLACE_BITS) - 1,
    AVAILABILITY_MASK = (1 << AVAILABILITY_BITS) - 1,
    LEVELS_AT_FIRST = 16,
};
_Static_assert(PICKER_PIECES_MAX <= 1 << PLACE_BITS && (int)PICKER_PEERS_MAX <= (int)AVAILABILITY_MASK, "a piece's facts fit 32 bits");

static int32_t place_of(const picker_rank *r, int32_t piece) { return (int32_t)(r->fact[piece] & PLACE_MASK); }
static int level_of(const picker_rank *r, int32_t piece) { return (int)(r->fact[piece] >> PLACE_BITS & AVAILABILITY_MASK); }

picker_priority rank_priority(const picker_rank *r, int32_t piece)
{
    return (picker_priority)(r->fact[piece] >> (PLACE_BITS + AVAILABILITY_BITS));
}

int32_t rank_place(const picker_rank *r, int32_t piece) { return place_of(r, piece); }
int  rank_availability(const picker_rank *r, int32_t piece) { return level_of(r, piece) + r->seeds; }
bool rank_holds(const picker_rank *r, int32_t piece) { return place_of(r, piece) < rank_ranked(r); }

static void fact_set(picker_rank *r, int32_t piece, int32_t place, int level, picker_priority priority)
{
    r->fact[piece] = (uint32_t)place | (uint32_t)level << PLACE_BITS | (uint32_t)priority << (PLACE_BITS + AVAILABILITY_BITS);
}

void rank_make(picker_rank *r, int32_t count, uint64_t seed)
{
    *r = (picker_rank){.count = count, .levels = LEVELS_AT_FIRST, .chance = seed};
    r->order = memory_new((size_t)count * sizeof *r->order);
    r->fact = memory_new((size_t)count * sizeof *r->fact);
    r->first = memory_zeroed((size_t)rank_last(r) + 1, sizeof *r->first);
    for (int32_t i = 0; i < count; i++) {
        r->order[i] = (uint32_t)i;
        fact_set(r, i, i, 0, PICKER_NORMAL);
    }
}

void rank_free(picker_rank *r)
{
    memory_free(r->order);
    memory_free(r->fact);
    memory_free(r->first);
}

uint64_t rank_chance(picker_rank *r, uint64_t bound)         // splitmix64; the bias of % does not matter here
{
    uint64_t z = r->chance += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (z ^ z >> 31) % bound;
}

static void place_swap(picker_rank *r, int32_t a, int32_t b)
{
    uint32_t x = r->order[a], y = r->order[b];
    r->order[a] = y, r->order[b] = x;
    r->fact[x] = (r->fact[x] & ~(uint32_t)PLACE_MASK) | (uint32_t)b;
    r->fact[y] = (r->fact[y] & ~(uint32_t)PLACE_MASK) | (uint32_t)a;
}

static int rank_of(const picker_rank *r, int32_t piece)
{
    return rank_class(rank_priority(r, piece)) * r->levels + level_of(r, piece);
}

// Walks a piece from rank `from` to rank `to` (rank_last: out of all), one border after the other, then to a random place
// among its new equals.
static void rank_move(picker_rank *r, int32_t piece, int from, int to)
{
    for (; from < to; from++)
        place_swap(r, place_of(r, piece), --r->first[from + 1]);
    for (; from > to; from--)
        place_swap(r, place_of(r, piece), r->first[from]++);
    if (to == rank_last(r))
        return;
    int32_t low = r->first[to], equals = r->first[to + 1] - low;
    place_swap(r, place_of(r, piece), low + (int32_t)rank_chance(r, (uint64_t)equals));
}

// More availabilities than there are ranks for: twice as many ranks, nothing moves.
static void levels_grow(picker_rank *r)
{
    int levels = r->levels, more = 2 * levels;
    int32_t *first = memory_new(((size_t)RANK_CLASSES * (size_t)more + 1) * sizeof *first);
    for (int c = 0; c < RANK_CLASSES; c++)
        for (int i = 0; i < more; i++)
            first[c * more + i] = r->first[i < levels ? c * levels + i : (c + 1) * levels];
    first[RANK_CLASSES * more] = rank_ranked(r);
    memory_free(r->first);
    r->first = first;
    r->levels = more;
}

static void level_set(picker_rank *r, int32_t piece, int level)
{
    must(0 <= level && level <= PICKER_PEERS_MAX);
    while (level >= r->levels)
        levels_grow(r);
    bool ranked = rank_holds(r, piece);
    int before = rank_of(r, piece);
    fact_set(r, piece, place_of(r, piece), level, rank_priority(r, piece));
    if (ranked)
        rank_move(r, piece, before, rank_of(r, piece));
}

void rank_more(picker_rank *r, int32_t piece) { level_set(r, piece, level_of(r, piece) + 1); }

// One of the seeds is no seed any more: from now on counted piece by piece.
static void seed_spread(picker_rank *r)
{
    must(r->seeds > 0);
    r->seeds--;
    for (int32_t i = 0; i < r->count; i++)
        rank_more(r, i);
}

void rank_less(picker_rank *r, int32_t piece)
{
    if (level_of(r, piece) == 0)
        seed_spread(r);
    level_set(r, piece, level_of(r, piece) - 1);
}

void rank_seed_gone(picker_rank *r)
{
    if (r->seeds > 0) {
        r->seeds--;
        return;
    }
    for (int32_t i = 0; i < r->count; i++)           // it had become a seed HAVE by HAVE
        rank_less(r, i);
}

void rank_set(picker_rank *r, int32_t piece, bool ranked)
{
    if (rank_holds(r, piece) == ranked)
        return;
    must(rank_priority(r, piece) != PICKER_SKIP);
    // The unranked stand behind the last border: a piece is pulled in from there, or pushed out.
    if (ranked)
        rank_move(r, piece, rank_last(r), rank_of(r, piece));
    else
        rank_move(r, piece, rank_of(r, piece), rank_last(r));
}

void rank_priority_set(picker_rank *r, int32_t piece, picker_priority to)
{
    must(!rank_holds(r, piece));
    fact_set(r, piece, place_of(r, piece), level_of(r, piece), to);
}
