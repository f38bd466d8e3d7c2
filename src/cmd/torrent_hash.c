// Hashing pieces: a fiber takes the next run of pieces, a worker reads and hashes it, the fiber notes what came out.
#include <stdio.h>
#include <string.h>

#include "base/heap_memory.h"
#include "base/quantity.h"
#include "cmd/torrent.h"
#include "rt/digest.h"
#include "rt/loop.h"
#include "rt/worker.h"

enum { BAR_COLUMNS = 24, PROGRESS_MS = 100 };

typedef struct {
    torrent_run     *r;
    torrent_hashing *h;
    int32_t next, run;                           // the next piece that nobody has, pieces in one work
    int64_t done_bytes, began_ns, shown_ns;
    bool    display;
} hashing;

typedef struct {                                 // a fiber's own; lent to a worker while it works
    hashing *all;
    digest  *digest;
    unsigned char *buffer;
    file    *open;
    int      open_file, bad_file;                // -1: none
    err      bad;
    int32_t  first, count;
} hasher;

static void file_failed(hasher *j, int number, err e)
{
    if (j->bad_file < 0) {
        j->bad_file = number;
        j->bad = e;
    }
}

static bool file_turn(hasher *j, int number)
{
    torrent_hashing *h = j->all->h;
    if (j->open_file == number)
        return true;
    if (j->open)
        file_close(j->open);
    j->open = NULL;
    j->open_file = -1;
    err e = h->paths[number] ? file_open(j->all->r->world, h->paths[number], FILE_READ, 0, &j->open) : E_NO_ENTRY;
    if (e) {
        file_failed(j, number, e);
        return false;
    }
    j->open_file = number;
    return true;
}

static bool add_part(hasher *j, int number, int64_t at, int64_t count)
{
    bool pad = j->all->h->layout->files[number].pad;
    if (!pad && !file_turn(j, number))
        return false;
    while (count) {
        size_t n = count < TORRENT_BUFFER_BYTES ? (size_t)count : TORRENT_BUFFER_BYTES, got = n;
        err e = E_OK;
        if (pad)
            memset(j->buffer, 0, n);
        else
            e = file_read(j->open, at, j->buffer, n, &got);
        if (e || got < n) {
            file_failed(j, number, e ? e : E_EOF);
            return false;
        }
        digest_add(j->digest, str_of(j->buffer, n));
        at += (int64_t)n;
        count -= (int64_t)n;
    }
    return true;
}

static bool piece_hash(hasher *j, int32_t piece)
{
    const metainfo *m = j->all->h->layout;
    int64_t at = m->piece_bytes * piece, left = metainfo_piece_length(m, piece);
    bool whole = true;
    for (int i = metainfo_file_at(m, at); left && i < m->file_count; i++) {
        const metainfo_file *f = &m->files[i];
        int64_t inside = at - f->offset, n = f->length - inside < left ? f->length - inside : left;
        whole = (n == 0 || add_part(j, i, inside, n)) && whole;
        at += n;
        left -= n;
    }
    digest_take(j->digest, j->all->h->digests + (size_t)piece * INFO_HASH_BYTES);
    return whole;
}

static void run_hash(void *arg)                  // on a worker
{
    hasher *j = arg;
    for (int32_t i = 0; i < j->count; i++)
        j->all->h->read[j->first + i] = piece_hash(j, j->first + i);
}

static void progress_show(hashing *all)
{
    const metainfo *m = all->h->layout;
    int64_t now = loop_now_ns(), passed_ms = (now - all->began_ns) / NS_PER_MS;
    if (!all->display || now - all->shown_ns < millis(PROGRESS_MS))
        return;
    all->shown_ns = now;
    arena a = arena_make(4096);
    str done = size_text(&a, all->done_bytes), whole = size_text(&a, m->length);
    str rate = size_text(&a, passed_ms ? all->done_bytes / passed_ms * 1000 : 0);
    int filled = (int)(all->done_bytes * BAR_COLUMNS / m->length);
    char bar[BAR_COLUMNS + 1];
    memset(bar, '#', sizeof bar - 1);
    memset(bar + filled, '.', (size_t)(BAR_COLUMNS - filled));
    bar[BAR_COLUMNS] = '\0';
    fprintf(stderr, "\r\033[K%s [%s] %3d %%  " STR_FMT " of " STR_FMT ", " STR_FMT "/s", all->h->verb, bar,
            (int)(all->done_bytes * 100 / m->length), STR_ARG(done), STR_ARG(whole), STR_ARG(rate));
    arena_free(&a);
}

static void hasher_close(void *arg)              // on a worker
{
    hasher *j = arg;
    if (j->open)
        file_close(j->open);
}

static void hasher_run(void *arg)
{
    hashing *all = arg;
    torrent_hashing *h = all->h;
    hasher j = {.all = all, .digest = digest_new(DIGEST_SHA1), .buffer = memory_new(TORRENT_BUFFER_BYTES), .open_file = -1};
    while (all->next < h->layout->piece_count && !fiber_canceled()) {
        int32_t left = h->layout->piece_count - all->next;
        j.first = all->next;
        j.count = left < all->run ? left : all->run;
        j.bad_file = -1;
        all->next += j.count;
        work(run_hash, &j);
        if (j.bad_file >= 0 && !h->errors[j.bad_file])
            h->errors[j.bad_file] = j.bad;
        for (int32_t i = 0; i < j.count; i++)
            all->done_bytes += metainfo_piece_length(h->layout, j.first + i);
        progress_show(all);
    }
    work(hasher_close, &j);
    memory_free(j.buffer);
    digest_free(j.digest);
}

static void hash_all(void *arg)
{
    hashing *all = arg;
    all->began_ns = all->shown_ns = loop_now_ns();
    SCOPE(hashers, 0, TORRENT_HASHERS);
    for (int i = 0; i < TORRENT_HASHERS; i++)
        if (scope_go(&hashers, "hashing pieces", hasher_run, all) != E_OK)
            break;                               // no stack: those that run do it all
    scope_wait(&hashers);
}

bool torrent_hash(torrent_run *r, torrent_hashing *h)
{
    int64_t run = TORRENT_RUN_BYTES / h->layout->piece_bytes;
    hashing all = {.r = r, .h = h, .run = run > 1 ? (int32_t)run : 1, .display = terminal_at(2)};
    workers_start(0);
    loop_driver *driver = driver_linux_new();
    err e = loop_run(driver, r->world, hash_all, &all);
    driver_linux_free(driver);
    workers_stop();
    if (all.display)
        fprintf(stderr, "\r\033[K");
    if (e || all.done_bytes != h->layout->length)
        torrent_fail(r, COMMAND_FAILED, "this machine gives no memory for a fiber's stack");
    return r->code == COMMAND_OK;
}
