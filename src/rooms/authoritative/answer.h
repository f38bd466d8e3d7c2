// What an authoritative server answers: a pure function from a query and the zones to a reply. It reads like
// RFC 1034 4.3.2 with RFC 2308 (negative answers), 4592 (wildcards), 2181 and 9471 (truncation), 8482 (ANY).
#pragma once
#include "rooms/authoritative/steered.h"
#include "rooms/authoritative/zone.h"

enum {
    ANSWER_ALIASES_MAX = 8,              // CNAMEs followed inside one answer
    ANSWER_ADDITIONAL_NAMES_MAX = 32,    // names whose addresses are looked up for the additional section
};

typedef struct {
    const zone_table *zones;
    const steered_table *steered;        // NULL: no name is
    addr     client;                     // who asks, for steered names ...
    bool     by_subnet;                  // ... or, where the query names the network for which it is asked, that (RFC 7871)
    uint32_t turn;                       // rotates sets of several records: the caller counts it up, a query at a time
    bool     is_stream;                  // TCP: no truncation below 65535 bytes
    bool     offers_recursion;           // sets RA, and leaves queries with RD that leave our zones to the caller
} answer_setting;

typedef enum {
    ANSWER_READY,                        // *reply is to be sent
    ANSWER_NONE,                         // not a query: say nothing
    ANSWER_RECURSE,                      // offers_recursion, RD set, and the answer is not ours: ask others (message in *asked)
} answer_verdict;

// Answers `query` into out[0 .. out_max). `msg` holds what is read; it may be reset when the reply has been sent.
answer_verdict answer(const answer_setting *s, str query, arena *msg, void *out, size_t out_max, str *reply,
                      dns_message *asked);
