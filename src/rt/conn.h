// A conn is a byte conversation: a socket, TLS over it, or a memory pair. Failure is sticky: after the first trouble every
// read gives nothing and every write is dropped; look at c->error once per turn. (E_EOF is the peer's half of the end: what
// is written after it still goes out.) What was written is sent before the conn waits for input, so a dialogue needs
// conn_flush only where it computes for long. An idle conn holds no buffers. One fiber reads; the same or one other writes.
#pragma once
#include "base/buf.h"
#include "rt/fiber.h"

typedef struct tls_config tls_config;

typedef struct conn {
    err      error;              // E_OK while all is well; sticky
    addr     peer, local;        // family 0 for memory pairs and Unix sockets
    bool     is_tls, is_inside;  // under TLS; a memory pair or Unix socket: same machine, same owner
    uint64_t bytes_in, bytes_out;
} conn;

enum {
    CONN_IN_BYTES_MAX = 64 * 1024,       // what is read ahead
    CONN_OUT_BYTES = 32 * 1024,          // writing starts when this much waits
    CONN_PARTS_MAX = 32,
    CONN_LINE_BYTES_MAX = 64 * 1024,     // no conn_line may ask for more
    CONN_LOOK_MS = 1000,                 // conn_wait_wanted
};

// ---- making and ending --------------------------------------------------------------------------------------------------

// Connects from the node's own address, in the given time. Never NULL; c->error says what failed. The caller owns it.
conn *conn_open(world *w, addr to, int64_t timeout_ns);
conn *conn_open_unix(world *w, const char *path, int64_t timeout_ns);
conn *conn_of(sock *s, addr peer, addr local);         // takes the socket over
void  conn_pair(conn **a, conn **b);                   // two ends of a pipe in memory, same loop; each owner closes his
void  conn_close(conn *c);                             // sends what waits (at most 10 s), says goodbye, frees; NULL is fine
void  conn_abort(conn *c);                             // frees at once, the peer sees a reset

// ---- deadlines ----------------------------------------------------------------------------------------------------------

void conn_deadline(conn *c, int64_t from_now_ns);      // everything after this must be done by then; 0: no deadline
// A peer that moves fewer than bytes_per_s on average while we wait for it fails with E_SLOW. Waiting is paid from an account
// that holds at most `grace`: it starts full, and every byte that moves pays 1/bytes_per_s in. 0 bytes_per_s: no minimum.
void conn_rate_min(conn *c, int64_t bytes_per_s, int64_t grace_ns);

// ---- reading ------------------------------------------------------------------------------------------------------------

// One line with its LF (and CR). A line longer than max_bytes is skipped through its LF and comes back cut at max_bytes,
// without an LF at its end: that is how the caller knows. At the end of input a last unfinished piece comes back like that
// too, then E_EOF is set. Empty text: c->error says why. Copied into `msg`.
str  conn_line(conn *c, arena *msg, size_t max_bytes);
// What is there now, at least one byte (waits), as a view into the conn's buffer: valid until the next reading call on c.
// Call conn_used with how much of it was consumed. Empty text: c->error.
str  conn_some(conn *c);
void conn_used(conn *c, size_t n);
bool conn_read(conn *c, void *into, size_t n);         // exactly n bytes or false
bool conn_has_input(conn *c);                          // unread bytes are buffered or could be read at once (early talkers)
err  conn_wait_input(conn *c, int64_t until_ns);       // E_OK: something to read or the end; E_TIMEOUT is not sticky here
// Waits for input as long as it is wanted: `wanted` is asked every CONN_LOOK_MS in which nothing comes. False: it is not any
// more. True: something to read, the end, or c->error.
bool conn_wait_wanted(conn *c, bool (*wanted)(void *arg), void *arg);
// The peer of a socket has ended its side or broken off; what it sent before may be unread. A memory pair's end: when it was read.
bool conn_peer_left(conn *c);

// ---- writing ------------------------------------------------------------------------------------------------------------

void conn_put(conn *c, str s);                         // copied, or written through when large
// Several at once, written through after what was put before; parts are consumed (become empty) as they go.
void conn_put_parts(conn *c, str *parts, int count);   // at most CONN_PARTS_MAX
// The same, and the last part lies in `from`: a plain socket sends it without a copy, all others as any part. What went must
// not change any more; its block may be given back.
void conn_put_pages(conn *c, str *parts, int count, struct pages *from);
void conn_format(conn *c, const char *format, ...) __attribute__((format(printf, 2, 3), nonnull));
bool conn_flush(conn *c);                              // everything sent (handed to the kernel), or false
// A goodbye ("421 too slow") after an error of our own making (E_TIMEOUT, E_SLOW, E_CANCELED, E_TOO_LONG): conn_close tries
// once to send it. Without an error it is conn_put.
void conn_put_last(conn *c, str s);
void conn_shutdown(conn *c);                           // flush, then no more writing from our side
size_t conn_unsent(conn *c);
void  conn_unsent_max(conn *c, int bytes);             // sock_unsent_max of its socket; nothing for a memory pair
void  conn_queue_short(conn *c, int least);            // sock_queue_short of its socket; the same

// ---- TLS ----------------------------------------------------------------------------------------------------------------

// Handshakes over the conn. Whatever was buffered in plain text before (a peer that injects commands behind STARTTLS) is
// dropped; conn_tls_dropped() tells how much. false: c->error is E_TLS, conn_tls_reason says why.
bool conn_tls_accept(conn *c, tls_config *server);
// host: for SNI and, when the config verifies, for the name check; empty: neither.
bool conn_tls_connect(conn *c, tls_config *client, str host);
size_t conn_tls_dropped(const conn *c);
str  conn_tls_reason(conn *c, arena *a);               // "certificate has expired"
str  conn_tls_describe(conn *c, arena *a);             // "TLSv1.3 TLS_AES_256_GCM_SHA384", "" without TLS
str  conn_tls_alpn(conn *c);                           // what was agreed on, or empty
str  conn_tls_sni(conn *c);                            // the name that the client asked for, or empty
