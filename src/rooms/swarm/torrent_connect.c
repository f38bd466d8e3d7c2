// Addresses that were named to us, and whom of them we connect to: the highest canonical priority first (BEP 40), few at once,
// not too many a second, with growing pauses for who did not answer.
#include <string.h>

#include "base/heap_memory.h"
#include "rooms/swarm/peer_priority.h"
#include "rooms/swarm/swarm_inside.h"
#include "rooms/swarm/swarm_meters.h"
#include "rt/loop.h"

enum { PRIVATE_NETWORK_BITS_4 = 24, PRIVATE_NETWORK_BITS_6 = 48, FAILURES_MAX = 6, SOURCE_SHARE_MAX = TORRENT_KNOWN_MAX * 3 / 5 };
#define AGAIN_NS_MIN      (20 * NS_PER_S)                // after a conversation or a first failure; doubled with each failure
#define AGAIN_NS_USER     (2 * NS_PER_S)                 // of an address that the user gave

// ---- banned -------------------------------------------------------------------------------------------------------------

typedef struct { list_link link; addr at; unsigned char key[17]; } banned;

static str ban_key(unsigned char key[17], addr at)
{
    key[0] = at.family;
    memcpy(key + 1, at.ip, 16);
    return str_of(key, 17);
}

bool swarm_banned(swarm *s, addr at)
{
    unsigned char key[17];
    return map_get(&s->banned, ban_key(key, at)) != NULL;
}

void swarm_ban(swarm *s, addr at)
{
    if (!swarm_banned(s, at)) {
        if (s->banned_count == SWARM_BANNED_MAX) {
            banned *oldest = LIST_OF(list_take(&s->banned_list), banned, link);
            map_remove(&s->banned, str_of(oldest->key, sizeof oldest->key));
            memory_free(oldest);
            s->banned_count--;
        }
        banned *b = memory_zeroed(1, sizeof *b);
        b->at = at;
        (void)map_put(&s->banned, ban_key(b->key, at), b);
        list_append(&s->banned_list, &b->link);
        s->banned_count++;
    }
    for (list_link *l = list_first(&s->torrents); l; l = list_next(&s->torrents, l)) {
        torrent *t = LIST_OF(l, torrent, link);
        for (int i = 0; i < t->peers_end; i++)
            if (t->peers[i] && addr_eq_ip(t->peers[i]->at, at))
                peer_end(t->peers[i], "banned: it sent false data");
    }
}

void swarm_bans_free(swarm *s)
{
    for (list_link *l; (l = list_take(&s->banned_list)); )
        memory_free(LIST_OF(l, banned, link));
    map_free(&s->banned);
}

// ---- known --------------------------------------------------------------------------------------------------------------

known_peer *known_find(torrent *t, addr at)
{
    for (list_link *l = list_first(&t->known); l; l = list_next(&t->known, l)) {
        known_peer *k = LIST_OF(l, known_peer, link);
        if (addr_eq(k->at, at))
            return k;
    }
    return NULL;
}

void known_drop(torrent *t, known_peer *k)
{
    peer_tally_give(&t->tally, k->at, k->source);
    list_remove(&k->link);
    t->known_count--;
    memory_free(k);
}

void known_free(torrent *t)
{
    for (list_link *l; (l = list_first(&t->known)); )
        known_drop(t, LIST_OF(l, known_peer, link));
}

// When all places are taken, one that has failed makes room.
static bool room_make(torrent *t)
{
    known_peer *worst = NULL;
    if (t->known_count < TORRENT_KNOWN_MAX)
        return true;
    for (list_link *l = list_first(&t->known); l; l = list_next(&t->known, l)) {
        known_peer *k = LIST_OF(l, known_peer, link);
        if (k->state == KNOWN_IDLE && k->failures > 0 && (!worst || k->failures > worst->failures))
            worst = k;
    }
    if (worst)
        known_drop(t, worst);
    return worst != NULL;
}

static uint32_t priority_of(const swarm *s, addr at)
{
    for (int i = 0; i < s->own_count; i++)
        if (s->own[i].family == at.family && !addr_is_any(s->own[i]))
            return peer_priority(s->own[i], at);
    return peer_priority((addr){.family = at.family, .port = s->port}, at);
}

known_peer *known_add(torrent *t, addr at, peer_source from)
{
    swarm *s = t->swarm;
    peer_address_rules rules = {.own = s->own, .own_count = s->own_count, .private_allowed = s->private_allowed};
    known_peer *k = known_find(t, at);
    if (k)
        return k;
    if (!peer_source_allowed(t->is_private, from) || peer_address_acceptable(at, from, &rules) != PEER_ACCEPTABLE)
        return NULL;
    if (swarm_banned(s, at) || !room_make(t) || peer_tally_take(&t->tally, at, from, SOURCE_SHARE_MAX) != PEER_ACCEPTABLE)
        return NULL;
    k = memory_zeroed(1, sizeof *k);
    *k = (known_peer){.at = at, .source = from, .priority = priority_of(s, at)};
    list_append(&t->known, &k->link);
    t->known_count++;
    return k;
}

void known_failed(torrent *t, known_peer *k, int64_t now_ns)
{
    bool user = k->source == PEER_FROM_USER;             // he waits for it: often at first, and never given up
    k->again_ns = now_ns + (user && k->failures < FAILURES_MAX ? AGAIN_NS_USER : AGAIN_NS_MIN << (user ? 0 : k->failures));
    k->failures++;
    if (k->failures > FAILURES_MAX && user)
        k->failures = FAILURES_MAX;
    else if (k->failures > FAILURES_MAX)
        known_drop(t, k);
}

void torrent_heard_of(torrent *t, const addr *at, int count, peer_source from)
{
    int before = t->known_count;
    for (int i = 0; i < count; i++)
        (void)known_add(t, at[i], from);
    if (t->known_count > before)
        torrent_nudge(t);
}

// ---- connecting ---------------------------------------------------------------------------------------------------------

bool network_is_full(torrent *t, addr at)
{
    int bits = at.family == 4 ? PRIVATE_NETWORK_BITS_4 : PRIVATE_NETWORK_BITS_6, count = 0;
    if (addr_is_private(at))
        return false;
    for (int i = 0; i < t->peers_end; i++)
        count += t->peers[i] && addr_in_prefix(t->peers[i]->at, at, bits);
    return count >= TORRENT_NETWORK_PEERS_MAX;
}

static bool is_better(const known_peer *k, const known_peer *than)
{
    if (!than || k->failures != than->failures)
        return !than || k->failures < than->failures;
    return k->priority > than->priority;
}

static known_peer *known_next(torrent *t, int64_t now_ns)
{
    known_peer *best = NULL;
    for (list_link *l = list_first(&t->known); l; l = list_next(&t->known, l)) {
        known_peer *k = LIST_OF(l, known_peer, link);
        if (k->state != KNOWN_IDLE || k->again_ns > now_ns || (t->seeding && k->seed) || network_is_full(t, k->at))
            continue;
        if (is_better(k, best))
            best = k;
    }
    return best;
}

static bool may_connect(torrent *t, int64_t now_ns)
{
    swarm *s = t->swarm;
    if (now_ns - s->connects_from_ns >= NS_PER_S) {
        s->connects_from_ns = now_ns;
        s->connects = 0;
    }
    return t->connecting < TORRENT_CONNECTING_MAX && s->connecting < SWARM_CONNECTING_MAX && s->connects < SWARM_CONNECTS_PER_S &&
           t->peer_count + t->connecting < s->torrent_peers_max && s->peer_count + s->connecting < s->peers_max;
}

typedef struct { torrent *t; addr at; } connecting;

static void connect_run(void *arg)
{
    connecting c = *(connecting *)arg;
    memory_free(arg);
    known_peer *k = known_find(c.t, c.at);
    if (k)
        peer_outgoing(c.t, k);
}

void torrent_connect(torrent *t, int64_t now_ns)
{
    for (known_peer *k; may_connect(t, now_ns) && (k = known_next(t, now_ns)); ) {
        connecting *c = memory_new(sizeof *c);
        *c = (connecting){t, k->at};
        k->state = KNOWN_CONNECTING;
        t->connecting++;
        t->swarm->connecting++;
        t->swarm->connects++;
        meter_add(&swarm_meter_connects, 1);
        if (scope_try_go(&t->scope, "peer", connect_run, c)) {
            t->connecting--;
            t->swarm->connecting--;
            k->state = KNOWN_IDLE;
            k->again_ns = now_ns + AGAIN_NS_MIN;
            memory_free(c);
            return;
        }
    }
}
