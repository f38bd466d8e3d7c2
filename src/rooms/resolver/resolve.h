// The resolver's core: finds the answer to a question by asking from the root downwards (RFC 1034 5.3.3), with caches
// and ONE budget of work per client query, which everything that the query causes draws from: aliases, addresses of
// name servers, retries. Nothing resets it.
#pragma once
#include "rooms/resolver/cache.h"
#include "rooms/resolver/delegation.h"
#include "rooms/resolver/found.h"
#include "rt/wait.h"

enum {
    WORK_QUERIES_MAX = 60,               // messages sent to servers
    WORK_SECONDS_MAX = 8,
    WORK_DEPTH_MAX = 4,                  // addresses of name servers of addresses of name servers ...
    WORK_ALIASES_MAX = 10,               // CNAMEs followed for one question
    WORK_REFERRALS_MAX = 24,             // steps down for one name
    WORK_SERVER_LOOKUPS_MAX = 8,         // name servers whose addresses are looked up, all together
    WORK_SERVERS_MAX = 8,                // servers asked in one round for one step
    WORK_ROUNDS = 3,                     // over servers that did not answer
    WORK_TRY_MS = 1000,                  // waiting for one reply; doubled in each further round
    WORK_BYTES_MAX = 1024 * 1024,        // memory of one client query
    RESOLVER_ROOTS_MAX = 26,
    RESOLVER_IN_FLIGHT_MAX = 20000,      // questions at work
    RESOLVER_SUBNET_ZONES_MAX = 64,      // zones whose servers are told the client's network
    SUBNET_BITS_4_MAX = 24, SUBNET_BITS_6_MAX = 56,        // of a client's address that are told (RFC 7871 11.1)
};

// RFC 7871: servers of the zones named here, and of zones below them, are told the network of the client for whom they are asked. Never
// the root's or a top-level domain's. Off when there is no zone.
typedef struct {
    dns_name zone[RESOLVER_SUBNET_ZONES_MAX];
    int      count;
} subnet_zones;

// False: a zone of less than two labels, or too many zones. The name must live as long as the zones.
bool subnet_zones_add(subnet_zones *z, dns_name n);

typedef struct {
    dns_name name;                       // lives as long as the resolver's owner
    addr     at;
} root_hint;

typedef struct {
    int64_t queries_sent, merged, failures, lookups;
    int64_t subnets_told, subnets_tailored, subnets_ignored, subnets_full;
} resolver_figures;

typedef struct {
    world      *world;
    cache       answers;
    delegations delegations;
    servers     servers;
    root_hint   roots[RESOLVER_ROOTS_MAX];
    int         root_count;
    bool        asks_recursively;        // sends RD to the servers it asks (scene N2)
    subnet_zones subnet_zones;
    map         in_flight;               // of struct lookup, by question
    uint64_t    lookups;                 // numbers client queries, oldest first
    resolver_figures figures;
} resolver;

void resolver_init(resolver *r, world *w, size_t cache_bytes_max);
void resolver_free(resolver *r);         // no fiber may be inside resolver_find

// Answers from the caches alone; never parks. False when something would have to be asked. `client`: his network, at most as many bits
// of it as may be told; NULL or no bits: nobody is told.
bool resolver_find_cached(resolver *r, dns_question q, const dns_subnet *client, arena *a, found *out);
// Finds the answer; parks. Identical questions that are at work at the same time (for clients of the same network, where it is told) are
// asked once. Always fills *out (DNS_SERVFAIL with an extended error when nothing could be found in the budget), its texts in `a`.
void resolver_find(resolver *r, dns_question q, const dns_subnet *client, arena *a, found *out);
