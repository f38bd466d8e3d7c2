#include "rt/sim_segment.h"

#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"
#include "rt/shared.h"

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
    segment *g = memory_new(sizeof *g + (size_t)count * sizeof g->pieces[0] + own);
    *g = (segment){.flags = flags, .len = len, .count = count};
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
    memory_free(g);
}

void sim_segments_free(list *l, size_t *bytes)
{
    for (list_link *k; (k = list_take(l)); )
        sim_segment_free(LIST_OF(k, segment, link));
    *bytes = 0;
}
