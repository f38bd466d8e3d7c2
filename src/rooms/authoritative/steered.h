// Names whose addresses depend on who asks. What the steering service says of such a name: for each network of clients the addresses to
// answer, the best first. Pure, except for who fills the table.
#pragma once
#include "wire/dns/message.h"
#include "base/address.h"

enum {
    STEERED_NAMES_MAX = 16, STEERED_NETWORKS_MAX = 1100, STEERED_ADDRESSES_MAX = 4,
    STEERED_TEXT_BYTES_MAX = 256 * 1024, STEERED_TTL_S_MAX = 3600,
    STEERED_GROUPS_MAX = 33 + 129,
};

typedef struct {
    addr    prefix;
    uint8_t bits, count;
    addr    at[STEERED_ADDRESSES_MAX];
} steered_network;

typedef struct {
    uint64_t version;
    uint32_t ttl_s;
    steered_network *networks;               // by family, longest prefixes first, then by address
    int      network_count;
    struct { int first, count; } groups[STEERED_GROUPS_MAX];     // of equally long prefixes of a family
    int      group_count;
} steered_ranking;

// Reads "version N", "ttl SECONDS", then a line a network: PREFIX ADDRESS... False: it is no such thing, or too much.
bool steered_read(str text, arena *a, steered_ranking *out);
// The network of the longest prefix; NULL: none.
const steered_network *steered_find(const steered_ranking *r, addr client);
// For how many first bits of the client's address (`told` bits of which are known) the answer `found` is right for all clients: no
// other network of the ranking with another answer lies within them. More than `told` when what is told is not enough to know (RFC 7871 7.2.1).
int steered_scope(const steered_ranking *r, const steered_network *found, addr client, int told);

typedef struct {
    dns_name name;
    const steered_ranking *ranking;          // NULL: nobody has said anything yet, the zone's own addresses count
} steered_name;

typedef struct { steered_name names[STEERED_NAMES_MAX]; int count; } steered_table;
const steered_name *steered_name_find(const steered_table *t, dns_name n);
