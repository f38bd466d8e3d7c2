// Pieces that were partly there at a stop: HASH.partial. All integers are big endian. Head: "naruPRT1", info hash, count u32. Then for each:
// piece u32, bytes of its bitmap u32, bitmap, the bytes of the blocks that are set, crc32c u32 over all of that.
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/heap_memory.h"
#include "rooms/swarm/store_inside.h"
#include "rt/worker.h"

static const char magic[] = "naruPRT1";
enum { MAGIC_BYTES = 8, PARTIAL_HEAD_BYTES = 12 + INFO_HASH_BYTES, FILE_BYTES_MAX = STORE_PARTIAL_BYTES_MAX + (16 << 20) };

static int32_t blocks_of(int32_t length) { return (length + STORE_BLOCK_BYTES - 1) / STORE_BLOCK_BYTES; }

static str block_of(str piece, int32_t block) { return str_sub(piece, (ptrdiff_t)block * STORE_BLOCK_BYTES, STORE_BLOCK_BYTES); }

// ---- writing --------------------------------------------------------------------------------------------------------------------------------

typedef struct { store *store; const store_partial *list; int count; buf text; err error; } saving;

static void put_u32(buf *out, uint32_t value)
{
    unsigned char bytes[4];
    writer w = wr_into(bytes, sizeof bytes);
    wr_u32(&w, value);
    buf_put(out, wr_str(&w));
}

static bool partial_put(saving *v, const store_partial *p)
{
    size_t start = v->text.len;
    int32_t length = store_piece_length(v->store, p->piece), blocks = blocks_of(length);
    must(p->bytes.len == length);
    put_u32(&v->text, (uint32_t)p->piece);
    put_u32(&v->text, (uint32_t)bitfield_bytes(blocks));
    buf_put(&v->text, str_of(p->blocks, (size_t)bitfield_bytes(blocks)));
    for (int32_t i = 0; i < blocks; i++)
        if (bit_get(p->blocks, i))
            buf_put(&v->text, block_of(p->bytes, i));
    put_u32(&v->text, crc32c(0, str_from(buf_str(&v->text), (ptrdiff_t)start)));
    if (!v->text.full)
        return true;
    v->text.len = start;                         // the rest is left out
    v->text.full = false;
    return false;
}

static void save_run(void *arg)
{
    saving *v = arg;
    char path[STORE_PATH_BYTES];
    store *s = v->store;
    uint32_t count = 0;
    store_state_path(s->state_directory, s->hash, ".partial", path);
    if (!v->count) {
        v->error = path_remove(s->pool->world, path);
        v->error = v->error == E_NO_ENTRY ? E_OK : v->error;
        return;
    }
    v->text = buf_make(FILE_BYTES_MAX);
    buf_put(&v->text, str_of(magic, MAGIC_BYTES));
    buf_put(&v->text, str_of(s->hash, INFO_HASH_BYTES));
    put_u32(&v->text, 0);
    while (count < (uint32_t)v->count && partial_put(v, &v->list[count]))
        count++;
    writer w = wr_into(v->text.at + MAGIC_BYTES + INFO_HASH_BYTES, 4);
    wr_u32(&w, count);
    v->error = file_replace(s->pool->world, path, buf_str(&v->text), STORE_STATE_MODE);
    buf_free(&v->text);
}

err store_partial_save(store *s, const store_partial *saved, int count)
{
    saving v = {.store = s, .list = saved, .count = count};
    if (s->payload)
        return E_OK;
    store_enter(s);
    work(save_run, &v);
    store_leave(s);
    return v.error;
}

// ---- reading --------------------------------------------------------------------------------------------------------------------------------

typedef struct { store *store; arena *arena; store_partial *list; int count; err error; } restoring;

static bool partial_read(restoring *x, reader *r, store_partial *out)
{
    const unsigned char *start = r->at;
    uint32_t piece = rd_u32(r), bitmap = rd_u32(r);
    if (r->bad || piece >= (uint32_t)x->store->piece_count)
        return false;
    int32_t length = store_piece_length(x->store, (int32_t)piece), blocks = blocks_of(length);
    str bits = rd_bytes(r, bitmap);
    if (r->bad || bitmap != (uint32_t)bitfield_bytes(blocks))
        return false;
    unsigned char *room = arena_array(x->arena, unsigned char, length), *bitmap_room = arena_array(x->arena, unsigned char, bits.len);
    if (!room || !bitmap_room)
        return false;
    memcpy(bitmap_room, bits.at, (size_t)bits.len);
    for (int32_t i = 0; i < blocks; i++) {
        ptrdiff_t size = block_of(str_of(room, (size_t)length), i).len;
        str block = bit_get(bitmap_room, i) ? rd_bytes(r, (size_t)size) : (str){0};
        if (block.len)
            memcpy(room + (size_t)i * STORE_BLOCK_BYTES, block.at, (size_t)block.len);
    }
    uint32_t sum = crc32c(0, str_of(start, (size_t)(r->at - start)));
    *out = (store_partial){(int32_t)piece, bitmap_room, str_of(room, (size_t)length)};
    return rd_u32(r) == sum && !r->bad;
}

static void partials_read(restoring *x, str text)
{
    reader r = rd_of(text);
    const store *s = x->store;
    bool ours = str_eq(rd_bytes(&r, MAGIC_BYTES), str_of(magic, MAGIC_BYTES)) &&
                str_eq(rd_bytes(&r, INFO_HASH_BYTES), str_of(s->hash, INFO_HASH_BYTES));
    uint32_t count = rd_u32(&r);
    if (!ours || r.bad || count > (uint32_t)s->piece_count)
        return;
    x->list = arena_array(x->arena, store_partial, count);
    for (uint32_t i = 0; x->list && i < count && partial_read(x, &r, &x->list[x->count]); i++)
        if (!bitfield_has(&s->have, x->list[x->count].piece))
            x->count++;
}

static void load_run(void *arg)
{
    restoring *x = arg;
    char path[STORE_PATH_BYTES];
    arena a = arena_make((size_t)FILE_BYTES_MAX + 4096);
    str text;
    world *w = x->store->pool->world;
    store_state_path(x->store->state_directory, x->store->hash, ".partial", path);
    x->error = file_read_all(w, path, &a, FILE_BYTES_MAX, &text);
    if (!x->error)
        partials_read(x, text);
    arena_free(&a);
    if (!x->error)
        x->error = path_remove(w, path);
    if (x->error == E_NO_ENTRY)
        x->error = E_OK;
}

err store_partial_load(store *s, arena *a, store_partial **saved, int *count)
{
    restoring x = {.store = s, .arena = a};
    *saved = NULL;
    *count = 0;
    if (s->payload)
        return E_OK;
    store_enter(s);
    work(load_run, &x);
    store_leave(s);
    *saved = x.list;
    *count = x.list ? x.count : 0;
    return x.error;
}
