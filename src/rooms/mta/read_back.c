#include "rooms/mta/read_back.h"

#include "base/heap_memory.h"
#include "rooms/mta/spool.h"

enum { CHUNK_BYTES = 256 * 1024, TEXT_BYTES_MAX = 4 * LETTER_INLINE_BYTES_MAX + LETTER_ARENA_BYTES_MAX };

static err blob_read_whole(spool *s, const letter *l, unsigned char *chunk)
{
    size_t got = CHUNK_BYTES;
    int64_t at = 0;
    err e = E_OK;
    for (; !e && got == CHUNK_BYTES; at += (int64_t)got)
        e = blob_read(spool_blobs(s), l->blob, at, chunk, CHUNK_BYTES, &got);
    return e ? e : at == l->size_bytes ? E_OK : E_CORRUPT;
}

static err text_read_whole(spool *s, letter *l)
{
    arena a = arena_make(TEXT_BYTES_MAX);
    str text;
    err e = spool_text(s, l, &a, &text);
    if (!e && text.len != l->size_bytes)
        e = E_CORRUPT;
    arena_free(&a);
    return e;
}

err mta_read_back(world *w, str directory, queue_read *out, arena *a, str *why)
{
    spool *s = NULL;
    *out = (queue_read){0};
    err e = spool_open(w, directory, a, &s, why);
    if (e)
        return e;
    unsigned char *chunk = memory_new(CHUNK_BYTES);
    for (letter *l = spool_first(s); l && !e; l = spool_next(s, l)) {
        char id[LETTER_ID_TEXT];
        letter_id_text(l->id, id);
        e = l->in_blob ? blob_read_whole(s, l, chunk) : text_read_whole(s, l);
        if (e)
            *why = str_format(a, "the letter %s in the queue cannot be read: %s", id, err_text(e));
        out->letters++;
        out->recipients += l->to_waiting;
        out->bytes += l->size_bytes;
    }
    memory_free(chunk);
    spool_close(s);
    return e;
}
