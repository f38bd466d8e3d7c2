#include "test.h"
#include "wire/dns/zone_text.h"

enum { ARENA = 4 << 20 };

typedef struct {
    arena *a;
    str    lines;                    // the records as text, one a line
    int    records;
} heard;

static bool hear(void *context, const dns_record *r, const char **why)
{
    heard *h = context;
    if (str_eq(dns_name_label(r->name), S("forbidden"))) {
        *why = "this name is forbidden";
        return false;
    }
    h->lines = str_join(h->a, str_join(h->a, h->lines, dns_record_text(h->a, r)), S("\n"));
    h->records++;
    return true;
}

static bool include(void *context, str path, str *text, const char **why)
{
    (void)context;
    if (str_eq(path, S("hosts")))
        *text = S("www A 192.0.2.80\n$ORIGIN deep\nx A 192.0.2.81\n");
    else if (str_eq(path, S("broken")))
        *text = S("www A 192.0.2.80\n\nftp A nowhere\n");
    else if (str_eq(path, S("self")))
        *text = S("$INCLUDE self\n");
    else {
        *why = "no such file";
        return false;
    }
    return true;
}

static bool parse(arena *a, const char *text, heard *h, dns_zone_error *error)
{
    dns_zone_hooks hooks = {.record = hear, .include = include, .context = h, .class = DNS_CLASS_IN};
    *h = (heard){.a = a};
    CHECK(dns_name_from_text(a, S("example.org"), dns_root, &hooks.origin, NULL));
    return dns_zone_parse(&hooks, a, S("zone"), str_z(text), error);
}

TEST(zone_text_reads_what_rfc_1035_writes)
{
    static const struct { const char *text, *want; } rows[] = {
        {"$TTL 1h\n@ SOA ns root 1 2h 1h 2w 5m\n", "example.org.\t3600\tIN\tSOA\tns.example.org. root.example.org. 1 7200 3600 1209600 300\n"},
        {"@ IN SOA ns root 1 2 3 4 300\n", "example.org.\t300\tIN\tSOA\tns.example.org. root.example.org. 1 2 3 4 300\n"},
        {"@ 60 SOA ( ns root ; the names\n 1 2\n3 4 5 ) ; done\n  NS ns\n",
         "example.org.\t60\tIN\tSOA\tns.example.org. root.example.org. 1 2 3 4 5\nexample.org.\t60\tIN\tNS\tns.example.org.\n"},
        {"a 1h30m IN A 192.0.2.1\nb IN 60 A 192.0.2.2\nc 61 A 192.0.2.3\nd IN A 192.0.2.4",
         "a.example.org.\t5400\tIN\tA\t192.0.2.1\nb.example.org.\t60\tIN\tA\t192.0.2.2\nc.example.org.\t61\tIN\tA\t192.0.2.3\n"
         "d.example.org.\t61\tIN\tA\t192.0.2.4\n"},
        {"$TTL 60\na 5 A 192.0.2.1\nb A 192.0.2.2\n",        // RFC 2308: $TTL wins over the record before
         "a.example.org.\t5\tIN\tA\t192.0.2.1\nb.example.org.\t60\tIN\tA\t192.0.2.2\n"},
        {"$TTL 1\n$ORIGIN sub\na A 192.0.2.1\n$ORIGIN other.test.\na A 192.0.2.2\n",
         "a.sub.example.org.\t1\tIN\tA\t192.0.2.1\na.other.test.\t1\tIN\tA\t192.0.2.2\n"},
        {"$TTL 1\nt TXT \"a;b\" c\\;d \"( \"\n", "t.example.org.\t1\tIN\tTXT\t\"a;b\" \"c;d\" \"( \"\n"},
        {"$TTL 1\n\n ; nothing\n\t\na A 192.0.2.1\n\n\tA 192.0.2.2\n", "a.example.org.\t1\tIN\tA\t192.0.2.1\na.example.org.\t1\tIN\tA\t192.0.2.2\n"},
        {"$TTL 1\r\na A 192.0.2.1\r\n", "a.example.org.\t1\tIN\tA\t192.0.2.1\n"},
        {"$TTL 1\na\\.b A 192.0.2.1\n*.w CNAME .\n", "a\\.b.example.org.\t1\tIN\tA\t192.0.2.1\n*.w.example.org.\t1\tIN\tCNAME\t.\n"},
        {"$TTL 1\nx TYPE731 \\# 6 abcdef ( 01 23 45 )\ny CLASS1 TYPE1 \\# 4 0a000001\n",
         "x.example.org.\t1\tIN\tTYPE731\t\\# 6 ABCDEF012345\ny.example.org.\t1\tIN\tA\t10.0.0.1\n"},
        {"$TTL 1\nfirst A 192.0.2.1\n$INCLUDE hosts\n AAAA ::1\nlast A 192.0.2.3\n",
         "first.example.org.\t1\tIN\tA\t192.0.2.1\nwww.example.org.\t1\tIN\tA\t192.0.2.80\nx.deep.example.org.\t1\tIN\tA\t192.0.2.81\n"
         "first.example.org.\t1\tIN\tAAAA\t::1\nlast.example.org.\t1\tIN\tA\t192.0.2.3\n"},
        {"$TTL 1\n$INCLUDE hosts branch\n",
         "www.branch.example.org.\t1\tIN\tA\t192.0.2.80\nx.deep.branch.example.org.\t1\tIN\tA\t192.0.2.81\n"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        arena a = arena_make(ARENA);
        heard h;
        dns_zone_error e;
        if (!parse(&a, rows[i].text, &h, &e))
            test_failed(__FILE__, __LINE__, "row %zu: " STR_FMT ":%d: %s", i, STR_ARG(e.file), e.line, e.sentence);
        CHECK_STR(h.lines, str_z(rows[i].want));
        arena_free(&a);
    }
}

TEST(zone_text_errors_say_file_line_and_what)
{
    static const struct { const char *text, *file; int line; const char *sentence; } rows[] = {
        {"a A 192.0.2.1\n", "zone", 1, "no TTL"},
        {"$TTL 1\n\n\na A 1.2.3\n", "zone", 4, "IPv4 address"},
        {"$TTL 1\na B 1\n", "zone", 2, "no record type"},
        {"$TTL 1\na CH A 1.2.3.4\n", "zone", 2, "class"},
        {"$TTL 1\na A ( 1.2.3.4\n\n\n", "zone", 2, "never closed"},
        {"$TTL 1\na A 1.2.3.4 )\n", "zone", 2, "not opened"},
        {"$TTL 1\na TXT \"abc\n\"\n", "zone", 2, "quoted"},
        {"$TTL 1\n  A 1.2.3.4\n", "zone", 2, "begin with a name"},
        {"$TTL 1\na A\n", "zone", 2, "too few"},
        {"$TTL 1\na A 1.2.3.4 5\n", "zone", 2, "too many"},
        {"$TTL 1\na\n", "zone", 2, "before its record type"},
        {"$TTL soon\n", "zone", 1, "$TTL"},
        {"$TTL 2147483648\n", "zone", 1, "$TTL"},
        {"$TTL 1\na 2147483648 A 1.2.3.4\n", "zone", 2, "TTL"},
        {"$GENERATE 1-4 a A 1.2.3.4\n", "zone", 1, "$ word"},
        {"$ORIGIN a..b\n", "zone", 1, "empty label"},
        {"$TTL 1\na ANY \\# 0\n", "zone", 2, "only in questions"},
        {"$TTL 1\na OPT \\# 0\n", "zone", 2, "only in questions"},
        {"$TTL 1\n\n$INCLUDE broken\n", "broken", 3, "IPv4 address"},
        {"$TTL 1\n$INCLUDE nothing\n", "zone", 2, "no such file"},
        {"$INCLUDE self\n", "self", 1, "includes itself"},
        {"$TTL 1\nforbidden A 1.2.3.4\n", "zone", 2, "forbidden"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        arena a = arena_make(ARENA);
        heard h;
        dns_zone_error e = {0};
        CHECK_ROW(i, !parse(&a, rows[i].text, &h, &e));
        CHECK_ROW(i, str_eq(e.file, str_z(rows[i].file)) && e.line == rows[i].line);
        if (!e.sentence || str_find_str(str_z(e.sentence), str_z(rows[i].sentence)) < 0)
            test_failed(__FILE__, __LINE__, "row %zu: line %d '%s'", i, e.line, e.sentence ? e.sentence : "(none)");
        arena_free(&a);
    }
}

TEST(zone_text_bounds_words_and_entries)
{
    arena a = arena_make(ARENA);
    str text = S("$TTL 1\nt TXT");
    for (int i = 0; i < 600; i++)
        text = str_join(&a, text, S(" x"));
    heard h;
    dns_zone_error e;
    CHECK(!parse(&a, str_to_z(&a, text), &h, &e) && str_find_str(str_z(e.sentence), S("512 words")) >= 0);
    arena_free(&a);
}
