#include "rooms/swarm/store_play_test.h"

#include "base/hex.h"
#include "keep/directory.h"
#include "rt/digest.h"
#include "rt/worker.h"

static void payload_fill(play *p)
{
    uint64_t chance = 42;
    p->payload = arena_array(&p->memory, unsigned char, p->m.length + 8);
    for (int64_t i = 0; i < p->m.length; i += 8) {
        uint64_t x = test_random(&chance);
        memcpy(p->payload + i, &x, 8);
    }
    for (int i = 0; i < p->m.file_count; i++)
        if (p->m.files[i].pad)
            memset(p->payload + p->m.files[i].offset, 0, (size_t)p->m.files[i].length);
}

static void pieces_hash(play *p)
{
    p->m.piece_count = (int32_t)((p->m.length + p->m.piece_bytes - 1) / p->m.piece_bytes);
    unsigned char *digests = arena_array(&p->memory, unsigned char, p->m.piece_count * INFO_HASH_BYTES);
    p->m.pieces = str_of(digests, (size_t)p->m.piece_count * INFO_HASH_BYTES);
    for (int32_t i = 0; i < p->m.piece_count; i++)
        digest_of(DIGEST_SHA1, play_piece(p, i), digests + (size_t)i * INFO_HASH_BYTES);
}

void play_make(play *p, stage *t, const play_file *files, int count, int64_t piece_bytes)
{
    *p = (play){.t = t, .memory = arena_make(512 << 20), .state = S("/data/state"), .home = S("/data/home")};
    if (!t->sim) {
        p->state = str_format(&p->memory, "%s/state", t->directory);
        p->home = str_format(&p->memory, "%s/home", t->directory);
    }
    p->m = (metainfo){.name = S("show"), .piece_bytes = piece_bytes, .file_count = count, .single = count == 1};
    p->m.files = arena_array(&p->memory, metainfo_file, count);
    for (int i = 0; i < count; i++) {
        p->m.files[i] = (metainfo_file){str_z(files[i].path), p->m.length, files[i].length, files[i].pad};
        p->m.length += files[i].length;
    }
    if (p->m.single)
        p->m.name = p->m.files[0].path;
    payload_fill(p);
    pieces_hash(p);
    buf out = buf_make(METAINFO_BYTES_MAX);
    CHECK(metainfo_write(&out, &p->m));
    p->torrent = str_copy(&p->memory, buf_str(&out));
    buf_free(&out);
    bencode_refusal why;
    metainfo again;
    CHECK(metainfo_read(p->torrent, &p->memory, &again, &why));
    CHECK_INT(again.piece_count, p->m.piece_count);
    digest_of(DIGEST_SHA1, again.info, p->hash);
}

void play_free(play *p) { arena_free(&p->memory); }

str play_piece(const play *p, int32_t piece)
{
    int64_t at = p->m.piece_bytes * piece, left = p->m.length - at;
    return str_of(p->payload + at, (size_t)(left < p->m.piece_bytes ? left : p->m.piece_bytes));
}

static void lost(void *arg, int32_t piece) { (void)piece, ((play *)arg)->lost++; }
static void recorded(void *arg) { ((play *)arg)->recorded++; }
static void troubled(void *arg) { ((play *)arg)->troubles++; }

static void torrent_put(void *arg)
{
    play *p = arg;
    unsigned char name[40];
    hex_encode(name, str_of(p->hash, sizeof p->hash));
    char *path = str_to_z(&p->memory, str_format(&p->memory, STR_FMT "/%.40s.torrent", STR_ARG(p->state), name));
    file_stat st;
    if (path_stat(p->t->world, path, &st) != E_OK && directory_make(p->t->world, str_to_z(&p->memory, p->state), 0700) == E_OK)
        (void)file_replace(p->t->world, path, p->torrent, 0600);
}

err play_open(play *p)
{
    work(torrent_put, p);
    scope_open(&p->scope, 0, 32);
    p->store = NULL;
    err e = store_pool_open(&p->scope, p->limits, &p->pool);
    if (e) {
        scope_close(&p->scope);
        p->pool = NULL;
        return e;
    }
    store_options options = {.state_directory = p->state, .directory = p->home, .wanted = p->wanted, .file_count = p->m.file_count,
                             .moving_from = p->moving_from, .allocate_full = p->allocate_full,
                             .events = {recorded, lost, troubled, p}};
    memcpy(options.hash, p->hash, sizeof options.hash);
    e = store_open(p->pool, &options, &p->memory, &p->store, &p->why);
    if (e)
        p->store = NULL;
    return e;
}

void play_close(play *p)
{
    store_close(p->store);
    store_pool_close(p->pool);
    scope_close(&p->scope);
    p->store = NULL;
    p->pool = NULL;
}

err play_put(play *p, int32_t piece)
{
    bool good = false;
    err e = store_piece_put(p->store, piece, play_piece(p, piece), &good);
    CHECK(e || good);
    return e;
}

int play_verify_complete(play *p)
{
    const bitfield *complete = store_complete(p->store);
    int count = 0;
    for (int32_t i = 0; i < complete->count; i++) {
        store_view v;
        if (!bitfield_has(complete, i))
            continue;
        str want = play_piece(p, i);
        for (int32_t at = 0; at < want.len; at += STORE_BLOCK_BYTES) {
            str block = str_sub(want, at, STORE_BLOCK_BYTES);
            err e = store_view_get(p->store, i, at, (int32_t)block.len, &v);
            CHECK_ROW(i, e == E_OK && str_eq(v.bytes, block));
            store_view_release(p->store, &v);
        }
        count++;
    }
    return count;
}

// ---- behind the store's back ----------------------------------------------------------------------------------------------

typedef struct { play *p; char *path; int64_t offset; str bytes, got; err error; } touch;

static touch touch_of(play *p, const char *path)
{
    return (touch){.p = p, .path = str_to_z(&p->memory, str_format(&p->memory, STR_FMT "/%s", STR_ARG(p->home), path))};
}

static void write_run(void *arg)
{
    touch *x = arg;
    file *f;
    x->error = file_open(x->p->t->world, x->path, FILE_READ | FILE_WRITE | FILE_CREATE, 0600, &f);
    if (x->error)
        return;
    x->error = file_write(f, x->offset, &(struct iovec){(void *)(uintptr_t)x->bytes.at, (size_t)x->bytes.len}, 1);
    if (!x->bytes.len)
        x->error = file_truncate(f, x->offset);
    if (!x->error)
        x->error = file_sync(f);
    file_close(f);
}

static void make_parent_run(void *arg)
{
    touch *x = arg;
    char *slash = strrchr(x->path, '/');
    *slash = 0;
    x->error = dir_make(x->p->t->world, x->path, 0700);
    *slash = '/';
}

err play_write_file(play *p, const char *path, int64_t offset, str bytes)
{
    touch x = touch_of(p, path);
    x.offset = offset;
    x.bytes = bytes;
    work(make_parent_run, &x);
    work(write_run, &x);
    return x.error;
}

static void read_run(void *arg)
{
    touch *x = arg;
    x->error = file_read_all(x->p->t->world, x->path, &x->p->memory, 64 << 20, &x->got);
}

str play_read_file(play *p, const char *path)
{
    touch x = touch_of(p, path);
    work(read_run, &x);
    return x.error ? (str){0} : x.got;
}

static void stat_run(void *arg)
{
    touch *x = arg;
    file_stat st;
    x->error = path_stat(x->p->t->world, x->path, &st);
}

bool play_exists(play *p, const char *path)
{
    touch x = touch_of(p, path);
    work(stat_run, &x);
    return x.error == E_OK;
}

static void remove_run(void *arg)
{
    touch *x = arg;
    x->error = path_remove(x->p->t->world, x->path);
}

err play_remove(play *p, const char *path)
{
    touch x = touch_of(p, path);
    work(remove_run, &x);
    return x.error;
}
