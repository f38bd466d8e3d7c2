#include "rt/sim_segment.h"

#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"
#include "rt/shared.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1                      // so that ASan sees who still looks into it
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

// Segments come and go by the million, in a few dozen sizes: what was given up last is in the cache still.
enum { POOL_STEP_BYTES = 64, POOL_SIZES = 16 };          // up to a kibibyte
static struct { list_link *first[POOL_SIZES]; } pool;

static size_t pool_of(size_t bytes) { return SANITIZED ? POOL_SIZES : (bytes - 1) / POOL_STEP_BYTES; }

static segment *take(size_t bytes)
{
    size_t size = pool_of(bytes);
    if (size >= POOL_SIZES)
        return memory_new(bytes);
    list_link *k = pool.first[size];
    if (!k)
        return memory_new((size + 1) * POOL_STEP_BYTES);
    pool.first[size] = k->next;
    return LIST_OF(k, segment, link);
}

static void give(segment *g)
{
    size_t size = pool_of(g->bytes);
    if (size >= POOL_SIZES) {
        memory_free(g);
        return;
    }
    g->link.next = pool.first[size];
    pool.first[size] = &g->link;
}

void sim_segments_forget(void)
{
    for (int i = 0; i < POOL_SIZES; i++)
        for (list_link *k; (k = pool.first[i]); ) {
            pool.first[i] = k->next;
            memory_free(LIST_OF(k, segment, link));
        }
}

segment *sim_segment_new(unsigned flags, const str *pieces, int count)
{
    must(count <= SEGMENT_PIECES_MAX);
    size_t len = 0, own = 0;
    bool shared[SEGMENT_PIECES_MAX];
    for (int i = 0; i < count; i++) {
        shared[i] = shared_hold(pieces[i]);
        own += shared[i] ? 0 : (size_t)pieces[i].len;
        len += (size_t)pieces[i].len;
    }
    size_t bytes = sizeof(segment) + (size_t)count * sizeof(str) + own;
    segment *g = take(bytes);
    *g = (segment){.flags = flags, .len = len, .count = count, .bytes = bytes};
    unsigned char *at = (unsigned char *)(g->pieces + count);
    for (int i = 0; i < count; i++) {
        g->pieces[i] = pieces[i];
        if (shared[i])
            continue;
        g->pieces[i].at = memcpy(at, pieces[i].at, (size_t)pieces[i].len);
        at += pieces[i].len;
    }
    return g;
}

void sim_segment_free(segment *g)
{
    for (int i = g->first; i < g->count; i++)
        shared_drop(g->pieces[i]);
    give(g);
}

void sim_segments_free(list *l, size_t *bytes)
{
    for (list_link *k; (k = list_take(l)); )
        sim_segment_free(LIST_OF(k, segment, link));
    *bytes = 0;
}
