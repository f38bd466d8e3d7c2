#include "rooms/swarm/dht_guard.h"

#include <string.h>

#include "rt/digest.h"

#define SECOND_NS 1000000000ll

void dht_guard_init(dht_guard *g, uint64_t key, const uint8_t secret[DHT_SECRET_BYTES], int64_t bytes_per_s, int64_t now_ns)
{
    memset(g, 0, sizeof *g);
    g->key = key;
    g->bytes_per_s = bytes_per_s;
    g->bytes_left = bytes_per_s * DHT_BURST_S;
    g->bytes_at_ns = g->secret_ns = now_ns;
    memcpy(g->secret[0], secret, DHT_SECRET_BYTES);
    memcpy(g->secret[1], secret, DHT_SECRET_BYTES);
}

bool dht_guard_secret_is_old(const dht_guard *g, int64_t now_ns) { return now_ns - g->secret_ns >= DHT_SECRET_S * SECOND_NS; }

void dht_guard_secret_next(dht_guard *g, const uint8_t secret[DHT_SECRET_BYTES], int64_t now_ns)
{
    memcpy(g->secret[1], g->secret[0], DHT_SECRET_BYTES);
    memcpy(g->secret[0], secret, DHT_SECRET_BYTES);
    g->secret_ns = now_ns;
}

static void token_of(const uint8_t *secret, addr at, const uint8_t *hash, uint8_t out[DHT_TOKEN_BYTES])
{
    uint8_t in[DHT_SECRET_BYTES + 16 + DHT_ID_BYTES], sum[DIGEST_SHA256_BYTES];
    memcpy(in, secret, DHT_SECRET_BYTES);
    memcpy(in + DHT_SECRET_BYTES, at.ip, 16);
    memcpy(in + DHT_SECRET_BYTES + 16, hash, DHT_ID_BYTES);
    digest_of(DIGEST_SHA256, str_of(in, sizeof in), sum);
    memcpy(out, sum, DHT_TOKEN_BYTES);
}

void dht_token_make(const dht_guard *g, addr at, const uint8_t hash[DHT_ID_BYTES], uint8_t out[DHT_TOKEN_BYTES])
{
    token_of(g->secret[0], at, hash, out);
}

bool dht_token_valid(const dht_guard *g, addr at, const uint8_t hash[DHT_ID_BYTES], str token)
{
    uint8_t now[DHT_TOKEN_BYTES], before[DHT_TOKEN_BYTES];
    token_of(g->secret[0], at, hash, now);
    token_of(g->secret[1], at, hash, before);
    return str_eq_secret(token, str_of(now, sizeof now)) || str_eq_secret(token, str_of(before, sizeof before));
}

static uint64_t hash_of(const dht_guard *g, addr at, bool with_port)
{
    uint8_t bytes[18];
    memcpy(bytes, at.ip, 16);
    bytes[16] = with_port ? (uint8_t)(at.port >> 8) : 0;
    bytes[17] = with_port ? (uint8_t)at.port : 0;
    uint64_t h = str_hash(str_of(bytes, sizeof bytes), g->key);
    return h ? h : 1;
}

void dht_guard_prove(dht_guard *g, addr at, int64_t now_ns)
{
    uint64_t h = hash_of(g, at, true), first = h % (DHT_PROVEN_SLOTS / DHT_PROVEN_WAYS) * DHT_PROVEN_WAYS, place = first;
    for (uint64_t i = first; i < first + DHT_PROVEN_WAYS; i++) {
        if (g->proven[i].host == h) {
            place = i;
            break;
        }
        if (g->proven[i].until_ns < g->proven[place].until_ns)
            place = i;
    }
    g->proven[place].host = h;
    g->proven[place].until_ns = now_ns + DHT_PROVEN_S * SECOND_NS;
}

bool dht_guard_proven(const dht_guard *g, addr at, int64_t now_ns)
{
    uint64_t h = hash_of(g, at, true), first = h % (DHT_PROVEN_SLOTS / DHT_PROVEN_WAYS) * DHT_PROVEN_WAYS;
    for (uint64_t i = first; i < first + DHT_PROVEN_WAYS; i++)
        if (g->proven[i].host == h && g->proven[i].until_ns > now_ns)
            return true;
    return false;
}

bool dht_guard_may_ask(dht_guard *g, addr from, int64_t now_ns)
{
    enum { FULL = DHT_SOURCE_QUERIES_BURST * 1000, A_SECOND = DHT_SOURCE_QUERIES_PER_S * 1000 };
    uint64_t h = hash_of(g, from, false), slot = h % DHT_SOURCE_SLOTS;
    int64_t passed = now_ns - g->source[slot].at_ns;
    // A newcomer in a slot starts full; a slot that two hosts fight for limits neither well, but costs nothing.
    int64_t left = g->source[slot].host != h || passed > 60 * SECOND_NS ? FULL
                 : g->source[slot].left + passed / 1000000 * A_SECOND / 1000;
    g->source[slot].host = h;
    if (left < 1000 && passed < SECOND_NS)
        return false;                                    // at_ns stays: the time that has passed is not lost by asking
    left = left < FULL ? left : FULL;
    g->source[slot].at_ns = now_ns;
    g->source[slot].left = (int32_t)(left < 1000 ? 0 : left - 1000);
    return left >= 1000;
}

bool dht_guard_may_send(dht_guard *g, size_t bytes, int64_t now_ns)
{
    int64_t passed = now_ns - g->bytes_at_ns, full = g->bytes_per_s * DHT_BURST_S;
    if (passed > 0) {
        int64_t earned = passed >= DHT_BURST_S * SECOND_NS ? full : g->bytes_per_s * (passed / 1000) / 1000000;
        if (earned > 0) {
            g->bytes_left = g->bytes_left + earned < full ? g->bytes_left + earned : full;
            g->bytes_at_ns = now_ns;
        }
    }
    if (g->bytes_left < (int64_t)bytes)
        return false;
    g->bytes_left -= (int64_t)bytes;
    return true;
}
