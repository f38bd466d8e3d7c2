#include "rooms/resolver/scrub.h"

int reply_set(const dns_message *m, dns_name owner, unsigned type, const dns_record **out, int max)
{
    int count = 0;
    for (int i = 0; i < m->count[DNS_ANSWER] && count < max; i++) {
        const dns_record *r = dns_message_record(m, DNS_ANSWER, i);
        if (r->type == type && r->class == DNS_CLASS_IN && dns_name_eq(r->name, owner))
            out[count++] = r;
    }
    return count;
}

// RFC 2308 2: the SOA of a negative reply belongs to a zone between the server's and the name.
static const dns_record *negative_soa(const dns_message *m, dns_name zone, dns_name name)
{
    for (int i = 0; i < m->count[DNS_AUTHORITY]; i++) {
        const dns_record *r = dns_message_record(m, DNS_AUTHORITY, i);
        if (r->type == DNS_SOA && r->class == DNS_CLASS_IN && dns_name_under(r->name, zone) && dns_name_under(name, r->name))
            return r;
    }
    return NULL;
}

// The first zone that the authority section hands to: strictly below the server's and above (or at) the name.
static bool referral(const dns_message *m, dns_name zone, dns_name name, dns_name *cut)
{
    for (int i = 0; i < m->count[DNS_AUTHORITY]; i++) {
        const dns_record *r = dns_message_record(m, DNS_AUTHORITY, i);
        if (r->type == DNS_NS && r->class == DNS_CLASS_IN && dns_name_under(r->name, zone) && !dns_name_eq(r->name, zone) &&
            dns_name_under(name, r->name)) {
            *cut = r->name;
            return true;
        }
    }
    return false;
}

reply_view reply_judge(const dns_message *m, dns_name zone, dns_question q, bool recursive)
{
    const dns_record *one;
    reply_view lame = {.kind = REPLY_LAME}, view = {.kind = REPLY_LAME};
    bool speaks = m->header.authoritative || (recursive && m->header.recursion_available);
    if (m->header.rcode != DNS_NOERROR && m->header.rcode != DNS_NXDOMAIN)
        return lame;
    if (speaks && reply_set(m, q.name, q.type, &one, 1))
        return (reply_view){.kind = REPLY_DATA};
    if (speaks && q.type != DNS_CNAME && reply_set(m, q.name, DNS_CNAME, &one, 1))
        return (reply_view){.kind = REPLY_ALIAS};          // the code then speaks of the alias's target (RFC 6604)
    if (speaks && m->header.rcode == DNS_NXDOMAIN)
        return (reply_view){.kind = REPLY_NO_NAME, .soa = negative_soa(m, zone, q.name)};
    if (m->header.rcode == DNS_NOERROR && m->count[DNS_ANSWER] == 0 && referral(m, zone, q.name, &view.cut)) {
        view.kind = REPLY_REFERRAL;
        return view;
    }
    if (speaks && m->count[DNS_ANSWER] == 0 && m->header.rcode == DNS_NOERROR)
        return (reply_view){.kind = REPLY_NO_DATA, .soa = negative_soa(m, zone, q.name)};
    return lame;
}
