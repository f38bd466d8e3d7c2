#include "test.h"
#include "rooms/resolver/cache.h"

enum { ARENA = 1 << 20, CEILING = 1 << 20 };
static const int64_t S_NS = 1000000000;

static dns_name name(arena *a, const char *text)
{
    dns_name n;
    CHECK(dns_name_from_text(a, str_z(text), dns_root, &n, NULL));
    return n;
}

static dns_record record(arena *a, const char *owner, unsigned type, const char *text, uint32_t ttl)
{
    dns_record r = {.name = name(a, owner), .type = (uint16_t)type, .class = DNS_CLASS_IN, .ttl = ttl};
    const char *why = "";
    CHECK(dns_rdata_from_text(a, type, str_z(text), dns_root, &r.rdata, &why));
    return r;
}

static void put(cache *c, const dns_record *r, int64_t now_ns) { cache_put_set(c, &r, 1, now_ns); }

TEST(cache_keeps_a_set_until_its_ttl_and_never_after)
{
    arena a = arena_make(ARENA);
    cache c;
    cache_init(&c, 1, CEILING);
    dns_record one = record(&a, "www.a", DNS_A, "1.1.1.1", 300), two = record(&a, "www.a", DNS_A, "1.1.1.2", 100);
    const dns_record *set[] = {&one, &two};
    cache_put_set(&c, set, 2, 5 * S_NS);
    const cache_entry *e = cache_find(&c, name(&a, "WWW.a"), DNS_A, 5 * S_NS);
    CHECK(e && e->count == 2 && e->kind == CACHED_DATA && cache_ttl_s(e, 5 * S_NS) == 100);      // the smallest
    e = cache_find(&c, one.name, DNS_A, 105 * S_NS - 1);
    CHECK(e && cache_ttl_s(e, 105 * S_NS - 1) == 0);
    CHECK(!cache_find(&c, one.name, DNS_A, 105 * S_NS));
    CHECK(c.bytes == 0 && c.entries.count == 0);
    one.ttl = 0;
    put(&c, &one, 0);
    CHECK(!cache_find(&c, one.name, DNS_A, 0));
    one.ttl = INT32_MAX;
    put(&c, &one, 0);
    CHECK(!cache_find(&c, one.name, DNS_A, (int64_t)CACHE_TTL_S_MAX * S_NS));
    cache_free(&c);
    arena_free(&a);
}

TEST(cache_answers_with_an_alias_and_with_what_is_missing)
{
    arena a = arena_make(ARENA);
    cache c;
    cache_init(&c, 1, CEILING);
    dns_record alias = record(&a, "x.a", DNS_CNAME, "y.a.", 60), soa = record(&a, "a", DNS_SOA, "a. b. 1 2 3 4 30", 3600);
    put(&c, &alias, 0);
    const cache_entry *e = cache_find(&c, alias.name, DNS_MX, 0);
    CHECK(e && e->type == DNS_CNAME && e->kind == CACHED_DATA);
    cache_put_missing(&c, name(&a, "m.a"), DNS_MX, true, &soa, 0);
    e = cache_find(&c, name(&a, "m.a"), DNS_MX, 29 * S_NS);
    CHECK(e && e->kind == CACHED_NO_DATA && cache_ttl_s(e, 29 * S_NS) == 1);                     // the SOA's minimum
    CHECK(!cache_find(&c, name(&a, "m.a"), DNS_A, 0) && !cache_find(&c, name(&a, "m.a"), DNS_MX, 30 * S_NS));
    cache_put_missing(&c, name(&a, "n.a"), DNS_A, false, &soa, 0);
    e = cache_find(&c, name(&a, "n.a"), DNS_TXT, 0);
    CHECK(e && e->kind == CACHED_NO_NAME && dns_name_eq(e->name, soa.name));                     // every type
    CHECK(!cache_find(&c, name(&a, "x.n.a"), DNS_TXT, 0));
    cache_put_missing(&c, name(&a, "o.a"), DNS_A, false, NULL, 0);
    CHECK(!cache_find(&c, name(&a, "o.a"), DNS_A, 0));                                           // RFC 2308 5
    cache_put_failure(&c, name(&a, "f.a"), DNS_A, 22, S("why"), 0);
    e = cache_find(&c, name(&a, "f.a"), DNS_A, 4 * S_NS);
    CHECK(e && e->kind == CACHED_FAILURE && e->ede == 22 && str_eq(e->data, S("why")));
    CHECK(!cache_find(&c, name(&a, "f.a"), DNS_A, CACHE_FAILURE_TTL_S * S_NS));
    cache_put_missing(&c, name(&a, "p.a"), DNS_CNAME, true, &soa, 0);
    CHECK(!cache_find(&c, name(&a, "p.a"), DNS_A, 0));                                           // no CNAME says nothing of A
    cache_free(&c);
    arena_free(&a);
}

TEST(cache_tells_types_apart_whose_numbers_differ_by_case)
{
    arena a = arena_make(ARENA);
    cache c;
    cache_init(&c, 1, CEILING);
    dns_record r = record(&a, "a", 65, "\\# 1 00", 60);                      // 65 is 'A', 97 is 'a'
    put(&c, &r, 0);
    CHECK(cache_find(&c, r.name, 65, 0) && !cache_find(&c, r.name, 97, 0));
    cache_free(&c);
    arena_free(&a);
}

static dns_record numbered(arena *a, int n)
{
    return record(a, str_to_z(a, str_format(a, "n%d.example", n)), DNS_A, "1.1.1.1", 60);
}

TEST(cache_stays_under_its_ceiling_and_drops_the_least_recently_used)
{
    cache c;
    cache_init(&c, 1, 20000);
    for (int i = 0; i < 2000; i++) {
        arena a = arena_make(ARENA);
        dns_record r = numbered(&a, i);
        put(&c, &r, 0);
        CHECK_ROW(i, c.bytes <= 20000);
        CHECK_ROW(i, cache_find(&c, r.name, DNS_A, 0) != NULL);
        CHECK_ROW(i, cache_find(&c, name(&a, "n0.example"), DNS_A, 0) != NULL);        // asked all the time: stays
        arena_free(&a);
    }
    CHECK(c.evictions > 1800 && c.entries.count > 50);
    arena a = arena_make(ARENA);
    dns_record big = {.name = name(&a, "big"), .type = DNS_TXT, .class = 1, .ttl = 60, .rdata = str_of(arena_alloc(&a, 1, 30000, 1), 30000)};
    put(&c, &big, 0);
    CHECK(!cache_find(&c, big.name, DNS_TXT, 0) && c.entries.count > 50);              // too large for the ceiling: not kept
    arena_free(&a);
    cache_free(&c);
    CHECK(c.bytes == 0);
}

TEST(cache_flushes_a_name_with_what_is_below_it)
{
    arena a = arena_make(ARENA);
    cache c;
    static const char *const names[] = {"a.x", "x", "b.a.x", "y", "ax"};
    cache_init(&c, 1, CEILING);
    for (int i = 0; i < 5; i++) {
        dns_record r = record(&a, names[i], DNS_A, "1.1.1.1", 60);
        put(&c, &r, 0);
    }
    buf text = buf_make(4096);
    cache_dump(&c, 10 * S_NS, &text);
    CHECK(str_find_str(buf_str(&text), S("b.a.x.\t50\tIN\tA\t1.1.1.1\n")) >= 0);
    buf_free(&text);
    CHECK_INT(cache_flush(&c, name(&a, "X")), 3);
    CHECK(!cache_find(&c, name(&a, "a.x"), DNS_A, 0) && cache_find(&c, name(&a, "y"), DNS_A, 0) && cache_find(&c, name(&a, "ax"), DNS_A, 0));
    CHECK_INT(cache_flush(&c, dns_root), 2);
    cache_free(&c);
    arena_free(&a);
}

static void put_for(cache *c, const dns_record *r, const char *network)
{
    dns_subnet s;
    CHECK(dns_subnet_from_text(str_z(network), &s));
    cache_put_set_for(c, &r, 1, &s, 0);
}

static str found_for(cache *c, arena *a, dns_name n, const char *network, int64_t now_ns)
{
    dns_subnet s;
    ptrdiff_t cursor = 0;
    str rdata = {0};
    CHECK(dns_subnet_from_text(str_z(network), &s));
    const cache_entry *e = cache_find_for(c, n, DNS_A, &s, now_ns);
    return e && cache_next(e, &cursor, &rdata) ? dns_rdata_text(a, DNS_A, rdata) : S("nothing");
}

TEST(cache_keeps_answers_for_networks_apart)
{
    arena a = arena_make(ARENA);
    cache c;
    cache_init(&c, 1, CEILING);
    dns_record one = record(&a, "v.a", DNS_A, "1.1.1.1", 60), two = record(&a, "v.a", DNS_A, "2.2.2.2", 60),
               three = record(&a, "V.a", DNS_A, "3.3.3.3", 30), all = record(&a, "v.a", DNS_A, "9.9.9.9", 60);
    put_for(&c, &one, "10.0.0.0/8");
    put_for(&c, &two, "10.1.0.0/16");
    put_for(&c, &three, "0");
    CHECK_STR(found_for(&c, &a, one.name, "10.2.3.0/24", 0), S("1.1.1.1"));
    CHECK_STR(found_for(&c, &a, one.name, "10.1.3.0/24", 0), S("2.2.2.2"));
    CHECK_STR(found_for(&c, &a, one.name, "10.1.0.0/12", 0), S("1.1.1.1"));
    CHECK_STR(found_for(&c, &a, one.name, "10.0.0.0/7", 0), S("nothing"));
    CHECK_STR(found_for(&c, &a, one.name, "a01::/24", 0), S("nothing"));
    CHECK_STR(found_for(&c, &a, one.name, "0", 0), S("3.3.3.3"));
    CHECK(!cache_find(&c, one.name, DNS_A, 0) && c.tailored.count == 1 && c.entries.count == 0);
    put(&c, &all, 0);
    CHECK_STR(found_for(&c, &a, one.name, "11.0.0.0/24", 0), S("9.9.9.9"));
    CHECK_STR(found_for(&c, &a, one.name, "10.1.3.0/24", 0), S("2.2.2.2"));
    put_for(&c, &one, "10.1.0.0/16");                                          // in the place of the older one
    CHECK_STR(found_for(&c, &a, one.name, "10.1.3.0/24", 0), S("1.1.1.1"));
    CHECK_STR(found_for(&c, &a, one.name, "0", 31 * S_NS), S("9.9.9.9"));
    CHECK(!cache_find(&c, one.name, DNS_A, 61 * S_NS) && !cache_find_for(&c, one.name, DNS_A, &(dns_subnet){0}, 61 * S_NS));
    CHECK(c.bytes == 0 && c.tailored.count == 0);
    put_for(&c, &one, "10.0.0.0/8");
    put(&c, &all, 0);
    CHECK_INT(cache_flush(&c, name(&a, "a")), 2);
    CHECK(c.bytes == 0 && c.tailored.count == 0);
    cache_free(&c);
    arena_free(&a);
}

TEST(cache_has_a_ceiling_for_networks_of_a_name_and_for_all_of_them)
{
    cache c;
    cache_init(&c, 1, 40000);
    for (int i = 0; i < 4000; i++) {
        arena a = arena_make(ARENA);
        dns_record r = numbered(&a, i / 100);
        put_for(&c, &r, str_to_z(&a, str_format(&a, "10.%d.%d.0/24", i / 100, i % 100)));
        CHECK_ROW(i, c.bytes <= 40000 && c.tailored.count <= 200);
        CHECK_ROW(i, cache_subnets_full(&c, r.name, DNS_A, 0) == (i % 100 >= CACHE_SUBNETS_MAX - 1));
        arena_free(&a);
    }
    CHECK(c.evictions > 1000);
    cache_free(&c);
    CHECK(c.bytes == 0);
}
