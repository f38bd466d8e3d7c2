// A peer from the first byte to the last: handshakes, who may stay, its two fibers, what is put in order when it goes.
#include <string.h>

#include "base/heap_memory.h"
#include "rooms/swarm/swarm_inside.h"
#include "rooms/swarm/swarm_meters.h"
#include "rt/log.h"
#include "rt/loop.h"
#include "rt/story.h"

// ---- making -------------------------------------------------------------------------------------------------------------

static peer *peer_new(torrent *t, conn *c, peer_source source)
{
    peer *p = memory_zeroed(1, sizeof *p);
    p->torrent = t;
    p->number = p->last_piece = -1;
    p->conn = c;
    p->at = c->peer;
    p->source = source;
    p->incoming = source == PEER_FROM_INCOMING;
    p->they_choke = p->we_choke = true;
    p->choke_reason = CHOKER_NOT_INTERESTED;
    p->requests_max = PEER_ASK_UNSAID;
    p->since_ns = loop_now_ns();
    p->memory = arena_make(PEER_MEMORY_BYTES_MAX);
    p->partial = buf_make(PEER_PARTIAL_BYTES_MAX);
    p->control = buf_make(PEER_CONTROL_BYTES_MAX);
    return p;
}

static void peer_free(peer *p)
{
    memory_free(p->wanted);
    buf_free(&p->partial);
    buf_free(&p->control);
    arena_free(&p->memory);
    memory_free(p);
}

void peer_end(peer *p, const char *why)
{
    if (!p->leaving)
        p->why = why;
    p->leaving = true;
    if (p->exchange.open)
        scope_cancel(&p->exchange);
}

// ---- handshakes ---------------------------------------------------------------------------------------------------------

static void handshake_send(torrent *t, conn *c)
{
    unsigned char bytes[PEER_HANDSHAKE_BYTES];
    peer_handshake ours = {.fast = true, .extended = true, .dht = t->swarm->dht && !t->is_private};
    memcpy(ours.hash, t->hash, sizeof ours.hash);
    memcpy(ours.peer_id, t->swarm->peer_id, sizeof ours.peer_id);
    peer_handshake_write(bytes, &ours);
    conn_put(c, str_of(bytes, sizeof bytes));
    conn_flush(c);
}

static bool handshake_hear(conn *c, peer_handshake *theirs)
{
    unsigned char bytes[PEER_HANDSHAKE_BYTES];
    return conn_read(c, bytes, sizeof bytes) && peer_handshake_read(str_of(bytes, sizeof bytes), theirs);
}

// ---- who may stay -------------------------------------------------------------------------------------------------------

bool peers_are_full(torrent *t)
{
    return t->peer_count >= t->swarm->torrent_peers_max || t->swarm->peer_count >= t->swarm->peers_max;
}

static peer *peer_of_id(torrent *t, const uint8_t *id)
{
    for (int i = 0; i < t->peers_end; i++)
        if (t->peers[i] && memcmp(t->peers[i]->id, id, PEER_HASH_BYTES) == 0)
            return t->peers[i];
    return NULL;
}

// Two sides that connect to each other at the same time keep the same one of both connections: the one that the smaller id
// has opened.
static bool newer_is_better(const torrent *t, const peer *newer, const peer *older)
{
    bool ours_is_smaller = memcmp(t->swarm->peer_id, newer->id, PEER_HASH_BYTES) < 0;
    return newer->incoming != older->incoming && newer->incoming == !ours_is_smaller;
}

// A full house: who neither takes nor gives makes room for somebody new.
static bool room_made(torrent *t)
{
    peer *worst = NULL;
    for (int i = 0; i < t->peers_end; i++) {
        peer *p = t->peers[i];
        bool idle = p && !p->leaving && !p->they_want && !p->we_want && loop_now_ns() - p->since_ns > seconds(60);
        if (idle && (!worst || p->since_ns < worst->since_ns))
            worst = p;
    }
    if (worst)
        peer_end(worst, "made room for another");
    return worst && t->peer_count <= t->swarm->torrent_peers_max;
}

// Why it cannot stay: a literal, or NULL.
static const char *peer_trouble(torrent *t, peer *p)
{
    if (!t->started || t->ending)
        return "the torrent is not running";
    if (memcmp(p->id, t->swarm->peer_id, PEER_HASH_BYTES) == 0)
        return "it is ourselves";
    if (swarm_banned(t->swarm, p->at))
        return "it is banned";
    if (network_is_full(t, p->at))
        return "enough of its network are connected";
    peer *same = peer_of_id(t, p->id);                   // who shows another's id does not take its place
    if (same && (!addr_eq_ip(same->at, p->at) || !newer_is_better(t, p, same)))
        return "it is connected already";
    if (same)
        peer_end(same, "it is connected twice");
    if (t->peers_end == SWARM_TORRENT_PEERS_MAX && t->peer_count == SWARM_TORRENT_PEERS_MAX)
        return "there are enough peers";
    return peers_are_full(t) && !room_made(t) ? "there are enough peers" : NULL;
}

// ---- coming and going ---------------------------------------------------------------------------------------------------

static void peer_join(torrent *t, peer *p)
{
    int number = 0;
    while (t->peers[number])
        number++;
    t->peers[number] = p;
    p->number = number;
    if (t->peers_end <= number)
        t->peers_end = number + 1;
    t->peer_count++;
    t->swarm->peer_count++;
    meter_add(&swarm_meter_peers, 1);
    if (t->meta)
        (void)bitfield_make(&p->memory, t->meta->piece_count, &p->has);
    p->pex_seen = t->pex_count;
    p->pex_sent_ns = loop_now_ns() - PEER_PEX_NS + seconds(5);
}

static void peer_leave(torrent *t, peer *p)
{
    peer_block_forget(p);
    if (t->fetch)
        metadata_fetch_gone(t->fetch, p->number);
    if (t->picker)
        picker_peer_gone(t->picker, p->number, &p->has);
    // Who took everything from a superseed and goes has passed it on, or we show ourselves to whom he did not.
    bool counts = t->offers && !(t->superseed && p->upload_only);
    for (int32_t i = -1; counts && (i = bitfield_next(&p->has, i + 1, true)) >= 0; )
        seed_choice_unseen(t->offers, i);
    for (int i = 0; t->offers && i < p->offer_count; i++)
        seed_choice_returned(t->offers, p->offers[i].piece);
    torrent_pex_note(t, p, false);
    t->peers[p->number] = NULL;
    while (t->peers_end > 0 && !t->peers[t->peers_end - 1])
        t->peers_end--;
    t->peer_count--;
    t->swarm->peer_count--;
    meter_add(&swarm_meter_peers, -1);
    torrent_rechoke_soon(t);
    for (int i = 0; i < t->peers_end; i++)           // what it was asked for is free for the others
        if (t->peers[i])
            peer_ask(t->peers[i]);
    torrent_nudge(t);
}

static void log_peer(const torrent *t, const peer *p)
{
    unsigned char hash[2 * INFO_HASH_BYTES];
    hex_encode(hash, str_of(t->hash, INFO_HASH_BYTES));
    const char *end = p->why ? p->why : p->conn->error ? err_name(p->conn->error) : "done";
    log_line("swarm", LOG_INFO, "peer", F_ADDR("peer", &p->at), F_STR("torrent", str_of(hash, sizeof hash)),
             F_STR("direction", p->incoming ? S("in") : S("out")), F_STR("client", str_z(p->client)),
             F_INT("received", p->received), F_INT("sent", p->sent), F_NS("duration_ms", loop_now_ns() - p->since_ns),
             F_STR("end", str_z(end)));
}

static void peer_exchange(torrent *t, peer *p)
{
    peer_join(t, p);
    conn_deadline(p->conn, 0);
    scope_open(&p->exchange, 0, 2);
    peer_greet(p);
    if (scope_go(&p->exchange, "peer reader", peer_read, p) || scope_go(&p->exchange, "peer writer", peer_write, p))
        peer_end(p, "no memory for its fibers");
    (void)scope_wait(&p->exchange);
    scope_close(&p->exchange);
    peer_leave(t, p);
    log_peer(t, p);
}

static void peer_take(peer *p, const peer_handshake *theirs)
{
    memcpy(p->id, theirs->peer_id, sizeof p->id);
    p->fast = theirs->fast;
    p->extended = theirs->extended;
    p->dht = theirs->dht;
}

// ---- both ways in -------------------------------------------------------------------------------------------------------

void peer_incoming(conn *c, void *arg)
{
    swarm *s = arg;
    peer_handshake theirs;
    fiber_set_trace(story_trace_new());
    conn_deadline(c, PEER_HANDSHAKE_NS);
    if (swarm_banned(s, c->peer) || !handshake_hear(c, &theirs)) {
        meter_add_at(&swarm_meter_refused, SWARM_REFUSED_HANDSHAKE, 1);
        return;
    }
    torrent *t = torrent_wait_started(s, theirs.hash);
    if (!t) {
        meter_add_at(&swarm_meter_refused, SWARM_REFUSED_UNKNOWN, 1);
        return;
    }
    peer *p = peer_new(t, c, PEER_FROM_INCOMING);
    peer_take(p, &theirs);
    p->why = peer_trouble(t, p);
    if (p->why) {
        meter_add_at(&swarm_meter_refused, SWARM_REFUSED_FULL, 1);
    } else {
        handshake_send(t, c);                        // may park, but only with an empty socket's buffer full: never
        if (c->error || !t->started || t->ending)
            p->why = "gone";
        else
            peer_exchange(t, p);
    }
    peer_free(p);
}

// The address is left alone for a while, whatever happened: peers that hang up are not asked again and again.
static void known_done(torrent *t, addr at, peer *p, bool seed)
{
    known_peer *k = known_find(t, at);
    if (!k)
        return;
    k->state = KNOWN_IDLE;
    k->seed |= seed;
    bool useful = p && (p->received > 0 || p->sent > 0);
    if (useful)
        k->failures = 0;
    known_failed(t, k, loop_now_ns());
}

void peer_outgoing(torrent *t, known_peer *k)
{
    addr at = k->at;
    peer_source source = k->source;
    swarm *s = t->swarm;
    peer_handshake theirs;
    fiber_set_trace(story_trace_new());
    conn *c = conn_open(s->w, at, PEER_CONNECT_NS);
    conn_deadline(c, PEER_HANDSHAKE_NS);
    if (!c->error)
        handshake_send(t, c);
    bool good = !c->error && handshake_hear(c, &theirs) && memcmp(theirs.hash, t->hash, sizeof theirs.hash) == 0;
    t->connecting--;
    s->connecting--;
    torrent_nudge(t);
    peer *p = peer_new(t, c, source);
    p->listening = at;
    bool seed = false, ourselves = false;
    if (good) {
        peer_take(p, &theirs);
        ourselves = memcmp(p->id, s->peer_id, PEER_HASH_BYTES) == 0;
        p->why = peer_trouble(t, p);
        known_peer *now = known_find(t, at);
        if (!p->why && now)
            now->state = KNOWN_CONNECTED;
        if (!p->why)
            peer_exchange(t, p);
        seed = p->upload_only;
    }
    if (!good || p->why)
        log_line("swarm", LOG_DEBUG, "not connected", F_ADDR("peer", &at), F_STR("why", str_z(p->why ? p->why : err_name(c->error))));
    if (ourselves && known_find(t, at))
        known_drop(t, known_find(t, at));
    known_done(t, at, p, seed);
    if (good && !p->why && !c->error)
        conn_close(c);
    else
        conn_abort(c);
    peer_free(p);
    torrent_nudge(t);
}
