#include "test.h"
#include "wire/dns/name.h"

enum { ARENA = 1 << 20 };

static dns_name name(arena *a, const char *text)
{
    dns_name n;
    const char *why = "";
    if (!dns_name_from_text(a, str_z(text), dns_root, &n, &why))
        test_failed(__FILE__, __LINE__, "'%s': %s", text, why);
    return n;
}

static str repeat(arena *a, const char *part, int times)
{
    str s = {0};
    for (int i = 0; i < times; i++)
        s = str_join(a, s, str_z(part));
    return s;
}

TEST(name_text_goes_both_ways)
{
    static const struct { const char *text, *wire; int len; const char *back; } rows[] = {
        {".", "", 1, "."},
        {"a", "\1a", 3, "a."},
        {"www.Example.COM.", "\3www\7Example\3COM", 17, "www.Example.COM."},
        {"a\\.b.c", "\3a.b\1c", 7, "a\\.b.c."},
        {"a\\046b", "\3a.b", 5, "a\\.b."},
        {"\\000\\255", "\2\0\377", 4, "\\000\\255."},
        {"a\\ b", "\3a b", 5, "a\\032b."},
        {"*.x", "\1*\1x", 5, "*.x."},
        {"\\*", "\1*", 3, "*."},
        {"\\@", "\1@", 3, "\\@."},
    };
    arena a = arena_make(ARENA);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        dns_name n = name(&a, rows[i].text);
        CHECK_ROW(i, str_eq(n, str_of(rows[i].wire, (size_t)rows[i].len)));
        CHECK_STR(dns_name_text(&a, n), str_z(rows[i].back));
        CHECK_ROW(i, dns_name_valid(n));
    }
    arena_free(&a);
}

TEST(name_text_refuses_what_is_no_name)
{
    arena a = arena_make(ARENA);
    str label64 = repeat(&a, "x", 64), long_name = repeat(&a, "abcdefg.", 32);
    const str rows[] = {S(""), S(".."), S(".a"), S("a..b"), S("a\\"), S("a\\25"), S("a\\256"), S("a\\2x5"), label64, long_name};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        dns_name n;
        const char *why = NULL;
        CHECK_ROW(i, !dns_name_from_text(&a, rows[i], dns_root, &n, &why) && why && dns_name_is_root(n));
    }
    CHECK_INT(name(&a, "abcdefg.abcdefg").len, 17);
    dns_name longest;                                     // 31 * 8 + 6 + the root's byte: exactly 255
    CHECK(dns_name_from_text(&a, str_join(&a, str_first(long_name, 31 * 8), S("abcde")), dns_root, &longest, NULL));
    CHECK_INT(longest.len, 255);
    CHECK(!dns_name_from_text(&a, str_join(&a, str_first(long_name, 31 * 8), S("abcdef")), dns_root, &longest, NULL));
    arena_free(&a);
}

TEST(name_relative_to_an_origin)
{
    arena a = arena_make(ARENA);
    dns_name origin = name(&a, "example.org."), n;
    CHECK(dns_name_from_text(&a, S("www"), origin, &n, NULL) && dns_name_eq(n, name(&a, "www.example.org")));
    CHECK(dns_name_from_text(&a, S("www."), origin, &n, NULL) && dns_name_eq(n, name(&a, "www")));
    CHECK(dns_name_from_text(&a, S("@"), origin, &n, NULL) && dns_name_eq(n, origin));
    arena_free(&a);
}

TEST(names_in_canonical_order)
{
    // RFC 4034 6.1, its own example.
    static const char *const sorted[] = {"example", "a.example", "yljkjljk.a.example", "Z.a.example", "zABC.a.EXAMPLE",
                                         "z.example", "\\001.z.example", "*.z.example", "\\200.z.example"};
    arena a = arena_make(ARENA);
    for (int i = 0; i < 9; i++)
        for (int j = 0; j < 9; j++) {
            int order = dns_name_cmp(name(&a, sorted[i]), name(&a, sorted[j]));
            CHECK_ROW(i * 9 + j, (order > 0) - (order < 0) == (i > j) - (i < j));
        }
    arena_free(&a);
}

TEST(name_relations)
{
    arena a = arena_make(ARENA);
    dns_name www = name(&a, "www.Example.org"), org = name(&a, "ORG"), trap = name(&a, "wwwexample.org");
    CHECK(dns_name_under(www, org) && dns_name_under(www, www) && dns_name_under(www, dns_root));
    CHECK(!dns_name_under(org, www) && !dns_name_under(trap, name(&a, "example.org")));
    CHECK_INT(dns_name_labels(www), 3);
    CHECK_INT(dns_name_labels(dns_root), 0);
    CHECK(dns_name_eq(dns_name_tail(www, 2), name(&a, "example.org")) && dns_name_eq(dns_name_tail(www, 9), www));
    CHECK(dns_name_is_root(dns_name_tail(www, 0)) && dns_name_is_root(dns_name_parent(dns_root)));
    CHECK(dns_name_hash(www, 7) == dns_name_hash(name(&a, "WWW.example.ORG"), 7));
    CHECK(dns_name_is_wildcard(name(&a, "*.a")) && !dns_name_is_wildcard(name(&a, "a.*")) && !dns_name_is_wildcard(name(&a, "*a")));
    dns_name joined;
    CHECK(dns_name_join(&a, name(&a, "a.b"), org, &joined) && dns_name_eq(joined, name(&a, "a.b.org")));
    arena_free(&a);
}

TEST(name_reading_follows_pointers_only_backwards)
{
    static const struct { const char *wire; int len, start; const char *want; int after; } rows[] = {
        {"....\1a\0\1b\300\4", 11, 7, "b.a.", 11},
        {"....\1a\0\300\4", 9, 7, "a.", 9},
        {"....\0\1a\300\4", 9, 5, "a.", 9},
        {"....\300\4", 6, 4, NULL, 0},                     // points at itself
        {"....\1a\300\4", 8, 4, NULL, 0},                  // points at its own beginning
        {"....\300\6\300\4", 8, 4, NULL, 0},               // forwards
        {"....\300\6\300\4", 8, 6, NULL, 0},               // a loop of two
        {"....\1a\300", 7, 4, NULL, 0},                    // half a pointer
        {"....\1", 5, 4, NULL, 0},                         // label cut short
        {"....\1a", 6, 4, NULL, 0},                        // no end
        {"....\100a\0", 7, 4, NULL, 0},                    // label type 01
        {"....\200a\0", 7, 4, NULL, 0},                    // label type 10
        {"\1a\0.\300\0", 6, 4, NULL, 0},                   // into the header
        {"....", 4, 4, NULL, 0},
    };
    arena a = arena_make(ARENA);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        reader r = rd_of(str_of(rows[i].wire, (size_t)rows[i].len));
        rd_skip(&r, (size_t)rows[i].start);
        dns_name n = dns_name_read(&r, &a);
        CHECK_ROW(i, r.bad == !rows[i].want);
        if (rows[i].want) {
            CHECK_STR(dns_name_text(&a, n), str_z(rows[i].want));
            CHECK_INT(rd_at(&r), rows[i].after);
        } else {
            CHECK_ROW(i, dns_name_is_root(n));
        }
    }
    arena_free(&a);
}

TEST(name_reading_bounds_hops_and_length)
{
    // A chain of pointers, each to the one before it: DNS_POINTER_HOPS_MAX are followed, one more is not.
    unsigned char chain[7 + 2 * 100] = "....\1a";
    for (int i = 0; i < 100; i++) {
        int to = i ? 5 + 2 * i : 4;
        chain[7 + 2 * i] = (unsigned char)(0xc0 | to >> 8);
        chain[8 + 2 * i] = (unsigned char)to;
    }
    arena a = arena_make(ARENA);
    for (int hops = 1; hops < 60; hops++) {
        reader r = rd_of(str_of(chain, sizeof chain));
        rd_skip(&r, (size_t)(5 + 2 * hops));
        dns_name n = dns_name_read(&r, &a);
        CHECK_ROW(hops, r.bad == (hops > DNS_POINTER_HOPS_MAX));
        CHECK_ROW(hops, r.bad || n.len == 3);
    }
    // 4 labels of 62 bytes and a pointer to "a" make exactly 255 bytes, to "ab" one too many.
    for (int extra = 0; extra < 2; extra++) {
        unsigned char flood[400] = {0};
        writer w = wr_into(flood, sizeof flood);
        wr_bytes(&w, extra ? S("....\2ab\0") : S("....\1a\0"));
        ptrdiff_t start = wr_len(&w);
        for (int i = 0; i < 4; i++) {
            wr_u8(&w, 62);
            wr_bytes(&w, str_of(flood + 300, 62));
        }
        wr_u16(&w, 0xc004);
        reader r = rd_of(wr_str(&w)), plain = r;
        rd_skip(&r, (size_t)start);
        CHECK_INT(dns_name_read(&r, &a).len, extra ? 1 : 255);
        CHECK_INT(r.bad, extra);
        rd_skip(&plain, (size_t)start);
        CHECK(dns_name_is_root(dns_name_read_plain(&plain)) && plain.bad);
    }
    arena_free(&a);
}

TEST(name_writing_compresses_and_reads_back)
{
    static const char *const names[] = {"www.example.org", "mail.EXAMPLE.org", "example.org", "org", ".", "x.www.example.org",
                                        "example.com", "www.example.org", "a.b.c.d.e.f.g", "c.d.e.f.g", "d.d.e.f.g"};
    unsigned char out[512];
    dns_compressor c = {0};
    writer w = wr_into(out, sizeof out);
    arena a = arena_make(ARENA);
    wr_bytes(&w, S("header......"));
    ptrdiff_t plain_bytes = 12;
    for (int i = 0; i < 11; i++) {
        dns_name_write(&w, &c, name(&a, names[i]));
        plain_bytes += name(&a, names[i]).len;
    }
    CHECK(!w.bad && wr_len(&w) < plain_bytes * 7 / 10);
    reader r = rd_of(wr_str(&w));
    rd_skip(&r, 12);
    for (int i = 0; i < 11; i++)
        CHECK_ROW(i, dns_name_eq(dns_name_read(&r, &a), name(&a, names[i])));
    CHECK(rd_done(&r));
    arena_free(&a);
}

TEST(name_writing_survives_a_full_table_and_a_rewind)
{
    static unsigned char out[65535];
    dns_compressor c = {0};
    writer w = wr_into(out, sizeof out);
    arena a = arena_make(ARENA);
    wr_bytes(&w, S("header......"));
    for (int i = 0; i < 2000; i++)                         // far beyond the slots, and beyond offset 0x3fff
        dns_name_write(&w, &c, name(&a, (const char *)str_to_z(&a, str_format(&a, "n%d.zone%d.example", i, i % 300))));
    ptrdiff_t mark = 12 + 40;
    reader r = rd_of(wr_str(&w));
    rd_skip(&r, 12);
    for (int i = 0; i < 2000; i++)
        CHECK_ROW(i, dns_name_eq(dns_name_read(&r, &a), name(&a, str_to_z(&a, str_format(&a, "n%d.zone%d.example", i, i % 300)))));
    CHECK(rd_done(&r));
    dns_compressor_rewind(&c, mark);
    for (int i = 0; i < DNS_COMPRESS_SLOTS; i++)
        CHECK_ROW(i, c.slot[i].offset < mark);
    arena_free(&a);
}
