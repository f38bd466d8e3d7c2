// naru torrent check FILE DIR: are a torrent's files there, and are their bytes those that were published?
#include <string.h>

#include "base/quantity.h"
#include "cmd/torrent.h"
#include "rt/json_text.h"

typedef enum { FILE_GOOD, FILE_MISSING, FILE_SHORT, FILE_LONG, FILE_UNREADABLE, FILE_DAMAGED, FILE_UNPROVEN } file_state;

static const struct { const char *name, *text; } states[] = {
    [FILE_GOOD] = {"good", "good"},
    [FILE_MISSING] = {"missing", "is missing"},
    [FILE_SHORT] = {"short", "is too short"},
    [FILE_LONG] = {"long", "is too long"},
    [FILE_UNREADABLE] = {"unreadable", "cannot be read"},
    [FILE_DAMAGED] = {"damaged", "is damaged"},
    [FILE_UNPROVEN] = {"unproven", "cannot be proven: it shares a piece with a file that is not whole"},
};

typedef struct {
    torrent_run *r;
    metainfo     m;
    char       **paths;
    file_state  *states;
    int32_t     *bad_pieces;                     // of each file
    int32_t      good;                           // pieces
} checking;

static bool is_folder(torrent_run *r, str path)
{
    file_stat st;
    return path_stat(r->world, str_to_z(&r->memory, path), &st) == E_OK && st.is_dir;
}

// DIR is where the torrent was saved: its file or folder stands inside. The folder (or file) itself is taken, too.
static str root_find(checking *c)
{
    torrent_run *r = c->r;
    str dir = r->words[2], inside = str_format(&r->memory, STR_FMT "/" STR_FMT, STR_ARG(dir), STR_ARG(c->m.name));
    if (c->m.single)
        return is_folder(r, dir) ? inside : dir;
    return is_folder(r, inside) ? inside : dir;
}

static bool files_find(checking *c)
{
    torrent_run *r = c->r;
    arena *a = &r->memory;
    file_stat st;
    str root = root_find(c);
    c->paths = arena_array(a, char *, c->m.file_count);
    c->states = arena_array(a, file_state, c->m.file_count);
    c->bad_pieces = arena_array(a, int32_t, c->m.file_count);
    for (int i = 0; i < c->m.file_count && !a->full; i++) {
        const metainfo_file *f = &c->m.files[i];
        str path = c->m.single ? root : str_format(a, STR_FMT "/" STR_FMT, STR_ARG(root), STR_ARG(f->path));
        char *z = str_to_z(a, path);
        if (f->pad)
            continue;
        err e = path_stat(r->world, z, &st);
        bool there = e == E_OK && !st.is_dir;
        c->paths[i] = there ? z : NULL;
        c->states[i] = !there ? FILE_MISSING : st.size_bytes < f->length ? FILE_SHORT : st.size_bytes > f->length ? FILE_LONG : FILE_GOOD;
    }
    return !a->full;
}

// A piece that could be read and has another digest damages all its files; one that could not be read leaves those in doubt
// that were there.
static void piece_judge(checking *c, int32_t piece, bool read)
{
    const metainfo *m = &c->m;
    int64_t at = m->piece_bytes * piece, end = at + metainfo_piece_length(m, piece);
    for (int i = metainfo_file_at(m, at); i >= 0 && i < m->file_count && m->files[i].offset < end; i++) {
        if (m->files[i].pad || !m->files[i].length)
            continue;
        c->bad_pieces[i]++;
        if (c->states[i] == FILE_GOOD || c->states[i] == FILE_UNPROVEN)
            c->states[i] = read ? FILE_DAMAGED : FILE_UNPROVEN;
    }
}

static bool pieces_check(checking *c)
{
    torrent_run *r = c->r;
    const metainfo *m = &c->m;
    torrent_hashing h = {.layout = m, .paths = c->paths, .verb = "checking",
                         .digests = arena_array(&r->memory, unsigned char, (size_t)m->piece_count * INFO_HASH_BYTES),
                         .read = arena_array(&r->memory, bool, m->piece_count), .errors = arena_array(&r->memory, err, m->file_count)};
    if (!h.digests || !h.read || !h.errors || !torrent_hash(r, &h))
        return false;
    for (int i = 0; i < m->file_count; i++)
        if (h.errors[i] && c->states[i] != FILE_MISSING)
            c->states[i] = h.errors[i] == E_EOF ? FILE_SHORT : FILE_UNREADABLE;
    for (int32_t i = 0; i < m->piece_count; i++) {
        str digest = str_of(h.digests + (size_t)i * INFO_HASH_BYTES, INFO_HASH_BYTES);
        if (h.read[i] && str_eq(digest, metainfo_piece_hash(m, i)))
            c->good++;
        else
            piece_judge(c, i, h.read[i]);
    }
    return true;
}

static void put_text(checking *c, int bad)
{
    buf *out = &c->r->out;
    const metainfo *m = &c->m;
    for (int i = 0; i < m->file_count; i++) {
        if (c->states[i] == FILE_GOOD)
            continue;
        buf_format(out, STR_FMT " %s", STR_ARG(m->files[i].path), states[c->states[i]].text);
        if (c->states[i] == FILE_DAMAGED)
            buf_format(out, ": %d of its pieces", c->bad_pieces[i]);
        buf_put_byte(out, '\n');
    }
    str size = size_text(&c->r->memory, m->length);
    if (!bad)
        buf_format(out, STR_FMT " is whole: %d pieces, " STR_FMT "\n", STR_ARG(m->name), m->piece_count, STR_ARG(size));
    else
        buf_format(out, STR_FMT ": %d of %d pieces are good, %d of %d files are not as published\n", STR_ARG(m->name), c->good,
                   m->piece_count, bad, m->file_count);
}

static void put_json(checking *c, int bad)
{
    buf *out = &c->r->out;
    const metainfo *m = &c->m;
    buf_format(out, "{\"whole\":%s,\"pieces\":%d,\"good\":%d,\"files\":[", bad ? "false" : "true", m->piece_count, c->good);
    for (int i = 0; i < m->file_count; i++) {
        buf_put(out, i ? S(",{\"path\":") : S("{\"path\":"));
        json_put(out, m->files[i].path);
        buf_format(out, ",\"length\":%lld,\"state\":\"%s\",\"bad_pieces\":%d}", (long long)m->files[i].length, states[c->states[i]].name,
                   c->bad_pieces[i]);
    }
    buf_put(out, S("]}\n"));
}

void torrent_check(torrent_run *r)
{
    checking c = {.r = r};
    uint8_t hash[INFO_HASH_BYTES];
    int bad = 0;
    file_stat st;
    if (!torrent_open(r, r->words[1], &c.m, hash))
        return;
    err e = path_stat(r->world, str_to_z(&r->memory, r->words[2]), &st);
    if (e) {
        torrent_fail(r, COMMAND_USAGE, STR_FMT ": %s", STR_ARG(r->words[2]), err_text(e));
        return;
    }
    if (!files_find(&c) || !pieces_check(&c)) {
        if (r->code == COMMAND_OK)
            torrent_fail(r, COMMAND_FAILED, "no memory is left for so many files");
        return;
    }
    for (int i = 0; i < c.m.file_count; i++)
        bad += c.states[i] != FILE_GOOD;
    (r->json ? put_json : put_text)(&c, bad);
    if (bad)
        r->code = COMMAND_FAILED;
}
