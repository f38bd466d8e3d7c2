// The other half of the race: one HTTP server and its clients.
#include <stdio.h>

#include "base/heap_memory.h"
#include "cmd/options.h"
#include "cmd/race.h"
#include "rt/loop.h"
#include "talk/http_serve.h"

enum { LINE_BYTES_MAX = 1024, SERVED_BYTES_MAX = 1 << 30, BACKLOG = 256 };

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

// ---- the server as a process of its own (race_real.sh) -------------------------------------------------------------------

typedef struct { world *w; str body; int code; } server;
typedef struct { server *s; conn *c; } conversation;

static void conversation_run(void *arg)
{
    conversation *k = arg;
    race_http_serve(k->c, k->s->body);
    conn_close(k->c);
    memory_free(k);
}

static void server_run(void *arg)
{
    server *s = arg;
    sock *welcome, *next;
    addr peer, local;
    err e = sock_listen(s->w, addr_v4(0, 80), (listen_options){.backlog = BACKLOG}, &welcome);
    if (e) {
        s->code = command_error("race", COMMAND_FAILED, "--serve: port 80: %s", err_text(e));
        return;
    }
    printf("complete\n");
    fflush(stdout);
    SCOPE(all, 0, RACE_SIM_PEERS_MAX);
    while (!(e = sock_accept(welcome, &next, &peer, &local)) || e == E_AGAIN) {
        if (e == E_AGAIN && sock_wait(welcome, WAIT_READ, NEVER_NS))
            break;
        if (e == E_AGAIN)
            continue;
        conversation *k = memory_new(sizeof *k);
        *k = (conversation){s, conn_of(next, peer, local)};
        if (scope_go(&all, "answer", conversation_run, k))
            break;
    }
    sock_close(welcome);
}

int race_serve(world *w, str path)
{
    server s = {.w = w, .code = COMMAND_OK};
    arena a = arena_make(SERVED_BYTES_MAX);
    loop_driver *driver = driver_linux_new();
    err e = file_read_all(w, str_to_z(&a, path), &a, SERVED_BYTES_MAX, &s.body);
    if (e)
        s.code = command_error("race", COMMAND_FAILED, "--serve " STR_FMT ": %s", STR_ARG(path), err_text(e));
    else if (loop_run(driver, w, server_run, &s))
        s.code = COMMAND_FAILED;
    driver_linux_free(driver);
    arena_free(&a);
    return s.code;
}
