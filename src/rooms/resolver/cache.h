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
    CACHE_SUBNETS_MAX = 64,                      // answers for different networks of clients that one name and type may have
};

typedef enum { CACHED_DATA, CACHED_NO_DATA, CACHED_NO_NAME, CACHED_FAILURE } cached_kind;

typedef struct cache_subnets cache_subnets;      // the answers of one name and type that are for some networks alone

typedef struct cache_entry {
    list_link   recent;                          // least recently used first
    int64_t     expires_ns;
    cached_kind kind;
    uint16_t    type, count;                     // of the set; count of records in `data`
    uint16_t    ede;                             // CACHED_FAILURE: why
    size_t      bytes;                           // what the entry costs
    cache_subnets *among;                        // NULL: the answer is for everybody
    list_link   sibling;                         // in `among`
    dns_subnet  subnet;                          // in `among`: for whom; no bits: for those of whom nothing is told
    str         key;
    dns_name    name;                            // owner of the set; of the SOA for what does not exist
    str         data;                            // records as 16 bits of length and rdata; the SOA's; a failure's sentence
    unsigned char room[];
} cache_entry;

typedef struct {
    map    entries, tailored;                    // of cache_entry; of cache_subnets
    list   recent;
    size_t bytes, bytes_max;
    int64_t hits, misses, evictions;
} cache;

void cache_init(cache *c, uint64_t secret, size_t bytes_max);
void cache_free(cache *c);

// What is known about a name and type at now_ns: its data, a CNAME in its place (entry->type tells), that it does not
// exist, or a failure of the last seconds. NULL: nothing.
const cache_entry *cache_find(cache *c, dns_name name, unsigned type, int64_t now_ns);

// The same for a client whose network the name's servers are told (RFC 7871 7.3.1): what is known for the longest prefix around
// it, else what is for everybody. A client without bits finds what was asked without telling.
const cache_entry *cache_find_for(cache *c, dns_name name, unsigned type, const dns_subnet *client, int64_t now_ns);
// Are as many networks' answers kept as one name and type may have? Then it is to be asked without telling.
bool cache_subnets_full(cache *c, dns_name name, unsigned type, int64_t now_ns);

// A set of at most CACHE_SET_RECORDS_MAX records with the same owner and type. TTL 0 is not kept.
void cache_put_set(cache *c, const dns_record *const *records, int count, int64_t now_ns);
// The same, for the clients of a network alone (NULL: for everybody). At most CACHE_SUBNETS_MAX are kept, and one without bits.
void cache_put_set_for(cache *c, const dns_record *const *records, int count, const dns_subnet *subnet, int64_t now_ns);
// The name, or with is_type only this type of it, does not exist. Kept as long as the SOA says (NULL: not at all).
void cache_put_missing(cache *c, dns_name name, unsigned type, bool is_type, const dns_record *soa, int64_t now_ns);
void cache_put_failure(cache *c, dns_name name, unsigned type, unsigned ede, str why, int64_t now_ns);

uint32_t cache_ttl_s(const cache_entry *e, int64_t now_ns);              // left
bool     cache_next(const cache_entry *e, ptrdiff_t *cursor, str *rdata);       // walks the records; start with 0

int  cache_flush(cache *c, dns_name below);      // forgets the name and everything below it; returns how many
void cache_dump(cache *c, int64_t now_ns, buf *out);     // as lines of a master file, comments for what is missing
