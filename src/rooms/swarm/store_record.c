// From "had" to "complete": files are synced, then the journal says so, and is synced itself. docs/torrent-store.md tells the order and
// what each crash in between leaves.
#include <string.h>

#include "base/heap_memory.h"
#include "rooms/swarm/store_inside.h"
#include "rt/worker.h"

enum { RENAMES_MAX = 64, JOURNAL_MEMORY_BYTES = 256 << 20, BATCH_MEMORY_BYTES = 64 << 20 };

static void bits_copy(bitfield *to, const bitfield *from)
{
    must(to->count == from->count);
    memcpy(to->bytes, from->bytes, (size_t)bitfield_bytes(from->count));
    to->set = from->set;
}

// ---- the journal's file ---------------------------------------------------------------------------------------------------------------

typedef struct {
    store   *store;
    store_layout_data *layout;
    bitfield complete, unchecked, touched;       // touched: looked at anew; count 0: none
    bool     writing;
    buf      text;
    int64_t  at;                                 // to append; -1: replaces the file
    err      error;
    int      bad_file;                           // could not be synced; file_count: none
} recording;

static err state_refresh(const recording *r, int number, store_file_state *out)
{
    struct file *f;
    bool created;
    file_stat st;
    err e = store_file_open(r->store, r->layout, number, false, &f, &created);
    *out = (store_file_state){-1, 0, out->in_parts};
    if (e)
        return e == E_NO_ENTRY ? E_OK : e;
    e = file_sync_whole(f);                      // with its time, that is to be compared
    if (!e)
        e = file_look(f, &st);
    if (!e)
        *out = (store_file_state){st.size_bytes, st.modified_ns, out->in_parts};
    file_close(f);
    return e;
}

// What the journal that is there says of the files, where nobody looks anew.
static void states_inherit(recording *r, const char *path, arena *a, store_journal *j)
{
    store_journal old;
    str text;
    bool there = file_read_all(r->store->pool->world, path, a, STORE_JOURNAL_BYTES_MAX, &text) == E_OK &&
                 store_journal_read(text, j->hash, j->pieces.count, j->file_count, a, &old);
    for (int i = 0; i < j->file_count; i++) {
        j->files[i] = there ? old.files[i] : (store_file_state){-1, 0, false};
        j->files[i].in_parts = file_in_parts(r->store, i);
    }
}

static err journal_compose(recording *r, const char *path)
{
    store *s = r->store;
    int64_t now = world_wall_ns(s->pool->world);
    arena a = arena_make(JOURNAL_MEMORY_BYTES);
    store_journal j = {.pieces = r->complete, .unchecked = r->unchecked, .file_count = s->file_count, .writing = r->writing, .writing_since_ns = now, .last_ns = now};
    memcpy(j.hash, s->hash, sizeof j.hash);
    j.files = arena_array(&a, store_file_state, s->file_count ? s->file_count : 1);
    err e = j.files ? E_OK : E_LIMIT;
    if (!e)
        states_inherit(r, path, &a, &j);
    for (int i = 0; !e && r->touched.count && i < s->file_count; i++) {
        if (!bitfield_has(&r->touched, i) || r->layout->m.files[i].pad || j.files[i].in_parts)
            continue;
        e = state_refresh(r, i, &j.files[i]);
        r->bad_file = e ? i : r->bad_file;
    }
    if (!e && !store_journal_write(&r->text, &j))
        e = E_LIMIT;
    arena_free(&a);
    return e;
}

static err journal_append_run(recording *r, const char *path)
{
    file *f;
    int64_t size;
    err e = file_open(r->store->pool->world, path, FILE_READ | FILE_WRITE, 0, &f);
    if (e)
        return e;
    e = file_size(f, &size);
    if (!e && size != r->at)                     // somebody else was there
        e = E_CORRUPT;
    if (!e)
        e = file_write(f, r->at, &(struct iovec){r->text.at, r->text.len}, 1);
    if (!e)
        e = file_sync(f);
    file_close(f);
    return e;
}

static void record_run(void *arg)
{
    recording *r = arg;
    char path[STORE_PATH_BYTES];
    store_state_path(r->store->state_directory, r->store->hash, ".have", path);
    if (r->at >= 0 && (r->error = journal_append_run(r, path)) != E_OK)
        return;
    if (r->at >= 0)
        return;
    r->error = journal_compose(r, path);
    if (!r->error)
        r->error = file_replace(r->store->pool->world, path, buf_str(&r->text), STORE_STATE_MODE);
}

// One record, or the whole file anew. Afterwards the store knows where the next record goes, or that there is no such place.
static err journal_put(recording *r)
{
    store *s = r->store;
    r->bad_file = s->file_count;
    work(record_run, r);
    if (r->error) {
        s->journal_whole = true;
        if (r->bad_file < s->file_count)
            store_set_trouble(s, r->error, "cannot sync", r->bad_file);
        else
            store_set_trouble(s, r->error, "cannot record what is there", s->file_count + 1);
    } else if (r->at < 0) {
        s->journal_end = s->journal_snapshot_end = (int64_t)r->text.len;
        s->journal_whole = false;
        s->journal_there = true;
    } else {
        s->journal_end = r->at + (int64_t)r->text.len;
    }
    buf_free(&r->text);
    return r->error;
}

// `pieces` are about to be complete.
static err journal_write(store *s, store_layout_data *l, const bitfield *pieces, const bitfield *touched, bool writing, bool whole)
{
    arena a = arena_make(BATCH_MEMORY_BYTES);
    recording r = {.store = s, .layout = l, .writing = writing, .text = buf_make(STORE_JOURNAL_BYTES_MAX), .at = -1};
    bool memory = bitfield_make(&a, s->piece_count, &r.complete) && bitfield_make(&a, s->piece_count, &r.unchecked) && (!touched || bitfield_make(&a, touched->count, &r.touched));
    must(memory);
    bits_copy(&r.complete, pieces);
    for (int32_t i = 0; s->unchecked && i < s->piece_count; i++)
        if (bit_get(s->unchecked, i))
            bitfield_add(&r.unchecked, i);
    if (touched)
        bits_copy(&r.touched, touched);
    if (!whole && !s->journal_whole && s->journal_end - s->journal_snapshot_end < STORE_JOURNAL_GROWTH_MAX) {
        int64_t now = world_wall_ns(s->pool->world);
        r.at = s->journal_end;
        if (pieces->set == s->complete.set)
            store_journal_begin(&r.text, s->hash, r.at, now);
        else
            store_journal_pieces(&r.text, s->hash, r.at, now, pieces, &s->complete);
    }
    err e = journal_put(&r);
    arena_free(&a);
    return e;
}

// ---- a session: the first write, the last word ---------------------------------------------------------------------------------------------

typedef struct { store *store; store_layout_data *layout; int from; err error; int bad_file; } preparing;

static err file_prepare(const preparing *p, int i)
{
    struct file *f;
    bool created;
    const metainfo_file *entry = &p->layout->m.files[i];
    err e = store_file_open(p->store, p->layout, i, true, &f, &created);
    if (e)
        return e;
    if (p->store->allocate_full && entry->length > 0) {
        e = file_reserve(f, 0, entry->length);
        e = e == E_UNSUPPORTED ? E_OK : e;
    }
    file_close(f);
    return e;
}

// Empty files, that no piece will ever bring, and where it is asked for the space of all.
static void prepare_run(void *arg)
{
    preparing *p = arg;
    const metainfo *m = &p->layout->m;
    file_stat st;
    char name[STORE_PATH_BYTES];
    for (int i = 0; i < m->file_count && !p->error; i++) {
        if (m->files[i].pad || !file_wanted(p->store, i) || (m->files[i].length > 0 && !p->store->allocate_full))
            continue;
        store_file_name(p->layout, i, false, name);
        if (m->files[i].length == 0 && folder_stat(p->layout->folder, name, &st) == E_OK)
            continue;
        p->error = file_prepare(p, i);
        p->bad_file = i;
    }
}

static store_session *session_new(const store *s)
{
    store_session *x = memory_zeroed(1, sizeof *x);
    x->memory = arena_make(BATCH_MEMORY_BYTES);
    bool memory = bitfield_make(&x->memory, s->file_count + 1, &x->dirty) && bitfield_make(&x->memory, s->file_count + 1, &x->touched) &&
                  bitfield_make(&x->memory, s->file_count + 1, &x->created);
    must(memory);                                // METAINFO_FILES_MAX bits
    for (int i = 0; s->unsettled && i < s->file_count; i++)
        if (bit_get(s->unsettled, i))
            bitfield_add(&x->touched, i);
    return x;
}

void store_session_drop(store *s)
{
    if (!s->session)
        return;
    arena_free(&s->session->memory);
    memory_free(s->session);
    s->session = NULL;
    s->dirty_since_ns = s->dirty_bytes = 0;
}

static err session_prepare(store *s, store_layout_data *l)
{
    preparing p = {.store = s, .layout = l};
    if (!l->folder) {
        store_set_trouble(s, E_NO_ENTRY, "cannot write to", s->file_count + 2);
        return E_NO_ENTRY;
    }
    err e = journal_write(s, l, &s->complete, NULL, true, false);
    if (e)
        return e;
    work(prepare_run, &p);
    if (p.error)
        store_set_trouble(s, p.error, s->allocate_full ? "cannot reserve space for" : "cannot make", p.bad_file);
    return p.error;
}

err store_session_begin(store *s, store_layout_data *l)
{
    while (s->beginning)
        gate_wait_uncanceled(&s->begin_gate, "first write");
    if (s->session)
        return E_OK;
    s->beginning = true;
    err e = session_prepare(s, l);
    if (!e)
        s->session = session_new(s);
    s->written_ns = world_now_ns(s->pool->world);
    s->beginning = false;
    gate_wake_all(&s->begin_gate);
    store_activate(s);
    return e;
}

// ---- recording ------------------------------------------------------------------------------------------------------------------------------

typedef struct { store_layout_data *layout; int files[RENAMES_MAX]; int count; } renaming;

static void rename_run(void *arg)
{
    renaming *x = arg;
    char from[STORE_PATH_BYTES], to[STORE_PATH_BYTES];
    for (int i = 0; i < x->count; i++) {
        store_file_name(x->layout, x->files[i], true, from);
        store_file_name(x->layout, x->files[i], false, to);
        (void)folder_rename(x->layout->folder, from, x->layout->folder, to, false);      // both names are understood
    }
}

static bool file_whole(const store *s, const metainfo *m, int number)
{
    const metainfo_file *f = &m->files[number];
    int32_t first = (int32_t)(f->offset / m->piece_bytes), last = (int32_t)((f->offset + f->length - 1) / m->piece_bytes);
    int32_t missing = bitfield_next(&s->complete, first, false);
    return missing < 0 || missing > last;
}

// Files that have become whole by these pieces lose their ".part".
static void files_finish(store *s, store_layout_data *l, const bitfield *pieces, const bitfield *before)
{
    renaming x = {.layout = l};
    int done = 0;
    if (!l->suffix)
        return;
    for (int32_t i = 0; i < pieces->count; i++) {
        int first, last;
        if (!bitfield_has(pieces, i) || bitfield_has(before, i))
            continue;
        store_piece_files(s, &l->m, i, &first, &last);
        for (int f = first > done ? first : done; f < last; f++) {
            if (l->m.files[f].length == 0 || l->m.files[f].pad || file_in_parts(s, f) || !file_whole(s, &l->m, f))
                continue;
            done = f + 1;
            x.files[x.count++] = f;
            if (x.count == RENAMES_MAX) {
                work(rename_run, &x);
                x.count = 0;
            }
        }
    }
    if (x.count)
        work(rename_run, &x);
}

typedef struct { bitfield dirty, created, failed, pieces, before; } batch;

static void batch_take(store *s, arena *a, batch *b)
{
    store_session *x = s->session;
    int files = s->file_count + 1;
    bool memory = bitfield_make(a, files, &b->dirty) && bitfield_make(a, files, &b->created) && bitfield_make(a, files, &b->failed) &&
                  bitfield_make(a, s->piece_count, &b->pieces) && bitfield_make(a, s->piece_count, &b->before);
    must(memory);
    bits_copy(&b->dirty, &x->dirty);
    bits_copy(&b->created, &x->created);
    bits_copy(&b->pieces, &s->have);
    bits_copy(&b->before, &s->complete);
    memset(x->dirty.bytes, 0, (size_t)bitfield_bytes(files));
    memset(x->created.bytes, 0, (size_t)bitfield_bytes(files));
    x->dirty.set = x->created.set = 0;
    s->dirty_since_ns = s->dirty_bytes = 0;
}

// A sync that failed: what was written to these files since the last good one may be nowhere.
static void batch_failed(store *s, store_layout_data *l, batch *b, err e)
{
    for (int bit = bitfield_next(&b->failed, 0, true); bit >= 0;
         bit = bit + 1 < b->failed.count ? bitfield_next(&b->failed, bit + 1, true) : -1) {
        int number = bit == s->file_count ? STORE_PARTS : bit;
        s->sync_failures++;
        store_set_trouble(s, e, "cannot sync", number);
        if (bitfield_has(&b->created, bit))
            bitfield_add(&s->session->created, bit);
        store_lose_file(s, &l->m, number, true, false);
    }
}

static void batch_recorded(store *s, store_layout_data *l, batch *b)
{
    for (int32_t i = 0; i < b->pieces.count; i++)
        if (bitfield_has(&b->pieces, i) && bitfield_has(&s->have, i) && !bitfield_has(&s->complete, i)) {
            bitfield_add(&s->complete, i);
            s->pool->figures.recorded++;
        }
    files_finish(s, l, &b->pieces, &b->before);
    if (s->events.recorded)
        s->events.recorded(s->events.arg);
}

static err flush_batch(store *s, store_layout_data *l)
{
    arena a = arena_make(BATCH_MEMORY_BYTES);
    batch b;
    batch_take(s, &a, &b);
    err e = store_sync_files(s, l, &b.dirty, &b.created, &b.failed);
    if (e)
        batch_failed(s, l, &b, e);
    for (int32_t i = 0; i < b.pieces.count; i++)
        if (bitfield_has(&b.pieces, i) && !bitfield_has(&s->have, i))
            bitfield_remove(&b.pieces, i);       // lost meanwhile
    // The journal only ever grows by appending; a piece that is complete no more needs the file anew.
    for (int32_t i = 0; i < b.pieces.count && !s->journal_whole; i++)
        s->journal_whole = bitfield_has(&b.before, i) && !bitfield_has(&b.pieces, i);
    if (b.pieces.set != s->complete.set || s->journal_whole) {
        err recorded = journal_write(s, l, &b.pieces, NULL, true, false);
        e = e ? e : recorded;
        if (!recorded)
            batch_recorded(s, l, &b);
    }
    arena_free(&a);
    return e;
}

err store_flush_entered(store *s)
{
    store_layout_data *l;
    while (s->flushing)
        gate_wait_uncanceled(&s->flush_gate, "recording");
    if (!s->session || s->payload || (s->have.set == s->complete.set && s->session->dirty.set == 0 && !s->journal_whole))
        return s->trouble_error;
    s->flushing = true;
    err e = store_layout_hold(s, &l);
    if (e) {
        store_set_trouble(s, e, "cannot read the torrent file of", s->file_count + 2);
    } else {
        e = flush_batch(s, l);
        store_layout_drop(s);
    }
    s->flushing = false;
    gate_wake_all(&s->flush_gate);
    return e;
}

err store_settle_entered(store *s)
{
    store_layout_data *l;
    if (!s->session)
        return E_OK;
    err e = store_flush_entered(s);
    if (e || (e = store_layout_hold(s, &l)))
        return e;
    e = journal_write(s, l, &s->complete, &s->session->touched, false, true);
    store_layout_drop(s);
    if (e)
        return e;
    memory_free(s->unsettled);
    s->unsettled = NULL;
    store_session_drop(s);
    return E_OK;
}

err store_states_record(store *s, store_layout_data *l)
{
    err e = store_flush_entered(s);
    return e || !s->session ? e : journal_write(s, l, &s->complete, &s->session->touched, true, true);
}

int64_t store_due_ns(const store *s)
{
    if (!s->session || s->trouble)
        return INT64_MAX;
    if (s->dirty_bytes >= s->pool->limits.sync_bytes)
        return 0;
    return s->dirty_since_ns ? s->dirty_since_ns + s->pool->limits.sync_ns : s->written_ns + s->pool->limits.settle_ns;
}
