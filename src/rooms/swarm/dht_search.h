// One look-up: the nodes nearest to a target that are known so far, and whom to ask next. Pure; who sends is dht_core.
#pragma once
#include "wire/bt/dht.h"

enum {
    DHT_SEARCH_NODES_MAX = 64,
    DHT_SEARCH_ALPHA = 3,                    // asked at the same time (Kademlia); slow ones make room for further ones
    DHT_SEARCH_ASKED_MAX = 100,
    DHT_SEARCH_WIDTH = 8,                    // done when so many of the nearest have answered
};

typedef enum { DHT_FRESH, DHT_ASKED, DHT_SLOW, DHT_ANSWERED, DHT_SILENT } dht_found_state;

typedef struct {
    dht_node node;
    bool     has_id;                         // a bootstrap node's is not known before it answers
    bool     fits;                           // BEP 42
    dht_found_state state;
    uint8_t  token_len, token[DHT_TOKEN_BYTES_MAX];
} dht_found_node;

typedef struct {
    uint8_t target[DHT_ID_BYTES];
    dht_found_node nodes[DHT_SEARCH_NODES_MAX];      // nearest first, those without an id before all
    int     count, asked, answered;
} dht_search;

void dht_search_init(dht_search *s, const uint8_t target[DHT_ID_BYTES]);
// A node that somebody named. Passed over: a host that is there already, one farther than a full list's last. id NULL: unknown.
void dht_search_add(dht_search *s, const uint8_t *id, addr at);
// Whom to ask now; marks it as asked. NULL: nobody (see dht_search_over).
dht_found_node *dht_search_next(dht_search *s);
bool dht_search_over(const dht_search *s);   // nobody is left to ask or to wait for
dht_found_node *dht_search_find(dht_search *s, addr at);
// It has answered (under this id), is slow, will not answer any more. It finds its place again when the id is news.
void dht_search_answered(dht_search *s, addr at, const uint8_t id[DHT_ID_BYTES], str token);
void dht_search_slow(dht_search *s, addr at);
void dht_search_silent(dht_search *s, addr at);
// The nearest that answered with a token under an id that fits: who is told about us. Returns how many, at most max.
int  dht_search_holders(const dht_search *s, const dht_found_node **out, int max);
