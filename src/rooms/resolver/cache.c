#include "rooms/resolver/cache.h"

#include <string.h>

#include "base/heap_memory.h"

enum {
    KEY_TYPE_BYTES = 4,                          // four nibbles, '0' to '?': no letters, so case cannot mix up types
    KEY_MAX = DNS_NAME_MAX + KEY_TYPE_BYTES,
    TYPE_NONE = 0,                               // key of a name that does not exist at all
    SLOT_BYTES = 64,                             // what the table costs an entry
    DUMP_ARENA_BYTES = 1024 * 1024,
};

struct cache_subnets {
    list members;                                // of cache_entry, at least one
    int  told;                                   // of them, with bits
    str  key;
    unsigned char room[];
};

static const int64_t SECOND_NS = 1000000000;

static str key_make(unsigned char room[KEY_MAX], dns_name name, unsigned type)
{
    memcpy(room, name.at, (size_t)name.len);
    for (int i = 0; i < KEY_TYPE_BYTES; i++)
        room[name.len + i] = (unsigned char)('0' + (type >> (4 * i) & 15));
    return (str){room, name.len + KEY_TYPE_BYTES};
}

void cache_init(cache *c, uint64_t secret, size_t bytes_max)
{
    size_t entries_max = bytes_max / (sizeof(cache_entry) + SLOT_BYTES) + 1;
    *c = (cache){.entries = map_make_nocase(secret, entries_max), .bytes_max = bytes_max};
    c->tailored = map_make_nocase(secret, entries_max);
    list_init(&c->recent);
}

static void subnets_leave(cache *c, cache_entry *e)
{
    cache_subnets *among = e->among;
    list_remove(&e->sibling);
    among->told -= e->subnet.source > 0;
    if (!list_empty(&among->members))
        return;
    (void)map_remove(&c->tailored, among->key);
    memory_free(among);
}

static void entry_forget(cache *c, cache_entry *e)
{
    if (e->among)
        subnets_leave(c, e);
    else
        (void)map_remove(&c->entries, e->key);
    list_remove(&e->recent);
    c->bytes -= e->bytes;
    memory_free(e);
}

static void forget_oldest(cache *c)
{
    list_link *oldest = list_first(&c->recent);
    must(oldest);
    entry_forget(c, LIST_OF(oldest, cache_entry, recent));
}

void cache_free(cache *c)
{
    while (!list_empty(&c->recent))
        forget_oldest(c);
    map_free(&c->entries);
    map_free(&c->tailored);
}

static cache_entry *find_one(cache *c, dns_name name, unsigned type, int64_t now_ns)
{
    unsigned char room[KEY_MAX];
    cache_entry *e = map_get(&c->entries, key_make(room, name, type));
    if (!e)
        return NULL;
    if (e->expires_ns <= now_ns) {
        entry_forget(c, e);
        return NULL;
    }
    list_remove(&e->recent);
    list_append(&c->recent, &e->recent);
    return e;
}

// Of the answers for some networks alone, the one for the longest prefix around the client. What has expired goes on the way.
static cache_entry *find_tailored(cache *c, dns_name name, unsigned type, const dns_subnet *client, int64_t now_ns)
{
    unsigned char room[KEY_MAX];
    cache_subnets *among = map_get(&c->tailored, key_make(room, name, type));
    cache_entry *best = NULL;
    for (list_link *l = among ? list_first(&among->members) : NULL, *next; l; l = next) {
        cache_entry *e = LIST_OF(l, cache_entry, sibling);
        const dns_subnet *s = &e->subnet;
        next = list_next(&among->members, l);              // NULL behind the last one, with which `among` may go
        if (e->expires_ns <= now_ns)
            entry_forget(c, e);
        else if (s->source ? s->source <= client->source && addr_in_prefix(client->network, s->network, s->source) : !client->source)
            best = !best || s->source > best->subnet.source ? e : best;
    }
    if (best) {
        list_remove(&best->recent);
        list_append(&c->recent, &best->recent);
    }
    return best;
}

static cache_entry *find_set(cache *c, dns_name name, unsigned type, const dns_subnet *client, int64_t now_ns)
{
    cache_entry *e = client ? find_tailored(c, name, type, client, now_ns) : NULL;
    return e ? e : find_one(c, name, type, now_ns);
}

const cache_entry *cache_find_for(cache *c, dns_name name, unsigned type, const dns_subnet *client, int64_t now_ns)
{
    cache_entry *e = find_one(c, name, TYPE_NONE, now_ns);
    if (!e)
        e = find_set(c, name, type, client, now_ns);
    if (!e && type != DNS_CNAME) {
        e = find_set(c, name, DNS_CNAME, client, now_ns);
        if (e && e->kind != CACHED_DATA)
            e = NULL;                            // that there is no CNAME says nothing about other types
    }
    *(e ? &c->hits : &c->misses) += 1;
    return e;
}

const cache_entry *cache_find(cache *c, dns_name name, unsigned type, int64_t now_ns)
{
    return cache_find_for(c, name, type, NULL, now_ns);
}

bool cache_subnets_full(cache *c, dns_name name, unsigned type, int64_t now_ns)
{
    unsigned char room[KEY_MAX];
    str key = key_make(room, name, type);
    dns_subnet nobody = {0};
    (void)find_tailored(c, name, type, &nobody, now_ns);   // lets what has expired go
    const cache_subnets *among = map_get(&c->tailored, key);
    return among && among->told >= CACHE_SUBNETS_MAX;
}

// Puts an entry among those of its name for some networks alone, in the place of the one for the same network. False: there is no
// room.
static bool subnets_join(cache *c, cache_entry *e, const dns_subnet *subnet)
{
    cache_subnets *among = map_get(&c->tailored, e->key);
    if (!among) {
        among = memory_zeroed(1, sizeof *among + (size_t)e->key.len);
        memcpy(among->room, e->key.at, (size_t)e->key.len);
        among->key = (str){among->room, e->key.len};
        list_init(&among->members);
        if (!map_put(&c->tailored, among->key, among)) {
            memory_free(among);
            return false;
        }
    }
    e->among = among;
    e->subnet = *subnet;
    among->told += subnet->source > 0;
    list_append(&among->members, &e->sibling);
    return true;
}

static cache_entry *same_place(cache *c, str key, const dns_subnet *subnet)
{
    if (!subnet)
        return map_get(&c->entries, key);
    const cache_subnets *among = map_get(&c->tailored, key);
    for (list_link *l = among ? list_first(&among->members) : NULL; l; l = list_next(&among->members, l)) {
        cache_entry *e = LIST_OF(l, cache_entry, sibling);
        if (dns_subnet_same(&e->subnet, subnet))
            return e;
    }
    return NULL;
}

// Makes room. False: an entry of so many bytes alone would break the ceiling.
static bool room_make(cache *c, size_t bytes)
{
    if (bytes > c->bytes_max)
        return false;
    while (c->bytes + bytes > c->bytes_max) {
        forget_oldest(c);
        c->evictions++;
    }
    return true;
}

// A new entry with room for its texts, in the place of an older one; for the clients of a network alone unless `subnet` is NULL. NULL:
// there is no room for it.
static cache_entry *entry_new_for(cache *c, dns_name name, unsigned type, dns_name owner, size_t data_bytes, const dns_subnet *subnet)
{
    unsigned char key_room[KEY_MAX];
    str key = key_make(key_room, name, type);
    size_t text_bytes = (size_t)key.len + (size_t)owner.len + data_bytes;
    size_t bytes = sizeof(cache_entry) + text_bytes + SLOT_BYTES + (subnet ? sizeof(cache_subnets) + (size_t)key.len : 0);
    cache_entry *old = same_place(c, key, subnet);
    if (old)
        entry_forget(c, old);
    if (!room_make(c, bytes))
        return NULL;
    cache_entry *e = memory_zeroed(1, sizeof *e + text_bytes);
    memcpy(e->room, key.at, (size_t)key.len);
    if (owner.len)
        memcpy(e->room + key.len, owner.at, (size_t)owner.len);
    e->key = (str){e->room, key.len};
    e->name = (str){e->room + key.len, owner.len};
    e->data = (str){e->room + key.len + owner.len, (ptrdiff_t)data_bytes};
    e->bytes = bytes;
    if (!(subnet ? subnets_join(c, e, subnet) : map_put(&c->entries, e->key, e))) {
        memory_free(e);
        return NULL;
    }
    c->bytes += bytes;
    list_append(&c->recent, &e->recent);
    return e;
}

static cache_entry *entry_new(cache *c, dns_name name, unsigned type, dns_name owner, size_t data_bytes)
{
    return entry_new_for(c, name, type, owner, data_bytes, NULL);
}

static writer data_writer(cache_entry *e)
{
    return wr_into(e->room + e->key.len + e->name.len, (size_t)e->data.len);
}

void cache_put_set(cache *c, const dns_record *const *records, int count, int64_t now_ns)
{
    cache_put_set_for(c, records, count, NULL, now_ns);
}

void cache_put_set_for(cache *c, const dns_record *const *records, int count, const dns_subnet *subnet, int64_t now_ns)
{
    size_t bytes = 0;
    uint32_t ttl_s = CACHE_TTL_S_MAX;
    if (count > CACHE_SET_RECORDS_MAX)
        count = CACHE_SET_RECORDS_MAX;
    for (int i = 0; i < count; i++) {
        bytes += 2 + (size_t)records[i]->rdata.len;
        ttl_s = records[i]->ttl < ttl_s ? records[i]->ttl : ttl_s;
    }
    if (count == 0 || ttl_s == 0)
        return;
    if (subnet && subnet->source && cache_subnets_full(c, records[0]->name, records[0]->type, now_ns))
        return;
    cache_entry *e = entry_new_for(c, records[0]->name, records[0]->type, records[0]->name, bytes, subnet);
    if (!e)
        return;
    writer w = data_writer(e);
    for (int i = 0; i < count; i++) {
        wr_u16(&w, (unsigned)records[i]->rdata.len);
        wr_bytes(&w, records[i]->rdata);
    }
    e->kind = CACHED_DATA;
    e->type = records[0]->type;
    e->count = (uint16_t)count;
    e->expires_ns = now_ns + ttl_s * SECOND_NS;
}

void cache_put_missing(cache *c, dns_name name, unsigned type, bool is_type, const dns_record *soa, int64_t now_ns)
{
    dns_soa fields;
    if (!soa || !dns_rdata_soa(soa->rdata, &fields))
        return;                                  // RFC 2308 5: without a SOA it must not be kept
    uint32_t ttl_s = fields.minimum_s < soa->ttl ? fields.minimum_s : soa->ttl;
    if (ttl_s > CACHE_NEGATIVE_TTL_S_MAX)
        ttl_s = CACHE_NEGATIVE_TTL_S_MAX;
    if (ttl_s == 0)
        return;
    cache_entry *e = entry_new(c, name, is_type ? type : TYPE_NONE, soa->name, 2 + (size_t)soa->rdata.len);
    if (!e)
        return;
    writer w = data_writer(e);
    wr_u16(&w, (unsigned)soa->rdata.len);
    wr_bytes(&w, soa->rdata);
    e->kind = is_type ? CACHED_NO_DATA : CACHED_NO_NAME;
    e->type = DNS_SOA;
    e->count = 1;
    e->expires_ns = now_ns + ttl_s * SECOND_NS;
}

void cache_put_failure(cache *c, dns_name name, unsigned type, unsigned ede, str why, int64_t now_ns)
{
    cache_entry *e = entry_new(c, name, type, (str){0}, (size_t)why.len);
    if (!e)
        return;
    writer w = data_writer(e);
    wr_bytes(&w, why);
    e->kind = CACHED_FAILURE;
    e->ede = (uint16_t)ede;
    e->expires_ns = now_ns + CACHE_FAILURE_TTL_S * SECOND_NS;
}

uint32_t cache_ttl_s(const cache_entry *e, int64_t now_ns) { return (uint32_t)((e->expires_ns - now_ns) / SECOND_NS); }

bool cache_next(const cache_entry *e, ptrdiff_t *cursor, str *rdata)
{
    if (e->kind == CACHED_FAILURE || *cursor >= e->data.len)
        return false;
    ptrdiff_t len = e->data.at[*cursor] << 8 | e->data.at[*cursor + 1];
    *rdata = str_sub(e->data, *cursor + 2, len);
    *cursor += 2 + len;
    return true;
}

int cache_flush(cache *c, dns_name below)
{
    int gone = 0;
    for (list_link *l = list_first(&c->recent), *next; l; l = next) {
        cache_entry *e = LIST_OF(l, cache_entry, recent);
        next = list_next(&c->recent, l);
        if (dns_name_under(str_first(e->key, e->key.len - KEY_TYPE_BYTES), below)) {
            entry_forget(c, e);
            gone++;
        }
    }
    return gone;
}

static void dump_entry(const cache_entry *e, int64_t now_ns, arena *a, buf *out)
{
    static const char *const missing[] = {[CACHED_NO_DATA] = "no such type", [CACHED_NO_NAME] = "no such name",
                                          [CACHED_FAILURE] = "failure"};
    str name = dns_name_text(a, str_first(e->key, e->key.len - KEY_TYPE_BYTES)), rdata;
    ptrdiff_t cursor = 0;
    if (e->kind != CACHED_DATA) {
        buf_format(out, "; " STR_FMT "\t%u\t%s\n", STR_ARG(name), cache_ttl_s(e, now_ns), missing[e->kind]);
        return;
    }
    str clients = !e->among ? S("") : e->subnet.source ? str_join(a, S("\t; clients in "), dns_subnet_text(a, &e->subnet)) : S("\t; clients untold");
    while (cache_next(e, &cursor, &rdata)) {
        dns_record r = {e->name, e->type, DNS_CLASS_IN, cache_ttl_s(e, now_ns), rdata};
        str type = dns_type_text(a, r.type), text = dns_rdata_text(a, r.type, r.rdata);
        buf_format(out, "" STR_FMT "\t%u\tIN\t" STR_FMT "\t" STR_FMT STR_FMT "\n", STR_ARG(name), r.ttl, STR_ARG(type), STR_ARG(text),
                   STR_ARG(clients));
    }
}

void cache_dump(cache *c, int64_t now_ns, buf *out)
{
    for (list_link *l = list_first(&c->recent); l; l = list_next(&c->recent, l)) {
        arena a = arena_make(DUMP_ARENA_BYTES);
        const cache_entry *e = LIST_OF(l, cache_entry, recent);
        if (e->expires_ns > now_ns)
            dump_entry(e, now_ns, &a, out);
        arena_free(&a);
    }
}
