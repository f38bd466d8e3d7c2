// Links that lose, hosts that stop and crash in the middle of a question, and the story that goes with one.
#include "stage.h"

#include <string.h>

#include "base/heap_memory.h"
#include "rt/scope.h"

#define APEX(ns) "$TTL 30\n@ SOA " ns " root 1 2h 1h 2w 5\n@ NS " ns "\n"

enum { SEEDS = 12, ASKS = 20, ROOT = 1, ORG = 2, EXAMPLE = 3, SILENT = 4, EVENTS_MAX = 1000 };

static const stage_zone root_zone[] = {{".", APEX("a.root.") "a.root. A 10.0.0.1\norg. NS a.org.\na.org. A 10.0.0.2\nsilent. NS a.silent.\na.silent. A 10.0.0.4\n"}};
static const stage_zone org_zone[] = {{"org", APEX("a") "a A 10.0.0.2\nexample NS ns.example\nns.example A 10.0.0.3\n"}};
static const stage_zone example_zone[] = {{"example.org", APEX("ns") "ns A 10.0.0.3\n* 3 A 10.1.0.1\n"}};

static size_t say_nothing(stage *t, sock *s, const datagram *query, const dns_message *asked, unsigned char *out)
{
    (void)t, (void)s, (void)query, (void)asked, (void)out;
    return 0;
}

static stage_host *everybody(stage *t)
{
    stage_server(t, "root", ROOT, root_zone, 1, "");
    stage_server(t, "org", ORG, org_zone, 1, "");
    stage_server(t, "example.org", EXAMPLE, example_zone, 1, "");
    stage_odd_server(t, "silent", SILENT, say_nothing);
    return stage_resolver(t, "");
}

static void lossy(stage *t)
{
    int *found = t->arg;
    everybody(t);
    sim_link_default(t->sim, (sim_link){.delay_min_ns = millis(1), .delay_max_ns = millis(80), .lose_per_million = 50000});
    for (int i = 0; i < ASKS; i++) {
        char name[32];
        arena a = arena_make(256 * 1024);
        addr out[4];
        int count;
        snprintf(name, sizeof name, "h%d.example.org", i % 7);
        dns_answer answer = dns_ask_addresses(t->client, &t->resolver, 1, str_z(name), out, 4, &count, seconds(30), &a);
        CHECK_ROW(i, answer.verdict == DNS_TROUBLE || (answer.verdict == DNS_FOUND && count == 1 && addr_eq_ip(out[0], addr_v4(0x0a010001, 0))));
        *found += answer.verdict == DNS_FOUND;
        fiber_sleep(seconds(1));
        arena_free(&a);
    }
}

TEST(dns_over_lossy_links_answers_right_or_says_that_it_cannot)
{
    int found = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        stage_play(seed, lossy, &found);
    CHECK(found >= SEEDS * ASKS * 95 / 100);
}

typedef struct { stage *t; int done; } asker;

static void ask_silent(void *arg)
{
    asker *k = arg;
    arena a = arena_make(256 * 1024);
    char name[32];
    snprintf(name, sizeof name, "h%d.silent", k->done % 3);
    (void)dns_ask(k->t->client, &k->t->resolver, 1, str_z(name), DNS_A, seconds(5), &a);
    k->done++;
    arena_free(&a);
}

// In the middle of 20 questions that nobody answers. That no fiber is left is checked when the simulator ends.
static void end_in_the_middle(stage *t)
{
    bool crash = t->arg != NULL;
    stage_host *local = everybody(t);
    asker k = {.t = t};
    {
        SCOPE(all, seconds(60), 32);
        for (int i = 0; i < 20; i++)
            CHECK_INT(scope_go(&all, "asker", ask_silent, &k), E_OK);
        fiber_sleep(millis(1500));
        if (crash)
            stage_kill(local);
        else
            sim_shut_down(local->world);
        CHECK_INT(scope_wait(&all), E_OK);
    }
    CHECK_INT(k.done, 20);
    CHECK(!local->up);
    if (!crash)
        return;
    stage_revive(local);
    CHECK_STR(stage_ask(t, "x.example.org", DNS_A, NULL), S("NOERROR x.example.org. A 10.1.0.1"));
}

TEST(resolver_stops_in_the_middle_of_questions) { stage_play(1, end_in_the_middle, NULL); }
TEST(resolver_crashes_in_the_middle_of_questions)
{
    bool crash = true;
    stage_play(1, end_in_the_middle, &crash);
}

static void told(stage *t)
{
    story_event *events = memory_zeroed(EVENTS_MAX, sizeof *events);
    uint64_t trace = story_trace_new();
    int by_client = 0, by_local = 0;
    everybody(t);
    fiber_set_trace(trace);
    CHECK_STR(stage_ask(t, "y.example.org", DNS_A, NULL), S("NOERROR y.example.org. A 10.1.0.1"));
    int count = story_read(trace, events, EVENTS_MAX);
    for (int i = 0; i < count; i++) {
        by_client += strcmp(events[i].here, "client") == 0;
        by_local += strcmp(events[i].here, "local") == 0;
    }
    CHECK_INT(by_client, 2);                               // the question and its answer
    CHECK_INT(by_local, 6);                                // root, org, example.org
    memory_free(events);
}

TEST(resolver_tells_its_part_of_the_asker_s_story) { stage_play(1, told, NULL); }

// Reloads while questions come in: every one is answered, by the old zone or the new one.
static void reload_under_load(stage *t)
{
    static const char *const texts[2] = {APEX("ns") "ns A 10.0.0.3\nwww A 10.1.0.1\n", APEX("ns") "ns A 10.0.0.3\nwww A 10.1.0.2\n"};
    stage_zone first[] = {{"example.org", texts[0]}};
    stage_host *h = stage_server(t, "example.org", EXAMPLE, first, 1, "");
    dns_asking asking = {.question = {stage_name(t, "www.example.org"), DNS_A, DNS_CLASS_IN}};
    int seen[2] = {0};
    for (int i = 0; i < 60; i++) {
        arena a = arena_make(64 * 1024);
        str why = {0};
        if (i % 5 == 4)
            CHECK_ROW(i, stage_zone_change(h, "example.org", texts[(i / 5 + 1) % 2], &why));
        dns_exchanged x = dns_exchange(t->client, stage_address(EXAMPLE), asking, seconds(2), &a);
        CHECK_ROW(i, x.error == E_OK && x.queries == 1 && x.message.header.authoritative && x.message.count[DNS_ANSWER] == 1);
        seen[x.message.record[0].rdata.at[3] == 2]++;
        arena_free(&a);
    }
    CHECK(seen[0] > 20 && seen[1] > 20);
}

TEST(authoritative_reloads_without_losing_a_query) { stage_play(1, reload_under_load, NULL); }
