#include "rooms/swarm/dht_table.h"

#include <string.h>

#include "base/heap_memory.h"

enum { SITE_BITS_6 = 64 };

bool dht_same_host(addr a, addr b)
{
    return a.family == 6 && !addr_is_private(a) ? addr_in_prefix(a, b, SITE_BITS_6) : addr_eq_ip(a, b);
}

static int shared_bits(const uint8_t *a, const uint8_t *b)
{
    for (int i = 0; i < DHT_ID_BYTES; i++)
        if (a[i] != b[i])
            return i * 8 + __builtin_clz((unsigned)(a[i] ^ b[i])) - 24;
    return DHT_ID_BYTES * 8;
}

static int bucket_number(const dht_table *t, const uint8_t *id)
{
    int bits = shared_bits(t->own, id);
    return bits < DHT_BUCKETS ? bits : DHT_BUCKETS - 1;
}

void dht_table_init(dht_table *t, const uint8_t own[DHT_ID_BYTES])
{
    memset(t, 0, sizeof *t);
    memcpy(t->own, own, DHT_ID_BYTES);
}

// ---- finding, taking out ------------------------------------------------------------------------------------------------

typedef struct { dht_bucket *bucket; dht_entry *entry; bool is_spare; } place;

static place host_find(dht_table *t, addr at)
{
    for (int b = 0; b < DHT_BUCKETS; b++) {
        dht_bucket *k = &t->bucket[b];
        for (int i = 0; i < k->live_count; i++)
            if (dht_same_host(k->live[i].at, at))
                return (place){k, &k->live[i], false};
        for (int i = 0; i < k->spare_count; i++)
            if (dht_same_host(k->spare[i].at, at))
                return (place){k, &k->spare[i], true};
    }
    return (place){0};
}

static bool host_known(const dht_table *t, addr at)
{
    for (int b = 0; b < DHT_BUCKETS; b++) {
        const dht_bucket *k = &t->bucket[b];
        for (int i = 0; i < k->live_count; i++)
            if (dht_same_host(k->live[i].at, at))
                return true;
        for (int i = 0; i < k->spare_count; i++)
            if (dht_same_host(k->spare[i].at, at))
                return true;
    }
    return false;
}

static void spare_remove(dht_table *t, dht_bucket *k, int i)
{
    k->spare[i] = k->spare[--k->spare_count];
    t->spare--;
}

// The best spare one moves up: one that fits before one that does not, then the latest that answered.
static void live_remove(dht_table *t, dht_bucket *k, int i)
{
    int best = -1;
    for (int s = 0; s < k->spare_count; s++)
        if (best < 0 || k->spare[s].fits > k->spare[best].fits ||
            (k->spare[s].fits == k->spare[best].fits && k->spare[s].answered_ns > k->spare[best].answered_ns))
            best = s;
    if (best >= 0) {
        k->live[i] = k->spare[best];
        spare_remove(t, k, best);
    } else {
        k->live[i] = k->live[--k->live_count];
        t->live--;
    }
}

static void place_remove(dht_table *t, place p)
{
    if (p.is_spare)
        spare_remove(t, p.bucket, (int)(p.entry - p.bucket->spare));
    else
        live_remove(t, p.bucket, (int)(p.entry - p.bucket->live));
}

// ---- adding ---------------------------------------------------------------------------------------------------------------

static bool spare_add(dht_table *t, dht_bucket *k, const dht_entry *e)
{
    int at = k->spare_count;
    if (at == DHT_SPARE) {                               // the worst goes, when it is worse than this one
        at = 0;
        for (int i = 1; i < DHT_SPARE; i++)
            if (k->spare[i].fits < k->spare[at].fits ||
                (k->spare[i].fits == k->spare[at].fits && k->spare[i].answered_ns < k->spare[at].answered_ns))
                at = i;
        if (k->spare[at].fits > e->fits)
            return false;
    } else {
        k->spare_count++;
        t->spare++;
    }
    k->spare[at] = *e;
    return true;
}

static bool entry_add(dht_table *t, const dht_entry *e)
{
    dht_bucket *k = &t->bucket[bucket_number(t, e->id)];
    if (k->live_count < DHT_K) {
        k->live[k->live_count++] = *e;
        t->live++;
        return true;
    }
    for (int i = 0; i < DHT_K; i++)
        if (k->live[i].fails >= DHT_FAILS_MAX) {
            k->live[i] = *e;
            return true;
        }
    for (int i = 0; i < DHT_K && e->fits; i++)
        if (!k->live[i].fits) {
            dht_entry other = k->live[i];
            k->live[i] = *e;
            (void)spare_add(t, k, &other);
            return true;
        }
    return spare_add(t, k, e);
}

bool dht_table_answered(dht_table *t, const uint8_t id[DHT_ID_BYTES], addr at, int64_t now_ns)
{
    dht_entry e = {.at = at, .fits = dht_id_fits(id, at), .answered_ns = now_ns};
    place known = host_find(t, at);
    memcpy(e.id, id, DHT_ID_BYTES);
    if (memcmp(id, t->own, DHT_ID_BYTES) == 0)
        return false;
    if (known.entry && addr_eq(known.entry->at, at) && memcmp(known.entry->id, id, DHT_ID_BYTES) == 0) {
        known.entry->answered_ns = now_ns;
        known.entry->fails = 0;
        return true;
    }
    // A new id or port at a known address: the old one stays as long as it answers, so that ids cannot be tried out. The
    // address itself may have changed its id, though: then the old one answers no more under it.
    if (known.entry && known.entry->fails == 0 && !addr_eq(known.entry->at, at))
        return false;
    if (known.entry)
        place_remove(t, known);
    return entry_add(t, &e);
}

void dht_table_failed(dht_table *t, addr at)
{
    place p = host_find(t, at);
    if (!p.entry || !addr_eq(p.entry->at, at))
        return;
    if (p.entry->fails < UINT8_MAX)
        p.entry->fails++;
    if (p.is_spare || (p.entry->fails >= DHT_FAILS_MAX && (p.bucket->spare_count || p.entry->fails > 3 * DHT_FAILS_MAX)))
        place_remove(t, p);
}

void dht_table_rekey(dht_table *t, const uint8_t own[DHT_ID_BYTES])
{
    dht_table *old = memory_new(sizeof *old);
    *old = *t;
    dht_table_init(t, own);
    for (int b = 0; b < DHT_BUCKETS; b++) {
        for (int i = 0; i < old->bucket[b].live_count; i++)
            (void)entry_add(t, &old->bucket[b].live[i]);
        for (int i = 0; i < old->bucket[b].spare_count; i++)
            (void)entry_add(t, &old->bucket[b].spare[i]);
    }
    memory_free(old);
}

// ---- asking the table -------------------------------------------------------------------------------------------------------

bool dht_table_has_room(const dht_table *t, const uint8_t id[DHT_ID_BYTES], addr at)
{
    const dht_bucket *k = &t->bucket[bucket_number(t, id)];
    if (host_known(t, at) || memcmp(id, t->own, DHT_ID_BYTES) == 0)
        return false;
    bool room = k->live_count < DHT_K || k->spare_count < DHT_SPARE / 2;
    for (int i = 0; i < k->live_count; i++)
        room |= k->live[i].fails > 0 || (!k->live[i].fits && dht_id_fits(id, at));
    return room;
}

int dht_table_nearest(const dht_table *t, const uint8_t target[DHT_ID_BYTES], dht_node *out, int max)
{
    int count = 0;
    for (int b = 0; b < DHT_BUCKETS; b++)
        for (int i = 0; i < t->bucket[b].live_count; i++) {
            const dht_entry *e = &t->bucket[b].live[i];
            int at = count;
            if (e->fails)
                continue;
            while (at > 0 && dht_nearer(target, e->id, out[at - 1].id) < 0)
                at--;
            if (at >= max)
                continue;
            if (count < max)
                count++;
            for (int j = count - 1; j > at; j--)
                out[j] = out[j - 1];
            memcpy(out[at].id, e->id, DHT_ID_BYTES);
            out[at].at = e->at;
        }
    return count;
}

dht_entry *dht_table_stale(dht_table *t, int64_t now_ns, int64_t retry_ns)
{
    dht_entry *oldest = NULL;
    for (int b = 0; b < DHT_BUCKETS; b++)
        for (int i = 0; i < t->bucket[b].live_count; i++) {
            dht_entry *e = &t->bucket[b].live[i];
            int64_t seen = e->asked_ns > e->answered_ns ? e->asked_ns : e->answered_ns;
            if (now_ns - seen > (e->fails ? retry_ns : DHT_GOOD_NS) && (!oldest || e->answered_ns < oldest->answered_ns))
                oldest = e;
        }
    return oldest;
}

bool dht_table_refresh(dht_table *t, int64_t now_ns, const uint8_t random[DHT_ID_BYTES], uint8_t target[DHT_ID_BYTES])
{
    int last = -1;                                       // beyond the deepest bucket that has anybody nobody can be expected
    for (int b = 0; b < DHT_BUCKETS; b++)
        if (t->bucket[b].live_count)
            last = b;
    for (int b = 0; b <= last; b++) {
        if (now_ns - t->bucket[b].refreshed_ns < DHT_GOOD_NS && t->bucket[b].refreshed_ns)
            continue;
        t->bucket[b].refreshed_ns = now_ns;
        memcpy(target, random, DHT_ID_BYTES);
        for (int bit = 0; bit <= b; bit++) {             // the first b bits are ours, the next one is not
            uint8_t mask = (uint8_t)(0x80 >> bit % 8), ours = t->own[bit / 8] & mask;
            target[bit / 8] = (uint8_t)((target[bit / 8] & ~mask) | (bit < b ? ours : ours ^ mask));
        }
        return true;
    }
    return false;
}
