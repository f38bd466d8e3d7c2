#include "rooms/swarm/seed_choice.h"

#include "base/heap_memory.h"
#include "base/must.h"

enum { OFFERS_MAX = UINT16_MAX, DEPTH_MAX = 64 };

typedef struct {
    uint16_t offers, seen;
    uint32_t lot;                    // among equals the smallest comes first; drawn anew at each offer
} offered_piece;

struct seed_choice {
    int32_t  count, unseen;
    uint64_t chance;
    offered_piece piece[];
};

static uint64_t roll(seed_choice *c)
{
    uint64_t z = c->chance += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

seed_choice *seed_choice_new(int32_t pieces, uint64_t seed)
{
    must(pieces > 0 && pieces <= SEED_CHOICE_PIECES_MAX);
    seed_choice *c = memory_zeroed(1, sizeof *c + (size_t)pieces * sizeof c->piece[0]);
    c->count = c->unseen = pieces;
    c->chance = seed;
    for (int32_t i = 0; i < pieces; i++)
        c->piece[i].lot = (uint32_t)roll(c);
    return c;
}

void seed_choice_free(seed_choice *c) { memory_free(c); }

static bool comes_before(const offered_piece *a, const offered_piece *b)
{
    if (a->offers != b->offers)
        return a->offers < b->offers;
    if (a->seen != b->seen)
        return a->seen < b->seen;
    return a->lot < b->lot;
}

static int32_t next(seed_choice *c, const bitfield *has, const bitfield *offered, int offers_max)
{
    int32_t found = -1;
    for (int32_t i = 0; i < c->count; i++) {
        if (c->piece[i].offers > offers_max || (has && bitfield_has(has, i)) || (offered && bitfield_has(offered, i)))
            continue;
        if (found < 0 || comes_before(&c->piece[i], &c->piece[found]))
            found = i;
    }
    if (found >= 0) {
        offered_piece *p = &c->piece[found];
        if (p->offers < OFFERS_MAX)
            p->offers++;
        p->lot = (uint32_t)roll(c);
    }
    return found;
}

int32_t seed_choice_next(seed_choice *c, const bitfield *has, const bitfield *offered) { return next(c, has, offered, OFFERS_MAX); }
int32_t seed_choice_next_new(seed_choice *c, const bitfield *has, const bitfield *offered) { return next(c, has, offered, 0); }

static bool piece_fits(const seed_choice *c, int32_t piece) { return piece >= 0 && piece < c->count; }

void seed_choice_returned(seed_choice *c, int32_t piece)
{
    if (piece_fits(c, piece) && c->piece[piece].offers > 0)
        c->piece[piece].offers--;
}

void seed_choice_seen(seed_choice *c, int32_t piece)
{
    if (!piece_fits(c, piece) || c->piece[piece].seen == UINT16_MAX)
        return;
    if (c->piece[piece].seen++ == 0)
        c->unseen--;
}

void seed_choice_unseen(seed_choice *c, int32_t piece)
{
    if (!piece_fits(c, piece) || c->piece[piece].seen == 0)
        return;
    if (--c->piece[piece].seen == 0) {
        c->piece[piece].offers = 0;
        c->unseen++;
    }
}

bool    seed_choice_all_out(const seed_choice *c) { return c->unseen == 0; }
int32_t seed_choice_left(const seed_choice *c) { return c->unseen; }
int     seed_choice_offers(const seed_choice *c, int32_t piece) { return piece_fits(c, piece) ? c->piece[piece].offers : 0; }

int seed_choice_depth(int64_t piece_bytes, int64_t rate_to, int64_t round_trip_ns)
{
    must(piece_bytes > 0);
    // What flows to it in two round trips and a tenth of a second, and one piece more than that.
    int64_t until_ns = 2 * (round_trip_ns < 0 ? 0 : round_trip_ns > 10000000000ll ? 10000000000ll : round_trip_ns) + 100000000;
    int64_t rate = rate_to < 0 ? 0 : rate_to > 1ll << 33 ? 1ll << 33 : rate_to;
    int64_t pieces = rate / 1000 * (until_ns / 1000000) / piece_bytes + 2;
    return pieces > DEPTH_MAX ? DEPTH_MAX : (int)pieces;
}
