// A zone in memory: every name of the zone, empty non-terminals included, is a node in one hash table under its
// canonical name; a node holds its sets of records. Because every name between the apex and a record exists as a node,
// the closest encloser of a name that does not exist is found by walking down from the apex, one look-up a label.
// A zone is filled once and then only read; a reload builds a new one beside it.
//
// About 100 bytes a record when every record has a name of its own, so that a million of them stay near 100 MB.
#pragma once
#include "wire/dns/message.h"

enum {
    ZONE_SET_RECORDS_MAX = 1000,             // of one name and type
    ZONE_NODE_TYPES_MAX = 100,               // of one name
};

static const size_t ZONE_BYTES_MAX = (size_t)8 << 30;

typedef struct zone_set {
    struct zone_set *next;
    uint32_t ttl;
    uint16_t type, count;
    uint32_t bytes, room;                    // of `data`, used and there
    unsigned char data[];                    // each record: 16 bits of length, plain rdata
} zone_set;

typedef struct zone_node {
    const unsigned char *name;               // wire form
    zone_set *sets;                          // NULL: an empty non-terminal
    uint32_t  hash;
    uint8_t   name_len;
    bool      is_cut;                        // has NS and is not the apex: names from here on belong to somebody else
    bool      has_wildcard;                  // "*" below it exists
    bool      is_steered;                    // its addresses depend on who asks (steered.h); the records stand in
} zone_node;

typedef struct {
    dns_name    origin;
    arena       memory;                      // names, nodes, sets
    zone_node **slots;                       // open addressing; cap is a power of two
    size_t      nodes, cap, records;
    uint64_t    secret;
    zone_node  *apex;
} zone;

zone *zone_new(dns_name origin, uint64_t secret);        // `secret` from the world's chance: keys the table
void  zone_free(zone *z);                                // NULL is fine

// Adds one record; a copy that is there already is passed over. False with a sentence in *why: not in the zone, a
// CNAME beside other data (RFC 1034 3.6.2), a second SOA or one below the apex, too many records of a name and type.
bool zone_add(zone *z, const dns_record *r, const char **why);
// What a whole zone must have: SOA and NS at the apex (RFC 1034 4.2.1).
bool zone_check(const zone *z, const char **why);

bool zone_steer(zone *z, dns_name n);                    // marks a name as steered; false: it is not in the zone
const zone_node *zone_find(const zone *z, dns_name n);   // NULL when the name does not exist in the zone
const zone_set  *zone_node_set(const zone_node *n, unsigned type);
static inline dns_name zone_node_name(const zone_node *n) { return (str){n->name, n->name_len}; }

// Walks a set's rdata: start with *cursor 0; false at the end.
bool zone_set_next(const zone_set *s, uint32_t *cursor, str *rdata);

// The zones that a server holds.
typedef struct zone_table {
    zone  **zones;
    int     count, max;
} zone_table;

enum { ZONES_MAX = 100000 };

void  zone_table_free(zone_table *t);                    // with its zones
// The zone takes the place of one with the same origin, which is returned for the caller to free; NULL when it is new
// or, with *full set, when ZONES_MAX are there (the caller keeps z then).
zone *zone_table_put(zone_table *t, zone *z, bool *full);
zone *zone_table_remove(zone_table *t, dns_name origin); // for the caller to free; NULL when absent
zone *zone_table_get(const zone_table *t, dns_name origin);
// The zone whose origin is the longest suffix of the name; NULL when none is. RFC 1034 4.3.2 step 2.
const zone *zone_table_find(const zone_table *t, dns_name n);
