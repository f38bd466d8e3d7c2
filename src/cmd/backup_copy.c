#include "cmd/backup_copy.h"

#include <string.h>

#include "base/heap_memory.h"

enum { FILE_MODE = 0600, DIRECTORY_MODE = 0700, TREE_DEPTH_MAX = 32, NAMES_BYTES_MAX = 256 << 20, PATHS_BYTES_MAX = 64 * 1024,
       SYNC_BYTES = 64 << 20 };           // so that no sync takes long, and a loan is kept up

void copier_free(copier *c)
{
    memory_free(c->piece);
    c->piece = NULL;
}

static err fail(copier *c, err e, const char *what, str path)
{
    const char *advice = e == E_NO_SPACE ? ": make room there, or name another directory"
                       : e == E_ACCESS ? ": run this as the user that naru was started by, or as root" : "";
    c->why = str_format(c->memory, "cannot %s " STR_FMT ": %s%s", what, STR_ARG(path), err_text(e), advice);
    return e;
}

static err pieces_copy(copier *c, file *in, str from, file *out, str to, int64_t bytes)
{
    digest *d = digest_new(DIGEST_SHA256);
    err e = E_OK;
    c->bytes = 0;
    for (size_t got = 1; got && !e && c->bytes != bytes;) {
        int64_t left = bytes < 0 ? COPY_PIECE_BYTES : bytes - c->bytes;
        size_t want = left < COPY_PIECE_BYTES ? (size_t)left : COPY_PIECE_BYTES;
        e = file_read(in, c->bytes, c->piece, want, &got);
        if (e) {
            fail(c, e, "read", from);
            break;
        }
        digest_add(d, str_of(c->piece, got));
        struct iovec v = {c->piece, got};
        if (out && got && (e = file_write(out, c->bytes, &v, 1)))
            fail(c, e, "write", to);
        c->bytes += (int64_t)got;
        if (!e && out && !c->scratch && c->bytes % SYNC_BYTES == 0 && (e = file_sync(out)))
            fail(c, e, "sync", to);
        if (!e && c->beat && !c->beat(c->arg))
            e = E_CANCELED;
    }
    digest_take(d, c->sha256);
    digest_free(d);
    if (!e && bytes >= 0 && c->bytes != bytes)
        e = fail(c, E_CORRUPT, "copy (it is shorter than it should be)", from);
    return e;
}

err copy_file(copier *c, str from, str to, int64_t bytes)
{
    file *in = NULL, *out = NULL;
    arena a = arena_make(PATHS_BYTES_MAX);
    if (!c->piece)
        c->piece = memory_new(COPY_PIECE_BYTES);
    err e = file_open(c->world, str_to_z(&a, from), FILE_READ, 0, &in);
    if (e)
        fail(c, e, "read", from);
    if (!e && to.len && (e = file_open(c->world, str_to_z(&a, to), FILE_WRITE | FILE_CREATE | FILE_EXCLUSIVE, FILE_MODE, &out)))
        fail(c, e, "make", to);
    if (!e)
        e = pieces_copy(c, in, from, out, to, bytes);
    if (!e && out && !c->scratch && (e = file_sync(out)))
        fail(c, e, "sync", to);
    if (in)
        file_close(in);
    if (out)
        file_close(out);
    arena_free(&a);
    return e;
}

err copy_parents(copier *c, str path)
{
    arena a = arena_make(PATHS_BYTES_MAX);
    str parent = str_first(path, str_rfind(path, '/'));
    err e = dir_make(c->world, str_to_z(&a, parent), DIRECTORY_MODE);
    arena_free(&a);
    return e ? fail(c, e, "make", parent) : E_OK;
}

static err sync_below(copier *c, str directory, int depth)
{
    arena a = arena_make(NAMES_BYTES_MAX);
    char *z = str_to_z(&a, directory);
    str *names;
    int count = 0;
    file_stat st;
    err e = depth > TREE_DEPTH_MAX ? E_LIMIT : dir_list(c->world, z, &a, &names, &count);
    for (int i = 0; i < count && !e; i++) {
        str path = str_format(&a, STR_FMT "/" STR_FMT, STR_ARG(directory), STR_ARG(names[i]));
        if (path_stat(c->world, str_to_z(&a, path), &st) == E_OK && st.is_dir)
            e = sync_below(c, path, depth + 1);
    }
    if (!e)
        e = dir_sync(c->world, z);
    if (e && !c->why.len)
        fail(c, e, "sync", directory);
    arena_free(&a);
    return e;
}

err copy_sync_tree(copier *c, str directory)
{
    c->why = (str){0};
    return c->scratch ? E_OK : sync_below(c, directory, 0);
}
