#include "rooms/resolver/respond.h"

static dns_header reply_header(const dns_message *asked, unsigned rcode)
{
    return (dns_header){.id = asked->header.id, .opcode = asked->header.opcode, .rcode = (uint16_t)rcode, .response = true,
                        .recursion_desired = asked->header.recursion_desired, .recursion_available = true,
                        .checking_disabled = asked->header.checking_disabled};
}

static size_t refuse(const dns_message *asked, unsigned rcode, unsigned ede, str why, void *out, size_t out_max)
{
    dns_builder b;
    dns_edns edns = {.present = true, .udp_size = DNS_UDP_MAX, .has_ede = why.len > 0, .ede = (uint16_t)ede, .ede_text = why};
    const dns_edns *with = asked->edns.present ? &edns : NULL;
    dns_build_start(&b, out, out_max < DNS_UDP_PLAIN_MAX ? out_max : DNS_UDP_PLAIN_MAX, reply_header(asked, rcode), with);
    if (asked->has_question)
        dns_build_question(&b, asked->question);
    return (size_t)dns_build_end(&b, with).len;
}

bool respond_refusal(const dns_message *asked, bool is_allowed, void *out, size_t out_max, size_t *len)
{
    unsigned type = asked->question.type, rcode = DNS_NOERROR, ede = DNS_EDE_NOT_SUPPORTED;
    str why = {0};
    if (!is_allowed)
        rcode = DNS_REFUSED, ede = DNS_EDE_PROHIBITED, why = S("this resolver does not serve your address (resolver { allow })");
    else if (asked->header.opcode != DNS_OP_QUERY)
        rcode = DNS_NOTIMP;
    else if (!asked->has_question)
        rcode = DNS_FORMERR;
    else if (asked->edns.present && asked->edns.version > 0)
        rcode = DNS_BADVERS;
    else if (asked->question.class != DNS_CLASS_IN)
        rcode = DNS_REFUSED, why = S("only class IN is looked up here");
    else if (type == DNS_ANY)
        rcode = DNS_NOTIMP, why = S("ask for the types you want, one by one (RFC 8482)");
    else if (dns_type_is_meta(type))
        rcode = DNS_NOTIMP, why = S("this type stands in no zone");
    else if (!asked->header.recursion_desired)
        rcode = DNS_REFUSED, ede = DNS_EDE_PROHIBITED, why = S("this is a resolver: set RD (recursion desired)");
    if (rcode != DNS_NOERROR)
        *len = refuse(asked, rcode, ede, why, out, out_max);
    return rcode != DNS_NOERROR;
}

static size_t reply_limit(const dns_message *asked, bool is_stream, size_t out_max)
{
    size_t limit = is_stream ? DNS_MESSAGE_MAX : asked->edns.present ? asked->edns.udp_size : DNS_UDP_PLAIN_MAX;
    if (!is_stream && limit > DNS_UDP_MAX)
        limit = DNS_UDP_MAX;
    return limit < out_max ? limit : out_max;
}

// The answer's records in order, but those of the asked type rotated: they stand last, behind the aliases.
static bool put_answer(dns_builder *b, const dns_message *asked, const found *f, uint32_t rotation)
{
    int aliases = 0;
    while (aliases < f->answers && f->answer[aliases].type != asked->question.type)
        aliases++;
    int others = f->answers - aliases, first = others ? (int)(rotation % (uint32_t)others) : 0;
    bool fits = true;
    for (int i = 0; i < f->answers && fits; i++)
        fits = dns_build_record(b, DNS_ANSWER, &f->answer[i < aliases ? i : aliases + (i - aliases + first) % others]);
    return fits;
}

static bool names_server(const found *f, dns_name server)
{
    for (int i = 0; i < f->answers; i++)
        if (f->answer[i].type == DNS_NS && dns_name_eq(f->answer[i].rdata, server))
            return true;
    return false;
}

// Whoever asks for the root's servers wants to begin there (dig +trace, naru query --trace): what we begin with helps.
static void put_root_addresses(dns_builder *b, const dns_message *asked, const found *f, const respond_setting *how)
{
    if (asked->question.type != DNS_NS || !dns_name_is_root(asked->question.name))
        return;
    for (int i = 0; i < how->root_count; i++) {
        const root_hint *hint = &how->roots[i];
        dns_record r = {.name = hint->name, .type = hint->at.family == 4 ? DNS_A : DNS_AAAA, .class = DNS_CLASS_IN,
                        .ttl = f->answers ? f->answer[0].ttl : 0, .rdata = {hint->at.ip, hint->at.family == 4 ? 4 : 16}};
        if (names_server(f, hint->name))
            (void)dns_build_record(b, DNS_ADDITIONAL, &r);
    }
}

size_t respond(const dns_message *asked, const found *f, const respond_setting *how, void *out, size_t out_max)
{
    dns_builder b;
    dns_edns edns = {.present = true, .udp_size = DNS_UDP_MAX, .dnssec_ok = asked->edns.dnssec_ok, .has_ede = f->has_ede,
                     .ede = f->ede, .ede_text = f->ede_text, .has_subnet = how->repeats_subnet, .subnet = asked->edns.subnet};
    edns.subnet.scope = f->scope;
    bool denied_by_root = f->rcode == DNS_NXDOMAIN && f->has_soa && dns_name_is_root(f->soa.name);
    if (denied_by_root && how->explain.len && !edns.has_ede) {
        edns.has_ede = true;
        edns.ede = DNS_EDE_OTHER;
        edns.ede_text = how->explain;
    }
    const dns_edns *with = asked->edns.present ? &edns : NULL;
    dns_build_start(&b, out, reply_limit(asked, how->is_stream, out_max), reply_header(asked, f->rcode), with);
    dns_build_question(&b, asked->question);
    dns_mark mark = dns_build_mark(&b);
    b.header.truncated = !put_answer(&b, asked, f, how->turn);
    if (b.header.truncated)
        dns_build_rewind(&b, mark);                        // nothing rather than a part: the asker comes back over TCP
    else if (f->has_soa && f->rcode != DNS_SERVFAIL)
        b.header.truncated = !dns_build_record(&b, DNS_AUTHORITY, &f->soa);
    put_root_addresses(&b, asked, f, how);
    return (size_t)dns_build_end(&b, with).len;
}
