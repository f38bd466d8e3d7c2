// EDNS Client Subnet (RFC 7871) from a client through the resolver to a zone's servers: who is told what, for whom an answer is kept, and
// what forgers, liars and floods get out of it.
#include "stage.h"

#include <string.h>

#include "rooms/resolver/resolve.h"

#define APEX "$TTL 3600\n@ SOA ns root 1 2 3 4 60\n@ NS ns\nns A "

enum { ROOT = 1, CDN = 6, PLAIN = 7, EARLIER = 8 };

static const stage_zone root_zone[] = {{".",
    "$TTL 3600\n@ SOA a.root. root. 1 2 3 4 60\n@ NS a.root.\na.root. A 10.0.0.1\ncdn.test. NS ns.cdn.test.\nns.cdn.test. A 10.0.0.6\n"
    "plain. NS ns.plain.\nns.plain. A 10.0.0.7\nother.test. NS ns.other.test.\nns.other.test. A 10.0.0.7\n"}};
static const stage_zone plain_zone[] = {{"plain", APEX "10.0.0.7\nwww A 10.1.0.1\nvideo CNAME video.cdn.test.\n"},
    {"other.test", APEX "10.0.0.7\nvideo A 10.1.0.9\n"}};
static const char told[] = "subnet cdn.test other.test\nsubnet-from 10.0.0.0/8\n";

// The CDN's server: an address that tells which network it was asked for, good for `scope` bits.
typedef struct {
    int scope;
    bool forger, silent_of_it, missing;
    dns_subnet last;
    int with, without;                       // queries that named a network, that did not
} cdn;

static size_t cdn_reply(stage *t, const dns_message *asked, unsigned char *out, dns_subnet whom)
{
    cdn *c = t->arg;
    unsigned char ip[4] = {10, 9, whom.network.ip[2], whom.source};
    dns_builder b;
    dns_edns edns = {.present = true, .udp_size = 1232, .has_subnet = asked->edns.has_subnet && !c->silent_of_it, .subnet = whom};
    dns_header h = {.id = asked->header.id, .response = true, .authoritative = true, .rcode = c->missing ? DNS_NXDOMAIN : DNS_NOERROR};
    dns_record r = {asked->question.name, DNS_A, DNS_CLASS_IN, 60, str_of(ip, 4)};
    edns.subnet.scope = asked->edns.has_subnet ? (uint8_t)c->scope : 0;
    dns_build_start(&b, out, 1400, h, &edns);
    dns_build_question(&b, asked->question);
    if (!c->missing)
        dns_build_record(&b, DNS_ANSWER, &r);
    return (size_t)dns_build_end(&b, &edns).len;
}

static size_t cdn_answer(stage *t, sock *s, const datagram *query, const dns_message *asked, unsigned char *out)
{
    cdn *c = t->arg;
    *(asked->edns.has_subnet ? &c->with : &c->without) += 1;
    c->last = asked->edns.subnet;
    if (c->forger) {
        unsigned char forged[1400];
        int sent;
        dns_subnet other = dns_subnet_of(addr_v4(0x01020300, 0), asked->edns.subnet.source);
        datagram v = {.peer = query->peer, .local = query->local, .at = forged, .size = sizeof forged};
        v.len = cdn_reply(t, asked, forged, other);
        sock_send(s, &v, 1, &sent);
    }
    return cdn_reply(t, asked, out, asked->edns.subnet);
}

static void world_with(stage *t, const char *settings)
{
    stage_server(t, "root", ROOT, root_zone, 1, "");
    stage_server(t, "plain", PLAIN, plain_zone, 2, "subnet off\n");
    stage_odd_server(t, "cdn", CDN, cdn_answer);
    stage_resolver(t, settings);
}

// Asks for a client in a network ("": says nothing of it); the first address, and the reply in *out.
static str ask_for(stage *t, const char *name, const char *network, dns_message *out)
{
    dns_message m;
    dns_asking asking = {.question = {stage_name(t, name), DNS_A, DNS_CLASS_IN}, .recursion_desired = true, .has_subnet = *network != 0};
    CHECK(!*network || dns_subnet_from_text(str_z(network), &asking.subnet));
    dns_exchanged x = dns_exchange(t->client, t->resolver, asking, seconds(15), &t->memory);
    CHECK_INT(x.error, E_OK);
    m = x.message;
    if (out)
        *out = m;
    for (int i = 0; i < m.count[DNS_ANSWER]; i++)
        if (dns_message_record(&m, DNS_ANSWER, i)->type == DNS_A)
            return dns_rdata_text(&t->memory, DNS_A, dns_message_record(&m, DNS_ANSWER, i)->rdata);
    return dns_rcode_text(&t->memory, m.header.rcode);
}

// How many queries to a host named a client's network.
static int named_to(int number)
{
    static story_event events[STORY_RING_EVENTS];
    int count = story_read(0, events, STORY_RING_EVENTS), named = 0;
    for (int i = 0; i < count; i++)
        named += events[i].direction == STORY_OUT && addr_eq_ip(events[i].peer, stage_address(number)) && strstr(events[i].line, "client in");
    return named;
}

static void play_scopes(stage *t)
{
    static const struct { const char *network, *want; int with; } rows[] = {
        {"198.51.100.77", "10.9.100.24", 1},         // 24 bits are told
        {"198.51.111.3/32", "10.9.100.24", 1},       // the answer was good for /20: kept for it
        {"198.51.96.0/24", "10.9.100.24", 1}, {"198.51.112.0/24", "10.9.112.24", 2}, {"198.51.80.0/22", "10.9.80.22", 3},
        {"198.51.112.0/16", "10.9.0.16", 4},         // fewer bits than the scope: not in it
        {"198.51.112.9", "10.9.112.24", 4}, {"198.51.111.3", "10.9.100.24", 4},
    };
    cdn *c = t->arg;
    dns_message m;
    world_with(t, told);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK_STR(ask_for(t, "video.cdn.test", rows[i].network, &m), str_z(rows[i].want));
        CHECK_ROW(i, c->with == rows[i].with && c->without == 0 && m.edns.has_subnet && m.edns.subnet.scope <= 20);
    }
    CHECK(named_to(ROOT) == 0 && named_to(PLAIN) == 0);
}

TEST(subnet_answers_are_kept_for_their_scope) { stage_play(1, play_scopes, &(cdn){.scope = 20}); }

static void play_scope_too_long(stage *t)
{
    cdn *c = t->arg;
    dns_message m;
    world_with(t, told);
    CHECK_STR(ask_for(t, "video.cdn.test", "198.51.100.1", &m), S("10.9.100.24"));
    CHECK(m.edns.subnet.scope == 24);
    CHECK_STR(ask_for(t, "video.cdn.test", "198.51.100.200", &m), S("10.9.100.24"));
    CHECK(c->with == 1 && c->last.source == 24);
    CHECK_STR(ask_for(t, "video.cdn.test", "2001:db8:5:1ff::1", NULL), S("10.9.13.56"));
    CHECK(c->last.source == 56);
}

TEST(subnet_scope_longer_than_what_was_told_counts_as_that) { stage_play(1, play_scope_too_long, &(cdn){.scope = 32}); }

static void play_for_everybody(stage *t)
{
    cdn *c = t->arg;
    world_with(t, told);
    CHECK_STR(ask_for(t, "video.cdn.test", "198.51.100.1", NULL), S("10.9.100.24"));
    CHECK_STR(ask_for(t, "video.cdn.test", "192.0.2.1", NULL), S("10.9.100.24"));
    CHECK_STR(ask_for(t, "video.cdn.test", "", NULL), S("10.9.100.24"));
    CHECK(c->with == 1 && c->without == 0);
}

TEST(subnet_scope_0_is_for_everybody) { stage_play(1, play_for_everybody, &(cdn){.scope = 0}); }

static void play_untold(stage *t)
{
    cdn *c = t->arg;
    dns_message m;
    world_with(t, told);
    CHECK_STR(ask_for(t, "video.cdn.test", "198.51.100.1", NULL), S("10.9.100.24"));
    CHECK_STR(ask_for(t, "video.cdn.test", "0", &m), S("10.9.0.0"));           // "tell nobody": asked anew, and nobody is told
    CHECK(c->with == 1 && c->without == 1 && m.edns.has_subnet && m.edns.subnet.scope == 0);
    CHECK_STR(ask_for(t, "video.cdn.test", "0", NULL), S("10.9.0.0"));
    CHECK_STR(ask_for(t, "video.cdn.test", "", &m), S("10.9.0.0"));            // 10.0.0.200 means nothing outside
    CHECK(c->with == 1 && c->without == 1 && !m.edns.has_subnet);
    CHECK_STR(ask_for(t, "video.cdn.test", "192.0.2.1", NULL), S("10.9.2.24"));         // what the untold got is not for him
}

TEST(subnet_of_whom_nothing_is_told_is_apart) { stage_play(1, play_untold, &(cdn){.scope = 24}); }

static void play_off(stage *t)
{
    cdn *c = t->arg;
    dns_message m;
    world_with(t, "");
    CHECK_STR(ask_for(t, "video.cdn.test", "198.51.100.1", &m), S("10.9.0.0"));
    CHECK_STR(ask_for(t, "video.cdn.test", "192.0.2.1", NULL), S("10.9.0.0"));
    CHECK(c->with == 0 && c->without == 1 && !m.edns.has_subnet);
}

TEST(subnet_is_off_where_no_zone_is_named) { stage_play(1, play_off, &(cdn){.scope = 24}); }

static void play_stranger(stage *t)
{
    cdn *c = t->arg;
    dns_message m;
    world_with(t, "subnet cdn.test\n");
    CHECK_STR(ask_for(t, "video.cdn.test", "198.51.100.1", &m), S("10.9.0.0"));         // he may not speak for others
    CHECK(c->with == 0 && !m.edns.has_subnet);
}

TEST(subnet_is_believed_of_forwarders_alone) { stage_play(1, play_stranger, &(cdn){.scope = 24}); }

static void play_forger(stage *t)
{
    cdn *c = t->arg;
    world_with(t, told);
    CHECK_STR(ask_for(t, "video.cdn.test", "198.51.100.1", NULL), S("10.9.100.24"));
    CHECK(c->with == 1);
}

TEST(subnet_reply_for_another_network_is_not_heard) { stage_play(1, play_forger, &(cdn){.scope = 24, .forger = true}); }

static void play_ignored(stage *t)
{
    world_with(t, told);
    stage_forget();
    CHECK_STR(ask_for(t, "video.other.test", "198.51.100.1", NULL), S("10.1.0.9"));
    CHECK_INT(stage_asked(t, PLAIN), 2);                   // told over UDP, not repeated; then untold, over TCP
    CHECK_STR(ask_for(t, "video.other.test", "192.0.2.1", NULL), S("10.1.0.9"));
    CHECK_INT(stage_asked(t, PLAIN), 2);
    CHECK_STR(ask_for(t, "none.other.test", "198.51.100.1", NULL), S("NXDOMAIN"));
    CHECK_INT(stage_asked(t, PLAIN), 3);                   // that it passes networks over is remembered: TCP at once
    fiber_sleep(seconds(SERVER_SUBNETLESS_S + 1));
    CHECK_STR(ask_for(t, "gone.other.test", "198.51.100.1", NULL), S("NXDOMAIN"));
    CHECK_INT(stage_asked(t, PLAIN), 5);                   // but not for ever
}

TEST(subnet_reply_that_does_not_repeat_it_is_fetched_over_tcp) { stage_play(1, play_ignored, &(cdn){0}); }

static void play_silent(stage *t)
{
    cdn *c = t->arg;
    world_with(t, told);                                   // no TCP there either: nothing that a forger could say counts
    CHECK_STR(ask_for(t, "video.cdn.test", "198.51.100.1", NULL), S("SERVFAIL"));
    CHECK(c->with > 0 && c->with <= WORK_QUERIES_MAX);
}

TEST(subnet_reply_that_does_not_repeat_it_counts_for_nothing) { stage_play(1, play_silent, &(cdn){.silent_of_it = true}); }

static void play_flood(stage *t)
{
    cdn *c = t->arg;
    world_with(t, told);
    for (int i = 0; i < 250; i++) {
        char network[32], want[32];
        snprintf(network, sizeof network, "198.51.%d.1", i);
        snprintf(want, sizeof want, "10.9.%d.24", i);
        str got = ask_for(t, "video.cdn.test", network, NULL);
        CHECK_ROW(i, str_eq(got, i < CACHE_SUBNETS_MAX ? str_z(want) : S("10.9.0.0")));
    }
    CHECK_INT(c->with, CACHE_SUBNETS_MAX);
    CHECK_INT(c->without, 1);
    CHECK_STR(ask_for(t, "video.cdn.test", "198.51.7.9", NULL), S("10.9.7.24"));        // who came before is not driven out
    fiber_sleep(seconds(61));
    CHECK_STR(ask_for(t, "video.cdn.test", "198.51.200.9", NULL), S("10.9.200.24"));    // and room comes back
}

TEST(subnet_flood_of_networks_has_a_ceiling) { stage_play(1, play_flood, &(cdn){.scope = 24}); }

static void play_missing(stage *t)
{
    cdn *c = t->arg;
    world_with(t, told);
    CHECK_STR(ask_for(t, "none.cdn.test", "198.51.100.1", NULL), S("NXDOMAIN"));
    CHECK(c->with == 1);
}

TEST(subnet_of_what_does_not_exist) { stage_play(1, play_missing, &(cdn){.scope = 24, .missing = true}); }

typedef struct { stage *stage; const char *network; str got; gate *done; int *left; } asker;

static void ask_fiber(void *arg)
{
    asker *a = arg;
    fiber_world(a->stage->client);
    a->got = ask_for(a->stage, "video.plain", a->network, NULL);
    --*a->left;
    gate_wake_all(a->done);
}

// Two clients at once, an alias that leads to the CDN: what is the same for both is asked once.
static void play_alias(stage *t)
{
    cdn *c = t->arg;
    gate done = {0};
    int left = 3;
    asker a[] = {{t, "198.51.100.1", {0}, &done, &left}, {t, "192.0.2.1", {0}, &done, &left}, {t, "198.51.100.99", {0}, &done, &left}};
    world_with(t, told);
    stage_forget();
    for (int i = 0; i < 3; i++)
        CHECK_INT(scope_go(&t->life, "asker", ask_fiber, &a[i]), E_OK);
    while (left && gate_wait(&done, NEVER_NS, "askers") == E_OK)
        ;
    CHECK_STR(a[0].got, S("10.9.100.24"));
    CHECK_STR(a[1].got, S("10.9.2.24"));
    CHECK_STR(a[2].got, S("10.9.100.24"));
    CHECK_INT(stage_asked(t, PLAIN), 1);
    CHECK_INT(c->with, 2);
}

TEST(subnet_behind_an_alias_shares_what_it_can) { stage_play(1, play_alias, &(cdn){.scope = 24}); }

TEST(subnet_zones_are_neither_the_root_nor_top_level)
{
    subnet_zones z = {0};
    CHECK(!subnet_zones_add(&z, dns_root) && !subnet_zones_add(&z, S("\3com\0")) && subnet_zones_add(&z, S("\7kingcdn\3com\0")));
    for (int i = 1; i < RESOLVER_SUBNET_ZONES_MAX; i++)
        CHECK(subnet_zones_add(&z, S("\1a\1b\0")));
    CHECK(!subnet_zones_add(&z, S("\1a\1b\0")) && z.count == RESOLVER_SUBNET_ZONES_MAX);
}
