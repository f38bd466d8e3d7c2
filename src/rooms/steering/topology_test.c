#include "test.h"
#include "rooms/steering/topology.h"

static topology top;

static str read(arena *a, const char *text)
{
    config_error error = {0};
    str why = {0};
    statement *block = config_parse(S("steering"), str_z(text), a, config_include_keep, NULL, &error);
    if (!block || !config_check(block, topology_settings, a, &error))
        return error.text;
    return topology_read(block, &top, a, &why) ? S("ok") : why;
}

static const char example[] =
    "place seoul { region asia; network 192.0.2.0/24 2001:db8::/32 }\nplace lima { region america; network 198.51.100.0/24 }\n"
    "cdn king { host kingcdn.com; health /alive; preference 5\n"
    "    node king-seoul { address 203.0.113.1; place seoul; near 192.0.2.128/25; capacity 1Gbit }\n"
    "    node king-lima { address 203.0.113.2:8080; place lima }\n}\n"
    "cdn queen { node queen-1 { address 203.0.113.3 } }\n"
    "name video.kingcdn.com. king\nname all.example king queen\n";

TEST(topology_is_read)
{
    arena a = arena_make(1 << 20);
    addr at;
    CHECK_STR(read(&a, example), S("ok"));
    CHECK(top.node_count == 3 && top.cdn_count == 2 && top.name_count == 2);
    CHECK_STR(top.ranks[0].region, S("asia"));
    CHECK(top.ranks[0].capacity_bps == 1000000000 && top.nodes[0].at.port == 80 && top.nodes[1].at.port == 8080 && top.ranks[2].capacity_bps == 0);
    CHECK(top.ranks[0].preference == 5 && top.names[0].nodes == 3 && top.names[1].nodes == 7);
    static const struct { const char *client, *place; int bits; } rows[] = {
        {"192.0.2.5", "seoul", 24}, {"192.0.2.200", "seoul", 25}, {"198.51.100.7", "lima", 24}, {"8.8.8.8", "", 0}, {"2001:db8::9", "seoul", 32}, {"::1", "", 0},
    };
    for (int i = 0; i < (int)(sizeof rows / sizeof *rows); i++) {
        CHECK(addr_parse_ip(str_z(rows[i].client), 0, &at));
        const topology_network *n = &top.networks[topology_network_of(&top, at)];
        CHECK_ROW(i, str_eq(n->place, str_z(rows[i].place)) && n->network.bits == rows[i].bits && n->network.prefix.family == at.family);
    }
    CHECK(topology_name_find(&top, S("Video.KingCDN.com")) == 0 && topology_name_find(&top, S("all.example.")) == 1 && topology_name_find(&top, S("x")) == -1);
    CHECK_STR(topology_pathway(&top, 1), S("king-lima"));
    arena_free(&a);
}

TEST(topology_mistakes_are_told)
{
    static const struct { const char *text, *want; } rows[] = {
        {"cdn x { node a { } }", "needs the address"}, {"cdn x { node a { address 0.0.0.0 } }", "needs the address"},
        {"cdn x { node a { address 1.2.3.4 }\n node a { address 1.2.3.5 } }", "two nodes"}, {"cdn x { node a { address 1.2.3.4; place moon } }", "its place is none"},
        {"cdn x { health alive }", "begins with /"}, {"name n x", "not there"}, {"cdn x { }\nname n x", "has no node"},
        {"place a { network 10.0.0.0/8 }\nplace b { network 10.0.0.0/8 }", "two places"}, {"pathway sideways", "pathway"}, {"cdn x { node a { adress 1.2.3.4 } }", "address"},
    };
    for (int i = 0; i < (int)(sizeof rows / sizeof *rows); i++) {
        arena a = arena_make(1 << 20);
        str got = read(&a, rows[i].text);
        if (str_find_str(got, str_z(rows[i].want)) < 0)
            test_failed(__FILE__, __LINE__, "%s: \"" STR_FMT "\", want %s", rows[i].text, STR_ARG(got), rows[i].want);
        arena_free(&a);
    }
}
