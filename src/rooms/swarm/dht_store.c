#include "rooms/swarm/dht_store.h"

#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"

enum { CAP_FIRST = 4, CAP_MAX = 2 * DHT_TORRENT_PEERS_MAX };     // both families

void dht_store_init(dht_store *s, uint64_t secret)
{
    *s = (dht_store){.torrents = map_make(secret, DHT_TORRENTS_MAX)};
    list_init(&s->recent);
}

static void torrent_free(dht_store *s, dht_torrent *t)
{
    map_remove(&s->torrents, str_of(t->hash, DHT_ID_BYTES));
    list_remove(&t->recent);
    s->peer_count -= t->count;
    memory_free(t->peers);
    memory_free(t);
}

void dht_store_free(dht_store *s)
{
    for (list_link *k; (k = list_first(&s->recent)); )
        torrent_free(s, LIST_OF(k, dht_torrent, recent));
    map_free(&s->torrents);
}

// The torrent that was announced longest ago; there is one.
static dht_torrent *torrent_oldest(const dht_store *s)
{
    list_link *first = list_first(&s->recent);
    must(first != NULL);
    return LIST_OF(first, dht_torrent, recent);
}

static dht_torrent *torrent_of(dht_store *s, const uint8_t *hash)
{
    dht_torrent *t = map_get(&s->torrents, str_of(hash, DHT_ID_BYTES));
    if (t) {
        list_remove(&t->recent);
        list_append(&s->recent, &t->recent);
        return t;
    }
    if (s->torrents.count >= DHT_TORRENTS_MAX)
        torrent_free(s, torrent_oldest(s));
    t = memory_zeroed(1, sizeof *t);
    memcpy(t->hash, hash, DHT_ID_BYTES);
    list_append(&s->recent, &t->recent);
    (void)map_put(&s->torrents, str_of(t->hash, DHT_ID_BYTES), t);
    return t;
}

static void peer_remove(dht_store *s, dht_torrent *t, int i)
{
    t->peers[i] = t->peers[--t->count];
    s->peer_count--;
}

// The peer that has to go for this one: itself again, the oldest of too many of its host, the oldest of a full family; -1: none.
static int victim_of(const dht_torrent *t, addr peer)
{
    int of_host = 0, of_family = 0, oldest_of_host = -1, oldest = -1;
    for (int i = 0; i < t->count; i++) {
        const dht_peer *p = &t->peers[i];
        if (addr_eq(p->at, peer))
            return i;
        if (p->at.family != peer.family)
            continue;
        of_family++;
        if (oldest < 0 || p->until_ns < t->peers[oldest].until_ns)
            oldest = i;
        if (!addr_eq_ip(p->at, peer))
            continue;
        of_host++;
        if (oldest_of_host < 0 || p->until_ns < t->peers[oldest_of_host].until_ns)
            oldest_of_host = i;
    }
    return of_host >= DHT_HOST_PEERS_MAX ? oldest_of_host : of_family >= DHT_TORRENT_PEERS_MAX ? oldest : -1;
}

void dht_store_add(dht_store *s, const uint8_t hash[DHT_ID_BYTES], addr peer, int64_t now_ns)
{
    dht_torrent *t = torrent_of(s, hash);
    int victim = victim_of(t, peer);
    if (victim >= 0)
        peer_remove(s, t, victim);
    while (s->peer_count >= DHT_STORE_PEERS_MAX) {               // the torrents that were announced longest ago pay
        dht_torrent *oldest = torrent_oldest(s);
        if (oldest == t)
            return;
        torrent_free(s, oldest);
    }
    if (t->count == t->cap) {
        int cap = t->cap ? t->cap * 2 < CAP_MAX ? t->cap * 2 : CAP_MAX : CAP_FIRST;
        dht_peer *grown = memory_zeroed((size_t)cap, sizeof *grown);
        if (t->count)
            memcpy(grown, t->peers, (size_t)t->count * sizeof *grown);
        memory_free(t->peers);
        t->peers = grown;
        t->cap = cap;
    }
    t->peers[t->count++] = (dht_peer){peer, now_ns + DHT_PEER_S * 1000000000ll};
    s->peer_count++;
}

int dht_store_find(const dht_store *s, const uint8_t hash[DHT_ID_BYTES], int family, int64_t now_ns, uint64_t random,
                   addr *out, int max)
{
    const dht_torrent *t = map_get(&s->torrents, str_of(hash, DHT_ID_BYTES));
    int found = 0;
    for (int i = 0; t && i < t->count && found < max; i++) {
        const dht_peer *p = &t->peers[(random % (uint64_t)t->count + (uint64_t)i) % (uint64_t)t->count];
        if (p->at.family == family && p->until_ns > now_ns)
            out[found++] = p->at;
    }
    return found;
}

void dht_store_expire(dht_store *s, int64_t now_ns)
{
    for (list_link *k = list_first(&s->recent), *next; k; k = next) {
        dht_torrent *t = LIST_OF(k, dht_torrent, recent);
        next = list_next(&s->recent, k);
        for (int i = t->count - 1; i >= 0; i--)
            if (t->peers[i].until_ns <= now_ns)
                peer_remove(s, t, i);
        if (!t->count)
            torrent_free(s, t);
    }
}
