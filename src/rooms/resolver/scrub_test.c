#include "test.h"
#include "rooms/resolver/delegation.h"
#include "rooms/resolver/respond.h"
#include "rooms/resolver/scrub.h"

enum { ARENA = 1 << 20 };

static dns_name name(arena *a, const char *text)
{
    dns_name n;
    CHECK(dns_name_from_text(a, str_z(text), dns_root, &n, NULL));
    return n;
}

// "answer" and "authority" as "NAME TYPE DATA" lines; the message stands in the arena.
static void section_read(arena *a, dns_message *m, dns_section s, const char *lines)
{
    str rest = str_z(lines);
    m->first[s] = s ? m->first[s - 1] + m->count[s - 1] : 0;
    while (rest.len) {
        str line = str_cut(&rest, '\n'), owner = str_word(&line), type = str_word(&line);
        dns_record *r = &m->record[m->first[s] + m->count[s]++];
        const char *why = "";
        *r = (dns_record){.name = name(a, str_to_z(a, owner)), .class = DNS_CLASS_IN, .ttl = 300};
        CHECK(dns_type_from_text(type, &r->type));
        CHECK(dns_rdata_from_text(a, r->type, line, dns_root, &r->rdata, &why));
    }
}

static dns_message message(arena *a, unsigned rcode, bool aa, const char *answer, const char *authority, const char *additional)
{
    dns_message m = {.header = {.response = true, .rcode = (uint16_t)rcode, .authoritative = aa}, .has_question = true};
    m.record = arena_array(a, dns_record, 64);
    section_read(a, &m, DNS_ANSWER, answer);
    section_read(a, &m, DNS_AUTHORITY, authority);
    section_read(a, &m, DNS_ADDITIONAL, additional);
    return m;
}

TEST(scrub_judges_replies)
{
    // Asked: www.example.org A, of a server of the zone org.
    static const struct { unsigned rcode; bool aa; const char *answer, *authority; reply_kind want; const char *cut; bool soa; } rows[] = {
        {0, true, "www.example.org A 1.1.1.1", "", REPLY_DATA, NULL, false},
        {0, true, "WWW.example.ORG A 1.1.1.1", "", REPLY_DATA, NULL, false},
        {0, false, "www.example.org A 1.1.1.1", "", REPLY_LAME, NULL, false},                  // not its own to say
        {0, true, "other.example.org A 1.1.1.1", "", REPLY_LAME, NULL, false},
        {0, true, "www.example.org CNAME x.org", "", REPLY_ALIAS, NULL, false},
        {3, true, "www.example.org CNAME x.org", "org SOA a b 1 2 3 4 5", REPLY_ALIAS, NULL, false},
        {0, true, "", "org SOA a b 1 2 3 4 5", REPLY_NO_DATA, NULL, true},
        {0, true, "", "", REPLY_NO_DATA, NULL, false},
        {3, true, "", "example.org SOA a b 1 2 3 4 5", REPLY_NO_NAME, NULL, true},
        {3, true, "", "com SOA a b 1 2 3 4 5", REPLY_NO_NAME, NULL, false},                    // a stranger's SOA
        {3, true, "", ". SOA a b 1 2 3 4 5", REPLY_NO_NAME, NULL, false},                      // above the server's zone
        {3, true, "", "x.www.example.org SOA a b 1 2 3 4 5", REPLY_NO_NAME, NULL, false},
        {3, false, "", "org SOA a b 1 2 3 4 5", REPLY_LAME, NULL, false},
        {0, false, "", "example.org NS ns.example.org", REPLY_REFERRAL, "example.org", false},
        {0, true, "", "example.org NS ns.example.org", REPLY_REFERRAL, "example.org", false},
        {0, false, "", "org NS ns.org", REPLY_LAME, NULL, false},                              // to itself
        {0, false, "", ". NS a.root", REPLY_LAME, NULL, false},                                // upwards
        {0, false, "", "other.org NS ns.other.org", REPLY_LAME, NULL, false},                  // sideways
        {0, false, "", "com NS ns.com", REPLY_LAME, NULL, false},
        {0, false, "", "x.www.example.org NS ns.org", REPLY_LAME, NULL, false},                // below the name
        {2, true, "", "", REPLY_LAME, NULL, false},
        {5, true, "www.example.org A 1.1.1.1", "", REPLY_LAME, NULL, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        arena a = arena_make(ARENA);
        dns_message m = message(&a, rows[i].rcode, rows[i].aa, rows[i].answer, rows[i].authority, "");
        dns_question q = {name(&a, "www.example.org"), DNS_A, DNS_CLASS_IN};
        reply_view v = reply_judge(&m, name(&a, "org"), q, false);
        CHECK_ROW(i, v.kind == rows[i].want && (v.soa != NULL) == rows[i].soa);
        CHECK_ROW(i, !rows[i].cut || dns_name_eq(v.cut, name(&a, rows[i].cut)));
        arena_free(&a);
    }
}

TEST(delegation_takes_glue_only_from_who_may_give_it)
{
    arena a = arena_make(ARENA);
    dns_message m = message(&a, 0, false, "", "example.org NS ns1.example.org\nexample.org NS ns.sibling.org\nexample.org NS ns.other.com\n"
                            "else.org NS ns.else.org",
                            "ns1.example.org A 1.1.1.1\nns1.example.org AAAA ::1\nns.sibling.org A 1.1.1.2\nns.other.com A 6.6.6.6\nwww.bank.org A 6.6.6.6");
    delegation d;
    uint32_t ttl;
    CHECK(delegation_read(&m, name(&a, "org"), name(&a, "example.org"), &d, &ttl));
    CHECK(d.names == 3 && d.addresses == 3 && ttl == 300);
    for (int i = 0; i < d.addresses; i++)
        CHECK_ROW(i, d.address[i].at.ip[0] != 6);
    CHECK(!delegation_read(&m, name(&a, "org"), name(&a, "none.org"), &d, &ttl));
    arena_free(&a);
}

TEST(delegation_takes_so_much_and_no_more)
{
    arena a = arena_make(ARENA);
    str authority = {0}, additional = {0};
    for (int i = 0; i < 20; i++) {
        authority = str_join(&a, authority, str_format(&a, "x.org NS n%d.org\n", i));
        additional = str_join(&a, additional, str_format(&a, "n0.org A 1.1.1.%d\nn%d.org A 2.2.2.%d\n", i, i, i));
    }
    dns_message m = message(&a, 0, false, "", str_to_z(&a, authority), str_to_z(&a, additional));
    delegation d;
    uint32_t ttl;
    CHECK(delegation_read(&m, name(&a, "org"), name(&a, "x.org"), &d, &ttl));
    CHECK_INT(d.names, DELEGATION_NAMES_MAX);
    CHECK_INT(d.addresses, DELEGATION_GLUE_A_NAME_MAX + DELEGATION_NAMES_MAX - 1);
    arena_free(&a);
}

TEST(delegations_are_found_deepest_first_and_end_with_their_ttl)
{
    arena a = arena_make(ARENA);
    delegations d;
    delegation org = {.zone = name(&a, "org"), .names = 1, .name = {name(&a, "ns.org")}}, deep = org, got;
    deep.zone = name(&a, "example.ORG");
    delegations_init(&d, 1);
    delegations_put(&d, &org, 100, 0);
    delegations_put(&d, &deep, 10, 0);
    CHECK(delegations_find(&d, name(&a, "www.example.org"), 0, &a, &got) && dns_name_eq(got.zone, deep.zone));
    CHECK(delegations_find(&d, name(&a, "www.example.org"), 10000000000, &a, &got) && dns_name_eq(got.zone, org.zone));
    CHECK(!delegations_find(&d, name(&a, "www.example.org"), 100000000000, &a, &got));
    CHECK(d.zones.count == 0);
    delegations_put(&d, &org, 100, 0);
    CHECK(!delegations_find(&d, name(&a, "com"), 0, &a, &got) && delegations_flush(&d, name(&a, "com")) == 0);
    CHECK_INT(delegations_flush(&d, name(&a, "org")), 1);
    delegations_free(&d);
    arena_free(&a);
}

TEST(respond_refuses_what_a_resolver_does_not_do)
{
    static const struct { unsigned type, class, opcode; bool rd, allowed; int rcode; } rows[] = {
        {DNS_A, 1, 0, true, true, -1}, {DNS_A, 1, 0, true, false, DNS_REFUSED}, {DNS_A, 1, 0, false, true, DNS_REFUSED},
        {DNS_A, 3, 0, true, true, DNS_REFUSED}, {DNS_ANY, 1, 0, true, true, DNS_NOTIMP}, {DNS_AXFR, 1, 0, true, true, DNS_NOTIMP},
        {DNS_A, 1, DNS_OP_UPDATE, true, true, DNS_NOTIMP}, {DNS_A, 1, DNS_OP_NOTIFY, true, true, DNS_NOTIMP},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        arena a = arena_make(ARENA);
        unsigned char out[512];
        size_t len = 0;
        dns_message asked = {.header = {.id = 7, .opcode = (uint8_t)rows[i].opcode, .recursion_desired = rows[i].rd}, .has_question = true,
                             .question = {name(&a, "x.y"), (uint16_t)rows[i].type, (uint16_t)rows[i].class}}, m;
        bool refused = respond_refusal(&asked, rows[i].allowed, out, sizeof out, &len);
        CHECK_ROW(i, refused == (rows[i].rcode >= 0));
        CHECK_ROW(i, !refused || (dns_message_read(str_of(out, len), &a, &m, NULL) && m.header.rcode == rows[i].rcode && m.header.id == 7));
        arena_free(&a);
    }
}

TEST(respond_truncates_whole_answers)
{
    arena a = arena_make(ARENA);
    static unsigned char out[DNS_MESSAGE_MAX];
    dns_message asked = {.header = {.id = 7, .recursion_desired = true}, .has_question = true, .question = {name(&a, "x.y"), DNS_A, 1}}, m;
    dns_message many = message(&a, 0, true, "", "", "");
    many.record = arena_array(&a, dns_record, 100);
    for (int i = 0; i < 100; i++)
        many.record[i] = (dns_record){asked.question.name, DNS_A, 1, 60, S("\1\2\3\4")};
    found f = {.answer = many.record, .answers = 100};
    respond_setting udp = {.turn = 3}, tcp = {.is_stream = true};
    CHECK(dns_message_read(str_of(out, respond(&asked, &f, &udp, out, sizeof out)), &a, &m, NULL));
    CHECK(m.header.truncated && m.count[DNS_ANSWER] == 0);
    CHECK(dns_message_read(str_of(out, respond(&asked, &f, &tcp, out, sizeof out)), &a, &m, NULL));
    CHECK(!m.header.truncated && m.count[DNS_ANSWER] == 100 && m.header.recursion_available && !m.edns.present);
    arena_free(&a);
}
