#include "rooms/tracker/connection_id.h"

#include "test.h"

TEST(connection_id_lives_two_to_three_minutes)
{
    siphash_key secret = {3, 4};
    addr peer = addr_v4(0x0a000001, 1000);
    for (int64_t start = 7200; start < 7200 + CONNECTION_TURN_S; start++) {
        uint64_t id = connection_id(secret, peer, start);
        for (int64_t later = 0; later <= 120; later++)
            CHECK_ROW(later, connection_id_valid(secret, peer, start + later, id));
        for (int64_t later = 180; later <= 400; later++)
            CHECK_ROW(later, !connection_id_valid(secret, peer, start + later, id));
    }
}

// Debian's opentracker of 2021 accepts ids for ever, and of any address.
TEST(connection_id_of_hour_0_is_refused_at_hour_2)
{
    siphash_key secret = {3, 4};
    addr peer = addr_v4(0x0a000001, 1000);
    uint64_t id = connection_id(secret, peer, 0);
    CHECK(connection_id_valid(secret, peer, 1, id));
    for (int64_t at = 300; at < 48 * 3600; at += 37)
        CHECK_ROW(at, !connection_id_valid(secret, peer, at, id));
}

TEST(connection_id_belongs_to_an_address_and_a_secret)
{
    siphash_key secret = {3, 4}, other = {3, 5};
    addr peer = addr_v4(0x0a000001, 1000), six = {.family = 6, .ip = {10, 0, 0, 1}};
    uint64_t id = connection_id(secret, peer, 100);
    CHECK(connection_id_valid(secret, addr_with_port(peer, 2000), 100, id));
    CHECK(!connection_id_valid(secret, addr_v4(0x0a000002, 1000), 100, id));
    CHECK(!connection_id_valid(secret, six, 100, id));
    CHECK(!connection_id_valid(other, peer, 100, id));
    CHECK(!connection_id_valid(secret, peer, 100, 0));
    for (int bit = 0; bit < 64; bit++)
        CHECK_ROW(bit, !connection_id_valid(secret, peer, 100, id ^ 1ull << bit));
}
