// What looking up brings: the answer to a question, or why there is none.
#pragma once
#include "wire/dns/message.h"

typedef struct {
    unsigned rcode;                      // DNS_NOERROR, DNS_NXDOMAIN, DNS_SERVFAIL
    dns_record *answer;                  // aliases first, in order
    int      answers;
    bool     has_soa;                    // of a negative answer, its TTL what is left of it
    dns_record soa;
    bool     has_ede;
    uint16_t ede;
    str      ede_text;
    uint8_t  scope;                      // good for all clients whose first bits are the same; 0: for everybody (or nobody was told)
    dns_name rest;                       // the alias at which looking up ended before the answer; empty: it did not
} found;

dns_record record_copy(arena *a, const dns_record *r);
// It failed: SERVFAIL with an extended error. `why` is not copied.
void found_fail(found *f, unsigned ede, str why);
// Puts records behind those that are there; false: no memory.
bool found_append(found *f, const dns_record *records, int count, arena *a);
void found_copy(const found *from, arena *a, found *out);
// Puts the answer for the rest of a chain of aliases behind what led there.
void found_join(found *f, const found *rest, arena *a);
