// What a client of the resolver is told. Pure.
#pragma once
#include "rooms/resolver/resolve.h"

// A query that is refused before anything is looked up: wrong kind, wrong class, not allowed, without RD. True with the
// reply in out and its length in *len.
bool respond_refusal(const dns_message *asked, bool is_allowed, void *out, size_t out_max, size_t *len);

typedef struct {
    str      explain;            // said with a name that the root zone says does not exist; may be empty
    uint32_t turn;               // rotates several records of the type that was asked
    bool     is_stream;          // TCP
    const root_hint *roots;      // their addresses go with an answer that names the root's servers
    int      root_count;
    bool     repeats_subnet;     // the client's option was heeded: it is repeated, with the scope of the answer (RFC 7871 7.2.1)
} respond_setting;

// The reply with what was found; returns its length.
size_t respond(const dns_message *asked, const found *f, const respond_setting *how, void *out, size_t out_max);
