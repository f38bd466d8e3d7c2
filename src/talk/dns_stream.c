#include "talk/dns_stream.h"

#include "base/heap_memory.h"

enum { MESSAGE_ARENA_BYTES = 1024 * 1024, LENGTH_BYTES = 2 };

static bool serve_one(conn *c, dns_stream_answer *answer, void *arg, arena *msg, unsigned char *out)
{
    unsigned char length[LENGTH_BYTES];
    conn_deadline(c, seconds(DNS_STREAM_IDLE_S));
    if (!conn_read(c, length, sizeof length))
        return false;
    size_t n = (size_t)(length[0] << 8 | length[1]);
    unsigned char *query = arena_alloc(msg, n, 1, 1);
    conn_deadline(c, seconds(DNS_STREAM_MESSAGE_S));
    if (n < DNS_HEADER_BYTES || !query || !conn_read(c, query, n))
        return false;
    conn_deadline(c, 0);                                   // the answer may take longer: it has limits of its own
    size_t reply = answer(arg, c, str_of(query, n), msg, out + LENGTH_BYTES, DNS_MESSAGE_MAX);
    out[0] = (unsigned char)(reply >> 8);
    out[1] = (unsigned char)reply;
    conn_deadline(c, seconds(DNS_STREAM_MESSAGE_S));
    if (reply)
        conn_put(c, str_of(out, reply + LENGTH_BYTES));
    return reply > 0;
}

// What has been answered leaves before the peer is waited for.
static bool wait_for_query(conn *c)
{
    int64_t until = world_now_ns(world_here()) + seconds(DNS_STREAM_IDLE_S);
    conn_deadline(c, seconds(DNS_STREAM_IDLE_S));
    return conn_has_input(c) || (conn_flush(c) && conn_wait_input(c, until) == E_OK);
}

void dns_stream_serve(conn *c, dns_stream_answer *answer, void *arg)
{
    arena msg = arena_make(MESSAGE_ARENA_BYTES);
    for (int queries = 0; queries < DNS_STREAM_QUERIES_MAX && !c->error; queries++) {
        // The large buffer is there only while a query is at work: an idle connection holds none.
        if (!wait_for_query(c))
            break;
        unsigned char *out = memory_new(LENGTH_BYTES + DNS_MESSAGE_MAX);
        bool good = serve_one(c, answer, arg, &msg, out);
        memory_free(out);
        arena_reset(&msg);
        if (!good)
            break;
    }
    arena_free(&msg);
}
