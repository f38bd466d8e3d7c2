#include "rooms/authoritative/tracker_record.h"

#include "rooms/authoritative/zone_load.h"
#include "test.h"
#include "wire/dns/name.h"
#include "wire/dns/rdata.h"

enum { MEMORY = 8 << 20 };

static void zone_hold(arena *a, zone_table *t, const char *origin, const char *text)
{
    dns_name n;
    str why = {0};
    bool full;
    CHECK(dns_name_from_text(a, str_z(origin), dns_root, &n, NULL));
    zone *z = zone_load(n, 42, str_z(origin), str_z(text), NULL, NULL, a, &why);
    CHECK(z != NULL);
    if (z)
        zone_free(zone_table_put(t, z, &full));
}

// All TXT records of the name, as master files write them, or why they could not be put.
static str said(arena *a, const char *settings, const char *name)
{
    static const char head[] = "$TTL 300\n@ SOA ns root 1 2 3 4 60\n@ NS ns\nns A 192.0.2.1\n";
    zone_table zones = {0};
    config_error error;
    dns_name n;
    str why = {0}, all = {0}, rdata;
    zone_hold(a, &zones, "test", head);
    zone_hold(a, &zones, "club.test", "$TTL 300\n@ SOA ns root 1 2 3 4 60\n@ NS ns\nns A 192.0.2.1\ntracker A 192.0.2.2\ntracker TXT \"hello\"\n"
              "old TXT \"BITTORRENT UDP:1\"\n");
    statement *block = config_parse(S("x"), str_z(settings), a, NULL, NULL, &error);
    bool good = block && tracker_records_put(&zones, block, a, &why);
    CHECK(dns_name_from_text(a, str_z(name), dns_root, &n, NULL));
    const zone *z = zone_table_find(&zones, n);
    const zone_node *node = z ? zone_find(z, n) : NULL;
    const zone_set *set = node ? zone_node_set(node, DNS_TXT) : NULL;
    uint32_t cursor = 0;
    while (set && zone_set_next(set, &cursor, &rdata))
        all = str_join(a, all, str_join(a, all.len ? S(" ") : S(""), dns_rdata_text(a, DNS_TXT, rdata)));
    str out = str_copy(a, good ? all : why);
    zone_table_free(&zones);
    return out;
}

TEST(a_tracker_is_announced_in_the_zone_of_its_name)
{
    static const struct { const char *settings, *name, *want; } rows[] = {
        {"tracker tracker.club.test\n", "tracker.club.test", "\"hello\" \"BITTORRENT UDP:6969 TCP:6969\""},
        {"tracker new.club.test TCP:80 UDP:1337\n", "new.club.test", "\"BITTORRENT TCP:80 UDP:1337\""},
        {"tracker none.test deny\n", "none.test", "\"BITTORRENT DENY ALL\""},
        {"tracker old.club.test UDP:1\n", "old.club.test", "\"BITTORRENT UDP:1\""},
        {"tracker old.club.test UDP:2\n", "old.club.test", "tracker old.club.test: the zone's file says something else of a tracker there: take one of the two away"},
        {"tracker x.elsewhere.org\n", "test", "tracker x.elsewhere.org: no zone of this server has the name"},
        {"tracker a.test UDP:0\n", "a.test", "tracker a.test: \"UDP:0\" is not UDP:PORT or TCP:PORT; deny alone says that there is none"},
        {"tracker a.test udp:1\n", "a.test", "tracker a.test: \"udp:1\" is not UDP:PORT or TCP:PORT; deny alone says that there is none"},
        {"tracker a.test TCP:65536\n", "a.test", "tracker a.test: \"TCP:65536\" is not UDP:PORT or TCP:PORT; deny alone says that there is none"},
        {"tracker a..test\n", "test", "tracker a..test: a name holds an empty label (two dots, or a dot in front)"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        arena a = arena_make(MEMORY);
        str got = said(&a, rows[i].settings, rows[i].name);
        if (!str_eq(got, str_z(rows[i].want)))
            test_failed(__FILE__, __LINE__, "row %zu: got " STR_FMT ", want %s", i, STR_ARG(got), rows[i].want);
        arena_free(&a);
    }
}
