// A memory pair: two bounded pipes, one each way, between fibers of one loop.
#include "rt/conn_inside.h"

#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"
#include "rt/conn_buffers.h"

enum { PIPE_BYTES = BUFFER_LARGE_BYTES };

// Bytes on their way from one end to the other.
typedef struct {
    unsigned char *ring;            // PIPE_BYTES; NULL while empty
    size_t         start, len;
    bool           closed;          // the writer has finished: E_EOF after the last byte
    bool           broken;          // the reader has gone, or the writer has left without a word
    fiber         *reader, *writer; // parked
} tube;

typedef struct pair pair;
struct pipe_end { pair *pair; tube *in, *out; };
struct pair {
    tube     tubes[2];
    pipe_end ends[2];
    int      open;                  // ends that are not closed yet
};

void conn_pair(conn **a, conn **b)
{
    pair *p = memory_zeroed(1, sizeof *p);
    p->open = 2;
    conn **out[2] = {a, b};
    for (int i = 0; i < 2; i++) {
        p->ends[i] = (pipe_end){p, &p->tubes[i], &p->tubes[1 - i]};
        conn_inside *c = conn_new(world_here());
        c->pipe = &p->ends[i];
        c->seen.is_inside = true;
        *out[i] = &c->seen;
    }
}

static void wake(fiber *f)
{
    if (f)
        fiber_wake(f);
}

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

err pipe_read(pipe_end *end, void *into, size_t size, size_t *got)
{
    tube *p = end->in;
    *got = 0;
    if (p->broken)
        return E_RESET;
    if (p->len == 0)
        return p->closed ? E_EOF : E_AGAIN;
    size_t n = least(size, p->len), first = least(n, PIPE_BYTES - p->start);
    memcpy(into, p->ring + p->start, first);
    memcpy((unsigned char *)into + first, p->ring, n - first);
    p->start = (p->start + n) % PIPE_BYTES;
    p->len -= n;
    if (p->len == 0) {
        buffer_give(p->ring, PIPE_BYTES);
        p->ring = NULL;
        p->start = 0;
    }
    *got = n;
    wake(p->writer);
    return E_OK;
}

static size_t tube_append(tube *p, const unsigned char *from, size_t size)
{
    size_t n = least(size, PIPE_BYTES - p->len);
    if (n == 0)
        return 0;
    if (!p->ring)
        p->ring = buffer_take(PIPE_BYTES);
    size_t end = (p->start + p->len) % PIPE_BYTES, first = least(n, PIPE_BYTES - end);
    memcpy(p->ring + end, from, first);
    memcpy(p->ring, from + first, n - first);
    p->len += n;
    return n;
}

err pipe_write(pipe_end *end, const struct iovec *from, int count, size_t *put)
{
    tube *p = end->out;
    *put = 0;
    if (p->broken || p->closed)
        return E_RESET;
    for (int i = 0; i < count; i++)
        *put += tube_append(p, from[i].iov_base, from[i].iov_len);
    if (*put == 0)
        return E_AGAIN;
    wake(p->reader);
    return E_OK;
}

err pipe_wait(pipe_end *end, sock_event what, int64_t until_ns)
{
    tube *p = what == WAIT_READ ? end->in : end->out;
    fiber **waiter = what == WAIT_READ ? &p->reader : &p->writer;
    must(!*waiter);                          // one reader and one writer an end
    err e = E_OK;
    while (!e && !p->broken && !p->closed && (what == WAIT_READ ? p->len == 0 : p->len == PIPE_BYTES)) {
        *waiter = fiber_self();
        e = fiber_park(until_ns, what == WAIT_READ ? "memory pair: reading" : "memory pair: writing");
        *waiter = NULL;
    }
    return e;
}

static void tube_wake_both(tube *p)
{
    wake(p->reader);
    wake(p->writer);
}

void pipe_shutdown(pipe_end *end)
{
    end->out->closed = true;
    tube_wake_both(end->out);
}

void pipe_close(pipe_end *end, bool reset)
{
    pair *both = end->pair;
    pipe_shutdown(end);
    end->in->broken = true;                  // whoever still writes to us learns it
    if (reset)
        end->out->broken = true;
    tube_wake_both(end->in);
    if (--both->open > 0)
        return;
    for (int i = 0; i < 2; i++)
        if (both->tubes[i].ring)
            buffer_give(both->tubes[i].ring, PIPE_BYTES);
    memory_free(both);
}
