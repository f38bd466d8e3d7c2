// The access log: a line a request in a file of the edge's directory, gathered and written behind.
#include <stdio.h>

#include "base/date.h"
#include "base/heap_memory.h"
#include "rooms/edge/edge_inside.h"
#include "rt/json_text.h"
#include "rt/log.h"
#include "rt/worker.h"

enum { GATHERED_BYTES_MAX = 1 << 20, GATHERED_BYTES = 64 * 1024, FILE_BYTES_MAX = 256 << 20, TARGET_BYTES_SHOWN = 1024 };

struct access_log {
    edge  *e;
    char  *path, *path_before;
    buf    lines[2];                     // gathered, and being written
    int    filling;
    file  *f;
    int64_t at;
    bool   writing, closed;
    err    error;
    gate   wake;
};

// The old file is kept once: access.log.1.
static void write_blocking(void *arg)
{
    struct access_log *l = arg;
    str text = buf_str(&l->lines[!l->filling]);
    if (l->f && l->at >= FILE_BYTES_MAX) {
        file_close(l->f);
        l->f = NULL;
        path_rename(l->e->w, l->path, l->path_before);
    }
    l->error = l->f ? E_OK : file_open(l->e->w, l->path, FILE_WRITE | FILE_CREATE, 0640, &l->f);
    if (!l->error && l->at == 0)
        file_size(l->f, &l->at);
    struct iovec v = {(void *)(uintptr_t)text.at, (size_t)text.len};
    if (!l->error && text.len)
        l->error = file_write(l->f, l->at, &v, 1);
    l->at += l->error ? 0 : text.len;
}

static void write_out(struct access_log *l)
{
    if (!l->lines[l->filling].len || l->writing)
        return;
    l->writing = true;
    l->filling = !l->filling;
    work(write_blocking, l);
    if (l->error)
        log_line("edge", LOG_WARNING, "access-log", F_STR("why", str_z(err_text(l->error))));
    buf_clear(&l->lines[!l->filling]);
    l->writing = false;
}

static void every_second(void *arg)
{
    struct access_log *l = arg;
    fiber_world(l->e->w);
    while (!fiber_canceled()) {
        gate_wait(&l->wake, world_now_ns(l->e->w) + seconds(1), "lines for the access log");
        if (!l->closed)
            write_out(l);
    }
}

void access_log_open(edge *e)
{
    struct access_log *l = memory_zeroed(1, sizeof *l);
    l->e = e;
    l->path = room_path(e->room, e->room->memory, S("access.log"));
    l->path_before = room_path(e->room, e->room->memory, S("access.log.1"));
    for (int i = 0; i < 2; i++)
        l->lines[i] = buf_make(GATHERED_BYTES_MAX);
    e->access = l;
    scope_go(e->room->scope, "access log", every_second, l);
}

// One JSON object a line. When the disk does not keep up, lines are lost rather than requests.
void access_log_put(edge *e, const request *q, int64_t took_ns)
{
    struct access_log *l = e->access;
    buf *b = &l->lines[l->filling];
    char today[DATE_TEXT_MAX], peer[ADDR_TEXT_MAX];
    date_print_rfc3339_ms(today, world_wall_ns(e->w));
    addr_print(peer, q->c->peer);
    if (b->len > GATHERED_BYTES_MAX - 4 * TARGET_BYTES_SHOWN * 2)
        return;
    buf_format(b, "{\"time\":\"%s\",\"peer\":\"%s\",\"method\":", today, peer);
    json_put(b, q->h->method);
    buf_put(b, S(",\"host\":"));
    json_put(b, q->s ? q->s->name : (str){0});
    buf_put(b, S(",\"target\":"));
    json_put(b, str_first(q->h->target, TARGET_BYTES_SHOWN));
    buf_format(b, ",\"status\":%d,\"bytes\":%lld,\"cache\":\"%s\",\"took_us\":%lld}\n", q->status, (long long)q->given, q->verdict,
               (long long)(took_ns / 1000));
    if (b->len >= GATHERED_BYTES)
        gate_wake_one(&l->wake);
}

static void close_blocking(void *arg)
{
    struct access_log *l = arg;
    if (l->f)
        file_close(l->f);
}

void access_log_close(edge *e)
{
    struct access_log *l = e->access;
    if (!l)
        return;
    e->access = NULL;
    write_out(l);
    l->closed = true;
    work(close_blocking, l);
    for (int i = 0; i < 2; i++)
        buf_free(&l->lines[i]);
    memory_free(l);
}
