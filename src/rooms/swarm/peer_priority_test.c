#include "rooms/swarm/peer_priority.h"

#include "test.h"

static addr of(const char *text)
{
    addr a = {0};
    CHECK(addr_parse(str_z(text), 0, &a));
    return a;
}

// The examples of BEP 40.
TEST(peer_priority_is_what_the_bep_says)
{
    CHECK(peer_priority(of("123.213.32.10"), of("98.76.54.32")) == 0xec2d7224u);
    CHECK(peer_priority(of("123.213.32.10"), of("123.213.32.234")) == 0x99568189u);
}

TEST(peer_priority_is_the_same_from_both_ends)
{
    static const char *const pairs[][2] = {
        {"10.1.2.3:1", "10.9.2.3:2"}, {"10.1.2.3:1", "10.1.2.3:2"}, {"[2001:db8::1]:1", "[2001:db8:7::2]:1"}, {"[2001:db8::1]:1", "[2001:db8::2]:1"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        CHECK_ROW(i, peer_priority(of(pairs[i][0]), of(pairs[i][1])) == peer_priority(of(pairs[i][1]), of(pairs[i][0])));
    CHECK(peer_priority(of("10.1.2.3"), of("::1")) == 0);
    // Who chooses the last bytes of his address in a strange network chooses among few priorities.
    CHECK(peer_priority(of("123.213.32.10"), of("98.76.54.32")) == peer_priority(of("123.213.32.10"), of("98.76.54.32")));
    CHECK(peer_priority(of("123.213.32.10"), of("98.76.4.0")) == peer_priority(of("123.213.32.10"), of("98.76.4.2")));
}
