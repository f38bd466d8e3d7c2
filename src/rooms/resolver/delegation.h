// Delegations: which servers a zone was handed to, as its parent said. Kept apart from the answers, written only from
// the parent's referrals and never prolonged by the child, so that a zone that was taken away stays away ("ghost
// domains"). And what we have seen of each server: who did not answer lately is asked last.
#pragma once
#include "base/list.h"
#include "base/map.h"
#include "base/address.h"
#include "wire/dns/message.h"

enum {
    DELEGATION_NAMES_MAX = 13,               // name servers taken from one referral
    DELEGATION_ADDRESSES_MAX = 26,           // glue taken from one referral
    DELEGATION_GLUE_A_NAME_MAX = 4,
    DELEGATIONS_MAX = 20000,                 // kept
    SERVERS_SEEN = 1024,                     // slots of the table of servers
    SERVER_REST_S = 30,                      // a server that failed is asked last for so long
    SERVER_SUBNETLESS_S = 600,               // one that passed a client's network over (RFC 7871) is not told for so long
};

typedef struct {
    dns_name zone;
    int      names, addresses;
    dns_name name[DELEGATION_NAMES_MAX];
    struct { addr at; int name; } address[DELEGATION_ADDRESSES_MAX];     // name: index of whose address it is
} delegation;

// Reads the delegation of `cut` out of a referral that a server of `zone` gave: glue is taken only for names inside
// `zone`, what the server may speak of. False without a single NS. *ttl_s: the smallest of its records.
bool delegation_read(const dns_message *m, dns_name zone, dns_name cut, delegation *out, uint32_t *ttl_s);

typedef struct {
    map  zones;
    list recent;
} delegations;

void delegations_init(delegations *d, uint64_t secret);
void delegations_free(delegations *d);
void delegations_put(delegations *d, const delegation *x, uint32_t ttl_s, int64_t now_ns);
// The deepest delegation known for a name, copied into `a`; false when none is: begin at the root.
bool delegations_find(delegations *d, dns_name n, int64_t now_ns, arena *a, delegation *out);
int  delegations_flush(delegations *d, dns_name below);

typedef struct {
    struct { addr at; int64_t rest_until_ns, subnetless_until_ns; } seen[SERVERS_SEEN];
} servers;

void servers_failed(servers *s, addr at, int64_t now_ns);
void servers_worked(servers *s, addr at);
bool servers_resting(const servers *s, addr at, int64_t now_ns);
// Whether it took notice of the client's network that it was told.
void servers_take_subnets(servers *s, addr at, bool takes, int64_t now_ns);
bool servers_subnetless(const servers *s, addr at, int64_t now_ns);
