#include <stdio.h>

#include "base/heap_memory.h"
#include "keep/journal_inside.h"

enum { FILE_MODE = 0600 };

static const char DRAFT_NAME[] = "new", SPARE_NAME[] = "spare";

void segment_path(const journal *j, uint32_t number, char out[JOURNAL_PATH_BYTES])
{
    char name[JOURNAL_FILE_NAME_BYTES];
    journal_file_name(number, name);
    int n = snprintf(out, JOURNAL_PATH_BYTES, "%s/%s", j->directory, name);
    must(n < JOURNAL_PATH_BYTES);
}

void journal_file_name(uint32_t number, char out[JOURNAL_FILE_NAME_BYTES])
{
    snprintf(out, JOURNAL_FILE_NAME_BYTES, "%010u.segment", number);
}

void segment_free(segment *s)
{
    if (s && s->file)
        file_close(s->file);
    memory_free(s);
}

static void name_path(const journal *j, const char *name, char out[JOURNAL_PATH_BYTES])
{
    int n = snprintf(out, JOURNAL_PATH_BYTES, "%s/%s", j->directory, name);
    must(n < JOURNAL_PATH_BYTES);
}

err segment_retire(journal *j, const segment *s)
{
    char path[JOURNAL_PATH_BYTES], spare[JOURNAL_PATH_BYTES];
    segment_path(j, s->head.number, path);
    name_path(j, SPARE_NAME, spare);
    bool full_size = s->prepared >= j->options.segment_bytes_max / 4 * 3 && s->prepared <= j->options.segment_bytes_max;
    err e = full_size ? path_rename(j->world, path, spare) : path_remove(j->world, path);
    return e && e != E_NO_ENTRY ? e : dir_sync(j->world, j->directory);
}

// A retired segment to write over, or a new file. What the old one holds, the new mark makes meaningless.
static err draft_open(journal *j, segment *s, const char *draft)
{
    char spare[JOURNAL_PATH_BYTES];
    name_path(j, SPARE_NAME, spare);
    err e = path_rename(j->world, spare, draft);
    if (e)
        return file_open(j->world, draft, FILE_READ | FILE_WRITE | FILE_CREATE | FILE_TRUNCATE, FILE_MODE, &s->file);
    e = file_open(j->world, draft, FILE_READ | FILE_WRITE, FILE_MODE, &s->file);
    return e ? e : file_size(s->file, &s->prepared);
}

static err segment_begin(journal *j, segment *s, const char *draft, const char *path)
{
    unsigned char head[SEGMENT_HEAD_BYTES];
    segment_head_write(head, s->head);
    struct iovec v = {head, sizeof head};
    err e = draft_open(j, s, draft);
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

bool segment_is_waste(const segment *s) { return s->ours && s->sealed && s->end == SEGMENT_HEAD_BYTES; }

static segment_head head_after(const segment *before)
{
    if (!before)
        return (segment_head){.number = 1};
    if (segment_is_waste(before))
        return before->head;
    return (segment_head){.number = before->head.number + 1, .previous_end = (uint64_t)before->end};
}

err segment_create(journal *j, const segment *before, uint64_t first_sequence, segment **out)
{
    segment *s = memory_zeroed(1, sizeof *s);
    *s = (segment){.head = head_after(before), .end = SEGMENT_HEAD_BYTES, .prepared = SEGMENT_HEAD_BYTES, .ours = true};
    s->head.first_sequence = first_sequence;
    s->head.mark = world_random_u64(j->world);
    char draft[JOURNAL_PATH_BYTES], path[JOURNAL_PATH_BYTES];
    name_path(j, DRAFT_NAME, draft);
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
