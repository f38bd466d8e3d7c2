#include "talk/dns_doors.h"

#include "talk/dns_exchange.h"

static void serve(conn *c, void *arg)
{
    dns_doors *d = arg;
    dns_stream_serve(c, d->answer_stream, d->arg);
}

static int addresses_of(const room *r, bool only_here, addr out[DNS_DOORS_MAX])
{
    int count = 0, own_count;
    const addr *own = world_addresses(r->world, &own_count);
    const statement *listen = config_first(r->settings, "listen");
    for (const statement *l = listen; l; l = config_next(l, "listen"))
        for (int i = 1; i < l->word_count && count < DNS_DOORS_MAX; i++)
            count += addr_parse(l->words[i], DNS_PORT, &out[count]);
    for (int i = 0; !listen && i < own_count && count < DNS_DOORS_MAX; i++)
        out[count++] = addr_with_port(own[i], DNS_PORT);
    if (count > 0)
        return count;
    out[count++] = addr_v4(only_here ? 0x7f000001 : 0, DNS_PORT);
    if (!only_here)
        out[count++] = (addr){.family = 6, .port = DNS_PORT};
    return count;
}

static bool no_ipv6_here(addr at, err e)
{
    return at.family == 6 && addr_is_any(at) && (e == E_UNSUPPORTED || e == E_UNREACHABLE);
}

static err pair_open(dns_doors *d, room *r, addr at, datagram_answer *answer)
{
    datagram_door *udp;
    bool share = r->node->loops > 1;
    door_options options = {.service = r->kind->name, .at = at, .share_port = share, .conns_max = DNS_STREAMS_MAX,
                            .conns_per_address_max = DNS_STREAMS_PER_ADDRESS_MAX};
    err e = datagram_open(r->scope, r->world, r->kind->name, at, share, answer, d->arg, &udp);
    if (e == E_OK)
        e = door_open(r->scope, r->world, options, serve, d, &d->tcp[d->count]);
    d->count += e == E_OK;
    return e;
}

err dns_doors_open(dns_doors *d, room *r, datagram_answer *answer, dns_stream_answer *answer_stream, void *arg,
                   bool only_here, str *why)
{
    addr at[DNS_DOORS_MAX];
    int count = addresses_of(r, only_here, at);
    *d = (dns_doors){.answer_stream = answer_stream, .arg = arg};
    for (int i = 0; i < count; i++) {
        err e = pair_open(d, r, at[i], answer);
        if (e && !no_ipv6_here(at[i], e)) {
            *why = str_format(r->memory, "%s cannot listen on " STR_FMT ": %s. End the program that has the port (ss -lntup "
                              "shows which), or set another address (%s { listen ADDRESS })", r->kind->name,
                              STR_ARG(addr_text(r->memory, at[i])), err_text(e), r->kind->name);
            return e;
        }
    }
    return E_OK;
}

void dns_doors_stop(dns_doors *d)
{
    for (int i = 0; i < d->count; i++)
        door_stop(d->tcp[i]);
}
