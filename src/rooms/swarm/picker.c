// The picker's books: what is wanted, who has what, who was asked for which block, what has come. What is asked for next is
// picker_choice.c's.
#include "rooms/swarm/picker_inside.h"

#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"

enum { ALONE_TURNS = 3 };                    // peers that may try a piece alone after a failed hash

static bool block_fits(const picker *p, picker_block b)
{
    if (b.piece < 0 || b.piece >= p->shape.piece_count || b.begin < 0 || b.begin % PICKER_BLOCK_BYTES)
        return false;
    return b.begin < picker_piece_length(p, b.piece) && b.length == picker_block_at(p, b.piece, b.begin / PICKER_BLOCK_BYTES).length;
}

// ---- making ------------------------------------------------------------------------------------------------------------

static void ranked_set(picker *p, int32_t piece, bool ranked)
{
    rank_set(&p->rank, piece, ranked);
    (ranked ? bitfield_add : bitfield_remove)(&p->untouched, piece);
}

void picker_free_note(picker *p, const open_piece *o) { (o->free > 0 ? bitfield_add : bitfield_remove)(&p->with_free, o->piece); }

picker *picker_new(picker_shape shape, const bitfield *have, uint64_t seed)
{
    must(shape.piece_count > 0 && shape.piece_count <= PICKER_PIECES_MAX && shape.piece_bytes > 0);
    must(shape.piece_bytes <= INT32_MAX && (shape.length - 1) / shape.piece_bytes == shape.piece_count - 1);
    must(!have || have->count == shape.piece_count);
    picker *p = memory_zeroed(1, sizeof *p);
    p->shape = shape;
    bitfield *const fields[] = {&p->have, &p->untouched, &p->begun, &p->with_free};
    for (int i = 0; i < 4; i++)
        *fields[i] = (bitfield){memory_zeroed(1, (size_t)bitfield_bytes(shape.piece_count)), shape.piece_count, 0};
    if (have) {
        memcpy(p->have.bytes, have->bytes, (size_t)bitfield_bytes(shape.piece_count));
        p->have.set = have->set;
    }
    rank_make(&p->rank, shape.piece_count, seed);
    for (int32_t i = 0; i < shape.piece_count; i++)
        if (!bitfield_has(&p->have, i))
            ranked_set(p, i, true);
    return p;
}

void picker_free(picker *p)
{
    if (!p)
        return;
    for (int i = 0; i < p->open_count; i++)
        memory_free(p->open[i].at);
    memory_free(p->open);
    memory_free(p->peers);
    memory_free(p->deadlines);
    memory_free(p->have.bytes);
    memory_free(p->untouched.bytes);
    memory_free(p->begun.bytes);
    memory_free(p->with_free.bytes);
    rank_free(&p->rank);
    memory_free(p);
}

asked_peer *picker_peer_of(picker *p, int peer)
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
    for (int i = 0; bitfield_has(&p->begun, piece) && i < p->open_count; i++)
        if (p->open[i].piece == piece)
            return i;
    return -1;
}

open_piece *picker_open_of(const picker *p, int32_t piece)
{
    int i = open_find(p, piece);
    return i < 0 ? NULL : p->open[i].at;
}

open_piece *picker_piece_open(picker *p, int32_t piece)
{
    if (p->open_count == PICKER_OPEN_MAX)
        return NULL;
    if (p->open_count == p->open_cap) {
        p->open_cap = p->open_cap ? 2 * p->open_cap : 8;
        p->open = memory_resize(p->open, (size_t)p->open_cap * sizeof p->open[0]);
    }
    ranked_set(p, piece, false);
    bitfield_add(&p->begun, piece);
    bitfield_add(&p->with_free, piece);
    p->open[p->open_count] = (opened){piece, open_new(piece, picker_piece_blocks(p, piece))};
    return p->open[p->open_count++].at;
}

// Takes a piece out of those that are open; what was asked for is forgotten.
static void piece_close(picker *p, int at)
{
    open_piece *o = p->open[at].at;
    bitfield_remove(&p->begun, o->piece);
    bitfield_remove(&p->with_free, o->piece);
    for (int32_t i = 0; i < o->blocks; i++)
        for (int k = 0; !o->block[i].received && k < o->block[i].asked; k++)
            p->peers[o->block[i].who[k]].asked--;
    memory_free(o);
    memmove(p->open + at, p->open + at + 1, (size_t)(--p->open_count - at) * sizeof p->open[0]);
}

static void peer_leaves_block(picker *p, open_piece *o, int32_t block, int peer)
{
    if (!open_unask(o, block, peer))
        return;
    p->peers[peer].asked--;
    picker_free_note(p, o);
}

// A piece nobody is asked for and of which nothing came is as if it had never been opened: rarest first decides anew.
// One that a peer had to itself passes, without what that peer sent, to the next.
static void piece_settle(picker *p, int at)
{
    open_piece *o = p->open[at].at;
    if (o->turns > 0 && o->owner >= 0 && o->free == o->blocks - o->received) {
        o->owner = -1;
        o->turns--;
        open_forget(o, true);
        picker_free_note(p, o);
    } else if (o->turns == 0 && o->free == o->blocks) {
        int32_t piece = o->piece;
        piece_close(p, at);
        ranked_set(p, piece, true);
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
    return picker_piece_fits(p, piece) ? rank_priority(&p->rank, piece) : PICKER_SKIP;
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
    if (!picker_piece_fits(p, piece) || rank_priority(&p->rank, piece) == to)
        return;
    bool lacking = !bitfield_has(&p->have, piece);
    int at = open_find(p, piece);
    if (lacking)
        p->skipped += (to == PICKER_SKIP) - (rank_priority(&p->rank, piece) == PICKER_SKIP);
    if (to == PICKER_SKIP)
        deadline_drop(p, piece);
    if (at >= 0 && to == PICKER_SKIP)
        piece_close(p, at), at = -1;
    ranked_set(p, piece, false);
    rank_priority_set(&p->rank, piece, to);
    if (lacking && at < 0 && to != PICKER_SKIP)
        ranked_set(p, piece, true);
    p->in_order = 0;
}

bool picker_deadline_set(picker *p, int32_t piece, int64_t at_ns)
{
    deadline_drop(p, piece);
    if (at_ns == 0)
        return true;
    if (!picker_piece_fits(p, piece) || bitfield_has(&p->have, piece) || rank_priority(&p->rank, piece) == PICKER_SKIP)
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
    if (picker_piece_fits(p, piece))
        rank_more(&p->rank, piece);
}

void picker_peer_lost(picker *p, int32_t piece)
{
    if (picker_piece_fits(p, piece))
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
    if (!picker_piece_fits(p, piece) || bitfield_has(&p->have, piece))
        return;
    asked_peer *k = picker_peer_of(p, peer);
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

void picker_steers(picker *p, int peer, bool steers) { picker_peer_of(p, peer)->steers = steers; }

int picker_availability(const picker *p, int32_t piece) { return picker_piece_fits(p, piece) ? rank_availability(&p->rank, piece) : 0; }

bool picker_wants(const picker *p, const bitfield *has)
{
    if (p->skipped == 0)
        return bitfield_wants(&p->have, has);
    for (int32_t i = bitfield_next(has, 0, true); i >= 0; i = bitfield_next(has, i + 1, true))
        if (!bitfield_has(&p->have, i) && rank_priority(&p->rank, i) != PICKER_SKIP)
            return true;
    return false;
}

// ---- taking back -------------------------------------------------------------------------------------------------------

void picker_returned(picker *p, int peer, picker_block b)
{
    int at = block_fits(p, b) && peer >= 0 && peer < p->peer_cap ? open_find(p, b.piece) : -1;
    if (at < 0)
        return;
    peer_leaves_block(p, p->open[at].at, b.begin / PICKER_BLOCK_BYTES, peer);
    piece_settle(p, at);
}

void picker_returned_all(picker *p, int peer)
{
    picker_suggestions_forget(p, peer);
    for (int at = p->open_count - 1; at >= 0; at--) {
        open_piece *o = p->open[at].at;
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
    open_piece *o = block_fits(p, b) ? picker_open_of(p, b.piece) : NULL;
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
    picker_free_note(p, o);
    return o->received == o->blocks ? PICKER_WHOLE : PICKER_TAKEN;
}

bool picker_block_found(picker *p, picker_block b)
{
    if (!block_fits(p, b) || bitfield_has(&p->have, b.piece) || rank_priority(&p->rank, b.piece) == PICKER_SKIP)
        return false;
    open_piece *o = picker_open_of(p, b.piece);
    if (!o)
        o = picker_piece_open(p, b.piece);
    if (!o || o->block[b.begin / PICKER_BLOCK_BYTES].received || o->block[b.begin / PICKER_BLOCK_BYTES].asked)
        return false;
    open_arrived(o, b.begin / PICKER_BLOCK_BYTES, -1);
    picker_free_note(p, o);
    return true;
}

bool picker_block_there(const picker *p, picker_block b)
{
    const open_piece *o = block_fits(p, b) ? picker_open_of(p, b.piece) : NULL;
    return o && o->block[b.begin / PICKER_BLOCK_BYTES].received;
}

bool picker_block_asked(const picker *p, int peer, picker_block b)
{
    const open_piece *o = block_fits(p, b) ? picker_open_of(p, b.piece) : NULL;
    const open_block *k = o ? &o->block[b.begin / PICKER_BLOCK_BYTES] : NULL;
    return k && !k->received && open_asked_of(k, peer);
}

void picker_piece_done(picker *p, int32_t piece)
{
    if (!picker_piece_fits(p, piece) || bitfield_has(&p->have, piece))
        return;
    int at = open_find(p, piece);
    if (at >= 0)
        piece_close(p, at);
    deadline_drop(p, piece);
    if (rank_priority(&p->rank, piece) == PICKER_SKIP)
        p->skipped--;
    ranked_set(p, piece, false);
    bitfield_add(&p->have, piece);
    p->done++;
}

int picker_piece_failed(picker *p, int32_t piece, int *senders, int max)
{
    open_piece *o = picker_open_of(p, piece);
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
        picker_free_note(p, o);
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
        ranked_set(p, piece, true);
}

// ---- looking -----------------------------------------------------------------------------------------------------------

const bitfield *picker_have(const picker *p) { return &p->have; }

picker_state picker_look(const picker *p)
{
    picker_state s = {.have = p->have.set, .open = p->open_count, .rarest = -1};
    s.wanted = p->shape.piece_count - p->have.set - p->skipped;
    for (int i = 0; i < p->open_count; i++) {
        const open_piece *o = p->open[i].at;
        s.blocks_received += o->received;
        s.blocks_asked += o->blocks - o->received - o->free;
    }
    s.endgame = picker_endgame(p);
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
