// What we send: small messages first, then the blocks that the peer asked for, straight from the store's memory. Small
// messages are gathered: requests that were chosen together leave together, HAVEs wait a moment for company.
#include <string.h>

#include "base/heap_memory.h"
#include "rooms/swarm/swarm_inside.h"
#include "rooms/swarm/swarm_meters.h"
#include "rt/loop.h"

enum { RUN_BLOCKS_MAX = 8, FAST_BYTES_PER_S = 16000000 };      // blocks sent from one view

// ---- small messages -----------------------------------------------------------------------------------------------------

void peer_wake(peer *p)
{
    p->woken = true;
    gate_wake_one(&p->wake);
}

static bool control_put(peer *p, const peer_message *m)
{
    if (p->leaving || p->control_full)
        return false;
    if (peer_message_write(&p->control, m))
        return true;
    p->control_full = true;                              // it takes nothing for too long
    peer_end(p, "it reads too slowly");
    return false;
}

void peer_tell(peer *p, const peer_message *m)
{
    if (!control_put(p, m))
        return;
    p->control_due_ns = 0;
    p->control_now = true;
    peer_wake(p);
}

// Who has few pieces waits for something to do: it hears at once. Who may ask for the piece now, or may want something of us
// again because of it, hears soon; to others it is not worth a packet of its own for a while (with N peers, each tells N).
static int64_t have_wait_ns(const peer *p, int32_t piece)
{
    if (p->has.set < PEER_HUNGRY_PIECES)
        return 0;
    bool useful = !bitfield_has(&p->has, piece) && (!p->we_choke || !p->they_want);
    return useful ? PEER_HAVES_NS : PEER_HAVES_LATE_NS;
}

void peer_tell_have(peer *p, int32_t piece)
{
    bool first = p->control.len == 0;
    if (!control_put(p, &(peer_message){.kind = PEER_HAVE, .piece = (uint32_t)piece}))
        return;
    int64_t wait = have_wait_ns(p, piece), due = loop_now_ns() + wait;
    bool sooner = first || due < p->control_due_ns;
    p->control_now = p->control_now || wait == 0;
    if (sooner)
        p->control_due_ns = due;
    if (sooner || wait == 0)
        peer_wake(p);
}

static bool control_due(const peer *p) { return p->control.len > 0 && (p->control_now || loop_now_ns() >= p->control_due_ns); }

static void control_send(peer *p)
{
    buf gone = p->control;                               // others may add to it while we wait
    p->control = buf_make(PEER_CONTROL_BYTES_MAX);
    p->control_now = false;
    conn_put(p->conn, buf_str(&gone));
    p->last_put_ns = loop_now_ns();
    if (p->control.at)
        buf_free(&gone);
    else {
        buf_clear(&gone);
        p->control = gone;                               // its memory is used again
    }
}

// ---- what the peer wants ------------------------------------------------------------------------------------------------

bool peer_may_have(const peer *p, uint32_t piece)
{
    if (!p->we_choke)
        return true;
    for (int i = 0; i < p->fast_to_count; i++)
        if (p->fast_to[i] == piece)
            return p->has.set < PEER_FAST_HAS_MAX;
    return false;
}

static peer_request *wanted_at(const peer *p, int i) { return &p->wanted[(p->wanted_first + i) % PEER_REQUESTS_MAX]; }

static void wanted_drop_first(peer *p, int n)
{
    p->wanted_first = (p->wanted_first + n) % PEER_REQUESTS_MAX;
    p->wanted_count -= n;
    if (p->wanted_count == 0)
        torrent_rechoke_soon(p->torrent);                // it may be idle now
}

static bool reject(peer *p, peer_request r)
{
    if (++p->rejected > PEER_REQUESTS_ABUSE) {
        p->why = "it asks too much";
        return false;
    }
    if (p->fast)
        peer_tell(p, &(peer_message){.kind = PEER_REJECT, .piece = r.piece, .begin = r.begin, .length = r.length});
    return true;
}

bool peer_wants_block(peer *p, peer_request r)
{
    torrent *t = p->torrent;
    if (!t->meta || r.length > PEER_BLOCK_BYTES_MAX || r.begin >= (uint32_t)store_piece_length(t->store, (int32_t)r.piece) ||
        r.length > (uint32_t)store_piece_length(t->store, (int32_t)r.piece) - r.begin) {
        p->why = "it asks for what the torrent does not have";
        return false;
    }
    bool there = bitfield_has(store_have(t->store), (int32_t)r.piece);
    if (!there || !peer_may_have(p, r.piece) || p->wanted_count == PEER_REQUESTS_MAX)
        return reject(p, r);
    if (!p->wanted)
        p->wanted = memory_new(PEER_REQUESTS_MAX * sizeof *p->wanted);
    *wanted_at(p, p->wanted_count++) = r;
    p->rejected = 0;
    if (p->offer_count)
        peer_offer_asked(p, (int32_t)r.piece);
    peer_wake(p);
    return true;
}

void peer_wants_no_more(peer *p, peer_request r)
{
    for (int i = 0; i < p->wanted_count; i++) {
        if (memcmp(wanted_at(p, i), &r, sizeof r) != 0)
            continue;
        for (int j = i; j + 1 < p->wanted_count; j++)
            *wanted_at(p, j) = *wanted_at(p, j + 1);
        p->wanted_count--;
        if (p->fast)
            peer_tell(p, &(peer_message){.kind = PEER_REJECT, .piece = r.piece, .begin = r.begin, .length = r.length});
        return;
    }
}

bool peer_goes_on(const peer *p) { return p->wanted_count > 0 && (int32_t)wanted_at(p, 0)->piece == p->last_piece; }

bool peer_is_mid_piece(const peer *p)
{
    const torrent *t = p->torrent;
    if (p->sending > 0 || peer_goes_on(p))
        return true;
    // Of a source it gets the rest of a piece nowhere else; its request may be on its way.
    return t->offers && p->last_piece >= 0 && p->last_piece_sent < store_piece_length(t->store, p->last_piece) &&
           !bitfield_has(&p->has, p->last_piece);
}

void peer_choke_set(peer *p, bool choke)
{
    if (p->we_choke == choke)
        return;
    p->we_choke = choke;
    if (!choke) {
        p->turn_bytes = 0;
        p->unchoked_ns = loop_now_ns();
        peer_offer(p);                                   // first: its first request heeds it
    }
    peer_tell(p, &(peer_message){.kind = choke ? PEER_CHOKE : PEER_UNCHOKE});
    if (!choke)
        return;
    if (!p->hidden)
        peer_offers_withdraw(p);
    int kept = 0;
    for (int i = 0; i < p->wanted_count; i++) {
        peer_request r = *wanted_at(p, i);
        if (peer_may_have(p, r.piece))
            *wanted_at(p, kept++) = r;
        else if (p->fast)
            peer_tell(p, &(peer_message){.kind = PEER_REJECT, .piece = r.piece, .begin = r.begin, .length = r.length});
    }
    p->wanted_count = kept;
}

// ---- blocks -------------------------------------------------------------------------------------------------------------

// The first requests that follow each other in one piece: how many, and their bytes in all.
static int run_find(peer *p, uint32_t *bytes)
{
    peer_request first = *wanted_at(p, 0);
    int n = 1;
    *bytes = first.length;
    for (; n < p->wanted_count && n < RUN_BLOCKS_MAX; n++) {
        const peer_request *r = wanted_at(p, n);
        if (r->piece != first.piece || r->begin != first.begin + *bytes || *bytes + r->length > PEER_BLOCK_BYTES_MAX)
            break;
        *bytes += r->length;
    }
    return n;
}

// Waits until the rate limits let so many bytes go.
static err limits_keep(peer *p, int64_t bytes)
{
    torrent *t = p->torrent;
    int64_t now = loop_now_ns();
    int64_t a = rate_limit_take(&t->up, bytes, now), b = rate_limit_take(&t->swarm->up, bytes, now), at = a > b ? a : b;
    return at > now ? fiber_sleep(at - now) : E_OK;
}

static void sent_count(peer *p, int64_t bytes)
{
    torrent *t = p->torrent;
    int64_t now = loop_now_ns();
    p->sent += bytes;
    p->turn_bytes += bytes;
    rate_count(&p->to, bytes, now);
    rate_count(&t->sent_rate, bytes, now);
    rate_count(&t->swarm->sent_rate, bytes, now);
    t->sent += bytes;
    t->swarm->sent += bytes;
    meter_add(&swarm_meter_sent, bytes);
}

static void last_piece_note(peer *p, int32_t piece, uint32_t bytes)
{
    p->last_piece_sent = (piece == p->last_piece ? p->last_piece_sent : 0) + (int32_t)bytes;
    p->last_piece = piece;
    if (p->hidden)
        peer_offer_sent(p, piece, (int32_t)bytes);
}

static void block_put(peer *p, peer_request r, str bytes)
{
    unsigned char head[PEER_HEAD_BYTES_MAX];
    int64_t began = p->put_since_ns = loop_now_ns();
    peer_message m = {.kind = PEER_PIECE, .piece = r.piece, .begin = r.begin, .length = r.length, .payload = bytes};
    conn_put(p->conn, str_of(head, (size_t)peer_head_write(head, &m)));
    conn_put(p->conn, bytes);
    p->last_put_ns = loop_now_ns();
    p->put_since_ns = 0;
    last_piece_note(p, (int32_t)r.piece, r.length);
    if (p->last_put_ns - began > SWARM_BUSY_NS)
        p->torrent->swarm->busy_ns = p->last_put_ns;
    sent_count(p, r.length);
}

// A peer that takes this much gets a whole run by one call of the system; to others it matters who is next after each block.
static bool takes_fast(const peer *p)
{
    const torrent *t = p->torrent;
    bool limited = t->up.bytes_per_s || t->swarm->up.bytes_per_s;
    return !limited && rate_now(&p->to, 2 * NS_PER_S, loop_now_ns()) > FAST_BYTES_PER_S;
}

static int run_put(peer *p, const peer_request *run, int n, str bytes)
{
    unsigned char heads[RUN_BLOCKS_MAX][PEER_HEAD_BYTES_MAX];
    str parts[2 * RUN_BLOCKS_MAX];
    int64_t sum = 0;
    p->put_since_ns = loop_now_ns();
    for (int i = 0; i < n; i++) {
        str block = str_sub(bytes, (ptrdiff_t)(run[i].begin - run[0].begin), (ptrdiff_t)run[i].length);
        peer_message m = {.kind = PEER_PIECE, .piece = run[i].piece, .begin = run[i].begin, .length = run[i].length, .payload = block};
        parts[2 * i] = str_of(heads[i], (size_t)peer_head_write(heads[i], &m));
        parts[2 * i + 1] = block;
        sum += run[i].length;
    }
    conn_put_parts(p->conn, parts, 2 * n);
    p->last_put_ns = loop_now_ns();
    p->put_since_ns = 0;
    last_piece_note(p, (int32_t)run[0].piece, (uint32_t)sum);
    sent_count(p, sum);
    return n;
}

// A turn (choker.h) may be over.
static bool turn_may_be_over(const peer *p)
{
    torrent *t = p->torrent;
    int64_t lasts = choker_turn_bytes(t->meta->piece_bytes, torrent_line_rate(t, loop_now_ns()));
    return (t->seeding || t->swarm->mode == CHOKER_MANAGED) && p->turn_bytes >= lasts;
}

// Sends what was asked for first. What is canceled while we wait for the disk is sent all the same.
static bool run_send(peer *p)
{
    torrent *t = p->torrent;
    peer_request run[RUN_BLOCKS_MAX];
    uint32_t bytes;
    store_view view = {0};
    int n = run_find(p, &bytes);
    for (int i = 0; i < n; i++)
        run[i] = *wanted_at(p, i);
    p->sending = n;
    wanted_drop_first(p, n);
    err e = store_view_get(t->store, (int32_t)run[0].piece, (int32_t)run[0].begin, (int32_t)bytes, &view);
    int done = !e && takes_fast(p) && peer_may_have(p, run[0].piece) ? run_put(p, run, n, view.bytes) : 0;
    for (int i = done; i < n && !e && !p->conn->error && !p->leaving && peer_may_have(p, run[i].piece); i++) {
        e = limits_keep(p, run[i].length);
        if (p->control.len > 0)
            control_send(p);                             // what waits for company has it now
        if (!e)
            block_put(p, run[i], str_sub(view.bytes, (ptrdiff_t)(run[i].begin - run[0].begin), (ptrdiff_t)run[i].length));
        p->sending = n - ++done;
    }
    store_view_release(t->store, &view);
    p->sending = 0;
    if (p->wanted_count == 0)
        p->idle_since_ns = loop_now_ns();
    if (p->wanted_count == 0 || turn_may_be_over(p))
        torrent_rechoke_soon(t);
    for (int i = e ? 0 : done; i < n && e != E_CANCELED; i++)
        (void)reject(p, run[i]);
    return !p->conn->error && e != E_CANCELED;
}

// ---- the fiber ----------------------------------------------------------------------------------------------------------

static int64_t sooner(int64_t a, int64_t b) { return a < b ? a : b; }

static void wait_for_work(peer *p)
{
    int64_t until = p->last_put_ns + PEER_KEEP_ALIVE_NS;
    if (p->control.len > 0)
        until = sooner(until, p->control_due_ns);
    if (p->wanted_count > 0)
        until = sooner(until, p->lane_again_ns);
    if (p->woken)
        return;
    err e = gate_wait(&p->wake, until, "something to send");
    if (e == E_TIMEOUT && p->control.len == 0 && p->wanted_count == 0)
        (void)control_put(p, &(peer_message){.kind = PEER_KEEP_ALIVE});
    if (e == E_CANCELED)
        p->leaving = true;
}

void peer_write(void *arg)
{
    peer *p = arg;
    p->last_put_ns = loop_now_ns();
    while (!p->leaving && !p->conn->error) {
        p->woken = false;
        if (control_due(p))
            control_send(p);
        if (p->wanted_count > 0 && peer_lane_take(p)) {
            if (!run_send(p))
                break;
            peer_lane_pass(p);
            continue;
        }
        if (p->wanted_count == 0)
            peer_lane_leave(p);
        conn_flush(p->conn);
        if (!control_due(p))
            wait_for_work(p);
    }
    peer_lane_leave(p);
    if (p->exchange.open)
        peer_end(p, p->why);
}
