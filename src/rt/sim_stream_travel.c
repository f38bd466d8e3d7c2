// The way of a stream's segments: they wait for their host's line, travel, arrive. What a real network does by losing and
// resending is a later arrival here.
#include "base/must.h"
#include "rt/sim_stream_inside.h"

enum { LOSSES_IN_A_ROW_MAX = 6 };

#define RESEND_NS (200 * NS_PER_MS)
#define CONNECT_RESEND_NS NS_PER_S

// ---- sending -----------------------------------------------------------------------------------------------------------

static int64_t segment_arrival(stream_end *from, size_t bytes)
{
    sim *s = from->stream->sim;
    stream_end *to = other(from);
    if (from->stream->is_unix || !to->host)
        return s->now_ns + sim_link_of(s, from->host, from->host)->delay_min_ns;
    int64_t arrives = sim_arrival(s, from->host, to->host, bytes);
    const sim_link *link = sim_link_of(s, from->host, to->host);
    int64_t resend = RESEND_NS;
    for (int i = 0;
         i < LOSSES_IN_A_ROW_MAX && link->lose_per_million && dice_chance(&s->network, link->lose_per_million); i++)
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

void sim_segment_leave(stream_end *from, segment *g)
{
    g->arrives_ns = segment_arrival(from, g->len);
    list_link *last = list_last(&from->out);
    if (last && LIST_OF(last, segment, link)->arrives_ns > g->arrives_ns)
        g->arrives_ns = LIST_OF(last, segment, link)->arrives_ns;          // a stream keeps its order
    list_append(&from->out, &g->link);
    if (!last)
        sim_at(from->stream->sim, &from->event, g->arrives_ns);
}

size_t sim_writer_room(const stream_end *e, const stream_end *to)
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

void sim_writer_again(stream_end *e)
{
    if (e->sock && e->established && sim_writer_room(e, other(e)))
        sim_sock_ready(&e->sock->socket, false, true);
}

static bool sender_leaves(sim_sender *k)
{
    stream_end *from = sender_end(k);
    list_link *first = list_take(&from->waiting);
    must(first);
    segment *g = LIST_OF(first, segment, link);
    from->waiting_bytes -= g->len;
    sim_segment_leave(from, g);
    if (from->waiting_max && from->waiting_bytes * 2 < from->waiting_max && !from->shut)
        sim_writer_again(from);                              // Linux waits for half of it, too (TCP_NOTSENT_LOWAT)
    return !list_empty(&from->waiting);
}

void sim_segment_send(stream_end *from, unsigned flags, const str *pieces, int count)
{
    segment *g = sim_segment_new(flags, pieces, count);
    size_t len = g->len;
    from->out_bytes += len;
    bool inside = from->stream->is_unix || other(from)->host == from->host;
    if (inside || !from->host || !sim_line_limited(from->host)) {
        sim_segment_leave(from, g);
        return;
    }
    list_append(&from->waiting, &g->link);
    from->waiting_bytes += len;
    sim_line_join(from->host, &from->sender);
}

void sim_reset_send(stream_end *from)
{
    sim_unsent_free(from);
    sim_drop(from->stream->sim, &from->event);
    sim_segment_send(from, SEGMENT_RST, NULL, 0);
}

// ---- arrival -----------------------------------------------------------------------------------------------

// The segment cannot be delivered now: again later, with the usual back-off, and not for ever.
static void segment_again(stream_end *from, segment *g)
{
    stream *t = from->stream;
    bool calling = g->flags & SEGMENT_SYN && from == &t->end[0];
    int most = calling ? SIM_CONNECT_RESENDS_MAX : SIM_RESENDS_MAX;
    bool nobody = from->state == END_GONE || (g->flags & SEGMENT_RST);     // no kernel is left that would resend
    if (nobody || from->resends > most) {
        sim_end_break(from, E_TIMEOUT);
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
    if (l && !sim_listener_has_room(l)) {
        segment_again(from, g);
        return;
    }
    list_remove(&g->link);
    sim_segment_free(g);
    if (!l) {
        to->state = END_CLOSED;
        sim_reset_send(to);
        return;
    }
    to->state = END_PENDING;
    to->established = true;
    list_append(&l->pending, &t->of_listener);
    sim_segment_send(to, SEGMENT_SYN, NULL, 0);
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
        sim_end_break(to, to->established ? E_RESET : E_REFUSED);
        return;
    }
    if (flags & SEGMENT_SYN)
        to->established = true;
    if (flags & SEGMENT_FIN)
        to->peer_shut = true;
    if ((len && to->state == END_CLOSED) || to->state == END_GONE)
        sim_reset_send(to);                  // for a connection that nobody here knows any more
    if (to->sock)
        sim_sock_ready(&to->sock->socket, len || flags & SEGMENT_FIN, flags & SEGMENT_SYN);
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
        sim_end_break(from, E_UNREACHABLE);
        sim_stream_settle(t);
        return;
    }
    bool silent = !to->host->up || sim_apart(s, from->host, to->host);
    if (silent && from->host != to->host) {
        segment_again(from, g);
        sim_stream_settle(t);
        return;
    }
    const sim_link *link = sim_link_of(s, from->host, to->host);
    bool cut = from->host != to->host && from->established && link->cut_per_million
            && dice_chance(&s->network, link->cut_per_million);
    // The bytes are lost with the connection, or the cut comes just behind them.
    if (cut && dice_chance(&s->network, 500000)) {
        sim_stream_cut(t);
    } else if (g->flags & SEGMENT_SYN && to->state == END_NONE) {
        called(from, g);
    } else {
        segment_deliver(from, g);
        if (cut)
            sim_stream_cut(t);
    }
    if (!heap_holds(&from->event.node))
        stream_next(from);
    sim_stream_settle(t);
}

void sim_end_init(stream *t, int i, sim_machine *h, addr local)
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
