#include "test.h"
#include "wire/dns/message.h"

enum { ARENA = 1 << 20 };

static dns_name name(arena *a, const char *text)
{
    dns_name n;
    CHECK(dns_name_from_text(a, str_z(text), dns_root, &n, NULL));
    return n;
}

static dns_record record(arena *a, const char *owner, unsigned type, const char *text)
{
    dns_record r = {.name = name(a, owner), .type = (uint16_t)type, .class = DNS_CLASS_IN, .ttl = 300};
    const char *why = "";
    if (!dns_rdata_from_text(a, type, str_z(text), dns_root, &r.rdata, &why))
        test_failed(__FILE__, __LINE__, "%s: %s", text, why);
    return r;
}

TEST(message_query_goes_both_ways)
{
    arena a = arena_make(ARENA);
    unsigned char out[DNS_UDP_PLAIN_MAX];
    dns_question q = {name(&a, "www.IBM.com"), DNS_AAAA, DNS_CLASS_IN};
    dns_message m;
    str wire = dns_query_build(out, sizeof out, 4660, q, true, DNS_UDP_MAX);
    CHECK_STR(str_first(wire, 12), S("\x12\x34\1\0\0\1\0\0\0\0\0\1"));
    CHECK(dns_message_read(wire, &a, &m, NULL));
    CHECK(m.header.id == 4660 && m.header.recursion_desired && !m.header.response && m.header.opcode == DNS_OP_QUERY);
    CHECK(m.has_question && dns_question_eq(m.question, q) && m.edns.present && m.edns.udp_size == DNS_UDP_MAX);
    dns_edns traced = {.present = true, .udp_size = DNS_UDP_MAX, .trace = 0x123456789abcdef0u};
    wire = dns_query_build_with(out, sizeof out, 1, q, true, &traced);
    CHECK(dns_message_read(wire, &a, &m, NULL) && m.edns.trace == 0x123456789abcdef0u);
    wire = dns_query_build(out, sizeof out, 1, q, false, 0);
    CHECK(dns_message_read(wire, &a, &m, NULL) && !m.edns.present && !m.header.recursion_desired);
    CHECK_INT(dns_query_build(out, 20, 1, q, false, 0).len, 0);
    arena_free(&a);
}

TEST(message_reply_with_sections_and_extended_error)
{
    arena a = arena_make(ARENA);
    unsigned char out[DNS_UDP_MAX];
    dns_builder b;
    dns_edns edns = {.present = true, .udp_size = 1232, .has_ede = true, .ede = DNS_EDE_STALE_ANSWER,
                     .ede_text = S("작은 인터넷")};
    dns_header h = {.id = 7, .response = true, .authoritative = true, .rcode = DNS_BADVERS};
    dns_record r[] = {record(&a, "www.ibm.com", DNS_CNAME, "servereast.backup2.ibm.com."),
                      record(&a, "servereast.backup2.ibm.com", DNS_A, "192.0.2.7"),
                      record(&a, "ibm.com", DNS_NS, "ns.ibm.com."), record(&a, "ns.ibm.com", DNS_A, "192.0.2.53")};
    dns_build_start(&b, out, sizeof out, h, &edns);
    dns_build_question(&b, (dns_question){r[0].name, DNS_A, DNS_CLASS_IN});
    CHECK(dns_build_record(&b, DNS_ANSWER, &r[0]) && dns_build_record(&b, DNS_ANSWER, &r[1]));
    CHECK(dns_build_record(&b, DNS_AUTHORITY, &r[2]) && dns_build_record(&b, DNS_ADDITIONAL, &r[3]));
    str wire = dns_build_end(&b, &edns);
    dns_message m;
    const char *why = "";
    if (!dns_message_read(wire, &a, &m, &why))
        test_failed(__FILE__, __LINE__, "%s", why);
    CHECK(m.header.rcode == DNS_BADVERS && m.header.authoritative && m.header.response);
    CHECK(m.count[DNS_ANSWER] == 2 && m.count[DNS_AUTHORITY] == 1 && m.count[DNS_ADDITIONAL] == 1);
    for (int i = 0; i < 4; i++) {
        CHECK_ROW(i, dns_name_eq(m.record[i].name, r[i].name) && m.record[i].type == r[i].type && m.record[i].ttl == 300);
        CHECK_ROW(i, str_eq_nocase(m.record[i].rdata, r[i].rdata));
    }
    CHECK(m.edns.has_ede && m.edns.ede == DNS_EDE_STALE_ANSWER);
    CHECK_STR(m.edns.ede_text, edns.ede_text);
    arena_free(&a);
}

TEST(message_builder_never_leaves_half_a_record)
{
    arena a = arena_make(ARENA);
    dns_record r = record(&a, "a.long.name.example.org", DNS_TXT, "\"some text that takes a while\"");
    dns_edns edns = {.present = true, .udp_size = 1232, .has_ede = true, .ede_text = S("a sentence that may be cut")};
    for (size_t size = 0; size < 400; size++) {
        unsigned char out[400];
        dns_builder b;
        dns_message m;
        int fit = 0;
        dns_build_start(&b, out, size, (dns_header){.id = 1, .response = true}, &edns);
        dns_build_question(&b, (dns_question){r.name, DNS_TXT, DNS_CLASS_IN});
        while (fit < 100 && dns_build_record(&b, DNS_ANSWER, &r))
            fit++;
        str wire = dns_build_end(&b, &edns);
        CHECK_ROW(size, wire.len <= (ptrdiff_t)size);
        CHECK_ROW(size, wire.len == 0 || (dns_message_read(wire, &a, &m, NULL) && m.count[DNS_ANSWER] == fit && m.edns.present));
        CHECK_ROW(size, size < 60 || wire.len > 0);
    }
    arena_free(&a);
}

TEST(message_builder_takes_back_a_set)
{
    arena a = arena_make(ARENA);
    unsigned char out[512];
    dns_builder b;
    dns_message m;
    dns_record kept = record(&a, "kept.example", DNS_A, "192.0.2.1"), gone = record(&a, "gone.other", DNS_NS, "x.gone.other.");
    dns_build_start(&b, out, sizeof out, (dns_header){.response = true}, NULL);
    CHECK(dns_build_record(&b, DNS_ANSWER, &kept));
    dns_mark mark = dns_build_mark(&b);
    CHECK(dns_build_record(&b, DNS_ANSWER, &gone) && dns_build_record(&b, DNS_AUTHORITY, &gone));
    dns_build_rewind(&b, mark);
    CHECK(dns_build_record(&b, DNS_AUTHORITY, &gone));      // must not point to what was taken back
    CHECK(dns_message_read(dns_build_end(&b, NULL), &a, &m, NULL));
    CHECK(m.count[DNS_ANSWER] == 1 && m.count[DNS_AUTHORITY] == 1 && dns_name_eq(m.record[1].name, gone.name));
    CHECK(str_eq(m.record[1].rdata, gone.rdata));
    arena_free(&a);
}

#define HEAD(counts) "\0\7\0\0" counts
#define ROOT_QUESTION "\0\0\1\0\1"

TEST(message_hostile_bytes_are_refused)
{
    static const struct { const char *why; const char *wire; int len; } rows[] = {
        {"empty", "", 0},
        {"half a header", "\0\7\0\0\0\1", 6},
        {"a question that is not there", HEAD("\0\1\0\0\0\0\0\0"), 12},
        {"two questions", HEAD("\0\2\0\0\0\0\0\0") ROOT_QUESTION ROOT_QUESTION, 22},
        {"65535 records announced", HEAD("\0\1\377\377\0\0\0\0") ROOT_QUESTION, 17},
        {"all counts 65535", HEAD("\0\1\377\377\377\377\377\377") ROOT_QUESTION, 17},
        {"a question name that points at itself", HEAD("\0\1\0\0\0\0\0\0") "\300\14\0\1\0\1", 18},
        {"a question name that points forward", HEAD("\0\1\0\0\0\0\0\0") "\300\16\0\1\0\1", 18},
        {"bytes behind the end", HEAD("\0\1\0\0\0\0\0\0") ROOT_QUESTION "x", 18},
        {"rdata past the end", HEAD("\0\0\0\1\0\0\0\0") "\0\0\1\0\1\0\0\0\0\0\5\1\2\3\4", 27},
        {"an A of 3 bytes", HEAD("\0\0\0\1\0\0\0\0") "\0\0\1\0\1\0\0\0\0\0\3\1\2\3", 26},
        {"an empty A of class IN", HEAD("\0\0\0\1\0\0\0\0") "\0\0\1\0\1\0\0\0\0\0\0", 23},
        {"two OPT records", HEAD("\0\0\0\0\0\0\0\2") "\0\0\51\4\0\0\0\0\0\0\0" "\0\0\51\4\0\0\0\0\0\0\0", 34},
        {"an OPT record not at the root", HEAD("\0\0\0\0\0\0\0\1") "\1a\0\0\51\4\0\0\0\0\0\0\0", 25},
        {"an OPT record in the answer", HEAD("\0\0\0\1\0\0\0\0") "\0\0\51\4\0\0\0\0\0\0\0", 23},
        {"an option past the OPT record", HEAD("\0\0\0\0\0\0\0\1") "\0\0\51\4\0\0\0\0\0\0\4\0\12\0\1", 27},
        {"an extended error of one byte", HEAD("\0\0\0\0\0\0\0\1") "\0\0\51\4\0\0\0\0\0\0\5\0\17\0\1x", 28},
    };
    arena a = arena_make(ARENA);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        dns_message m;
        const char *why = NULL;
        if (dns_message_read(str_of(rows[i].wire, (size_t)rows[i].len), &a, &m, &why) || !why)
            test_failed(__FILE__, __LINE__, "row %zu accepted: %s", i, rows[i].why);
        CHECK_ROW(i, rows[i].len < 12 || m.header.id == 7);
    }
    arena_free(&a);
}

TEST(message_many_edns_options_are_refused)
{
    arena a = arena_make(ARENA);
    for (int options = 0; options <= 40; options++) {
        unsigned char out[512];
        dns_message m;
        writer w = wr_into(out, sizeof out);
        wr_bytes(&w, S(HEAD("\0\0\0\0\0\0\0\1") "\0\0\51\4\0\0\0\0\0"));
        wr_u16(&w, (unsigned)options * 4);
        for (int i = 0; i < options; i++)
            wr_u32(&w, 3u << 16);                          // an empty NSID
        CHECK_ROW(options, dns_message_read(wr_str(&w), &a, &m, NULL) == (options <= DNS_EDNS_OPTIONS_MAX));
    }
    arena_free(&a);
}

TEST(message_compression_flood_stays_bounded)
{
    // A message full of NS records whose names each expand to 255 bytes from 2: refused or read within the arena's
    // ceiling, never beyond it.
    static unsigned char out[DNS_MESSAGE_MAX];
    arena a = arena_make(256 * 1024);
    writer w = wr_into(out, sizeof out);
    wr_bytes(&w, S(HEAD("\0\0\3\377\0\0\0\0")));
    for (int i = 0; i < 4; i++) {
        wr_u8(&w, i == 3 ? 61 : 63);
        for (int n = 0; n < (i == 3 ? 61 : 63); n++)
            wr_u8(&w, 'x');
    }
    wr_u8(&w, 0);
    wr_bytes(&w, S("\0\2\0\1\0\0\0\0\0\2\300\14"));
    while (wr_left(&w) >= 14)
        wr_bytes(&w, S("\300\14\0\2\0\1\0\0\0\0\0\2\300\14"));
    dns_message m;
    const char *why = NULL;
    CHECK(!dns_message_read(wr_str(&w), &a, &m, &why) && why);
    CHECK(a.used_bytes <= 256 * 1024);
    arena_free(&a);
}

TEST(message_bare_replies)
{
    arena a = arena_make(ARENA);
    unsigned char query[128], out[512];
    dns_message m;
    dns_question q = {name(&a, "a.b"), DNS_A, DNS_CLASS_IN};
    str wire = dns_query_build(query, sizeof query, 99, q, true, 0);
    str reply = dns_reply_bare(out, sizeof out, wire, DNS_NOTIMP);
    CHECK(dns_message_read(reply, &a, &m, NULL) && m.header.id == 99 && m.header.response && m.header.rcode == DNS_NOTIMP);
    CHECK(m.header.recursion_desired && m.has_question && dns_question_eq(m.question, q));
    reply = dns_reply_bare(out, sizeof out, str_first(wire, 15), DNS_FORMERR);
    CHECK(dns_message_read(reply, &a, &m, NULL) && !m.has_question && m.header.rcode == DNS_FORMERR && m.header.id == 99);
    CHECK_INT(dns_reply_bare(out, sizeof out, reply, DNS_FORMERR).len, 0);        // never answer an answer
    CHECK_INT(dns_reply_bare(out, sizeof out, S("short"), DNS_FORMERR).len, 0);
    arena_free(&a);
}
