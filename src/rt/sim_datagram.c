// Datagrams of the simulated network: lost, late, out of order, and only as many as the receiver's queue holds.
#include <string.h>

#include "base/crc32c.h"
#include "base/heap_memory.h"
#include "base/must.h"
#include "rt/sim_inside.h"

enum { DATAGRAM_LEN_MAX = 65507, DATAGRAM_COST_BYTES = 256 };      // a small one takes room in the queue too

typedef struct {
    sim_event     event;                // its arrival; first
    list_link     link;                 // of the simulation while on the way, of the socket after
    sim           *sim;
    sim_machine   *from, *to;
    uint64_t      sender;               // the socket's number: it may be gone when news comes back
    addr          source, target;
    bool          nobody_there;         // on its way back: "port unreachable" (ICMP)
    size_t        len;
    unsigned char bytes[];
} flight;

typedef struct {
    sim_sock socket;                    // first
    addr     peer;                      // connected to; family 0: to nobody
    list     arrived;
    size_t   arrived_bytes;
    bool     refused;
} datagram_sock;

static datagram_sock *datagram_sock_of(sock *s) { return (datagram_sock *)(void *)s; }

static void flight_free(flight *f)
{
    sim_drop(f->sim, &f->event);
    list_remove(&f->link);
    memory_free(f);
}

static datagram_sock *sender_find(sim_machine *h, uint64_t number)
{
    for (list_link *l = list_first(&h->sockets); l; l = list_next(&h->sockets, l)) {
        sim_sock *s = LIST_OF(l, sim_sock, of_host);
        if (s->number == number && sock_alive(s))
            return datagram_sock_of(&s->base);
    }
    return NULL;
}

static void refusal_arrives(flight *f)
{
    datagram_sock *d = sender_find(f->from, f->sender);
    if (d && d->peer.family) {
        d->refused = true;
        sim_sock_ready(&d->socket, true, false);
    }
    flight_free(f);
}

// Who hears it: a socket connected to the source before one that listens to everybody.
static datagram_sock *receiver_find(const flight *f)
{
    datagram_sock *any = NULL;
    for (list_link *l = list_first(&f->to->sockets); l; l = list_next(&f->to->sockets, l)) {
        sim_sock *s = LIST_OF(l, sim_sock, of_host);
        datagram_sock *d = datagram_sock_of(&s->base);
        if (s->kind != SOCK_DATAGRAM || !sock_alive(s) || s->local.port != f->target.port
         || s->local.family != f->target.family || !(addr_is_any(s->local) || addr_eq_ip(s->local, f->target)))
            continue;
        if (d->peer.family && addr_eq(d->peer, f->source))
            return d;
        if (!d->peer.family && (!any || !addr_is_any(s->local)))
            any = d;
    }
    return any;
}

static void flight_arrives(sim_event *event)
{
    flight *f = (flight *)(void *)event;
    sim *s = f->sim;
    sim_machine *here = f->nobody_there ? f->from : f->to;
    if (!here->up || sim_apart(s, f->from, f->to)) {
        s->figures.datagrams_lost++;
        flight_free(f);
        return;
    }
    if (f->nobody_there) {
        refusal_arrives(f);
        return;
    }
    sim_mix(s, crc32c((uint32_t)f->sender, str_of(f->bytes, f->len)));
    datagram_sock *d = receiver_find(f);
    size_t cost = f->len + DATAGRAM_COST_BYTES;
    if (!d) {
        s->figures.datagrams_lost++;
        f->nobody_there = true;
        sim_at(s, &f->event, sim_arrival(s, f->to, f->from, 0));
    } else if (d->arrived_bytes + cost > SIM_DATAGRAM_QUEUE_BYTES) {
        s->figures.datagrams_lost++;
        flight_free(f);
    } else {
        list_remove(&f->link);
        list_append(&d->arrived, &f->link);
        d->arrived_bytes += cost;
        sim_sock_ready(&d->socket, true, false);
    }
}

err sim_datagram(world *w, addr at, bool share_port, sock **out)
{
    sim_machine *h = host_of(w);
    if (!h->up)
        return E_CRASHED;
    if (!sim_may_bind(h, at))
        return E_UNREACHABLE;
    if (at.port) {
        at.port = world_port(w, at.port);
        if (sim_taken(h, SOCK_DATAGRAM, at, share_port))
            return E_IN_USE;
    } else {
        addr place;
        err e = sim_source(h, at, SOCK_DATAGRAM, &place);
        if (e)
            return e;
        at.port = place.port;
    }
    datagram_sock *d = memory_zeroed(1, sizeof *d);
    sim_sock_init(&d->socket, h, SOCK_DATAGRAM, at, share_port);
    d->socket.base.writable = true;
    list_init(&d->arrived);
    *out = &d->socket.base;
    return E_OK;
}

err sim_datagram_connect(sock *base, addr to)
{
    datagram_sock *d = datagram_sock_of(base);
    if (!sock_alive(&d->socket))
        return E_CRASHED;
    to.port = world_port(base->world, to.port);
    if (addr_is_any(d->socket.local)) {
        addr from;
        err e = sim_source(d->socket.host, to, SOCK_DATAGRAM, &from);
        if (e)
            return e;
        d->socket.local = addr_with_port(from, d->socket.local.port);
    }
    d->peer = to;
    return E_OK;
}

static bool is_group(addr a) { return a.family == 4 ? a.ip[0] >> 4 == 14 : a.family == 6 && a.ip[0] == 0xff; }

err sim_datagram_group(world *w, addr group, sock **out)
{
    sim_machine *h = host_of(w);
    addr own;
    group.port = world_port(w, group.port);
    if (!h->up)
        return E_CRASHED;
    if (!is_group(group) || sim_source(h, group, SOCK_DATAGRAM, &own) != E_OK)
        return E_UNREACHABLE;
    datagram_sock *d = memory_zeroed(1, sizeof *d);
    sim_sock_init(&d->socket, h, SOCK_DATAGRAM, group, true);
    d->socket.base.writable = true;
    list_init(&d->arrived);
    *out = &d->socket.base;
    return E_OK;
}

err sim_receive(sock *base, datagram *v, int count, int *got)
{
    datagram_sock *d = datagram_sock_of(base);
    *got = 0;
    if (!sock_alive(&d->socket))
        return E_CRASHED;
    if (d->refused) {
        d->refused = false;
        return E_REFUSED;
    }
    if (count > DATAGRAM_BATCH_MAX)
        count = DATAGRAM_BATCH_MAX;
    for (list_link *k; *got < count && (k = list_take(&d->arrived)); ) {
        flight *f = LIST_OF(k, flight, link);
        datagram *in = &v[(*got)++];
        in->peer = f->source;
        in->local = f->target;
        in->len = f->len < in->size ? f->len : in->size;
        if (in->len)
            memcpy(in->at, f->bytes, in->len);
        d->arrived_bytes -= f->len + DATAGRAM_COST_BYTES;
        memory_free(f);
    }
    if (*got)
        return E_OK;
    base->readable = false;
    return E_AGAIN;
}

static void flight_to(datagram_sock *d, addr source, addr target, sim_machine *to, const datagram *out)
{
    sim_machine *h = d->socket.host;
    sim *s = h->sim;
    if (!to || (h != to && dice_chance(&s->network, sim_link_of(s, h, to)->lose_per_million))) {
        s->figures.datagrams_lost++;
        return;
    }
    flight *f = memory_new(sizeof *f + out->len);
    *f = (flight){.event.run = flight_arrives, .sim = s, .from = h, .to = to, .sender = d->socket.number,
                  .source = source, .target = target, .len = out->len};
    if (out->len)
        memcpy(f->bytes, out->at, out->len);
    list_append(&s->flights, &f->link);
    int64_t leaves = h == to ? 0 : sim_line_datagram(h, out->len);
    sim_at(s, &f->event, sim_arrival(s, h, to, out->len) + leaves);
}

static bool has_joined(sim_machine *h, addr group)
{
    for (list_link *l = list_first(&h->sockets); l; l = list_next(&h->sockets, l)) {
        const sim_sock *s = LIST_OF(l, sim_sock, of_host);
        if (s->kind == SOCK_DATAGRAM && sock_alive(s) && addr_eq(s->local, group))
            return true;
    }
    return false;
}

static err flight_start(datagram_sock *d, const datagram *out)
{
    sim_machine *h = d->socket.host;
    sim *s = h->sim;
    addr target = d->peer.family ? d->peer : out->peer;
    if (!d->peer.family)
        target.port = world_port(&h->world, target.port);
    addr source = d->socket.local;
    if (out->local.family)
        source = addr_with_port(out->local, source.port);
    if (addr_is_any(source) || is_group(source)) {
        addr own;
        err e = sim_source(h, target, SOCK_DATAGRAM, &own);
        if (e)
            return e;
        source = addr_with_port(own, source.port);
    }
    if (source.family != target.family || out->len > DATAGRAM_LEN_MAX)
        return E_UNREACHABLE;
    s->figures.datagrams_sent++;
    if (!is_group(target))
        flight_to(d, source, target, sim_host_at(s, h, target), out);
    for (int i = 0; is_group(target) && i < s->host_count; i++)
        if (has_joined(s->hosts[i], target))
            flight_to(d, source, target, s->hosts[i], out);
    return E_OK;
}

err sim_send(sock *base, const datagram *v, int count, int *sent)
{
    datagram_sock *d = datagram_sock_of(base);
    *sent = 0;
    if (!sock_alive(&d->socket))
        return E_CRASHED;
    if (count > DATAGRAM_BATCH_MAX)
        count = DATAGRAM_BATCH_MAX;
    for (; *sent < count; (*sent)++) {
        err e = flight_start(d, &v[*sent]);
        if (e)
            return *sent ? E_OK : e;
    }
    return E_OK;
}

void sim_datagram_close(sim_sock *s)
{
    datagram_sock *d = datagram_sock_of(&s->base);
    for (list_link *k; (k = list_take(&d->arrived)); )
        memory_free(LIST_OF(k, flight, link));
    memory_free(d);
}

void sim_datagrams_free(sim *s)
{
    for (list_link *k; (k = list_first(&s->flights)); )
        flight_free(LIST_OF(k, flight, link));
}
