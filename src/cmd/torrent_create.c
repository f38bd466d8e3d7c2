// naru torrent create PATH: a .torrent file of a file or a folder.
#include <stdio.h>
#include <sys/stat.h>

#include "base/hex.h"
#include "base/quantity.h"
#include "cmd/torrent.h"
#include "rt/digest.h"
#include "rt/json_text.h"

enum { PIECE_BYTES_MIN = 16 << 10 };

typedef struct {
    torrent_run *r;
    metainfo     m;
    str          root;                           // where the torrent's files are
    char       **paths;
    int          cap, passed_over;
} creating;

static bool file_add(creating *c, str path, int64_t length)
{
    torrent_run *r = c->r;
    metainfo *m = &c->m;
    if (length > METAINFO_LENGTH_MAX - m->length || m->file_count == METAINFO_FILES_MAX)
        return torrent_fail(r, COMMAND_FAILED, "the files are too many or too large: at most %d files", METAINFO_FILES_MAX), false;
    if (m->file_count == c->cap) {
        int cap = c->cap ? c->cap * 2 : 64;
        metainfo_file *files = arena_array(&r->memory, metainfo_file, cap);
        char **paths = arena_array(&r->memory, char *, cap);
        if (!files || !paths)
            return torrent_fail(r, COMMAND_FAILED, "no memory is left for so many files"), false;
        for (int i = 0; i < m->file_count; i++)
            files[i] = m->files[i], paths[i] = c->paths[i];
        m->files = files;
        c->paths = paths;
        c->cap = cap;
    }
    c->paths[m->file_count] = str_to_z(&r->memory, path.len ? str_format(&r->memory, STR_FMT "/" STR_FMT, STR_ARG(c->root),
                                                                         STR_ARG(path)) : c->root);
    m->files[m->file_count++] = (metainfo_file){path, m->length, length, false};
    m->length += length;
    return true;
}

// Links are not followed: they may leave the folder, or lead in a circle.
static bool folder_add(creating *c, str path, int depth)
{
    torrent_run *r = c->r;
    arena *a = &r->memory;
    str *names, here = path.len ? str_format(a, STR_FMT "/" STR_FMT, STR_ARG(c->root), STR_ARG(path)) : c->root;
    int count = 0;
    err e = depth < METAINFO_PATH_PARTS_MAX ? dir_list(r->world, str_to_z(a, here), a, &names, &count) : E_LIMIT;
    if (e)
        return torrent_fail(r, COMMAND_FAILED, STR_FMT ": %s", STR_ARG(here), err_text(e)), false;
    for (int i = 0; i < count; i++) {
        struct stat st;
        str below = path.len ? str_format(a, STR_FMT "/" STR_FMT, STR_ARG(path), STR_ARG(names[i])) : names[i];
        const char *trouble = metainfo_part_trouble(names[i]);
        if (trouble || below.len > METAINFO_PATH_BYTES_MAX)
            return torrent_fail(r, COMMAND_FAILED, "a file in " STR_FMT " cannot stand in a torrent: %s", STR_ARG(here),
                                trouble ? trouble : "path is too long"), false;
        if (lstat(str_to_z(a, str_format(a, STR_FMT "/" STR_FMT, STR_ARG(here), STR_ARG(names[i]))), &st) != 0)
            return torrent_fail(r, COMMAND_FAILED, STR_FMT "/" STR_FMT " cannot be looked at", STR_ARG(here), STR_ARG(names[i])), false;
        if (S_ISDIR(st.st_mode) ? !folder_add(c, below, depth + 1) : S_ISREG(st.st_mode) && !file_add(c, below, st.st_size))
            return false;
        c->passed_over += !S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode);
    }
    return true;
}

static bool files_find(creating *c)
{
    torrent_run *r = c->r;
    file_stat st;
    while (c->root.len > 1 && str_ends(c->root, S("/")))
        c->root = str_first(c->root, c->root.len - 1);
    c->m.name = r->name.len ? r->name : str_from(c->root, str_rfind(c->root, '/') + 1);
    err e = path_stat(r->world, str_to_z(&r->memory, c->root), &st);
    if (e)
        return torrent_fail(r, COMMAND_USAGE, STR_FMT ": %s", STR_ARG(c->root), err_text(e)), false;
    const char *trouble = metainfo_part_trouble(c->m.name);
    if (trouble)
        return torrent_fail(r, COMMAND_USAGE, "the torrent needs a name (--name NAME): %s", trouble), false;
    c->m.single = !st.is_dir;
    if (st.is_dir ? !folder_add(c, S(""), 0) : !file_add(c, S(""), st.size_bytes))
        return false;
    if (c->m.length == 0)
        return torrent_fail(r, COMMAND_FAILED, STR_FMT " holds no bytes", STR_ARG(c->root)), false;
    if (c->passed_over)
        fprintf(stderr, "naru torrent: %d symbolic links or special files are left out\n", c->passed_over);
    return true;
}

static bool pieces_plan(creating *c)
{
    torrent_run *r = c->r;
    metainfo *m = &c->m;
    m->piece_bytes = metainfo_piece_bytes_choose(m->length);
    if (r->piece.len && (!size_parse(r->piece, &m->piece_bytes) || m->piece_bytes < PIECE_BYTES_MIN ||
                         m->piece_bytes > METAINFO_PIECE_BYTES_MAX || (m->piece_bytes & (m->piece_bytes - 1))))
        return torrent_fail(r, COMMAND_USAGE, "--piece takes a power of two from 16KiB to 256MiB, for example 256KiB"), false;
    int64_t count = (m->length + m->piece_bytes - 1) / m->piece_bytes;
    if (count > METAINFO_PIECES_MAX)
        return torrent_fail(r, COMMAND_USAGE, "that would be %lld pieces, more than %d: choose larger ones", (long long)count,
                            METAINFO_PIECES_MAX), false;
    m->piece_count = (int32_t)count;
    return true;
}

static bool urls_take(creating *c)
{
    torrent_run *r = c->r;
    metainfo *m = &c->m;
    m->trackers = arena_array(&r->memory, metainfo_tracker, METAINFO_TRACKERS_MAX);
    m->web_seeds = arena_array(&r->memory, str, METAINFO_WEB_SEEDS_MAX);
    for (str rest = r->trackers; rest.len && m->trackers; m->tracker_count++) {
        str url = str_trim(str_cut(&rest, ','));
        if (!metainfo_url_valid(url, true) || m->tracker_count == METAINFO_TRACKERS_MAX)
            return torrent_fail(r, COMMAND_USAGE, "--tracker takes http, https and udp URLs, not \"" STR_FMT "\"", STR_ARG(url)), false;
        m->trackers[m->tracker_count] = (metainfo_tracker){url, m->tracker_count};
    }
    for (str rest = r->web_seeds; rest.len && m->web_seeds; m->web_seed_count++) {
        str url = str_trim(str_cut(&rest, ','));
        if (!metainfo_url_valid(url, false) || m->web_seed_count == METAINFO_WEB_SEEDS_MAX)
            return torrent_fail(r, COMMAND_USAGE, "--web-seed takes http and https URLs, not \"" STR_FMT "\"", STR_ARG(url)), false;
        m->web_seeds[m->web_seed_count] = url;
    }
    return m->trackers && m->web_seeds;
}

static bool pieces_hash(creating *c)
{
    torrent_run *r = c->r;
    metainfo *m = &c->m;
    torrent_hashing h = {.layout = m, .paths = c->paths, .verb = "hashing",
                         .digests = arena_array(&r->memory, unsigned char, (size_t)m->piece_count * INFO_HASH_BYTES),
                         .read = arena_array(&r->memory, bool, m->piece_count), .errors = arena_array(&r->memory, err, m->file_count)};
    if (!h.digests || !h.read || !h.errors)
        return torrent_fail(r, COMMAND_FAILED, "no memory is left for so many pieces"), false;
    if (!torrent_hash(r, &h))
        return false;
    for (int i = 0; i < m->file_count; i++)
        if (h.errors[i])
            return torrent_fail(r, COMMAND_FAILED, "%s: %s", c->paths[i],
                                h.errors[i] == E_EOF ? "it became shorter while it was read" : err_text(h.errors[i])), false;
    m->pieces = str_of(h.digests, (size_t)m->piece_count * INFO_HASH_BYTES);
    return true;
}

static void say(torrent_run *r, const char *path, const metainfo *m, const uint8_t hash[INFO_HASH_BYTES])
{
    str digits = hex_text(&r->memory, str_of(hash, INFO_HASH_BYTES)), size = size_text(&r->memory, m->length);
    str link = m->private ? (str){0} : torrent_magnet_text(r, m, hash);
    if (r->json) {
        buf_put(&r->out, S("{\"file\":"));
        json_put(&r->out, str_z(path));
        buf_format(&r->out, ",\"info_hash\":\"" STR_FMT "\",\"files\":%d,\"bytes\":%lld,\"pieces\":%d,\"piece_bytes\":%lld,\"magnet\":", STR_ARG(digits),
                   m->file_count, (long long)m->length, m->piece_count, (long long)m->piece_bytes);
        json_put(&r->out, link);
        buf_put(&r->out, S("}\n"));
        return;
    }
    buf_format(&r->out, "%s: %d %s, " STR_FMT ", %d pieces of %lld bytes\ninfo hash  " STR_FMT "\n", path, m->file_count,
               m->file_count == 1 ? "file" : "files", STR_ARG(size), m->piece_count, (long long)m->piece_bytes, STR_ARG(digits));
    if (link.len)
        buf_format(&r->out, "magnet     " STR_FMT "\n", STR_ARG(link));
}

// What is written is read again first: a torrent that naru itself would refuse does not leave the house.
static void save(creating *c, const char *path)
{
    torrent_run *r = c->r;
    metainfo again;
    bencode_refusal why;
    uint8_t hash[INFO_HASH_BYTES];
    buf bytes = buf_make(METAINFO_BYTES_MAX);
    err e = E_OK;
    if (!metainfo_write(&bytes, &c->m))
        torrent_fail(r, COMMAND_FAILED, "the torrent is too large: choose larger pieces");
    else if (!metainfo_read(buf_str(&bytes), &r->memory, &again, &why))
        torrent_fail(r, COMMAND_FAILED, "such a torrent would be refused: %s", why.reason);
    else if ((e = file_replace(r->world, path, buf_str(&bytes), 0644)) != E_OK)
        torrent_fail(r, COMMAND_FAILED, "%s: %s", path, err_text(e));
    else {
        digest_of(DIGEST_SHA1, again.info, hash);
        say(r, path, &again, hash);
    }
    buf_free(&bytes);
}

void torrent_create(torrent_run *r)
{
    creating c = {.r = r, .root = r->words[1]};
    file_stat st;
    if (!files_find(&c) || !pieces_plan(&c) || !urls_take(&c))
        return;
    c.m.private = r->private;
    c.m.comment = str_first(r->comment, METAINFO_TEXT_BYTES_MAX);
    c.m.created_by = S("naru " NARU_VERSION);
    c.m.created_s = r->no_date ? 0 : world_wall_s(r->world);
    char *path = str_to_z(&r->memory, r->output.len ? r->output : str_join(&r->memory, c.m.name, S(".torrent")));
    if (path_stat(r->world, path, &st) == E_OK)
        torrent_fail(r, COMMAND_USAGE, "%s is there already: name another with -o FILE", path);
    else if (pieces_hash(&c))
        save(&c, path);
}
