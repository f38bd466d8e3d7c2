#include "rooms/resolver/special.h"

enum { SPECIAL_TTL_S = 86400 };

static void add(found *out, arena *a, dns_question q, str address)
{
    dns_record *all = arena_array(a, dns_record, out->answers + 1);
    for (int i = 0; all && i < out->answers; i++)
        all[i] = out->answer[i];
    if (!all)
        return;
    all[out->answers++] = (dns_record){q.name, q.type, DNS_CLASS_IN, SPECIAL_TTL_S, address};
    out->answer = all;
}

static bool root_server(const resolver *r, dns_question q, arena *a, found *out)
{
    bool is_one = false;
    for (int i = 0; i < r->root_count; i++) {
        const root_hint *hint = &r->roots[i];
        bool wanted = q.type == (hint->at.family == 4 ? DNS_A : DNS_AAAA);
        if (!dns_name_eq(hint->name, q.name))
            continue;
        is_one = true;
        if (wanted)
            add(out, a, q, (str){hint->at.ip, hint->at.family == 4 ? 4 : 16});
    }
    return is_one;
}

static void loopback(dns_question q, arena *a, found *out)
{
    if (q.type == DNS_A)
        add(out, a, q, S("\x7f\0\0\1"));
    else if (q.type == DNS_AAAA)
        add(out, a, q, S("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"));
}

bool special_find(const resolver *r, dns_question q, arena *a, found *out)
{
    *out = (found){0};
    if (dns_name_under(q.name, S("\11localhost\0")))
        loopback(q, a, out);
    else if (dns_name_under(q.name, S("\7invalid\0")) || dns_name_under(q.name, S("\5onion\0")))
        out->rcode = DNS_NXDOMAIN;
    else
        return root_server(r, q, a, out);
    return true;
}
