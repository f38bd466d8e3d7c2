#include "talk/dns_exchange.h"

#include <string.h>

#include "rt/conn.h"
#include "rt/story.h"
#include "wire/dns/describe.h"

enum { LENGTH_BYTES = 2 };

// The node's own address of a family, or "any".
static addr own_address(world *w, uint8_t family)
{
    int count;
    const addr *own = world_addresses(w, &count);
    for (int i = 0; i < count; i++)
        if (own[i].family == family)
            return addr_with_port(own[i], 0);
    return (addr){.family = family};
}

static void tell(story_direction direction, addr local, addr peer, str wire)
{
    arena scratch = arena_make(64 * 1024);
    story_tell("dns", direction, local, peer, dns_message_line(&scratch, wire));
    arena_free(&scratch);
}

// A reply to what was asked? Some servers leave the question out when they refuse.
static bool fits(const dns_message *m, uint16_t id, const dns_asking *asking)
{
    bool bare_refusal = !m->has_question && m->header.rcode != DNS_NOERROR && m->header.rcode != DNS_NXDOMAIN;
    return m->header.response && m->header.id == id && m->header.opcode == DNS_OP_QUERY &&
           (bare_refusal || (m->has_question && dns_question_eq(m->question, asking->question))) &&
           (!m->edns.has_subnet || !asking->has_subnet || dns_subnet_same(&m->edns.subnet, &asking->subnet));
}

// `wire` already stands in `a`.
static bool reply_take(dns_exchanged *x, str wire, uint16_t id, const dns_asking *asking, arena *a)
{
    dns_message m;
    if (!dns_message_read(wire, a, &m, NULL) || !fits(&m, id, asking))
        return false;
    x->wire = wire;
    x->message = m;
    return true;
}

// Waits for the reply on a connected socket. E_OK; E_PROTOCOL: ask over TCP instead.
static err hear(dns_exchanged *x, sock *s, addr server, uint16_t id, const dns_asking *asking, int64_t until_ns, arena *a)
{
    unsigned char *room = arena_alloc(a, DNS_UDP_MAX, 1, 1);
    while (room && x->unfit < DNS_EXCHANGE_BAD_MAX) {
        datagram v = {.at = room, .size = DNS_UDP_MAX};
        dns_header h;
        int got = 0;
        err e = sock_receive(s, &v, 1, &got);
        if (e == E_AGAIN && (e = sock_wait(s, WAIT_READ, until_ns)) == E_OK)
            continue;
        if (e != E_OK)
            return e;
        str wire = str_of(v.at, v.len);
        if (got && reply_take(x, wire, id, asking, a)) {
            tell(STORY_IN, sock_local(s), server, wire);
            return x->message.header.truncated ? E_PROTOCOL : E_OK;
        }
        x->unfit++;
        if (dns_header_read(wire, &h) && h.id != id)
            return E_PROTOCOL;                             // somebody guesses ids: TCP cannot be guessed into
    }
    return room ? E_PROTOCOL : E_LIMIT;
}

// The story's id travels with a question to somebody who asks on our behalf: a resolver of ours tells its part of it.
static str query_build(unsigned char *at, uint16_t id, const dns_asking *asking)
{
    dns_edns edns = {.present = true, .udp_size = DNS_UDP_MAX, .trace = asking->recursion_desired ? fiber_trace() : 0,
                     .has_subnet = asking->has_subnet, .subnet = asking->subnet};
    return dns_query_build_with(at, DNS_UDP_PLAIN_MAX, id, asking->question, asking->recursion_desired,
                                asking->without_edns ? NULL : &edns);
}

static err by_udp(dns_exchanged *x, world *w, addr server, const dns_asking *asking, int64_t until_ns, arena *a)
{
    unsigned char query[DNS_UDP_PLAIN_MAX];
    uint16_t id = (uint16_t)world_random_below(w, UINT16_MAX + 1);
    str wire = query_build(query, id, asking);
    datagram out = {.peer = server, .at = query, .len = (size_t)wire.len, .size = sizeof query};
    sock *s = NULL;
    int sent = 0;
    err e = sock_datagram(w, own_address(w, server.family), false, &s);
    if (e == E_OK && (e = sock_datagram_connect(s, server)) == E_OK && (e = sock_send(s, &out, 1, &sent)) == E_OK) {
        x->queries++;
        tell(STORY_OUT, sock_local(s), server, wire);
        e = hear(x, s, server, id, asking, until_ns, a);
    }
    if (s)
        sock_close(s);
    return e;
}

static err by_tcp(dns_exchanged *x, world *w, addr server, const dns_asking *asking, int64_t until_ns, arena *a)
{
    unsigned char query[LENGTH_BYTES + DNS_UDP_PLAIN_MAX], length[LENGTH_BYTES];
    uint16_t id = (uint16_t)world_random_below(w, UINT16_MAX + 1);
    str wire = query_build(query + LENGTH_BYTES, id, asking);
    query[0] = (unsigned char)(wire.len >> 8);
    query[1] = (unsigned char)wire.len;
    int64_t left = until_ns - world_now_ns(w);
    if (left <= 0)
        return E_TIMEOUT;
    conn *c = conn_open(w, server, left);
    conn_deadline(c, left);
    conn_put(c, str_of(query, LENGTH_BYTES + (size_t)wire.len));
    x->queries++;
    tell(STORY_OUT, c->local, server, wire);
    if (conn_flush(c) && conn_read(c, length, sizeof length)) {
        size_t n = (size_t)(length[0] << 8 | length[1]);
        unsigned char *room = arena_alloc(a, n, 1, 1);
        if (room && conn_read(c, room, n))
            x->by_tcp = reply_take(x, str_of(room, n), id, asking, a);
        if (x->by_tcp)
            tell(STORY_IN, c->local, server, x->wire);
    }
    err e = x->by_tcp ? E_OK : c->error ? c->error : E_PROTOCOL;
    conn_abort(c);
    return e;
}

dns_exchanged dns_exchange(world *w, addr server, dns_asking asking, int64_t timeout_ns, arena *a)
{
    dns_exchanged x = {.error = E_PROTOCOL};
    int64_t start = world_now_ns(w), until = start + timeout_ns;
    if (server.port == 0)
        server.port = DNS_PORT;
    if (!asking.by_tcp)
        x.error = by_udp(&x, w, server, &asking, until, a);
    if (x.error == E_PROTOCOL) {
        x.wire = (str){0};
        x.error = by_tcp(&x, w, server, &asking, until, a);
    }
    x.took_ns = world_now_ns(w) - start;
    return x;
}
