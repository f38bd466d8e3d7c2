// Streams of the simulated network: TCP as a program sees it, and Unix sockets. Each direction of a connection
// is a queue of segments with arrival times; what a real network does by losing and resending is a later
// arrival here.
#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"
#include "rt/shared.h"
#include "rt/sim_inside.h"
#include "rt/sim_segment.h"

enum {
    WRITE_PIECES_MAX = 64,
    LEND_BYTES_MAX = 16 * 1024,
    SPLIT_PER_MILLION = 150000,         // a write that becomes two segments at a random place
    RST_PER_MILLION = 500000,           // a crash that its peers notice at once
    LOSSES_IN_A_ROW_MAX = 6,
};

#define RESEND_NS (200 * NS_PER_MS)
#define CONNECT_RESEND_NS NS_PER_S

typedef enum {
    END_NONE,                           // the side that is being called
    END_PENDING,                        // waits for accept
    END_OPEN,
    END_CLOSED,                         // the program closed it; the kernel still sends what is queued
    END_GONE,                           // its host crashed
} end_state;

typedef struct stream stream;
typedef struct listener listener;
typedef struct stream_sock stream_sock;

typedef struct stream_end {
    sim_event     event;                // the arrival of the first segment in `out`; first
    sim_sender    sender;               // what waits for the host's line, when that is limited
    stream       *stream;
    sim_machine  *host;                 // NULL: nobody has that address
    end_state     state;
    stream_sock  *sock;                 // while OPEN
    addr          local;
    list          waiting, out, arrived;    // segments that wait for the line, are on the way to the other end, arrived here
    size_t        out_bytes, arrived_bytes;     // out: waiting, too
    size_t        waiting_bytes, waiting_max;   // max 0: only the window
    size_t        unsent_max, queue_least;      // as told; 0: not told
    int           resends;
    bool          established, shut, peer_shut;
    err           broken;               // E_RESET, E_TIMEOUT, E_REFUSED, E_UNREACHABLE
} stream_end;

struct stream {
    list_link    of_sim, of_listener;
    sim         *sim;
    uint64_t     number;
    bool         is_unix;
    stream_end   end[2];                // [0] called [1]
};

struct stream_sock {
    sim_sock    socket;                 // first
    stream_end *end;
};

struct listener {
    sim_sock socket;                    // first
    list     pending;                   // streams that wait for accept
    int      backlog;
    char    *path;                      // Unix sockets
};

static stream_end *other(stream_end *e) { return &e->stream->end[e == &e->stream->end[0]]; }
static stream_sock *stream_sock_of(sock *s) { return (stream_sock *)(void *)s; }

// ---- segments ----------------------------------------------------------------------------------------------

static void unsent_free(stream_end *e)
{
    if (e->host)
        sim_line_leave(e->host, &e->sender);
    sim_segments_free(&e->waiting, &e->out_bytes);
    e->waiting_bytes = 0;
    sim_segments_free(&e->out, &e->out_bytes);
}

static void end_ready(stream_end *e)
{
    if (e->sock)
        sim_sock_ready(&e->sock->socket, true, true);
}

static void end_break(stream_end *e, err why)
{
    sim_drop(e->stream->sim, &e->event);
    unsent_free(e);
    if (e->broken)
        return;
    e->broken = why;
    end_ready(e);
}

// Frees the stream when nobody will ask for it again and nothing of it is on the way.
static void stream_settle(stream *t)
{
    for (int i = 0; i < 2; i++) {
        stream_end *e = &t->end[i];
        if (e->state == END_OPEN || e->state == END_PENDING || !list_empty(&e->out) || !list_empty(&e->waiting))
            return;
    }
    for (int i = 0; i < 2; i++) {
        sim_drop(t->sim, &t->end[i].event);
        sim_segments_free(&t->end[i].arrived, &t->end[i].arrived_bytes);
    }
    list_remove(&t->of_listener);
    list_remove(&t->of_sim);
    memory_free(t);
}

static int64_t segment_arrival(stream_end *from, size_t bytes)
{
    sim *s = from->stream->sim;
    stream_end *to = other(from);
    if (from->stream->is_unix || !to->host)
        return s->now_ns + sim_link_of(s, from->host, from->host).delay_min_ns;
    int64_t arrives = sim_arrival(s, from->host, to->host, bytes);
    sim_link link = sim_link_of(s, from->host, to->host);
    int64_t resend = RESEND_NS;
    for (int i = 0;
         i < LOSSES_IN_A_ROW_MAX && link.lose_per_million && dice_chance(&s->network, link.lose_per_million); i++)
        arrives += resend, resend *= 2, s->figures.segments_resent++;
    return sim_line_in(to->host, arrives, bytes);
}

static stream_end *sender_end(const sim_sender *k) { return LIST_OF((uintptr_t)k, stream_end, sender); }

static size_t sender_first_bytes(const sim_sender *k)
{
    list_link *first = list_first(&sender_end(k)->waiting);
    must(first);
    return LIST_OF(first, segment, link)->len;
}

// It has left the host (or the line has no limit) and travels.
static void segment_leave(stream_end *from, segment *g)
{
    g->arrives_ns = segment_arrival(from, g->len);
    list_link *last = list_last(&from->out);
    if (last && LIST_OF(last, segment, link)->arrives_ns > g->arrives_ns)
        g->arrives_ns = LIST_OF(last, segment, link)->arrives_ns;          // a stream keeps its order
    list_append(&from->out, &g->link);
    if (!last)
        sim_at(from->stream->sim, &from->event, g->arrives_ns);
}

static size_t writer_room(const stream_end *e, const stream_end *to)
{
    size_t taken = e->out_bytes + to->arrived_bytes;
    size_t window = e->host ? sim_line_window_bytes(e->host) : SIM_STREAM_WINDOW_BYTES;
    size_t room = e->established && taken < window ? window - taken : 0;
    if (!e->waiting_max || !e->host || !sim_line_limited(e->host))
        return room;
    // What stands before a block in the same write is not left behind: a kernel, too, counts by packets and not by bytes.
    size_t most = e->waiting_max + SIM_SEGMENT_HEAD_BYTES, unsent = e->waiting_bytes < e->waiting_max ? most - e->waiting_bytes : 0;
    return unsent < room ? unsent : room;
}

static void writer_again(stream_end *e)
{
    if (e->sock && e->established && writer_room(e, other(e)))
        sim_sock_ready(&e->sock->socket, false, true);
}

static bool sender_leaves(sim_sender *k)
{
    stream_end *from = sender_end(k);
    list_link *first = list_take(&from->waiting);
    must(first);
    segment *g = LIST_OF(first, segment, link);
    from->waiting_bytes -= g->len;
    segment_leave(from, g);
    if (from->waiting_max && from->waiting_bytes * 2 < from->waiting_max && !from->shut)
        writer_again(from);                              // Linux waits for half of it, too (TCP_NOTSENT_LOWAT)
    return !list_empty(&from->waiting);
}

static void segment_send(stream_end *from, unsigned flags, const str *pieces, int count)
{
    segment *g = sim_segment_new(flags, pieces, count);
    size_t len = g->len;
    from->out_bytes += len;
    bool inside = from->stream->is_unix || other(from)->host == from->host;
    if (inside || !from->host || !sim_line_limited(from->host)) {
        segment_leave(from, g);
        return;
    }
    list_append(&from->waiting, &g->link);
    from->waiting_bytes += len;
    sim_line_join(from->host, &from->sender);
}

static void reset_send(stream_end *from)
{
    unsent_free(from);
    sim_drop(from->stream->sim, &from->event);
    segment_send(from, SEGMENT_RST, NULL, 0);
}

// ---- arrival -----------------------------------------------------------------------------------------------

static bool listener_has_room(const listener *l)
{
    int waiting = 0;
    for (list_link *k = list_first(&l->pending); k; k = list_next(&l->pending, k))
        waiting++;
    return waiting < l->backlog;
}

// The segment cannot be delivered now: again later, with the usual back-off, and not for ever.
static void segment_again(stream_end *from, segment *g)
{
    stream *t = from->stream;
    bool calling = g->flags & SEGMENT_SYN && from == &t->end[0];
    int most = calling ? SIM_CONNECT_RESENDS_MAX : SIM_RESENDS_MAX;
    bool nobody = from->state == END_GONE || (g->flags & SEGMENT_RST);     // no kernel is left that would resend
    if (nobody || from->resends > most) {
        end_break(from, E_TIMEOUT);
        if (!nobody)
            t->sim->figures.streams_cut++;
        return;
    }
    int64_t pause = (calling ? CONNECT_RESEND_NS : RESEND_NS) << from->resends++;
    g->arrives_ns = t->sim->now_ns + pause;
    sim_at(t->sim, &from->event, g->arrives_ns);
}

static listener *listener_for(stream_end *to)
{
    return (listener *)(void *)sim_hearer(to->host, SOCK_LISTENER, to->local);
}

static void called(stream_end *from, segment *g)
{
    stream *t = from->stream;
    stream_end *to = other(from);
    listener *l = listener_for(to);
    if (l && !listener_has_room(l)) {
        segment_again(from, g);
        return;
    }
    list_remove(&g->link);
    sim_segment_free(g);
    if (!l) {
        to->state = END_CLOSED;
        reset_send(to);
        return;
    }
    to->state = END_PENDING;
    to->established = true;
    list_append(&l->pending, &t->of_listener);
    segment_send(to, SEGMENT_SYN, NULL, 0);
    sim_sock_ready(&l->socket, true, false);
}

static void segment_deliver(stream_end *from, segment *g)
{
    stream_end *to = other(from);
    list_remove(&g->link);
    from->out_bytes -= g->len;
    from->resends = 0;
    sim_mix(from->stream->sim, from->stream->number * 2 + (from == &from->stream->end[0]));
    sim_mix(from->stream->sim, (uint64_t)g->flags);
    for (int i = 0; i < g->count; i++)
        sim_mix_bytes(from->stream->sim, g->pieces[i]);
    unsigned flags = g->flags;
    size_t len = g->len;
    if (len && to->state != END_CLOSED && to->state != END_GONE && !to->broken) {
        list_append(&to->arrived, &g->link);
        to->arrived_bytes += len;
    } else {
        sim_segment_free(g);
    }
    if (flags & SEGMENT_RST) {
        end_break(to, to->established ? E_RESET : E_REFUSED);
        return;
    }
    if (flags & SEGMENT_SYN)
        to->established = true;
    if (flags & SEGMENT_FIN)
        to->peer_shut = true;
    if ((len && to->state == END_CLOSED) || to->state == END_GONE)
        reset_send(to);                  // for a connection that nobody here knows any more
    if (to->sock)
        sim_sock_ready(&to->sock->socket, len || flags & SEGMENT_FIN, flags & SEGMENT_SYN);
}

static void stream_cut(stream *t)
{
    t->sim->figures.streams_cut++;
    for (int i = 0; i < 2; i++)
        end_break(&t->end[i], E_RESET);
}

static void stream_next(stream_end *from)
{
    list_link *first = list_first(&from->out);
    if (!first)
        return;
    sim *s = from->stream->sim;
    int64_t at = LIST_OF(first, segment, link)->arrives_ns;
    sim_at(s, &from->event, at > s->now_ns ? at : s->now_ns);
}

static void segment_arrives(sim_event *event)
{
    stream_end *from = (stream_end *)(void *)event, *to = other(from);
    stream *t = from->stream;
    sim *s = t->sim;
    segment *g = LIST_OF(list_first(&from->out), segment, link);
    if (!to->host) {
        end_break(from, E_UNREACHABLE);
        stream_settle(t);
        return;
    }
    bool silent = !to->host->up || sim_apart(s, from->host, to->host);
    if (silent && from->host != to->host) {
        segment_again(from, g);
        stream_settle(t);
        return;
    }
    sim_link link = sim_link_of(s, from->host, to->host);
    bool cut = from->host != to->host && from->established && link.cut_per_million
            && dice_chance(&s->network, link.cut_per_million);
    // The bytes are lost with the connection, or the cut comes just behind them.
    if (cut && dice_chance(&s->network, 500000)) {
        stream_cut(t);
    } else if (g->flags & SEGMENT_SYN && to->state == END_NONE) {
        called(from, g);
    } else {
        segment_deliver(from, g);
        if (cut)
            stream_cut(t);
    }
    if (!heap_holds(&from->event.node))
        stream_next(from);
    stream_settle(t);
}

// ---- making ------------------------------------------------------------------------------------------------

static void end_init(stream *t, int i, sim_machine *h, addr local)
{
    stream_end *e = &t->end[i];
    e->event.run = segment_arrives;
    e->stream = t;
    e->host = h;
    e->local = local;
    e->sender.first_bytes = sender_first_bytes;
    e->sender.leaves = sender_leaves;
    list_init(&e->waiting);
    list_init(&e->out);
    list_init(&e->arrived);
}

static stream *stream_new(sim_machine *from, addr from_at, sim_machine *to, addr to_at, bool is_unix)
{
    stream *t = memory_zeroed(1, sizeof *t);
    t->sim = from->sim;
    t->number = sim_number(from->sim);
    t->is_unix = is_unix;
    end_init(t, 0, from, from_at);
    end_init(t, 1, to, to_at);
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
    segment_send(&t->end[0], SEGMENT_SYN, NULL, 0);
    return E_OK;
}

err sim_connect_unix(world *w, const char *path, sock **out)
{
    sim_machine *h = host_of(w);
    if (!h->up)
        return E_CRASHED;
    listener *l = listener_at_path(h, path);
    if (!l || !listener_has_room(l))
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

// ---- using -------------------------------------------------------------------------------------------------

err sim_connected(sock *base)
{
    stream_sock *k = stream_sock_of(base);
    if (!sock_alive(&k->socket))
        return E_CRASHED;
    if (k->end->broken)
        return k->end->broken;
    if (k->end->established)
        return E_OK;
    base->writable = false;
    return E_AGAIN;
}

// What comes next to the reader; NULL: nothing is there.
static str *arrived_first(const stream_end *e)
{
    list_link *first = list_first(&e->arrived);
    segment *g = first ? LIST_OF(first, segment, link) : NULL;
    return g ? &g->pieces[g->first] : NULL;
}

// So much of the first piece was taken.
static void arrived_took(stream_end *e, str *piece, size_t part)
{
    segment *g = LIST_OF(list_first(&e->arrived), segment, link);
    e->arrived_bytes -= part;
    if (!piece->len && ++g->first == g->count) {
        list_remove(&g->link);
        sim_segment_free(g);
    }
    writer_again(other(e));
}

static err nothing_came(sock *base, const stream_end *e)
{
    if (e->broken)
        return e->broken;
    if (e->peer_shut)
        return E_EOF;
    base->readable = false;
    return E_AGAIN;
}

err sim_read(sock *base, void *into, size_t size, size_t *got)
{
    stream_sock *k = stream_sock_of(base);
    stream_end *e = k->end;
    *got = 0;
    if (!sock_alive(&k->socket))
        return E_CRASHED;
    for (str *p; *got < size && (p = arrived_first(e)) && (*got == 0 || !shared_is(*p)); ) {
        size_t part = (size_t)p->len < size - *got ? (size_t)p->len : size - *got;
        memcpy((unsigned char *)into + *got, p->at, part);
        *got += part;
        shared_skip(p, (ptrdiff_t)part);
        arrived_took(e, p, part);
    }
    return *got ? E_OK : nothing_came(base, e);
}

err sim_lend(sock *base, str *out)
{
    stream_sock *k = stream_sock_of(base);
    stream_end *e = k->end;
    if (!sock_alive(&k->socket))
        return E_CRASHED;
    str *first = arrived_first(e);
    if (!first)
        return nothing_came(base, e);
    if (!shared_is(*first))
        return E_UNSUPPORTED;
    *out = str_first(*first, LEND_BYTES_MAX);
    (void)shared_hold(*out);
    shared_skip(first, out->len);
    arrived_took(e, first, (size_t)out->len);
    return E_OK;
}

// The next `len` bytes of the pieces, as one segment. Fewer where they are too many pieces: answers how many.
static size_t segment_gather(stream_end *e, str *from, int count, size_t len)
{
    str pieces[SEGMENT_PIECES_MAX];
    int n = 0;
    size_t taken = 0;
    for (int i = 0; i < count && taken < len && n < SEGMENT_PIECES_MAX; i++) {
        if (!from[i].len)
            continue;
        pieces[n] = str_first(from[i], (ptrdiff_t)(len - taken));
        taken += (size_t)pieces[n].len;
        from[i] = str_from(from[i], pieces[n++].len);
    }
    segment_send(e, 0, pieces, n);
    return taken;
}

// In segments: now and then in two where one would do, so that nobody relies on where a read ends.
static void bytes_send(stream_end *e, str *pieces, int count, size_t len)
{
    dice *d = &e->stream->sim->network;
    size_t most = sim_line_segment_bytes(e->host);
    while (len) {
        size_t part = len < most ? len : most;
        if (part > 1 && dice_chance(d, SPLIT_PER_MILLION))
            part = 1 + (size_t)dice_below(d, part - 1);
        len -= segment_gather(e, pieces, count, part);
    }
}

err sim_write(sock *base, const struct iovec *from, int count, size_t *put)
{
    stream_sock *k = stream_sock_of(base);
    stream_end *e = k->end;
    *put = 0;
    if (!sock_alive(&k->socket))
        return E_CRASHED;
    if (e->broken)
        return e->broken;
    must(!e->shut);
    must(count <= WRITE_PIECES_MAX);
    str pieces[WRITE_PIECES_MAX] __attribute__((uninitialized));
    size_t room = writer_room(e, other(e)), asked = 0;
    for (int i = 0; i < count; i++) {
        pieces[i] = str_of(from[i].iov_base, from[i].iov_len);
        asked += from[i].iov_len;
    }
    *put = asked < room ? asked : room;
    bytes_send(e, pieces, count, *put);
    if (*put == asked)
        return E_OK;
    base->writable = false;
    return *put ? E_OK : E_AGAIN;
}

err sim_shutdown(sock *base)
{
    stream_sock *k = stream_sock_of(base);
    if (!sock_alive(&k->socket))
        return E_CRASHED;
    if (k->end->broken)
        return k->end->broken;
    if (!k->end->shut)
        segment_send(k->end, SEGMENT_FIN, NULL, 0);
    k->end->shut = true;
    return E_OK;
}

// The smaller of what both say; a path's delay is nothing beside its line's queue here.
static void waiting_max_set(stream_end *e)
{
    bool either = !e->unsent_max || (e->queue_least && e->queue_least < e->unsent_max);
    e->waiting_max = either ? e->queue_least : e->unsent_max;
}

void sim_unsent_max(sock *base, int bytes)
{
    stream_sock *k = stream_sock_of(base);
    if (!k->end)
        return;
    k->end->unsent_max = (size_t)bytes;
    waiting_max_set(k->end);
}

void sim_queue_short(sock *base, int least)
{
    stream_sock *k = stream_sock_of(base);
    if (!k->end)
        return;
    k->end->queue_least = (size_t)least;
    waiting_max_set(k->end);
}

bool sim_peer_closed(sock *base)
{
    stream_sock *k = stream_sock_of(base);
    return !sock_alive(&k->socket) || k->end->broken || (k->end->peer_shut && !k->end->arrived_bytes);
}

// ---- ending ------------------------------------------------------------------------------------------------

// What a kernel does when a program closes: what it did not read is answered by a reset, else an orderly end.
static void end_close(stream_end *e)
{
    bool unread = e->arrived_bytes > 0 || (e->sock && e->sock->socket.base.aborted);
    e->sock = NULL;
    e->state = END_CLOSED;
    sim_segments_free(&e->arrived, &e->arrived_bytes);
    if (e->broken)
        return;
    if (unread || !e->established)
        reset_send(e);
    else if (!e->shut)
        segment_send(e, SEGMENT_FIN, NULL, 0);
    e->shut = true;
}

void sim_stream_close(sim_sock *s)
{
    stream_sock *k = stream_sock_of(&s->base);
    if (k->end) {
        stream *t = k->end->stream;
        end_close(k->end);
        stream_settle(t);
    }
    memory_free(k);
}

void sim_listener_close(sim_sock *s)
{
    listener *l = (listener *)(void *)s;
    for (list_link *k; (k = list_take(&l->pending)); ) {
        stream *t = LIST_OF(k, stream, of_listener);
        t->end[1].state = END_CLOSED;
        if (!t->end[1].broken)
            reset_send(&t->end[1]);
        stream_settle(t);
    }
    memory_free(l->path);
    memory_free(l);
}

// The host is gone: its peers hear a reset, or nothing until they send and somebody else answers for it.
static void end_crash(stream_end *e)
{
    sim *s = e->stream->sim;
    sim_machine *h = e->host;
    if (e->sock) {
        e->sock->end = NULL;
        end_ready(e);
        e->sock = NULL;
    }
    e->state = END_GONE;
    list_remove(&e->stream->of_listener);
    sim_segments_free(&e->arrived, &e->arrived_bytes);
    bool told = dice_chance(&s->network, RST_PER_MILLION);
    if (e->broken || other(e)->state == END_NONE) {
        sim_drop(s, &e->event);
        unsent_free(e);
    } else if (told) {
        unsent_free(e);
        sim_drop(s, &e->event);
        segment_leave(e, sim_segment_new(SEGMENT_RST, NULL, 0));
    } else {                                                 // what was on the way still arrives
        sim_line_leave(h, &e->sender);
        size_t none = 0;
        sim_segments_free(&e->waiting, &none);
        e->waiting_bytes = 0;
    }
}

void sim_streams_crash(sim_machine *h)
{
    for (list_link *k = list_first(&h->sockets); k; k = list_next(&h->sockets, k)) {
        sim_sock *s = LIST_OF(k, sim_sock, of_host);
        sim_sock_ready(s, true, true);
    }
    list *streams = &h->sim->streams;
    for (list_link *k = list_first(streams), *next; k; k = next) {
        next = list_next(streams, k);
        stream *t = LIST_OF(k, stream, of_sim);
        for (int i = 0; i < 2; i++)
            if (t->end[i].host == h && t->end[i].state != END_NONE)
                end_crash(&t->end[i]);
        stream_settle(t);
    }
}

int sim_cut_streams(world *a, world *b)
{
    sim_machine *x = host_of(a), *y = host_of(b);
    int cut = 0;
    for (list_link *k = list_first(&x->sim->streams), *next; k; k = next) {
        next = list_next(&x->sim->streams, k);
        stream *t = LIST_OF(k, stream, of_sim);
        sim_machine *p = t->end[0].host, *q = t->end[1].host;
        if (!((p == x && q == y) || (p == y && q == x)) || !t->end[0].established)
            continue;
        cut++;
        stream_cut(t);
        stream_settle(t);
    }
    return cut;
}

void sim_streams_free(sim *s)
{
    for (list_link *k; (k = list_take(&s->streams)); ) {
        stream *t = LIST_OF(k, stream, of_sim);
        for (int i = 0; i < 2; i++) {
            sim_drop(s, &t->end[i].event);
            unsent_free(&t->end[i]);
            sim_segments_free(&t->end[i].arrived, &t->end[i].arrived_bytes);
        }
        memory_free(t);
    }
}
