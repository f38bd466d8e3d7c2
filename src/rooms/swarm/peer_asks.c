// What we ask a peer for: enough that its answers never run dry (bandwidth x delay, at least twice that), little enough that a
// slow peer does not sit on many blocks.
#include "rooms/swarm/swarm_inside.h"
#include "rt/loop.h"

enum { LIMITED_ASK_MIN = 12, REST_PIECE_BYTES_MAX = 128 * 1024 };
#define RATE_SPAN_NS     (2 * NS_PER_S)
#define LIMITED_QUEUE_NS (1 * NS_PER_S)
#define STEERED_NS       (2 * NS_PER_S)

// Blocks that should be on their way.
static int depth(peer *p, int64_t now)
{
    int most = p->requests_max < PEER_ASK_MAX ? p->requests_max : PEER_ASK_MAX;
    if (p->snubbed)
        return 1;
    // Under a limit of ours the reader rests after each buffer that it has read: what comes next must be on its way by then.
    bool limited = p->torrent->down.bytes_per_s || p->torrent->swarm->down.bytes_per_s;
    int64_t span = limited ? LIMITED_QUEUE_NS : PEER_QUEUE_NS;
    if (2 * p->delay_ns > span)
        span = 2 * p->delay_ns;
    int64_t bytes = rate_now(&p->from, RATE_SPAN_NS, now) / 1000 * (span / NS_PER_MS);
    int64_t blocks = bytes / PICKER_BLOCK_BYTES + (limited ? LIMITED_ASK_MIN : PEER_ASK_MIN);
    return blocks < most ? (int)blocks : most;
}

// While it chokes us: the pieces that it lets us have all the same.
static const bitfield *fast_pieces(peer *p)
{
    torrent *t = p->torrent;
    if (!p->fast_from_count || !t->meta)
        return NULL;
    if (!p->fast_has.bytes && !bitfield_make(&p->memory, t->meta->piece_count, &p->fast_has))
        return NULL;
    for (int i = 0; i < p->fast_from_count; i++)
        if (bitfield_has(&p->has, (int32_t)p->fast_from[i]))
            bitfield_add(&p->fast_has, (int32_t)p->fast_from[i]);
    return &p->fast_has;
}

static void request_tell(peer *p, picker_block b)
{
    peer_tell(p, &(peer_message){.kind = PEER_REQUEST, .piece = (uint32_t)b.piece, .begin = (uint32_t)b.begin,
                                 .length = (uint32_t)b.length});
}

// A source that suggests (BEP 6) is asked for that alone; one that has stopped to is asked as others are. The course's peers know no
// suggestions.
static bool is_steering(const peer *p, int64_t now)
{
    return p->suggested_ns && now - p->suggested_ns < STEERED_NS && bitfield_all(&p->has) && p->torrent->swarm->mode != CHOKER_COURSE;
}

static bool room_for_more(const torrent *t)
{
    return t->coming_bytes + t->finish_bytes < TORRENT_BUFFERS_BYTES_MAX;
}

// It would let us, and all that it has is asked of others. Among our own (managed mode) it hears so, and its slot is another's at
// once. Elsewhere interest is what earns a place in the next round: it is kept. So it is with large pieces: coming back costs more
// than the slot gains (simulated: 64 KiB 1.3 % faster, 256 KiB 2 % slower).
static void interest_rest(peer *p)
{
    const torrent *t = p->torrent;
    if (p->they_choke || t->swarm->mode != CHOKER_MANAGED || t->meta->piece_bytes > REST_PIECE_BYTES_MAX)
        return;
    p->we_want = false;
    peer_tell(p, &(peer_message){.kind = PEER_NOT_INTERESTED});
}

void peer_interest_again(peer *p)
{
    torrent *t = p->torrent;
    bool rests = !p->we_want && t->swarm->mode == CHOKER_MANAGED && t->picker && t->started && !t->seeding;
    if (rests && picker_askable(t->picker, p->number, &p->has, -1, loop_now_ns()))
        peer_interest(p);
}

void peer_ask(peer *p)
{
    torrent *t = p->torrent;
    if (!t->picker || !t->started || t->ending || p->leaving || !p->we_want || t->store_waits)
        return;
    if (p->rejects >= PEER_REJECTS_MAX)
        return;                                          // it promises and rejects: peer_asks_late tries again
    const bitfield *has = p->they_choke ? fast_pieces(p) : &p->has;
    int64_t now = loop_now_ns();
    int asked = picker_asked_of(t->picker, p->number), want = depth(p, now);
    // In one message with others, not one by one; and nothing new while there is no memory for it.
    if (!has || asked > want - want / 4 || (!room_for_more(t) && asked > 0))
        return;
    bool steers = is_steering(p, now);
    picker_steers(t->picker, p->number, steers);
    picker_block blocks[PEER_ASK_MAX] __attribute__((uninitialized));    // clearing it would cost more than choosing
    int count = picker_choose(t->picker, p->number, has, want - asked, now, blocks);
    if (count && !asked) {
        p->asked_ns = p->block_ns = now;
        p->delay_runs = true;
    }
    for (int i = 0; i < count; i++)
        request_tell(p, blocks[i]);
    if (!count && !asked && !steers)                     // a source that steers suggests something soon
        interest_rest(p);
}

void torrent_ask_all(torrent *t)
{
    for (int i = 0; i < t->peers_end; i++)
        if (t->peers[i]) {
            peer_interest_again(t->peers[i]);
            peer_ask(t->peers[i]);
        }
}

void peer_interest(peer *p)
{
    torrent *t = p->torrent;
    bool want = t->picker && !t->seeding && t->meta && picker_wants(t->picker, &p->has);
    if (want != p->we_want)
        peer_tell(p, &(peer_message){.kind = want ? PEER_INTERESTED : PEER_NOT_INTERESTED});
    p->we_want = want;
}

void peer_asks_late(peer *p, int64_t now_ns)
{
    torrent *t = p->torrent;
    p->rejects -= p->rejects >= PEER_REJECTS_MAX;
    if (!t->picker || picker_asked_of(t->picker, p->number) == 0)
        return;
    int64_t waited = now_ns - p->block_ns;
    if (waited > PEER_SNUBBED_NS && !p->snubbed) {
        p->snubbed = true;
        torrent_rechoke_soon(t);
    }
    if (waited > PEER_LATE_NS && !p->late) {             // others may try; what comes late all the same is thrown away
        p->late = true;
        picker_returned_all(t->picker, p->number);
        torrent_ask_all(t);
    }
}
