#include "test.h"
#include "wire/dns/message.h"

TEST(subnet_option_goes_both_ways)
{
    static const struct { const char *text; const char *wire; int len; } rows[] = {
        {"198.51.100.0/24", "\0\1\30\0\306\63\144", 7}, {"0.0.0.0/0", "\0\1\0\0", 4}, {"10.0.0.0/7", "\0\1\7\0\12", 5},
        {"192.0.2.7/32", "\0\1\40\0\300\0\2\7", 8}, {"2001:db8:5::/56", "\0\2\70\0\40\1\15\270\0\5\0", 11}, {"0", "\0\0\0\0", 4},
    };
    arena a = arena_make(1 << 16);
    for (int i = 0; i < (int)(sizeof rows / sizeof *rows); i++) {
        unsigned char out[DNS_SUBNET_BYTES_MAX];
        dns_subnet s, again;
        writer w = wr_into(out, sizeof out);
        CHECK_ROW(i, dns_subnet_from_text(str_z(rows[i].text), &s));
        dns_subnet_write(&w, &s);
        str wire = str_of(rows[i].wire, (size_t)rows[i].len);
        CHECK_ROW(i, str_eq(wr_str(&w), wire) && dns_subnet_bytes(&s) == (size_t)wire.len);
        CHECK_ROW(i, dns_subnet_read(wire, &again) && dns_subnet_same(&s, &again) && again.scope == 0);
        CHECK_STR(dns_subnet_text(&a, &again), str_z(rows[i].text));
    }
    arena_free(&a);
}

TEST(subnet_text_is_cut_to_its_prefix_and_refused_when_it_is_none)
{
    static const char *const bad[] = {"", "/", "/24", "1.2.3.4/", "1.2.3.4/33", "::/129", "1.2.3/24", "x", "1.2.3.4/-1", "00", "0/0", "1.2.3.4/2 4"};
    arena a = arena_make(1 << 16);
    dns_subnet s;
    CHECK(dns_subnet_from_text(S("198.51.100.77/20"), &s));
    CHECK_STR(dns_subnet_text(&a, &s), S("198.51.96.0/20"));
    CHECK(dns_subnet_from_text(S("2001:db8::1"), &s) && s.source == 128);
    for (int i = 0; i < (int)(sizeof bad / sizeof *bad); i++)
        CHECK_ROW(i, !dns_subnet_from_text(str_z(bad[i]), &s));
    arena_free(&a);
}

TEST(subnet_option_that_breaks_the_rules_is_refused)
{
    static const struct { const char *why; const char *wire; int len; } rows[] = {
        {"empty", "", 0}, {"half", "\0\1\0", 3}, {"family 3", "\0\3\0\0", 4}, {"family 256", "\1\0\0\0", 4}, {"family 0 with bits", "\0\0\10\0\1", 5},
        {"family 0 with a scope", "\0\0\0\10", 4}, {"33 bits of IPv4", "\0\1\41\0\1\2\3\4\0", 9}, {"a scope of 33 bits", "\0\1\30\41\1\2\3", 7},
        {"129 bits of IPv6", "\0\2\201\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 21}, {"a byte missing", "\0\1\30\0\1\2", 6}, {"a byte too many", "\0\1\30\0\1\2\3\0", 8},
        {"an address without bits", "\0\1\0\0\1", 5}, {"a bit beyond the prefix", "\0\1\7\0\13", 5}, {"the last bit", "\0\1\37\0\1\2\3\1", 8},
    };
    for (int i = 0; i < (int)(sizeof rows / sizeof *rows); i++) {
        dns_subnet s;
        if (dns_subnet_read(str_of(rows[i].wire, (size_t)rows[i].len), &s))
            test_failed(__FILE__, __LINE__, "accepted: %s", rows[i].why);
    }
}

static str message(unsigned char room[512], unsigned flags, str options)
{
    writer w = wr_into(room, 512);
    wr_u16(&w, 7);
    wr_u16(&w, flags);
    wr_bytes(&w, S("\0\0\0\0\0\0\0\1" "\0\0\51\4\320\0\0\0\0"));
    wr_u16(&w, (unsigned)options.len);
    wr_bytes(&w, options);
    return wr_str(&w);
}

TEST(subnet_in_messages)
{
    static const struct { const char *why; unsigned flags; const char *options; int len; bool good; } rows[] = {
        {"a query", 0, "\0\10\0\7\0\1\30\0\306\63\144", 11, true},
        {"a query with a scope (RFC 7871 6)", 0, "\0\10\0\7\0\1\30\30\306\63\144", 11, false},
        {"a reply with a scope", 0x8000, "\0\10\0\7\0\1\30\20\306\63\144", 11, true},
        {"a reply whose scope is longer than the source", 0x8000, "\0\10\0\7\0\1\30\40\306\63\144", 11, true},
        {"twice", 0, "\0\10\0\4\0\1\0\0" "\0\10\0\4\0\1\0\0", 16, false},
        {"malformed", 0, "\0\10\0\5\0\1\7\0\13", 9, false},
        {"malformed, in a reply", 0x8000, "\0\10\0\5\0\1\7\0\13", 9, false},
    };
    arena a = arena_make(1 << 16);
    for (int i = 0; i < (int)(sizeof rows / sizeof *rows); i++) {
        unsigned char room[512];
        dns_message m;
        bool read = dns_message_read(message(room, rows[i].flags, str_of(rows[i].options, (size_t)rows[i].len)), &a, &m, NULL);
        if (read != rows[i].good || (read && !m.edns.has_subnet))
            test_failed(__FILE__, __LINE__, "%s", rows[i].why);
    }
    arena_free(&a);
}

TEST(subnet_in_a_message_that_is_built)
{
    arena a = arena_make(1 << 16);
    for (size_t size = 0; size < 120; size++) {
        unsigned char out[120];
        dns_builder b;
        dns_message m;
        dns_edns edns = {.present = true, .udp_size = 1232, .trace = 5, .has_subnet = true, .has_ede = true, .ede_text = S("why it is so")};
        CHECK(dns_subnet_from_text(S("2001:db8:5::/48"), &edns.subnet));
        dns_build_start(&b, out, size, (dns_header){.id = 1, .response = true}, &edns);
        edns.subnet.scope = 40;                            // known only when the answer stands
        str wire = dns_build_end(&b, &edns);
        CHECK_ROW(size, wire.len <= (ptrdiff_t)size && (wire.len > 0) == (size >= 12 + 11 + 4 + 10 + 12));
        CHECK_ROW(size, !wire.len || (dns_message_read(wire, &a, &m, NULL) && m.edns.has_subnet && m.edns.trace == 5 &&
                                      dns_subnet_same(&m.edns.subnet, &edns.subnet) && m.edns.subnet.scope == 40));
    }
    arena_free(&a);
}
