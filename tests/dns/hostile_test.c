// Servers that lie, loop and flood: the reply is right or a failure that says why, and the work stays bounded.
#include "stage.h"

#include <string.h>

#include "rooms/resolver/resolve.h"

#define APEX "$TTL 3600\n@ SOA ns root 1 2 3 4 60\n@ NS ns\nns A "

enum { ROOT = 1, EVIL = 6, VICTIM = 7, SECOND = 8 };

// evil. belongs to the odd server at 10.0.0.6, victim. to an honest one at 10.0.0.7.
static const stage_zone root_zone[] = {{".",
    "$TTL 3600\n@ SOA a.root. root. 1 2 3 4 60\n@ NS a.root.\na.root. A 10.0.0.1\nevil. NS ns.evil.\nns.evil. A 10.0.0.6\n"
    "victim. NS ns.victim.\nns.victim. A 10.0.0.7\na-cycle. NS ns.b-cycle.\nb-cycle. NS ns.a-cycle.\n"
    "lonely. NS ns.lonely.\ntwo. NS ns.evil.\ntwo. NS ns.victim.\n"}};
static const stage_zone victim_zone[] = {{"victim", APEX "10.0.0.7\nwww A 10.1.0.1\nbig TXT "
    "\"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\" "
    "\"1123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\"\n"
    "big TXT \"2123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\" "
    "\"3123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\"\n"
    "big TXT \"4123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\" "
    "\"5123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\"\n"
    "big TXT \"6123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\" "
    "\"7123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\"\n"
    "big TXT \"8123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\" "
    "\"9123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\"\n"},
    {"two", APEX "10.0.0.7\nwww A 10.1.0.2\n"}};

static stage_host *world_with(stage *t, stage_answer *evil)
{
    stage_server(t, "root", ROOT, root_zone, 1, "");
    stage_server(t, "victim", VICTIM, victim_zone, 2, "");
    stage_resolver(t, "");
    return stage_odd_server(t, "evil", EVIL, evil);
}

// Building replies.

static dns_record record(stage *t, const char *owner, unsigned type, const char *text)
{
    dns_record r = {.name = stage_name(t, owner), .type = (uint16_t)type, .class = DNS_CLASS_IN, .ttl = 3600};
    const char *why = "";
    if (!dns_rdata_from_text(&t->memory, type, str_z(text), dns_root, &r.rdata, &why))
        test_failed(__FILE__, __LINE__, "%s: %s", text, why);
    return r;
}

static dns_builder begin(const dns_message *asked, unsigned char *out, bool authoritative, int id_off)
{
    dns_builder b;
    dns_header h = {.id = (uint16_t)(asked->header.id + id_off), .response = true, .authoritative = authoritative};
    dns_build_start(&b, out, 1400, h, NULL);
    dns_build_question(&b, asked->question);
    return b;
}

static size_t address_reply(stage *t, const dns_message *asked, unsigned char *out, const char *address, int id_off)
{
    dns_builder b = begin(asked, out, true, id_off);
    dns_record r = record(t, "evil", DNS_A, address);
    r.name = asked->question.name;
    dns_build_record(&b, DNS_ANSWER, &r);
    return (size_t)dns_build_end(&b, NULL).len;
}

static void send_more(sock *s, const datagram *query, unsigned char *bytes, size_t len)
{
    datagram v = {.peer = query->peer, .local = query->local, .at = bytes, .len = len, .size = len};
    int sent;
    sock_send(s, &v, 1, &sent);
}

// Forgeries.

static size_t wrong_source(stage *t, sock *s, const datagram *query, const dns_message *asked, unsigned char *out)
{
    sock *other;
    unsigned char forged[1400];
    addr at = stage_address(EVIL);
    CHECK_INT(sock_datagram(s->world, addr_with_port(at, 54), false, &other), E_OK);
    send_more(other, query, forged, address_reply(t, asked, forged, "6.6.6.6", 0));
    sock_close(other);
    return address_reply(t, asked, out, "10.9.0.1", 0);
}

static void play_wrong_source(stage *t)
{
    world_with(t, wrong_source);
    CHECK_STR(stage_ask(t, "www.evil", DNS_A, NULL), S("NOERROR www.evil. A 10.9.0.1"));
}

TEST(hostile_reply_from_another_port_is_not_heard) { stage_play(1, play_wrong_source, NULL); }

static size_t wrong_ids(stage *t, sock *s, const datagram *query, const dns_message *asked, unsigned char *out)
{
    unsigned char forged[1400];
    for (int i = 1; i <= 3; i++)
        send_more(s, query, forged, address_reply(t, asked, forged, "6.6.6.6", i));
    (void)out;
    return 0;
}

static void play_wrong_ids(stage *t)
{
    stage_host *evil = world_with(t, wrong_ids);
    CHECK(str_starts(stage_ask(t, "www.evil", DNS_A, NULL), S("SERVFAIL | no connection")));   // TCP, which evil does not speak
    CHECK(evil->heard <= WORK_ROUNDS);
}

TEST(hostile_wrong_ids_lead_to_tcp) { stage_play(1, play_wrong_ids, NULL); }

static size_t malformed_first(stage *t, sock *s, const datagram *query, const dns_message *asked, unsigned char *out)
{
    unsigned char bad[1400];
    size_t len = address_reply(t, asked, bad, "6.6.6.6", 0);
    send_more(s, query, bad, len - 1);                     // cut short, the right id
    return address_reply(t, asked, out, "10.9.0.1", 0);
}

static void play_malformed_first(stage *t)
{
    world_with(t, malformed_first);
    CHECK_STR(stage_ask(t, "www.evil", DNS_A, NULL), S("NOERROR www.evil. A 10.9.0.1"));
}

TEST(hostile_malformed_reply_does_not_beat_the_true_one) { stage_play(1, play_malformed_first, NULL); }

static size_t wrong_question(stage *t, sock *s, const datagram *query, const dns_message *asked, unsigned char *out)
{
    dns_message other = *asked;
    (void)s, (void)query;
    other.question.name = stage_name(t, "www.victim");
    return address_reply(t, &other, out, "6.6.6.6", 0);
}

static void play_wrong_question(stage *t)
{
    stage_host *evil = world_with(t, wrong_question);
    CHECK(str_starts(stage_ask(t, "www.evil", DNS_A, NULL), S("SERVFAIL | no answer")));
    CHECK(evil->heard <= WORK_ROUNDS);
    CHECK_STR(stage_ask(t, "www.victim", DNS_A, NULL), S("NOERROR www.victim. A 10.1.0.1"));
}

TEST(hostile_answer_to_another_question_is_not_heard) { stage_play(1, play_wrong_question, NULL); }

// Poison.

static size_t out_of_bailiwick(stage *t, sock *s, const datagram *query, const dns_message *asked, unsigned char *out)
{
    dns_builder b = begin(asked, out, true, 0);
    dns_record answer = record(t, "www.evil", DNS_A, "10.9.0.1"), bank = record(t, "www.victim", DNS_A, "6.6.6.6");
    dns_record ns = record(t, "victim", DNS_NS, "ns.evil."), glue = record(t, "ns.victim", DNS_A, "10.0.0.6");
    dns_record root = record(t, ".", DNS_NS, "ns.evil.");
    (void)s, (void)query;
    dns_build_record(&b, DNS_ANSWER, &answer);
    dns_build_record(&b, DNS_ANSWER, &bank);
    dns_build_record(&b, DNS_AUTHORITY, &ns);
    dns_build_record(&b, DNS_AUTHORITY, &root);
    dns_build_record(&b, DNS_ADDITIONAL, &glue);
    return (size_t)dns_build_end(&b, NULL).len;
}

static void play_out_of_bailiwick(stage *t)
{
    stage_host *evil = world_with(t, out_of_bailiwick);
    CHECK_STR(stage_ask(t, "www.evil", DNS_A, NULL), S("NOERROR www.evil. A 10.9.0.1"));
    CHECK_STR(stage_ask(t, "www.victim", DNS_A, NULL), S("NOERROR www.victim. A 10.1.0.1"));
    CHECK_STR(stage_ask(t, "x.victim", DNS_A, NULL), S("NXDOMAIN"));
    CHECK_INT(evil->heard, 1);
}

TEST(hostile_records_out_of_bailiwick_are_dropped) { stage_play(1, play_out_of_bailiwick, NULL); }

static size_t alias_to_victim(stage *t, sock *s, const datagram *query, const dns_message *asked, unsigned char *out)
{
    dns_builder b = begin(asked, out, true, 0);
    dns_record alias = record(t, "www.evil", DNS_CNAME, "www.victim."), bank = record(t, "www.victim", DNS_A, "6.6.6.6");
    (void)s, (void)query;
    alias.name = asked->question.name;
    dns_build_record(&b, DNS_ANSWER, &alias);
    dns_build_record(&b, DNS_ANSWER, &bank);
    return (size_t)dns_build_end(&b, NULL).len;
}

static void play_alias_to_victim(stage *t)
{
    world_with(t, alias_to_victim);
    CHECK_STR(stage_ask(t, "www.evil", DNS_A, NULL), S("NOERROR www.evil. CNAME www.victim., www.victim. A 10.1.0.1"));
    CHECK_STR(stage_ask(t, "www.victim", DNS_A, NULL), S("NOERROR www.victim. A 10.1.0.1"));
}

TEST(hostile_alias_into_another_zone_is_asked_there) { stage_play(1, play_alias_to_victim, NULL); }

static size_t sideways_glue(stage *t, sock *s, const datagram *query, const dns_message *asked, unsigned char *out)
{
    dns_builder b = begin(asked, out, false, 0);
    dns_record ns = record(t, "sub.evil", DNS_NS, "ns.victim."), glue = record(t, "ns.victim", DNS_A, "10.0.0.6");
    (void)s, (void)query;
    dns_build_record(&b, DNS_AUTHORITY, &ns);
    dns_build_record(&b, DNS_ADDITIONAL, &glue);
    return (size_t)dns_build_end(&b, NULL).len;
}

static void play_sideways_glue(stage *t)
{
    stage_host *evil = world_with(t, sideways_glue);
    CHECK(str_starts(stage_ask(t, "www.sub.evil", DNS_A, NULL), S("SERVFAIL | no useful answer from the name servers of sub.evil.")));
    CHECK_INT(evil->heard, 1);                             // sub.evil was asked at the true ns.victim, which is lame for it
    CHECK_STR(stage_ask(t, "ns.victim", DNS_A, NULL), S("NOERROR ns.victim. A 10.0.0.7"));
}

TEST(hostile_glue_for_others_is_not_used) { stage_play(1, play_sideways_glue, NULL); }

// Loops and floods.

static size_t refer_up(stage *t, sock *s, const datagram *query, const dns_message *asked, unsigned char *out)
{
    dns_builder b = begin(asked, out, false, 0);
    dns_record ns = record(t, ".", DNS_NS, "a.root."), self = record(t, "evil", DNS_NS, "ns.evil.");
    (void)s, (void)query;
    dns_build_record(&b, DNS_AUTHORITY, &ns);
    dns_build_record(&b, DNS_AUTHORITY, &self);
    return (size_t)dns_build_end(&b, NULL).len;
}

static void play_refer_up(stage *t)
{
    stage_host *evil = world_with(t, refer_up);
    CHECK(str_starts(stage_ask(t, "www.evil", DNS_A, NULL), S("SERVFAIL | no useful answer")));
    CHECK(evil->heard <= 2);
    int heard = evil->heard;
    stage_ask(t, "www.evil", DNS_A, NULL);
    CHECK_INT(evil->heard, heard);                         // failures are cached for a while
}

TEST(hostile_referrals_upwards_are_lame) { stage_play(1, play_refer_up, NULL); }

// Every query is referred one label further down, to itself.
static size_t refer_down(stage *t, sock *s, const datagram *query, const dns_message *asked, unsigned char *out)
{
    static int depth;
    dns_builder b = begin(asked, out, false, 0);
    dns_record ns = record(t, "evil", DNS_NS, "ns.evil."), glue = record(t, "ns.evil", DNS_A, "10.0.0.6");
    (void)s, (void)query;
    depth = depth >= 100 ? 2 : depth + 1;
    ns.name = dns_name_tail(asked->question.name, depth + 1);
    dns_build_record(&b, DNS_AUTHORITY, &ns);
    dns_build_record(&b, DNS_ADDITIONAL, &glue);
    return (size_t)dns_build_end(&b, NULL).len;
}

static void play_refer_down(stage *t)
{
    stage_host *evil = world_with(t, refer_down);
    str name = S("evil");
    for (int i = 0; i < 110; i++)
        name = str_join(&t->memory, S("a."), name);
    str said = stage_ask(t, str_to_z(&t->memory, name), DNS_A, NULL);
    CHECK(str_starts(said, S("SERVFAIL | ")));
    CHECK(evil->heard <= WORK_REFERRALS_MAX + 1);
}

TEST(hostile_endless_referrals_downwards_end) { stage_play(1, play_refer_down, NULL); }

// NXNSAttack: many name servers without glue, all names of a victim.
static size_t glueless_flood(stage *t, sock *s, const datagram *query, const dns_message *asked, unsigned char *out)
{
    dns_builder b = begin(asked, out, false, 0);
    (void)s, (void)query;
    for (int i = 0; i < 40; i++) {
        char target[48];
        snprintf(target, sizeof target, "ns%d.x%d.victim.", i, i);
        dns_record ns = record(t, "sub.evil", DNS_NS, target);
        dns_build_record(&b, DNS_AUTHORITY, &ns);
    }
    return (size_t)dns_build_end(&b, NULL).len;
}

static void play_glueless_flood(stage *t)
{
    world_with(t, glueless_flood);
    CHECK(str_starts(stage_ask(t, "www.sub.evil", DNS_A, NULL), S("SERVFAIL | ")));
    CHECK(stage_asked(t, VICTIM) <= WORK_SERVER_LOOKUPS_MAX && stage_asked(t, VICTIM) >= 1);
}

TEST(hostile_glueless_flood_hits_the_victim_few_times) { stage_play(1, play_glueless_flood, NULL); }

// The same, but every name server leads back to the attacker and to more of them.
static size_t glueless_tree(stage *t, sock *s, const datagram *query, const dns_message *asked, unsigned char *out)
{
    static int serial;
    dns_builder b = begin(asked, out, false, 0);
    (void)s, (void)query;
    for (int i = 0; i < 10; i++) {
        char target[48];
        snprintf(target, sizeof target, "n%d.m%d.evil.", i, serial++);
        dns_record one = record(t, "evil", DNS_NS, target);
        one.name = asked->question.name;
        dns_build_record(&b, DNS_AUTHORITY, &one);
    }
    return (size_t)dns_build_end(&b, NULL).len;
}

static void play_glueless_tree(stage *t)
{
    stage_host *evil = world_with(t, glueless_tree);
    int64_t before = world_now_ns(t->client);
    CHECK(str_starts(stage_ask(t, "www.sub.evil", DNS_A, NULL), S("SERVFAIL | ")));
    CHECK(evil->heard <= WORK_QUERIES_MAX && evil->heard <= 3 * WORK_SERVER_LOOKUPS_MAX);
    CHECK(world_now_ns(t->client) - before < seconds(WORK_SECONDS_MAX + 2));
}

TEST(hostile_tree_of_glueless_servers_shares_one_budget) { stage_play(1, play_glueless_tree, NULL); }

static size_t endless_aliases(stage *t, sock *s, const datagram *query, const dns_message *asked, unsigned char *out)
{
    static int serial;
    char target[32];
    dns_builder b = begin(asked, out, true, 0);
    (void)s, (void)query;
    snprintf(target, sizeof target, "c%d.evil.", serial++);
    dns_record alias = record(t, "evil", DNS_CNAME, target);
    alias.name = asked->question.name;
    dns_build_record(&b, DNS_ANSWER, &alias);
    return (size_t)dns_build_end(&b, NULL).len;
}

static void play_endless_aliases(stage *t)
{
    stage_host *evil = world_with(t, endless_aliases);
    CHECK(str_starts(stage_ask(t, "www.evil", DNS_A, NULL), S("SERVFAIL | the name is an alias of an alias")));
    CHECK_INT(evil->heard, WORK_ALIASES_MAX + 1);
}

TEST(hostile_endless_aliases_end) { stage_play(1, play_endless_aliases, NULL); }

static size_t silent(stage *t, sock *s, const datagram *query, const dns_message *asked, unsigned char *out)
{
    (void)t, (void)s, (void)query, (void)asked, (void)out;
    return 0;
}

static void play_cycles(stage *t)
{
    world_with(t, silent);
    int64_t before = world_now_ns(t->client);
    CHECK(str_starts(stage_ask(t, "www.a-cycle", DNS_A, NULL), S("SERVFAIL | ")));
    CHECK(str_starts(stage_ask(t, "www.lonely", DNS_A, NULL), S("SERVFAIL | ")));
    CHECK(world_now_ns(t->client) - before < seconds(2));  // nobody to wait for
    CHECK(stage_asked(t, ROOT) <= 6);
    CHECK(str_starts(stage_ask(t, "www.evil", DNS_A, NULL), S("SERVFAIL | no answer from the name servers of evil.")));
    CHECK_STR(stage_ask(t, "www.two", DNS_A, NULL), S("NOERROR www.two. A 10.1.0.2"));         // the other server answers
}

TEST(hostile_cyclic_delegations_and_silence) { stage_play(1, play_cycles, NULL); }

// Merging.

typedef struct { stage *t; int done, right; const char *name; } crowd;

static void crowd_ask(void *arg)
{
    crowd *c = arg;
    arena a = arena_make(256 * 1024);
    dns_asking asking = {.recursion_desired = true, .question = {stage_name(c->t, c->name), DNS_A, DNS_CLASS_IN}};
    dns_exchanged x = dns_exchange(c->t->client, c->t->resolver, asking, seconds(15), &a);
    c->right += x.error == E_OK && x.message.count[DNS_ANSWER] == 1;
    c->done++;
    arena_free(&a);
}

static void play_merge(stage *t)
{
    world_with(t, silent);
    crowd c = {.t = t, .name = "www.victim"};
    {
        SCOPE(all, seconds(20), 60);
        for (int i = 0; i < 50; i++)
            CHECK_INT(scope_go(&all, "asker", crowd_ask, &c), E_OK);
        CHECK_INT(scope_wait(&all), E_OK);
    }
    CHECK(c.done == 50 && c.right == 50);
    CHECK(stage_asked(t, VICTIM) == 1 && stage_asked(t, ROOT) == 1);
}

TEST(resolver_asks_identical_questions_once) { stage_play(1, play_merge, NULL); }

static void cycle_both(void *arg)
{
    crowd *c = arg;
    dns_asking asking = {.recursion_desired = true, .question = {stage_name(c->t, c->done++ ? "ns.a-cycle" : "ns.b-cycle"), DNS_A, DNS_CLASS_IN}};
    arena a = arena_make(256 * 1024);
    dns_exchanged x = dns_exchange(c->t->client, c->t->resolver, asking, seconds(15), &a);
    c->right += x.error == E_OK && x.message.header.rcode == DNS_SERVFAIL;
    arena_free(&a);
}

static void play_no_deadlock(stage *t)
{
    world_with(t, silent);
    crowd c = {.t = t};
    int64_t before = world_now_ns(t->client);
    {
        SCOPE(all, seconds(20), 10);
        for (int i = 0; i < 2; i++)
            CHECK_INT(scope_go(&all, "asker", cycle_both, &c), E_OK);
        CHECK_INT(scope_wait(&all), E_OK);
    }
    CHECK_INT(c.right, 2);
    CHECK(world_now_ns(t->client) - before < seconds(2));  // neither waited for the other
}

TEST(resolver_questions_that_need_each_other_do_not_wait_for_ever) { stage_play(1, play_no_deadlock, NULL); }

// Big, small, forbidden.

static void play_big(stage *t)
{
    dns_message m;
    world_with(t, silent);
    CHECK(str_starts(stage_ask(t, "big.victim", DNS_TXT, &m), S("NOERROR big.victim. TXT ")));
    CHECK_INT(m.count[DNS_ANSWER], 5);                     // over TCP, twice: from the server, to the client
    dns_asking asking = {.question = {stage_name(t, "www.victim"), DNS_A, DNS_CLASS_IN}};
    dns_exchanged x = dns_exchange(t->client, t->resolver, asking, seconds(5), &t->memory);
    CHECK_STR(stage_summary(t, &x.message), S("REFUSED | this is a resolver: set RD (recursion desired)"));
    CHECK(str_starts(stage_ask(t, "www.victim", DNS_ANY, NULL), S("NOTIMP | ")));
    CHECK(str_starts(stage_ask(t, "www.victim", DNS_AXFR, NULL), S("NOTIMP | ")));
}

TEST(resolver_fetches_large_answers_over_tcp) { stage_play(1, play_big, NULL); }

static void play_forbidden(stage *t)
{
    stage_server(t, "root", ROOT, root_zone, 1, "");
    stage_resolver(t, "allow 10.0.0.99\n");
    CHECK(str_starts(stage_ask(t, "www.victim", DNS_A, NULL), S("REFUSED | this resolver does not serve your address")));
    CHECK_INT(stage_asked(t, ROOT), 0);
}

TEST(resolver_serves_only_whom_it_may) { stage_play(1, play_forbidden, NULL); }

// Ghost domains: a child must not keep itself alive.

static const stage_zone with_ghost[] = {{".", "$TTL 20\n@ SOA a.root. root. 1 2 3 4 5\n@ NS a.root.\na.root. A 10.0.0.1\nghost. NS ns.ghost.\nns.ghost. A 10.0.0.8\n"}};
#define WITHOUT_GHOST "$TTL 20\n@ SOA a.root. root. 2 2 3 4 5\n@ NS a.root.\na.root. A 10.0.0.1\n"
static const stage_zone ghost_zone[] = {{"ghost", "$TTL 86400\n@ SOA ns root 1 2 3 4 60\n@ NS ns\nns A 10.0.0.8\n* A 10.1.0.66\n"}};

static void play_ghost(stage *t)
{
    str why = {0};
    stage_host *root = stage_server(t, "root", ROOT, with_ghost, 1, "");
    stage_server(t, "ghost", SECOND, ghost_zone, 1, "");
    stage_resolver(t, "");
    CHECK_STR(stage_ask(t, "a.ghost", DNS_A, NULL), S("NOERROR a.ghost. A 10.1.0.66"));
    CHECK(stage_zone_change(root, ".", WITHOUT_GHOST, &why));
    for (int i = 0; i < 30; i++) {
        char name[32];
        snprintf(name, sizeof name, "n%d.ghost", i);
        stage_ask(t, "ghost", DNS_NS, NULL);               // the child says: a day
        stage_ask(t, "ns.ghost", DNS_A, NULL);
        bool alive = str_starts(stage_ask(t, name, DNS_A, NULL), S("NOERROR"));
        CHECK_ROW(i, i < 19 || i > 21 ? alive == (i < 20) : true);
        fiber_sleep(seconds(1));
    }
}

TEST(hostile_child_does_not_outlive_its_delegation) { stage_play(1, play_ghost, NULL); }
