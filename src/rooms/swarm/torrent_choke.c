// Choke rounds: facts about the peers to choker.h, its verdict to the peers. And what a source of a young swarm suggests to
// whom (seed_choice.h), so that it sends no piece twice while some were not sent at all.
#include "base/heap_memory.h"
#include "rooms/swarm/swarm_inside.h"
#include "rt/loop.h"

enum { UNSENT_BYTES_MIN = 32 * 1024, UNSENT_BYTES_MAX = 4 << 20, UNSENT_PARTS = 16 };        // of a second
enum { QUEUE_SHORT_RATE_MAX = 16000000 };            // bytes a second
enum { LINE_QUEUE_BYTES_MIN = 40 * 1024, QUEUE_BYTES_MIN = 8 * 1024, QUEUE_BYTES_MAX = 16 * 1024, LANE_QUEUE_BYTES_MIN = 24 * 1024 };
#define LINE_QUEUE_MS     48                         // of what the line sends: all that its connections together keep in the system
enum { FACTS_FEW = 96 };
#define QUEUES_NS         (100 * NS_PER_MS)          // the path is measured again at most so often
#define RATE_SPAN_NS      (20 * NS_PER_S)
#define UPLINK_SPAN_NS    (1 * NS_PER_S)

void torrent_rechoke_soon(torrent *t)
{
    t->rechoke = true;
    torrent_nudge(t);
}

// Has the line, or the set rate, had room for the last second?
static bool uplink_is_idle(torrent *t, int64_t now)
{
    swarm *s = t->swarm;
    for (int i = 0; i < t->peers_end; i++) {
        const peer *p = t->peers[i];
        if (p && p->put_since_ns && now - p->put_since_ns > SWARM_BUSY_NS)
            s->busy_ns = now;
    }
    const rate_limit *limits[2] = {&t->up, &s->up};
    const rate_window *rates[2] = {&t->sent_rate, &s->sent_rate};
    for (int i = 0; i < 2; i++)
        if (limits[i]->bytes_per_s && rate_now(rates[i], 2 * NS_PER_S, now) > limits[i]->bytes_per_s / 10 * 9)
            return false;
    return now - s->busy_ns > UPLINK_SPAN_NS;
}

static void facts_take(torrent *t, peer *p, choker_peer *out, int64_t now)
{
    *out = (choker_peer){
        .id = p->number, .interested = p->they_want, .upload_only = p->upload_only, .snubbed = p->snubbed,
        .idle = !p->we_choke && p->wanted_count == 0 && p->sending == 0,
        .idle_since_ns = p->idle_since_ns,
        .rate_from = rate_now(&p->from, RATE_SPAN_NS, now), .rate_to = rate_now(&p->to, RATE_SPAN_NS, now),
        .sent_bytes = p->sent, .turn_bytes = p->turn_bytes, .unchoked_ns = p->unchoked_ns,
        .lacks = t->meta->piece_count - p->has.set, .unchoked = !p->we_choke,
        .mid_piece = peer_is_mid_piece(p), .reason = p->choke_reason,
    };
}

// What one connection may keep in the system: they share the line. Half of it stands in our own queue, the other half is on its way
// or comes back as acknowledgements behind what the others send.
static int queue_share(torrent *t, int64_t now)
{
    bool lanes = torrent_has_lanes(t, now);              // then only so many of them send
    int64_t line = rate_now(&t->sent_rate, 2 * NS_PER_S, now) / 1000 * LINE_QUEUE_MS;
    int64_t most = !lanes ? QUEUE_BYTES_MAX : line / torrent_lanes(t) > LANE_QUEUE_BYTES_MIN ? line / torrent_lanes(t) : LANE_QUEUE_BYTES_MIN;
    int active = 0;
    for (int i = 0; i < t->peers_end; i++) {
        const peer *p = t->peers[i];
        active += p && (p->wanted_count > 0 || p->sending > 0 || now - p->idle_since_ns < QUEUES_NS);
    }
    active = lanes && active > torrent_lanes(t) ? torrent_lanes(t) : active;
    int64_t share = (line < LINE_QUEUE_BYTES_MIN ? LINE_QUEUE_BYTES_MIN : line) / (active ? active : 1);
    return (int)(share < QUEUE_BYTES_MIN ? QUEUE_BYTES_MIN : share > most ? most : share);
}

// What waits in the system's buffer cannot be given to another any more, and what is small and urgent waits behind it: so much
// as goes out in a moment. Not where that would cost speed.
static void queues_keep_short(peer *p, int64_t now, int share)
{
    int64_t rate = rate_now(&p->to, RATE_SPAN_NS / 10, now), bytes = rate / UNSENT_PARTS, most = UNSENT_BYTES_MIN;
    if (p->we_choke || now - p->queues_ns < QUEUES_NS)
        return;
    while (most < bytes && most < UNSENT_BYTES_MAX)
        most *= 2;
    if (most != p->unsent_max)
        conn_unsent_max(p->conn, (int)most);
    p->unsent_max = (int)most;
    conn_queue_short(p->conn, rate < QUEUE_SHORT_RATE_MAX ? share : 0);
    p->queues_ns = now;
}

int64_t torrent_choke(torrent *t, int64_t now_ns)
{
    swarm *s = t->swarm;
    choker_peer few[FACTS_FEW] __attribute__((uninitialized));           // this happens often: no memory is taken for it
    choker_peer *facts = t->peers_end <= FACTS_FEW ? few : memory_new((size_t)t->peers_end * sizeof *facts);
    int count = 0, share = queue_share(t, now_ns);
    choker_rules rules = {
        .mode = s->mode, .seeding = t->seeding, .slots = s->slots, .piece_bytes = t->meta->piece_bytes,
        .uplink_idle = uplink_is_idle(t, now_ns), .line_rate = torrent_line_rate(t, now_ns),
    };
    for (int i = 0; i < t->peers_end; i++)
        if (t->peers[i] && !t->peers[i]->leaving) {
            queues_keep_short(t->peers[i], now_ns, share);
            facts_take(t, t->peers[i], &facts[count++], now_ns);
        }
    (void)choker_run(&t->choker, &rules, facts, count, now_ns);
    for (int i = 0; i < count; i++) {
        peer *p = t->peers[facts[i].id];
        p->choke_reason = facts[i].reason;
        peer_choke_set(p, !facts[i].unchoked);
        queues_keep_short(p, now_ns, share);
    }
    if (facts != few)
        memory_free(facts);
    t->rechoke = false;
    return choker_due(&t->choker, &rules, now_ns);
}

// ---- what a source suggests ---------------------------------------------------------------------------------------------

bool torrent_hides(const torrent *t) { return t->superseed && t->seeding && t->offers && !seed_choice_all_out(t->offers); }

static bool is_offered(const peer *p, int32_t piece)
{
    for (int i = 0; i < p->offer_count; i++)
        if (p->offers[i].piece == piece)
            return true;
    return false;
}

// That it has not begun to ask for.
static int offers_ahead(const peer *p)
{
    int ahead = 0;
    for (int i = 0; i < p->offer_count; i++)
        ahead += !p->offers[i].asked;
    return ahead;
}

// Superseeding shows a peer what nobody was shown before, and what others have only when they do not give it.
static int32_t hidden_choose(peer *p, int64_t now)
{
    seed_choice *c = p->torrent->offers;
    int32_t piece = seed_choice_next_new(c, &p->has, &p->offered);
    if (piece >= 0)
        p->shown_ns = now;
    else if (p->wanted_count == 0 && now - p->shown_ns > PEER_SHOWN_AGAIN_NS && now - p->has_ns > PEER_SHOWN_AGAIN_NS) {
        piece = seed_choice_next(c, &p->has, &p->offered);
        p->shown_ns = now;
    }
    return piece;
}

// How many pieces it should see that it has not begun to ask for. Of a superseed a choked one sees one: else it would never
// want anything.
static int offers_depth(const peer *p, int64_t now)
{
    if (p->hidden && p->we_choke)
        return 1;
    // One less: what it has begun is not counted. More than that would be kept from others for nothing.
    return -1 + seed_choice_depth(p->torrent->meta->piece_bytes, rate_now(&p->to, 2 * NS_PER_S, now), p->delay_ns ? p->delay_ns : 100 * NS_PER_MS);
}

// One alone chooses for itself: nothing is sent twice then, and it need not wait for what is suggested.
static bool several_want(const torrent *t)
{
    int want = 0;
    for (int i = 0; i < t->peers_end && want < 2; i++)
        want += t->peers[i] && t->peers[i]->they_want;
    return want > 1;
}

static bool may_offer(const peer *p)
{
    const torrent *t = p->torrent;
    if (!t->offers || !t->seeding || p->upload_only)
        return false;
    return p->hidden || (p->fast && !p->we_choke && !seed_choice_all_out(t->offers) && several_want(t));
}

void peer_offer(peer *p)
{
    torrent *t = p->torrent;
    if (!may_offer(p))
        return;
    int64_t now = loop_now_ns();
    int depth = offers_depth(p, now);
    for (int ahead = offers_ahead(p); ahead < depth && p->offer_count < PEER_OFFERS_MAX; ahead++) {
        if (!p->offered.bytes && !bitfield_make(&p->memory, t->meta->piece_count, &p->offered))
            return;
        int32_t piece = p->hidden ? hidden_choose(p, now) : seed_choice_next(t->offers, &p->has, &p->offered);
        if (piece < 0 || is_offered(p, piece))
            return;
        bitfield_add(&p->offered, piece);
        p->offers[p->offer_count].piece = piece;
        p->offers[p->offer_count].sent = 0;
        p->offers[p->offer_count++].asked = false;
        peer_tell(p, &(peer_message){.kind = p->hidden ? PEER_HAVE : PEER_SUGGEST, .piece = (uint32_t)piece});
    }
}

void peer_offers_withdraw(peer *p)
{
    torrent *t = p->torrent;
    int kept = 0;
    for (int i = 0; t->offers && i < p->offer_count; i++) {
        if (p->offers[i].piece == p->last_piece) {           // begun: it will go on with it
            p->offers[kept++] = p->offers[i];
            continue;
        }
        seed_choice_returned(t->offers, p->offers[i].piece);
        bitfield_remove(&p->offered, p->offers[i].piece);
    }
    p->offer_count = kept;
}

void peer_offer_asked(peer *p, int32_t piece)
{
    for (int i = 0; i < p->offer_count; i++)
        if (p->offers[i].piece == piece && !p->offers[i].asked) {
            p->offers[i].asked = true;
            peer_offer(p);                                   // the next one is there before its requests run dry
            return;
        }
}

void peer_offer_done(peer *p, int32_t piece)
{
    for (int i = 0; i < p->offer_count; i++)
        if (p->offers[i].piece == piece)
            p->offers[i] = p->offers[--p->offer_count];
    peer_offer(p);
}

void peer_offer_sent(peer *p, int32_t piece, int32_t bytes)
{
    for (int i = 0; i < p->offer_count && p->hidden; i++) {
        if (p->offers[i].piece != piece)
            continue;
        p->offers[i].sent += bytes;
        if (p->offers[i].sent >= store_piece_length(p->torrent->store, piece))
            peer_offer_done(p, piece);
        return;
    }
}
