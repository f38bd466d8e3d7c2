// The parts of the DHT node, one by one.
#include "rooms/swarm/dht_core.h"

#include "base/heap_memory.h"
#include "test.h"

#define SECOND 1000000000ll

static addr at(const char *text)
{
    addr x = {0};
    (void)addr_parse(str_z(text), 6881, &x);
    return x;
}

static addr public_at(uint32_t n) { return addr_v4(0x2d000000 + n * 7919, 6881); }

static void id_random(uint8_t id[DHT_ID_BYTES], uint64_t *seed)
{
    for (int i = 0; i < DHT_ID_BYTES; i++)
        id[i] = (uint8_t)test_random(seed);
}

static void id_for(uint8_t id[DHT_ID_BYTES], addr where, uint64_t *seed)
{
    uint8_t random[DHT_ID_BYTES];
    id_random(random, seed);
    dht_id_make(id, where, random);
}

// ---- the table --------------------------------------------------------------------------------------------------------------

TEST(one_address_has_one_place_in_the_table_whatever_it_calls_itself)
{
    dht_table *t = memory_zeroed(1, sizeof *t);
    uint64_t seed = 1;
    uint8_t own[DHT_ID_BYTES], id[DHT_ID_BYTES];
    id_random(own, &seed);
    dht_table_init(t, own);
    for (int i = 0; i < 1000; i++) {                         // a sybil: one host, a thousand ids and ports
        id_random(id, &seed);
        dht_table_answered(t, id, addr_with_port(at("45.1.2.3"), (uint16_t)(6881 + i)), SECOND * i);
    }
    CHECK_INT(t->live + t->spare, 1);
    for (int i = 0; i < 1000; i++) {                         // and one with a /64
        addr x = at("[2001:db8:1:2::]:6881");
        x.ip[15] = (uint8_t)i, x.ip[14] = (uint8_t)(i >> 8);
        id_random(id, &seed);
        dht_table_answered(t, id, x, SECOND * i);
    }
    CHECK_INT(t->live + t->spare, 2);
    CHECK(!dht_table_answered(t, own, at("45.9.9.9"), 1));   // ourselves
    memory_free(t);
}

TEST(a_bucket_prefers_ids_that_fit_and_nodes_that_answer)
{
    dht_table *t = memory_zeroed(1, sizeof *t);
    uint64_t seed = 2;
    uint8_t own[DHT_ID_BYTES] = {0}, id[DHT_ID_BYTES];
    int wrong = 0;
    dht_table_init(t, own);
    for (uint32_t i = 0; i < 500; i++) {                     // liars first ...
        id_random(id, &seed);
        id[0] |= 0x80;
        dht_table_answered(t, id, public_at(i), SECOND);
    }
    CHECK_INT(t->bucket[0].live_count, DHT_K);
    CHECK_INT(t->bucket[0].spare_count, DHT_SPARE);
    for (uint32_t i = 1000; i < 1100; i++) {                 // ... then nodes whose id belongs to their address
        id_for(id, public_at(i), &seed);
        dht_table_answered(t, id, public_at(i), 2 * SECOND);
    }
    for (int i = 0; i < DHT_K; i++)
        wrong += !t->bucket[0].live[i].fits;
    CHECK_INT(wrong, 0);
    addr gone = t->bucket[0].live[3].at;                     // one falls silent: a spare one takes its place
    dht_table_failed(t, gone);
    CHECK(addr_eq(t->bucket[0].live[3].at, gone));
    dht_node near[DHT_K];
    int count = dht_table_nearest(t, t->bucket[0].live[3].id, near, DHT_K);
    CHECK(count == DHT_K && !addr_eq(near[0].at, gone));     // not handed out meanwhile
    dht_table_failed(t, gone);
    CHECK(!addr_eq(t->bucket[0].live[3].at, gone) && t->bucket[0].live[3].fits);
    memory_free(t);
}

TEST(the_nearest_nodes_are_the_nearest_of_all)
{
    dht_table *t = memory_zeroed(1, sizeof *t);
    uint64_t seed = 3;
    uint8_t own[DHT_ID_BYTES], id[DHT_ID_BYTES], target[DHT_ID_BYTES];
    id_random(own, &seed);
    dht_table_init(t, own);
    for (uint32_t i = 0; i < 3000; i++) {
        id_random(id, &seed);
        dht_table_answered(t, id, public_at(i), SECOND);
    }
    for (int round = 0; round < 50; round++) {
        dht_node near[DHT_K];
        id_random(target, &seed);
        int count = dht_table_nearest(t, target, near, DHT_K), nearer = 0;
        CHECK_INT(count, DHT_K);
        for (int i = 1; i < count; i++)
            CHECK_ROW(round, dht_nearer(target, near[i - 1].id, near[i].id) < 0);
        for (int b = 0; b < DHT_BUCKETS; b++)
            for (int i = 0; i < t->bucket[b].live_count; i++)
                nearer += dht_nearer(target, t->bucket[b].live[i].id, near[count - 1].id) < 0;
        CHECK_INT(nearer, DHT_K - 1);
    }
    for (int b = 0; b < 8; b++) {                            // a target for each bucket falls into it
        CHECK(dht_table_refresh(t, SECOND, target, id));
        int bits = 0;
        while (((own[bits / 8] ^ id[bits / 8]) & (0x80 >> bits % 8)) == 0)
            bits++;
        CHECK_INT(bits, b);
    }
    id_random(own, &seed);
    dht_table_rekey(t, own);                                 // another id: the same nodes as far as they have room
    CHECK(t->live >= 2 * DHT_K && memcmp(t->own, own, DHT_ID_BYTES) == 0);
    memory_free(t);
}

TEST(silent_nodes_are_looked_at_again)
{
    dht_table *t = memory_zeroed(1, sizeof *t);
    uint8_t own[DHT_ID_BYTES] = {0}, id[DHT_ID_BYTES] = {0x80};
    dht_table_init(t, own);
    dht_table_answered(t, id, at("45.0.0.1"), SECOND);
    CHECK(dht_table_stale(t, 2 * SECOND, SECOND) == NULL);
    CHECK(dht_table_stale(t, 2 * SECOND + DHT_GOOD_NS, SECOND) != NULL);
    dht_table_failed(t, at("45.0.0.1"));
    CHECK(dht_table_stale(t, 4 * SECOND, SECOND) != NULL);
    CHECK(dht_table_answered(t, id, at("45.0.0.1"), 5 * SECOND) && t->bucket[0].live[0].fails == 0);
    memory_free(t);
}

// ---- tokens and limits ------------------------------------------------------------------------------------------------------

TEST(a_token_is_good_for_its_address_and_torrent_and_a_few_minutes)
{
    static dht_guard g;
    uint8_t secret[DHT_SECRET_BYTES] = "first", hash[DHT_ID_BYTES] = {7}, other[DHT_ID_BYTES] = {8}, token[DHT_TOKEN_BYTES];
    dht_guard_init(&g, 5, secret, 1000, 0);
    dht_token_make(&g, at("45.0.0.1"), hash, token);
    str t = str_of(token, sizeof token);
    CHECK(dht_token_valid(&g, addr_with_port(at("45.0.0.1"), 1), hash, t));          // bound to the IP alone
    CHECK(!dht_token_valid(&g, at("45.0.0.2"), hash, t));
    CHECK(!dht_token_valid(&g, at("45.0.0.1"), other, t));
    CHECK(!dht_token_valid(&g, at("45.0.0.1"), hash, (str){0}));
    CHECK(!dht_token_valid(&g, at("45.0.0.1"), hash, str_first(t, 4)));
    CHECK(!dht_guard_secret_is_old(&g, (DHT_SECRET_S - 1) * SECOND) && dht_guard_secret_is_old(&g, DHT_SECRET_S * SECOND));
    dht_guard_secret_next(&g, (const uint8_t *)"second__________", DHT_SECRET_S * SECOND);
    CHECK(dht_token_valid(&g, at("45.0.0.1"), hash, t));                             // the one before is still good
    dht_guard_secret_next(&g, (const uint8_t *)"third___________", 2 * DHT_SECRET_S * SECOND);
    CHECK(!dht_token_valid(&g, at("45.0.0.1"), hash, t));
}

TEST(who_asks_too_often_is_not_heard_and_the_line_has_its_share)
{
    static dht_guard g;
    uint8_t secret[DHT_SECRET_BYTES] = "x";
    int heard = 0, others = 0;
    int64_t sent = 0;
    dht_guard_init(&g, 5, secret, 1000, 0);
    for (int ms = 0; ms < 10000; ms++)                        // a thousand a second
        heard += dht_guard_may_ask(&g, at("45.0.0.1"), ms * 1000000ll);
    CHECK(heard >= DHT_SOURCE_QUERIES_BURST && heard <= DHT_SOURCE_QUERIES_BURST + 10 * DHT_SOURCE_QUERIES_PER_S + 1);
    CHECK(heard >= DHT_SOURCE_QUERIES_BURST + 9 * DHT_SOURCE_QUERIES_PER_S);
    for (uint32_t i = 0; i < 100; i++)
        others += dht_guard_may_ask(&g, public_at(i), 10 * SECOND);
    CHECK(others >= 99);
    for (int ms = 0; ms < 100000; ms++)
        sent += dht_guard_may_send(&g, 100, ms * 1000000ll) ? 100 : 0;
    CHECK(sent <= 1000 * (100 + DHT_BURST_S) && sent >= 1000 * 95);
}

TEST(an_address_is_proven_for_a_while_with_its_port)
{
    static dht_guard g;
    uint8_t secret[DHT_SECRET_BYTES] = "x";
    dht_guard_init(&g, 5, secret, 1000, 0);
    dht_guard_prove(&g, at("45.0.0.1"), SECOND);
    CHECK(dht_guard_proven(&g, at("45.0.0.1"), 2 * SECOND));
    CHECK(!dht_guard_proven(&g, addr_with_port(at("45.0.0.1"), 1), 2 * SECOND));
    CHECK(!dht_guard_proven(&g, at("45.0.0.1"), (DHT_PROVEN_S + 2) * SECOND));
}

// ---- what others announce -------------------------------------------------------------------------------------------------

TEST(stored_peers_are_bounded_and_leave_in_time)
{
    dht_store s;
    addr out[DHT_TORRENT_PEERS_MAX];
    uint8_t hash[DHT_ID_BYTES] = {1};
    dht_store_init(&s, 9);
    for (int i = 0; i < 100; i++)                             // one host cannot fill a torrent with its ports
        dht_store_add(&s, hash, addr_with_port(at("45.0.0.1"), (uint16_t)(2000 + i)), SECOND * i);
    CHECK_INT(dht_store_find(&s, hash, 4, SECOND, 77, out, DHT_TORRENT_PEERS_MAX), DHT_HOST_PEERS_MAX);
    for (uint32_t i = 0; i < 1000; i++)
        dht_store_add(&s, hash, public_at(i), 200 * SECOND + i);
    CHECK_INT(dht_store_find(&s, hash, 4, 201 * SECOND, 77, out, DHT_TORRENT_PEERS_MAX), DHT_TORRENT_PEERS_MAX);
    CHECK_INT(s.peer_count, DHT_TORRENT_PEERS_MAX);
    dht_store_add(&s, hash, at("[2001:db8::1]:6881"), 200 * SECOND);
    CHECK_INT(dht_store_find(&s, hash, 6, 201 * SECOND, 3, out, 10), 1);
    for (uint32_t i = 0; i < 3 * DHT_TORRENTS_MAX; i++) {
        uint8_t many[DHT_ID_BYTES] = {2, (uint8_t)i, (uint8_t)(i >> 8)};
        dht_store_add(&s, many, at("45.0.0.9"), 300 * SECOND);
    }
    CHECK_INT(s.torrents.count, DHT_TORRENTS_MAX);
    CHECK_INT(dht_store_find(&s, hash, 4, 301 * SECOND, 0, out, 10), 0);      // announced longest ago: it made room
    dht_store_expire(&s, (300 + DHT_PEER_S + 1) * SECOND);
    CHECK(s.torrents.count == 0 && s.peer_count == 0);
    for (uint32_t i = 0; i < DHT_TORRENTS_MAX; i++)
        for (uint32_t k = 0; k < 40; k++) {
            uint8_t many[DHT_ID_BYTES] = {3, (uint8_t)i, (uint8_t)(i >> 8)};
            dht_store_add(&s, many, public_at(k), 9000 * SECOND);
        }
    CHECK_INT(s.peer_count <= DHT_STORE_PEERS_MAX, 1);
    dht_store_free(&s);
}

// ---- searches ---------------------------------------------------------------------------------------------------------------

TEST(a_search_asks_three_at_a_time_and_ends_at_the_nearest)
{
    static dht_search s;
    uint64_t seed = 4;
    uint8_t target[DHT_ID_BYTES], id[DHT_ID_BYTES];
    id_random(target, &seed);
    dht_search_init(&s, target);
    CHECK(dht_search_over(&s) && dht_search_next(&s) == NULL);
    for (uint32_t i = 0; i < 30; i++) {
        id_for(id, public_at(i), &seed);
        dht_search_add(&s, id, public_at(i));
        dht_search_add(&s, id, addr_with_port(public_at(i), 99));             // the same host again
    }
    dht_search_add(&s, NULL, at("45.200.0.1"));
    CHECK_INT(s.count, 31);
    CHECK(addr_eq(dht_search_next(&s)->node.at, at("45.200.0.1")));            // a bootstrap node is asked first
    addr second = dht_search_next(&s)->node.at;
    CHECK(dht_search_next(&s) && dht_search_next(&s) == NULL);                 // alpha
    dht_search_slow(&s, second);
    CHECK(dht_search_next(&s) != NULL);                                        // a slow one makes room
    for (int i = 0; i < 200 && !dht_search_over(&s); i++) {
        (void)dht_search_next(&s);
        for (int n = 0; n < s.count; n++)
            if (s.nodes[n].state == DHT_ASKED || s.nodes[n].state == DHT_SLOW) {
                addr who = s.nodes[n].node.at;
                memcpy(id, s.nodes[n].node.id, DHT_ID_BYTES);
                if (!s.nodes[n].has_id)
                    id_for(id, who, &seed);
                if (n % 5 == 4)
                    dht_search_silent(&s, who);
                else
                    dht_search_answered(&s, who, id, S("token"));
                break;
            }
    }
    const dht_found_node *holders[DHT_TELL_MAX];
    CHECK(dht_search_over(&s));
    CHECK_INT(dht_search_holders(&s, holders, DHT_TELL_MAX), DHT_TELL_MAX);
    CHECK(s.asked <= 20);
    for (int i = 0; i < s.count; i++)                                          // nobody nearer was left out
        CHECK_ROW(i, s.nodes[i].state != DHT_FRESH || dht_nearer(target, holders[7]->node.id, s.nodes[i].node.id) < 0);
}

TEST(a_search_is_bounded_and_ids_that_do_not_fit_are_not_told)
{
    static dht_search s;
    uint64_t seed = 6;
    uint8_t target[DHT_ID_BYTES], id[DHT_ID_BYTES];
    const dht_found_node *holders[DHT_TELL_MAX];
    uint32_t host = 0;
    id_random(target, &seed);
    dht_search_init(&s, target);
    for (int i = 0; i < 3; i++) {
        id_random(id, &seed);
        dht_search_add(&s, id, public_at(host++));
    }
    for (dht_found_node *n; (n = dht_search_next(&s)); ) {                     // liars that name ever nearer liars
        addr who = n->node.at;
        memcpy(id, n->node.id, DHT_ID_BYTES);
        dht_search_answered(&s, who, id, S("token"));
        for (int i = 0; i < 8; i++) {
            memcpy(id, target, DHT_ID_BYTES);
            id[19] ^= (uint8_t)test_random(&seed), id[18] ^= (uint8_t)test_random(&seed);
            dht_search_add(&s, id, public_at(host++));
        }
    }
    CHECK(s.asked <= DHT_SEARCH_ASKED_MAX && s.count <= DHT_SEARCH_NODES_MAX);
    CHECK_INT(dht_search_holders(&s, holders, DHT_TELL_MAX), 0);
}
