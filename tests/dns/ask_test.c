#include "stage.h"

#include "rt/conn.h"

static const stage_zone zones[] = {
    {".", "$TTL 60\n@ SOA a b 1 2 3 4 5\n@ NS a.\na. A 10.0.0.1\nmany. A 10.2.0.1\nmany. A 10.2.0.2\nmany. AAAA 2001:db8::1\nalias. CNAME many.\n"
          "mail. MX 20 second.\nmail. MX 10 first.\nmail. MX 20 third.\nnull. MX 0 .\nbare. A 10.2.0.9\ntext. TXT \"hello\"\n"},
};

static void addresses(stage *t)
{
    addr out[8], server = stage_address(1);
    int count;
    stage_server(t, "root", 1, zones, 1, "");
    stage_resolver(t, "");
    dns_answer a = dns_ask_addresses(t->client, &t->resolver, 1, S("alias"), out, 8, &count, seconds(10), &t->memory);
    CHECK_INT(a.verdict, DNS_FOUND);
    CHECK_INT(count, 3);
    CHECK(out[0].family == 4 && out[1].family == 4 && out[2].family == 6);         // the client has IPv4 only
    a = dns_ask_addresses(t->client, &t->resolver, 1, S("nowhere"), out, 8, &count, seconds(10), &t->memory);
    CHECK(a.verdict == DNS_NO_NAME && count == 0 && a.rcode == DNS_NXDOMAIN);
    a = dns_ask_addresses(t->client, &t->resolver, 1, S("text"), out, 8, &count, seconds(10), &t->memory);
    CHECK(a.verdict == DNS_NO_DATA && count == 0);
    a = dns_ask_addresses(t->client, &t->resolver, 1, S("many"), out, 2, &count, seconds(10), &t->memory);
    CHECK(a.verdict == DNS_FOUND && count == 2);
    a = dns_ask(t->client, &server, 1, S("a..b"), DNS_A, seconds(10), &t->memory);
    CHECK(a.verdict == DNS_NO_NAME && a.why.len > 0);
}

TEST(ask_addresses_of_a_host) { stage_play(1, addresses, NULL); }

static void exchangers(stage *t)
{
    mail_exchanger x[8];
    int count, second_first = 0;
    bool null_mx;
    stage_server(t, "root", 1, zones, 1, "");
    stage_resolver(t, "");
    for (int i = 0; i < 20; i++) {
        dns_answer a = dns_ask_mail(t->client, &t->resolver, 1, S("mail"), x, 8, &count, &null_mx, seconds(10), &t->memory);
        CHECK(a.verdict == DNS_FOUND && count == 3 && !null_mx);
        CHECK_STR(x[0].host, S("first"));
        CHECK(x[1].preference == 20 && x[2].preference == 20);
        second_first += str_eq(x[1].host, S("second"));
    }
    CHECK(second_first > 2 && second_first < 18);          // equal preferences in any order
    dns_answer a = dns_ask_mail(t->client, &t->resolver, 1, S("bare"), x, 8, &count, &null_mx, seconds(10), &t->memory);
    CHECK(a.verdict == DNS_FOUND && count == 1 && !null_mx);
    CHECK_STR(x[0].host, S("bare"));                       // the implicit MX
    a = dns_ask_mail(t->client, &t->resolver, 1, S("null"), x, 8, &count, &null_mx, seconds(10), &t->memory);
    CHECK(a.verdict == DNS_FOUND && count == 0 && null_mx);
    a = dns_ask_mail(t->client, &t->resolver, 1, S("nowhere"), x, 8, &count, &null_mx, seconds(10), &t->memory);
    CHECK(a.verdict == DNS_NO_NAME && count == 0 && !null_mx);
}

TEST(ask_mail_exchangers_of_a_domain) { stage_play(1, exchangers, NULL); }

static void silence(stage *t)
{
    addr both[2] = {addr_with_port(stage_address(77), DNS_PORT), t->resolver};
    int64_t before = world_now_ns(t->client);
    dns_answer a = dns_ask(t->client, both, 1, S("many"), DNS_A, seconds(6), &t->memory);
    CHECK(a.verdict == DNS_TROUBLE && a.error != E_OK);
    CHECK(str_starts(a.why, S("no answer from 10.0.0.77:53")));
    CHECK(world_now_ns(t->client) - before <= seconds(7));
    stage_server(t, "root", 1, zones, 1, "");
    stage_resolver(t, "");
    a = dns_ask(t->client, both, 2, S("many"), DNS_A, seconds(6), &t->memory);     // the second one answers
    CHECK_INT(a.verdict, DNS_FOUND);
    CHECK_INT(a.ttl_s, 60);
}

TEST(ask_goes_on_to_the_next_server) { stage_play(1, silence, NULL); }

// RFC 7766: several queries in one connection, all sent before the first answer is read.
static void pipelined(stage *t)
{
    enum { QUERIES = 20 };
    stage_server(t, "root", 1, zones, 1, "");
    conn *c = conn_open(t->client, addr_with_port(stage_address(1), DNS_PORT), seconds(5));
    conn_deadline(c, seconds(5));
    for (int i = 0; i < QUERIES; i++) {
        unsigned char query[128] = {0};
        dns_question q = {stage_name(t, i % 2 ? "many" : "text"), i % 2 ? DNS_A : DNS_TXT, DNS_CLASS_IN};
        str wire = dns_query_build(query + 2, sizeof query - 2, (uint16_t)(100 + i), q, false, 0);
        query[1] = (unsigned char)wire.len;
        conn_put(c, str_of(query, 2 + (size_t)wire.len));
    }
    CHECK(conn_flush(c));
    for (int i = 0; i < QUERIES; i++) {
        unsigned char length[2], reply[512];
        dns_message m;
        CHECK_ROW(i, conn_read(c, length, 2) && conn_read(c, reply, (size_t)length[1]));
        CHECK_ROW(i, dns_message_read(str_of(reply, length[1]), &t->memory, &m, NULL) && m.header.id == 100 + i);
        CHECK_ROW(i, m.count[DNS_ANSWER] == (i % 2 ? 2 : 1));
    }
    int64_t before = world_now_ns(t->client);
    unsigned char more;
    conn_deadline(c, seconds(60));
    CHECK(!conn_read(c, &more, 1) && c->error == E_EOF);   // idle connections are closed
    CHECK(world_now_ns(t->client) - before < seconds(15));
    conn_close(c);
}

TEST(dns_over_tcp_answers_many_queries_in_one_connection) { stage_play(1, pipelined, NULL); }

static void garbage(stage *t)
{
    static const struct { const char *bytes; int len; } rows[] = {{"\0\3abc", 5}, {"\0\0", 2}, {"\377\377x", 3}, {"GET / HTTP/1.1\r\n\r\n", 18}};
    stage_server(t, "root", 1, zones, 1, "");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        conn *c = conn_open(t->client, addr_with_port(stage_address(1), DNS_PORT), seconds(5));
        unsigned char more;
        int64_t before = world_now_ns(t->client);
        conn_deadline(c, seconds(60));
        conn_put(c, str_of(rows[i].bytes, (size_t)rows[i].len));
        CHECK_ROW(i, conn_flush(c) && !conn_read(c, &more, 1) && c->error != E_TIMEOUT);
        CHECK_ROW(i, world_now_ns(t->client) - before < seconds(25));
        conn_close(c);
    }
}

TEST(dns_over_tcp_drops_garbage_and_slow_peers) { stage_play(1, garbage, NULL); }
