#include "cmd/film_copy.h"

#include "base/heap_memory.h"
#include "cmd/directory_remove.h"
#include "rooms/origin/catalogue.h"
#include "rooms/origin/origin.h"

enum { NAMES_BYTES_MAX = 4 << 20, PIECE_BYTES = 256 * 1024, DEPTH_MAX = 2, MODE_FILE = 0644, MODE_DIRECTORY = 0755 };

typedef struct { world *w; arena names; unsigned char *piece; int64_t left; } copying;

static char *path_of(copying *c, const char *directory, str name)
{
    return str_to_z(&c->names, str_format(&c->names, "%s/" STR_FMT, directory, STR_ARG(name)));
}

static err bytes_copy(copying *c, file *from, file *to, int64_t size)
{
    err e = E_OK;
    for (int64_t at = 0; at < size && !e;) {
        size_t got = 0, want = (size_t)(size - at < PIECE_BYTES ? size - at : PIECE_BYTES);
        e = file_read(from, at, c->piece, want, &got);
        struct iovec piece = {c->piece, got};
        if (!e)
            e = got ? file_write(to, at, &piece, 1) : E_IO;
        at += (int64_t)got;
    }
    return e;
}

static err one_copy(copying *c, const char *from, const char *to, int64_t size)
{
    file *in = NULL, *out = NULL;
    if (size > c->left)
        return E_LIMIT;
    c->left -= size;
    err e = file_open(c->w, from, FILE_READ, 0, &in);
    e = e ? e : file_open(c->w, to, FILE_WRITE | FILE_CREATE | FILE_TRUNCATE, MODE_FILE, &out);
    e = e ? e : bytes_copy(c, in, out, size);
    if (in)
        file_close(in);
    if (out)
        file_close(out);
    return e;
}

static err tree_copy(copying *c, const char *from, const char *to, int depth)
{
    str *names;
    int count = 0;
    file_stat st;
    err e = dir_list(c->w, from, &c->names, &names, &count);
    e = e ? e : dir_make(c->w, to, MODE_DIRECTORY);
    for (int i = 0; i < count && !e; i++) {
        const char *here = path_of(c, from, names[i]), *there = path_of(c, to, names[i]);
        e = path_stat(c->w, here, &st);
        if (!e && st.is_dir)
            e = depth < DEPTH_MAX ? tree_copy(c, here, there, depth + 1) : E_LIMIT;
        else if (!e)
            e = one_copy(c, here, there, st.size_bytes);
    }
    return c->names.full ? E_LIMIT : e;
}

static err film_copy(copying *c, const char *from, const char *to, str id)
{
    char *work = str_to_z(&c->names, str_format(&c->names, "%s/" ORIGIN_WORK "/" STR_FMT ".copy", to, STR_ARG(id)));
    char *films = str_to_z(&c->names, str_format(&c->names, "%s/" ORIGIN_FILMS, to));
    c->left = FILM_COPY_BYTES_MAX;
    err e = dir_make(c->w, films, MODE_DIRECTORY);
    e = e ? e : tree_copy(c, str_to_z(&c->names, str_format(&c->names, "%s/" ORIGIN_FILMS "/" STR_FMT, from,
                                                            STR_ARG(id))), work, 0);
    e = e ? e : path_rename(c->w, work, path_of(c, films, id));
    if (e)
        directory_remove(c->w, str_z(work));
    return e;
}

err films_copy(world *w, const char *from, const char *to, int *count)
{
    copying c = {.w = w, .names = arena_make(NAMES_BYTES_MAX), .piece = memory_new(PIECE_BYTES)};
    str *names;
    int there = 0;
    file_stat st;
    *count = 0;
    err e = dir_list(w, str_to_z(&c.names, str_format(&c.names, "%s/" ORIGIN_FILMS, from)), &c.names, &names, &there);
    for (int i = 0; i < there && !e; i++) {
        bool has = path_stat(w, str_to_z(&c.names, str_format(&c.names, "%s/" ORIGIN_FILMS "/" STR_FMT, to,
                                                              STR_ARG(names[i]))), &st) == E_OK;
        if (has || !film_id_valid(names[i]))
            continue;
        e = film_copy(&c, from, to, names[i]);
        *count += e == E_OK;
    }
    memory_free(c.piece);
    arena_free(&c.names);
    return e;
}
