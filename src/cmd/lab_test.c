#include "cmd/lab.h"
#include "test.h"

TEST(lab_map_is_readable_and_every_zone_file_is_there)
{
    arena a = arena_make(8 << 20);
    config_error error = {0};
    static lab l;
    CHECK(lab_read(&l, (str){0}, 3, &a, &error));
    CHECK(l.count > 20);
    CHECK(lab_find(&l, S("root"))->address_count == 13);
    for (int i = 0; i < l.count; i++)
        for (int z = 0; z < l.hosts[i].zone_count; z++)
            CHECK_ROW(i, lab_zone_text(&l, l.hosts[i].zones[z].file, &a).len > 0);
    arena_free(&a);
}

TEST(lab_zones_speak_of_the_addresses_of_this_run)
{
    arena a = arena_make(8 << 20);
    config_error error;
    static lab l;
    CHECK(lab_read(&l, (str){0}, 3, &a, &error));
    const lab_host *h = lab_find(&l, S("hamburger.edu"));
    str zone = lab_zone_text(&l, S("hamburger.edu.zone"), &a), here = addr_ip_text(&a, h->here[0]);
    CHECK(str_starts(here, S("127.0.3.")));
    CHECK(str_find_str(zone, here) > 0 && str_find_str(zone, S("198.51.100.12")) < 0);
    CHECK(str_find_str(lab_zone_text(&l, S("networkutopia.com.zone"), &a), S("212.212.212.20")) > 0);
    CHECK(lab_read(&l, (str){0}, -1, &a, &error));
    CHECK(str_find_str(lab_zone_text(&l, S("hamburger.edu.zone"), &a), S("198.51.100.12")) > 0);
    arena_free(&a);
}

TEST(lab_maps_add_to_the_small_internet)
{
    static const struct { const char *map; int edges; } rows[] = {{"enter-deep", 6}, {"bring-home", 2}, {"three-cdns", 3}, {"giant", 0}};
    for (int r = 0; r < (int)(sizeof rows / sizeof *rows); r++) {
        arena a = arena_make(8 << 20);
        config_error error = {0};
        static lab l;
        int edges = 0, origins = 0, steered = 0;
        CHECK_ROW(r, lab_read(&l, str_z(rows[r].map), 3, &a, &error));
        for (int i = 0; i < l.count; i++) {
            edges += l.hosts[i].edge.len > 0;
            origins += l.hosts[i].origin;
            steered += l.hosts[i].steered.len > 0 && l.hosts[i].steering.len > 0;
            CHECK_ROW(i, !l.hosts[i].edge.len || (l.hosts[i].place.len && l.hosts[i].line.len));
            for (int b = 0; b < l.hosts[i].beside_count; b++)
                CHECK_ROW(i, lab_find(&l, l.hosts[i].beside[b]));
        }
        CHECK_INT(edges, rows[r].edges);
        CHECK_ROW(r, origins == 1 && steered == (rows[r].edges > 0) && lab_find(&l, S("kingcdn.com"))->zone_count == 1);
        arena_free(&a);
    }
    arena a = arena_make(1 << 20);
    config_error error = {0};
    static lab l;
    CHECK(!lab_read(&l, S("atlantis"), 3, &a, &error));
    arena_free(&a);
}
