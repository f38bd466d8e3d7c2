// Messages of the distributed hash table (BEP 5), with IPv6 (32), node ids bound to addresses (42), read-only nodes (43). Pure.
#pragma once
#include "wire/bt/bencode.h"
#include "wire/bt/endpoint.h"

enum {
    DHT_BYTES_MAX = 2048,                        // of a datagram that is read
    DHT_ID_BYTES = 20,
    DHT_TRANSACTION_BYTES_MAX = 32,
    DHT_TOKEN_BYTES_MAX = 64,
    DHT_NODES_MAX = 32,                          // of each family in one message; 8 is usual
    DHT_PEERS_MAX = 100,
    DHT_TEXT_BYTES_MAX = 256,
};

typedef enum { DHT_QUERY, DHT_RESPONSE, DHT_ERROR } dht_kind;
typedef enum { DHT_PING, DHT_FIND_NODE, DHT_GET_PEERS, DHT_ANNOUNCE_PEER, DHT_METHOD_UNKNOWN } dht_method;
enum { DHT_ERROR_GENERIC = 201, DHT_ERROR_SERVER = 202, DHT_ERROR_PROTOCOL = 203, DHT_ERROR_METHOD = 204 };
enum { DHT_WANT_V4 = 1, DHT_WANT_V6 = 2 };

typedef struct { uint8_t id[DHT_ID_BYTES]; addr at; } dht_node;

typedef struct {
    dht_kind kind;
    str      transaction;                        // 1 to DHT_TRANSACTION_BYTES_MAX bytes, returned as they came
    uint8_t  id[DHT_ID_BYTES];                   // the sender's; queries and responses
    dht_method method;                           // queries
    bool     read_only;                          // BEP 43: answer it, never remember it
    uint8_t  target[DHT_ID_BYTES];               // find_node, get_peers and announce_peer (the info hash)
    int      want;                               // BEP 32; 0: the family of the datagram
    uint16_t port;                               // announce_peer; 0 with implied_port: the datagram's own
    bool     implied_port;
    str      token;                              // announce_peer, responses to get_peers
    dht_node nodes[2 * DHT_NODES_MAX];           // responses: both families
    addr     peers[DHT_PEERS_MAX];
    int      node_count, peer_count;
    addr     external;                           // BEP 42: how the sender saw us; family 0: not said
    int      error;
    str      error_text;                         // a stranger's
} dht_message;

// False: not a message that deserves an answer (with reason and offset). Unknown methods are read (answer 204) when they
// carry an id. Nodes and peers above the ceilings, or with port 0, are passed over.
bool dht_message_read(str datagram, arena *a, dht_message *out, bencode_refusal *why);
bool dht_message_write(buf *out, const dht_message *m);      // false when full: the buffer's ceiling is the datagram's

// BEP 42: is this id one that the address may have? True for addresses of private and local networks, too.
bool dht_id_fits(const uint8_t id[DHT_ID_BYTES], addr at);
// Makes an id that fits from 20 random bytes.
void dht_id_make(uint8_t id[DHT_ID_BYTES], addr at, const uint8_t random[DHT_ID_BYTES]);
// Which of a and b is nearer to target (XOR metric): negative a, positive b, 0 the same.
int  dht_nearer(const uint8_t *target, const uint8_t *a, const uint8_t *b);
