#include "rooms/swarm/picker.h"

#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"
#include "rooms/swarm/picker_open.h"
#include "rooms/swarm/picker_rank.h"

enum { ALONE_TURNS = 3 };                    // peers that may try a piece alone after a failed hash
#define URGENT_NS (2 * 1000000000ll)         // this long before its deadline a block is asked of two

typedef struct {
    uint16_t asked;                          // blocks
    bool     steers;                         // picker_steers
    uint8_t  suggested_count;
    int32_t  suggested[PICKER_SUGGESTED_MAX];            // newest last
} asked_peer;

typedef struct { int64_t at_ns; int32_t piece; } deadline;

struct picker {
    picker_shape shape;
    bitfield     have;
    picker_rank  rank;
    open_piece **open;                       // the oldest first
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

static int32_t piece_length(const picker *p, int32_t piece)
{
    int64_t left = p->shape.length - piece * p->shape.piece_bytes;
    return (int32_t)(left < p->shape.piece_bytes ? left : p->shape.piece_bytes);
}

static int32_t piece_blocks(const picker *p, int32_t piece)
{
    return (piece_length(p, piece) - 1) / PICKER_BLOCK_BYTES + 1;
}

static picker_block block_at(const picker *p, int32_t piece, int32_t block)
{
    int32_t begin = block * PICKER_BLOCK_BYTES, left = piece_length(p, piece) - begin;
    return (picker_block){piece, begin, left < PICKER_BLOCK_BYTES ? left : PICKER_BLOCK_BYTES};
}

static bool block_fits(const picker *p, picker_block b)
{
    if (b.piece < 0 || b.piece >= p->shape.piece_count || b.begin < 0 || b.begin % PICKER_BLOCK_BYTES)
        return false;
    return b.begin < piece_length(p, b.piece) && b.length == block_at(p, b.piece, b.begin / PICKER_BLOCK_BYTES).length;
}

static bool piece_fits(const picker *p, int32_t piece) { return piece >= 0 && piece < p->shape.piece_count; }

// ---- making ------------------------------------------------------------------------------------------------------------

picker *picker_new(picker_shape shape, const bitfield *have, uint64_t seed)
{
    must(shape.piece_count > 0 && shape.piece_count <= PICKER_PIECES_MAX && shape.piece_bytes > 0);
    must(shape.piece_bytes <= INT32_MAX && (shape.length - 1) / shape.piece_bytes == shape.piece_count - 1);
    must(!have || have->count == shape.piece_count);
    picker *p = memory_zeroed(1, sizeof *p);
    p->shape = shape;
    size_t bytes = (size_t)bitfield_bytes(shape.piece_count);
    p->have = (bitfield){memory_zeroed(1, bytes), shape.piece_count, have ? have->set : 0};
    if (have)
        memcpy(p->have.bytes, have->bytes, bytes);
    rank_make(&p->rank, shape.piece_count, seed);
    for (int32_t i = 0; i < shape.piece_count; i++)
        if (!bitfield_has(&p->have, i))
            rank_set(&p->rank, i, true);
    return p;
}

void picker_free(picker *p)
{
    if (!p)
        return;
    for (int i = 0; i < p->open_count; i++)
        memory_free(p->open[i]);
    memory_free(p->open);
    memory_free(p->peers);
    memory_free(p->deadlines);
    memory_free(p->have.bytes);
    rank_free(&p->rank);
    memory_free(p);
}

static asked_peer *peer_of(picker *p, int peer)
{
    must(peer >= 0 && peer < PICKER_PEERS_MAX);
    if (peer >= p->peer_cap) {
        int cap = p->peer_cap ? p->peer_cap : 8;
        while (cap <= peer)
            cap *= 2;
        p->peers = memory_resize(p->peers, (size_t)cap * sizeof *p->peers);
        memset(p->peers + p->peer_cap, 0, (size_t)(cap - p->peer_cap) * sizeof *p->peers);
        p->peer_cap = cap;
    }
    return &p->peers[peer];
}

int picker_asked_of(const picker *p, int peer) { return peer >= 0 && peer < p->peer_cap ? p->peers[peer].asked : 0; }

// ---- open pieces -------------------------------------------------------------------------------------------------------

static int open_find(const picker *p, int32_t piece)
{
    for (int i = 0; i < p->open_count; i++)
        if (p->open[i]->piece == piece)
            return i;
    return -1;
}

static open_piece *open_of(const picker *p, int32_t piece)
{
    int i = open_find(p, piece);
    return i < 0 ? NULL : p->open[i];
}

static open_piece *piece_open(picker *p, int32_t piece)
{
    if (p->open_count == PICKER_OPEN_MAX)
        return NULL;
    if (p->open_count == p->open_cap) {
        p->open_cap = p->open_cap ? 2 * p->open_cap : 8;
        p->open = memory_resize(p->open, (size_t)p->open_cap * sizeof p->open[0]);
    }
    rank_set(&p->rank, piece, false);
    return p->open[p->open_count++] = open_new(piece, piece_blocks(p, piece));
}

// Takes a piece out of those that are open; what was asked for is forgotten.
static void piece_close(picker *p, int at)
{
    open_piece *o = p->open[at];
    for (int32_t i = 0; i < o->blocks; i++)
        for (int k = 0; !o->block[i].received && k < o->block[i].asked; k++)
            p->peers[o->block[i].who[k]].asked--;
    memory_free(o);
    memmove(p->open + at, p->open + at + 1, (size_t)(--p->open_count - at) * sizeof p->open[0]);
}

static void peer_leaves_block(picker *p, open_piece *o, int32_t block, int peer)
{
    if (open_unask(o, block, peer))
        p->peers[peer].asked--;
}

// A piece nobody is asked for and of which nothing came is as if it had never been opened: rarest first decides anew.
// One that a peer had to itself passes, without what that peer sent, to the next.
static void piece_settle(picker *p, int at)
{
    open_piece *o = p->open[at];
    if (o->turns > 0 && o->owner >= 0 && o->free == o->blocks - o->received) {
        o->owner = -1;
        o->turns--;
        open_forget(o, true);
    } else if (o->turns == 0 && o->free == o->blocks) {
        int32_t piece = o->piece;
        piece_close(p, at);
        rank_set(&p->rank, piece, true);
    }
}

// ---- what is wanted ----------------------------------------------------------------------------------------------------

void picker_sequential(picker *p, bool in_order)
{
    p->sequential = in_order;
    p->in_order = 0;
}

picker_priority picker_priority_of(const picker *p, int32_t piece)
{
    return piece_fits(p, piece) ? rank_priority(&p->rank, piece) : PICKER_SKIP;
}

static void deadline_drop(picker *p, int32_t piece)
{
    for (int i = 0; i < p->deadline_count; i++) {
        if (p->deadlines[i].piece != piece)
            continue;
        memmove(p->deadlines + i, p->deadlines + i + 1, (size_t)(--p->deadline_count - i) * sizeof p->deadlines[0]);
        return;
    }
}

void picker_priority_set(picker *p, int32_t piece, picker_priority to)
{
    if (!piece_fits(p, piece) || rank_priority(&p->rank, piece) == to)
        return;
    bool lacking = !bitfield_has(&p->have, piece);
    int at = open_find(p, piece);
    if (lacking)
        p->skipped += (to == PICKER_SKIP) - (rank_priority(&p->rank, piece) == PICKER_SKIP);
    if (to == PICKER_SKIP)
        deadline_drop(p, piece);
    if (at >= 0 && to == PICKER_SKIP)
        piece_close(p, at), at = -1;
    rank_set(&p->rank, piece, false);
    rank_priority_set(&p->rank, piece, to);
    if (lacking && at < 0 && to != PICKER_SKIP)
        rank_set(&p->rank, piece, true);
    p->in_order = 0;
}

bool picker_deadline_set(picker *p, int32_t piece, int64_t at_ns)
{
    deadline_drop(p, piece);
    if (at_ns == 0)
        return true;
    if (!piece_fits(p, piece) || bitfield_has(&p->have, piece) || rank_priority(&p->rank, piece) == PICKER_SKIP)
        return false;
    if (p->deadline_count == PICKER_DEADLINES_MAX)
        return false;
    if (!p->deadlines)
        p->deadlines = memory_new(PICKER_DEADLINES_MAX * sizeof p->deadlines[0]);
    int at = p->deadline_count++;
    for (; at > 0 && p->deadlines[at - 1].at_ns > at_ns; at--)
        p->deadlines[at] = p->deadlines[at - 1];
    p->deadlines[at] = (deadline){at_ns, piece};
    return true;
}

// ---- what peers have ---------------------------------------------------------------------------------------------------

void picker_peer_bitfield(picker *p, const bitfield *has)
{
    must(has->count == p->shape.piece_count);
    if (bitfield_all(has))
        p->rank.seeds++;
    else
        for (int32_t i = bitfield_next(has, 0, true); i >= 0; i = bitfield_next(has, i + 1, true))
            rank_more(&p->rank, i);
}

void picker_peer_has(picker *p, int32_t piece)
{
    if (piece_fits(p, piece))
        rank_more(&p->rank, piece);
}

void picker_peer_lost(picker *p, int32_t piece)
{
    if (piece_fits(p, piece))
        rank_less(&p->rank, piece);
}

void picker_peer_gone(picker *p, int peer, const bitfield *has)
{
    picker_returned_all(p, peer);
    if (bitfield_all(has))
        rank_seed_gone(&p->rank);
    else
        for (int32_t i = bitfield_next(has, 0, true); i >= 0; i = bitfield_next(has, i + 1, true))
            rank_less(&p->rank, i);
}

void picker_suggest(picker *p, int peer, int32_t piece)
{
    if (!piece_fits(p, piece) || bitfield_has(&p->have, piece))
        return;
    asked_peer *k = peer_of(p, peer);
    for (int i = 0; i < k->suggested_count; i++)
        if (k->suggested[i] == piece)
            return;
    if (k->suggested_count == PICKER_SUGGESTED_MAX)
        memmove(k->suggested, k->suggested + 1, (size_t)--k->suggested_count * sizeof k->suggested[0]);
    k->suggested[k->suggested_count++] = piece;
}

void picker_suggestions_forget(picker *p, int peer)
{
    if (peer < 0 || peer >= p->peer_cap)
        return;
    p->peers[peer].suggested_count = 0;
    p->peers[peer].steers = false;
}

void picker_steers(picker *p, int peer, bool steers) { peer_of(p, peer)->steers = steers; }

int picker_availability(const picker *p, int32_t piece) { return piece_fits(p, piece) ? rank_availability(&p->rank, piece) : 0; }

bool picker_wants(const picker *p, const bitfield *has)
{
    if (p->skipped == 0)
        return bitfield_wants(&p->have, has);
    for (int32_t i = bitfield_next(has, 0, true); i >= 0; i = bitfield_next(has, i + 1, true))
        if (!bitfield_has(&p->have, i) && rank_priority(&p->rank, i) != PICKER_SKIP)
            return true;
    return false;
}

// ---- choosing ----------------------------------------------------------------------------------------------------------

static bool peer_gives(const bitfield *has, int32_t piece) { return !has || bitfield_has(has, piece); }

// Can a piece be asked of the peer at once: open with a block for it, or not open yet?
static bool piece_ready(const picker *p, int32_t piece, int peer, bool twice)
{
    if (rank_holds(&p->rank, piece))
        return p->open_count < PICKER_OPEN_MAX;
    const open_piece *o = open_of(p, piece);
    return o && open_has(o, peer, twice);
}

bool picker_askable(const picker *p, int peer, const bitfield *has, int32_t piece, int64_t now_ns)
{
    if (piece < 0)
        return picker_why(p, peer, has, now_ns).reason != PICKER_WHY_NOTHING;
    return piece_fits(p, piece) && !bitfield_has(&p->have, piece) && rank_priority(&p->rank, piece) != PICKER_SKIP &&
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
    for (int i = 0; i < p->open_count; i++) {
        int32_t piece = p->open[i]->piece;
        if (peer_gives(has, piece) && rank_availability(&p->rank, piece) <= availability_max && open_has(p->open[i], peer, false))
            return piece;
    }
    return -1;
}

// What nobody but this peer has.
static int32_t by_uniqueness(const picker *p, const bitfield *has)
{
    int32_t piece = -1;
    if (p->sequential || p->open_count == PICKER_OPEN_MAX || p->rank.seeds > 1)
        return piece;
    for (int c = 0; c < RANK_CLASSES && piece < 0; c++) {
        int32_t end = p->rank.first[c * p->rank.levels + 2 - p->rank.seeds];         // behind those of availability 1
        for (int32_t i = rank_from(&p->rank, c); i < end && piece < 0; i++)
            if (peer_gives(has, (int32_t)p->rank.order[i]))
                piece = (int32_t)p->rank.order[i];
    }
    return piece;
}

static int32_t by_order(picker *p, const bitfield *has)
{
    for (; p->in_order < p->shape.piece_count; p->in_order++)
        if (rank_holds(&p->rank, p->in_order) || open_of(p, p->in_order))
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
    for (int32_t i = 0; i < count; i++) {
        int32_t piece = (int32_t)p->rank.order[low + (start + i) % count];
        if (peer_gives(has, piece))
            return piece;
    }
    return -1;
}

static int32_t by_rarity(const picker *p, const bitfield *has, uint64_t chance)
{
    for (int c = 0; c < RANK_CLASSES; c++) {
        int32_t count = rank_from(&p->rank, c + 1) - rank_from(&p->rank, c);
        int32_t piece = count ? class_from(p, c, (int32_t)(chance % (uint64_t)count), has) : -1;
        if (piece >= 0)
            return piece;
    }
    return -1;
}

static bool endgame(const picker *p)
{
    int32_t free_blocks = 0;
    for (int i = 0; i < p->open_count && !free_blocks; i++)
        free_blocks = p->open[i]->free;
    return rank_ranked(&p->rank) == 0 && p->open_count > 0 && !free_blocks;
}

static int32_t by_endgame(const picker *p, int peer, const bitfield *has, uint64_t chance)
{
    if (!endgame(p) || picker_asked_of(p, peer) >= PICKER_ENDGAME_MAX)
        return -1;
    for (int i = 0; i < p->open_count; i++) {                // everybody begins elsewhere
        const open_piece *o = p->open[(i + (int)(chance % (uint64_t)p->open_count)) % p->open_count];
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
    asked_peer *k = peer_of(p, peer);
    int count = 0;
    while (count < n) {
        picker_reason why;
        int32_t piece = next_piece(p, peer, has, now_ns, rank_chance(&p->rank, INT32_MAX), &why);
        if (piece < 0)
            break;
        open_piece *o = open_of(p, piece);
        if (!o)
            o = piece_open(p, piece);
        bool twice = why == PICKER_WHY_ENDGAME || (why == PICKER_WHY_DEADLINE && !open_has(o, peer, false));
        int most = why == PICKER_WHY_ENDGAME ? PICKER_ENDGAME_MAX : INT32_MAX;
        for (int32_t b; count < n && k->asked < most && (b = open_next(o, peer, twice)) >= 0; k->asked++) {
            open_ask(o, b, peer);
            out[count++] = block_at(p, piece, b);
        }
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
        peer_of(p, peer)->asked++;
    }
}

int32_t picker_take_run(picker *p, int peer, int32_t most, int32_t *first)
{
    int32_t count = 0;
    *first = untouched_next(p);
    while (*first >= 0 && count < most && *first + count < p->shape.piece_count && rank_holds(&p->rank, *first + count)) {
        open_piece *o = piece_open(p, *first + count);
        if (!o)
            break;
        piece_ask(p, o, peer);
        count++;
    }
    for (int i = p->open_count - 1; !count && i >= 0; i--) {    // the newest: those before it come soon from whom they were asked
        open_piece *o = p->open[i];
        if (!piece_lacks(o, peer))
            continue;
        piece_ask(p, o, peer);
        *first = o->piece;
        count = 1;
    }
    return count;
}

// ---- taking back -------------------------------------------------------------------------------------------------------

void picker_returned(picker *p, int peer, picker_block b)
{
    int at = block_fits(p, b) && peer >= 0 && peer < p->peer_cap ? open_find(p, b.piece) : -1;
    if (at < 0)
        return;
    peer_leaves_block(p, p->open[at], b.begin / PICKER_BLOCK_BYTES, peer);
    piece_settle(p, at);
}

void picker_returned_all(picker *p, int peer)
{
    picker_suggestions_forget(p, peer);
    for (int at = p->open_count - 1; at >= 0; at--) {
        open_piece *o = p->open[at];
        int before = picker_asked_of(p, peer);
        for (int32_t i = 0; before && i < o->blocks; i++)
            peer_leaves_block(p, o, i, peer);
        if (picker_asked_of(p, peer) != before || o->owner == peer)
            piece_settle(p, at);
    }
}

// ---- receiving ---------------------------------------------------------------------------------------------------------

picker_receipt picker_received(picker *p, int peer, picker_block b, int cancel[PICKER_ASKED_MAX], int *cancel_count)
{
    *cancel_count = 0;
    open_piece *o = block_fits(p, b) ? open_of(p, b.piece) : NULL;
    if (!o)
        return PICKER_UNWANTED;
    int32_t index = b.begin / PICKER_BLOCK_BYTES;
    open_block *k = &o->block[index];
    if (k->received || !open_asked_of(k, peer))
        return PICKER_UNWANTED;
    for (int i = 0; i < k->asked; i++) {
        p->peers[k->who[i]].asked--;
        if (k->who[i] != peer)
            cancel[(*cancel_count)++] = k->who[i];
    }
    open_arrived(o, index, peer);
    return o->received == o->blocks ? PICKER_WHOLE : PICKER_TAKEN;
}

bool picker_block_found(picker *p, picker_block b)
{
    if (!block_fits(p, b) || bitfield_has(&p->have, b.piece) || rank_priority(&p->rank, b.piece) == PICKER_SKIP)
        return false;
    open_piece *o = open_of(p, b.piece);
    if (!o)
        o = piece_open(p, b.piece);
    if (!o || o->block[b.begin / PICKER_BLOCK_BYTES].received || o->block[b.begin / PICKER_BLOCK_BYTES].asked)
        return false;
    open_arrived(o, b.begin / PICKER_BLOCK_BYTES, -1);
    return true;
}

bool picker_block_there(const picker *p, picker_block b)
{
    const open_piece *o = block_fits(p, b) ? open_of(p, b.piece) : NULL;
    return o && o->block[b.begin / PICKER_BLOCK_BYTES].received;
}

bool picker_block_asked(const picker *p, int peer, picker_block b)
{
    const open_piece *o = block_fits(p, b) ? open_of(p, b.piece) : NULL;
    const open_block *k = o ? &o->block[b.begin / PICKER_BLOCK_BYTES] : NULL;
    return k && !k->received && open_asked_of(k, peer);
}

void picker_piece_done(picker *p, int32_t piece)
{
    if (!piece_fits(p, piece) || bitfield_has(&p->have, piece))
        return;
    int at = open_find(p, piece);
    if (at >= 0)
        piece_close(p, at);
    deadline_drop(p, piece);
    if (rank_priority(&p->rank, piece) == PICKER_SKIP)
        p->skipped--;
    rank_set(&p->rank, piece, false);
    bitfield_add(&p->have, piece);
    p->done++;
}

int picker_piece_failed(picker *p, int32_t piece, int *senders, int max)
{
    open_piece *o = open_of(p, piece);
    int count = 0;
    for (int32_t i = 0; o && i < o->blocks; i++) {
        int who = o->block[i].who[0], known = 0;
        if (!o->block[i].received || who == OPEN_NOBODY)
            continue;
        while (known < count && senders[known] != who)
            known++;
        if (known == count && count < max)
            senders[count++] = who;
    }
    if (o) {
        for (int32_t i = 0; i < o->blocks; i++)
            for (int k = 0; !o->block[i].received && k < o->block[i].asked; k++)
                p->peers[o->block[i].who[k]].asked--;
        open_forget(o, true);
        o->owner = -1;
        o->turns = ALONE_TURNS;
    }
    return count;
}

void picker_piece_lost(picker *p, int32_t piece)
{
    if (!bitfield_has(&p->have, piece))
        return;
    bitfield_remove(&p->have, piece);
    p->in_order = 0;
    if (rank_priority(&p->rank, piece) == PICKER_SKIP)
        p->skipped++;
    else
        rank_set(&p->rank, piece, true);
}

// ---- looking -----------------------------------------------------------------------------------------------------------

const bitfield *picker_have(const picker *p) { return &p->have; }

picker_state picker_look(const picker *p)
{
    picker_state s = {.have = p->have.set, .open = p->open_count, .rarest = -1};
    s.wanted = p->shape.piece_count - p->have.set - p->skipped;
    for (int i = 0; i < p->open_count; i++) {
        const open_piece *o = p->open[i];
        s.blocks_received += o->received;
        s.blocks_asked += o->blocks - o->received - o->free;
    }
    s.endgame = endgame(p);
    s.complete = s.wanted == 0;
    for (int rank = 0; rank < rank_last(&p->rank); rank++) {
        int level = rank % p->rank.levels + p->rank.seeds;
        int32_t count = p->rank.first[rank + 1] - p->rank.first[rank];
        if (!count || (s.rarest >= 0 && s.rarest < level))
            continue;
        s.rarest_count = s.rarest == level ? s.rarest_count + count : count;
        s.rarest = level;
    }
    return s;
}

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
