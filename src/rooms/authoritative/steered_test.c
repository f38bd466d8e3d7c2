#include "test.h"
#include "rooms/authoritative/steered.h"

static const char example[] =
    "version 17\nttl 10\n0.0.0.0/0 203.0.113.9\n192.0.2.0/24 203.0.113.1 203.0.113.2\n192.0.2.128/25 203.0.113.3\n"
    "10.0.0.0/8 203.0.113.4\n::/0 2001:db8::9\n2001:db8:5::/48 2001:db8::1\n192.0.2.7/32 203.0.113.5\n";

TEST(steered_ranking_is_read_and_the_longest_prefix_counts)
{
    static const struct { const char *client, *first; int count; } rows[] = {
        {"192.0.2.1", "203.0.113.1", 2}, {"192.0.2.7", "203.0.113.5", 1}, {"192.0.2.200", "203.0.113.3", 1}, {"10.200.3.4", "203.0.113.4", 1},
        {"11.0.0.1", "203.0.113.9", 1}, {"2001:db8:5:1::1", "2001:db8::1", 1}, {"2001:db8:6::", "2001:db8::9", 1},
    };
    arena a = arena_make(1 << 20);
    steered_ranking r;
    CHECK(steered_read(str_z(example), &a, &r) && r.version == 17 && r.ttl_s == 10 && r.network_count == 7);
    for (int i = 0; i < (int)(sizeof rows / sizeof *rows); i++) {
        addr client, first;
        CHECK(addr_parse_ip(str_z(rows[i].client), 999, &client) && addr_parse_ip(str_z(rows[i].first), 0, &first));
        const steered_network *n = steered_find(&r, client);
        CHECK_ROW(i, n && n->count == rows[i].count && addr_eq_ip(n->at[0], first));
    }
    arena_free(&a);
}

TEST(steered_ranking_agrees_with_a_plain_search)
{
    arena a = arena_make(8 << 20);
    steered_ranking r;
    uint64_t chance = 5;
    str text = S("version 1\nttl 5\n");
    enum { NETWORKS = 500 };
    addr prefix[NETWORKS];
    int bits[NETWORKS];
    for (int i = 0; i < NETWORKS; i++) {
        bits[i] = (int)(test_random(&chance) % 25) + 8;
        uint32_t ip = (uint32_t)(test_random(&chance) & 0x0f0f0fff) >> (32 - bits[i]) << (32 - bits[i]);
        prefix[i] = addr_v4(ip, 0);
        text = str_join(&a, text, str_format(&a, STR_FMT "/%d 10.0.%d.%d\n", STR_ARG(addr_ip_text(&a, prefix[i])), bits[i], i / 250, i % 250));
    }
    CHECK(steered_read(text, &a, &r));
    for (int k = 0; k < 2000; k++) {
        addr client = addr_v4((uint32_t)test_random(&chance) & 0x0f0f0fff, 53);
        int best = -1;
        for (int i = 0; i < NETWORKS; i++)
            if (addr_in_prefix(client, prefix[i], bits[i]) && (best < 0 || bits[i] > bits[best]))
                best = i;
        const steered_network *n = steered_find(&r, client);
        CHECK(best < 0 ? !n : n && n->bits == bits[best] && addr_eq_ip(n->prefix, prefix[best]));
    }
    arena_free(&a);
}

TEST(steered_ranking_refuses_what_is_none)
{
    static const char *const rows[] = {
        "", "version 1\n", "version 1\nttl 5\n", "version x\nttl 5\n0.0.0.0/0 1.2.3.4\n", "version 1\nttl 5\n0.0.0.0 1.2.3.4\n", "version 1\nttl 5\n0.0.0.0/33 1.2.3.4\n",
        "version 1\nttl 5\n0.0.0.0/0\n", "version 1\nttl 5\n0.0.0.0/0 a\n", "version 1\nttl 5\n0.0.0.0/0 1.1.1.1 1.1.1.2 1.1.1.3 1.1.1.4 1.1.1.5\n", "version 1\nttl 5\n\n",
    };
    for (int i = 0; i < (int)(sizeof rows / sizeof *rows); i++) {
        arena a = arena_make(1 << 20);
        steered_ranking r;
        CHECK_ROW(i, !steered_read(str_z(rows[i]), &a, &r));
        arena_free(&a);
    }
}

TEST(steered_scope_is_as_wide_as_the_answer_and_no_wider)
{
    static const struct { const char *why, *client; int told, scope; } rows[] = {
        {"the whole /24 but for a /25 in it and a /32", "192.0.2.0", 24, 32}, {"a quarter without either", "192.0.2.64", 26, 26},
        {"within the /25", "192.0.2.200", 32, 25}, {"the host itself", "192.0.2.7", 32, 32}, {"its neighbour", "192.0.2.6", 32, 32},
        {"ten is one network", "10.200.3.0", 24, 8}, {"beside ten, up to where the others begin", "11.0.0.0", 24, 8},
        {"far from all others", "64.0.0.0", 24, 2}, {"128/1 holds the 192s", "128.0.0.0", 24, 2}, {"half of ten told", "10.0.0.0", 7, 8},
        {"IPv6", "2001:db8:5:100::", 56, 48}, {"IPv6, no such network", "2001:db8:6::", 56, 47},
    };
    arena a = arena_make(1 << 20);
    steered_ranking r;
    CHECK(steered_read(str_z(example), &a, &r));
    for (int i = 0; i < (int)(sizeof rows / sizeof *rows); i++) {
        addr client;
        CHECK(addr_parse_ip(str_z(rows[i].client), 0, &client));
        const steered_network *n = steered_find(&r, client);
        int scope = n ? steered_scope(&r, n, client, rows[i].told) : -1;
        if (scope != rows[i].scope)
            test_failed(__FILE__, __LINE__, "%s: %s/%d is good for /%d", rows[i].why, rows[i].client, rows[i].told, scope);
    }
    arena_free(&a);
}

// Whatever the ranking: everybody within the scope is answered like the client.
TEST(steered_scope_never_covers_another_answer)
{
    arena a = arena_make(8 << 20);
    uint64_t chance = 11;
    for (int round = 0; round < 40; round++) {
        steered_ranking r;
        str text = S("version 1\nttl 5\n0.0.0.0/0 203.0.113.9\n");
        for (int i = 0; i < 30; i++) {
            int bits = (int)(test_random(&chance) % 32) + 1;
            str prefix = addr_ip_text(&a, addr_v4((uint32_t)test_random(&chance) & 0x030f03ffu, 0));
            text = str_join(&a, text, str_format(&a, STR_FMT "/%d 10.0.0.%d\n", STR_ARG(prefix), bits, (int)(test_random(&chance) % 3)));
        }
        CHECK(steered_read(text, &a, &r));
        for (int k = 0; k < 200; k++) {
            addr client = addr_v4((uint32_t)test_random(&chance) & 0x030f03ffu, 0);
            const steered_network *n = steered_find(&r, client);
            int scope = steered_scope(&r, n, client, 32);
            for (int t = 0; t < 20; t++) {
                addr other = addr_v4((uint32_t)test_random(&chance) & 0x030f03ffu, 0);
                const steered_network *m = steered_find(&r, other);
                CHECK(!addr_in_prefix(other, client, scope) || addr_eq_ip(m->at[0], n->at[0]));
            }
        }
    }
    arena_free(&a);
}
