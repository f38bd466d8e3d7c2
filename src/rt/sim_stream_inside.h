// What a simulated stream is made of. For sim_stream.c (using it), sim_stream_open.c, sim_stream_travel.c (its segments' way) and
// sim_stream_end.c alone.
#pragma once
#include "rt/sim_inside.h"
#include "rt/sim_segment.h"

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

static inline stream_end *other(stream_end *e) { return &e->stream->end[e == &e->stream->end[0]]; }
static inline stream_sock *stream_sock_of(sock *s) { return (stream_sock *)(void *)s; }

static inline bool sim_listener_has_room(const listener *l)
{
    int waiting = 0;
    for (list_link *k = list_first(&l->pending); k; k = list_next(&l->pending, k))
        waiting++;
    return waiting < l->backlog;
}

// ---- sim_stream_travel.c ------------------------------------------------------------------------------------------------------
void   sim_end_init(stream *t, int i, sim_machine *h, addr local);
void   sim_segment_send(stream_end *from, unsigned flags, const str *pieces, int count);
void   sim_segment_leave(stream_end *from, segment *g);     // it has left the host, or its line has no limit
void   sim_reset_send(stream_end *from);                    // instead of all that has not arrived
size_t sim_writer_room(const stream_end *e, const stream_end *to);      // bytes that may be written now
void   sim_writer_again(stream_end *e);                     // wakes the writer if there is room
// ---- sim_stream_end.c --------------------------------------------------------------------------------------------------
void   sim_unsent_free(stream_end *e);                      // what has not arrived
void   sim_end_ready(stream_end *e);                        // its program shall look
void   sim_end_break(stream_end *e, err why);
void   sim_stream_cut(stream *t);                           // both ends hear a reset
void   sim_stream_settle(stream *t);                        // frees it when nobody will ask for it again and nothing of it is on the way
