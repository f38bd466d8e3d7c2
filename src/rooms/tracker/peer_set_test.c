#include "rooms/tracker/peer_set.h"

#include <string.h>

#include "base/heap_memory.h"
#include "test.h"

static addr address(int family, uint32_t n)
{
    addr x = addr_v4(0x0a000000 + n, (uint16_t)(1024 + n % 60000));
    if (family == 6) {
        x.family = 6;
        memmove(x.ip + 12, x.ip, 4);
        memcpy(x.ip, "\x20\x01\x0d\xb8", 4);
    }
    return x;
}

static peer peer_of(int family, uint32_t n, bool seed)
{
    chance c = {n};
    return (peer){.at = address(family, n), .tag = (uint32_t)chance_u64(&c), .minute = (uint8_t)n, .seed = seed};
}

// ---- against a shadow: an array that is looked through ----------------------------------------------------------------------

enum { SHADOW_PEERS = 300, SHADOW_STEPS = 20000 };
typedef struct { bool there, seed; addr at; uint8_t minute; } shadow;

static void shadow_check(const peer_set *s, const shadow *all, int family)
{
    uint32_t count = 0, seeds = 0;
    for (uint32_t n = 0; n < SHADOW_PEERS; n++) {
        uint32_t at = peer_set_find(s, peer_of(family, n, false).tag);
        CHECK((at != PEER_NONE) == all[n].there);
        if (at == PEER_NONE)
            continue;
        peer p = peer_set_at(s, at);
        CHECK(addr_eq(p.at, all[n].at) && p.seed == all[n].seed && p.minute == all[n].minute);
        count++, seeds += p.seed;
    }
    CHECK_INT(s->count, count);
    CHECK_INT(s->seeds, seeds);
}

static void shadow_step(peer_set *s, shadow *all, int family, chance *c)
{
    uint32_t n = chance_below(c, SHADOW_PEERS);
    peer p = peer_of(family, n, chance_below(c, 2));
    uint32_t at = peer_set_find(s, p.tag);
    if (chance_below(c, 10) == 0)
        p.at = address(family, n + 1000);
    if (at == PEER_NONE)
        at = peer_set_add(s, &p);
    else if (chance_below(c, 3) == 0)
        return peer_set_remove(s, at), (void)(all[n].there = false);
    else
        at = peer_set_change(s, at, &p);
    CHECK_INT(peer_set_find(s, p.tag), at);
    all[n] = (shadow){true, p.seed, p.at, p.minute};
}

TEST(peer_set_holds_what_was_put)
{
    for (int family = 4; family <= 6; family += 2) {
        peer_set s = {.family = (uint8_t)family};
        shadow all[SHADOW_PEERS] = {0};
        chance c = {7};
        for (int i = 0; i < SHADOW_STEPS; i++) {
            shadow_step(&s, all, family, &c);
            if (i % 500 == 0)
                peer_set_fit(&s), shadow_check(&s, all, family);
        }
        shadow_check(&s, all, family);
        for (uint32_t n = 0; n < SHADOW_PEERS; n++)
            if (all[n].there)
                peer_set_remove(&s, peer_set_find(&s, peer_of(family, n, false).tag)), all[n].there = false;
        shadow_check(&s, all, family);
        peer_set_fit(&s);
        CHECK(s.records == NULL && peer_set_bytes(&s) == 0);
        peer_set_free(&s);
    }
}

TEST(peer_set_changes_who_had_an_address)
{
    peer_set s = {.family = 4};
    for (uint32_t n = 0; n < 40; n++)
        peer_set_add(&s, &(peer){.at = address(4, n), .tag = n + 1});
    uint32_t at = peer_set_find_address(&s, address(4, 30));
    CHECK_INT(at, 30);
    at = peer_set_change(&s, at, &(peer){.at = address(4, 30), .tag = 99, .seed = true});
    CHECK_INT(s.count, 40);
    CHECK_INT(peer_set_find(&s, 99), at);
    CHECK_INT(peer_set_find(&s, 31), PEER_NONE);
    CHECK_INT(peer_set_find_address(&s, address(4, 77)), PEER_NONE);
    peer_set_free(&s);
}

// ---- picking ----------------------------------------------------------------------------------------------------------------

static peer_set swarm(uint32_t count, uint32_t seeds)
{
    peer_set s = {.family = 4};
    for (uint32_t n = 0; n < count; n++) {
        peer p = peer_of(4, n, n < seeds);
        peer_set_add(&s, &p);
    }
    return s;
}

static uint32_t number_of(const unsigned char *endpoint)
{
    reader r = rd_of(str_of(endpoint, ENDPOINT_V4_BYTES));
    return rd_u32(&r) - 0x0a000000;
}

TEST(peer_pick_gives_different_peers_and_never_the_asker)
{
    static const struct { uint32_t count, seeds; int wanted; bool leechers_only; int got; } rows[] = {
        {0, 0, 50, false, 0}, {1, 0, 50, false, 0}, {2, 0, 50, false, 1}, {20, 5, 50, false, 19}, {100, 30, 50, false, 50},
        {100, 30, 50, true, 50}, {100, 90, 50, true, 10}, {100, 100, 50, true, 0}, {51, 0, 50, false, 50}, {1000, 0, 9999, false, 256},
        {100, 0, 0, false, 0}, {100, 0, -1, false, 0},
    };
    unsigned char out[PEER_PICK_MAX * ENDPOINT_V4_BYTES];
    chance c = {1};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int managed = 0; managed < 2; managed++) {
            peer_set s = swarm(rows[i].count, rows[i].seeds);
            uint32_t self = rows[i].count ? 0 : PEER_NONE, asker = self == 0 ? peer_set_at(&s, 0).at.port - 1024u : PEER_NONE;
            bool seen[1000] = {0};
            peer_wish wish = {.self = self, .leechers_only = rows[i].leechers_only, .managed = managed, .wanted = rows[i].wanted};
            int got = peer_set_pick(&s, &wish, &c, out);
            CHECK_ROW(i, got == rows[i].got);
            for (int k = 0; k < got; k++) {
                uint32_t n = number_of(out + k * ENDPOINT_V4_BYTES);
                CHECK_ROW(i, n < rows[i].count && !seen[n] && n != asker && (!rows[i].leechers_only || n >= rows[i].seeds));
                seen[n] = true;
            }
            peer_set_free(&s);
        }
}

// Every peer comes up as often as any other: 2,000 picks of 10 of 199 give each about 100.
TEST(peer_pick_is_fair)
{
    enum { PEERS = 200, PICKS = 2000, WANTED = 10 };
    unsigned char out[WANTED * ENDPOINT_V4_BYTES];
    int often[PEERS] = {0}, least = PICKS, most = 0;
    peer_set s = swarm(PEERS, 50);
    chance c = {3};
    uint32_t self = peer_set_find(&s, peer_of(4, 120, false).tag);
    for (int i = 0; i < PICKS; i++)
        for (int k = peer_set_pick(&s, &(peer_wish){.self = self, .wanted = WANTED}, &c, out); k > 0; k--)
            often[number_of(out + (k - 1) * ENDPOINT_V4_BYTES)]++;
    for (int n = 0; n < PEERS; n++)
        if (n != 120)
            least = often[n] < least ? often[n] : least, most = often[n] > most ? often[n] : most;
    CHECK_INT(often[120], 0);
    CHECK(least > 55 && most < 150);
    peer_set_free(&s);
}

// ---- the graph of a managed swarm -------------------------------------------------------------------------------------------

enum { GRAPH_PEERS = 1000, GRAPH_DEGREE = 20 };

typedef struct {
    peer_set s;
    chance   c;
    int      in[GRAPH_PEERS], out[GRAPH_PEERS];
    int      leader[GRAPH_PEERS];        // union-find
} graph;

static int leader_of(graph *g, int n)
{
    while (g->leader[n] != n)
        n = g->leader[n] = g->leader[g->leader[n]];
    return n;
}

static void graph_ask(graph *g, uint32_t n, bool managed)
{
    unsigned char out[GRAPH_DEGREE * ENDPOINT_V4_BYTES];
    peer_wish wish = {.self = peer_set_find(&g->s, peer_of(4, n, false).tag), .managed = managed, .wanted = GRAPH_DEGREE};
    int got = peer_set_pick(&g->s, &wish, &g->c, out);
    for (int i = 0; i < got; i++) {
        uint32_t to = number_of(out + i * ENDPOINT_V4_BYTES);
        g->in[to]++, g->out[n]++;
        g->leader[leader_of(g, (int)to)] = leader_of(g, (int)n);
    }
}

static graph *graph_grow(uint64_t seed, bool managed, int rounds)
{
    graph *g = memory_zeroed(1, sizeof *g);
    g->s.family = 4;
    g->c.state = seed;
    for (int i = 0; i < GRAPH_PEERS; i++)
        g->leader[i] = i;
    for (uint32_t n = 0; n < GRAPH_PEERS; n++) {         // one comes after the other and is told of those before it
        peer p = peer_of(4, n, false);
        peer_set_add(&g->s, &p);
        graph_ask(g, n, managed);
    }
    for (int r = 1; r < rounds; r++)
        for (uint32_t n = 0; n < GRAPH_PEERS; n++)
            graph_ask(g, n, managed);
    return g;
}

static int most_given(const graph *g, bool least)
{
    int found = g->in[0];
    for (int n = 1; n < GRAPH_PEERS; n++)
        if (least ? g->in[n] < found : g->in[n] > found)
            found = g->in[n];
    return found;
}

TEST(managed_swarm_is_one_graph_of_about_equal_degree)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        graph *once = graph_grow(seed, true, 1), *random = graph_grow(seed, false, 1), *thrice = graph_grow(seed, true, 3);
        int parts = 0, low = 0;
        for (int n = 0; n < GRAPH_PEERS; n++) {
            parts += leader_of(once, n) == n;
            low += once->in[n] + once->out[n] < GRAPH_DEGREE;
        }
        CHECK_ROW(seed, parts == 1);
        CHECK_ROW(seed, low <= 2);                                     // nobody but the very first is poor in neighbours
        CHECK_ROW(seed, most_given(once, false) <= GRAPH_DEGREE * 3 / 2);
        CHECK_ROW(seed, most_given(random, false) > GRAPH_DEGREE * 3);  // what it is to be compared with
        CHECK_ROW(seed, most_given(thrice, false) <= GRAPH_DEGREE * 3 * 3 / 2);
        CHECK_ROW(seed, most_given(thrice, true) >= GRAPH_DEGREE * 3 / 2);
        graph *all[] = {once, random, thrice};
        for (int i = 0; i < 3; i++)
            peer_set_free(&all[i]->s), memory_free(all[i]);
    }
}

// Counts never run over, and a newcomer among the long known is found.
TEST(managed_swarm_counts_stay_in_their_bounds)
{
    graph *g = graph_grow(9, true, 30);
    int before = g->in[0];
    for (uint32_t n = 1; n < 200; n++)
        graph_ask(g, n, true);
    CHECK(g->in[0] - before <= 3 * 4 + 4);
    CHECK(g->s.count == GRAPH_PEERS);
    peer_set_free(&g->s);
    memory_free(g);
}
