// The peers of one torrent in one family, as small as they can be told apart: 12 bytes a peer of IPv4, 24 of IPv6, and an index of
// 4 bytes a slot where there are many. Seeds stand first, so that a seed is told of others without looking for them. Pure:
// memory apart, nothing but the arguments decides.
#pragma once
#include "rooms/tracker/chance.h"
#include "wire/bt/endpoint.h"

enum {
    PEER_SCAN_MAX = 16,             // up to so many are found by looking at each; above, an index stands behind them
    PEER_SAME_ADDRESS_MAX = 64,     // up to so many a newcomer replaces who had its address
    PEER_GIVEN_MAX = 255,           // how often a peer was given to others, as far as it is counted
    PEER_GIVEN_HIGH = 192, PEER_GIVEN_STEP = 128,   // when all that are looked at were given so often, everybody's is so much less
    PEER_NEWCOMER_LEAD = 32,        // a newcomer begins so far below the oldest: it is given a little more often at first
    PEER_PICK_MAX = 256,            // given to one asker at once
    PEER_SAMPLE = 3,                // a managed swarm looks at so many times as many as it gives
    PEER_SET_MAX = 1 << 26,
};
#define PEER_NONE UINT32_MAX

typedef struct {
    unsigned char *records;         // of `capacity`; the index behind them
    uint32_t       count, seeds, capacity;
    uint8_t        family;          // 4 or 6
} peer_set;

typedef struct {
    addr     at;                    // of the set's family
    uint32_t tag;                   // who it is: two announces with the same tag are the same peer
    uint8_t  minute;                // of the last announce, modulo 256
    bool     seed;
} peer;

void     peer_set_free(peer_set *s);
// Two of a million strangers in one torrent have the same tag with a chance of 1 in 4,000 each: then the later is taken for the
// earlier, which has moved.
uint32_t peer_set_find(const peer_set *s, uint32_t tag);         // its position until the set changes, or PEER_NONE
uint32_t peer_set_find_address(const peer_set *s, addr at);      // linear
peer     peer_set_at(const peer_set *s, uint32_t position);
uint8_t  peer_set_minute(const peer_set *s, uint32_t position);
uint32_t peer_set_add(peer_set *s, const peer *p);               // no peer of this tag may be there; returns the position
uint32_t peer_set_change(peer_set *s, uint32_t position, const peer *p);     // another address, minute or state; the new position
void     peer_set_remove(peer_set *s, uint32_t position);
void     peer_set_fit(peer_set *s);                          // gives memory back when much of it is empty
uint64_t peer_set_bytes(const peer_set *s);

// What a pick may take, and how.
typedef struct {
    uint32_t self;                  // position of who asks; PEER_NONE: none
    bool     leechers_only;
    bool     managed;               // of a few times as many, those that were given to others the least often
    int      wanted;                // at most PEER_PICK_MAX
} peer_wish;

// Writes endpoints (endpoint_bytes(family) each) of different peers, never the asker's own; each is as likely as any other.
// Returns how many; out has room for `wanted`.
int peer_set_pick(peer_set *s, const peer_wish *wish, chance *c, unsigned char *out);
