// The answer cache: sets of records, names and types that do not exist (RFC 2308), and recent failures (RFC 9520), each
// until its time has passed and never after, under a ceiling of memory with the least recently used going first.
// Pointers into an entry are valid until the next put, remove or park.
#pragma once
#include "base/buf.h"
#include "base/list.h"
#include "base/map.h"
#include "wire/dns/message.h"

enum {
    CACHE_TTL_S_MAX = 86400,
    CACHE_NEGATIVE_TTL_S_MAX = 3600,             // RFC 2308 5
    CACHE_FAILURE_TTL_S = 5,                     // RFC 9520 3.2: 1 second to 5 minutes
    CACHE_SET_RECORDS_MAX = 100,
};

typedef enum { CACHED_DATA, CACHED_NO_DATA, CACHED_NO_NAME, CACHED_FAILURE } cached_kind;

typedef struct cache_entry {
    list_link   recent;                          // least recently used first
    int64_t     expires_ns;
    cached_kind kind;
    uint16_t    type, count;                     // of the set; count of records in `data`
    uint16_t    ede;                             // CACHED_FAILURE: why
    size_t      bytes;                           // what the entry costs
    str         key;
    dns_name    name;                            // owner of the set; of the SOA for what does not exist
    str         data;                            // records as 16 bits of length and rdata; the SOA's; a failure's sentence
    unsigned char room[];
} cache_entry;

typedef struct {
    map    entries;
    list   recent;
    size_t bytes, bytes_max;
    int64_t hits, misses, evictions;
} cache;

void cache_init(cache *c, uint64_t secret, size_t bytes_max);
void cache_free(cache *c);

// What is known about a name and type at now_ns: its data, a CNAME in its place (entry->type tells), that it does not
// exist, or a failure of the last seconds. NULL: nothing.
const cache_entry *cache_find(cache *c, dns_name name, unsigned type, int64_t now_ns);

// A set of at most CACHE_SET_RECORDS_MAX records with the same owner and type. TTL 0 is not kept.
void cache_put_set(cache *c, const dns_record *const *records, int count, int64_t now_ns);
// The name, or with is_type only this type of it, does not exist. Kept as long as the SOA says (NULL: not at all).
void cache_put_missing(cache *c, dns_name name, unsigned type, bool is_type, const dns_record *soa, int64_t now_ns);
void cache_put_failure(cache *c, dns_name name, unsigned type, unsigned ede, str why, int64_t now_ns);

uint32_t cache_ttl_s(const cache_entry *e, int64_t now_ns);              // left
bool     cache_next(const cache_entry *e, ptrdiff_t *cursor, str *rdata);       // walks the records; start with 0

int  cache_flush(cache *c, dns_name below);      // forgets the name and everything below it; returns how many
void cache_dump(cache *c, int64_t now_ns, buf *out);     // as lines of a master file, comments for what is missing
