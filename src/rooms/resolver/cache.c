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
    list_init(&c->recent);
}

static void entry_forget(cache *c, cache_entry *e)
{
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

const cache_entry *cache_find(cache *c, dns_name name, unsigned type, int64_t now_ns)
{
    cache_entry *e = find_one(c, name, TYPE_NONE, now_ns);
    if (!e)
        e = find_one(c, name, type, now_ns);
    if (!e && type != DNS_CNAME) {
        e = find_one(c, name, DNS_CNAME, now_ns);
        if (e && e->kind != CACHED_DATA)
            e = NULL;                            // that there is no CNAME says nothing about other types
    }
    *(e ? &c->hits : &c->misses) += 1;
    return e;
}

// A new entry with room for its texts, in the place of an older one. NULL when it alone would break the ceiling.
static cache_entry *entry_new(cache *c, dns_name name, unsigned type, dns_name owner, size_t data_bytes)
{
    unsigned char key_room[KEY_MAX];
    str key = key_make(key_room, name, type);
    size_t text_bytes = (size_t)key.len + (size_t)owner.len + data_bytes;
    size_t bytes = sizeof(cache_entry) + text_bytes + SLOT_BYTES;
    cache_entry *old = map_get(&c->entries, key);
    if (old)
        entry_forget(c, old);
    if (bytes > c->bytes_max)
        return NULL;
    while (c->bytes + bytes > c->bytes_max) {
        forget_oldest(c);
        c->evictions++;
    }
    cache_entry *e = memory_zeroed(1, sizeof *e + text_bytes);
    memcpy(e->room, key.at, (size_t)key.len);
    if (owner.len)
        memcpy(e->room + key.len, owner.at, (size_t)owner.len);
    e->key = (str){e->room, key.len};
    e->name = (str){e->room + key.len, owner.len};
    e->data = (str){e->room + key.len + owner.len, (ptrdiff_t)data_bytes};
    e->bytes = bytes;
    if (!map_put(&c->entries, e->key, e)) {
        memory_free(e);
        return NULL;
    }
    c->bytes += bytes;
    list_append(&c->recent, &e->recent);
    return e;
}

static writer data_writer(cache_entry *e)
{
    return wr_into(e->room + e->key.len + e->name.len, (size_t)e->data.len);
}

void cache_put_set(cache *c, const dns_record *const *records, int count, int64_t now_ns)
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
    cache_entry *e = entry_new(c, records[0]->name, records[0]->type, records[0]->name, bytes);
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
    while (cache_next(e, &cursor, &rdata)) {
        dns_record r = {e->name, e->type, DNS_CLASS_IN, cache_ttl_s(e, now_ns), rdata};
        str type = dns_type_text(a, r.type), text = dns_rdata_text(a, r.type, r.rdata);
        buf_format(out, "" STR_FMT "\t%u\tIN\t" STR_FMT "\t" STR_FMT "\n", STR_ARG(name), r.ttl, STR_ARG(type), STR_ARG(text));
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
