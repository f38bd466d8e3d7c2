// Any datagrams from any of a few addresses, with time passing: the core stays within its bounds, and an address that has not
// proven itself is sent, for each datagram of its own, at most one that is no longer.
#include "base/heap_memory.h"
#include "base/must.h"
#include "rooms/swarm/dht_core.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct {
    dht_core core;
    uint64_t seed;
    size_t   sent, len;
    int      count;
    addr     to;
    unsigned char last[DHT_DATAGRAM_BYTES_MAX];
} bench;

static void bench_send(void *arg, int family, addr to, str bytes)
{
    bench *b = arg;
    must(to.family == family && to.port && bytes.len > 0 && bytes.len <= DHT_DATAGRAM_BYTES_MAX);
    b->sent += (size_t)bytes.len;
    b->count++;
    b->to = to;
    b->len = (size_t)bytes.len;
    for (size_t i = 0; i < b->len; i++)
        b->last[i] = bytes.at[i];
}

static void bench_random(void *arg, void *out, size_t n)
{
    bench *b = arg;
    for (size_t i = 0; i < n; i++) {
        b->seed = b->seed * 6364136223846793005u + 1442695040888963407u;
        ((uint8_t *)out)[i] = (uint8_t)(b->seed >> 56);
    }
}

// The pong that the core's last ping asks for, so that the fuzzer gets behind the guard.
static size_t pong(const bench *b, unsigned char out[DHT_DATAGRAM_BYTES_MAX])
{
    arena a = arena_make(64 * 1024);
    dht_message q, r = {.kind = DHT_RESPONSE};
    bencode_refusal why;
    buf text = buf_make(DHT_DATAGRAM_BYTES_MAX);
    size_t len = 0;
    if (dht_message_read(str_of(b->last, b->len), &a, &q, &why) && q.kind == DHT_QUERY) {
        r.transaction = q.transaction;
        r.id[0] = b->to.ip[3];
        must(dht_message_write(&text, &r));
        for (; len < text.len; len++)
            out[len] = text.at[len];
    }
    buf_free(&text);
    arena_free(&a);
    return len;
}

static void bounds(const dht_core *c)
{
    must(c->job_count <= DHT_SEARCHES_MAX && c->store.peer_count <= DHT_STORE_PEERS_MAX);
    for (int s = 0; s < 2; s++) {
        int live = 0;
        for (int k = 0; k < DHT_BUCKETS; k++)
            live += c->side[s].table.bucket[k].live_count;
        must(live == c->side[s].table.live && c->side[s].candidate_count <= DHT_CANDIDATES_MAX);
    }
}

static void hear(bench *b, addr from, str in, int64_t now)
{
    bool proven = dht_guard_proven(&b->core.guard, from, now), query = str_find_str(in, S("1:y1:q")) >= 0;
    b->sent = 0;
    b->count = 0;
    dht_core_heard(&b->core, from, in, now);
    // An announce may prove its sender by its token, an answer by its transaction; both cost at least a whole reply before.
    if (!proven && query && !dht_guard_proven(&b->core.guard, from, now))
        must(b->count <= 1 && b->sent <= (size_t)in.len);
    bounds(&b->core);
}

// Each datagram is preceded by two bytes: who sends it (its top bit: answer the last ping instead), and how long it is.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bench *b = memory_zeroed(1, sizeof *b);
    dht_core_settings s = {.send = bench_send, .random = bench_random, .arg = b, .on = {true, true}};
    int64_t now = 1000000000;
    b->seed = 1;
    dht_core_init(&b->core, &s, now);
    dht_core_seed(&b->core, NULL, addr_v4(0x2d010101, 6881));
    for (size_t at = 0; at + 2 <= size; ) {
        uint8_t who = data[at];
        size_t len = (size_t)data[at + 1] * 2;
        addr six = {.family = 6, .port = 6881, .ip = {0x20, 1, 0x0d, 0xb8, [7] = who}};
        addr from = who & 1 ? six : addr_v4(0x2d000000 + who * 257u, 6881);
        unsigned char answer[DHT_DATAGRAM_BYTES_MAX];
        at += 2;
        len = len < size - at ? len : size - at;
        now += 100000000 + (int64_t)(who & 0x40) * 1000000000;
        if (who & 0x80 && b->to.family)
            hear(b, b->to, str_of(answer, pong(b, answer)), now);
        else
            hear(b, from, str_of(data + at, len), now);
        at += len;
        dht_core_tick(&b->core, now);
        bounds(&b->core);
    }
    dht_core_free(&b->core);
    memory_free(b);
    return 0;
}
