// What is read for sending: chunks of pieces, pinned while somebody sends from them, the least recently used forgotten first.
#include <string.h>

#include "base/bytes.h"
#include "base/heap_memory.h"
#include "rooms/swarm/store_inside.h"
#include "rt/shared.h"

typedef struct store_chunk chunk;

static void key_write(unsigned char key[12], const store *s, int32_t piece, int32_t number)
{
    writer w = wr_into(key, 12);
    wr_u32(&w, s->number);
    wr_u32(&w, (uint32_t)piece);
    wr_u32(&w, (uint32_t)number);
}

static str key_of(const chunk *c) { return str_of(c->key, sizeof c->key); }

static chunk *chunk_find(store *s, int32_t piece, int32_t number)
{
    unsigned char key[12];
    key_write(key, s, piece, number);
    return map_get(&s->pool->chunk_map, str_of(key, sizeof key));
}

// The last one's memory goes to the next of its size: fresh pages cost more than reading into them.
static void bytes_free(store_pool *p, unsigned char *bytes, int32_t length)
{
    memory_free(p->spare);
    p->spare = bytes;
    p->spare_bytes = length;
}

static void chunk_free(store_pool *p, chunk *c)
{
    if (c->lent)
        shared_drop(str_of(c->bytes, (size_t)c->length));
    else
        bytes_free(p, c->bytes, c->length);
    memory_free(c);
}

static unsigned char *bytes_new(store_pool *p, int32_t length)
{
    unsigned char *bytes = p->spare;
    if (!bytes || p->spare_bytes != length)
        return memory_new((size_t)length);
    p->spare = NULL;
    return bytes;
}

// It cannot be found any more; its memory stays while somebody sends from it.
static void chunk_unlist(store_pool *p, chunk *c)
{
    if (!list_linked(&c->of_pool))
        return;
    list_remove(&c->of_pool);
    map_remove(&p->chunk_map, key_of(c));
    p->figures.cache_bytes -= c->length;
    if (!c->pins)
        chunk_free(p, c);
}

static bool room_make(store_pool *p, int32_t length)
{
    for (list_link *k = list_first(&p->chunks), *next; k && p->figures.cache_bytes + length > p->limits.cache_bytes_max; k = next) {
        next = list_next(&p->chunks, k);
        chunk *c = LIST_OF(k, chunk, of_pool);
        if (!c->pins)
            chunk_unlist(p, c);
    }
    return p->figures.cache_bytes + length <= p->limits.cache_bytes_max;
}

void store_cache_forget(store *s, int32_t piece)
{
    unsigned char start[12];
    key_write(start, s, piece, 0);
    for (list_link *k = list_first(&s->pool->chunks), *next; k; k = next) {
        next = list_next(&s->pool->chunks, k);
        chunk *c = LIST_OF(k, chunk, of_pool);
        if (memcmp(c->key, start, piece < 0 ? 4 : 8) == 0)
            chunk_unlist(s->pool, c);
    }
}

// ---- reading --------------------------------------------------------------------------------------------------------------------------

static err range_read(store *s, int64_t at, int32_t length, unsigned char *into, str *lent)
{
    store_io io = {.store = s, .at = at, .length = length, .into = into, .lent = lent};
    store_enter(s);
    err e = store_layout_hold(s, &io.layout);
    if (e) {
        store_set_trouble(s, e, "cannot read the torrent file of", s->file_count + 1);
    } else {
        store_io_run(&io);
        e = io.error;
        if (e)
            store_unreadable(s, &io);
        store_layout_drop(s);
    }
    store_leave(s);
    return e;
}

// A chunk in the cache, being read by us; NULL: no room. The caller pins it.
static chunk *chunk_begin(store *s, int32_t piece, int32_t number)
{
    store_pool *p = s->pool;
    int32_t left = store_piece_length(s, piece) - number * STORE_CHUNK_BYTES, length = left < STORE_CHUNK_BYTES ? left : STORE_CHUNK_BYTES;
    if (!room_make(p, length))
        return NULL;
    chunk *c = memory_zeroed(1, sizeof *c);
    key_write(c->key, s, piece, number);
    c->bytes = bytes_new(p, length);
    c->length = length;
    c->loading = true;
    c->pins = 1;
    if (!map_put(&p->chunk_map, key_of(c), c)) {
        chunk_free(p, c);
        return NULL;
    }
    list_append(&p->chunks, &c->of_pool);
    p->figures.cache_bytes += length;
    return c;
}

static void chunk_unpin(store_pool *p, chunk *c)
{
    if (--c->pins)
        return;
    if (c->loose)
        p->loose_count--;
    if (!list_linked(&c->of_pool))
        chunk_free(p, c);
}

static void chunk_load(store *s, chunk *c, int32_t piece, int32_t number)
{
    str lent = {0};
    c->error = range_read(s, s->piece_bytes * piece + (int64_t)number * STORE_CHUNK_BYTES, c->length, c->bytes, &lent);
    if (lent.len) {
        bytes_free(s->pool, c->bytes, c->length);
        c->bytes = (unsigned char *)(uintptr_t)lent.at;
        c->lent = true;
    }
    c->loading = false;
    if (c->error)
        chunk_unlist(s->pool, c);
    gate_wake_all(&c->loaded);
}

// ---- reading ahead ----------------------------------------------------------------------------------------------------------------------

typedef struct { store *store; chunk *chunk; int32_t piece, number; } ahead;

static void ahead_run(void *arg)
{
    ahead *a = arg;
    store_pool *p = a->store->pool;
    chunk_load(a->store, a->chunk, a->piece, a->number);
    p->figures.read_ahead++;
    chunk_unpin(p, a->chunk);
    store_leave(a->store);
    memory_free(a);
    if (--p->ahead_count == 0)
        gate_wake_all(&p->ended);
}

static void ahead_start(store *s, int32_t piece, int32_t number)
{
    store_pool *p = s->pool;
    if (s->alone || p->closing || p->ahead_count >= STORE_AHEAD_MAX || !bitfield_has(&s->have, piece) || chunk_find(s, piece, number))
        return;
    chunk *c = chunk_begin(s, piece, number);
    if (!c)
        return;
    ahead *a = memory_new(sizeof *a);
    *a = (ahead){s, c, piece, number};
    store_enter(s);                              // it stays open
    p->ahead_count++;
    if (scope_try_go(p->scope, "read ahead", ahead_run, a) == E_OK)
        return;
    p->ahead_count--;
    store_leave(s);
    memory_free(a);
    c->loading = false;
    c->error = E_CANCELED;
    chunk_unlist(p, c);
    chunk_unpin(p, c);
}

static int64_t chunks_a_piece(const store *s) { return (s->piece_bytes + STORE_CHUNK_BYTES - 1) / STORE_CHUNK_BYTES; }

// The chunk behind one that follows the last one asked for.
static void ahead_consider(store *s, int32_t piece, int32_t number)
{
    int64_t per_piece = chunks_a_piece(s), here = piece * per_piece + number, before = s->last_chunk;
    s->last_chunk = here;
    if (here != before + 1)
        return;
    int32_t next_piece = piece, next = number + 1;
    if ((int64_t)next * STORE_CHUNK_BYTES >= store_piece_length(s, piece))
        next_piece++, next = 0;
    if (next_piece < s->piece_count)
        ahead_start(s, next_piece, next);
}

// ---- views --------------------------------------------------------------------------------------------------------------------------------

// Across two chunks, or while all of the cache is being sent from: memory of its own.
static err loose_get(store *s, int32_t piece, int32_t begin, int32_t length, store_view *out)
{
    store_pool *p = s->pool;
    if (p->loose_count == STORE_LOOSE_VIEWS_MAX)
        return E_LIMIT;
    chunk *c = memory_zeroed(1, sizeof *c);
    p->loose_count++;
    *c = (chunk){.bytes = memory_new((size_t)length), .length = length, .pins = 1, .loose = true};
    err e = range_read(s, s->piece_bytes * piece + begin, length, c->bytes, NULL);
    if (e) {
        chunk_unpin(p, c);
        return e;
    }
    *out = (store_view){str_of(c->bytes, (size_t)length), c};
    return E_OK;
}

static err view_of(store_pool *p, chunk *c, int32_t offset, int32_t length, store_view *out)
{
    while (c->loading)
        gate_wait_uncanceled(&c->loaded, "disk");
    if (c->error) {
        err e = c->error;
        chunk_unpin(p, c);
        return e;
    }
    *out = (store_view){str_of(c->bytes + offset, (size_t)length), c};
    return E_OK;
}

err store_view_get(store *s, int32_t piece, int32_t begin, int32_t length, store_view *out)
{
    store_pool *p = s->pool;
    *out = (store_view){0};
    must(begin >= 0 && length > 0 && length <= store_piece_length(s, piece) && begin <= store_piece_length(s, piece) - length);
    if (!bitfield_has(&s->have, piece))
        return E_NO_ENTRY;
    if (s->payload) {
        out->bytes = str_of(s->payload + s->piece_bytes * piece + begin, (size_t)length);
        return E_OK;
    }
    int32_t number = begin / STORE_CHUNK_BYTES, offset = begin % STORE_CHUNK_BYTES;
    if (offset + length > STORE_CHUNK_BYTES)
        return loose_get(s, piece, begin, length, out);
    chunk *c = chunk_find(s, piece, number);
    if (c) {
        p->figures.cache_hits++;
        c->pins++;
        list_remove(&c->of_pool);
        list_append(&p->chunks, &c->of_pool);
        ahead_consider(s, piece, number);
        return view_of(p, c, offset, length, out);
    }
    p->figures.cache_misses++;
    c = chunk_begin(s, piece, number);
    if (!c)
        return loose_get(s, piece, begin, length, out);
    ahead_consider(s, piece, number);
    chunk_load(s, c, piece, number);
    return view_of(p, c, offset, length, out);
}

void store_view_release(store *s, store_view *v)
{
    if (v->chunk)
        chunk_unpin(s->pool, v->chunk);
    *v = (store_view){0};
}

bool store_view_ready(store *s, int32_t piece, int32_t begin, int32_t length)
{
    int32_t number = begin / STORE_CHUNK_BYTES;
    if (s->payload)
        return true;
    const chunk *c = number == (begin + length - 1) / STORE_CHUNK_BYTES ? chunk_find(s, piece, number) : NULL;
    return c && !c->loading;
}

void store_view_expect(store *s, int32_t piece, int32_t begin)
{
    if (!s->payload && begin >= 0 && begin < store_piece_length(s, piece))
        ahead_start(s, piece, begin / STORE_CHUNK_BYTES);
}
