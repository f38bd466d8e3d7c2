// How a simulated stream comes about: listening, connecting, accepting; TCP and Unix sockets.
#include <string.h>

#include "base/heap_memory.h"
#include "rt/sim_stream_inside.h"

static stream *stream_new(sim_machine *from, addr from_at, sim_machine *to, addr to_at, bool is_unix)
{
    stream *t = memory_zeroed(1, sizeof *t);
    t->sim = from->sim;
    t->number = sim_number(from->sim);
    t->is_unix = is_unix;
    sim_end_init(t, 0, from, from_at);
    sim_end_init(t, 1, to, to_at);
    list_append(&from->sim->streams, &t->of_sim);
    from->sim->figures.streams_opened++;
    return t;
}

static stream_sock *stream_sock_new(stream_end *e, sim_machine *h)
{
    stream_sock *k = memory_zeroed(1, sizeof *k);
    sim_sock_init(&k->socket, h, SOCK_STREAM, e->local, false);
    k->end = e;
    e->sock = k;
    e->state = END_OPEN;
    return k;
}

static err listener_new(sim_machine *h, addr at, const char *path, listen_options options, sock **out)
{
    listener *l = memory_zeroed(1, sizeof *l);
    sim_sock_init(&l->socket, h, SOCK_LISTENER, at, options.share_port);
    list_init(&l->pending);
    l->backlog = options.backlog > 0 ? options.backlog : SIM_BACKLOG;
    if (path) {
        size_t n = strlen(path) + 1;
        l->path = memory_new(n);
        memcpy(l->path, path, n);
    }
    *out = &l->socket.base;
    return E_OK;
}

err sim_listen(world *w, addr at, listen_options options, sock **out)
{
    sim_machine *h = host_of(w);
    if (!h->up)
        return E_CRASHED;
    if (!sim_may_bind(h, at))
        return E_UNREACHABLE;
    if (!at.port) {
        addr free_place;
        err e = sim_source(h, at, SOCK_LISTENER, &free_place);
        if (e)
            return e;
        at.port = free_place.port;
    } else {
        at.port = world_port(w, at.port);
    }
    if (sim_taken(h, SOCK_LISTENER, at, options.share_port))
        return E_IN_USE;
    return listener_new(h, at, NULL, options, out);
}

static listener *listener_at_path(sim_machine *h, const char *path)
{
    for (list_link *k = list_first(&h->sockets); k; k = list_next(&h->sockets, k)) {
        sim_sock *s = LIST_OF(k, sim_sock, of_host);
        listener *l = (listener *)(void *)s;
        if (s->kind == SOCK_LISTENER && sock_alive(s) && l->path && !strcmp(l->path, path))
            return l;
    }
    return NULL;
}

err sim_listen_unix(world *w, const char *path, unsigned mode, sock **out)
{
    (void)mode;                          // everybody in a simulated host is the same user
    sim_machine *h = host_of(w);
    if (!h->up)
        return E_CRASHED;
    if (listener_at_path(h, path))
        return E_IN_USE;
    return listener_new(h, (addr){0}, path, (listen_options){0}, out);
}

err sim_connect(world *w, addr to, sock **out)
{
    sim_machine *h = host_of(w);
    if (!h->up)
        return E_CRASHED;
    addr from;
    err e = sim_source(h, to, SOCK_STREAM, &from);
    if (e)
        return e;
    to.port = world_port(w, to.port);
    stream *t = stream_new(h, from, sim_host_at(h->sim, h, to), to, false);
    *out = &stream_sock_new(&t->end[0], h)->socket.base;
    sim_segment_send(&t->end[0], SEGMENT_SYN, NULL, 0);
    return E_OK;
}

err sim_connect_unix(world *w, const char *path, sock **out)
{
    sim_machine *h = host_of(w);
    if (!h->up)
        return E_CRASHED;
    listener *l = listener_at_path(h, path);
    if (!l || !sim_listener_has_room(l))
        return E_REFUSED;
    stream *t = stream_new(h, (addr){0}, h, (addr){0}, true);
    stream_sock *k = stream_sock_new(&t->end[0], h);
    t->end[0].established = t->end[1].established = true;
    k->socket.base.writable = true;
    t->end[1].state = END_PENDING;
    list_append(&l->pending, &t->of_listener);
    sim_sock_ready(&l->socket, true, false);
    *out = &k->socket.base;
    return E_OK;
}

err sim_accept(sock *base, sock **out, addr *peer, addr *local)
{
    listener *l = (listener *)(void *)base;
    if (!sock_alive(&l->socket))
        return E_CRASHED;
    list_link *first = list_take(&l->pending);
    if (!first) {
        base->readable = false;
        return E_AGAIN;
    }
    stream *t = LIST_OF(first, stream, of_listener);
    stream_sock *k = stream_sock_new(&t->end[1], l->socket.host);
    k->socket.base.readable = k->socket.base.writable = true;
    *out = &k->socket.base;
    *peer = t->end[0].local;
    *local = t->end[1].local;
    return E_OK;
}
