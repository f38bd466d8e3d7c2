// How a simulated stream ends: broken, cut, closed, by its host's death. And when nobody needs it any more.
#include "base/heap_memory.h"
#include "rt/sim_stream_inside.h"

enum { RST_PER_MILLION = 500000 };          // a crash that its peers notice at once

void sim_unsent_free(stream_end *e)
{
    if (e->host)
        sim_line_leave(e->host, &e->sender);
    sim_segments_free(&e->waiting, &e->out_bytes);
    e->waiting_bytes = 0;
    sim_segments_free(&e->out, &e->out_bytes);
}

void sim_end_ready(stream_end *e)
{
    if (e->sock)
        sim_sock_ready(&e->sock->socket, true, true);
}

void sim_end_break(stream_end *e, err why)
{
    sim_drop(e->stream->sim, &e->event);
    sim_unsent_free(e);
    if (e->broken)
        return;
    e->broken = why;
    sim_end_ready(e);
}

void sim_stream_settle(stream *t)
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

void sim_stream_cut(stream *t)
{
    t->sim->figures.streams_cut++;
    for (int i = 0; i < 2; i++)
        sim_end_break(&t->end[i], E_RESET);
}

// ---- by the program, by a crash ------------------------------------------------------------------------------------------

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
        sim_reset_send(e);
    else if (!e->shut)
        sim_segment_send(e, SEGMENT_FIN, NULL, 0);
    e->shut = true;
}

void sim_stream_close(sim_sock *s)
{
    stream_sock *k = stream_sock_of(&s->base);
    if (k->end) {
        stream *t = k->end->stream;
        end_close(k->end);
        sim_stream_settle(t);
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
            sim_reset_send(&t->end[1]);
        sim_stream_settle(t);
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
        sim_end_ready(e);
        e->sock = NULL;
    }
    e->state = END_GONE;
    list_remove(&e->stream->of_listener);
    sim_segments_free(&e->arrived, &e->arrived_bytes);
    bool told = dice_chance(&s->network, RST_PER_MILLION);
    if (e->broken || other(e)->state == END_NONE) {
        sim_drop(s, &e->event);
        sim_unsent_free(e);
    } else if (told) {
        sim_unsent_free(e);
        sim_drop(s, &e->event);
        sim_segment_leave(e, sim_segment_new(SEGMENT_RST, NULL, 0));
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
        sim_stream_settle(t);
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
        sim_stream_cut(t);
        sim_stream_settle(t);
    }
    return cut;
}

void sim_streams_free(sim *s)
{
    for (list_link *k; (k = list_take(&s->streams)); ) {
        stream *t = LIST_OF(k, stream, of_sim);
        for (int i = 0; i < 2; i++) {
            sim_drop(s, &t->end[i].event);
            sim_unsent_free(&t->end[i]);
            sim_segments_free(&t->end[i].arrived, &t->end[i].arrived_bytes);
        }
        memory_free(t);
    }
}
