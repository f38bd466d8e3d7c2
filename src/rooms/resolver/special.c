#include "rooms/resolver/special.h"

enum { SPECIAL_TTL_S = 86400 };

static void loopback(dns_question q, arena *a, found *out)
{
    str address = q.type == DNS_A ? S("\x7f\0\0\1") : S("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1");
    if (q.type != DNS_A && q.type != DNS_AAAA)
        return;                                            // the name exists, the type does not
    out->answer = arena_new(a, dns_record);
    if (out->answer)
        *out->answer = (dns_record){q.name, q.type, DNS_CLASS_IN, SPECIAL_TTL_S, address};
    out->answers = out->answer != NULL;
}

bool special_find(dns_question q, arena *a, found *out)
{
    *out = (found){0};
    if (dns_name_under(q.name, S("\11localhost\0")))
        loopback(q, a, out);
    else if (dns_name_under(q.name, S("\7invalid\0")) || dns_name_under(q.name, S("\5onion\0")))
        out->rcode = DNS_NXDOMAIN;
    else
        return false;
    return true;
}
