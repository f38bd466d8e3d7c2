#include "rooms/resolver/delegation.h"

#include <string.h>

#include "base/heap_memory.h"

static const int64_t SECOND_NS = 1000000000;

enum { DELEGATION_TTL_S_MAX = 86400 };

typedef struct {
    list_link recent;
    int64_t   expires_ns;
    delegation value;                        // its names stand in `room`
    unsigned char room[];
} kept;

static void glue_read(const dns_message *m, delegation *d, int name, uint32_t *ttl_s)
{
    int taken = 0;
    for (int i = 0; i < m->count[DNS_ADDITIONAL]; i++) {
        const dns_record *r = dns_message_record(m, DNS_ADDITIONAL, i);
        bool is_address = r->class == DNS_CLASS_IN && (r->type == DNS_A || r->type == DNS_AAAA);
        if (!is_address || !dns_name_eq(r->name, d->name[name]) || d->addresses == DELEGATION_ADDRESSES_MAX ||
            taken == DELEGATION_GLUE_A_NAME_MAX)
            continue;
        addr at = {.family = r->type == DNS_A ? 4 : 6};
        memcpy(at.ip, r->rdata.at, (size_t)r->rdata.len);
        d->address[d->addresses].at = at;
        d->address[d->addresses++].name = name;
        *ttl_s = r->ttl < *ttl_s ? r->ttl : *ttl_s;
        taken++;
    }
}

bool delegation_read(const dns_message *m, dns_name zone, dns_name cut, delegation *out, uint32_t *ttl_s)
{
    *out = (delegation){.zone = cut};
    *ttl_s = DELEGATION_TTL_S_MAX;
    for (int i = 0; i < m->count[DNS_AUTHORITY] && out->names < DELEGATION_NAMES_MAX; i++) {
        const dns_record *r = dns_message_record(m, DNS_AUTHORITY, i);
        if (r->type != DNS_NS || r->class != DNS_CLASS_IN || !dns_name_eq(r->name, cut))
            continue;
        out->name[out->names++] = r->rdata;
        *ttl_s = r->ttl < *ttl_s ? r->ttl : *ttl_s;
    }
    for (int i = 0; i < out->names; i++)
        if (dns_name_under(out->name[i], zone))
            glue_read(m, out, i, ttl_s);
    return out->names > 0;
}

void delegations_init(delegations *d, uint64_t secret)
{
    d->zones = map_make_nocase(secret, DELEGATIONS_MAX + 1);
    list_init(&d->recent);
}

static void forget(delegations *d, kept *k)
{
    (void)map_remove(&d->zones, k->value.zone);
    list_remove(&k->recent);
    memory_free(k);
}

static void forget_oldest(delegations *d)
{
    list_link *oldest = list_first(&d->recent);
    must(oldest);
    forget(d, LIST_OF(oldest, kept, recent));
}

void delegations_free(delegations *d)
{
    while (!list_empty(&d->recent))
        forget_oldest(d);
    map_free(&d->zones);
}

static dns_name keep_name(unsigned char **room, dns_name n)
{
    memcpy(*room, n.at, (size_t)n.len);
    dns_name copy = {*room, n.len};
    *room += n.len;
    return copy;
}

void delegations_put(delegations *d, const delegation *x, uint32_t ttl_s, int64_t now_ns)
{
    size_t bytes = (size_t)x->zone.len;
    kept *old = map_get(&d->zones, x->zone);
    for (int i = 0; i < x->names; i++)
        bytes += (size_t)x->name[i].len;
    if (old)
        forget(d, old);
    if (ttl_s == 0)
        return;
    if (d->zones.count >= DELEGATIONS_MAX)
        forget_oldest(d);
    kept *k = memory_zeroed(1, sizeof *k + bytes);
    unsigned char *room = k->room;
    k->value = *x;
    k->value.zone = keep_name(&room, x->zone);
    for (int i = 0; i < x->names; i++)
        k->value.name[i] = keep_name(&room, x->name[i]);
    k->expires_ns = now_ns + ttl_s * SECOND_NS;
    (void)map_put(&d->zones, k->value.zone, k);
    list_append(&d->recent, &k->recent);
}

static void copy_out(const delegation *from, arena *a, delegation *out)
{
    *out = *from;
    out->zone = dns_name_copy(a, from->zone);
    for (int i = 0; i < from->names; i++)
        out->name[i] = dns_name_copy(a, from->name[i]);
}

bool delegations_find(delegations *d, dns_name n, int64_t now_ns, arena *a, delegation *out)
{
    for (; !dns_name_is_root(n); n = dns_name_parent(n)) {
        kept *k = map_get(&d->zones, n);
        if (k && k->expires_ns <= now_ns) {
            forget(d, k);
        } else if (k) {
            list_remove(&k->recent);
            list_append(&d->recent, &k->recent);
            copy_out(&k->value, a, out);
            return !a->full;
        }
    }
    return false;
}

int delegations_flush(delegations *d, dns_name below)
{
    int gone = 0;
    for (list_link *l = list_first(&d->recent), *next; l; l = next) {
        kept *k = LIST_OF(l, kept, recent);
        next = list_next(&d->recent, l);
        if (dns_name_under(k->value.zone, below)) {
            forget(d, k);
            gone++;
        }
    }
    return gone;
}

static size_t slot_of(addr at) { return str_hash(str_of(at.ip, sizeof at.ip), at.family) % SERVERS_SEEN; }

// The server's slot, empty when it was another's: two servers in one slot forget each other, and are only tried sooner.
static size_t slot_take(servers *s, addr at)
{
    size_t slot = slot_of(at);
    if (!addr_eq_ip(s->seen[slot].at, at)) {
        s->seen[slot].at = at;
        s->seen[slot].rest_until_ns = s->seen[slot].subnetless_until_ns = 0;
    }
    return slot;
}

void servers_failed(servers *s, addr at, int64_t now_ns)
{
    s->seen[slot_take(s, at)].rest_until_ns = now_ns + SERVER_REST_S * SECOND_NS;
}

void servers_worked(servers *s, addr at)
{
    size_t slot = slot_of(at);
    if (addr_eq_ip(s->seen[slot].at, at))
        s->seen[slot].rest_until_ns = 0;
}

bool servers_resting(const servers *s, addr at, int64_t now_ns)
{
    size_t slot = slot_of(at);
    return addr_eq_ip(s->seen[slot].at, at) && s->seen[slot].rest_until_ns > now_ns;
}

void servers_take_subnets(servers *s, addr at, bool takes, int64_t now_ns)
{
    s->seen[slot_take(s, at)].subnetless_until_ns = takes ? 0 : now_ns + SERVER_SUBNETLESS_S * SECOND_NS;
}

bool servers_subnetless(const servers *s, addr at, int64_t now_ns)
{
    size_t slot = slot_of(at);
    return addr_eq_ip(s->seen[slot].at, at) && s->seen[slot].subnetless_until_ns > now_ns;
}
