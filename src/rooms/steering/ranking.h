// Who is sent where: a pure function from what is known of the CDNs' nodes to an order for one network of clients. Near, alive, not
// congested, in the order: alive before dead, untroubled before congested, near before far, the preferred CDN before the others, and
// among equals each network another one, in proportion to the nodes' capacities.
#pragma once
#include "base/address.h"

enum {
    RANKING_NODES_MAX = 64,                  // a set of nodes is a word of 64 bits
    RANKING_NEAR_MAX = 16,
    RANKING_DRAWS_MAX = 64,                  // of one node: the granularity of capacities
    RANKING_AWAY_ALL = 1000,                 // per mille
};

typedef struct { addr prefix; int bits; } ranking_network;

typedef struct {
    str     name;                            // "seoul-1"
    str     place, region;                   // "seoul", "asia"; may be empty
    ranking_network near[RANKING_NEAR_MAX];  // client networks that it stands in or beside
    int     near_count;
    int     preference;                      // of its CDN; the smaller is preferred
    int64_t capacity_bps;                    // 0: unknown, all such are equal
} ranking_node;

typedef struct {
    bool alive;
    int  away_per_mille;                     // the share of the client networks that it sends elsewhere: 0 has room, RANKING_AWAY_ALL none
} ranking_state;

typedef struct {
    ranking_network network;
    str      place, region;                  // of the network; may be empty
    uint64_t hash;                           // of the network, by a key of the service's: who gets which of equals cannot be chosen
    uint64_t complained;                     // nodes (bit i: node i) that this client, or enough of its network, find slow
} ranking_client;

typedef enum { RANKING_BESIDE, RANKING_PLACE, RANKING_REGION, RANKING_FAR } ranking_distance;
typedef enum { RANKING_GOOD, RANKING_CONGESTED, RANKING_COMPLAINED, RANKING_DEAD } ranking_standing;

typedef struct {
    int              node;
    ranking_distance distance;
    ranking_standing standing;
    uint64_t         draw;                   // the higher comes first among equals
} ranking_row;

// Writes all nodes, the best first; returns how many (`count`, at most RANKING_NODES_MAX). Dead ones come last: when all are dead, what
// is known of them may be what is wrong.
int ranking_make(const ranking_node *nodes, const ranking_state *now, int count, const ranking_client *client, ranking_row *out);

ranking_distance ranking_distance_of(const ranking_node *n, const ranking_client *client);
const char *ranking_distance_text(ranking_distance d);       // "same place"
const char *ranking_standing_text(ranking_standing s);       // "congested"
