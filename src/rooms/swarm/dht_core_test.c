// The whole node without sockets: what it answers to whom, and never more than it may.
#include "rooms/swarm/dht_core.h"

#include "base/heap_memory.h"
#include "base/must.h"
#include "test.h"

#define SECOND 1000000000ll

enum { SENT_MAX = 64 };

typedef struct {
    dht_core core;
    uint64_t seed;
    struct { addr to; size_t len; unsigned char bytes[DHT_DATAGRAM_BYTES_MAX]; } sent[SENT_MAX];
    int      count;
    size_t   total;
    arena    memory;
    buf      out;
} bench;

static void bench_send(void *arg, int family, addr to, str bytes)
{
    bench *b = arg;
    CHECK_INT(family, to.family);
    CHECK(bytes.len <= DHT_DATAGRAM_BYTES_MAX);
    b->total += (size_t)bytes.len;
    if (b->count < SENT_MAX) {
        b->sent[b->count].to = to;
        b->sent[b->count].len = (size_t)bytes.len;
        memcpy(b->sent[b->count++].bytes, bytes.at, (size_t)bytes.len);
    }
}

static void bench_random(void *arg, void *out, size_t n)
{
    bench *b = arg;
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)out)[i] = (uint8_t)test_random(&b->seed);
}

static bench *bench_new(dht_core_settings s)
{
    bench *b = memory_zeroed(1, sizeof *b);
    b->seed = 11;
    b->memory = arena_make(64 << 20);
    b->out = buf_make(2048);
    s.send = bench_send, s.random = bench_random, s.arg = b;
    s.on[0] = s.on[1] = true;
    dht_core_init(&b->core, &s, SECOND);
    return b;
}

static void bench_free(bench *b)
{
    dht_core_free(&b->core);
    arena_free(&b->memory);
    buf_free(&b->out);
    memory_free(b);
}

static addr at(const char *text)
{
    addr x = {0};
    (void)addr_parse(str_z(text), 6881, &x);
    return x;
}

// Says a message from `who`; how many bytes it had.
static size_t say(bench *b, const char *who, dht_message *m, int64_t now_ns)
{
    m->transaction = m->transaction.len ? m->transaction : S("tt");
    buf_clear(&b->out);
    must(dht_message_write(&b->out, m));
    dht_core_heard(&b->core, at(who), buf_str(&b->out), now_ns);
    return b->out.len;
}

static dht_message *message_new(bench *b, dht_kind kind)
{
    dht_message *m = arena_new(&b->memory, dht_message);
    must(m != NULL);
    m->kind = kind;
    return m;
}

// What was sent last, read.
static dht_message *last(bench *b)
{
    dht_message *m = message_new(b, DHT_ERROR);
    bencode_refusal why;
    if (b->count) {
        str bytes = str_copy(&b->memory, str_of(b->sent[b->count - 1].bytes, b->sent[b->count - 1].len));
        CHECK(dht_message_read(bytes, &b->memory, m, &why));
    }
    return m;
}

static dht_message *query(bench *b, dht_method method, int number)
{
    dht_message *m = message_new(b, DHT_QUERY);
    m->method = method;
    m->id[0] = (uint8_t)number, m->id[7] = 1;
    m->target[3] = 42;
    return m;
}

static dht_message *response_to(bench *b, const dht_message *q, int number)
{
    dht_message *m = message_new(b, DHT_RESPONSE);
    m->transaction = q->transaction;
    m->id[0] = (uint8_t)number, m->id[7] = 1;
    return m;
}

// Lets `who` ask and prove himself; his answer stands in last().
static void prove(bench *b, const char *who, int number, int64_t now_ns)
{
    b->count = 0;
    say(b, who, query(b, DHT_FIND_NODE, number), now_ns);
    dht_message *ping = last(b);
    CHECK(b->count == 1 && ping->kind == DHT_QUERY && ping->method == DHT_PING);
    say(b, who, response_to(b, ping, number), now_ns);
}

TEST(a_new_address_is_pinged_first_and_answered_in_full_afterwards)
{
    bench *b = bench_new((dht_core_settings){0});
    prove(b, "45.0.0.1", 1, SECOND);
    dht_message *m = last(b);
    CHECK_INT(b->count, 2);
    CHECK(m->kind == DHT_RESPONSE && addr_eq(m->external, at("45.0.0.1")));     // BEP 42
    CHECK_STR(m->transaction, S("tt"));
    CHECK_INT(b->core.side[0].table.live, 1);
    for (int i = 2; i < 12; i++) {
        char who[32];
        snprintf(who, sizeof who, "45.0.%d.1", i);
        prove(b, who, i * 16, SECOND);
    }
    CHECK_INT(last(b)->node_count, DHT_K);
    b->count = 0;
    say(b, "45.0.0.1", query(b, DHT_GET_PEERS, 1), 2 * SECOND);                   // proven: at once
    m = last(b);
    CHECK(b->count == 1 && m->kind == DHT_RESPONSE && m->token.len == DHT_TOKEN_BYTES);
    CHECK_INT(m->node_count, DHT_K);
    bench_free(b);
}

TEST(nobody_gets_more_bytes_than_he_sent_before_his_address_is_proven)
{
    bench *b = bench_new((dht_core_settings){0});
    size_t heard = 0;
    for (int i = 1; i < 16; i++) {                           // a full table, a well known torrent: long answers
        char who[32];
        snprintf(who, sizeof who, "45.0.%d.1", i);
        prove(b, who, i * 16, SECOND);
    }
    for (uint32_t i = 0; i < 100; i++)
        dht_store_add(&b->core.store, query(b, DHT_GET_PEERS, 0)->target, addr_v4(0x2e000000 + i * 999, 6881), SECOND);
    for (int64_t i = 0; i < 3000; i++) {                     // the victim's address, forged by somebody
        dht_message *m = query(b, (dht_method)(i % 5), (int)(i % 200));
        m->want = i % 3 == 0 ? DHT_WANT_V4 | DHT_WANT_V6 : 0;
        m->read_only = i % 7 == 0;
        m->token = S("guessed");
        m->port = 6881;
        b->count = 0;
        b->total = 0;
        size_t len = say(b, "45.77.7.7", m, SECOND * 10 + i * 10000000);
        CHECK_ROW(i, b->count <= 1 && b->total <= len);
        dht_core_tick(&b->core, SECOND * 10 + i * 10000000);
        heard += len;
    }
    CHECK(b->core.answers_out < 1000 && heard > 0);          // and most of them not at all
    bench_free(b);
}

TEST(a_read_only_asker_gets_what_its_bytes_pay_for_and_is_not_remembered)
{
    bench *b = bench_new((dht_core_settings){0});
    for (int i = 1; i < 12; i++) {
        char who[32];
        snprintf(who, sizeof who, "45.0.%d.1", i);
        prove(b, who, i * 16, SECOND);
    }
    dht_message *q = query(b, DHT_GET_PEERS, 99);
    q->read_only = true;
    b->count = 0;
    b->total = 0;
    size_t len = say(b, "45.3.3.3", q, SECOND);
    dht_message *m = last(b);
    CHECK(b->count == 1 && m->kind == DHT_RESPONSE && b->total <= len && m->token.len == DHT_TOKEN_BYTES);
    say(b, "45.3.3.3", q, 2 * SECOND);
    for (int64_t i = 3; i < 60; i++)
        dht_core_tick(&b->core, i * SECOND);
    for (int i = 0; i < b->count; i++)
        CHECK(!addr_eq(b->sent[i].to, at("45.3.3.3")) || i < 2);                // never asked
    bench_free(b);
    bench *silent = bench_new((dht_core_settings){.read_only = true});          // BEP 43: we are one ourselves
    say(silent, "45.0.0.1", query(silent, DHT_PING, 1), SECOND);
    CHECK_INT(silent->count, 0);
    dht_core_seed(&silent->core, NULL, at("45.0.0.2"));
    dht_core_tick(&silent->core, 2 * SECOND);
    CHECK(silent->count == 1 && last(silent)->read_only);
    bench_free(silent);
}

TEST(announces_need_a_token_and_are_found)
{
    bench *b = bench_new((dht_core_settings){0});
    prove(b, "45.0.0.1", 1, SECOND);
    dht_message *announce = query(b, DHT_ANNOUNCE_PEER, 1);
    announce->port = 7000;
    announce->token = S("12345678");
    say(b, "45.0.0.1", announce, SECOND);
    CHECK(last(b)->kind == DHT_ERROR && last(b)->error == DHT_ERROR_PROTOCOL);
    say(b, "45.0.0.1", query(b, DHT_GET_PEERS, 1), SECOND);
    dht_message *got = last(b);
    CHECK_INT(got->peer_count, 0);
    announce->token = got->token;
    say(b, "45.0.0.1", announce, SECOND);
    CHECK(last(b)->kind == DHT_RESPONSE);
    announce->implied_port = true;                                              // the port of the datagram
    say(b, "45.0.0.1", announce, SECOND);
    prove(b, "45.0.0.2", 2, SECOND);
    say(b, "45.0.0.2", announce, SECOND);
    CHECK(last(b)->kind == DHT_ERROR);                                          // somebody else's token
    say(b, "45.0.0.2", query(b, DHT_GET_PEERS, 2), SECOND);
    got = last(b);
    CHECK_INT(got->peer_count, 2);
    announce->implied_port = false;
    announce->port = 25;                                                        // nobody's mail server
    say(b, "45.0.0.1", query(b, DHT_GET_PEERS, 1), SECOND);
    announce->token = last(b)->token;
    say(b, "45.0.0.1", announce, SECOND);
    CHECK(last(b)->kind == DHT_ERROR);
    say(b, "45.0.0.1", query(b, DHT_METHOD_UNKNOWN, 1), SECOND);
    CHECK(last(b)->kind == DHT_ERROR && last(b)->error == DHT_ERROR_METHOD);
    bench_free(b);
}

TEST(our_id_follows_our_address_when_enough_hosts_agree)
{
    bench *b = bench_new((dht_core_settings){0});
    uint8_t before[DHT_ID_BYTES];
    memcpy(before, b->core.side[0].table.own, DHT_ID_BYTES);
    CHECK(!dht_id_fits(before, at("84.124.73.14")));
    for (int i = 0; i < 2 * DHT_VOTES_LEAST; i++) {
        char who[32];
        bool liar = i < 3;
        snprintf(who, sizeof who, "45.0.%d.1", liar ? 1 : i);                   // one host that speaks thrice has one voice
        dht_core_candidate(&b->core, at(who));
        b->count = 0;
        dht_core_tick(&b->core, SECOND * (i + 1) * 10);
        for (int k = b->count; k > 0; k--) {
            b->count = k;
            dht_message *q = last(b), *r = response_to(b, q, i * 16);
            r->external = liar ? at("9.9.9.9") : at("84.124.73.14");
            if (q->kind == DHT_QUERY && addr_eq(b->sent[k - 1].to, at(who)))
                say(b, who, r, SECOND * (i + 1) * 10);
        }
        CHECK_ROW(i, i >= DHT_VOTES_LEAST || memcmp(before, b->core.side[0].table.own, DHT_ID_BYTES) == 0);
    }
    CHECK(dht_id_fits(b->core.side[0].table.own, at("84.124.73.14")));
    CHECK(addr_eq_ip(b->core.side[0].external, at("84.124.73.14")));
    CHECK(b->core.side[0].table.live >= DHT_VOTES_LEAST);                      // the nodes found new places
    bench_free(b);
}

TEST(answers_that_nobody_waits_for_do_nothing)
{
    bench *b = bench_new((dht_core_settings){0});
    dht_message *r = query(b, DHT_PING, 1);
    r->kind = DHT_RESPONSE;
    r->transaction = S("\x01\x02\x03\x04");
    say(b, "45.0.0.1", r, SECOND);
    CHECK_INT(b->core.side[0].table.live, 0);
    dht_core_candidate(&b->core, at("45.0.0.2"));
    dht_core_candidate(&b->core, at("10.0.0.2"));                              // not outside
    dht_core_candidate(&b->core, at("45.0.0.3:53"));                           // a name server is no node
    CHECK_INT(b->core.side[0].candidate_count, 1);
    dht_core_tick(&b->core, 5 * SECOND);
    dht_message *q = last(b);
    r->transaction = q->transaction;
    say(b, "45.0.0.1", r, 5 * SECOND);                                         // the right transaction from elsewhere
    CHECK_INT(b->core.side[0].table.live, 0);
    say(b, "45.0.0.2", r, 5 * SECOND);
    CHECK_INT(b->core.side[0].table.live, 1);
    say(b, "45.0.0.2", r, 5 * SECOND);
    CHECK_INT(b->core.side[0].table.live, 1);
    dht_core_heard(&b->core, at("45.0.0.2"), S("d1:q"), 5 * SECOND);
    dht_core_heard(&b->core, at("45.0.0.2"), (str){0}, 5 * SECOND);
    bench_free(b);
}

TEST(the_table_is_written_and_read_again_as_a_hint)
{
    bench *b = bench_new((dht_core_settings){0}), *again = bench_new((dht_core_settings){0});
    buf text = buf_make(DHT_FILE_BYTES_MAX);
    for (int i = 1; i < 12; i++) {
        char who[32];
        snprintf(who, sizeof who, "45.0.%d.1", i);
        prove(b, who, i * 16, SECOND);
    }
    prove(b, "[2001:db8::1]:6881", 77, SECOND);
    CHECK(dht_file_write(&b->core, &text));
    CHECK(dht_file_read(&again->core, buf_str(&text)));
    CHECK(memcmp(again->core.side[0].table.own, b->core.side[0].table.own, DHT_ID_BYTES) == 0);
    CHECK(again->core.side[0].seed_count == b->core.side[0].table.live && again->core.side[1].seed_count == 1);
    CHECK_INT(again->core.side[0].table.live, 0);                              // nobody is known before he answers
    for (ptrdiff_t cut = 0; cut < (ptrdiff_t)text.len; cut += 7)
        (void)dht_file_read(&again->core, str_first(buf_str(&text), cut));
    CHECK(!dht_file_read(&again->core, S("garbage")));
    buf_free(&text);
    bench_free(b);
    bench_free(again);
}
