#include "test.h"
#include "wire/dns/rdata.h"

enum { ARENA = 1 << 20 };

TEST(rdata_text_goes_both_ways)
{
    static const struct { unsigned type; const char *text, *back; } rows[] = {
        {DNS_A, "192.0.2.1", NULL},
        {DNS_AAAA, "2001:DB8:0:0::1", "2001:db8::1"},
        {DNS_NS, "ns1", "ns1.example.org."},
        {DNS_CNAME, "@", "example.org."},
        {DNS_PTR, ".", "."},
        {DNS_MX, "10 mail.example.com.", NULL},
        {DNS_MX, "0 .", NULL},
        {DNS_SOA, "ns1 host\\.master 2026010101 2h 1h30m 2w 300",
         "ns1.example.org. host\\.master.example.org. 2026010101 7200 5400 1209600 300"},
        {DNS_TXT, "plain \"two words\" \"a\\\"b\" \"\" \"\\001\\195\\169\"", "\"plain\" \"two words\" \"a\\\"b\" \"\" \"\\001\\195\\169\""},
        {DNS_SRV, "10 60 5060 sip", "10 60 5060 sip.example.org."},
        {DNS_HINFO, "PC \"Debian 12\"", "\"PC\" \"Debian 12\""},
        {DNS_NAPTR, "100 10 \"u\" \"E2U+sip\" \"!^.*$!sip:a@b!\" .", NULL},
        {DNS_DNAME, "target.test.", NULL},
        {DNS_DS, "60485 5 1 2BB183AF5F22588179A53B0A 98631FAD1A292118", "60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118"},
        {DNS_TLSA, "3 1 1 ab", "3 1 1 AB"},
        {DNS_CAA, "0 issue \"ca.example; policy=ev\"", "0 \"issue\" \"ca.example; policy=ev\""},
        {65400, "\\# 4 0a00 0001", "\\# 4 0A000001"},
        {65400, "\\# 0", NULL},
        {DNS_A, "\\# 4 c0000201", "192.0.2.1"},
        {DNS_MX, "\\# 3 000a00", "10 ."},
    };
    arena a = arena_make(ARENA);
    dns_name origin;
    CHECK(dns_name_from_text(&a, S("example.org."), dns_root, &origin, NULL));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        str wire, again;
        const char *why = "";
        if (!dns_rdata_from_text(&a, rows[i].type, str_z(rows[i].text), origin, &wire, &why)) {
            test_failed(__FILE__, __LINE__, "row %zu '%s': %s", i, rows[i].text, why);
            continue;
        }
        CHECK_ROW(i, dns_rdata_valid(rows[i].type, wire));
        str text = dns_rdata_text(&a, rows[i].type, wire);
        CHECK_STR(text, str_z(rows[i].back ? rows[i].back : rows[i].text));
        CHECK_ROW(i, dns_rdata_from_text(&a, rows[i].type, text, dns_root, &again, &why) && str_eq(wire, again));
    }
    arena_free(&a);
}

TEST(rdata_text_refuses_with_a_sentence)
{
    static const struct { unsigned type; const char *text; } rows[] = {
        {DNS_A, "192.0.2"}, {DNS_A, "192.0.2.256"}, {DNS_A, "192.0.2.1 2"}, {DNS_A, "::1"}, {DNS_AAAA, "1.2.3.4"},
        {DNS_AAAA, "1::2::3"}, {DNS_MX, "mail"}, {DNS_MX, "65536 mail"}, {DNS_MX, "-1 mail"}, {DNS_NS, "a..b"}, {DNS_NS, ""},
        {DNS_TXT, "\"open"}, {DNS_TXT, "a\\999"}, {DNS_SOA, "a b 1 2 3 4"}, {DNS_SOA, "a b 4294967296 1 1 1 1"},
        {DNS_SOA, "a b 1 1x 1 1 1"}, {DNS_SRV, "1 2 3"}, {DNS_DS, "1 2 3 abc"}, {DNS_DS, "1 2 3 xx"}, {65400, "abc"},
        {65400, "\\# 3 0a00"}, {65400, "\\# x"}, {DNS_A, "\\# 3 0a0001"}, {DNS_CNAME, "\\# 2 c00c"}, {DNS_MX, "\\# 4 000a0100"},
    };
    arena a = arena_make(ARENA);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        str wire;
        const char *why = NULL;
        CHECK_ROW(i, !dns_rdata_from_text(&a, rows[i].type, str_z(rows[i].text), dns_root, &wire, &why) && why);
    }
    arena_free(&a);
}

TEST(rdata_a_text_longer_than_255_bytes_is_refused)
{
    arena a = arena_make(ARENA);
    str text = S("");
    for (int i = 0; i < 256; i++)
        text = str_join(&a, text, S("x"));
    str wire;
    const char *why;
    CHECK(!dns_rdata_from_text(&a, DNS_TXT, text, dns_root, &wire, &why));
    CHECK(dns_rdata_from_text(&a, DNS_TXT, str_first(text, 255), dns_root, &wire, &why));
    CHECK_INT(wire.len, 256);
    arena_free(&a);
}

TEST(rdata_wire_of_the_wrong_shape_is_refused)
{
    static const struct { unsigned type; const char *wire; int len; bool good; } rows[] = {
        {DNS_A, "\1\2\3", 3, false}, {DNS_A, "\1\2\3\4\5", 5, false}, {DNS_A, "\1\2\3\4", 4, true}, {DNS_A, "", 0, false},
        {DNS_AAAA, "\1\2\3\4", 4, false}, {DNS_NS, "\1a", 2, false}, {DNS_NS, "\1a\0x", 4, false}, {DNS_NS, "\300\0", 2, false},
        {DNS_MX, "\0\1", 2, false}, {DNS_MX, "\0\1\0", 3, true}, {DNS_TXT, "", 0, false}, {DNS_TXT, "\2a", 2, false},
        {DNS_TXT, "\1a\0", 3, true}, {DNS_SRV, "\0\1\0\1\0\1", 6, false}, {DNS_SOA, "\0\0", 2, false},
        {DNS_CAA, "\0", 1, false}, {DNS_CAA, "\0\1a", 3, true}, {65400, "", 0, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        CHECK_ROW(i, dns_rdata_valid(rows[i].type, str_of(rows[i].wire, (size_t)rows[i].len)) == rows[i].good);
}

TEST(rdata_reading_expands_names_and_stays_inside_its_length)
{
    static const struct { unsigned type; const char *rest; int len; const char *want; } rows[] = {
        {DNS_MX, "\0\12\300\14", 4, "10 example.org."},
        {DNS_MX, "\0\12\4mail\300\14", 9, "10 mail.example.org."},
        {DNS_SRV, "\0\1\0\2\0\3\300\14", 8, "1 2 3 example.org."},          // some compress it: RFC 3597 4
        {DNS_SOA, "\300\14\300\30\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5", 24, "example.org. . 1 2 3 4 5"},
        {DNS_DNAME, "\300\14", 2, NULL},                                     // never compressed
        {DNS_NS, "\300\14x", 3, NULL},                                       // a byte too many
        {DNS_NS, "\300", 1, NULL},
        {DNS_MX, "\0\12\300\35", 4, NULL},                                   // into itself
    };
    arena a = arena_make(ARENA);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        str wire = str_join(&a, S("header......\7example\3org\0"), str_of(rows[i].rest, (size_t)rows[i].len));
        str out;
        wire = str_join(&a, wire, S("behind"));
        reader r = rd_of(wire);
        rd_skip(&r, 25);
        bool good = dns_rdata_read(&r, (size_t)rows[i].len, rows[i].type, &a, &out);
        CHECK_ROW(i, good == (rows[i].want != NULL));
        if (good) {
            CHECK_STR(dns_rdata_text(&a, rows[i].type, out), str_z(rows[i].want));
            CHECK_INT(rd_left(&r), 6);
        }
    }
    arena_free(&a);
}

TEST(types_and_classes_by_name_and_number)
{
    arena a = arena_make(ARENA);
    uint16_t n;
    CHECK(dns_type_from_text(S("aaaa"), &n) && n == 28);
    CHECK(dns_type_from_text(S("TYPE65400"), &n) && n == 65400);
    CHECK(dns_type_from_text(S("type1"), &n) && n == 1);
    CHECK(!dns_type_from_text(S("TYPE65536"), &n) && !dns_type_from_text(S("TYPE"), &n) && !dns_type_from_text(S(""), &n));
    CHECK(dns_class_from_text(S("in"), &n) && n == 1);
    CHECK(dns_class_from_text(S("CLASS7"), &n) && n == 7);
    CHECK_STR(dns_type_text(&a, 15), S("MX"));
    CHECK_STR(dns_type_text(&a, 1234), S("TYPE1234"));
    CHECK_STR(dns_rcode_text(&a, 3), S("NXDOMAIN"));
    CHECK(dns_type_is_meta(DNS_ANY) && dns_type_is_meta(DNS_OPT) && !dns_type_is_meta(DNS_A) && !dns_type_is_meta(DNS_CAA));
    arena_free(&a);
}

TEST(times_with_units)
{
    static const struct { const char *text; bool good; uint32_t seconds; } rows[] = {
        {"0", true, 0}, {"3600", true, 3600}, {"1h30m", true, 5400}, {"1W2d", true, 777600}, {"2147483647", true, 2147483647},
        {"4294967295", true, 4294967295u}, {"4294967296", false, 0}, {"", false, 0}, {"h", false, 0}, {"1y", false, 0},
        {"7102w", false, 0}, {"99999999999", false, 0}, {"1h-", false, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint32_t s = 0;
        CHECK_ROW(i, dns_ttl_from_text(str_z(rows[i].text), &s) == rows[i].good && (!rows[i].good || s == rows[i].seconds));
    }
}
