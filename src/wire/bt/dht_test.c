#include "base/hex.h"
#include "test.h"
#include "wire/bt/dht.h"

#define ID "abcdefghij0123456789"

TEST(the_examples_of_bep_5_come_back)
{
    static const str rows[] = {
        S("d1:ad2:id20:" ID "e1:q4:ping1:t2:aa1:y1:qe"),
        S("d1:rd2:id20:mnopqrstuvwxyz123456e1:t2:aa1:y1:re"),
        S("d1:ad2:id20:" ID "6:target20:mnopqrstuvwxyz123456e1:q9:find_node1:t2:aa1:y1:qe"),
        S("d1:ad2:id20:" ID "9:info_hash20:mnopqrstuvwxyz123456e1:q9:get_peers1:t2:aa1:y1:qe"),
        S("d1:rd2:id20:" ID "5:token8:aoeusnth6:valuesl6:axje.u6:idhtnmee1:t2:aa1:y1:re"),
        S("d1:ad2:id20:" ID "12:implied_porti1e9:info_hash20:mnopqrstuvwxyz1234564:porti6881e5:token8:aoeusnthe1:q13:announce_peer"
          "1:t2:aa1:y1:qe"),
        S("d1:eli201e23:A Generic Error Ocurrede1:t2:aa1:y1:ee"),
        S("d1:ad2:id20:" ID "6:target20:mnopqrstuvwxyz1234564:wantl2:n42:n6ee1:q9:find_node2:roi1e1:t2:aa1:y1:qe"),
        S("d2:ip6:\1\2\3\4\0\5" "1:rd2:id20:" ID "5:nodes26:" ID "\1\2\3\4\0\5" "e1:t2:aa1:y1:re"),
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        arena a = arena_make(1 << 20);
        dht_message m;
        bencode_refusal why;
        buf out = buf_make(DHT_BYTES_MAX);
        CHECK_ROW(i, dht_message_read(rows[i], &a, &m, &why) && dht_message_write(&out, &m) && str_eq(buf_str(&out), rows[i]));
        buf_free(&out);
        arena_free(&a);
    }
}

TEST(hostile_dht_messages_are_refused)
{
    static const char *const rows[][2] = {
        {"le", "message has no transaction id, or too long a one"},
        {"d1:y1:qe", "message has no transaction id, or too long a one"},
        {"d1:t33:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa1:y1:qe", "message has no transaction id, or too long a one"},
        {"d1:t1:a1:y1:xe", "message is no query, response or error"},
        {"d1:t1:a1:y1:qe", "query has no method"},
        {"d1:q4:ping1:t1:a1:y1:qe", "query has no id of 20 bytes"},
        {"d1:ad2:id19:abcdefghij012345678e1:q4:ping1:t1:a1:y1:qe", "query has no id of 20 bytes"},
        {"d1:ad2:id20:" ID "e1:q9:find_node1:t1:a1:y1:qe", "find_node has no target of 20 bytes"},
        {"d1:ad2:id20:" ID "e1:q9:get_peers1:t1:a1:y1:qe", "query has no info_hash of 20 bytes"},
        {"d1:ad2:id20:" ID "9:info_hash20:" ID "e1:q13:announce_peer1:t1:a1:y1:qe", "announce_peer has no token, or too long a one"},
        {"d1:ad2:id20:" ID "9:info_hash20:" ID "5:token1:ae1:q13:announce_peer1:t1:a1:y1:qe", "announce_peer has no port"},
        {"d1:ad2:id20:" ID "9:info_hash20:" ID "4:porti65536e5:token1:ae1:q13:announce_peer1:t1:a1:y1:qe", "announce_peer has no port"},
        {"d1:rde1:t1:a1:y1:re", "response has no id of 20 bytes"},
        {"d1:rd2:id20:" ID "5:nodes25:aaaaaaaaaaaaaaaaaaaaaaaaae1:t1:a1:y1:re", "nodes are no multiple of an id, an address and a port"},
        {"d1:ele1:t1:a1:y1:ee", "error has no code"},
        {"d1:allllllleeeeeee1:q4:ping1:t1:a1:y1:qe", "containers stand too deep inside each other"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        arena a = arena_make(1 << 20);
        dht_message m;
        bencode_refusal why = {""};
        CHECK_ROW(i, !dht_message_read(str_z(rows[i][0]), &a, &m, &why) && strcmp(why.reason, rows[i][1]) == 0);
        arena_free(&a);
    }
    arena a = arena_make(1 << 20);
    dht_message m;
    bencode_refusal why;
    CHECK(dht_message_read(S("d1:ad2:id20:" ID "e1:q4:vote1:t1:a1:y1:qe"), &a, &m, &why) && m.method == DHT_METHOD_UNKNOWN);
    arena_free(&a);
}

TEST(ids_fit_their_addresses_as_bep_42_says)
{
    static const struct { const char *ip, *id; } rows[] = {
        {"124.31.75.21", "5fbfbff10c5d6a4ec8a88e4c6ab4c28b95eee401"},
        {"21.75.31.124", "5a3ce9c14e7a08645677bbd1cfe7d8f956d53256"},
        {"65.23.51.170", "a5d43220bc8f112a3d426c84764f8c2a1150e616"},
        {"84.124.73.14", "1b0321dd1bb1fe518101ceef99462b947a01ff41"},
        {"43.213.53.83", "e56f6cbf5b7c4be0237986d5243b87aa6d51305a"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t id[DHT_ID_BYTES], made[DHT_ID_BYTES];
        addr at;
        CHECK_ROW(i, addr_parse_ip(str_z(rows[i].ip), 1, &at) && hex_decode(id, str_z(rows[i].id)) && dht_id_fits(id, at));
        dht_id_make(made, at, id);
        CHECK_ROW(i, memcmp(made, id, 2) == 0 && (made[2] & 0xf8) == (id[2] & 0xf8) && dht_id_fits(made, at));
        id[0] ^= 1;
        CHECK_ROW(i, !dht_id_fits(id, at));
    }
    addr six;
    uint8_t id[DHT_ID_BYTES] = {0}, made[DHT_ID_BYTES];
    CHECK(addr_parse_ip(S("2001:db8::1"), 1, &six));
    dht_id_make(made, six, id);
    CHECK(dht_id_fits(made, six) && !dht_id_fits(id, six) && dht_id_fits(id, addr_v4(0x0a000001, 1)));
    CHECK(dht_nearer((const uint8_t *)ID, (const uint8_t *)ID, made) < 0 && dht_nearer(made, made, made) == 0);
}
