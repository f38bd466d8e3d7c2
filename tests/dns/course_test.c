// The course's scenes about names, on the authoritative server and the resolver in the simulator.
#include "stage.h"

#define APEX(ns) "$TTL 3600\n@ SOA " ns " root 1 2h 1h 2w 60\n@ NS " ns "\n"

static const stage_zone root_zone[] = {{".",
    APEX("a.root-servers.net.") "a.root-servers.net. A 10.0.0.1\ncom. NS a.gtld.net.\na.gtld.net. A 10.0.0.2\n"
    "edu. NS a.edu.\na.edu. A 10.0.0.3\nkr. NS a.kr.\na.kr. A 10.0.0.8\n"}};
static const stage_zone com_zone[] = {{"com",
    APEX("a.gtld.net.") "amazon NS ns1.amazon\nns1.amazon A 10.0.0.4\nibm NS ns.ibm\nns.ibm A 10.0.0.5\n"
    "naver NS ns1.naver\nnaver NS ns2.naver\nns1.naver A 10.0.0.6\nns2.naver A 10.0.0.7\n"}};
static const stage_zone edu_zone[] = {{"edu", APEX("a") "a A 10.0.0.3\numass NS dns.umass\ndns.umass A 10.0.0.9\n"}};
static const stage_zone kr_zone[] = {{"kr", APEX("a") "a A 10.0.0.8\nschlot.ac NS ns.schlot.ac\nns.schlot.ac A 10.0.0.10\n"}};
static const stage_zone amazon_zone[] = {{"amazon.com", APEX("ns1") "ns1 A 10.0.0.4\nwww A 10.1.0.1\nwww AAAA 2001:db8::1\n@ MX 10 mail\nmail A 10.1.0.2\n"}};
static const stage_zone ibm_zone[] = {{"ibm.com", APEX("ns") "ns A 10.0.0.5\nwww CNAME servereast.backup2\nservereast.backup2 A 10.1.1.1\n"
                                                  "shop CNAME www.amazon.com.\nlost CNAME nothing.amazon.com.\n"}};
static const stage_zone naver_zone[] = {{"naver.com", "$TTL 60\n@ SOA ns1 root 1 2 3 4 60\n@ NS ns1\n@ NS ns2\nns1 A 10.0.0.6\nns2 A 10.0.0.7\n"
    "@ A 210.89.160.88\n@ A 125.209.222.142\n@ A 210.89.164.90\n@ A 125.209.222.141\n"}};
static const stage_zone umass_zone[] = {{"umass.edu", APEX("dns") "dns A 10.0.0.9\ngaia.cs A 128.119.245.12\n"}};
static const stage_zone schlot_zone[] = {{"schlot.ac.kr", "$TTL 100\n@ SOA ns root 1 2 3 4 60\n@ NS ns\nns A 10.0.0.10\nwww A 10.10.10.10\n"}};
#define SCHLOT_LATER "$TTL 100\n@ SOA ns root 2 2 3 4 60\n@ NS ns\nns A 10.0.0.10\nwww A 11.11.11.11\n"

enum { ROOT = 1, COM = 2, EDU = 3, AMAZON = 4, IBM = 5, NAVER1 = 6, NAVER2 = 7, KR = 8, UMASS = 9, SCHLOT = 10 };

static const struct { const char *name; int number; const stage_zone *zone; } servers[] = {
    {"root", ROOT, root_zone}, {"com", COM, com_zone}, {"edu", EDU, edu_zone}, {"amazon.com", AMAZON, amazon_zone},
    {"ibm.com", IBM, ibm_zone}, {"ns1.naver.com", NAVER1, naver_zone}, {"ns2.naver.com", NAVER2, naver_zone},
    {"kr", KR, kr_zone}, {"umass.edu", UMASS, umass_zone}, {"schlot.ac.kr", SCHLOT, schlot_zone},
};

static stage_host *server_of(stage *t, int number)
{
    for (int i = 0; i < t->count; i++)
        if (t->hosts[i].number == number)
            return &t->hosts[i];
    return NULL;
}

static void everybody(stage *t, const char *server_settings, const char *resolver_settings)
{
    for (size_t i = 0; i < sizeof servers / sizeof *servers; i++)
        stage_server(t, servers[i].name, servers[i].number, servers[i].zone, 1, server_settings);
    stage_resolver(t, resolver_settings);
    stage_forget();
}

static void iterated(stage *t)
{
    everybody(t, "", "");
    CHECK_STR(stage_ask(t, "gaia.cs.umass.edu", DNS_A, NULL), S("NOERROR gaia.cs.umass.edu. A 128.119.245.12"));
    CHECK(stage_asked(t, ROOT) == 1 && stage_asked(t, EDU) == 1 && stage_asked(t, UMASS) == 1 && stage_asked(t, COM) == 0);
}

TEST(course_n1_iterated_query) { stage_play(1, iterated, NULL); }

static void recursive(stage *t)
{
    uint64_t trace = story_trace_new();
    story_event events[16];
    everybody(t, "recurse 10.0.0.0/8", "recursive on");
    fiber_set_trace(trace);
    CHECK_STR(stage_ask(t, "gaia.cs.umass.edu", DNS_A, NULL), S("NOERROR gaia.cs.umass.edu. A 128.119.245.12"));
    // The local server asks the root alone; the root asks edu, edu asks umass: each one query on.
    CHECK(stage_asked(t, ROOT) == 1 && stage_asked(t, EDU) == 1 && stage_asked(t, UMASS) == 1);
    CHECK_INT(story_read(trace, events, 16), 8);           // four questions and their answers, one story
    CHECK_STR(stage_ask(t, "nothing.cs.umass.edu", DNS_A, NULL), S("NXDOMAIN"));
    CHECK_STR(stage_ask(t, "www.ibm.com", DNS_A, NULL),
              S("NOERROR www.ibm.com. CNAME servereast.backup2.ibm.com., servereast.backup2.ibm.com. A 10.1.1.1"));
}

TEST(course_n2_recursive_query) { stage_play(1, recursive, NULL); }

static void second_skips_root(stage *t)
{
    dns_message m;
    everybody(t, "", "");
    CHECK_STR(stage_ask(t, "www.amazon.com", DNS_A, NULL), S("NOERROR www.amazon.com. A 10.1.0.1"));
    CHECK(stage_asked(t, ROOT) == 1 && stage_asked(t, COM) == 1 && stage_asked(t, AMAZON) == 1);
    stage_forget();
    CHECK_STR(stage_ask(t, "www.ibm.com", DNS_A, NULL),
              S("NOERROR www.ibm.com. CNAME servereast.backup2.ibm.com., servereast.backup2.ibm.com. A 10.1.1.1"));
    CHECK(stage_asked(t, ROOT) == 0 && stage_asked(t, COM) == 1 && stage_asked(t, IBM) == 1);
    stage_forget();
    fiber_sleep(seconds(10));
    CHECK_STR(stage_ask(t, "WWW.amazon.com", DNS_A, &m), S("NOERROR WWW.amazon.com. A 10.1.0.1"));
    CHECK(stage_asked(t, COM) == 0 && stage_asked(t, AMAZON) == 0);        // the answer itself is cached
    CHECK(m.record[0].ttl <= 3590 && m.record[0].ttl >= 3588);
    CHECK_STR(stage_ask(t, "www.amazon.com", DNS_AAAA, NULL), S("NOERROR www.amazon.com. AAAA 2001:db8::1"));
    CHECK(stage_asked(t, COM) == 0 && stage_asked(t, AMAZON) == 1);
}

TEST(course_n3_the_second_query_skips_the_root) { stage_play(1, second_skips_root, NULL); }

static void stale_until_ttl(stage *t)
{
    everybody(t, "", "");
    str why = {0};
    CHECK_STR(stage_ask(t, "www.schlot.ac.kr", DNS_A, NULL), S("NOERROR www.schlot.ac.kr. A 10.10.10.10"));
    int64_t learned = world_now_ns(t->client);
    CHECK(stage_zone_change(server_of(t, SCHLOT), "schlot.ac.kr", SCHLOT_LATER, &why));
    bool seen_new = false;
    while (world_now_ns(t->client) - learned < seconds(120)) {
        int64_t asked = world_now_ns(t->client);
        bool is_new = str_eq(stage_ask(t, "www.schlot.ac.kr", DNS_A, NULL), S("NOERROR www.schlot.ac.kr. A 11.11.11.11"));
        CHECK(!is_new || world_now_ns(t->client) - learned >= seconds(99));        // the old one until its time has passed
        CHECK(is_new || asked - learned < seconds(100));                           // and never after
        CHECK(is_new || !seen_new);
        seen_new |= is_new;
        fiber_sleep(millis(700));
    }
    CHECK(seen_new);
}

TEST(course_n4_stale_until_the_ttl_has_passed_and_never_after) { stage_play(1, stale_until_ttl, NULL); }

static void services(stage *t)
{
    everybody(t, "", "");
    CHECK_STR(stage_ask(t, "amazon.com", DNS_MX, NULL), S("NOERROR amazon.com. MX 10 mail.amazon.com."));
    CHECK_STR(stage_ask(t, "shop.ibm.com", DNS_A, NULL), S("NOERROR shop.ibm.com. CNAME www.amazon.com., www.amazon.com. A 10.1.0.1"));
    CHECK_STR(stage_ask(t, "lost.ibm.com", DNS_A, NULL), S("NXDOMAIN lost.ibm.com. CNAME nothing.amazon.com."));
    CHECK_STR(stage_ask(t, "shop.ibm.com", DNS_MX, NULL), S("NOERROR shop.ibm.com. CNAME www.amazon.com."));
    const char *first[4] = {"", "", "", ""};
    for (int i = 0; i < 4; i++) {                          // four askers, four different first addresses
        dns_message m;
        stage_ask(t, "naver.com", DNS_A, &m);
        CHECK_INT(m.count[DNS_ANSWER], 4);
        first[i] = str_to_z(&t->memory, dns_rdata_text(&t->memory, DNS_A, m.record[0].rdata));
        for (int j = 0; j < i; j++)
            CHECK_ROW(i, strcmp(first[i], first[j]) != 0);
    }
}

TEST(course_n5_aliases_mail_servers_and_load_distribution) { stage_play(1, services, NULL); }

static void servers_die(stage *t)
{
    everybody(t, "", "");
    CHECK(str_starts(stage_ask(t, "www.amazon.com", DNS_A, NULL), S("NOERROR www")));
    stage_kill(server_of(t, ROOT));                        // cached delegations still work
    CHECK(str_starts(stage_ask(t, "www.ibm.com", DNS_A, NULL), S("NOERROR www.ibm.com.")));
    CHECK(str_starts(stage_ask(t, "naver.com", DNS_MX, NULL), S("NOERROR")));
    stage_kill(server_of(t, NAVER1));                      // one of two: answers go on
    for (int i = 0; i < 6; i++) {
        int64_t before = world_now_ns(t->client);
        char name[32];
        snprintf(name, sizeof name, "no%d.naver.com", i);
        CHECK_STR(stage_ask(t, name, DNS_A, NULL), S("NXDOMAIN"));
        CHECK_ROW(i, world_now_ns(t->client) - before < seconds(2));
    }
    stage_kill(server_of(t, NAVER2));                      // both: a failure that says whose servers are silent
    str said = stage_ask(t, "more.naver.com", DNS_A, NULL);
    CHECK(str_starts(said, S("SERVFAIL | no ")) && str_find_str(said, S("the name servers of naver.com.")) > 0);
    CHECK(str_starts(stage_ask(t, "gaia.cs.umass.edu", DNS_A, NULL), S("SERVFAIL | no ")));      // the root is still dead
    stage_revive(server_of(t, ROOT));
    stage_revive(server_of(t, NAVER2));
    fiber_sleep(seconds(6));                               // failures are remembered for five seconds
    CHECK_STR(stage_ask(t, "more.naver.com", DNS_A, NULL), S("NXDOMAIN"));
    CHECK_STR(stage_ask(t, "gaia.cs.umass.edu", DNS_A, NULL), S("NOERROR gaia.cs.umass.edu. A 128.119.245.12"));
}

TEST(course_n8_the_root_and_one_of_two_servers_die) { stage_play(1, servers_die, NULL); }

static void explained(stage *t)
{
    everybody(t, "", "explain \"this is a small Internet: no such name here\"");
    CHECK_STR(stage_ask(t, "www.google.de", DNS_A, NULL), S("NXDOMAIN | this is a small Internet: no such name here"));
    CHECK_STR(stage_ask(t, "nothing.amazon.com", DNS_A, NULL), S("NXDOMAIN"));
    stage_forget();
    CHECK_STR(stage_ask(t, "www.google.de", DNS_AAAA, NULL), S("NXDOMAIN | this is a small Internet: no such name here"));
    CHECK_INT(stage_asked(t, ROOT), 0);                    // the negative answer is cached, for every type
    fiber_sleep(seconds(61));
    stage_ask(t, "www.google.de", DNS_A, NULL);
    CHECK_INT(stage_asked(t, ROOT), 1);                    // as long as the SOA says
}

TEST(course_a_name_that_the_small_internet_does_not_have) { stage_play(1, explained, NULL); }

static void root_servers(stage *t)
{
    dns_message m;
    everybody(t, "", "root a.root-servers.net 10.0.0.1\n");
    CHECK_STR(stage_ask(t, ".", DNS_NS, &m), S("NOERROR . NS a.root-servers.net."));
    CHECK_INT(m.count[DNS_ADDITIONAL], 1);                 // where a trace begins
    CHECK(dns_name_eq(m.record[1].name, stage_name(t, "a.root-servers.net")) && m.record[1].type == DNS_A);
}

TEST(course_the_resolver_tells_where_the_root_is) { stage_play(1, root_servers, NULL); }

static void reloads(stage *t)
{
    everybody(t, "", "");
    stage_host *h = server_of(t, SCHLOT);
    str why = {0};
    dns_asking asking = {.question = {stage_name(t, "www.schlot.ac.kr"), DNS_A, DNS_CLASS_IN}};
    CHECK(!stage_zone_change(h, "schlot.ac.kr", "$TTL 100\n@ SOA ns root 1 2 3 4 60\n@ NS ns\nwww A 10.10.10\n", &why));
    CHECK(str_starts(why, S("/zones/0.zone:4: an A record needs an IPv4 address")));
    dns_exchanged x = dns_exchange(t->client, stage_address(SCHLOT), asking, seconds(5), &t->memory);
    CHECK_STR(stage_summary(t, &x.message), S("NOERROR www.schlot.ac.kr. A 10.10.10.10"));     // the old zone goes on
    CHECK(x.message.header.authoritative);
    CHECK(stage_zone_change(h, "schlot.ac.kr", SCHLOT_LATER, &why));
    x = dns_exchange(t->client, stage_address(SCHLOT), asking, seconds(5), &t->memory);
    CHECK_STR(stage_summary(t, &x.message), S("NOERROR www.schlot.ac.kr. A 11.11.11.11"));
}

TEST(course_a_broken_zone_is_reported_and_the_old_one_goes_on) { stage_play(1, reloads, NULL); }
