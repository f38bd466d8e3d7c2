// Opening a journal: every head is read and the numbers are checked, then each segment is scanned, replayed and repaired.
#include <stdio.h>
#include <string.h>

#include "base/heap_memory.h"
#include "keep/directory.h"
#include "keep/journal_inside.h"
#include "rt/sim.h"
#include "rt/worker.h"

enum { DIRECTORY_MODE = 0700, LOCK_MODE = 0600, NAMES_BYTES_MAX = 1 << 20, DIRECTORY_BYTES_MAX = 3900 };

typedef struct {
    journal  *journal;
    arena    *arena;                  // the caller's, for *why
    str       why;
    err       error;
    segment  *segment;                // being loaded or repaired
    unsigned char *bytes;             // all of it
    size_t    size;
    uint64_t  cut_at;
} opening;

// The error with its sentence: what, where, why, what to do.
static err refuse(opening *o, err e, const char *what, const char *where)
{
    o->why = trouble_sentence(o->arena, e, what, where);
    return e;
}

static err damaged(opening *o, const char *path, uint64_t at)
{
    o->why = str_format(o->arena, "the journal segment %s is damaged at offset %llu: what was safely written there does not "
                        "pass its checksum; restore the file from a backup, or move the whole directory away to start with "
                        "an empty journal", path, (unsigned long long)at);
    return E_CORRUPT;
}

// "0000000012.segment": its number; 0 when it is another name.
static uint32_t segment_number(str name)
{
    uint64_t n;
    bool ours = name.len == 18 && str_ends(name, S(".segment")) && str_to_u64(str_first(name, 10), &n);
    return ours && n <= UINT32_MAX ? (uint32_t)n : 0;
}

static err segment_open(opening *o, uint32_t number)
{
    journal *j = o->journal;
    char path[JOURNAL_PATH_BYTES];
    unsigned char head[SEGMENT_HEAD_BYTES];
    size_t got = 0;
    segment_path(j, number, path);
    segment *s = memory_zeroed(1, sizeof *s);
    s->sealed = true;
    err e = file_open(j->world, path, FILE_READ | FILE_WRITE, 0, &s->file);
    if (!e)
        e = file_read(s->file, 0, head, sizeof head, &got);
    if (!e && (!segment_head_read(str_of(head, got), &s->head) || s->head.number != number))
        e = E_CORRUPT;
    if (e) {
        segment_free(s);
        return e == E_CORRUPT ? damaged(o, path, 0) : refuse(o, e, "cannot read the journal segment", path);
    }
    list_append(&j->segments, &s->link);
    j->figures.segments++;
    return E_OK;
}

static err segments_open(opening *o, const str *names, int count)
{
    journal *j = o->journal;
    uint32_t last = 0;
    for (int i = 0; i < count; i++) {
        uint32_t number = segment_number(names[i]);
        if (!number)
            continue;
        if (last && number != last + 1) {
            char path[JOURNAL_PATH_BYTES];
            segment_path(j, last + 1, path);
            return refuse(o, E_CORRUPT, "a segment is missing in the middle of the journal:", path);
        }
        if (j->figures.segments == JOURNAL_SEGMENTS_MAX)
            return refuse(o, E_LIMIT, "too many segments in", j->directory);
        err e = segment_open(o, number);
        if (e)
            return e;
        last = number;
    }
    return E_OK;
}

static err directory_open(opening *o)
{
    journal *j = o->journal;
    char path[JOURNAL_PATH_BYTES];
    err e = directory_make(j->world, j->directory, DIRECTORY_MODE);
    if (e)
        return refuse(o, e, "cannot make the journal's directory", j->directory);
    must(snprintf(path, sizeof path, "%s/lock", j->directory) < (int)sizeof path);
    e = file_open(j->world, path, FILE_READ | FILE_WRITE | FILE_CREATE, LOCK_MODE, &j->lock);
    if (!e)
        e = file_lock(j->lock);
    if (e)
        return refuse(o, e, "cannot lock the journal with", path);
    must(snprintf(path, sizeof path, "%s/new", j->directory) < (int)sizeof path);
    path_remove(j->world, path);              // a segment that a crash left half-made
    arena names = arena_make(NAMES_BYTES_MAX);
    str *name = NULL;
    int count = 0;
    e = dir_list(j->world, j->directory, &names, &name, &count);
    e = e ? refuse(o, e, "cannot list the journal's directory", j->directory) : segments_open(o, name, count);
    arena_free(&names);
    return e;
}

static void directory_open_run(void *arg)
{
    opening *o = arg;
    o->error = directory_open(o);
}

// ---- one segment ---------------------------------------------------------------------------------------------------------

static void segment_load_run(void *arg)
{
    opening *o = arg;
    int64_t size = 0;
    err e = file_size(o->segment->file, &size);
    if (!e && size > SEGMENT_BYTES_CEILING)
        e = E_TOO_LONG;
    if (!e) {
        o->bytes = memory_new((size_t)size + 1);
        e = file_read(o->segment->file, 0, o->bytes, (size_t)size, &o->size);
    }
    o->error = e;
}

static void segment_cut_run(void *arg)
{
    opening *o = arg;
    o->error = file_truncate(o->segment->file, (int64_t)o->cut_at);
    if (!o->error)
        o->error = file_sync(o->segment->file);
}

// Judges what stands behind the last intact record and cuts off what a crash left half-written.
static err tail_repair(opening *o, const segment_scan *scan, const segment *next, const char *path)
{
    uint64_t torn = 0;
    segment_tail tail = segment_scan_tail(scan, &torn);
    if (tail == TAIL_DAMAGED || (next && scan->at < next->head.previous_end))
        return damaged(o, path, scan->at);
    if (tail == TAIL_NOTHING)
        return E_OK;
    o->cut_at = scan->at;
    work(segment_cut_run, o);
    o->journal->figures.torn_bytes += (int64_t)torn;
    return o->error ? refuse(o, o->error, "cannot cut the torn end off the journal segment", path) : E_OK;
}

// The deliberate mistake for the simulator's checker: whatever the file ends with counts as written, and more goes behind it.
static void tail_skip(opening *o, const segment *next)
{
    size_t end = o->size;
    while (end > SEGMENT_HEAD_BYTES && o->bytes[end - 1] == 0)
        end--;
    o->segment->sealed = next != NULL;
    o->segment->end = o->segment->prepared = (int64_t)end;
}

static err segment_replay(opening *o, journal_replay *each, void *arg)
{
    journal *j = o->journal;
    segment *s = o->segment;
    list_link *after = list_next(&j->segments, &s->link);
    const segment *next = after ? LIST_OF(after, segment, link) : NULL;
    char path[JOURNAL_PATH_BYTES];
    segment_path(j, s->head.number, path);
    work(segment_load_run, o);
    if (o->error)
        return refuse(o, o->error, "cannot read the journal segment", path);
    segment_scan scan;
    segment_record r;
    if (!segment_scan_begin(&scan, str_of(o->bytes, o->size)))
        return damaged(o, path, 0);
    while (segment_scan_next(&scan, &r))
        each(arg, (journal_place){s->head.number, r.offset}, r.bytes);
    if (scan.last_sequence >= j->next_sequence)
        j->next_sequence = scan.last_sequence + 1;
    // The last commit may stand only in the cache of a kernel that lost its disk: nothing is built on it.
    s->end = (int64_t)scan.last_commit;
    if (world_broken(j->world, "skip-torn-tail"))
        return tail_skip(o, next), E_OK;
    return tail_repair(o, &scan, next, path);
}

static err segments_replay(opening *o, journal_replay *each, void *arg)
{
    err e = E_OK;
    for (list_link *l = list_first(&o->journal->segments); l && !e; l = list_next(&o->journal->segments, l)) {
        o->segment = LIST_OF(l, segment, link);
        o->bytes = NULL;
        e = segment_replay(o, each, arg);
        memory_free(o->bytes);
    }
    return e;
}

static journal_options options_filled(journal_options x)
{
    if (x.segment_bytes_max == 0)
        x.segment_bytes_max = SEGMENT_BYTES_DEFAULT;
    if (x.record_bytes_max == 0)
        x.record_bytes_max = RECORD_BYTES_DEFAULT;
    must(x.segment_bytes_max > 0 && x.segment_bytes_max <= SEGMENT_BYTES_CEILING);
    must(x.record_bytes_max > 0 && x.record_bytes_max <= RECORD_BYTES_CEILING);
    return x;
}

static journal *journal_new(world *w, str directory, journal_options options)
{
    journal *j = memory_zeroed(1, sizeof *j);
    j->world = w;
    j->options = options_filled(options);
    j->next_sequence = 1;
    j->directory = memory_zeroed((size_t)directory.len + 1, 1);
    memcpy(j->directory, directory.at, (size_t)directory.len);
    list_init(&j->segments);
    list_init(&j->waiting);
    return j;
}

err journal_open(world *w, str directory, journal_options options, journal_replay *each, void *arg,
                 arena *a, journal **out, str *why)
{
    if (directory.len > DIRECTORY_BYTES_MAX) {
        *why = S("the journal's directory has too long a name: choose one of at most 3,900 bytes");
        return E_TOO_LONG;
    }
    journal *j = journal_new(w, directory, options);
    *out = j;                                 // so that `each` can hold segments
    opening o = {.journal = j, .arena = a};
    work(directory_open_run, &o);
    err e = o.error ? o.error : segments_replay(&o, each, arg);
    if (e) {
        *why = o.why;
        work(journal_free, j);
        *out = NULL;
        return e;
    }
    return E_OK;
}
