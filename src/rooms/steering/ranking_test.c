#include "test.h"
#include "rooms/steering/ranking.h"

static ranking_network network(const char *text)
{
    ranking_network n = {0};
    str rest = str_z(text), ip = str_cut(&rest, '/');
    uint64_t bits = 0;
    CHECK(addr_parse_ip(ip, 0, &n.prefix) && str_to_u64(rest, &bits));
    n.bits = (int)bits;
    return n;
}

static ranking_client client_at(const char *net, const char *place, const char *region)
{
    return (ranking_client){.network = network(net), .place = str_z(place), .region = str_z(region), .hash = 7};
}

static ranking_node node(const char *name, const char *place, const char *region, int preference)
{
    return (ranking_node){.name = str_z(name), .place = str_z(place), .region = str_z(region), .preference = preference};
}

// "a b c": the nodes in their order; dead ones in parentheses, troubled ones with a question mark.
static str order(arena *a, const ranking_node *nodes, const ranking_state *now, int count, const ranking_client *c)
{
    ranking_row rows[RANKING_NODES_MAX];
    str out = {0};
    CHECK_INT(ranking_make(nodes, now, count, c, rows), count);
    for (int i = 0; i < count; i++) {
        const char *format = rows[i].standing == RANKING_DEAD ? "%s(" STR_FMT ")" : rows[i].standing == RANKING_GOOD ? "%s" STR_FMT : "%s" STR_FMT "?";
        str one = str_format(a, format, i ? " " : "", STR_ARG(nodes[rows[i].node].name));
        out = str_join(a, out, one);
    }
    return out;
}

TEST(ranking_is_near_alive_and_not_congested)
{
    arena a = arena_make(1 << 20);
    ranking_node nodes[] = {node("far", "lima", "america", 1), node("region", "osaka", "asia", 1), node("place", "seoul", "asia", 1), node("beside", "lima", "", 1)};
    nodes[3].near[0] = network("192.0.2.0/24");
    nodes[3].near_count = 1;
    static const struct { const char *net, *place, *region; ranking_state now[4]; uint64_t complained; const char *want; } rows[] = {
        {"192.0.2.0/24", "seoul", "asia", {{1, 0}, {1, 0}, {1, 0}, {1, 0}}, 0, "beside place region far"},
        {"192.0.2.128/25", "seoul", "asia", {{1, 0}, {1, 0}, {1, 0}, {1, 0}}, 0, "beside place region far"},     // inside what it is near to
        {"198.51.100.0/24", "seoul", "asia", {{1, 0}, {1, 0}, {1, 0}, {0, 0}}, 0, "place region far (beside)"},
        {"192.0.2.0/24", "seoul", "asia", {{1, 0}, {1, 0}, {1, 0}, {0, 0}}, 0, "place region far (beside)"},      // dead: last, however near
        {"192.0.2.0/24", "seoul", "asia", {{1, 0}, {1, 0}, {1, 1000}, {1, 1000}}, 0, "region far beside? place?"},
        {"192.0.2.0/24", "seoul", "asia", {{1, 0}, {1, 0}, {1, 0}, {1, 0}}, 8, "place region far beside?"},       // complained of
        {"192.0.2.0/24", "seoul", "asia", {{1, 0}, {0, 0}, {0, 0}, {1, 1000}}, 1, "beside? far? (place) (region)"},
        {"192.0.2.0/24", "seoul", "asia", {{0, 0}, {0, 0}, {0, 0}, {0, 0}}, 0, "(beside) (place) (region) (far)"},  // all dead: near still counts
        {"203.0.113.0/24", "lima", "america", {{1, 0}, {0, 0}, {0, 0}, {0, 0}}, 0, "far (beside) (region) (place)"},
    };
    for (int i = 0; i < (int)(sizeof rows / sizeof *rows); i++) {
        ranking_client c = client_at(rows[i].net, rows[i].place, rows[i].region);
        c.complained = rows[i].complained;
        str got = order(&a, nodes, rows[i].now, 4, &c);
        if (i < 8 && !str_eq(got, str_z(rows[i].want)))
            test_failed(__FILE__, __LINE__, "row %d: got " STR_FMT ", want %s", i, STR_ARG(got), rows[i].want);
        CHECK_ROW(i, i < 8 || str_starts(got, S("far (beside)")));
    }
    arena_free(&a);
}

TEST(ranking_of_ipv6_networks_and_of_other_families)
{
    arena a = arena_make(1 << 20);
    ranking_node nodes[] = {node("x", "", "", 1), node("y", "", "", 1)};
    ranking_state now[] = {{1, 0}, {1, 0}};
    nodes[1].near[0] = network("2001:db8::/32");
    nodes[1].near_count = 1;
    ranking_client six = client_at("2001:db8:7::/48", "", ""), four = client_at("32.1.13.184/32", "", "");
    CHECK(ranking_distance_of(&nodes[1], &six) == RANKING_BESIDE);
    CHECK(ranking_distance_of(&nodes[1], &four) == RANKING_FAR);            // the same four bytes, another family
    CHECK_STR(order(&a, nodes, now, 2, &six), S("y x"));
    CHECK(ranking_distance_of(&nodes[0], &six) == RANKING_FAR);             // no place is nobody's place
    arena_free(&a);
}

TEST(ranking_prefers_a_cdn_among_equally_near_nodes)
{
    arena a = arena_make(1 << 20);
    ranking_node nodes[] = {node("queen", "seoul", "asia", 20), node("king", "seoul", "asia", 10), node("jack", "osaka", "asia", 1)};
    ranking_state now[] = {{1, 0}, {1, 0}, {1, 0}};
    ranking_client c = client_at("192.0.2.0/24", "seoul", "asia");
    CHECK_STR(order(&a, nodes, now, 3, &c), S("king queen jack"));
    now[1].away_per_mille = RANKING_AWAY_ALL;
    CHECK_STR(order(&a, nodes, now, 3, &c), S("queen jack king?"));
    arena_free(&a);
}

// Which node is first, over many networks.
static void firsts(const ranking_node *nodes, const ranking_state *now, int count, int networks, int *first, int *by_network)
{
    ranking_row rows[RANKING_NODES_MAX];
    uint64_t chance = 2026;
    for (int i = 0; i < networks; i++) {
        ranking_client c = client_at("192.0.2.0/24", "seoul", "asia");
        c.hash = test_random(&chance);
        ranking_make(nodes, now, count, &c, rows);
        first[rows[0].node]++;
        by_network[i] = rows[0].node;
    }
}

TEST(ranking_spreads_networks_over_equal_nodes_by_capacity)
{
    enum { NETWORKS = 6000 };
    static int by[NETWORKS], after[NETWORKS];
    ranking_node nodes[] = {node("a", "seoul", "asia", 1), node("b", "seoul", "asia", 1), node("c", "seoul", "asia", 1)};
    ranking_state now[] = {{1, 0}, {1, 0}, {1, 0}};
    nodes[0].capacity_bps = 1000000000, nodes[1].capacity_bps = 2000000000, nodes[2].capacity_bps = 3000000000;
    int first[3] = {0}, then[3] = {0}, moved = 0;
    firsts(nodes, now, 3, NETWORKS, first, by);
    for (int i = 0; i < 3; i++)
        CHECK_ROW(i, first[i] > (i + 1) * 1000 * 85 / 100 && first[i] < (i + 1) * 1000 * 115 / 100);
    now[1].alive = false;                                   // its networks go; the others stay where they are
    firsts(nodes, now, 3, NETWORKS, then, after);
    for (int i = 0; i < NETWORKS; i++)
        moved += by[i] != after[i] && by[i] != 1;
    CHECK_INT(moved, 0);
    CHECK_INT(then[1], 0);
}

TEST(ranking_sends_away_a_share_and_the_same_networks_again)
{
    enum { NETWORKS = 4000 };
    static int before[NETWORKS], some[NETWORKS], more[NETWORKS];
    ranking_node nodes[] = {node("a", "seoul", "asia", 1), node("b", "osaka", "asia", 1)};
    ranking_state now[] = {{1, 0}, {1, 0}};
    int first[2] = {0}, then[2] = {0}, last[2] = {0};
    firsts(nodes, now, 2, NETWORKS, first, before);
    CHECK_INT(first[0], NETWORKS);
    now[0].away_per_mille = 250;
    firsts(nodes, now, 2, NETWORKS, then, some);
    CHECK(then[1] > NETWORKS * 21 / 100 && then[1] < NETWORKS * 29 / 100);
    now[0].away_per_mille = 500;
    firsts(nodes, now, 2, NETWORKS, last, more);
    CHECK(last[1] > NETWORKS * 46 / 100 && last[1] < NETWORKS * 54 / 100);
    for (int i = 0; i < NETWORKS; i++)
        CHECK(some[i] == 0 || more[i] == 1);               // who was sent away first stays away: nobody hops about
}
