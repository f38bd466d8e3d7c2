#include "rooms/swarm/peer_address.h"
#include "test.h"

static addr at(const char *text)
{
    addr x = {0};
    (void)addr_parse(str_z(text), 0, &x);
    return x;
}

TEST(only_addresses_that_can_be_a_strangers_peer_are_acceptable)
{
    static const struct { const char *text; peer_source from; bool own_network; peer_verdict want; } rows[] = {
        {"198.51.100.7:6881", PEER_FROM_TRACKER, false, PEER_ACCEPTABLE},
        {"[2001:db8::7]:6881", PEER_FROM_DHT, false, PEER_ACCEPTABLE},
        {"198.51.100.7:0", PEER_FROM_TRACKER, false, PEER_NO_PORT},
        {"0.0.0.0:6881", PEER_FROM_TRACKER, false, PEER_NO_ADDRESS},
        {"0.1.2.3:6881", PEER_FROM_TRACKER, true, PEER_NO_ADDRESS},
        {"[::]:6881", PEER_FROM_TRACKER, true, PEER_NO_ADDRESS},
        {"[::ffff:198.51.100.7]:6881", PEER_FROM_EXCHANGE, true, PEER_NO_ADDRESS},
        {"[::198.51.100.7]:6881", PEER_FROM_EXCHANGE, true, PEER_NO_ADDRESS},
        {"203.0.113.5:6881", PEER_FROM_TRACKER, false, PEER_IS_OURSELVES},
        {"203.0.113.5:6882", PEER_FROM_TRACKER, false, PEER_ACCEPTABLE},
        {"203.0.113.6:1", PEER_FROM_TRACKER, true, PEER_IS_OURSELVES},
        {"224.0.0.1:6881", PEER_FROM_LOCAL, true, PEER_IS_MULTICAST},
        {"255.255.255.255:6881", PEER_FROM_LOCAL, true, PEER_IS_MULTICAST},
        {"[ff02::1]:6881", PEER_FROM_LOCAL, true, PEER_IS_MULTICAST},
        {"127.0.0.1:6881", PEER_FROM_TRACKER, false, PEER_IS_LOOPBACK},
        {"127.0.0.1:6881", PEER_FROM_LOCAL, false, PEER_IS_LOOPBACK},
        {"127.0.0.1:6881", PEER_FROM_INCOMING, false, PEER_ACCEPTABLE},
        {"127.0.0.1:6881", PEER_FROM_TRACKER, true, PEER_ACCEPTABLE},
        {"[::1]:6881", PEER_FROM_DHT, false, PEER_IS_LOOPBACK},
        {"10.1.2.3:6881", PEER_FROM_EXCHANGE, false, PEER_IS_PRIVATE},
        {"172.16.0.1:6881", PEER_FROM_EXCHANGE, false, PEER_IS_PRIVATE},
        {"172.32.0.1:6881", PEER_FROM_EXCHANGE, false, PEER_ACCEPTABLE},
        {"100.64.0.1:6881", PEER_FROM_DHT, false, PEER_IS_PRIVATE},
        {"169.254.1.1:6881", PEER_FROM_DHT, false, PEER_IS_PRIVATE},
        {"[fd00::1]:6881", PEER_FROM_DHT, false, PEER_IS_PRIVATE},
        {"[fe80::1]:6881", PEER_FROM_DHT, false, PEER_IS_PRIVATE},
        {"10.1.2.3:6881", PEER_FROM_LOCAL, false, PEER_ACCEPTABLE},
        {"10.1.2.3:6881", PEER_FROM_USER, false, PEER_ACCEPTABLE},
        {"10.1.2.3:6881", PEER_FROM_TRACKER, true, PEER_ACCEPTABLE},
        {"198.51.100.7:25", PEER_FROM_TRACKER, true, PEER_PORT_IS_A_SERVICE},
        {"198.51.100.7:443", PEER_FROM_TRACKER, false, PEER_ACCEPTABLE},
        {"198.51.100.7:53", PEER_FROM_USER, false, PEER_ACCEPTABLE},
    };
    const addr own[] = {at("203.0.113.5:6881"), at("203.0.113.6:0")};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        peer_address_rules rules = {own, 2, rows[i].own_network};
        CHECK_ROW(i, peer_address_acceptable(at(rows[i].text), rows[i].from, &rules) == rows[i].want);
    }
    CHECK(peer_verdict_text(PEER_NETWORK_FULL)[0] == 'e');
}

TEST(one_network_and_one_source_have_their_share_only)
{
    peer_tally t = {.secret = 42};
    int taken = 0;
    for (uint32_t i = 0; i < 200; i++)
        taken += peer_tally_take(&t, addr_v4(0xc6336400 + i, 6881), PEER_FROM_DHT, 1000) == PEER_ACCEPTABLE;
    CHECK_INT(taken, PEER_NETWORK_PEERS_MAX);
    CHECK_INT(peer_tally_take(&t, addr_v4(0xc6336401, 6881), PEER_FROM_EXCHANGE, 1000), PEER_NETWORK_FULL);
    peer_tally_give(&t, addr_v4(0xc6336401, 6881), PEER_FROM_DHT);
    CHECK_INT(peer_tally_take(&t, addr_v4(0xc6336499, 6881), PEER_FROM_DHT, 1000), PEER_ACCEPTABLE);
    for (uint32_t i = 0; i < 100; i++)                             // private networks: as many as the source may
        taken += peer_tally_take(&t, addr_v4(0x0a000001 + i, 6881), PEER_FROM_LOCAL, 50) == PEER_ACCEPTABLE;
    CHECK_INT(taken, PEER_NETWORK_PEERS_MAX + 50);
    CHECK_INT(peer_tally_take(&t, addr_v4(0x0a000001, 6881), PEER_FROM_LOCAL, 50), PEER_SOURCE_FULL);
}

TEST(private_torrents_ask_their_trackers_alone)
{
    for (int s = 0; s < PEER_SOURCES; s++) {
        peer_source from = (peer_source)s;
        bool fine = from == PEER_FROM_TRACKER || from == PEER_FROM_INCOMING || from == PEER_FROM_USER;
        CHECK_ROW(s, peer_source_allowed(false, from) && peer_source_allowed(true, from) == fine);
    }
}
