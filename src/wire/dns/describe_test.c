#include "test.h"
#include "wire/dns/describe.h"

enum { ARENA = 4 << 20 };

static const char reply[] =                               // www.ibm.com CNAME, an A record, compressed; EDE in OPT
    "\x12\x34\x85\x80\0\1\0\2\0\0\0\1"
    "\3www\3ibm\3com\0\0\1\0\1"
    "\300\14\0\5\0\1\0\0\16\20\0\7\4east\300\20"
    "\300\51\0\1\0\1\0\0\0\74\0\4\300\0\2\7"
    "\0\0\51\4\320\0\0\0\0\0\12\0\17\0\6\0\3late";

TEST(describe_prints_as_dig_does)
{
    arena a = arena_make(ARENA);
    str text = dns_message_text(&a, str_of(reply, sizeof reply - 1));
    CHECK_STR(text, S(";; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: 4660\n"
                      ";; flags: qr aa rd ra; QUERY: 1, ANSWER: 2, AUTHORITY: 0, ADDITIONAL: 1\n\n"
                      ";; OPT PSEUDOSECTION:\n; EDNS: version: 0, flags:; udp: 1232\n; EDE: 3 (Stale Answer): (late)\n\n"
                      ";; QUESTION SECTION:\n;www.ibm.com.\t\tIN\tA\n\n"
                      ";; ANSWER SECTION:\nwww.ibm.com.\t3600\tIN\tCNAME\teast.ibm.com.\neast.ibm.com.\t60\tIN\tA\t192.0.2.7\n"));
    CHECK_STR(dns_message_line(&a, str_of(reply, sizeof reply - 1)),
              S("reply 4660 www.ibm.com A NOERROR aa: 2 answers, 0 authority, 0 additional"));
    CHECK(str_starts(dns_message_text(&a, S("xx")), S(";; malformed message of 2 bytes")));
    arena_free(&a);
}

// The fields with bytes of their own cover the message without gap or overlap.
static bool covers(const dns_wire_field *f, int count, ptrdiff_t len)
{
    ptrdiff_t at = 0;
    for (int i = 0; i < count; i++)
        if (f[i].len) {
            if (f[i].offset != at)
                return false;
            at += f[i].len;
        }
    return at == len;
}

TEST(describe_shows_every_byte_in_order)
{
    arena a = arena_make(ARENA);
    for (size_t len = 0; len < sizeof reply; len++) {      // also cut short at every byte
        dns_wire_field *f;
        int count = dns_wire_view(&a, str_of(reply, len), false, &f);
        CHECK_ROW(len, covers(f, count, (ptrdiff_t)len));
        CHECK_ROW(len, len == 0 || (str_eq(f[count - 1].name, S("malformed")) != (len == sizeof reply - 1)));
        arena_reset(&a);
    }
    arena_free(&a);
}

TEST(describe_names_the_course_s_fields)
{
    static const struct { const char *name, *value; } rows[] = {
        {"identification", "4660"}, {"query/reply", "1"}, {"authoritative", "1"}, {"recursion desired", "1"},
        {"recursion available", "1"}, {"questions", "1"}, {"answer records", "2"}, {"name", "www.ibm.com."}, {"type", "CNAME"},
        {"canonical name", "east.ibm.com."}, {"ttl", "3600"}, {"address", "192.0.2.7"}, {"largest UDP reply", "1232"},
        {"option: extended error", "3 Stale Answer"},
    };
    arena a = arena_make(ARENA);
    dns_wire_field *f;
    int count = dns_wire_view(&a, str_of(reply, sizeof reply - 1), true, &f);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool found = false;
        for (int n = 0; n < count; n++)
            found |= str_eq(f[n].name, str_z(rows[i].name)) && str_eq(f[n].value, str_z(rows[i].value));
        CHECK_ROW(i, found);
    }
    str text = dns_wire_text(&a, str_of(reply, sizeof reply - 1), f, count);
    CHECK(str_find_str(text, S("    0  12 34                   identification         4660")) >= 0);
    arena_free(&a);
}
