#include "test.h"
#include "rooms/authoritative/answer.h"
#include "rooms/authoritative/zone_load.h"

enum { ARENA = 8 << 20 };

static dns_name name(arena *a, const char *text)
{
    dns_name n;
    CHECK(dns_name_from_text(a, str_z(text), dns_root, &n, NULL));
    return n;
}

static void hold(arena *a, zone_table *t, const char *origin, const char *text)
{
    str why = {0};
    bool full;
    zone *z = zone_load(name(a, origin), 42, str_z(origin), str_z(text), NULL, NULL, a, &why);
    if (!z)
        test_failed(__FILE__, __LINE__, "" STR_FMT, STR_ARG(why));
    else
        zone_free(zone_table_put(t, z, &full));
}

// "NOERROR aa | a.test. A 1.2.3.4 | - | -": code and flags, then the sections.
static str summary(arena *a, const dns_message *m)
{
    str s = str_format(a, "" STR_FMT "%s%s%s", STR_ARG(dns_rcode_text(a, m->header.rcode)), m->header.authoritative ? " aa" : "",
                       m->header.truncated ? " tc" : "", m->header.recursion_available ? " ra" : "");
    for (int section = 0; section < DNS_SECTIONS; section++) {
        s = str_join(a, s, m->count[section] ? S(" |") : S(" | -"));
        for (int i = 0; i < m->count[section]; i++) {
            const dns_record *r = dns_message_record(m, section, i);
            str type = dns_type_text(a, r->type), owner = dns_name_text(a, r->name), data = dns_rdata_text(a, r->type, r->rdata);
            s = str_join(a, s, str_format(a, "%s " STR_FMT " " STR_FMT " " STR_FMT, i ? "," : "", STR_ARG(owner), STR_ARG(type), STR_ARG(data)));
        }
    }
    return s;
}

static str ask_with(arena *a, const answer_setting *s, const char *qname, unsigned type, unsigned udp_size)
{
    static unsigned char query[512], out[DNS_MESSAGE_MAX];
    dns_message asked, m;
    str reply = {0};
    dns_question q = {name(a, qname), (uint16_t)type, DNS_CLASS_IN};
    str wire = dns_query_build(query, sizeof query, 7, q, false, (uint16_t)udp_size);
    if (answer(s, wire, a, out, sizeof out, &reply, &asked) != ANSWER_READY)
        return S("no reply");
    const char *why = "";
    if (!dns_message_read(reply, a, &m, &why))
        test_failed(__FILE__, __LINE__, "unreadable reply: %s", why);
    CHECK(m.header.response && m.header.id == 7 && m.has_question && dns_question_eq(m.question, q));
    return summary(a, &m);
}

typedef struct { const char *name; unsigned type; const char *want; } row;

static void play(const zone_table *t, const row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        arena a = arena_make(ARENA);
        answer_setting s = {.zones = t};
        str got = ask_with(&a, &s, rows[i].name, rows[i].type, DNS_UDP_MAX);
        if (!str_eq(got, str_z(rows[i].want)))
            test_failed(__FILE__, __LINE__, "row %zu %s:\n   got " STR_FMT "\n  want %s", i, rows[i].name, STR_ARG(got), rows[i].want);
        arena_free(&a);
    }
}

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

// RFC 1034 6.1 and 4.3.2, every branch.
static const char org_zone[] =
    "$TTL 300\n@ SOA ns1 root 1 2 3 4 60\n@ NS ns1\n@ NS ns.elsewhere.net.\nns1 A 192.0.2.1\nns1 AAAA 2001:db8::1\n"
    "@ MX 10 mail\n@ MX 20 mail.other.test.\nmail A 192.0.2.25\nwww A 192.0.2.80\nalias CNAME www\nlong CNAME alias\n"
    "out CNAME www.elsewhere.net.\nover CNAME host.held.test.\ndangling CNAME nothing\nloop1 CNAME loop2\nloop2 CNAME loop1\n"
    "into CNAME www.sub\nsub NS ns.sub\nsub NS ns.other.test.\nns.sub A 192.0.2.99\ndeep.ent TXT x\n_sip._tcp SRV 1 2 3 mail\n"
    "null SRV 0 0 0 .\nodd TYPE65400 \\# 2 abcd\n";

static void small_world(arena *a, zone_table *t)
{
    hold(a, t, "org.test", org_zone);
    hold(a, t, "held.test", "$TTL 60\n@ SOA a b 1 2 3 4 5\n@ NS ns.elsewhere.net.\nhost A 192.0.2.200\n");
}

#define SOA " | org.test. SOA ns1.org.test. root.org.test. 1 2 3 4 60 | -"

TEST(answer_every_branch_of_rfc_1034)
{
    static const row rows[] = {
        {"www.org.test", DNS_A, "NOERROR aa | www.org.test. A 192.0.2.80 | - | -"},
        {"WWW.Org.TEST", DNS_A, "NOERROR aa | WWW.Org.TEST. A 192.0.2.80 | - | -"},
        {"www.org.test", DNS_MX, "NOERROR aa | -" SOA},                                        // NODATA, RFC 2308 2.2
        {"nope.org.test", DNS_A, "NXDOMAIN aa | -" SOA},
        {"a.b.www.org.test", DNS_A, "NXDOMAIN aa | -" SOA},
        {"ent.org.test", DNS_A, "NOERROR aa | -" SOA},                                         // an empty non-terminal exists
        {"alias.org.test", DNS_A, "NOERROR aa | alias.org.test. CNAME www.org.test., www.org.test. A 192.0.2.80 | - | -"},
        {"alias.org.test", DNS_CNAME, "NOERROR aa | alias.org.test. CNAME www.org.test. | - | -"},
        {"long.org.test", DNS_A, "NOERROR aa | long.org.test. CNAME alias.org.test., alias.org.test. CNAME www.org.test., "
                                 "www.org.test. A 192.0.2.80 | - | -"},
        {"alias.org.test", DNS_TXT, "NOERROR aa | alias.org.test. CNAME www.org.test." SOA},
        {"dangling.org.test", DNS_A, "NXDOMAIN aa | dangling.org.test. CNAME nothing.org.test." SOA},    // RFC 6604
        {"out.org.test", DNS_A, "NOERROR aa | out.org.test. CNAME www.elsewhere.net. | - | -"},
        {"over.org.test", DNS_A, "NOERROR aa | over.org.test. CNAME host.held.test., host.held.test. A 192.0.2.200 | - | -"},
        {"org.test", DNS_NS, "NOERROR aa | org.test. NS ns1.org.test., org.test. NS ns.elsewhere.net. | - | "
                             "ns1.org.test. A 192.0.2.1, ns1.org.test. AAAA 2001:db8::1"},
        {"org.test", DNS_MX, "NOERROR aa | org.test. MX 10 mail.org.test., org.test. MX 20 mail.other.test. | - | mail.org.test. A 192.0.2.25"},
        {"_sip._tcp.org.test", DNS_SRV, "NOERROR aa | _sip._tcp.org.test. SRV 1 2 3 mail.org.test. | - | mail.org.test. A 192.0.2.25"},
        {"null.org.test", DNS_SRV, "NOERROR aa | null.org.test. SRV 0 0 0 . | - | -"},
        {"odd.org.test", 65400, "NOERROR aa | odd.org.test. TYPE65400 \\# 2 ABCD | - | -"},
        {"www.org.test", DNS_ANY, "NOERROR aa | www.org.test. A 192.0.2.80 | - | -"},
        {"ns1.org.test", DNS_ANY, "NOERROR aa | ns1.org.test. A 192.0.2.1 | - | -"},            // one set: RFC 8482
        {"nope.org.test", DNS_ANY, "NXDOMAIN aa | -" SOA},
        {"www.sub.org.test", DNS_A, "NOERROR | - | sub.org.test. NS ns.sub.org.test., sub.org.test. NS ns.other.test. | ns.sub.org.test. A 192.0.2.99"},
        {"sub.org.test", DNS_NS, "NOERROR | - | sub.org.test. NS ns.sub.org.test., sub.org.test. NS ns.other.test. | ns.sub.org.test. A 192.0.2.99"},
        {"ns.sub.org.test", DNS_A, "NOERROR | - | sub.org.test. NS ns.sub.org.test., sub.org.test. NS ns.other.test. | ns.sub.org.test. A 192.0.2.99"},
        {"sub.org.test", DNS_DS, "NOERROR aa | -" SOA},                                        // the parent answers for DS
        {"into.org.test", DNS_A, "NOERROR aa | into.org.test. CNAME www.sub.org.test. | sub.org.test. NS ns.sub.org.test., "
                                 "sub.org.test. NS ns.other.test. | ns.sub.org.test. A 192.0.2.99"},
        {"www.example.com", DNS_A, "REFUSED | - | - | -"},
        {"org.test", DNS_AXFR, "REFUSED | - | - | -"},
        {"org.test", DNS_TSIG, "NOTIMP | - | - | -"},
    };
    arena a = arena_make(ARENA);
    zone_table t = {0};
    small_world(&a, &t);
    play(&t, rows, COUNT(rows));
    zone_table_free(&t);
    arena_free(&a);
}

TEST(answer_alias_loops_end)
{
    arena a = arena_make(ARENA);
    zone_table t = {0};
    small_world(&a, &t);
    answer_setting s = {.zones = &t};
    str got = ask_with(&a, &s, "loop1.org.test", DNS_A, DNS_UDP_MAX);
    int aliases = 0;
    for (ptrdiff_t at; (at = str_find_str(got, S("CNAME"))) >= 0; got = str_from(got, at + 5))
        aliases++;
    CHECK_INT(aliases, ANSWER_ALIASES_MAX + 1);
    zone_table_free(&t);
    arena_free(&a);
}

// RFC 4592 2.2.1, its zone and its questions.
TEST(answer_wildcards_as_rfc_4592_tells)
{
    static const row rows[] = {
        {"host3.example", DNS_MX, "NOERROR aa | host3.example. MX 10 host1.example. | - | host1.example. A 192.0.2.1"},
        {"host3.example", DNS_A, "NOERROR aa | - | example. SOA a. b. 1 2 3 4 5 | -"},
        {"foo.bar.example", DNS_TXT, "NOERROR aa | foo.bar.example. TXT \"this is a wildcard\" | - | -"},
        {"host1.example", DNS_MX, "NOERROR aa | - | example. SOA a. b. 1 2 3 4 5 | -"},
        {"sub.*.example", DNS_MX, "NOERROR aa | - | example. SOA a. b. 1 2 3 4 5 | -"},
        {"_telnet._tcp.host1.example", DNS_SRV, "NXDOMAIN aa | - | example. SOA a. b. 1 2 3 4 5 | -"},
        {"host.subdel.example", DNS_A, "NOERROR | - | subdel.example. NS ns.example.com., subdel.example. NS ns.example.net. | -"},
        {"ghost.*.example", DNS_MX, "NXDOMAIN aa | - | example. SOA a. b. 1 2 3 4 5 | -"},
        {"*.example", DNS_MX, "NOERROR aa | *.example. MX 10 host1.example. | - | host1.example. A 192.0.2.1"},
        {"x.alias.example", DNS_A, "NOERROR aa | x.alias.example. CNAME host1.example., host1.example. A 192.0.2.1 | - | -"},
    };
    arena a = arena_make(ARENA);
    zone_table t = {0};
    hold(&a, &t, "example",
         "$TTL 3600\n@ SOA a. b. 1 2 3 4 5\n@ NS ns.example.com.\n@ NS ns.example.net.\n* TXT \"this is a wildcard\"\n* MX 10 host1\n"
         "sub.* TXT \"this is not a wildcard\"\nhost1 A 192.0.2.1\n_ssh._tcp.host1 SRV 0 0 22 host1\n_ssh._tcp.host2 SRV 0 0 22 host2\n"
         "subdel NS ns.example.com.\nsubdel NS ns.example.net.\n*.alias CNAME host1\n");
    play(&t, rows, COUNT(rows));
    zone_table_free(&t);
    arena_free(&a);
}

TEST(answer_rotates_several_addresses)
{
    // N5: naver.com has four addresses; each asker begins with another.
    arena a = arena_make(ARENA);
    zone_table t = {0};
    hold(&a, &t, "naver.com", "$TTL 60\n@ SOA a b 1 2 3 4 5\n@ NS ns.x.\n@ A 210.89.160.88\n@ A 125.209.222.142\n@ A 210.89.164.90\n@ A 125.209.222.141\n");
    static const char *const first[] = {"210.89.160.88", "125.209.222.142", "210.89.164.90", "125.209.222.141", "210.89.160.88"};
    for (uint32_t turn = 0; turn < 5; turn++) {
        answer_setting s = {.zones = &t, .turn = turn};
        str got = ask_with(&a, &s, "naver.com", DNS_A, DNS_UDP_MAX);
        CHECK_ROW(turn, str_starts(str_from(got, 12), str_format(&a, " naver.com. A %s,", first[turn])));
        for (int i = 0; i < 4; i++)
            CHECK_ROW(turn, str_find_str(got, str_z(first[i])) >= 0);
    }
    zone_table_free(&t);
    arena_free(&a);
}

TEST(answer_truncates_whole_sets)
{
    arena a = arena_make(ARENA);
    zone_table t = {0};
    str text = S("$TTL 60\n@ SOA a b 1 2 3 4 5\n@ NS ns.x.\nsub NS ns.sub\n");
    for (int i = 0; i < 100; i++)
        text = str_join(&a, text, str_format(&a, "many A 10.0.0.%d\n%s.sub AAAA 2001:db8::%d\n", i, "ns", i));
    hold(&a, &t, "big.test", str_to_z(&a, text));
    answer_setting udp = {.zones = &t}, tcp = {.zones = &t, .is_stream = true};
    CHECK_STR(ask_with(&a, &udp, "many.big.test", DNS_A, DNS_UDP_MAX), S("NOERROR aa tc | - | - | -"));
    CHECK_STR(ask_with(&a, &udp, "many.big.test", DNS_A, 0), S("NOERROR aa tc | - | - | -"));
    CHECK_STR(ask_with(&a, &udp, "many.big.test", DNS_A, 65535), S("NOERROR aa tc | - | - | -"));     // never above 1232
    CHECK(str_starts(ask_with(&a, &tcp, "many.big.test", DNS_A, 0), S("NOERROR aa | many.big.test. A 10.0.0.0")));
    CHECK_STR(ask_with(&a, &udp, "x.sub.big.test", DNS_A, DNS_UDP_MAX), S("NOERROR tc | - | sub.big.test. NS ns.sub.big.test. | -"));    // RFC 9471
    zone_table_free(&t);
    arena_free(&a);
}

static answer_verdict raw(arena *a, const answer_setting *s, str wire, dns_message *m)
{
    static unsigned char out[DNS_MESSAGE_MAX];
    dns_message asked;
    str reply = {0};
    answer_verdict v = answer(s, wire, a, out, sizeof out, &reply, &asked);
    if (v == ANSWER_READY)
        CHECK(dns_message_read(reply, a, m, NULL));
    return v;
}

TEST(answer_to_odd_queries)
{
    static const struct { const char *what; const char *wire; int len; answer_verdict verdict; int rcode; } rows[] = {
        {"a response", "\0\7\200\0\0\1\0\0\0\0\0\0\0\0\1\0\1", 17, ANSWER_NONE, 0},
        {"too short", "\0\7\0\0\0\1", 6, ANSWER_NONE, 0},
        {"no question", "\0\7\0\0\0\0\0\0\0\0\0\0", 12, ANSWER_READY, DNS_FORMERR},
        {"cut short", "\0\7\0\0\0\1\0\0\0\0\0\0\3ab", 15, ANSWER_READY, DNS_FORMERR},
        {"two questions", "\0\7\0\0\0\2\0\0\0\0\0\0\0\0\1\0\1\0\0\1\0\1", 22, ANSWER_READY, DNS_FORMERR},
        {"status", "\0\7\20\0\0\1\0\0\0\0\0\0\0\0\1\0\1", 17, ANSWER_READY, DNS_NOTIMP},
        {"update", "\0\7\50\0\0\1\0\0\0\0\0\0\0\0\6\0\1", 17, ANSWER_READY, DNS_NOTIMP},
        {"notify", "\0\7\40\0\0\1\0\0\0\0\0\0\0\0\6\0\1", 17, ANSWER_READY, DNS_NOTIMP},
        {"opcode 15, broken", "\0\7\170\0\0\1\0\0\0\0\0\0\0\0", 14, ANSWER_READY, DNS_NOTIMP},
        {"class CH", "\0\7\0\0\0\1\0\0\0\0\0\0\0\0\1\0\3", 17, ANSWER_READY, DNS_REFUSED},
        {"EDNS version 1", "\0\7\0\0\0\1\0\0\0\0\0\1\0\0\1\0\1\0\0\51\4\0\0\1\0\0\0\0", 28, ANSWER_READY, DNS_BADVERS},
        {"TC in a query", "\0\7\2\0\0\1\0\0\0\0\0\0\0\0\1\0\1", 17, ANSWER_READY, DNS_FORMERR},
    };
    arena a = arena_make(ARENA);
    zone_table t = {0};
    small_world(&a, &t);
    for (size_t i = 0; i < COUNT(rows); i++) {
        dns_message m = {0};
        answer_setting s = {.zones = &t};
        CHECK_ROW(i, raw(&a, &s, str_of(rows[i].wire, (size_t)rows[i].len), &m) == rows[i].verdict);
        CHECK_ROW(i, rows[i].verdict != ANSWER_READY || (m.header.rcode == rows[i].rcode && m.header.id == 7 && m.header.response));
    }
    zone_table_free(&t);
    arena_free(&a);
}

TEST(answer_negative_ttl_is_the_smaller_one)
{
    static const struct { const char *soa; uint32_t ttl; } rows[] = {
        {"@ 300 SOA a b 1 2 3 4 60", 60}, {"@ 30 SOA a b 1 2 3 4 60", 30},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        arena a = arena_make(ARENA);
        zone_table t = {0};
        dns_message m = {0};
        unsigned char query[128];
        hold(&a, &t, "z.test", str_to_z(&a, str_format(&a, "%s\n@ 300 NS ns.x.\n", rows[i].soa)));
        answer_setting s = {.zones = &t};
        raw(&a, &s, dns_query_build(query, sizeof query, 1, (dns_question){name(&a, "no.z.test"), 1, 1}, false, 0), &m);
        CHECK_ROW(i, m.count[DNS_AUTHORITY] == 1 && m.record[0].ttl == rows[i].ttl && !m.edns.present);
        zone_table_free(&t);
        arena_free(&a);
    }
}

TEST(answer_hands_over_what_is_elsewhere_when_it_may_recurse)
{
    static const struct { const char *name; bool rd; answer_verdict verdict; } rows[] = {
        {"www.org.test", true, ANSWER_READY}, {"nope.org.test", true, ANSWER_READY}, {"www.sub.org.test", true, ANSWER_RECURSE},
        {"www.sub.org.test", false, ANSWER_READY}, {"www.example.com", true, ANSWER_RECURSE}, {"www.example.com", false, ANSWER_READY},
        {"out.org.test", true, ANSWER_RECURSE}, {"into.org.test", true, ANSWER_RECURSE},
    };
    arena a = arena_make(ARENA);
    zone_table t = {0};
    small_world(&a, &t);
    for (size_t i = 0; i < COUNT(rows); i++) {
        dns_message m = {0};
        unsigned char query[128];
        answer_setting s = {.zones = &t, .offers_recursion = true};
        str wire = dns_query_build(query, sizeof query, 1, (dns_question){name(&a, rows[i].name), 1, 1}, rows[i].rd, 0);
        CHECK_ROW(i, raw(&a, &s, wire, &m) == rows[i].verdict);
        CHECK_ROW(i, rows[i].verdict != ANSWER_READY || m.header.recursion_available);
    }
    zone_table_free(&t);
    arena_free(&a);
}

// A steered name: who asks decides; the rest of the zone, and a name that nobody has ranked yet, are as they are written.
TEST(answer_steers_by_the_asker)
{
    static const struct { const char *client, *name; unsigned type; const char *want; } rows[] = {
        {"192.0.2.9", "video.steered.test", DNS_A, "NOERROR aa | video.steered.test. A 203.0.113.1, video.steered.test. A 203.0.113.2 | - | -"},
        {"10.0.0.1", "Video.Steered.Test", DNS_A, "NOERROR aa | Video.Steered.Test. A 203.0.113.9 | - | -"},
        {"10.0.0.1", "alias.steered.test", DNS_A, "NOERROR aa | alias.steered.test. CNAME video.steered.test., video.steered.test. A 203.0.113.9 | - | -"},
        {"10.0.0.1", "video.steered.test", DNS_TXT, "NOERROR aa | video.steered.test. TXT \"x\" | - | -"},
        {"2001:db8::1", "video.steered.test", DNS_A, "NOERROR aa | video.steered.test. A 192.0.2.200 | - | -"},       // not ranked: the zone's own
        {"10.0.0.1", "early.steered.test", DNS_A, "NOERROR aa | early.steered.test. A 192.0.2.201 | - | -"},
        {"10.0.0.1", "plain.steered.test", DNS_A, "NOERROR aa | plain.steered.test. A 192.0.2.202 | - | -"},
    };
    arena a = arena_make(ARENA);
    zone_table t = {0};
    steered_ranking ranking;
    hold(&a, &t, "steered.test", "$TTL 300\n@ SOA ns1 root 1 2 3 4 60\n@ NS ns1.elsewhere.net.\nvideo A 192.0.2.200\nvideo TXT x\nearly A 192.0.2.201\n"
                                 "plain A 192.0.2.202\nalias CNAME video\n");
    CHECK(steered_read(S("version 1\nttl 10\n0.0.0.0/0 203.0.113.9\n192.0.2.0/24 203.0.113.1 203.0.113.2\n"), &a, &ranking));
    steered_table s = {.names = {{name(&a, "video.steered.test"), &ranking}, {name(&a, "early.steered.test"), NULL}}, .count = 2};
    zone *z = zone_table_get(&t, name(&a, "steered.test"));
    CHECK(zone_steer(z, s.names[0].name) && zone_steer(z, s.names[1].name) && !zone_steer(z, name(&a, "none.steered.test")));
    for (size_t i = 0; i < COUNT(rows); i++) {
        answer_setting how = {.zones = &t, .steered = &s, .turn = (uint32_t)i};
        CHECK(addr_parse_ip(str_z(rows[i].client), 53, &how.client));
        str got = ask_with(&a, &how, rows[i].name, rows[i].type, DNS_UDP_MAX);
        if (!str_eq(got, str_z(rows[i].want)))
            test_failed(__FILE__, __LINE__, "row %zu:\n   got " STR_FMT "\n  want %s", i, STR_ARG(got), rows[i].want);
    }
    zone_table_free(&t);
    arena_free(&a);
}

// The network that a query names counts instead of the asker; the reply says for how much of it.
TEST(answer_steers_by_the_clients_network)
{
    static const struct { const char *name, *network, *first; bool off; int scope; } rows[] = {
        {"video.steered.test", "192.0.2.0/24", "203.0.113.1", false, 24}, {"video.steered.test", "192.0.2.128/25", "203.0.113.1", false, 24},
        {"video.steered.test", "192.0.0.0/16", "203.0.113.9", false, 24},          // too little is told to know: longer than the source
        {"video.steered.test", "10.0.0.0/8", "203.0.113.9", false, 1}, {"video.steered.test", "0.0.0.0/0", "203.0.113.9", false, 0},
        {"video.steered.test", "0", "203.0.113.9", false, 0}, {"alias.steered.test", "192.0.2.0/24", "203.0.113.1", false, 24},
        {"plain.steered.test", "192.0.2.0/24", "192.0.2.202", false, 0}, {"none.steered.test", "192.0.2.0/24", "", false, 0},
        {"video.steered.test", "192.0.2.0/24", "203.0.113.9", true, -1},
    };
    arena a = arena_make(ARENA);
    zone_table t = {0};
    steered_ranking ranking;
    hold(&a, &t, "steered.test", "$TTL 300\n@ SOA ns1 root 1 2 3 4 60\n@ NS ns1.elsewhere.net.\nvideo A 192.0.2.200\nplain A 192.0.2.202\nalias CNAME video\n");
    CHECK(steered_read(S("version 1\nttl 10\n0.0.0.0/0 203.0.113.9\n192.0.2.0/24 203.0.113.1 203.0.113.2\n"), &a, &ranking));
    steered_table s = {.names = {{name(&a, "video.steered.test"), &ranking}}, .count = 1};
    CHECK(zone_steer(zone_table_get(&t, name(&a, "steered.test")), s.names[0].name));
    for (size_t i = 0; i < COUNT(rows); i++) {
        unsigned char query[512], out[DNS_UDP_MAX];
        dns_edns edns = {.present = true, .udp_size = DNS_UDP_MAX, .has_subnet = true};
        dns_message asked, m;
        str reply = {0}, first = S("");
        CHECK(dns_subnet_from_text(str_z(rows[i].network), &edns.subnet));
        answer_setting how = {.zones = &t, .steered = &s, .client = addr_v4(0x0a000001, 53), .by_subnet = !rows[i].off};
        str wire = dns_query_build_with(query, sizeof query, 7, (dns_question){name(&a, rows[i].name), DNS_A, DNS_CLASS_IN}, false, &edns);
        CHECK(answer(&how, wire, &a, out, sizeof out, &reply, &asked) == ANSWER_READY && dns_message_read(reply, &a, &m, NULL));
        for (int k = m.count[DNS_ANSWER] - 1; k >= 0; k--)
            if (dns_message_record(&m, DNS_ANSWER, k)->type == DNS_A)
                first = dns_rdata_text(&a, DNS_A, dns_message_record(&m, DNS_ANSWER, k)->rdata);
        CHECK_STR(first, str_z(rows[i].first));
        CHECK_ROW(i, m.edns.has_subnet == (rows[i].scope >= 0));
        CHECK_ROW(i, !m.edns.has_subnet || (m.edns.subnet.scope == rows[i].scope && dns_subnet_same(&m.edns.subnet, &edns.subnet)));
    }
    zone_table_free(&t);
    arena_free(&a);
}
