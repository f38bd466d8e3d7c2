// The picker's choice: what a peer is asked for next, and why. The order is told in picker.h's first comment.
#include "rooms/swarm/picker_inside.h"

enum { PLACES_LOOKED = 16 };                 // one by one, before all that the peer has is gone through
#define URGENT_NS (2 * 1000000000ll)         // this long before its deadline a block is asked of two

static bool peer_gives(const bitfield *has, int32_t piece) { return !has || bitfield_has(has, piece); }
static bool gives_any(const bitfield *has, const bitfield *of) { return has ? bitfield_next_both(of, has, 0) >= 0 : of->set > 0; }

// Can a piece be asked of the peer at once: open with a block for it, or not open yet?
static bool piece_ready(const picker *p, int32_t piece, int peer, bool twice)
{
    if (rank_holds(&p->rank, piece))
        return p->open_count < PICKER_OPEN_MAX;
    const open_piece *o = picker_open_of(p, piece);
    return o && open_has(o, peer, twice);
}

bool picker_askable(const picker *p, int peer, const bitfield *has, int32_t piece, int64_t now_ns)
{
    if (piece < 0)
        return picker_why(p, peer, has, now_ns).reason != PICKER_WHY_NOTHING;
    return picker_piece_fits(p, piece) && !bitfield_has(&p->have, piece) && rank_priority(&p->rank, piece) != PICKER_SKIP &&
           piece_ready(p, piece, peer, false);
}

static int32_t by_deadline(const picker *p, int peer, const bitfield *has, int64_t now_ns)
{
    for (int i = 0; i < p->deadline_count; i++) {
        const deadline *d = &p->deadlines[i];
        if (peer_gives(has, d->piece) && piece_ready(p, d->piece, peer, d->at_ns - now_ns < URGENT_NS))
            return d->piece;
    }
    return -1;
}

static int32_t by_suggestion(const picker *p, int peer, const bitfield *has)
{
    int count = peer < p->peer_cap && !p->sequential ? p->peers[peer].suggested_count : 0;
    for (int i = 0; i < count; i++) {
        int32_t piece = p->peers[peer].suggested[i];
        if (peer_gives(has, piece) && piece_ready(p, piece, peer, false))
            return piece;
    }
    return -1;
}

static int32_t by_start(const picker *p, int peer, const bitfield *has, int availability_max)
{
    bool any = gives_any(has, &p->with_free);
    for (int i = 0; any && i < p->open_count; i++) {
        int32_t piece = p->open[i].piece;
        if (bitfield_has(&p->with_free, piece) && peer_gives(has, piece) && rank_availability(&p->rank, piece) <= availability_max &&
            open_has(p->open[i].at, peer, false))
            return piece;
    }
    return -1;
}

// Where a class ends, or those of it that no more than one peer has.
static int32_t class_end(const picker *p, int class, bool unique)
{
    return unique ? p->rank.first[class * p->rank.levels + 2 - p->rank.seeds] : rank_from(&p->rank, class + 1);
}

static int32_t least_place(const picker *p, const bitfield *has, bool unique)
{
    int32_t best = -1;
    for (int32_t i = -1; (i = bitfield_next_both(&p->untouched, has, i + 1)) >= 0; ) {
        bool fits = !unique || rank_availability(&p->rank, i) <= 1;
        if (fits && (best < 0 || rank_place(&p->rank, i) < rank_place(&p->rank, best)))
            best = i;
    }
    return best;
}

// The first one in order that the peer has; `unique`: of those that nobody else has. A common piece is found among the first places;
// where the peer has little, that is gone through.
static int32_t first_given(const picker *p, const bitfield *has, bool unique)
{
    int32_t places = 0;
    for (int c = 0; c < RANK_CLASSES; c++)
        places += class_end(p, c, unique) - rank_from(&p->rank, c);
    bool all = !has || places < PLACES_LOOKED + has->set;
    int32_t left = all ? places : PLACES_LOOKED;
    for (int c = 0; c < RANK_CLASSES; c++)
        for (int32_t i = rank_from(&p->rank, c); i < class_end(p, c, unique) && left > 0; i++, left--)
            if (peer_gives(has, (int32_t)p->rank.order[i]))
                return (int32_t)p->rank.order[i];
    return all ? -1 : least_place(p, has, unique);
}

// What nobody but this peer has.
static int32_t by_uniqueness(const picker *p, const bitfield *has)
{
    bool any = !p->sequential && p->open_count < PICKER_OPEN_MAX && p->rank.seeds <= 1 && gives_any(has, &p->untouched);
    return any ? first_given(p, has, true) : -1;
}

static int32_t by_order(picker *p, const bitfield *has)
{
    for (; p->in_order < p->shape.piece_count; p->in_order++)
        if (rank_holds(&p->rank, p->in_order) || picker_open_of(p, p->in_order))
            break;
    int32_t best = -1;
    for (int32_t i = p->in_order; i < p->shape.piece_count; i++) {
        if (!rank_holds(&p->rank, i) || !peer_gives(has, i))
            continue;
        if (best < 0 || rank_priority(&p->rank, i) > rank_priority(&p->rank, best))
            best = i;
        if (rank_priority(&p->rank, best) == PICKER_HIGH)
            break;
    }
    return best;
}

// The first piece from a place on, round the end of the class, that the peer has.
static int32_t class_from(const picker *p, int class, int32_t start, const bitfield *has)
{
    int32_t low = rank_from(&p->rank, class), count = rank_from(&p->rank, class + 1) - low;
    for (int32_t i = 0; i < count; i++, start = start + 1 < count ? start + 1 : 0) {
        int32_t piece = (int32_t)p->rank.order[low + start];
        if (peer_gives(has, piece))
            return piece;
    }
    return -1;
}

static int32_t by_chance(const picker *p, const bitfield *has, uint64_t chance)
{
    int32_t piece = -1;
    for (int c = 0; c < RANK_CLASSES && piece < 0; c++) {
        int32_t count = rank_from(&p->rank, c + 1) - rank_from(&p->rank, c);
        piece = count ? class_from(p, c, (int32_t)(chance % (uint64_t)count), has) : -1;
    }
    return piece;
}

static int32_t by_rarity(const picker *p, const bitfield *has, uint64_t chance)
{
    if (!gives_any(has, &p->untouched))
        return -1;
    return chance ? by_chance(p, has, chance) : first_given(p, has, false);
}

bool picker_endgame(const picker *p)
{
    return rank_ranked(&p->rank) == 0 && p->open_count > 0 && p->with_free.set == 0;
}

static int32_t by_endgame(const picker *p, int peer, const bitfield *has, uint64_t chance)
{
    if (!picker_endgame(p) || picker_asked_of(p, peer) >= PICKER_ENDGAME_MAX)
        return -1;
    for (int i = 0; i < p->open_count; i++) {                // everybody begins elsewhere
        const open_piece *o = p->open[(i + (int)(chance % (uint64_t)p->open_count)) % p->open_count].at;
        if (peer_gives(has, o->piece) && open_has(o, peer, true))
            return o->piece;
    }
    return -1;
}

static int32_t nothing(picker_reason *why)
{
    *why = PICKER_WHY_NOTHING;
    return -1;
}

// The order in the header's first comment.
static int32_t next_piece(picker *p, int peer, const bitfield *has, int64_t now_ns, uint64_t chance, picker_reason *why)
{
    int32_t piece;
    *why = PICKER_WHY_DEADLINE;
    if ((piece = by_deadline(p, peer, has, now_ns)) >= 0)
        return piece;
    *why = PICKER_WHY_ONLY;
    if ((piece = by_start(p, peer, has, 1)) >= 0)
        return piece;
    *why = PICKER_WHY_SUGGESTED;
    if ((piece = by_suggestion(p, peer, has)) >= 0)
        return piece;
    *why = PICKER_WHY_ONLY;
    if ((piece = by_uniqueness(p, has)) >= 0)
        return peer < p->peer_cap && p->peers[peer].steers ? nothing(why) : piece;
    *why = PICKER_WHY_STARTED;
    if ((piece = by_start(p, peer, has, INT32_MAX)) >= 0)
        return piece;
    if (p->open_count < PICKER_OPEN_MAX && rank_ranked(&p->rank)) {
        bool at_random = !p->sequential && p->done < PICKER_RANDOM_FIRST;
        *why = p->sequential ? PICKER_WHY_SEQUENTIAL : at_random ? PICKER_WHY_RANDOM : PICKER_WHY_RAREST;
        if ((piece = p->sequential ? by_order(p, has) : by_rarity(p, has, at_random ? chance : 0)) >= 0)
            return piece;
    }
    *why = PICKER_WHY_ENDGAME;
    if ((piece = by_endgame(p, peer, has, chance)) >= 0)
        return piece;
    *why = PICKER_WHY_NOTHING;
    return -1;
}

int picker_choose(picker *p, int peer, const bitfield *has, int n, int64_t now_ns, picker_block *out)
{
    asked_peer *k = picker_peer_of(p, peer);
    int count = 0;
    while (count < n) {
        picker_reason why;
        int32_t piece = next_piece(p, peer, has, now_ns, rank_chance(&p->rank, INT32_MAX), &why);
        if (piece < 0)
            break;
        open_piece *o = picker_open_of(p, piece);
        if (!o)
            o = picker_piece_open(p, piece);
        bool twice = why == PICKER_WHY_ENDGAME || (why == PICKER_WHY_DEADLINE && !open_has(o, peer, false));
        int most = why == PICKER_WHY_ENDGAME ? PICKER_ENDGAME_MAX : INT32_MAX;
        for (int32_t b; count < n && k->asked < most && (b = open_next(o, peer, twice)) >= 0; k->asked++) {
            open_ask(o, b, peer);
            out[count++] = picker_block_at(p, piece, b);
        }
        picker_free_note(p, o);
    }
    return count;
}

// ---- whole pieces ------------------------------------------------------------------------------------------------------

static int32_t untouched_next(picker *p)
{
    for (int i = 0; i < p->deadline_count; i++)
        if (rank_holds(&p->rank, p->deadlines[i].piece))
            return p->deadlines[i].piece;
    if (!rank_ranked(&p->rank) || p->open_count == PICKER_OPEN_MAX)
        return -1;
    return p->sequential ? by_order(p, NULL) : by_rarity(p, NULL, 0);
}

// Every block that is lacking may be asked of this peer.
static bool piece_lacks(const open_piece *o, int peer)
{
    bool lacks = false;
    if (o->turns > 0 && o->owner >= 0 && o->owner != peer)
        return false;
    for (int32_t i = 0; i < o->blocks; i++) {
        const open_block *b = &o->block[i];
        if (!b->received && (b->asked == PICKER_ASKED_MAX || (o->turns > 0 && b->asked) || open_asked_of(b, peer)))
            return false;
        lacks = lacks || !b->received;
    }
    return lacks;
}

static void piece_ask(picker *p, open_piece *o, int peer)
{
    for (int32_t i = 0; i < o->blocks; i++) {
        if (o->block[i].received)
            continue;
        open_ask(o, i, peer);
        picker_peer_of(p, peer)->asked++;
    }
    picker_free_note(p, o);
}

int32_t picker_take_run(picker *p, int peer, int32_t most, int32_t *first)
{
    int32_t count = 0;
    *first = untouched_next(p);
    while (*first >= 0 && count < most && *first + count < p->shape.piece_count && rank_holds(&p->rank, *first + count)) {
        open_piece *o = picker_piece_open(p, *first + count);
        if (!o)
            break;
        piece_ask(p, o, peer);
        count++;
    }
    for (int i = p->open_count - 1; !count && i >= 0; i--) {    // the newest: those before it come soon from whom they were asked
        open_piece *o = p->open[i].at;
        if (!piece_lacks(o, peer))
            continue;
        piece_ask(p, o, peer);
        *first = o->piece;
        count = 1;
    }
    return count;
}

// ---- why ---------------------------------------------------------------------------------------------------------------

picker_explained picker_why(const picker *p, int peer, const bitfield *has, int64_t now_ns)
{
    // Only the place where sequential mode goes on is moved, which changes no choice; the chance is not drawn.
    picker copy = *p;
    picker_explained x;
    x.piece = next_piece(&copy, peer, has, now_ns, 0, &x.reason);
    x.availability = picker_availability(p, x.piece);
    x.equals = 0;
    if (x.reason == PICKER_WHY_RAREST) {
        int rank = rank_class(rank_priority(&p->rank, x.piece)) * p->rank.levels + x.availability - p->rank.seeds;
        x.equals = p->rank.first[rank + 1] - p->rank.first[rank];
    }
    return x;
}

const char *picker_reason_words(picker_reason r)
{
    static const char *const words[] = {
        [PICKER_WHY_DEADLINE] = "somebody waits for it until a set time",
        [PICKER_WHY_SUGGESTED] = "the peer suggested it",
        [PICKER_WHY_ONLY] = "no other neighbour has it",
        [PICKER_WHY_STARTED] = "it was begun, and only whole pieces can be passed on",
        [PICKER_WHY_SEQUENTIAL] = "it is the next in order",
        [PICKER_WHY_RANDOM] = "our first pieces are taken at random, to have something to give soon",
        [PICKER_WHY_RAREST] = "no piece that the peer has is rarer among our neighbours",
        [PICKER_WHY_ENDGAME] = "everything is asked for; the last blocks are asked of several",
        [PICKER_WHY_NOTHING] = "the peer has nothing that we want and have not asked for",
    };
    return words[r];
}
