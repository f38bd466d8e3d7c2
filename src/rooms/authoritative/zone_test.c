#include "test.h"
#include "rooms/authoritative/zone_load.h"

enum { ARENA = 4 << 20 };

static dns_name name(arena *a, const char *text)
{
    dns_name n;
    CHECK(dns_name_from_text(a, str_z(text), dns_root, &n, NULL));
    return n;
}

static zone *load(arena *a, const char *text, str *why)
{
    return zone_load(name(a, "example.org"), 42, S("example.zone"), str_z(text), NULL, NULL, a, why);
}

#define APEX "$TTL 300\n@ SOA ns root 1 2 3 4 60\n@ NS ns\nns A 192.0.2.53\n"

TEST(zone_load_refuses_with_file_and_line)
{
    static const struct { const char *text, *why; } rows[] = {
        {"$TTL 1\n@ NS ns\n", "example.zone: the zone has no SOA"},
        {"$TTL 1\n@ SOA ns root 1 2 3 4 5\n", "example.zone: the zone has no NS"},
        {APEX "a A 1.2.3.4\na CNAME b\n", "example.zone:6: a name with a CNAME"},
        {APEX "a CNAME b\na A 1.2.3.4\n", "example.zone:6: a name with a CNAME"},
        {APEX "a CNAME b\na CNAME c\n", "example.zone:6: a name has at most one CNAME"},
        {APEX "@ CNAME b\n", "example.zone:5: a name with a CNAME"},
        {APEX "www.example.com. A 1.2.3.4\n", "example.zone:5: the record's name is not in this zone"},
        {APEX "sub SOA ns root 1 2 3 4 5\n", "example.zone:5: a SOA record stands only"},
        {APEX "@ SOA ns root 2 2 3 4 5\n", "example.zone:5: the zone has two SOA"},
        {APEX "$INCLUDE x\n", "example.zone:5: $INCLUDE is not allowed"},
        {APEX "a A 1.2.3.400\n", "example.zone:5: an A record needs"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        arena a = arena_make(ARENA);
        str why = {0};
        zone *z = load(&a, rows[i].text, &why);
        if (z || !str_starts(why, str_z(rows[i].why)))
            test_failed(__FILE__, __LINE__, "row %zu: '" STR_FMT "'", i, STR_ARG(why));
        zone_free(z);
        arena_free(&a);
    }
}

TEST(zone_keeps_sets_together_in_any_order)
{
    arena a = arena_make(ARENA);
    str why = {0};
    zone *z = load(&a, APEX "a A 1.1.1.1\nb 50 A 2.2.2.2\na 200 A 1.1.1.2\na TXT x\nA.example.ORG. A 1.1.1.3\na A 1.1.1.1\n", &why);
    CHECK(z != NULL);
    const zone_set *s = zone_node_set(zone_find(z, name(&a, "a.EXAMPLE.org")), DNS_A);
    CHECK(s && s->count == 3 && s->ttl == 200);            // the smallest TTL of the set; the copy is passed over
    uint32_t cursor = 0;
    str rdata;
    for (int i = 1; i <= 3; i++)
        CHECK_ROW(i, zone_set_next(s, &cursor, &rdata) && rdata.len == 4 && rdata.at[3] == i);
    CHECK(!zone_set_next(s, &cursor, &rdata));
    CHECK(zone_find(z, name(&a, "c.example.org")) == NULL);
    zone_free(z);
    arena_free(&a);
}

TEST(zone_holds_empty_non_terminals)
{
    arena a = arena_make(ARENA);
    str why = {0};
    zone *z = load(&a, APEX "x.y.z A 1.1.1.1\n*.w TXT hi\n", &why);
    const zone_node *between = zone_find(z, name(&a, "y.z.example.org"));
    CHECK(between && !between->sets && zone_find(z, name(&a, "z.example.org")));
    CHECK(zone_find(z, name(&a, "w.example.org"))->has_wildcard && !between->has_wildcard);
    zone_free(z);
    arena_free(&a);
}

TEST(zone_grows_to_many_names)
{
    arena a = arena_make(ARENA);
    zone *z = zone_new(name(&a, "big.test"), 7);
    const char *why;
    enum { NAMES = 20000 };
    for (int i = 0; i < NAMES; i++) {
        arena m = arena_make(4096);
        dns_record r = {.name = name(&m, str_to_z(&m, str_format(&m, "h%d.big.test", i))), .type = DNS_A,
                        .class = DNS_CLASS_IN, .ttl = 1, .rdata = S("\1\2\3\4")};
        CHECK_ROW(i, zone_add(z, &r, &why));
        arena_free(&m);
    }
    CHECK_INT(z->nodes, NAMES + 1);
    CHECK_INT(z->records, NAMES);
    CHECK(z->memory.used_bytes / NAMES < 120);             // bytes a record, the table not counted
    for (int i = 0; i < NAMES; i++) {
        arena m = arena_make(4096);
        CHECK_ROW(i, zone_find(z, name(&m, str_to_z(&m, str_format(&m, "H%d.big.test", i)))) != NULL);
        arena_free(&m);
    }
    zone_free(z);
    arena_free(&a);
}

TEST(zone_table_finds_the_longest_origin)
{
    arena a = arena_make(ARENA);
    static const char *const origins[] = {"org", "example.org", ".", "net", "a.b.example.org"};
    static const struct { const char *name, *origin; } rows[] = {
        {"www.example.org", "example.org"}, {"b.example.org", "example.org"}, {"x.a.b.example.org", "a.b.example.org"},
        {"wexample.org", "org"}, {"com", "."}, {".", "."}, {"NET", "net"},
    };
    zone_table t = {0};
    bool full;
    for (int i = 0; i < 5; i++)
        CHECK_ROW(i, zone_table_put(&t, zone_new(name(&a, origins[i]), 1), &full) == NULL && !full);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const zone *z = zone_table_find(&t, name(&a, rows[i].name));
        CHECK_ROW(i, z && dns_name_eq(z->origin, name(&a, rows[i].origin)));
    }
    zone *again = zone_new(name(&a, "NET"), 1), *old = zone_table_put(&t, again, &full);
    CHECK(old && old != again && zone_table_get(&t, name(&a, "net")) == again && t.count == 5);
    zone_free(old);
    zone *gone = zone_table_remove(&t, name(&a, "."));
    CHECK(gone && zone_table_find(&t, name(&a, "com")) == NULL);
    zone_free(gone);
    zone_table_free(&t);
    arena_free(&a);
}
