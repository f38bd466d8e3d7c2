#include "test.h"
#include "rooms/resolver/special.h"

TEST(special_names_stay_here)
{
    static const struct { const char *name; unsigned type; bool is_special; unsigned rcode; const char *data; } rows[] = {
        {"localhost", DNS_A, true, DNS_NOERROR, "127.0.0.1"}, {"LocalHost", DNS_AAAA, true, DNS_NOERROR, "::1"},
        {"x.localhost", DNS_A, true, DNS_NOERROR, "127.0.0.1"}, {"localhost", DNS_MX, true, DNS_NOERROR, NULL},
        {"a.invalid", DNS_A, true, DNS_NXDOMAIN, NULL}, {"abc.onion", DNS_A, true, DNS_NXDOMAIN, NULL},
        {"localhost.org", DNS_A, false, 0, NULL}, {"notlocalhost", DNS_A, false, 0, NULL}, {".", DNS_NS, false, 0, NULL},
        {"a.root-servers.net", DNS_A, true, DNS_NOERROR, "198.41.0.4"}, {"a.root-servers.net", DNS_AAAA, true, DNS_NOERROR, NULL},
        {"b.root-servers.net", DNS_A, false, 0, NULL},
    };
    static resolver r = {.root_count = 1};
    r.roots[0] = (root_hint){S("\1a\14root-servers\3net\0"), addr_v4(0xc6290004, 53)};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        arena a = arena_make(1 << 16);
        dns_question q = {.type = (uint16_t)rows[i].type, .class = DNS_CLASS_IN};
        found f;
        CHECK(dns_name_from_text(&a, str_z(rows[i].name), dns_root, &q.name, NULL));
        CHECK_ROW(i, special_find(&r, q, &a, &f) == rows[i].is_special);
        CHECK_ROW(i, !rows[i].is_special || (f.rcode == rows[i].rcode && f.answers == (rows[i].data != NULL)));
        if (rows[i].data)
            CHECK_STR(dns_rdata_text(&a, f.answer[0].type, f.answer[0].rdata), str_z(rows[i].data));
        arena_free(&a);
    }
}
