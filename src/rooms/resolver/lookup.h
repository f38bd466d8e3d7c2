// Questions at work: who asks the same meanwhile waits for the answer. A fiber may wait only for a client query that is older than its
// own, so that no two ever wait for each other.
#pragma once
#include "rooms/resolver/resolve.h"

enum { LOOKUP_KEY_BYTES_MAX = DNS_NAME_MAX + 4 + 2 * DNS_SUBNET_BYTES_MAX };

// A question at work. Fibers that ask the same wait for it.
typedef struct {
    str      key;
    uint64_t number;                     // of the client query that does the work
    int      users;                      // who works and who waits; the last one frees it
    bool     done;
    gate     finished;
    arena    memory;
    found    result;
    unsigned char key_bytes[LOOKUP_KEY_BYTES_MAX];
} lookup;

typedef enum {
    LOOKUP_FIRST,                        // *l is ours: find l->result (its memory l->memory), then lookup_finish
    LOOKUP_ANSWERED,                     // another found it, or took too long: *out is filled
    LOOKUP_OUR_OWN,                      // the same client query asks it already: it would wait for itself
    LOOKUP_ALONE,                        // a younger one asks it, or there is no room: ask without the others
} lookup_part;
// `number` is the client query's, until_ns how long it may wait; `client` for whom it is asked, NULL where that makes no difference.
lookup_part lookup_join(resolver *r, uint64_t number, int64_t until_ns, dns_question q, const dns_subnet *client, arena *a, found *out,
                        lookup **l);
void lookup_finish(resolver *r, lookup *l, arena *a, found *out);      // wakes who waits; the result's copy in *out
