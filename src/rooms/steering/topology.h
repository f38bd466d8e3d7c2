// What the configuration says of CDNs, their nodes, places and client networks. Texts are views into the settings. Pure.
#pragma once
#include "rooms/steering/ranking.h"
#include "rt/config.h"

enum {
    TOPOLOGY_CDNS_MAX = 8, TOPOLOGY_PLACES_MAX = 64, TOPOLOGY_NETWORKS_MAX = 1024, TOPOLOGY_NAMES_MAX = 16,
    TOPOLOGY_ANY_IPV4 = 0, TOPOLOGY_ANY_IPV6 = 1,        // the numbers of the networks that nobody has named
};

typedef struct {
    addr at;                                 // HTTP
    int  cdn;
} topology_node;

typedef struct { str name, host, health; int preference; } topology_cdn;     // host: for the Host field; health: the path that is checked
typedef struct { ranking_network network; str place, region; } topology_network;
typedef struct { str name; uint64_t nodes; } topology_name;                  // a DNS name, and who may answer for it

typedef struct {
    topology_node    nodes[RANKING_NODES_MAX];
    ranking_node     ranks[RANKING_NODES_MAX];           // of the same nodes, what their ranking needs
    topology_cdn     cdns[TOPOLOGY_CDNS_MAX];
    topology_network networks[TOPOLOGY_NETWORKS_MAX];
    topology_name    names[TOPOLOGY_NAMES_MAX];
    int  node_count, cdn_count, network_count, name_count;
    bool pathway_is_cdn;                     // DASH pathways are CDNs; else each node is one
} topology;

extern const setting topology_settings[];    // those of the service, all of them

// False: *why (in a) says what is wrong and where.
bool topology_read(const statement *settings, topology *out, arena *a, str *why);
int  topology_network_of(const topology *t, addr client);       // the longest prefix; TOPOLOGY_ANY_... when nobody named it
int  topology_node_find(const topology *t, str name);           // -1: none of ours
int  topology_name_find(const topology *t, str name);           // letters' case and a last dot do not count; -1
str  topology_pathway(const topology *t, int node);
