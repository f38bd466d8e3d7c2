#include "talk/tracker_ask.h"
#include "test.h"

static addr at(const char *text)
{
    addr x = {0};
    (void)addr_parse(str_z(text), 0, &x);
    return x;
}

TEST(a_trackers_url_is_read_and_nothing_else)
{
    static const struct { const char *text, *again; } rows[] = {
        {"http://t.example/announce", "http://t.example:80/announce"},
        {"HTTPS://T.Example./announce?passkey=1", "https://t.example:443/announce?passkey=1"},
        {"udp://t.example:1337", "udp://t.example:1337/"},
        {"udp://[2001:db8::1]:6969/announce", "udp://[2001:db8::1]:6969/announce"},
        {" http://192.0.2.1:6969/a/b?x=1&y=2 ", "http://192.0.2.1:6969/a/b?x=1&y=2"},
        {"http://t_1.example?x", "http://t_1.example:80/?x"},
        {"ftp://t.example/announce", NULL}, {"file:///etc/passwd", NULL}, {"wss://t.example/", NULL}, {"announce", NULL},
        {"http://user@t.example/announce", NULL}, {"http://u:p@t.example/", NULL}, {"http:///announce", NULL},
        {"http://t.example/announce#x", NULL}, {"http://t.example/a b", NULL}, {"http://t.example/a\r\nX: y", NULL},
        {"http://t.example:0/", NULL}, {"http://t.example:65536/", NULL}, {"http://t.example:/", NULL}, {"http://t.example:80x/", NULL},
        {"http://[2001:db8::1/", NULL}, {"http://2001:db8::1/", NULL}, {"http://[192.0.2.1]/", NULL}, {"http://[::1]x/", NULL},
        {"udp://t.example", NULL}, {"http://t..example/", NULL}, {"http://.example/", NULL}, {"http://0x7f.1/", NULL},
        {"http://2130706433/", NULL}, {"http://\xed\x95\x9c.example/", NULL}, {"http://t.example\\@evil/", NULL},
        {"http://t.example/announce?info_hash=x", NULL}, {"http://t.example/announce?a=1&Event=stopped", NULL},
        {"http://t%2eexample/", NULL},
    };
    arena a = arena_make(1 << 16);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tracker_url u;
        const char *why = "";
        bool read = tracker_url_read(str_z(rows[i].text), &a, &u, &why);
        CHECK_ROW(i, read == (rows[i].again != NULL));
        CHECK_ROW(i, read || why[0]);
        if (read && rows[i].again)
            CHECK_STR(tracker_url_text(&a, &u), str_z(rows[i].again));
    }
    arena_free(&a);
}

TEST(a_scrape_stands_where_announce_stood)
{
    static const struct { const char *url, *scrape; } rows[] = {       // BEP 48
        {"http://example.com/announce", "http://example.com:80/scrape"},
        {"http://example.com/x/announce", "http://example.com:80/x/scrape"},
        {"http://example.com/announce.php?x=2", "http://example.com:80/scrape.php?x=2"},
        {"http://example.com/a", NULL}, {"http://example.com/announce?x=2/4", "http://example.com:80/scrape?x=2/4"},
        {"http://example.com/x%064announce", NULL}, {"udp://example.com:1/", "udp://example.com:1/"},
    };
    arena a = arena_make(1 << 16);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tracker_url u, s;
        const char *why = "";
        CHECK_ROW(i, tracker_url_read(str_z(rows[i].url), &a, &u, &why));
        CHECK_ROW(i, tracker_url_scrape(&u, &a, &s) == (rows[i].scrape != NULL));
        if (rows[i].scrape)
            CHECK_STR(tracker_url_text(&a, &s), str_z(rows[i].scrape));
    }
    arena_free(&a);
}

TEST(urls_of_strangers_do_not_lead_into_our_network)
{
    static const struct { const char *url, *at, *before; bool own_network, fine; } rows[] = {
        {"http://t.example/anything?key=1", "198.51.100.1:80", "", false, true},
        {"http://t.example/announce", "10.0.0.1:80", "", false, true},
        {"http://t.example/announce?x=1", "10.0.0.1:80", "", false, false},
        {"http://t.example/cgi-bin/reboot", "192.168.0.1:80", "", false, false},
        {"http://t.example/cgi-bin/reboot", "127.0.0.1:80", "", false, false},
        {"http://t.example/x", "[::1]:80", "", false, false},
        {"http://t.example/x", "[fd00::1]:80", "", false, false},
        {"http://t.example/x", "169.254.169.254:80", "", false, false},
        {"http://t.example/x?y", "10.0.0.1:80", "", true, true},
        {"udp://t.example:53/", "10.0.0.1:53", "", false, true},
        {"udp://t.example:53/x", "10.0.0.1:53", "", false, false},
        {"http://t.example/announce", "224.0.0.1:80", "", true, false},
        {"http://t.example/announce", "255.255.255.255:80", "", true, false},
        {"http://t.example/announce", "0.0.0.0:80", "", true, false},
        {"http://t.example/announce", "[::]:80", "", true, false},
        {"http://t.example/announce", "[ff02::1]:80", "", true, false},
        {"http://t.example/announce", "[::ffff:127.0.0.1]:80", "", true, false},
        {"http://t.example/announce", "10.0.0.1:80", "198.51.100.1:80", false, false},
        {"http://t.example/announce", "10.0.0.1:80", "198.51.100.1:80", true, false},
        {"http://t.example/announce", "10.0.0.1:80", "10.0.0.2:80", false, true},
        {"http://t.example/x", "198.51.100.2:80", "10.0.0.2:80", false, true},
    };
    arena a = arena_make(1 << 16);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tracker_url u;
        const char *why = "";
        CHECK_ROW(i, tracker_url_read(str_z(rows[i].url), &a, &u, &why));
        CHECK_ROW(i, (tracker_url_guard(&u, at(rows[i].at), at(rows[i].before), rows[i].own_network) == NULL) == rows[i].fine);
    }
    arena_free(&a);
}

TEST(what_a_host_says_about_its_trackers_is_read)
{
    static const struct { const char *text; bool said; int count; uint16_t first; bool udp; } rows[] = {
        {"BITTORRENT", true, 0, 0, false}, {"BITTORRENT DENY ALL", true, 0, 0, false},
        {"BITTORRENT UDP:1337 TCP:80", true, 2, 1337, true}, {"BITTORRENT TCP:443 UDP:1 TCP:80", true, 3, 443, false},
        {"BITTORRENT TCP:x UDP:0 TCP:65536 UDP:65535 later", true, 1, 65535, true}, {"  BITTORRENT  UDP:5", true, 1, 5, true},
        {"bittorrent UDP:1", false, 0, 0, false}, {"v=spf1 -all", false, 0, 0, false}, {"", false, 0, 0, false},
        {"BITTORRENTS UDP:1", false, 0, 0, false}, {"BITTORRENT udp:1", true, 0, 0, false},
        {"BITTORRENT UDP:1 UDP:2 UDP:3 UDP:4 UDP:5 UDP:6 UDP:7 UDP:8 UDP:9", true, TRACKER_WAYS_MAX, 1, true},
    };
    arena a = arena_make(1 << 16);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tracker_host h;
        CHECK_ROW(i, tracker_host_read(str_z(rows[i].text), &h) == rows[i].said && h.said == rows[i].said && h.count == rows[i].count);
        CHECK_ROW(i, h.count == 0 || (h.way[0].port == rows[i].first && h.way[0].is_udp == rows[i].udp));
    }
    tracker_host joined;                         // a record may stand in several strings, cut anywhere
    CHECK(tracker_host_from_rdata(S("\x0c" "BITTORRENT U" "\x00" "\x06" "DP:133" "\x01" "7"), &a, &joined));
    CHECK_INT(joined.way[0].port, 1337);
    CHECK(!tracker_host_from_rdata(S("\xff" "BITTORRENTS"), &a, &joined));
    arena_free(&a);
}

TEST(the_table_of_hosts_forgets_in_time_and_never_grows)
{
    static tracker_ways w;
    tracker_host denies = {.said = true};
    tracker_ways_put(&w, S("a.example"), &denies, 1000, 10);
    CHECK(tracker_ways_find(&w, S("A.example"), 2000) != NULL);
    CHECK(tracker_ways_find(&w, S("b.example"), 2000) == NULL);
    CHECK(tracker_ways_find(&w, S("a.example"), 1000 + seconds(10)) == NULL);
    for (int i = 0; i < 3 * TRACKER_WAY_HOSTS_MAX; i++) {
        char name[32];
        snprintf(name, sizeof name, "host%d.example", i);
        tracker_ways_put(&w, str_z(name), &denies, 5000 + i, 10);
        CHECK_ROW(i, tracker_ways_find(&w, str_z(name), 5000 + i) != NULL);
        CHECK_ROW(i, tracker_ways_find(&w, S("host0.example"), 5000 + i) != NULL);     // in use: it stays
    }
    CHECK(tracker_ways_find(&w, S("host1.example"), 6000) == NULL);
}
