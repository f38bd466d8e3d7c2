#include "rooms/authoritative/zone.h"

#include <string.h>

#include "base/heap_memory.h"

enum {
    SLOTS_FIRST = 64,
    SET_ROOM_FIRST = 2,                      // the second copy of a growing set has room for twice its data
    TABLE_FIRST = 16,
};

static bool fail(const char **why, const char *sentence)
{
    *why = sentence;
    return false;
}

// The table of names.

static size_t slot_of(const zone *z, dns_name n, uint32_t hash)
{
    size_t at = hash & (z->cap - 1);
    while (z->slots[at] && (z->slots[at]->hash != hash || !dns_name_eq(zone_node_name(z->slots[at]), n)))
        at = (at + 1) & (z->cap - 1);
    return at;
}

static uint32_t hash_of(const zone *z, dns_name n) { return (uint32_t)dns_name_hash(n, z->secret); }

static void slots_grow(zone *z)
{
    zone_node **old = z->slots;
    size_t old_cap = z->cap;
    z->cap *= 2;
    z->slots = memory_zeroed(z->cap, sizeof *z->slots);
    for (size_t i = 0; i < old_cap; i++)
        if (old[i]) {
            size_t at = old[i]->hash & (z->cap - 1);
            while (z->slots[at])
                at = (at + 1) & (z->cap - 1);
            z->slots[at] = old[i];
        }
    memory_free(old);
}

bool zone_steer(zone *z, dns_name n)
{
    zone_node *node = z->slots[slot_of(z, n, hash_of(z, n))];
    if (node)
        node->is_steered = true;
    return node != NULL;
}

const zone_node *zone_find(const zone *z, dns_name n) { return z->slots[slot_of(z, n, hash_of(z, n))]; }

// The node of a name inside the zone, made with all names between it and the apex. NULL when memory ends.
static zone_node *node_make(zone *z, dns_name n)
{
    uint32_t hash = hash_of(z, n);
    zone_node *found = z->slots[slot_of(z, n, hash)];
    if (found)
        return found;
    zone_node *parent = dns_name_eq(n, z->origin) ? NULL : node_make(z, dns_name_parent(n));    // at most 127 deep
    zone_node *node = arena_new(&z->memory, zone_node);
    str name = dns_name_copy(&z->memory, n);
    if (!node || !name.len)
        return NULL;
    *node = (zone_node){.name = name.at, .name_len = (uint8_t)name.len, .hash = hash};
    if (parent && dns_name_is_wildcard(n))
        parent->has_wildcard = true;
    if ((z->nodes + 1) * 4 > z->cap * 3)
        slots_grow(z);
    z->slots[slot_of(z, n, hash)] = node;
    z->nodes++;
    return node;
}

zone *zone_new(dns_name origin, uint64_t secret)
{
    zone *z = memory_zeroed(1, sizeof *z);
    z->memory = arena_make(ZONE_BYTES_MAX);
    z->origin = dns_name_copy(&z->memory, origin);
    z->secret = secret;
    z->cap = SLOTS_FIRST;
    z->slots = memory_zeroed(z->cap, sizeof *z->slots);
    z->apex = node_make(z, z->origin);
    return z;
}

void zone_free(zone *z)
{
    if (!z)
        return;
    memory_free(z->slots);
    arena_free(&z->memory);
    memory_free(z);
}

// Sets of records.

const zone_set *zone_node_set(const zone_node *n, unsigned type)
{
    const zone_set *s = n->sets;
    while (s && s->type != type)
        s = s->next;
    return s;
}

bool zone_set_next(const zone_set *s, uint32_t *cursor, str *rdata)
{
    if (*cursor >= s->bytes)
        return false;
    ptrdiff_t len = s->data[*cursor] << 8 | s->data[*cursor + 1];
    *rdata = (str){s->data + *cursor + 2, len};
    *cursor += 2 + (uint32_t)len;
    return true;
}

static bool set_has(const zone_set *s, str rdata)
{
    uint32_t cursor = 0;
    for (str one; zone_set_next(s, &cursor, &one);)
        if (str_eq(one, rdata))
            return true;
    return false;
}

static void set_append(zone_set *s, str rdata)
{
    unsigned char *at = s->data + s->bytes;
    at[0] = (unsigned char)(rdata.len >> 8);
    at[1] = (unsigned char)rdata.len;
    if (rdata.len)
        memcpy(at + 2, rdata.at, (size_t)rdata.len);
    s->bytes += 2 + (uint32_t)rdata.len;
    s->count++;
}

// The set at *link with room for `more` bytes: itself, or a larger copy that takes its place. A set that is NULL is
// made new. NULL when memory ends.
static zone_set *set_with_room(zone *z, zone_set **link, uint32_t more)
{
    zone_set *old = *link;
    if (old && old->room - old->bytes >= more)
        return old;
    uint32_t room = old ? (old->bytes + more) * SET_ROOM_FIRST : more;
    zone_set *s = arena_alloc(&z->memory, 1, sizeof *s + room, _Alignof(zone_set));
    if (!s)
        return NULL;
    if (old)
        memcpy(s, old, sizeof *s + old->bytes);
    s->room = room;
    *link = s;
    return s;
}

static bool record_allowed(const zone *z, const zone_node *node, const dns_record *r, const char **why)
{
    if (r->type == DNS_SOA && node != z->apex)
        return fail(why, "a SOA record stands only at the zone's own name");
    if (r->type == DNS_SOA && zone_node_set(node, DNS_SOA))
        return fail(why, "the zone has two SOA records");
    if (r->type == DNS_CNAME && zone_node_set(node, DNS_CNAME))
        return fail(why, "a name has at most one CNAME");
    if (r->type == DNS_CNAME ? node->sets != NULL : zone_node_set(node, DNS_CNAME) != NULL)
        return fail(why, "a name with a CNAME has no other records (RFC 1034 3.6.2): give the data to the CNAME's target");
    return true;
}

bool zone_add(zone *z, const dns_record *r, const char **why)
{
    if (!dns_name_under(r->name, z->origin))
        return fail(why, "the record's name is not in this zone (is a final dot missing or too many?)");
    zone_node *node = node_make(z, r->name);
    if (!node)
        return fail(why, "the zone is too large for its memory");
    zone_set **link = &node->sets;
    int types = 0;
    while (*link && (*link)->type != r->type)
        link = &(*link)->next, types++;
    if (*link && set_has(*link, r->rdata))
        return true;
    if (!record_allowed(z, node, r, why))
        return false;
    if ((*link && (*link)->count == ZONE_SET_RECORDS_MAX) || types == ZONE_NODE_TYPES_MAX)
        return fail(why, "more than 1000 records of one name and type, or more than 100 types at one name");
    bool is_new = !*link;
    zone_set *s = set_with_room(z, link, 2 + (uint32_t)r->rdata.len);
    if (!s)
        return fail(why, "the zone is too large for its memory");
    if (is_new || r->ttl < s->ttl)
        s->ttl = r->ttl;                                   // one TTL a set: the smallest (RFC 2181 5.2)
    s->type = r->type;
    set_append(s, r->rdata);
    node->is_cut |= r->type == DNS_NS && node != z->apex;
    z->records++;
    return true;
}

bool zone_check(const zone *z, const char **why)
{
    if (!zone_node_set(z->apex, DNS_SOA))
        return fail(why, "the zone has no SOA record at its own name");
    if (!zone_node_set(z->apex, DNS_NS))
        return fail(why, "the zone has no NS record at its own name");
    return true;
}

// The table of zones, sorted by canonical order of the origins.

static int table_place(const zone_table *t, dns_name origin, bool *found)
{
    int low = 0, high = t->count;
    while (low < high) {
        int middle = (low + high) / 2, order = dns_name_cmp(t->zones[middle]->origin, origin);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *found = false;
    return low;
}

void zone_table_free(zone_table *t)
{
    for (int i = 0; i < t->count; i++)
        zone_free(t->zones[i]);
    memory_free(t->zones);
    *t = (zone_table){0};
}

zone *zone_table_put(zone_table *t, zone *z, bool *full)
{
    bool found;
    int at = table_place(t, z->origin, &found);
    *full = !found && t->count == ZONES_MAX;
    if (*full)
        return NULL;
    if (found) {
        zone *old = t->zones[at];
        t->zones[at] = z;
        return old;
    }
    if (t->count == t->max) {
        t->max = t->max ? t->max * 2 : TABLE_FIRST;
        t->zones = memory_resize(t->zones, (size_t)t->max * sizeof *t->zones);
    }
    memmove(t->zones + at + 1, t->zones + at, (size_t)(t->count - at) * sizeof *t->zones);
    t->zones[at] = z;
    t->count++;
    return NULL;
}

zone *zone_table_remove(zone_table *t, dns_name origin)
{
    bool found;
    int at = table_place(t, origin, &found);
    if (!found)
        return NULL;
    zone *z = t->zones[at];
    t->count--;
    memmove(t->zones + at, t->zones + at + 1, (size_t)(t->count - at) * sizeof *t->zones);
    return z;
}

zone *zone_table_get(const zone_table *t, dns_name origin)
{
    bool found;
    int at = table_place(t, origin, &found);
    return found ? t->zones[at] : NULL;
}

const zone *zone_table_find(const zone_table *t, dns_name n)
{
    for (;; n = dns_name_parent(n)) {
        const zone *z = zone_table_get(t, n);
        if (z || dns_name_is_root(n))
            return z;
    }
}
