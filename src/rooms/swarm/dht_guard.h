// What keeps strangers from using our node against others: tokens, proven addresses, and how much is answered. Pure.
#pragma once
#include "wire/bt/dht.h"

enum {
    DHT_TOKEN_BYTES = 8, DHT_SECRET_BYTES = 16,
    DHT_SECRET_S = 300,                      // a token is good for five to ten minutes (BEP 5)
    DHT_PROVEN_SLOTS = 2048, DHT_PROVEN_WAYS = 4,    // by keyed hash, four places each: who falls out is asked again
    DHT_PROVEN_S = 600,
    DHT_SOURCE_SLOTS = 1024,
    DHT_SOURCE_QUERIES_PER_S = 10, DHT_SOURCE_QUERIES_BURST = 50,
    DHT_BURST_S = 4,                         // of the bytes a second
};

typedef struct {
    uint64_t key;                            // of the hashes below
    uint8_t  secret[2][DHT_SECRET_BYTES];    // the present one, and the one before
    int64_t  secret_ns;
    struct { uint64_t host; int64_t until_ns; } proven[DHT_PROVEN_SLOTS];
    struct { uint64_t host; int64_t at_ns; int32_t left; } source[DHT_SOURCE_SLOTS];      // left: thousandths of a query
    int64_t  bytes_per_s, bytes_left, bytes_at_ns;
} dht_guard;

void dht_guard_init(dht_guard *g, uint64_t key, const uint8_t secret[DHT_SECRET_BYTES], int64_t bytes_per_s, int64_t now_ns);
bool dht_guard_secret_is_old(const dht_guard *g, int64_t now_ns);
void dht_guard_secret_next(dht_guard *g, const uint8_t secret[DHT_SECRET_BYTES], int64_t now_ns);

// A token shows that its bearer receives what is sent to its address. It is good for one address and one torrent.
void dht_token_make(const dht_guard *g, addr at, const uint8_t hash[DHT_ID_BYTES], uint8_t out[DHT_TOKEN_BYTES]);
bool dht_token_valid(const dht_guard *g, addr at, const uint8_t hash[DHT_ID_BYTES], str token);

// An address (with port) is proven when something that we sent there came back.
void dht_guard_prove(dht_guard *g, addr at, int64_t now_ns);
bool dht_guard_proven(const dht_guard *g, addr at, int64_t now_ns);
bool dht_guard_may_ask(dht_guard *g, addr from, int64_t now_ns);         // false: this host asks too often
bool dht_guard_may_send(dht_guard *g, size_t bytes, int64_t now_ns);     // false: the line's share is used up
