// The other half of the race: one HTTP server and its clients.
#include "cmd/race.h"
#include "talk/http_serve.h"

enum { LINE_BYTES_MAX = 1024 };

static void give(void *arg, const http_request *q, http_reply *reply, arena *msg)
{
    (void)q, (void)msg;
    const str *body = arg;
    http_answer(reply, 200, S("application/octet-stream"), *body);
}

void race_http_serve(conn *c, str body) { http_serve(c, (http_limits){0}, give, &body); }

bool race_http_fetch(conn *c, int64_t length)
{
    arena a = arena_make(64 * 1024);
    conn_put(c, S("GET /file HTTP/1.1\r\nHost: race\r\nConnection: close\r\n\r\n"));
    for (str line; (line = conn_line(c, &a, LINE_BYTES_MAX)).len > 2 && !a.full; )
        continue;
    int64_t got = 0;
    for (str some; !a.full && (some = conn_some(c)).len; got += some.len)
        conn_used(c, (size_t)some.len);
    arena_free(&a);
    return got == length;
}
