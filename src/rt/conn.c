#include "rt/conn_inside.h"

#include <stdio.h>
#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"
#include "rt/conn_buffers.h"
#include "rt/loop.h"
#include "rt/shared.h"

enum {
    CLOSE_MS_MAX = 10000,           // what still waits is sent within this, or not at all
    LINGER_MS_MAX = 1000,           // a peer that still talks is heard out this long, so that it reads our last words
    LINGER_BYTES_MAX = 1 << 20,
    MOVES_IN_A_ROW_MAX = 16,        // a peer that is always ready lets the other fibers run after so many reads or writes
};

// ---- errors and waiting -------------------------------------------------------------------------------------------------

void conn_fail(conn_inside *c, err e)
{
    if (!c->seen.error)
        c->seen.error = e;
}

static int64_t earlier(int64_t a, int64_t b)
{
    if (a == NEVER_NS || b == NEVER_NS)
        return a == NEVER_NS ? b : a;
    return a < b ? a : b;
}

static bool passed(int64_t at_ns, int64_t now_ns) { return at_ns != NEVER_NS && now_ns >= at_ns; }

static err carrier_wait(conn_inside *c, sock_event wants, int64_t until_ns)
{
    if (c->sock)
        return sock_wait(c->sock, wants, until_ns);
    return pipe_wait(c->pipe, wants, until_ns);
}

err conn_wait(conn_inside *c, sock_event wants, int64_t until_ns)
{
    int64_t start = loop_now_ns(), slow_ns = NEVER_NS;
    c->moves_in_a_row = 0;
    if (c->rate_bytes_per_s)
        slow_ns = start + (c->patience_ns > 0 ? c->patience_ns : 1);
    err e = carrier_wait(c, wants, earlier(earlier(c->deadline_ns, until_ns), slow_ns));
    int64_t now = loop_now_ns();
    if (c->rate_bytes_per_s)
        c->patience_ns -= now - start;
    if (!e)
        return E_OK;
    if (e == E_TIMEOUT && passed(until_ns, now) && !passed(c->deadline_ns, now))
        return E_TIMEOUT;
    if (e == E_TIMEOUT && passed(slow_ns, now) && !passed(c->deadline_ns, now))
        e = E_SLOW;
    conn_fail(c, e);
    return e;
}

// A conversation that never has to wait would never hear that it was canceled, or that its time is over.
static err give_way(conn_inside *c)
{
    if (++c->moves_in_a_row <= MOVES_IN_A_ROW_MAX)
        return E_OK;
    c->moves_in_a_row = 0;
    fiber_yield();
    if (fiber_canceled())
        return E_CANCELED;
    return passed(c->deadline_ns, loop_now_ns()) || passed(fiber_deadline_ns(), loop_now_ns()) ? E_TIMEOUT : E_OK;
}

// Bytes that moved buy patience, never more than the grace that was given.
static void moved(conn_inside *c, size_t bytes)
{
    if (!c->rate_bytes_per_s)
        return;
    c->patience_ns += (int64_t)bytes * NS_PER_S / c->rate_bytes_per_s;
    if (c->patience_ns > c->patience_max_ns)
        c->patience_ns = c->patience_max_ns;
}

void conn_deadline(conn *seen, int64_t from_now_ns)
{
    inside(seen)->deadline_ns = from_now_ns == 0 ? NEVER_NS : loop_now_ns() + from_now_ns;
}

void conn_rate_min(conn *seen, int64_t bytes_per_s, int64_t grace_ns)
{
    conn_inside *c = inside(seen);
    c->rate_bytes_per_s = bytes_per_s;
    c->patience_ns = c->patience_max_ns = grace_ns > 0 ? grace_ns : NS_PER_S;
}

// ---- the carrier --------------------------------------------------------------------------------------------------------

err carrier_read(conn_inside *c, void *into, size_t size, size_t *got)
{
    return c->sock ? sock_read(c->sock, into, size, got) : pipe_read(c->pipe, into, size, got);
}

err carrier_write(conn_inside *c, const struct iovec *from, int count, size_t *put)
{
    return c->sock ? sock_write(c->sock, from, count, put) : pipe_write(c->pipe, from, count, put);
}

static err transport_read(conn_inside *c, void *into, size_t size, size_t *got, sock_event *wants)
{
    *wants = WAIT_READ;
    return c->tls ? session_read(c, into, size, got, wants) : carrier_read(c, into, size, got);
}

static err transport_write(conn_inside *c, const struct iovec *from, int count, size_t *put, sock_event *wants)
{
    *wants = WAIT_WRITE;
    return c->tls ? session_write(c, from, count, put, wants) : carrier_write(c, from, count, put);
}

// ---- making and ending --------------------------------------------------------------------------------------------------

conn_inside *conn_new(world *w)
{
    conn_inside *c = memory_zeroed(1, sizeof *c);
    c->world = w;
    return c;
}

conn *conn_of(sock *s, addr peer, addr local)
{
    conn_inside *c = conn_new(s->world);
    c->sock = s;
    c->seen.peer = peer;
    c->seen.local = local;
    c->seen.is_inside = peer.family == 0;
    return &c->seen;
}

static conn *connect_wait(conn_inside *c, err started, sock *s, int64_t timeout_ns)
{
    int64_t until_ns = timeout_ns ? loop_now_ns() + timeout_ns : NEVER_NS;
    if (!started)
        c->sock = s;
    err e = started;
    while (!e && (e = sock_connected(s)) == E_AGAIN)
        e = sock_wait(s, WAIT_WRITE, until_ns);
    if (e)
        conn_fail(c, e);
    else
        c->seen.local = sock_local(s);
    return &c->seen;
}

conn *conn_open(world *w, addr to, int64_t timeout_ns)
{
    conn_inside *c = conn_new(w);
    c->seen.peer = to;
    sock *s = NULL;
    err started = sock_connect(w, to, &s);
    return connect_wait(c, started, s, timeout_ns);
}

conn *conn_open_unix(world *w, const char *path, int64_t timeout_ns)
{
    conn_inside *c = conn_new(w);
    c->seen.is_inside = true;
    sock *s = NULL;
    err started = sock_connect_unix(w, path, &s);
    return connect_wait(c, started, s, timeout_ns);
}

void conn_buffer_free(conn_buffer *b)
{
    if (b->at)
        buffer_give(b->at, b->cap);
    *b = (conn_buffer){0};
}

static void conn_free(conn_inside *c, bool reset)
{
    if (c->tls)
        session_free(c->tls);
    if (c->sock && reset)
        sock_abort(c->sock);
    else if (c->sock)
        sock_close(c->sock);
    if (c->pipe)
        pipe_close(c->pipe, reset);
    shared_drop(c->lent);
    conn_buffer_free(&c->in);
    conn_buffer_free(&c->out);
    memory_free(c);
}

// What of the output buffer and then of `more` has gone.
static void sent(conn_inside *c, str *more, int count, size_t put)
{
    size_t left = put, from_buffer = put < c->out.len ? put : c->out.len;
    c->out.start += from_buffer;
    c->out.len -= from_buffer;
    left -= from_buffer;
    for (int i = 0; i < count && left > 0; i++) {
        size_t part = left < (size_t)more[i].len ? left : (size_t)more[i].len;
        more[i] = str_from(more[i], (ptrdiff_t)part);
        left -= part;
    }
    c->seen.bytes_out += put;
    moved(c, put);
}

// Tries once, without waiting: the last words of a conversation that has failed on our side only.
static void send_last_words(conn_inside *c)
{
    size_t put = 0;
    sock_event wants;
    str nothing = {0};
    if (c->out.len == 0 || c->out_broken)
        return;
    struct iovec v = {c->out.at + c->out.start, c->out.len};
    if (transport_write(c, &v, 1, &put, &wants) == E_OK)
        sent(c, &nothing, 1, put);
}

// A socket that is closed with unread input resets the connection, and the reset can overtake our last words: say that we
// have finished and hear the peer out, for a while.
static void linger(conn_inside *c)
{
    int64_t until_ns = loop_now_ns() + millis(LINGER_MS_MAX);
    unsigned char *waste = buffer_take(BUFFER_SMALL_BYTES);
    size_t got, total = 0;
    err e = sock_read(c->sock, waste, BUFFER_SMALL_BYTES, &got);
    if (!e)
        sock_shutdown(c->sock);
    for (bool heard = !e; heard && total < LINGER_BYTES_MAX && (!e || e == E_AGAIN); ) {
        total += e ? 0 : got;
        if (e && sock_wait(c->sock, WAIT_READ, until_ns) != E_OK)
            break;
        e = sock_read(c->sock, waste, BUFFER_SMALL_BYTES, &got);
    }
    buffer_give(waste, BUFFER_SMALL_BYTES);
}

void conn_close(conn *seen)
{
    if (!seen)
        return;
    conn_inside *c = inside(seen);
    bool in_order = seen->error == E_OK || seen->error == E_EOF;
    if (in_order && c->out.len > 0) {
        c->deadline_ns = earlier(c->deadline_ns, loop_now_ns() + millis(CLOSE_MS_MAX));
        in_order = conn_send_all(c, (str){0});
    } else if (!in_order && (c->sock || c->pipe)) {
        send_last_words(c);
    }
    if (c->tls && !c->out_broken)
        session_goodbye(c);
    if (c->sock && !c->out_broken && !c->at_end)
        linger(c);
    conn_free(c, c->out_broken || c->out.len > 0);        // the other end learns that something is missing
}

void conn_dismiss(conn *seen)
{
    conn_inside *c = inside(seen);
    send_last_words(c);
    if (c->sock)
        sock_shutdown(c->sock);
    conn_free(c, false);
}

void conn_abort(conn *seen)
{
    if (seen)
        conn_free(inside(seen), true);
}

// ---- reading ------------------------------------------------------------------------------------------------------------

static void buffer_make_room(conn_buffer *b, size_t want_cap)
{
    if (b->len == 0)
        b->start = 0;
    if (b->cap < want_cap) {
        unsigned char *at = buffer_take(want_cap);
        if (b->len)
            memcpy(at, b->at + b->start, b->len);
        if (b->at)
            buffer_give(b->at, b->cap);
        b->at = at;
        b->cap = want_cap;
        b->start = 0;
    } else if (b->start > 0 && (b->start + b->len == b->cap || b->start >= b->cap / 2)) {
        memmove(b->at, b->at + b->start, b->len);
        b->start = 0;
    }
}

static void lent_drop(conn_inside *c)
{
    shared_drop(c->lent);
    c->lent = c->lent_left = (str){0};
}

// More is wanted than what was lent: it moves to the buffer, where the rest comes behind it.
static void lent_copy(conn_inside *c)
{
    buffer_make_room(&c->in, BUFFER_LARGE_BYTES);
    memcpy(c->in.at, c->lent_left.at, (size_t)c->lent_left.len);
    c->in.start = 0;
    c->in.len = (size_t)c->lent_left.len;
    lent_drop(c);
}

static bool borrow(conn_inside *c, err *e)
{
    if (c->tls || !c->sock || c->in.len || !c->sock->world->operations->lend)
        return false;
    *e = sock_lend(c->sock, &c->lent);
    if (*e == E_UNSUPPORTED)
        return false;
    if (!*e) {
        must(c->lent.len <= BUFFER_LARGE_BYTES / 2);
        c->lent_left = c->lent;
        c->seen.bytes_in += (size_t)c->lent.len;
        moved(c, (size_t)c->lent.len);
    }
    return true;
}

// Reads once into the input buffer, behind what is there: E_OK when at least a byte came, E_EOF, E_AGAIN, or an error.
static err fill_now(conn_inside *c, sock_event *wants)
{
    err e;
    if (c->at_end)
        return E_EOF;
    if (c->lent_left.len)
        lent_copy(c);
    *wants = WAIT_READ;
    if (borrow(c, &e)) {
        if (e)
            conn_buffer_free(&c->in);
        c->at_end = e == E_EOF;
        return e;
    }
    bool large = c->bulk || c->in.len >= BUFFER_SMALL_BYTES;
    buffer_make_room(&c->in, large ? BUFFER_LARGE_BYTES : BUFFER_SMALL_BYTES);
    size_t got = 0, end = c->in.start + c->in.len;
    must(end < c->in.cap);
    e = transport_read(c, c->in.at + end, c->in.cap - end, &got, wants);
    if (!e) {
        c->bulk = got >= BUFFER_SMALL_BYTES;
        c->in.len += got;
        c->seen.bytes_in += got;
        moved(c, got);
    } else if (c->in.len == 0) {
        conn_buffer_free(&c->in);            // an idle conn holds no buffers
    }
    c->at_end = e == E_EOF;
    return e;
}

// At least one more byte of input. What was written goes out before we wait. E_EOF and E_TIMEOUT of `until_ns` are not
// sticky here; every other error is.
static err fill(conn_inside *c, int64_t until_ns)
{
    if (c->seen.error)
        return c->seen.error;
    sock_event wants;
    err e = give_way(c);
    while (!e && (e = fill_now(c, &wants)) == E_AGAIN) {
        if (c->out.len > 0 && !c->sending.taken && !conn_send_all(c, (str){0}))
            return c->seen.error;
        e = conn_wait(c, wants, until_ns);
        if (e)
            return e;
    }
    if (e && e != E_EOF)
        conn_fail(c, e);
    return e;
}

// The same for readers to whom the end of input is an error.
static bool fill_or_fail(conn_inside *c)
{
    err e = fill(c, NEVER_NS);
    if (e)
        conn_fail(c, e);
    return !e;
}

static str input(const conn_inside *c) { return c->in.len ? (str){c->in.at + c->in.start, (ptrdiff_t)c->in.len} : c->lent_left; }

static void consume(conn_inside *c, size_t n)
{
    if (c->lent_left.len) {
        c->lent_left = str_from(c->lent_left, (ptrdiff_t)n);
        if (!c->lent_left.len)
            lent_drop(c);
        return;
    }
    must(n <= c->in.len);
    c->in.start += n;
    c->in.len -= n;
}

str conn_some(conn *seen)
{
    conn_inside *c = inside(seen);
    if (seen->error == E_OK && input(c).len == 0)
        fill_or_fail(c);
    return seen->error ? (str){0} : input(c);
}

void conn_used(conn *seen, size_t n) { consume(inside(seen), n); }

bool conn_read(conn *seen, void *into, size_t n)
{
    conn_inside *c = inside(seen);
    unsigned char *at = into;
    while (n > 0) {
        str some = conn_some(seen);
        if (some.len == 0)
            return false;
        size_t part = n < (size_t)some.len ? n : (size_t)some.len;
        memcpy(at, some.at, part);
        consume(c, part);
        at += part;
        n -= part;
    }
    return seen->error == E_OK;
}

// Drops input through the next LF.
static void skip_line(conn_inside *c)
{
    for (;;) {
        ptrdiff_t lf = str_find(input(c), '\n');
        consume(c, lf >= 0 ? (size_t)lf + 1 : (size_t)input(c).len);
        if (lf >= 0 || fill(c, NEVER_NS) != E_OK)
            return;
    }
}

str conn_line(conn *seen, arena *msg, size_t max_bytes)
{
    conn_inside *c = inside(seen);
    must(max_bytes > 0 && max_bytes <= CONN_LINE_BYTES_MAX);
    for (size_t searched = 0; !seen->error; ) {
        ptrdiff_t lf = str_find(str_from(input(c), (ptrdiff_t)searched), '\n');
        size_t len = lf >= 0 ? searched + (size_t)lf + 1 : (size_t)input(c).len;
        if (len > max_bytes || (len == max_bytes && lf < 0)) {
            str line = str_copy(msg, str_first(input(c), (ptrdiff_t)max_bytes));
            skip_line(c);
            return seen->error ? (str){0} : line;
        }
        if (lf < 0) {
            searched = len;
            err e = fill(c, NEVER_NS);
            if (!e)
                continue;
            if (e != E_EOF || len == 0) {
                conn_fail(c, e);
                break;
            }
        }
        str line = str_copy(msg, str_first(input(c), (ptrdiff_t)len));
        consume(c, len);
        if (line.len == 0)
            conn_fail(c, E_LIMIT);           // the arena is full
        return line;
    }
    return (str){0};
}

bool conn_has_input(conn *seen)
{
    conn_inside *c = inside(seen);
    if (seen->error)
        return false;
    sock_event wants;
    if (input(c).len == 0) {
        err e = fill_now(c, &wants);
        if (e && e != E_AGAIN && e != E_EOF)
            conn_fail(c, e);
    }
    return input(c).len > 0;
}

err conn_wait_input(conn *seen, int64_t until_ns)
{
    conn_inside *c = inside(seen);
    if (seen->error || input(c).len > 0)
        return seen->error;
    err e = fill(c, until_ns);
    return e == E_EOF ? E_OK : e;
}

bool conn_wait_wanted(conn *c, bool (*wanted)(void *arg), void *arg)
{
    while (conn_wait_input(c, loop_now_ns() + millis(CONN_LOOK_MS)) == E_TIMEOUT && !c->error)
        if (!wanted(arg))
            return false;
    return true;
}

bool conn_peer_left(conn *seen)
{
    const conn_inside *c = inside(seen);
    return seen->error || c->at_end || (c->sock && sock_peer_closed(c->sock));
}

// ---- writing ------------------------------------------------------------------------------------------------------------

static bool send_parts(conn_inside *c, str *more, int count, struct pages *last_in);

static bool may_write(const conn_inside *c)
{
    return (c->seen.error == E_OK || c->seen.error == E_EOF) && !c->out_broken && !c->shut;
}

// One step of sending: something has gone, or we have waited.
static err send_step(conn_inside *c, str *more, int more_count, struct pages *last_in)
{
    struct iovec v[1 + CONN_PARTS_MAX];
    int count = 0;
    if (c->out.len > 0)
        v[count++] = (struct iovec){c->out.at + c->out.start, c->out.len};
    for (int i = 0; i < more_count; i++)
        if (more[i].len > 0)
            v[count++] = (struct iovec){(void *)(uintptr_t)more[i].at, (size_t)more[i].len};
    size_t put = 0;
    sock_event wants = WAIT_WRITE;
    err e = last_in ? sock_write_pages(c->sock, v, count - 1, last_in, more[more_count - 1], &put) : transport_write(c, v, count, &put, &wants);
    if (e == E_AGAIN)
        return conn_wait(c, wants, NEVER_NS);
    if (!e)
        sent(c, more, more_count, put);
    return e ? e : give_way(c);
}

bool conn_send_all(conn_inside *c, str more) { return send_parts(c, &more, 1, NULL); }

static bool send_parts(conn_inside *c, str *more, int count, struct pages *last_in)
{
    err e = turn_take(&c->sending, c->deadline_ns);
    bool took = e == E_OK;
    // They go in order: when the last one has gone, all have.
    while (!e && !c->out_broken && (c->out.len > 0 || (count > 0 && more[count - 1].len > 0)))
        e = send_step(c, more, count, last_in);
    if (e) {
        c->out_broken = true;
        conn_fail(c, e);
    }
    if (c->out_broken || c->out.len == 0)
        conn_buffer_free(&c->out);
    if (took)
        turn_give(&c->sending);
    return !c->out_broken;
}

static void append(conn_inside *c, const void *from, size_t n)
{
    conn_buffer *b = &c->out;
    if (b->start + b->len + n > b->cap)
        buffer_make_room(b, b->len + n <= BUFFER_SMALL_BYTES ? BUFFER_SMALL_BYTES : BUFFER_MIDDLE_BYTES);
    if (b->start + b->len + n > b->cap) {
        memmove(b->at, b->at + b->start, b->len);
        b->start = 0;
    }
    memcpy(b->at + b->start + b->len, from, n);
    b->len += n;
}

void conn_put(conn *seen, str s)
{
    conn_inside *c = inside(seen);
    if (s.len == 0 || !may_write(c))
        return;
    bool large = s.len >= CONN_OUT_BYTES / 2;
    if (!large && c->out.len + (size_t)s.len <= CONN_OUT_BYTES)
        append(c, s.at, (size_t)s.len);
    else
        conn_send_all(c, s);
}

void conn_put_parts(conn *seen, str *parts, int count)
{
    conn_inside *c = inside(seen);
    must(count <= CONN_PARTS_MAX);
    while (count > 0 && parts[count - 1].len == 0)
        count--;
    if (count > 0 && may_write(c))
        send_parts(c, parts, count, NULL);
}

void conn_put_pages(conn *seen, str *parts, int count, struct pages *from)
{
    conn_inside *c = inside(seen);
    must(count > 0 && count <= CONN_PARTS_MAX && parts[count - 1].len > 0);
    if (may_write(c))
        send_parts(c, parts, count, from && c->sock && !c->tls && !c->sock->line && c->sock->world->operations->write_pages ? from : NULL);
}

void conn_put_last(conn *seen, str s)
{
    conn_inside *c = inside(seen);
    if (may_write(c))
        conn_put(seen, s);
    else if (!c->out_broken && !c->shut && (c->sock || c->pipe) && c->out.len + (size_t)s.len <= CONN_OUT_BYTES)
        append(c, s.at, (size_t)s.len);
}

void conn_format(conn *seen, const char *format, ...)
{
    char few[512];
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(few, sizeof few, format, again);
    va_end(again);
    if (n >= (int)sizeof few) {
        char *many = memory_new((size_t)n + 1);
        vsnprintf(many, (size_t)n + 1, format, args);
        conn_put(seen, str_of(many, (size_t)n));
        memory_free(many);
    } else if (n > 0) {
        conn_put(seen, str_of(few, (size_t)n));
    }
    va_end(args);
}

bool conn_flush(conn *seen)
{
    conn_inside *c = inside(seen);
    return may_write(c) && (c->out.len == 0 || conn_send_all(c, (str){0}));
}

void conn_shutdown(conn *seen)
{
    conn_inside *c = inside(seen);
    if (!conn_flush(seen))
        return;
    c->shut = true;
    if (c->tls)
        session_goodbye(c);
    if (c->pipe)
        pipe_shutdown(c->pipe);
    else if (!c->tls)
        sock_shutdown(c->sock);
}

size_t conn_unsent(conn *seen) { return inside(seen)->out.len; }

void conn_unsent_max(conn *seen, int bytes)
{
    if (inside(seen)->sock)
        sock_unsent_max(inside(seen)->sock, bytes);
}

void conn_queue_short(conn *seen, int least)
{
    if (inside(seen)->sock)
        sock_queue_short(inside(seen)->sock, least);
}
