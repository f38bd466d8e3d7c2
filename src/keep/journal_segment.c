#include <stdio.h>

#include "base/heap_memory.h"
#include "keep/journal_inside.h"

enum { FILE_MODE = 0600 };

void segment_path(const journal *j, uint32_t number, char out[JOURNAL_PATH_BYTES])
{
    int n = snprintf(out, JOURNAL_PATH_BYTES, "%s/%010u.segment", j->directory, number);
    must(n < JOURNAL_PATH_BYTES);
}

void segment_free(segment *s)
{
    if (s && s->file)
        file_close(s->file);
    memory_free(s);
}

err segment_remove(journal *j, uint32_t number)
{
    char path[JOURNAL_PATH_BYTES];
    segment_path(j, number, path);
    err e = path_remove(j->world, path);
    return e && e != E_NO_ENTRY ? e : dir_sync(j->world, j->directory);
}

static err segment_begin(journal *j, segment *s, const char *draft, const char *path)
{
    unsigned char head[SEGMENT_HEAD_BYTES];
    segment_head_write(head, s->head);
    struct iovec v = {head, sizeof head};
    err e = file_open(j->world, draft, FILE_READ | FILE_WRITE | FILE_CREATE | FILE_TRUNCATE, FILE_MODE, &s->file);
    if (!e)
        e = file_write(s->file, 0, &v, 1);
    if (!e)
        e = file_sync(s->file);
    if (!e)
        e = path_rename(j->world, draft, path);
    if (!e && (e = dir_sync(j->world, j->directory)))
        path_remove(j->world, path);          // if that fails, too: an empty segment, harmless to a later opening
    return e;
}

err segment_create(journal *j, const segment *before, uint64_t first_sequence, segment **out)
{
    segment *s = memory_zeroed(1, sizeof *s);
    *s = (segment){.end = SEGMENT_HEAD_BYTES, .prepared = SEGMENT_HEAD_BYTES};
    s->head = (segment_head){.number = before ? before->head.number + 1 : 1, .first_sequence = first_sequence,
                             .mark = world_random_u64(j->world), .previous_end = before ? (uint64_t)before->end : 0};
    char draft[JOURNAL_PATH_BYTES], path[JOURNAL_PATH_BYTES];
    must(snprintf(draft, sizeof draft, "%s/new", j->directory) < (int)sizeof draft);
    segment_path(j, s->head.number, path);
    err e = segment_begin(j, s, draft, path);
    if (e) {
        path_remove(j->world, draft);
        segment_free(s);
        return e;
    }
    *out = s;
    return E_OK;
}
