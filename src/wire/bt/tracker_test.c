#include "test.h"
#include "wire/bt/tracker_udp.h"

#define H20 "aaaaaaaaaaaaaaaaaaaa"
#define P20 "-NA0001-%00%01%ffbcdefghij"
#define OK  "info_hash=" H20 "&peer_id=" P20 "&port=6881"

TEST(announces_are_read)
{
    arena a = arena_make(1 << 16);
    tracker_announce x, y;
    const char *why = NULL;
    CHECK(tracker_announce_read(S(OK "&uploaded=1&downloaded=2&left=3&compact=1&numwant=50&key=00ff00ff&event=started&ip=::1"
                                  "&trackerid=a%20b&unknown=%41"), &a, &x, &why));
    CHECK(x.port == 6881 && x.uploaded == 1 && x.downloaded == 2 && x.left == 3 && x.wanted == 50 && x.key == 0xff00ff && x.has_key);
    CHECK(x.event == TRACKER_STARTED && x.compact && x.ip.family == 6 && memcmp(x.peer_id + 8, "\0\1\xff", 3) == 0);
    CHECK_STR(x.tracker_id, S("a b"));
    buf out = buf_make(4096);
    CHECK(tracker_announce_write(&out, &x) && tracker_announce_read(buf_str(&out), &a, &y, &why));
    CHECK(memcmp(x.hash, y.hash, 20) == 0 && memcmp(x.peer_id, y.peer_id, 20) == 0 && y.left == 3 && y.key == x.key && addr_eq(x.ip, y.ip));
    CHECK(y.event == x.event && y.wanted == 50 && str_eq(y.tracker_id, x.tracker_id));
    buf_free(&out);
    arena_free(&a);
}

TEST(malformed_announces_say_why)
{
    static const char *const rows[][2] = {
        {"", "info_hash is missing"},
        {"peer_id=" P20 "&port=1", "info_hash is missing"},
        {"info_hash=" H20 "&port=1", "peer_id is missing"},
        {"info_hash=" H20 "&peer_id=" P20, "port is missing"},
        {"info_hash=" H20 "a&peer_id=" P20 "&port=1", "info_hash is not one of 20 bytes"},
        {"info_hash=&peer_id=" P20 "&port=1", "info_hash is not one of 20 bytes"},
        {OK "&info_hash=" H20, "info_hash is not one of 20 bytes"},
        {OK "&peer_id=" H20, "peer_id is not one of 20 bytes"},
        {"info_hash=%a&peer_id=" P20 "&port=1", "a % has no two digits behind it"},
        {"info_hash=" H20 "&peer_id=" P20 "&port=0", "port is not from 1 to 65535"},
        {"info_hash=" H20 "&peer_id=" P20 "&port=65536", "port is not from 1 to 65535"},
        {"info_hash=" H20 "&peer_id=" P20 "&port=-1", "port is not from 1 to 65535"},
        {OK "&left=-1", "left is no number"},
        {OK "&uploaded=9223372036854775808", "uploaded is no number"},
        {OK "&downloaded=1e3", "downloaded is no number"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        arena a = arena_make(1 << 16);
        tracker_announce x;
        const char *why = "";
        CHECK_ROW(i, !tracker_announce_read(str_z(rows[i][0]), &a, &x, &why) && strcmp(why, rows[i][1]) == 0);
        arena_free(&a);
    }
}

TEST(scrapes_are_bounded)
{
    arena a = arena_make(1 << 16);
    uint8_t hashes[TRACKER_SCRAPES_MAX][TRACKER_HASH_BYTES];
    int count = 0;
    const char *why = "";
    buf out = buf_make(8192);
    CHECK(tracker_scrape_read(S("info_hash=" H20 "&x=y&info_hash=%00bbbbbbbbbbbbbbbbbbb"), hashes, &count, &a, &why) && count == 2);
    CHECK(tracker_scrape_write(&out, (const uint8_t (*)[TRACKER_HASH_BYTES])hashes, 2));
    CHECK_STR(buf_str(&out), S("info_hash=" H20 "&info_hash=%00bbbbbbbbbbbbbbbbbbb"));
    buf_clear(&out);
    for (int i = 0; i <= TRACKER_SCRAPES_MAX; i++)
        buf_put(&out, S("info_hash=" H20 "&"));
    CHECK(!tracker_scrape_read(buf_str(&out), hashes, &count, &a, &why) && strcmp(why, "too many info hashes") == 0);
    buf_free(&out);
    arena_free(&a);
}

TEST(replies_are_written_compact_and_read)
{
    arena a = arena_make(1 << 20);
    addr peers[3] = {addr_v4(0x01020304, 5), {0}, addr_v4(0x7f000001, 6881)};
    CHECK(addr_parse(S("[2001:db8::1]:7"), 0, &peers[1]));
    tracker_reply x = {.interval_s = 1800, .interval_min_s = 60, .complete = 2, .incomplete = 3, .external = addr_v4(0x05060708, 0), .peers = peers,
                       .peer_count = 3, .warning = S("w")}, y;
    bencode_refusal why;
    buf out = buf_make(4096);
    CHECK(tracker_reply_write(&out, &x));
    CHECK_STR(buf_str(&out), S("d8:completei2e11:external ip4:\5\6\7\x8" "10:incompletei3e8:intervali1800e12:min intervali60e5:peers12:"
                               "\1\2\3\4\0\5\x7f\0\0\1\x1a\xe1" "6:peers618:\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\0\7"
                               "15:warning message1:we"));
    CHECK(tracker_reply_read(buf_str(&out), &a, &y, &why) && y.peer_count == 3 && y.interval_s == 1800 && y.complete == 2);
    CHECK(addr_eq(y.peers[2], peers[1]) && addr_eq_ip(y.external, x.external));
    // The list form; a host name is passed over.
    CHECK(tracker_reply_read(S("d8:intervali9e5:peersld2:ip7:1.2.3.44:porti5eed2:ip4:name4:porti5eed2:ip3:::14:porti0eeee"), &a, &y, &why));
    CHECK(y.peer_count == 1 && addr_eq(y.peers[0], peers[0]));
    CHECK(tracker_reply_read(S("d14:failure reason4:busy8:retry in5:nevere"), &a, &y, &why) && y.retry_min == -1);
    CHECK_STR(y.failure, S("busy"));
    CHECK(!tracker_reply_read(S("d5:peers5:12345e"), &a, &y, &why) && strcmp(why.reason, "peers is no multiple of 6 bytes") == 0);
    CHECK_INT(why.offset, 8);
    CHECK(!tracker_reply_read(S("<html>"), &a, &y, &why) && !tracker_reply_read(S("le"), &a, &y, &why));
    buf_free(&out);
    arena_free(&a);
}

TEST(scraped_swarms_come_back)
{
    arena a = arena_make(1 << 20);
    tracker_swarm in[2] = {{H20, 1, 2, 3}, {"bbbbbbbbbbbbbbbbbbbb", 0, 0, 9}}, *got = NULL;
    int count = 0;
    str failure = {0};
    bencode_refusal why;
    buf out = buf_make(4096);
    CHECK(tracker_swarms_write(&out, in, 2) && tracker_swarms_read(buf_str(&out), &a, &got, &count, &failure, &why));
    CHECK_INT(count, 2);
    for (int i = 0; i < count && i < 2; i++)
        CHECK_ROW(i, memcmp(got[i].hash, in[i].hash, sizeof in[i].hash) == 0 && got[i].complete == in[i].complete &&
                     got[i].downloaded == in[i].downloaded && got[i].incomplete == in[i].incomplete);
    CHECK(!tracker_swarms_read(S("d5:filesd1:adeee"), &a, &got, &count, &failure, &why) && why.offset == 9);
    buf_free(&out);
    arena_free(&a);
}

TEST(datagrams_of_trackers)
{
    arena a = arena_make(1 << 20);
    unsigned char room[512];
    tracker_udp_request q = {.action = TRACKER_UDP_ANNOUNCE, .connection = 7, .transaction = 9, .url_data = S("/a?b"),
                             .announce = {.hash = H20, .peer_id = H20, .left = 5, .wanted = -1, .port = 3, .event = TRACKER_STOPPED}}, r;
    str wire = tracker_udp_request_write(room, sizeof room, &q);
    CHECK_INT(wire.len, 98 + 6);
    CHECK(tracker_udp_request_read(wire, &a, &r) && r.transaction == 9 && r.connection == 7 && r.announce.wanted == -1);
    CHECK(r.announce.left == 5 && r.announce.port == 3 && r.announce.event == TRACKER_STOPPED && str_eq(r.url_data, S("/a?b")));
    for (ptrdiff_t n = 0; n < 98; n++)
        CHECK_ROW(n, !tracker_udp_request_read(str_first(wire, n), &a, &r));
    tracker_udp_request connect = {.action = TRACKER_UDP_CONNECT, .transaction = 1};
    wire = tracker_udp_request_write(room, sizeof room, &connect);
    CHECK_STR(wire, S("\0\0\4\x17\x27\x10\x19\x80\0\0\0\0\0\0\0\1"));
    room[0] = 1;
    CHECK(!tracker_udp_request_read(wire, &a, &r));                  // not the protocol's number
    addr peers[3] = {addr_v4(1, 1), addr_v4(2, 2), addr_v4(3, 3)};
    tracker_udp_reply reply = {.action = TRACKER_UDP_ANNOUNCE, .transaction = 9, .interval_s = 60, .peers = peers, .peer_count = 3}, got;
    wire = tracker_udp_reply_write(room, 20 + 2 * 6 + 5, 4, &reply);         // two fit
    CHECK(wire.len == 32 && tracker_udp_reply_read(wire, 4, &a, &got) && got.peer_count == 2 && got.interval_s == 60);
    CHECK(addr_eq(got.peers[1], peers[1]));
    CHECK(tracker_udp_reply_write(room, 19, 4, &reply).len == 0);
    tracker_udp_reply error = {.action = TRACKER_UDP_ERROR, .transaction = 2, .error = S("no")};
    CHECK(tracker_udp_reply_read(tracker_udp_reply_write(room, sizeof room, 4, &error), 4, &a, &got) && str_eq(got.error, S("no")));
    arena_free(&a);
}
