// Opening: what the journal says, a quick look at the files, and what both make certain. Closing: everything recorded.
#include <stdio.h>
#include <string.h>

#include "base/heap_memory.h"
#include "keep/directory.h"
#include "rooms/swarm/store_inside.h"
#include "rt/worker.h"

enum { OPEN_MEMORY_BYTES = 256 << 20, NOTICES_MAX = 3 };

typedef struct {
    store   *s;
    arena    memory;                             // of the opening
    store_layout_data *layout;
    store_journal journal;
    bool     journal_read, journal_torn;
    int64_t *needed;                             // of each file: bytes up to the end of its complete pieces; -1: none
    err      error;
    const char *what;                            // failed
    char     where[STORE_PATH_BYTES];
    int      missing_file;                       // -1: none
    int      changed_files;
    int32_t  changed_pieces;
    arena   *room;                               // for notices
    str      notices;
} opening;

static err refuse(opening *o, err e, const char *what, const char *where)
{
    o->what = what;
    snprintf(o->where, sizeof o->where, "%s", where);
    return e;
}

// ---- what the journal promises ------------------------------------------------------------------------------------------------------------

static err journal_read(opening *o)
{
    char path[STORE_PATH_BYTES];
    str text;
    store *s = o->s;
    store_state_path(s->state_directory, s->hash, ".have", path);
    err e = file_read_all(s->pool->world, path, &o->memory, STORE_JOURNAL_BYTES_MAX, &text);
    if (e == E_NO_ENTRY)
        return E_OK;
    if (e && e != E_TOO_LONG)
        return refuse(o, e, "cannot read", path);
    o->journal_read = !e && store_journal_read(text, s->hash, s->piece_count, s->file_count, &o->memory, &o->journal);
    o->journal_torn = o->journal_read && o->journal.end != text.len;
    if (!o->journal_read)
        o->notices = str_format(o->room, "what was known of the pieces is damaged (%s): all that is there is checked again. ", path);
    return E_OK;
}

static bool needed_find(opening *o)
{
    const metainfo *m = &o->layout->m;
    store *s = o->s;
    o->needed = arena_array(&o->memory, int64_t, m->file_count);
    for (int i = 0; o->needed && i < m->file_count; i++)
        o->needed[i] = -1;
    for (int32_t p = 0; o->needed && p < s->piece_count; p++) {
        int first, last;
        if (!bitfield_has(&s->complete, p))
            continue;
        int64_t end = s->piece_bytes * p + store_piece_length(s, p);
        store_piece_files(s, m, p, &first, &last);
        for (int i = first; i < last; i++) {
            int64_t inside = end - m->files[i].offset;
            o->needed[i] = inside < m->files[i].length ? inside : m->files[i].length;
        }
    }
    return o->needed;
}

// ---- a quick look --------------------------------------------------------------------------------------------------------------------------

static err file_seen(const opening *o, int number, file_stat *st)
{
    char name[STORE_PATH_BYTES];
    if (!o->layout->folder)
        return E_NO_ENTRY;
    store_file_name(o->layout, number, false, name);
    err e = folder_stat(o->layout->folder, name, st);
    if (e != E_NO_ENTRY)
        return e;
    store_file_name(o->layout, number, true, name);
    return folder_stat(o->layout->folder, name, st);
}

static void unsettled_add(store *s, int file_number)
{
    if (!s->unsettled)
        s->unsettled = memory_zeroed((size_t)s->file_count / 8 + 1, 1);
    bit_set(s->unsettled, file_number);
}

// Is the file what the journal's writer left, as far as size and time can tell?
static bool file_unchanged(const opening *o, int number, const file_stat *st)
{
    const store_journal *j = &o->journal;
    const store_file_state *was = &j->files[number];
    const int64_t window = seconds(STORE_WINDOW_S);
    if (st->is_dir || st->size_bytes < o->needed[number])
        return false;
    if (st->size_bytes == was->size_bytes && st->modified_ns == was->modified_ns)
        return true;
    if (!j->writing || st->modified_ns < j->writing_since_ns - window || st->modified_ns > j->last_ns + window)
        return false;
    unsettled_add(o->s, number);                 // the next time it is settled it is looked at, too
    return true;
}

// Its pieces are to be hashed before they count.
static int32_t file_doubt(store *s, const metainfo *m, int number)
{
    const metainfo_file *f = &m->files[number];
    int32_t count = 0;
    for (int64_t p = f->offset / m->piece_bytes; f->length && p <= (f->offset + f->length - 1) / m->piece_bytes; p++) {
        if (bitfield_has(&s->complete, (int32_t)p))
            bitfield_remove(&s->complete, (int32_t)p);
        store_set_unchecked(s, (int32_t)p, true);
        count++;
    }
    return count;
}

static void change_note(opening *o, int number, int32_t pieces)
{
    str path = o->layout->m.files[number].path;
    o->changed_pieces += pieces;
    if (o->changed_files++ < NOTICES_MAX)
        o->notices = str_format(o->room, STR_FMT STR_FMT " has changed since it was written: %d pieces are checked again. ",
                                STR_ARG(o->notices), STR_ARG(path), pieces);
}

static err file_judge(opening *o, int number)
{
    const metainfo *m = &o->layout->m;
    file_stat st;
    char name[STORE_PATH_BYTES];
    bool promised = o->needed[number] >= 0;
    if (m->files[number].pad || !m->files[number].length || file_in_parts(o->s, number))
        return E_OK;
    if (!promised && o->journal_read)
        return E_OK;
    err e = file_seen(o, number, &st);
    store_file_name(o->layout, number, false, name);
    if (e && e != E_NO_ENTRY)
        return refuse(o, e, "cannot look at", name);
    if (e && promised && o->missing_file < 0)
        o->missing_file = number;
    if (e)
        return E_OK;
    if (promised && !file_unchanged(o, number, &st))
        change_note(o, number, file_doubt(o->s, m, number));
    else if (!promised && st.size_bytes > 0)
        (void)file_doubt(o->s, m, number);
    return E_OK;
}

// The part file is ours: it is there, or what stood in it is lost.
static void parts_judge(opening *o)
{
    store *s = o->s;
    char path[STORE_PATH_BYTES];
    file_stat st;
    store_state_path(s->state_directory, s->hash, ".parts", path);
    if (!s->in_parts || path_stat(s->pool->world, path, &st) == E_OK)
        return;
    for (int i = 0; i < s->file_count; i++)
        if (file_in_parts(s, i) && o->needed[i] >= 0)
            (void)file_doubt(s, &o->layout->m, i);
}

static void placement_take(opening *o)
{
    store *s = o->s;
    const metainfo *m = &o->layout->m;
    file_stat st;
    for (int i = 0; i < s->file_count; i++) {
        bool parts = o->journal_read ? o->journal.files[i].in_parts : !file_wanted(s, i) && !m->files[i].pad && file_seen(o, i, &st) == E_NO_ENTRY;
        if (!parts)
            continue;
        if (!s->in_parts)
            s->in_parts = memory_zeroed((size_t)s->file_count / 8 + 1, 1);
        bit_set(s->in_parts, i);
    }
}

// ---- all in one work -----------------------------------------------------------------------------------------------------------------------

static void shape_take(opening *o)
{
    store *s = o->s;
    const metainfo *m = &o->layout->m;
    s->length = m->length;
    s->piece_bytes = m->piece_bytes;
    s->piece_count = m->piece_count;
    s->file_count = m->file_count;
    bool memory = bitfield_make(&s->memory, m->piece_count, &s->have) && bitfield_make(&s->memory, m->piece_count, &s->complete);
    must(memory);
}

static err directory_open(opening *o)
{
    store *s = o->s;
    if (o->layout->folder || (o->journal_read && o->journal.pieces.set))
        return E_OK;                             // pieces were there: its disk is not mounted, perhaps
    err e = directory_make(s->pool->world, s->directory, STORE_DIRECTORY_MODE);
    if (!e)
        e = folder_open(s->pool->world, s->directory, &o->layout->folder);
    return e ? refuse(o, e, "cannot make the directory", s->directory) : E_OK;
}

static err files_judge(opening *o)
{
    store *s = o->s;
    if (!needed_find(o))
        return refuse(o, E_LIMIT, "no memory is left for the files of", s->directory);
    for (int i = 0; i < s->file_count; i++) {
        err e = file_judge(o, i);
        if (e)
            return e;
    }
    parts_judge(o);
    return E_OK;
}

static err open_all(opening *o)
{
    store *s = o->s;
    char path[STORE_PATH_BYTES];
    store_state_path(s->state_directory, s->hash, ".torrent", path);
    err e = store_layout_read(s->pool->world, s->state_directory, s->directory, s->hash, &o->layout);
    if (e)
        return refuse(o, e, "cannot read the torrent file, or open its directory:", path);
    if (s->pool->limits.part_suffix_off)
        o->layout->suffix = false;
    shape_take(o);
    if ((e = journal_read(o)) || (e = directory_open(o)))
        return e;
    if (o->journal_read) {
        memcpy(s->complete.bytes, o->journal.pieces.bytes, (size_t)bitfield_bytes(s->piece_count));
        s->complete.set = o->journal.pieces.set;
        for (int32_t i = bitfield_next(&o->journal.unchecked, 0, true); i >= 0; i = bitfield_next(&o->journal.unchecked, i + 1, true))
            store_set_unchecked(s, i, true);
    }
    placement_take(o);
    return files_judge(o);
}

static void open_run(void *arg)
{
    opening *o = arg;
    o->error = open_all(o);
    if (o->layout)
        store_layout_free(o->layout);
}

// What is complete is had; what the journal cannot say any more it says no more.
static void open_settle(opening *o)
{
    store *s = o->s;
    memcpy(s->have.bytes, s->complete.bytes, (size_t)bitfield_bytes(s->piece_count));
    s->have.set = s->complete.set;
    s->journal_there = o->journal_read;
    s->journal_end = o->journal.end;
    s->journal_snapshot_end = o->journal.snapshot_end;
    s->journal_whole = !o->journal_read || o->journal_torn || o->journal.pieces.set != s->complete.set;
    if (o->changed_files > NOTICES_MAX)
        o->notices = str_format(o->room, STR_FMT "%d more files have changed. ", STR_ARG(o->notices), o->changed_files - NOTICES_MAX);
    if (o->notices.len)
        s->notice = text_copy(str_trim(o->notices));
}

static void missing_tell(store *s, const char *name)
{
    arena a = arena_make(4 * STORE_PATH_BYTES);
    str text = str_format(&a, "%s is missing in %s; is its disk mounted? Put it back and resume, or verify to fetch it again", name, s->directory);
    s->trouble = text_copy(text);
    s->trouble_error = E_NO_ENTRY;
    arena_free(&a);
}

static store *store_new(store_pool *p, store_events events)
{
    store *s = memory_zeroed(1, sizeof *s);
    s->pool = p;
    s->number = ++p->numbers;
    s->events = events;
    s->memory = arena_make(16 << 20);
    s->last_chunk = -2;
    list_init(&s->handles);
    return s;
}

static void store_free(store *s)
{
    arena_free(&s->memory);
    void *const texts[] = {s->state_directory, s->directory, s->unsettled, s->unchecked, s->wanted, s->in_parts, s->wanted_pieces, s->notice, s->trouble};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        memory_free(texts[i]);
    memory_free(s);
}

static void wanted_take(store *s, const bool *wanted, int count)
{
    bool all = true;
    for (int i = 0; i < count && wanted; i++)
        all = all && wanted[i];
    if (!wanted || all)
        return;
    s->wanted = memory_zeroed((size_t)count / 8 + 1, 1);
    for (int i = 0; i < count; i++)
        if (wanted[i])
            bit_set(s->wanted, i);
}

err store_open(store_pool *p, const store_options *options, arena *a, store **out, str *why)
{
    store_layout_data *l;
    if (options->directory.len > STORE_DIRECTORY_BYTES_MAX || options->state_directory.len > STORE_DIRECTORY_BYTES_MAX) {
        *why = S("the directory has too long a name: choose one of at most 1,024 bytes");
        return E_TOO_LONG;
    }
    store *s = store_new(p, options->events);
    opening o = {.s = s, .memory = arena_make(OPEN_MEMORY_BYTES), .missing_file = -1, .room = a};
    memcpy(s->hash, options->hash, sizeof s->hash);
    s->state_directory = text_copy(options->state_directory);
    s->allocate_full = options->allocate_full;
    s->directory = text_copy(options->moving_from.len ? options->moving_from : options->directory);
    wanted_take(s, options->wanted, options->file_count);
    work(open_run, &o);
    if (!o.error && s->wanted && options->file_count != s->file_count)
        o.error = refuse(&o, E_PROTOCOL, "the choice of files is not one of this torrent:", s->directory);
    if (o.error) {
        *why = trouble_sentence(a, o.error, o.what, o.where);
        arena_free(&o.memory);
        store_free(s);
        return o.error;
    }
    open_settle(&o);
    list_append(&p->stores, &s->of_pool);
    if ((s->wanted || o.missing_file >= 0) && store_layout_hold(s, &l) == E_OK) {
        char name[STORE_PATH_BYTES];
        store_wanted_pieces_make(s, &l->m);
        if (o.missing_file >= 0 && !options->moving_from.len) {
            store_file_name(l, o.missing_file, false, name);
            missing_tell(s, name);
        }
        store_layout_drop(s);
    }
    arena_free(&o.memory);
    *out = s;
    if (!options->moving_from.len)
        return E_OK;
    str moving_why;
    s->moving = true;
    (void)store_move(s, options->directory, a, &moving_why);             // it is in trouble when that fails
    return E_OK;
}

err store_open_memory(store_pool *p, const metainfo *m, str payload, bool seed, store_events events, store **out)
{
    must(payload.len == m->length);
    store *s = store_new(p, events);
    s->payload = payload.at;
    s->payload_layout = *m;
    s->length = m->length;
    s->piece_bytes = m->piece_bytes;
    s->piece_count = m->piece_count;
    s->file_count = m->file_count;
    bool memory = bitfield_make(&s->memory, m->piece_count, &s->have) && bitfield_make(&s->memory, m->piece_count, &s->complete);
    must(memory);
    if (seed) {
        bitfield_fill(&s->have);
        bitfield_fill(&s->complete);
    }
    list_append(&p->stores, &s->of_pool);
    *out = s;
    return E_OK;
}

void store_close(store *s)
{
    if (!s)
        return;
    store_enter_alone(s);
    if (!s->payload) {
        (void)store_settle_entered(s);
        store_session_drop(s);
        store_handles_close(s, true);
        store_cache_forget(s, -1);
        must(s->layout_pins == 0);
        if (s->layout) {
            store_layout_unlist(s);
            s->pool->figures.layout_bytes -= s->layout->bytes;
            work(store_layout_free, s->layout);
        }
    }
    list_remove(&s->of_active);
    list_remove(&s->of_pool);
    store_free(s);
}
