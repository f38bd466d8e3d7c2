#include "cmd/backup_manifest.h"

#include <string.h>

#include "base/heap_memory.h"
#include "base/hex.h"

enum { WAITING_BYTES = 64 * 1024, PIECE_BYTES = 64 * 1024, FILE_MODE = 0600 };

static const str FIRST_LINE = S("naru backup ");

static char *path_in(str directory, const char *name, arena *a)
{
    return str_to_z(a, str_format(a, STR_FMT "/%s", STR_ARG(directory), name));
}

// ---- writing ----------------------------------------------------------------------------------------------------------------

static void waiting_write(manifest_writer *m)
{
    if (!m->error && m->waiting.len) {
        struct iovec v = {m->waiting.at, m->waiting.len};
        m->error = file_write(m->file, m->at.offset - (int64_t)m->waiting.len, &v, 1);
    }
    buf_clear(&m->waiting);
}

static void line_put(manifest_writer *m, str line)
{
    if (m->waiting.len + (size_t)line.len > WAITING_BYTES)
        waiting_write(m);
    if (!buf_put(&m->waiting, line) && !m->error)
        m->error = E_TOO_LONG;
    m->at.offset += line.len;
}

err manifest_begin(manifest_writer *m, world *w, str directory, arena *a)
{
    *m = (manifest_writer){.world = w, .draft = path_in(directory, "manifest.unfinished", a), .path = path_in(directory, "manifest", a),
                           .waiting = buf_make(WAITING_BYTES)};
    m->error = file_open(w, m->draft, FILE_READ | FILE_WRITE | FILE_CREATE | FILE_EXCLUSIVE, FILE_MODE, &m->file);
    arena line = arena_make(MANIFEST_LINE_BYTES_MAX);
    line_put(m, str_format(&line, STR_FMT "%d\n", STR_ARG(FIRST_LINE), MANIFEST_FORMAT));
    arena_free(&line);
    return m->error;
}

void manifest_say(manifest_writer *m, const char *key, str value)
{
    buf line = buf_make(MANIFEST_LINE_BYTES_MAX);
    buf_format(&line, "%s ", key);
    for (ptrdiff_t i = 0; i < value.len; i++)
        buf_put_byte(&line, value.at[i] < 32 ? ' ' : value.at[i]);
    buf_put_byte(&line, '\n');
    line_put(m, buf_str(&line));
    if (line.full && !m->error)
        m->error = E_TOO_LONG;
    buf_free(&line);
}

void manifest_add(manifest_writer *m, const manifest_file *f)
{
    buf line = buf_make(MANIFEST_LINE_BYTES_MAX);
    unsigned char digits[2 * DIGEST_SHA256_BYTES];
    hex_encode(digits, str_of(f->sha256, sizeof f->sha256));
    buf_format(&line, "file %.*s %lld ", (int)sizeof digits, (const char *)digits, (long long)f->bytes);
    percent_put(&line, f->path, S("/@+=:,"));
    buf_put_byte(&line, '\n');
    line_put(m, buf_str(&line));
    if ((line.full || f->path.len > MANIFEST_PATH_BYTES_MAX) && !m->error)
        m->error = E_TOO_LONG;
    buf_free(&line);
    m->at.files++;
    m->at.bytes += f->bytes;
}

manifest_mark manifest_here(const manifest_writer *m) { return m->at; }

void manifest_go_back(manifest_writer *m, manifest_mark to)
{
    waiting_write(m);
    if (!m->error)
        m->error = file_truncate(m->file, to.offset);
    m->at = to;
}

// The digest of the file's first `size` bytes.
static err digest_first(file *f, int64_t size, unsigned char out[DIGEST_SHA256_BYTES])
{
    unsigned char *piece = memory_new(PIECE_BYTES);
    digest *d = digest_new(DIGEST_SHA256);
    err e = E_OK;
    for (int64_t at = 0; at < size && !e;) {
        size_t want = size - at < PIECE_BYTES ? (size_t)(size - at) : PIECE_BYTES, got = 0;
        e = file_read(f, at, piece, want, &got);
        if (!e && got < want)
            e = E_CORRUPT;
        digest_add(d, str_of(piece, got));
        at += (int64_t)got;
    }
    digest_take(d, out);
    digest_free(d);
    memory_free(piece);
    return e;
}

err manifest_end(manifest_writer *m)
{
    unsigned char sum[DIGEST_SHA256_BYTES];
    arena a = arena_make(MANIFEST_LINE_BYTES_MAX);
    waiting_write(m);
    if (!m->error)
        m->error = digest_first(m->file, m->at.offset, sum);
    if (!m->error) {
        line_put(m, str_format(&a, "end %lld %lld " STR_FMT "\n", (long long)m->at.files, (long long)m->at.bytes,
                               STR_ARG(hex_text(&a, str_of(sum, sizeof sum)))));
        waiting_write(m);
    }
    if (!m->error)
        m->error = file_sync(m->file);
    if (!m->error)
        m->error = path_rename(m->world, m->draft, m->path);
    if (!m->error) {
        str directory = str_first(str_z(m->path), str_rfind(str_z(m->path), '/'));
        m->error = dir_sync(m->world, str_to_z(&a, directory));
    }
    arena_free(&a);
    return m->error;
}

void manifest_drop(manifest_writer *m)
{
    if (m->file)
        file_close(m->file);
    m->file = NULL;
    buf_free(&m->waiting);
}

// ---- reading: lines -----------------------------------------------------------------------------------------------------------

err manifest_open(manifest_reader *r, world *w, str directory, arena *a)
{
    *r = (manifest_reader){.world = w};
    err e = file_open(w, path_in(directory, "manifest", a), FILE_READ, 0, &r->file);
    if (!e)
        r->piece = memory_new(PIECE_BYTES);
    return e;
}

void manifest_close(manifest_reader *r)
{
    if (r->file)
        file_close(r->file);
    memory_free(r->piece);
    *r = (manifest_reader){0};
}

static bool more_read(manifest_reader *r)
{
    size_t got = 0;
    memmove(r->piece, r->piece + r->at, r->have - r->at);
    r->have -= r->at;
    r->at = 0;
    if (file_read(r->file, r->offset, r->piece + r->have, PIECE_BYTES - r->have, &got) != E_OK)
        return false;
    r->offset += (int64_t)got;
    r->have += got;
    return got > 0;
}

// The next line without its end, valid until the next call; false: the end, or a line that is too long.
static bool line_next(manifest_reader *r, str *out)
{
    for (;;) {
        str rest = str_of(r->piece + r->at, r->have - r->at);
        ptrdiff_t end = str_find(rest, '\n');
        if (end > MANIFEST_LINE_BYTES_MAX)
            return false;
        if (end >= 0) {
            *out = str_first(rest, end);
            r->at += (size_t)end + 1;
            return true;
        }
        if (rest.len > MANIFEST_LINE_BYTES_MAX || !more_read(r))
            return false;
    }
}

// A path that stays below the backup's directory, whoever wrote it.
static bool path_is_below(str path)
{
    if (!str_starts(path, S("data/")) && !str_starts(path, S("files/")))
        return false;
    for (str rest = path; rest.len;) {
        str part = str_cut(&rest, '/');
        if (part.len == 0 || str_eq(part, S(".")) || str_eq(part, S("..")) || str_find(part, 0) >= 0)
            return false;
    }
    return path.len <= MANIFEST_PATH_BYTES_MAX && !str_ends(path, S("/"));
}

static bool file_read_line(str line, manifest_file *out, arena *a)
{
    str word = str_word(&line), sum = str_word(&line), bytes = str_word(&line), path = str_word(&line);
    *out = (manifest_file){0};
    if (!str_eq(word, S("file")) || sum.len != 2 * DIGEST_SHA256_BYTES || !hex_decode(out->sha256, sum) || line.len)
        return false;
    buf decoded = buf_make(MANIFEST_PATH_BYTES_MAX);
    bool good = str_to_i64(bytes, &out->bytes) && out->bytes >= 0 && percent_decode(&decoded, path);
    out->path = str_copy(a, buf_str(&decoded));
    buf_free(&decoded);
    return good && path_is_below(out->path);
}

bool manifest_next(manifest_reader *r, manifest_file *out, arena *line_memory)
{
    str line;
    while (line_next(r, &line)) {
        arena_reset(line_memory);
        if (file_read_line(line, out, line_memory))
            return true;
    }
    return false;
}

// ---- reading: as a whole ------------------------------------------------------------------------------------------------------

typedef struct { int64_t files, bytes; } sums;

static bool head_take(manifest_head *h, str line, arena *a)
{
    str key = str_word(&line), value = str_copy(a, str_trim(line));
    const struct { const char *key; str *into; } texts[] = {
        {"version", &h->version}, {"host", &h->host}, {"directory", &h->directory}, {"config", &h->config}, {"begun", &h->begun}, {"ended", &h->ended},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (str_eq(key, str_z(texts[i].key)))
            *texts[i].into = value;
    if (str_eq(key, S("running")))
        h->running = str_eq(value, S("yes"));
    if (str_eq(key, S("left-out")) && h->left_out_count < (int)(sizeof h->left_out / sizeof *h->left_out))
        h->left_out[h->left_out_count++] = value;
    return true;                                 // what a later naru adds is passed over
}

static bool line_take(manifest_head *h, sums *seen, str line, arena *a)
{
    manifest_file f;
    arena own = arena_make(2 * MANIFEST_PATH_BYTES_MAX + 4096);
    bool good = true;
    if (!str_starts(line, S("file "))) {
        head_take(h, line, a);
    } else if ((good = file_read_line(line, &f, &own))) {
        seen->files++;
        good = f.bytes <= INT64_MAX - seen->bytes;
        seen->bytes += good ? f.bytes : 0;
    }
    arena_free(&own);
    return good;
}

static bool end_fits(manifest_head *h, const sums *seen, str line, digest *d)
{
    unsigned char sum[DIGEST_SHA256_BYTES], said[DIGEST_SHA256_BYTES];
    str_word(&line);
    bool good = str_to_i64(str_word(&line), &h->files) && str_to_i64(str_word(&line), &h->bytes);
    str digits = str_word(&line);
    digest_take(d, sum);
    return good && digits.len == 2 * DIGEST_SHA256_BYTES && hex_decode(said, digits) && memcmp(sum, said, sizeof sum) == 0 &&
           seen->files == h->files && seen->bytes == h->bytes;
}

static err lines_read(manifest_reader *r, manifest_head *h, arena *a)
{
    str line;
    uint64_t format;
    sums seen = {0};
    digest *d = digest_new(DIGEST_SHA256);
    err e = E_CORRUPT;
    if (line_next(r, &line) && str_starts(line, FIRST_LINE) && str_to_u64(str_from(line, FIRST_LINE.len), &format) && format > 0) {
        h->format = (int)format;
        e = format > MANIFEST_FORMAT ? E_UNSUPPORTED : E_AGAIN;
    }
    for (; e == E_AGAIN; ) {
        digest_add(d, line);
        digest_add(d, S("\n"));
        if (!line_next(r, &line))
            e = E_CORRUPT;                       // it ends before its end
        else if (str_starts(line, S("end ")))
            e = end_fits(h, &seen, line, d) && !line_next(r, &line) ? E_OK : E_CORRUPT;
        else if (!line_take(h, &seen, line, a))
            e = E_CORRUPT;
    }
    digest_free(d);
    return e;
}

err manifest_check(world *w, str directory, arena *a, manifest_head *out, str *why)
{
    manifest_reader r;
    *out = (manifest_head){0};
    err e = manifest_open(&r, w, directory, a);
    if (!e)
        e = lines_read(&r, out, a);
    manifest_close(&r);
    if (e == E_NO_ENTRY)
        *why = str_format(a, STR_FMT " holds no finished backup: there is no manifest in it, which is written last", STR_ARG(directory));
    else if (e == E_UNSUPPORTED)
        *why = str_format(a, STR_FMT "/manifest has format %d, this naru knows %d: use a newer naru", STR_ARG(directory), out->format, MANIFEST_FORMAT);
    else if (e == E_CORRUPT)
        *why = str_format(a, STR_FMT "/manifest is damaged: it is not what was written", STR_ARG(directory));
    else if (e)
        *why = str_format(a, "cannot read " STR_FMT "/manifest: %s", STR_ARG(directory), err_text(e));
    return e;
}
