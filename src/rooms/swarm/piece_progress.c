// Pieces between their first block and their hash: memory that blocks go to, fibers that hash and store what is whole, and
// what follows: HAVEs, or the search for who sent false bytes.
#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"
#include "rooms/swarm/swarm_inside.h"
#include "rooms/swarm/swarm_meters.h"
#include "rt/digest.h"
#include "rt/log.h"
#include "rt/loop.h"
#include "rt/shared.h"
#include "rt/sim.h"
#include "rt/worker.h"

enum { SPARE_BYTES_MAX = 16 << 20, BLOCKS_OF_PIECE_MAX = METAINFO_PIECE_BYTES_MAX / PICKER_BLOCK_BYTES };
_Static_assert(PICKER_BLOCK_BYTES == (int)POISON_BLOCK_BYTES, "blocks are blocks");

static int32_t blocks_of(int32_t length) { return (length + PICKER_BLOCK_BYTES - 1) / PICKER_BLOCK_BYTES; }

static int32_t block_length(int32_t piece_length, int32_t block)
{
    int32_t left = piece_length - block * PICKER_BLOCK_BYTES;
    return left < PICKER_BLOCK_BYTES ? left : PICKER_BLOCK_BYTES;
}

// ---- memory -------------------------------------------------------------------------------------------------------------

// Spare ones keep their memory: fresh pages cost as much as hashing what is put into them.
static coming_piece *coming_new(torrent *t, int32_t piece)
{
    list_link *l = list_take(&t->spare);
    coming_piece *o = l ? LIST_OF(l, coming_piece, link) : NULL;
    if (!o) {
        o = memory_zeroed(1, sizeof *o);
        o->lent = memory_zeroed((size_t)blocks_of((int32_t)t->meta->piece_bytes), sizeof *o->lent);
        o->senders.of_block = memory_new((size_t)blocks_of((int32_t)t->meta->piece_bytes));
    } else {
        t->spare_bytes -= t->meta->piece_bytes;
    }
    o->piece = piece;
    o->length = store_piece_length(t->store, piece);
    o->senders.count = 0;
    memset(o->senders.of_block, 0, (size_t)blocks_of(o->length));
    t->coming_bytes += t->meta->piece_bytes;
    t->coming_by_piece[piece] = o;
    list_append(&t->coming, &o->link);
    return o;
}

// In the simulator most pieces need none: a thousand peers would spread over fifty GB of addresses.
static unsigned char *bytes_of(const torrent *t, coming_piece *o)
{
    if (!o->bytes)
        o->bytes = memory_new((size_t)t->meta->piece_bytes);
    return o->bytes;
}

static void lent_drop(coming_piece *o)
{
    for (int32_t i = 0; i < blocks_of(o->length); i++) {
        shared_drop(o->lent[i]);
        o->lent[i] = (str){0};
    }
}

static str block_bytes(const coming_piece *o, int32_t block)
{
    if (o->lent && o->lent[block].len)
        return o->lent[block];
    return str_of(o->bytes + block * PICKER_BLOCK_BYTES, (size_t)block_length(o->length, block));
}

static void coming_free(coming_piece *o)
{
    lent_drop(o);
    memory_free(o->lent);
    memory_free(o->bytes);
    memory_free(o->senders.of_block);
    memory_free(o);
}

static void coming_done(torrent *t, coming_piece *o)
{
    lent_drop(o);
    if (t->spare_bytes + t->meta->piece_bytes > SPARE_BYTES_MAX) {
        coming_free(o);
        return;
    }
    t->spare_bytes += t->meta->piece_bytes;
    list_prepend(&t->spare, &o->link);
}

void pieces_forget(torrent *t)
{
    list *const all[] = {&t->coming, &t->to_finish, &t->spare};
    for (int i = 0; i < 3; i++)
        for (list_link *l; (l = list_take(all[i])); )
            coming_free(LIST_OF(l, coming_piece, link));
    memory_free(t->coming_by_piece);
    t->coming_by_piece = NULL;
    t->coming_bytes = t->finish_bytes = t->spare_bytes = 0;
}

// ---- over a stop --------------------------------------------------------------------------------------------------------

// What had come of pieces that are not whole: kept, so that a stop costs nothing.
void pieces_save(torrent *t)
{
    int count = 0;
    arena a = arena_make(TORRENT_BUFFERS_BYTES_MAX);
    for (list_link *l = list_first(&t->coming); l; l = list_next(&t->coming, l))
        count++;
    store_partial *kept = arena_array(&a, store_partial, count + 1);
    count = 0;
    for (list_link *l = list_first(&t->coming); l && !a.full; l = list_next(&t->coming, l)) {
        coming_piece *o = LIST_OF(l, coming_piece, link);
        int32_t blocks = blocks_of(o->length);
        unsigned char *bytes = bytes_of(t, o);
        for (int32_t i = 0; i < blocks; i++)
            if (o->lent[i].len)
                memcpy(bytes + i * PICKER_BLOCK_BYTES, o->lent[i].at, (size_t)o->lent[i].len);
        unsigned char *there = arena_alloc(&a, (size_t)bitfield_bytes(blocks), 1, 1);
        for (int32_t i = 0; i < blocks && there; i++)
            if (picker_block_there(t->picker, (picker_block){o->piece, i * PICKER_BLOCK_BYTES, block_length(o->length, i)}))
                there[i / 8] |= (unsigned char)(0x80 >> i % 8);
        kept[count++] = (store_partial){o->piece, there, str_of(bytes, (size_t)o->length)};
    }
    if (!a.full)
        (void)store_partial_save(t->store, kept, count);
    arena_free(&a);
}

void piece_partial_take(torrent *t, const store_partial *kept)
{
    int32_t length = store_piece_length(t->store, kept->piece), blocks = blocks_of(length), taken = 0;
    coming_piece *o = NULL;
    for (int32_t i = 0; i < blocks; i++) {
        picker_block b = {kept->piece, i * PICKER_BLOCK_BYTES, block_length(length, i)};
        if (!(kept->blocks[i / 8] & (0x80 >> i % 8)) || taken == blocks - 1 || !picker_block_found(t->picker, b))
            continue;                                    // the last one is asked for again: then the piece is checked as usual
        if (!o)
            o = coming_new(t, kept->piece);
        memcpy(bytes_of(t, o) + b.begin, kept->bytes.at + b.begin, (size_t)b.length);
        taken++;
    }
}

// ---- where blocks go ----------------------------------------------------------------------------------------------------

// Somebody else is sending this block right now.
static bool is_coming(const torrent *t, const peer *p, picker_block b)
{
    for (int i = 0; i < t->peers_end; i++) {
        const peer *other = t->peers[i];
        if (other && other != p && other->block_left > 0 && other->block_kept && other->block.piece == b.piece && other->block.begin == b.begin)
            return true;
    }
    return false;
}

// Two peers may send the same block at the same time (endgame): the second one's bytes wait in a place of their own, so that
// each sender answers for his own bytes alone.
bool piece_block_begins(torrent *t, peer *p, picker_block b)
{
    if (!t->picker || !picker_block_asked(t->picker, p->number, b))
        return false;
    if (!t->coming_by_piece[b.piece])
        (void)coming_new(t, b.piece);
    p->block_apart = is_coming(t, p, b);
    if (p->block_apart && !p->apart)
        p->apart = arena_alloc(&p->memory, PICKER_BLOCK_BYTES, 1, 1);
    return !p->block_apart || p->apart;
}

unsigned char *piece_block_place(torrent *t, peer *p)
{
    coming_piece *o = t->coming_by_piece[p->block.piece];
    return p->block_apart ? p->apart : o ? bytes_of(t, o) + p->block.begin : NULL;
}

// The block is there: whose comes later must not write into what is being hashed.
static void others_forget(torrent *t, const peer *p, picker_block b)
{
    for (int i = 0; i < t->peers_end; i++) {
        peer *other = t->peers[i];
        if (other && other != p && other->block_left > 0 && other->block.piece == b.piece && other->block.begin == b.begin)
            peer_block_forget(other);
    }
}

// ---- hashing and storing ------------------------------------------------------------------------------------------------

typedef struct { const coming_piece *o; poison_digest *out; } digesting;

static void digest_blocks(void *arg)
{
    digesting *d = arg;
    unsigned char sha1[DIGEST_SHA1_BYTES];
    for (int32_t at = 0, i = 0; at < d->o->length; at += PICKER_BLOCK_BYTES, i++) {
        digest_of(DIGEST_SHA1, block_bytes(d->o, i), sha1);
        memcpy(d->out[i].bytes, sha1, POISON_DIGEST_BYTES);
    }
}

static poison_digest *digests_new(const coming_piece *o)
{
    digesting d = {o, memory_new((size_t)blocks_of(o->length) * sizeof(poison_digest))};
    work(digest_blocks, &d);
    return d.out;
}

static void ban(torrent *t, addr who)
{
    if (world_broken(t->swarm->w, "no-ban"))
        return;
    log_line("swarm", LOG_NOTICE, "banned", F_ADDR("peer", &who), F_STR("why", S("it sent false data")));
    meter_add(&swarm_meter_banned, 1);
    swarm_ban(t->swarm, who);
}

static void liars_find(torrent *t, const coming_piece *o)
{
    addr liars[POISON_SENDERS_MAX];
    if (!poison_knows(t->poison, o->piece))
        return;
    poison_digest *right = digests_new(o);
    int n = poison_found(t->poison, o->piece, right, blocks_of(o->length), liars, POISON_SENDERS_MAX);
    memory_free(right);
    for (int i = 0; i < n; i++)
        ban(t, liars[i]);
}

static void piece_is_right(torrent *t, const coming_piece *o)
{
    meter_add(&swarm_meter_pieces, 1);
    t->have_pieces++;
    picker_piece_done(t->picker, o->piece);
    for (int i = 0; i < t->peers_end; i++) {
        peer *p = t->peers[i];
        if (!p)
            continue;
        bool counts = t->swarm->mode == CHOKER_MANAGED || bitfield_all(&p->has);
        // Who has it need not know; but a seed chooses by it what it gives to whom, and the managed rules who lacks the most.
        if (!p->hidden && (counts || !bitfield_has(&p->has, o->piece)))
            peer_tell_have(p, o->piece);
    }
    for (int i = 0; i < t->peers_end; i++)
        if (t->peers[i] && t->peers[i]->we_want && bitfield_has(&t->peers[i]->has, o->piece))
            peer_interest(t->peers[i]);
    liars_find(t, o);
    torrent_progress(t);
}

static void piece_is_wrong(torrent *t, const coming_piece *o)
{
    int senders[POISON_SENDERS_MAX];
    addr only = poison_only_sender(&o->senders, blocks_of(o->length));
    t->wasted += o->length;
    meter_add(&swarm_meter_pieces_bad, 1);
    meter_add(&swarm_meter_wasted, o->length);
    log_line("swarm", LOG_WARNING, "piece has a wrong hash", F_INT("piece", o->piece), F_INT("senders", o->senders.count));
    if (only.family) {
        ban(t, only);
    } else {
        poison_digest *were = digests_new(o);
        poison_failed(t->poison, o->piece, &o->senders, were, blocks_of(o->length));
        memory_free(were);
    }
    if (t->picker)
        (void)picker_piece_failed(t->picker, o->piece, senders, POISON_SENDERS_MAX);
    torrent_ask_all(t);
}

// Blocks that lie side by side go as one.
static err piece_put(torrent *t, const coming_piece *o, bool *good)
{
    int32_t blocks = blocks_of(o->length);
    int count = 0;
    str *all = memory_new((size_t)blocks * sizeof *all);
    for (int32_t i = 0; i < blocks; i++) {
        str b = block_bytes(o, i);
        if (count && all[count - 1].at + all[count - 1].len == b.at)
            all[count - 1].len += b.len;
        else
            all[count++] = b;
    }
    err e = store_put(t->store, o->piece, all, count, good);
    memory_free(all);
    return e;
}

static void piece_finish(torrent *t, coming_piece *o)
{
    bool good = false;
    err e = piece_put(t, o, &good);
    if (e) {
        picker_piece_failed(t->picker, o->piece, (int[1]){0}, 0);    // nobody's fault
        torrent_store_trouble(t);
    } else if (good) {
        piece_is_right(t, o);
    } else {
        piece_is_wrong(t, o);
    }
}

// What peers have sent of it is thrown away.
static void coming_drop(torrent *t, int32_t piece)
{
    coming_piece *o = t->coming_by_piece[piece];
    if (!o)
        return;
    for (int i = 0; i < t->peers_end; i++)
        if (t->peers[i] && t->peers[i]->block_left > 0 && t->peers[i]->block.piece == piece)
            peer_block_forget(t->peers[i]);
    t->coming_by_piece[piece] = NULL;
    t->coming_bytes -= t->meta->piece_bytes;
    list_remove(&o->link);
    coming_done(t, o);
}

static void finisher(void *arg)
{
    torrent *t = arg;
    for (list_link *l; (l = list_take(&t->to_finish)); ) {
        coming_piece *o = LIST_OF(l, coming_piece, link);
        piece_finish(t, o);
        t->finish_bytes -= t->meta->piece_bytes;
        coming_done(t, o);
        gate_wake_all(&t->finish_room);
    }
    t->finishers--;
}

static void piece_is_whole(torrent *t, int32_t piece)
{
    coming_piece *o = t->coming_by_piece[piece];
    must(o);
    t->coming_by_piece[piece] = NULL;
    list_remove(&o->link);
    t->coming_bytes -= t->meta->piece_bytes;
    t->finish_bytes += t->meta->piece_bytes;
    list_append(&t->to_finish, &o->link);
    if (t->finishers == TORRENT_FINISHERS)
        return;
    t->finishers++;
    if (scope_try_go(&t->scope, "piece", finisher, t))
        t->finishers--;                                  // those that run take it, or the next piece tries again
}

// ---- a block ------------------------------------------------------------------------------------------------------------

static void block_is_useless(torrent *t, peer *p, picker_block b)
{
    t->wasted += b.length;
    meter_add(&swarm_meter_wasted, b.length);
    if (++p->useless > PEER_BAD_MAX)
        peer_end(p, "it sends what nobody asked for");
}

static void cancel_tell(torrent *t, int number, picker_block b)
{
    peer *p = number >= 0 && number < t->peers_end ? t->peers[number] : NULL;
    if (p)
        peer_tell(p, &(peer_message){.kind = PEER_CANCEL, .piece = (uint32_t)b.piece, .begin = (uint32_t)b.begin,
                                     .length = (uint32_t)b.length});
}

void piece_block_came(torrent *t, peer *p, picker_block b)
{
    int others[PICKER_ASKED_MAX], count = 0;
    if (!t->picker || !p->block_kept) {
        block_is_useless(t, p, b);
        return;
    }
    picker_receipt got = picker_received(t->picker, p->number, b, others, &count);
    if (got == PICKER_UNWANTED) {
        block_is_useless(t, p, b);
        return;
    }
    coming_piece *o = t->coming_by_piece[b.piece];
    p->useless = 0;
    others_forget(t, p, b);
    str *lent = &o->lent[b.begin / PICKER_BLOCK_BYTES];
    shared_drop(*lent);                                  // of one who had this piece to himself, and did not finish it
    *lent = p->block_lent;
    p->block_lent = (str){0};
    if (!lent->len && p->block_apart)
        memcpy(bytes_of(t, o) + b.begin, p->apart, (size_t)b.length);
    poison_sent(&o->senders, b.begin / PICKER_BLOCK_BYTES, p->at);
    for (int i = 0; i < count; i++)
        cancel_tell(t, others[i], b);
    if (got == PICKER_WHOLE)
        piece_is_whole(t, b.piece);
}

// ---- whole pieces, of a web seed ----------------------------------------------------------------------------------------

static int32_t piece_blocks_asked(const torrent *t, int number, int32_t piece, bool *all)
{
    int32_t length = store_piece_length(t->store, piece), asked = 0;
    *all = true;
    for (int32_t i = 0; i < blocks_of(length); i++) {
        picker_block b = {piece, i * PICKER_BLOCK_BYTES, block_length(length, i)};
        bool ours = picker_block_asked(t->picker, number, b);
        asked += ours;
        *all = *all && (ours || picker_block_there(t->picker, b));
    }
    return asked;
}

void piece_blocks_return(torrent *t, int number, int32_t piece)
{
    int32_t length = store_piece_length(t->store, piece);
    for (int32_t i = 0; t->picker && i < blocks_of(length); i++)
        picker_returned(t->picker, number, (picker_block){piece, i * PICKER_BLOCK_BYTES, block_length(length, i)});
}

// What peers sent of it is not needed, and what they still send has no place any more.
static void piece_blocks_replace(torrent *t, int number, int32_t piece)
{
    int32_t length = store_piece_length(t->store, piece);
    for (int32_t i = 0; i < blocks_of(length); i++) {
        picker_block b = {piece, i * PICKER_BLOCK_BYTES, block_length(length, i)};
        int others[PICKER_ASKED_MAX], count = 0;
        (void)picker_received(t->picker, number, b, others, &count);
        for (int k = 0; k < count; k++)
            cancel_tell(t, others[k], b);
    }
    coming_drop(t, piece);
}

err piece_came_whole(torrent *t, int number, int32_t piece, str bytes, bool *good)
{
    bool all = false;
    *good = true;
    if (!t->picker || !piece_blocks_asked(t, number, piece, &all) || !all) {
        piece_blocks_return(t, number, piece);           // nobody needs it any more
        t->wasted += bytes.len;
        meter_add(&swarm_meter_wasted, bytes.len);
        return E_OK;
    }
    piece_blocks_replace(t, number, piece);
    const coming_piece o = {.piece = piece, .length = (int32_t)bytes.len, .bytes = (unsigned char *)(uintptr_t)bytes.at};
    err e = store_piece_put(t->store, piece, bytes, good);
    if (!e && *good) {
        piece_is_right(t, &o);
        return E_OK;
    }
    (void)picker_piece_failed(t->picker, piece, (int[1]){0}, 0);
    if (e) {
        torrent_store_trouble(t);
    } else {
        t->wasted += bytes.len;
        meter_add(&swarm_meter_pieces_bad, 1);
        meter_add(&swarm_meter_wasted, bytes.len);
        torrent_ask_all(t);
    }
    return e;
}
