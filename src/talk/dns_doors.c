#include "talk/dns_doors.h"

#include "rt/room_doors.h"
#include "talk/dns_exchange.h"

static void serve(conn *c, void *arg)
{
    dns_doors *d = arg;
    dns_stream_serve(c, d->answer_stream, d->arg);
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
    int count = room_addresses(r, only_here, DNS_PORT, at, DNS_DOORS_MAX);
    *d = (dns_doors){.answer_stream = answer_stream, .arg = arg};
    for (int i = 0; i < count; i++) {
        err e = pair_open(d, r, at[i], answer);
        if (e && !room_has_no_ipv6(at[i], e)) {
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
