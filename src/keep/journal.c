#include "keep/journal.h"

#include "base/heap_memory.h"
#include "keep/journal_inside.h"
#include "rt/worker.h"

// One waiting journal_append; lives on its fiber's stack.
struct append {
    list_link     link;
    const str    *pieces;
    int           count;
    uint32_t      bytes;
    uint64_t      sequence;
    fiber        *fiber;
    journal_place place;
    segment      *segment;
    err           error;
    bool          done, leads;        // leads: it is this fiber's turn to commit for all
};

static const unsigned char zeros[ZEROS_BYTES];

static segment *newest(const journal *j)
{
    list_link *last = list_last(&j->segments);
    return last ? LIST_OF(last, segment, link) : NULL;
}

static segment *segment_find(const journal *j, uint32_t number)
{
    for (list_link *l = list_last(&j->segments); l; l = list_prev(&j->segments, l))
        if (LIST_OF(l, segment, link)->head.number == number)
            return LIST_OF(l, segment, link);
    return NULL;
}

// ---- the commit: inside work() -------------------------------------------------------------------------------------------

static bool commit_fits(const journal *j)
{
    const segment *s = j->commit.into;
    return s && !s->sealed &&
           (s->end + j->commit.bytes <= j->options.segment_bytes_max || s->end == SEGMENT_HEAD_BYTES);
}

static void vector_add(commit *c, const void *at, size_t size)
{
    c->vectors[c->vector_count++] = (struct iovec){(void *)(uintptr_t)at, size};
}

// Zeros behind the records, which end at `end`, when space is to be prepared with this write. Returns how far it reaches.
static int64_t zeros_add(commit *c, int64_t end, int64_t max)
{
    if (end <= c->into->prepared)
        return c->into->prepared;
    if (c->bytes > PREPARE_COMMIT_BYTES_MAX)
        return end;
    int64_t to = (end + PREPARE_BYTES - 1) / PREPARE_BYTES * PREPARE_BYTES;
    to = to < max ? to : end > max ? end : max;
    for (int64_t left = to - end; left > 0; left -= ZEROS_BYTES)
        vector_add(c, zeros, (size_t)(left < ZEROS_BYTES ? left : ZEROS_BYTES));
    return to;
}

static err commit_write(commit *c, int64_t segment_bytes_max)
{
    segment *s = c->into;
    int64_t at = s->end;
    c->vector_count = 0;
    for (int i = 0; i < c->count; i++) {
        append *a = c->records[i];
        record_head_write(c->heads[i], s->head.mark, a->sequence, (uint64_t)s->end, a->pieces, a->count, a->bytes);
        vector_add(c, c->heads[i], RECORD_HEAD_BYTES);
        for (int p = 0; p < a->count; p++)
            vector_add(c, a->pieces[p].at, (size_t)a->pieces[p].len);
        a->place = (journal_place){s->head.number, (uint64_t)at};
        at += RECORD_HEAD_BYTES + (int64_t)a->bytes;
    }
    int records = c->vector_count;
    int64_t prepared = zeros_add(c, at, segment_bytes_max);
    err e = file_write(s->file, s->end, c->vectors, c->vector_count);
    if (e == E_NO_SPACE && c->vector_count > records) {       // no room for what comes later; perhaps for this
        file_truncate(s->file, at);
        prepared = at;
        e = file_write(s->file, s->end, c->vectors, records);
    }
    // A full disk is no reason to seal: the next commit writes over what this one may have left, and whoever reads it
    // after a crash finds records that nobody was promised.
    if (e == E_NO_SPACE)
        return e;
    if (!e) {
        e = file_sync(s->file);
        c->sync_failed = e != E_OK;
    }
    if (e) {
        s->sealed = true;
        return e;
    }
    s->end = at;
    s->prepared = prepared;
    return E_OK;
}

static void commit_run(void *arg)
{
    journal *j = arg;
    commit *c = &j->commit;
    if (!commit_fits(j)) {
        c->error = segment_create(j, c->into, c->records[0]->sequence, &c->created);
        if (c->error)
            return;
        c->into = c->created;
    }
    c->error = commit_write(c, j->options.segment_bytes_max);
}

// ---- dropping segments -----------------------------------------------------------------------------------------------------

typedef struct { journal *journal; segment *segment; err error; } removal;

static void removal_run(void *arg)
{
    removal *r = arg;
    r->error = segment_retire(r->journal, r->segment);
    if (!r->error)
        segment_free(r->segment);
}

// Deletes from the oldest on; the deletion of one is durable before the next begins, because a younger segment may hold
// the record that ends a record of an older one.
static void journal_clean(journal *j)
{
    if (j->cleaning || !j->clean_wanted)
        return;
    j->cleaning = true;
    j->clean_wanted = false;
    for (list_link *l; (l = list_first(&j->segments)) != list_last(&j->segments);) {
        segment *s = LIST_OF(l, segment, link);
        if (s->holds || s->pins) {
            j->clean_wanted = !s->holds;
            break;
        }
        list_remove(l);
        removal r = {j, s, E_OK};
        work(removal_run, &r);
        if (r.error) {                        // it stays the oldest; a later commit tries again
            list_prepend(&j->segments, l);
            j->clean_wanted = true;
            break;
        }
        j->figures.segments--;
    }
    j->cleaning = false;
}

// ---- appending: on the fibers --------------------------------------------------------------------------------------------

static bool commit_take(journal *j)
{
    commit *c = &j->commit;
    list_link *first = list_first(&j->waiting);
    if (!first || c->count == COMMIT_RECORDS_MAX)
        return false;
    append *a = LIST_OF(first, append, link);
    int64_t bytes = RECORD_HEAD_BYTES + (int64_t)a->bytes;
    if (c->count && (c->bytes + bytes > COMMIT_BYTES_MAX || c->vector_count + a->count + 1 > COMMIT_VECTORS_MAX))
        return false;
    list_remove(first);
    a->sequence = j->next_sequence++;
    c->records[c->count++] = a;
    c->bytes += bytes;
    c->vector_count += a->count + 1;
    return true;
}

static void commit_count(journal *j)
{
    const commit *c = &j->commit;
    j->figures.syncs++;
    j->figures.failed_syncs += c->sync_failed;
    if (!c->error) {
        j->figures.records += c->count;
        j->figures.bytes += c->bytes;
    }
}

static void segment_free_run(void *arg) { segment_free(arg); }

static void segment_join(journal *j, segment *created)
{
    segment *last = newest(j);
    bool replaces = last && last->head.number == created->head.number;
    if (replaces) {                           // who holds segments by number need not notice
        must(segment_is_waste(last) && !last->pins);
        created->holds = last->holds;
        list_remove(&last->link);
    }
    list_append(&j->segments, &created->link);
    if (replaces)
        work(segment_free_run, last);
    else
        j->figures.segments++;
}

// Takes what waits (the leader's own record first), writes and syncs it, and wakes everybody whose record it was.
static void commit_all(journal *j)
{
    commit *c = &j->commit;
    c->into = newest(j);
    c->created = NULL;
    c->count = c->vector_count = 0;
    c->bytes = 0;
    c->error = E_OK;
    c->sync_failed = false;
    while (commit_take(j))
        ;
    if (j->figures.segments >= JOURNAL_SEGMENTS_MAX && !commit_fits(j))
        c->error = E_LIMIT;
    else
        work(commit_run, j);
    if (c->created)
        segment_join(j, c->created);
    commit_count(j);
    for (int i = 0; i < c->count; i++) {
        append *a = c->records[i];
        a->error = c->error;
        a->done = true;
        if (!c->error)
            a->segment = c->into, c->into->pins++;
        if (a->fiber != fiber_self())
            fiber_wake(a->fiber);
    }
}

// The first who still waits commits next. It is woken last, so that those who were served can come again with the same sync.
static void commit_pass_on(journal *j)
{
    list_link *first = list_first(&j->waiting);
    j->committing = first != NULL;
    if (!first)
        return;
    append *next = LIST_OF(first, append, link);
    next->leads = true;
    fiber_wake(next->fiber);
}

static void commit_lead(journal *j)
{
    fiber_yield();                            // others that are ready to append join
    if (j->options.commit_wait_ns && list_first(&j->waiting) == list_last(&j->waiting))
        fiber_sleep(j->options.commit_wait_ns);       // cut short when canceled: then the commit is only earlier
    commit_all(j);
    commit_pass_on(j);
    journal_clean(j);                         // on this fiber, so that journal_release never parks
}

static err append_measure(append *a, int64_t bytes_max)
{
    must(a->count >= 0 && a->count <= JOURNAL_PIECES_MAX);
    int64_t left = bytes_max;
    for (int i = 0; i < a->count; i++) {
        if (a->pieces[i].len > left)
            return E_TOO_LONG;
        left -= a->pieces[i].len;
    }
    a->bytes = (uint32_t)(bytes_max - left);
    return E_OK;
}

static void journal_enter(journal *j)
{
    must(!j->closing);
    j->calls++;
}

static void journal_leave(journal *j)
{
    if (--j->calls == 0)
        gate_wake_all(&j->closer);
}

err journal_append(journal *j, const str *pieces, int count, journal_place *place)
{
    append a = {.pieces = pieces, .count = count, .fiber = fiber_self()};
    err e = append_measure(&a, j->options.record_bytes_max);
    if (e)
        return e;
    journal_enter(j);
    list_append(&j->waiting, &a.link);
    if (!j->committing)
        j->committing = a.leads = true;
    while (!a.done && !a.leads)
        fiber_park_uncanceled("journal commit");
    if (!a.done)
        commit_lead(j);
    must(a.done);
    if (!a.error)
        *place = a.place;
    if (a.segment)
        a.segment->pins--;                    // nothing parks from here on until the caller has had the chance to hold it
    journal_leave(j);
    return a.error;
}

void journal_hold(journal *j, uint32_t number)
{
    segment *s = segment_find(j, number);
    must(s != NULL);
    s->holds++;
}

void journal_release(journal *j, uint32_t number)
{
    segment *s = segment_find(j, number);
    must(s != NULL && s->holds > 0);
    if (--s->holds == 0)
        j->clean_wanted = true;
}

uint32_t journal_newest(journal *j)
{
    segment *s = newest(j);
    return s ? s->head.number : 0;
}

uint32_t journal_oldest(journal *j)
{
    list_link *first = list_first(&j->segments);
    return first ? LIST_OF(first, segment, link)->head.number : 1;
}

journal_figures journal_figures_now(const journal *j) { return j->figures; }

// ---- reading ---------------------------------------------------------------------------------------------------------------

typedef struct {
    segment *segment;
    uint64_t offset;
    arena   *arena;
    str      record;
    err      error;
} reading;

static err record_fetch(reading *r)
{
    unsigned char head[RECORD_HEAD_BYTES];
    size_t got;
    uint32_t length;
    if (r->offset > SEGMENT_BYTES_CEILING)
        return E_CORRUPT;
    err e = file_read(r->segment->file, (int64_t)r->offset, head, sizeof head, &got);
    if (e)
        return e;
    if (!record_length(str_of(head, got), r->segment->head.mark, &length) || length > RECORD_BYTES_CEILING)
        return E_CORRUPT;
    size_t whole = RECORD_HEAD_BYTES + (size_t)length;
    unsigned char *at = arena_array(r->arena, unsigned char, whole);
    if (!at)
        return E_LIMIT;
    e = file_read(r->segment->file, (int64_t)r->offset, at, whole, &got);
    if (e)
        return e;
    segment_record record;
    if (!record_read(str_of(at, got), r->segment->head.mark, 0, &record))
        return E_CORRUPT;
    r->record = record.bytes;
    return E_OK;
}

static void reading_run(void *arg)
{
    reading *r = arg;
    r->error = record_fetch(r);
}

err journal_read(journal *j, journal_place place, arena *a, str *out)
{
    segment *s = segment_find(j, place.segment);
    if (!s)
        return E_NO_ENTRY;
    reading r = {.segment = s, .offset = place.offset, .arena = a};
    journal_enter(j);
    s->pins++;
    work(reading_run, &r);
    *out = r.record;
    s->pins--;
    journal_leave(j);
    return r.error;
}

// ---- the end -----------------------------------------------------------------------------------------------------------------

void journal_free(void *arg)
{
    journal *j = arg;
    for (list_link *l; (l = list_take(&j->segments));)
        segment_free(LIST_OF(l, segment, link));
    if (j->lock)
        file_close(j->lock);
    memory_free(j->directory);
    memory_free(j);
}

void journal_close(journal *j)
{
    if (!j)
        return;
    j->closing = true;
    while (j->calls)
        gate_wait_uncanceled(&j->closer, "journal close");
    journal_clean(j);
    work(journal_free, j);
}
