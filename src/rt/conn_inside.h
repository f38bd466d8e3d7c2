// What stands behind a conn: a carrier (socket or memory pair) that never parks, TLS above it perhaps, and two buffers.
// conn.c decides when to park; conn_pair.c, conn_tls.c and the world only ever answer E_AGAIN. Private to rt.
#pragma once
#include "rt/conn.h"
#include "rt/wait.h"

typedef struct pipe_end pipe_end;            // conn_pair.c
typedef struct tls_session tls_session;      // conn_tls.c

typedef struct {
    unsigned char *at;                       // from conn_buffers.h; NULL while empty
    size_t         start, len, cap;          // bytes at[start .. start + len)
} conn_buffer;

typedef struct conn_inside {
    conn         seen;                       // what the caller sees; first
    world       *world;
    sock        *sock;                       // the carrier: a socket,
    pipe_end    *pipe;                       // or one end of a memory pair; both NULL: it never came to be
    tls_session *tls;                        // NULL: plain text
    conn_buffer  in, out;
    str          lent, lent_left;            // input that the world lends, while `in` is empty; what is left of it
    int64_t      deadline_ns;                // absolute; NEVER_NS: none
    int64_t      rate_bytes_per_s;           // 0: no minimum
    int64_t      patience_ns, patience_max_ns;   // how long we would wait now; bytes that move buy more
    size_t       tls_dropped;
    int          moves_in_a_row;             // reads and writes without having waited
    bool         bulk;                       // the last read was large: read into a large buffer
    bool         at_end;                     // the peer has ended; E_EOF shows when the buffer has been read
    bool         out_broken;                 // nothing can be written any more
    bool         shut;                       // conn_shutdown was called
    turn         sending;                    // the reading fiber sends too, before it waits; one at a time
} conn_inside;

static inline conn_inside *inside(conn *c) { return (conn_inside *)(void *)c; }

conn_inside *conn_new(world *w);
void conn_fail(conn_inside *c, err e);       // the first error stays

// The carrier: never parks. `wants`: what to wait for after E_AGAIN.
err  carrier_read(conn_inside *c, void *into, size_t size, size_t *got);
err  carrier_write(conn_inside *c, const struct iovec *from, int count, size_t *put);
// Parks, outside of everything, until the carrier may be ready; deadline, minimum rate and `until_ns` (absolute) are kept.
// E_OK; E_TIMEOUT when it was `until_ns` (nothing has failed then); all else has become c->seen.error.
err  conn_wait(conn_inside *c, sock_event wants, int64_t until_ns);
bool conn_send_all(conn_inside *c, str more);          // the output buffer, then `more`
void conn_buffer_free(conn_buffer *b);
void conn_dismiss(conn *c);                  // what was put is tried once, then it is closed; never parks

// A memory pair's end.
err  pipe_read(pipe_end *p, void *into, size_t size, size_t *got);
err  pipe_write(pipe_end *p, const struct iovec *from, int count, size_t *put);
err  pipe_wait(pipe_end *p, sock_event what, int64_t until_ns);
void pipe_shutdown(pipe_end *p);             // the other end reads E_EOF after the last byte
void pipe_close(pipe_end *p, bool reset);    // reset: the other end reads E_RESET at once

// TLS. E_AGAIN sets *wants.
err  session_read(conn_inside *c, void *into, size_t size, size_t *got, sock_event *wants);
err  session_write(conn_inside *c, const struct iovec *from, int count, size_t *put, sock_event *wants);
void session_goodbye(conn_inside *c);        // close_notify, if it can go at once
void session_free(tls_session *t);
