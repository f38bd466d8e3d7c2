// The seam's upper side: what is the same in every world. Each operation goes to the implementation of its world.
#include "rt/world.h"

#include <stdio.h>
#include <string.h>

#include "rt/access_line.h"
#include "rt/fiber_inside.h"
#include "rt/worker.h"

// ---- clock and chance -----------------------------------------------------------------------------------------------------

int64_t world_now_ns(world *w) { return w->operations->now_ns(w); }
int64_t world_wall_ns(world *w) { return w->operations->wall_ns(w); }
void    world_random(world *w, void *out, size_t n) { w->operations->random(w, out, n); }

uint64_t world_random_u64(world *w)
{
    uint64_t x;
    world_random(w, &x, sizeof x);
    return x;
}

// Values from the incomplete last run of `bound` are thrown away: what stays is unbiased.
uint64_t world_random_below(world *w, uint64_t bound)
{
    must(bound > 0);
    uint64_t incomplete = -bound % bound, x;
    do
        x = world_random_u64(w);
    while (x < incomplete);
    return x % bound;
}

// ---- who and where --------------------------------------------------------------------------------------------------------

str  world_name(world *w) { return w->name; }
bool world_is_simulated(world *w) { return w->operations->simulated; }

const addr *world_addresses(world *w, int *count)
{
    *count = w->address_count;
    return w->addresses;
}

uint16_t world_port(world *w, uint16_t well_known)
{
    for (int i = 0; i < w->port_count; i++)
        if (w->ports[i].well_known == well_known)
            return w->ports[i].real;
    return well_known;
}

bool world_map_port(world *w, uint16_t well_known, uint16_t real)
{
    if (w->port_count == WORLD_PORTS_MAX)
        return false;
    w->ports[w->port_count].well_known = well_known;
    w->ports[w->port_count++].real = real;
    return true;
}

// ---- sockets --------------------------------------------------------------------------------------------------------------

err sock_connect(world *w, addr to, sock **out) { return w->operations->connect(w, to, out); }
err sock_connect_unix(world *w, const char *path, sock **out) { return w->operations->connect_unix(w, path, out); }
err sock_datagram_connect(sock *s, addr to) { return s->world->operations->datagram_connect(s, to); }
err sock_shutdown(sock *s) { return s->world->operations->shutdown(s); }
addr sock_local(sock *s) { return s->world->operations->local(s); }
void sock_unsent_max(sock *s, int bytes) { s->world->operations->unsent_max(s, bytes); }
void sock_queue_short(sock *s, int least) { s->world->operations->queue_short(s, least); }
bool sock_peer_closed(sock *s) { return s->world->operations->peer_closed(s); }

err sock_listen(world *w, addr at, listen_options options, sock **out)
{
    return w->operations->listen(w, at, options, out);
}

err sock_listen_unix(world *w, const char *path, unsigned mode, sock **out)
{
    return w->operations->listen_unix(w, path, mode, out);
}

err sock_datagram(world *w, addr at, bool share_port, sock **out)
{
    return w->operations->datagram(w, at, share_port, out);
}

err sock_datagram_group(world *w, addr group, sock **out) { return w->operations->datagram_group(w, group, out); }

// Readiness is remembered by edges: an operation that found nothing clears the memory, the driver sets it again.
static err read_edge(sock *s, err e)
{
    if (e == E_AGAIN)
        s->readable = false;
    return e;
}

static err write_edge(sock *s, err e)
{
    if (e == E_AGAIN)
        s->writable = false;
    return e;
}

err sock_connected(sock *s) { return write_edge(s, s->world->operations->connected(s)); }

err sock_accept(sock *s, sock **out, addr *peer, addr *local)
{
    err e = read_edge(s, s->world->operations->accept(s, out, peer, local));
    if (!e && s->world->line)
        (*out)->line = access_line_of(s->world->line, *peer);
    return e;
}

err sock_read(sock *s, void *into, size_t size, size_t *got)
{
    return read_edge(s, s->world->operations->read(s, into, size, got));
}

err sock_lend(sock *s, str *out)
{
    return s->world->operations->lend ? read_edge(s, s->world->operations->lend(s, out)) : E_UNSUPPORTED;
}

// Over a narrow line a stream takes a piece, waits until that has passed (sock_wait), and writes it.
static err line_write(sock *s, const struct iovec *from, int count, size_t *put)
{
    enum { PARTS_MAX = 16 };
    struct iovec parts[PARTS_MAX];
    size_t wanted = 0, most = 0;
    int64_t now_ns = world_now_ns(s->world);
    *put = 0;
    for (int i = 0; i < count; i++)
        wanted += from[i].iov_len;
    if (!s->line_bytes)
        s->line_bytes = access_line_take(s->line, now_ns, wanted, &s->line_ns);
    if (now_ns < s->line_ns)
        return E_AGAIN;
    most = s->line_bytes;
    int n = 0;
    for (; n < count && n < PARTS_MAX && most; n++) {
        parts[n] = from[n];
        if (parts[n].iov_len > most)
            parts[n].iov_len = most;
        most -= parts[n].iov_len;
    }
    err e = write_edge(s, s->world->operations->write(s, parts, n, put));
    s->line_bytes -= *put;
    return e;
}

err sock_write(sock *s, const struct iovec *from, int count, size_t *put)
{
    if (s->line)
        return line_write(s, from, count, put);
    return write_edge(s, s->world->operations->write(s, from, count, put));
}

err sock_write_pages(sock *s, const struct iovec *from, int count, struct pages *in, str bytes, size_t *put)
{
    if (!s->world->operations->write_pages || s->line)
        return E_UNSUPPORTED;
    return write_edge(s, s->world->operations->write_pages(s, from, count, in, bytes, put));
}

err sock_receive(sock *s, datagram *v, int count, int *got)
{
    return read_edge(s, s->world->operations->receive(s, v, count, got));
}

err sock_send(sock *s, const datagram *v, int count, int *sent)
{
    return write_edge(s, s->world->operations->send(s, v, count, sent));
}

void sock_close(sock *s)
{
    fiber *reader = s->reader, *writer = s->writer;
    s->closed = true;
    if (reader)
        fiber_interrupt(reader, E_RESET);        // they do not touch s any more
    if (writer)
        fiber_interrupt(writer, E_RESET);
    s->world->operations->close(s);
}

void sock_abort(sock *s)
{
    s->aborted = true;
    sock_close(s);
}

// Whether a writer's piece is still on its way over the line.
static bool line_holds(const sock *s, sock_event what)
{
    return what == WAIT_WRITE && s->line && s->line_bytes && world_now_ns(s->world) < s->line_ns;
}

err sock_wait(sock *s, sock_event what, int64_t until_ns)
{
    must(what == WAIT_READ || what == WAIT_WRITE);
    fiber **waiting = what == WAIT_READ ? &s->reader : &s->writer;
    const bool *ready = what == WAIT_READ ? &s->readable : &s->writable;
    must(!*waiting && !s->closed);
    if (fiber_canceled())
        return E_CANCELED;
    while (!*ready || line_holds(s, what)) {
        bool held = line_holds(s, what), sooner = held && (until_ns == NEVER_NS || s->line_ns < until_ns);
        *waiting = fiber_self();
        err e = fiber_park(sooner ? s->line_ns : until_ns, what == WAIT_READ ? "reading" : "writing");
        if (e == E_RESET)
            return e;                            // closed meanwhile: s is gone
        *waiting = NULL;
        if (e && !(sooner && e == E_TIMEOUT))
            return e;
    }
    return E_OK;
}

// ---- files: blocking, so never on a loop's thread -------------------------------------------------------------------------

err file_open(world *w, const char *path, int flags, unsigned mode, file **out)
{
    must(work_allowed());
    return w->operations->open(w, path, flags, mode, out);
}

err file_read(file *f, int64_t offset, void *into, size_t size, size_t *got)
{
    must(work_allowed());
    return f->world->operations->file_read(f, offset, into, size, got);
}

err file_lend(file *f, int64_t offset, size_t size, str *out)
{
    must(work_allowed());
    return f->world->operations->file_lend ? f->world->operations->file_lend(f, offset, size, out) : E_UNSUPPORTED;
}

err file_write(file *f, int64_t offset, const struct iovec *from, int count)
{
    must(work_allowed());
    return f->world->operations->file_write(f, offset, from, count);
}

err file_size(file *f, int64_t *out)
{
    must(work_allowed());
    return f->world->operations->file_size(f, out);
}

err file_truncate(file *f, int64_t size_bytes)
{
    must(work_allowed());
    return f->world->operations->file_truncate(f, size_bytes);
}

err file_sync(file *f)
{
    must(work_allowed());
    return f->world->operations->file_sync(f);
}

err file_lock(file *f)
{
    must(work_allowed());
    return f->world->operations->file_lock(f);
}

void file_close(file *f)
{
    must(work_allowed());
    f->world->operations->file_close(f);
}

err path_stat(world *w, const char *path, file_stat *out)
{
    must(work_allowed());
    return w->operations->stat(w, path, out);
}

err path_rename(world *w, const char *from, const char *to)
{
    must(work_allowed());
    return w->operations->rename(w, from, to);
}

err path_remove(world *w, const char *path)
{
    must(work_allowed());
    return w->operations->remove(w, path);
}

err dir_make(world *w, const char *path, unsigned mode)
{
    must(work_allowed());
    return w->operations->dir_make(w, path, mode);
}

err dir_list(world *w, const char *path, arena *a, str **names, int *count)
{
    must(work_allowed());
    return w->operations->dir_list(w, path, a, names, count);
}

err dir_sync(world *w, const char *path)
{
    must(work_allowed());
    return w->operations->dir_sync(w, path);
}

// ---- whole files ----------------------------------------------------------------------------------------------------------

static err read_all(file *f, arena *a, size_t max_bytes, str *out)
{
    int64_t size;
    err e = file_size(f, &size);
    if (e)
        return e;
    if (size < 0 || (uint64_t)size > max_bytes)
        return E_TOO_LONG;
    unsigned char *at = arena_array(a, unsigned char, size ? size : 1);
    size_t got = 0;
    if (!at)
        return E_LIMIT;
    e = file_read(f, 0, at, (size_t)size, &got);
    *out = str_of(at, got);
    return e;
}

err file_read_all(world *w, const char *path, arena *a, size_t max_bytes, str *out)
{
    file *f;
    err e = file_open(w, path, FILE_READ, 0, &f);
    if (e)
        return e;
    e = read_all(f, a, max_bytes, out);
    file_close(f);
    return e;
}

enum { PATH_BYTES_MAX = 4096 };

static err write_synced(world *w, const char *path, str content, unsigned mode)
{
    file *f;
    err e = file_open(w, path, FILE_WRITE | FILE_CREATE | FILE_TRUNCATE, mode, &f);
    if (e)
        return e;
    struct iovec all = {(void *)(uintptr_t)content.at, (size_t)content.len};
    if (content.len)
        e = file_write(f, 0, &all, 1);
    if (!e)
        e = file_sync(f);
    file_close(f);
    return e;
}

// The name of the temporary file comes from the world's chance: two writers of one path do not meet.
err file_replace(world *w, const char *path, str content, unsigned mode)
{
    char temporary[PATH_BYTES_MAX], parent[PATH_BYTES_MAX];
    int n = snprintf(temporary, sizeof temporary, "%s.new-%08x", path, (unsigned)world_random_below(w, 1ull << 32));
    if (n < 0 || n >= (int)sizeof temporary)
        return E_TOO_LONG;
    ptrdiff_t slash = str_rfind(str_z(path), '/');
    snprintf(parent, sizeof parent, "%.*s", slash < 0 ? 1 : slash == 0 ? 1 : (int)slash, slash < 0 ? "." : path);
    err e = write_synced(w, temporary, content, mode);
    if (!e)
        e = path_rename(w, temporary, path);
    if (e) {
        path_remove(w, temporary);
        return e;
    }
    return dir_sync(w, parent);
}
