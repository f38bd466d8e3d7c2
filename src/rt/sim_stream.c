// A simulated stream as a program uses it: TCP as it sees it, and Unix sockets. How it comes about stands in sim_stream_open.c, what
// its bytes go through in sim_stream_travel.c, how it ends in sim_stream_end.c.
#include <string.h>

#include "base/must.h"
#include "rt/shared.h"
#include "rt/sim_stream_inside.h"

enum {
    WRITE_PIECES_MAX = 64,
    LEND_BYTES_MAX = 16 * 1024,
    SPLIT_PER_MILLION = 150000,         // a write that becomes two segments at a random place
};

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
    sim_writer_again(other(e));
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
    sim_segment_send(e, 0, pieces, n);
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
    size_t room = sim_writer_room(e, other(e)), asked = 0;
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
        sim_segment_send(k->end, SEGMENT_FIN, NULL, 0);
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
    return !sock_alive(&k->socket) || k->end->broken || k->end->peer_shut;
}
