// What a peer sends: messages out of a stream, blocks straight into the memory of their piece.
#include <string.h>

#include "rooms/swarm/swarm_inside.h"
#include "rooms/swarm/swarm_meters.h"
#include "rt/loop.h"
#include "rt/shared.h"

enum { HEAD_BYTES = 13, KIND_AT = 4 };               // of a piece message: length, kind, piece, begin

// ---- blocks -------------------------------------------------------------------------------------------------------------

void peer_block_forget(peer *p)
{
    shared_drop(p->block_lent);
    p->block_lent = (str){0};
    p->block_at = NULL;
    p->block_kept = false;
}

// The simulator lends what its hosts share: as long as a block is all of that, it stays where it is.
static bool block_borrow(peer *p, str part)
{
    bool first = p->block_left == p->block.length;
    return (first || p->block_lent.len) && shared_extend(&p->block_lent, part);
}

static void block_copy(peer *p, str part)
{
    if (!p->block_at && !(p->block_at = piece_block_place(p->torrent, p))) {
        peer_block_forget(p);
        return;
    }
    if (p->block_lent.len)
        memcpy(p->block_at, p->block_lent.at, (size_t)p->block_lent.len);
    shared_drop(p->block_lent);
    p->block_lent = (str){0};
    memcpy(p->block_at + (p->block.length - p->block_left), part.at, (size_t)part.len);
}

static void block_done(peer *p)
{
    torrent *t = p->torrent;
    int64_t now = loop_now_ns();
    p->received += p->block.length;
    p->block_ns = now;
    p->snubbed = p->late = false;
    p->rejects = 0;
    rate_count(&p->from, p->block.length, now);
    rate_count(&t->received_rate, p->block.length, now);
    rate_count(&t->swarm->received_rate, p->block.length, now);
    t->received += p->block.length;
    t->swarm->received += p->block.length;
    meter_add(&swarm_meter_received, p->block.length);
    if (p->delay_runs && (!p->delay_ns || now - p->asked_ns < p->delay_ns))
        p->delay_ns = now - p->asked_ns;
    p->delay_runs = false;
    piece_block_came(t, p, p->block);
    peer_block_forget(p);
}

static bool block_begin(peer *p, str head)
{
    torrent *t = p->torrent;
    reader r = rd_of(head);
    uint32_t length = rd_u32(&r) - 9;
    rd_skip(&r, 1);
    uint32_t piece = rd_u32(&r), begin = rd_u32(&r);
    bool fits = t->store && piece < (uint32_t)store_piece_count(t->store) && length > 0 && length <= PEER_BLOCK_BYTES_MAX;
    uint32_t piece_length = fits ? (uint32_t)store_piece_length(t->store, (int32_t)piece) : 0;
    if (!fits || begin >= piece_length || length > piece_length - begin) {
        p->why = "it sent a block that the torrent does not have";
        return false;
    }
    p->block = (picker_block){(int32_t)piece, (int32_t)begin, (int32_t)length};
    p->block_left = (ptrdiff_t)length;
    p->block_kept = piece_block_begins(t, p, p->block);
    return true;
}

static str block_take(peer *p, str in)
{
    str part = str_first(in, p->block_left);
    if (p->block_kept && !block_borrow(p, part))
        block_copy(p, part);
    p->block_left -= part.len;
    if (!p->block_left)
        block_done(p);
    return str_from(in, part.len);
}

// ---- messages -----------------------------------------------------------------------------------------------------------

static bool is_block(str in) { return in.len > KIND_AT && in.at[KIND_AT] == PEER_PIECE && in.at[0] == 0 && in.at[1] < 4; }

// The first message of `in`, or a block's head. PEER_MORE: *taken bytes are needed.
static peer_progress message_take(peer *p, str in, ptrdiff_t *taken)
{
    torrent *t = p->torrent;
    peer_rules rules = {.piece_count = t->meta ? t->meta->piece_count : 0, .fast = p->fast};
    peer_message m;
    if (is_block(in) && in.len >= KIND_AT && rd_u32(&(reader){in.at, in.at, in.at + 4, false}) > 9) {
        *taken = HEAD_BYTES;
        if (in.len < HEAD_BYTES)
            return PEER_MORE;
        return block_begin(p, in) ? PEER_MESSAGE : PEER_BAD;
    }
    peer_progress got = peer_message_read(in, rules, &m, taken, &p->why);
    if (got == PEER_MORE && in.len <= KIND_AT && *taken > KIND_AT + 1)
        *taken = KIND_AT + 1;                        // first the kind: of a block only the head is put together
    return got == PEER_MESSAGE && !peer_hears(p, &m) ? PEER_BAD : got;
}

// A message that came in parts is put together first.
static peer_progress partial_take(peer *p, str *in)
{
    str part = str_first(*in, p->partial_need - (ptrdiff_t)p->partial.len);
    buf_put(&p->partial, part);
    *in = str_from(*in, part.len);
    if ((ptrdiff_t)p->partial.len < p->partial_need)
        return PEER_MORE;
    peer_progress got = message_take(p, buf_str(&p->partial), &p->partial_need);
    if (got == PEER_MESSAGE)
        buf_clear(&p->partial);
    return p->partial.full ? PEER_BAD : got;
}

static bool input_take(peer *p, str in)
{
    peer_progress got = PEER_MORE;
    while (in.len > 0 && got != PEER_BAD && !p->leaving) {
        ptrdiff_t taken = 0;
        if (p->block_left > 0) {
            in = block_take(p, in);
        } else if (p->partial.len > 0) {
            got = partial_take(p, &in);
        } else if ((got = message_take(p, in, &taken)) == PEER_MESSAGE) {
            in = str_from(in, taken);
        } else if (got == PEER_MORE) {
            buf_put(&p->partial, in);
            p->partial_need = taken;
            in = (str){0};
        }
    }
    return got != PEER_BAD && !p->leaving;
}

// ---- the fiber ----------------------------------------------------------------------------------------------------------

// Under a limit no more is taken at once than may be paid for soon.
static str slice(const peer *p, str some)
{
    const torrent *t = p->torrent;
    int64_t a = rate_limit_slice(&t->down), b = rate_limit_slice(&t->swarm->down);
    return str_first(some, a < b ? a : b);
}

// What was read is paid for afterwards: whoever waits here does not read on, and TCP slows the sender down.
static void limits_keep(peer *p, int64_t bytes)
{
    torrent *t = p->torrent;
    int64_t now = loop_now_ns();
    int64_t a = rate_limit_pay(&t->down, bytes, now), b = rate_limit_pay(&t->swarm->down, bytes, now), at = a > b ? a : b;
    if (at > now)
        (void)fiber_sleep(at - now);
    while (t->finish_bytes > TORRENT_FINISH_BYTES_MAX && !fiber_canceled())
        (void)gate_wait(&t->finish_room, NEVER_NS, "pieces to be stored");
    p->block_ns = loop_now_ns() > now ? loop_now_ns() : p->block_ns;       // the time that we waited is not the peer's
}

void peer_read(void *arg)
{
    peer *p = arg;
    conn *c = p->conn;
    for (bool going = true; going && !p->leaving; ) {
        conn_deadline(c, PEER_SILENCE_NS);
        str some = conn_some(c);
        if (some.len == 0)
            break;
        some = slice(p, some);
        int64_t before = p->received;
        going = input_take(p, some);
        conn_used(c, (size_t)some.len);
        if (going && p->received > before)
            limits_keep(p, p->received - before);
        if (going)
            peer_ask(p);
    }
    peer_end(p, p->why);
}
