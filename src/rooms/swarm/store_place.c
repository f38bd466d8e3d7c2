// Which files are wanted, where they stand, and their end.
#include <stdio.h>
#include <string.h>

#include "base/heap_memory.h"
#include "keep/directory.h"
#include "rooms/swarm/store_inside.h"
#include "rt/worker.h"

enum { COPY_STEP_BYTES = 1 << 20, COPY_WORK_STEPS = 16 };

// ---- selection ---------------------------------------------------------------------------------------------------------------------------

void store_wanted_pieces_make(store *s, const metainfo *m)
{
    memory_free(s->wanted_pieces);
    s->wanted_pieces = NULL;
    if (!s->wanted)
        return;
    s->wanted_pieces = memory_zeroed((size_t)s->piece_count / 8 + 1, 1);
    for (int i = 0; i < s->file_count; i++) {
        const metainfo_file *f = &m->files[i];
        if (f->pad || !f->length || !file_wanted(s, i))
            continue;
        for (int64_t p = f->offset / m->piece_bytes; p <= (f->offset + f->length - 1) / m->piece_bytes; p++)
            bit_set(s->wanted_pieces, (int)p);
    }
}

// One stretch of a file that stood in the part file, into the file itself.
static err stretch_move(store *s, store_layout_data *l, int number, int64_t at, int64_t length, unsigned char *room)
{
    store_io in = {.store = s, .layout = l, .at = at, .length = length, .into = room};
    store_io_run(&in);
    if (in.error)
        return in.error;
    str bytes = str_of(room, (size_t)length);
    store_io out = {.store = s, .layout = l, .write = true, .at = at, .length = length, .blocks = &bytes, .block_count = 1};
    bit_clear(s->in_parts, number);
    store_io_run(&out);
    bit_set(s->in_parts, number);
    return out.error;
}

static err file_from_parts(store *s, store_layout_data *l, int number)
{
    const metainfo_file *f = &l->m.files[number];
    unsigned char *room = memory_new(COPY_STEP_BYTES);
    err e = E_OK;
    for (int64_t at = f->offset, end = f->offset + f->length; !e && at < end; ) {
        int32_t piece = (int32_t)(at / s->piece_bytes);
        int64_t stop = s->piece_bytes * (piece + 1) < end ? s->piece_bytes * (piece + 1) : end;
        stop = stop - at < COPY_STEP_BYTES ? stop : at + COPY_STEP_BYTES;
        if (bitfield_has(&s->have, piece))
            e = stretch_move(s, l, number, at, stop - at, room);
        at = stop;
    }
    memory_free(room);
    return e;
}

typedef struct { store *store; store_layout_data *layout; const bool *wanted; unsigned char *absent; } looking;

static void absent_run(void *arg)
{
    looking *x = arg;
    for (int i = 0; i < x->store->file_count; i++) {
        file *f;
        bool created;
        if (x->wanted[i] || file_in_parts(x->store, i) || x->layout->m.files[i].pad)
            continue;
        if (store_file_open(x->store, x->layout, i, false, &f, &created) == E_OK)
            file_close(f);
        else
            bit_set(x->absent, i);
    }
}

static bool parts_any(const store *s)
{
    for (int i = 0; s->in_parts && i < s->file_count; i++)
        if (bit_get(s->in_parts, i))
            return true;
    return false;
}

// Data first, then the journal that says where it is: until then the part file is what counts.
static err select_alone(store *s, store_layout_data *l, const bool *wanted)
{
    size_t size = (size_t)s->file_count / 8 + 1;
    unsigned char *before = memory_zeroed(size, 1), *absent = memory_zeroed(size, 1);
    looking x = {s, l, wanted, absent};
    err e = store_session_begin(s, l);
    if (s->in_parts)
        memcpy(before, s->in_parts, size);
    for (int i = 0; !e && i < s->file_count; i++)
        if (wanted[i] && file_in_parts(s, i))
            e = file_from_parts(s, l, i);
    if (!e)
        e = store_flush_entered(s);
    if (!e) {
        work(absent_run, &x);
        if (!s->in_parts)
            s->in_parts = memory_zeroed(size, 1);
        for (int i = 0; i < s->file_count; i++) {
            if (wanted[i])
                bit_clear(s->in_parts, i);
            else if (bit_get(absent, i))
                bit_set(s->in_parts, i);
        }
        s->journal_whole = true;
        e = store_settle_entered(s);
        if (e)
            memcpy(s->in_parts, before, size);
    }
    if (!parts_any(s)) {
        memory_free(s->in_parts);
        s->in_parts = NULL;
    }
    memory_free(before);
    memory_free(absent);
    return e;
}

static void wanted_set(store *s, const metainfo *m, const bool *wanted)
{
    bool all = true;
    memory_free(s->wanted);
    s->wanted = memory_zeroed((size_t)s->file_count / 8 + 1, 1);
    for (int i = 0; i < s->file_count; i++) {
        all = all && wanted[i];
        if (wanted[i])
            bit_set(s->wanted, i);
    }
    if (all) {
        memory_free(s->wanted);
        s->wanted = NULL;
    }
    store_wanted_pieces_make(s, m);
}

err store_select(store *s, const bool *wanted, int file_count)
{
    store_layout_data *l;
    must(file_count == s->file_count);
    if (s->payload)
        return E_OK;
    store_enter_alone(s);
    err e = s->trouble_error ? s->trouble_error : store_layout_hold(s, &l);
    if (!e) {
        e = select_alone(s, l, wanted);
        if (e)
            store_set_trouble(s, e, "cannot change which files are wanted of", s->file_count + 2);
        else
            wanted_set(s, &l->m, wanted);
        store_layout_drop(s);
    }
    store_leave_alone(s);
    return e;
}

// ---- another place -------------------------------------------------------------------------------------------------------------------------

typedef struct {
    store   *store;
    store_layout_data *layout;
    const char *directory;
    folder  *to;
    bool     again;                              // a move that was begun before: what is there is ours
    int      file;
    bool     part;                               // its name with ".part"
    struct file *from_file, *to_file;            // copying
    int64_t  at;
    bool     more, copied, absent;
    char     made[STORE_PATH_BYTES];             // the directory made last
    err      error;
} moving;

static void name_of(const moving *x, char out[STORE_PATH_BYTES]) { store_file_name(x->layout, x->file, x->part, out); }

static void move_open_run(void *arg)
{
    moving *x = arg;
    world *w = x->store->pool->world;
    char name[STORE_PATH_BYTES];
    file_stat st;
    x->error = directory_make(w, x->directory, STORE_DIRECTORY_MODE);
    if (!x->error)
        x->error = folder_open(w, x->directory, &x->to);
    for (x->file = 0; !x->error && !x->again && x->file < x->store->file_count; x->file++) {
        if (x->layout->m.files[x->file].pad)
            continue;
        for (int part = 0; part < 2 && !x->error; part++) {
            x->part = part;
            name_of(x, name);
            err e = folder_stat(x->to, name, &st);
            x->error = e == E_NO_ENTRY ? E_OK : e ? e : E_EXISTS;
        }
    }
}

// The new directories are durable, from the top, before anything that has left its old one stands in them.
static err parent_make(moving *x, const char *name)
{
    char parent[STORE_PATH_BYTES];
    snprintf(parent, sizeof parent, "%s", name);
    char *slash = strrchr(parent, '/');
    if (!slash)
        return E_OK;
    *slash = 0;
    if (strcmp(parent, x->made) == 0)
        return E_OK;
    err e = folder_make(x->to, parent, STORE_DIRECTORY_MODE);
    if (!e)
        e = folder_sync(x->to, "");
    for (slash = strchr(parent, '/'); !e && slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        e = folder_sync(x->to, parent);
        *slash = '/';
    }
    if (!e)
        snprintf(x->made, sizeof x->made, "%s", parent);
    return e;
}

static void copy_end(moving *x, const char *name)
{
    if (!x->error)
        x->error = file_sync(x->to_file);
    file_close(x->from_file);
    file_close(x->to_file);
    x->from_file = x->to_file = NULL;
    if (!x->error)
        x->error = folder_remove(x->layout->folder, name);
    x->copied = true;
    x->more = false;
}

// Another disk: copied in steps, the original removed when the copy is synced.
static void copy_step(moving *x, const char *name)
{
    if (!x->from_file) {
        x->error = folder_file(x->layout->folder, name, FILE_READ, 0, &x->from_file);
        if (!x->error && (x->error = folder_file(x->to, name, FILE_READ | FILE_WRITE | FILE_CREATE | FILE_TRUNCATE, STORE_FILE_MODE, &x->to_file)))
            file_close(x->from_file);
        if (x->error)
            return;
    }
    unsigned char *room = memory_new(COPY_STEP_BYTES);
    x->more = true;
    for (int i = 0; i < COPY_WORK_STEPS && x->more && !x->error; i++) {
        size_t got = 0;
        x->error = file_read(x->from_file, x->at, room, COPY_STEP_BYTES, &got);
        if (!x->error && got)
            x->error = file_write(x->to_file, x->at, &(struct iovec){room, got}, 1);
        x->at += (int64_t)got;
        x->more = got == COPY_STEP_BYTES;
    }
    memory_free(room);
    if (x->error || !x->more)
        copy_end(x, name);
}

static void move_file_run(void *arg)
{
    moving *x = arg;
    char name[STORE_PATH_BYTES];
    file_stat st;
    name_of(x, name);
    if (x->from_file) {
        copy_step(x, name);
        return;
    }
    err there = x->layout->folder ? folder_stat(x->layout->folder, name, &st) : E_NO_ENTRY;
    x->absent = there == E_NO_ENTRY;
    if (there) {
        x->error = x->absent ? E_OK : there;
        return;
    }
    x->error = parent_make(x, name);
    if (!x->error)
        x->error = folder_rename(x->layout->folder, name, x->to, name, x->again);
    if (x->error == E_UNSUPPORTED) {
        x->error = E_OK;
        x->at = 0;
        copy_step(x, name);
    }
}

// Directories that have become empty, upward, never above the torrent's own.
static void directories_remove(folder *d, const store_layout_data *l)
{
    char name[STORE_PATH_BYTES];
    for (int i = 0; d && !l->m.single && i < l->m.file_count; i++) {
        store_file_name(l, i, false, name);
        for (char *slash; (slash = strrchr(name, '/')); ) {
            *slash = 0;
            if (folder_remove(d, name) != E_OK)
                break;
        }
    }
}

static void move_end_run(void *arg)
{
    moving *x = arg;
    char name[STORE_PATH_BYTES], last[STORE_PATH_BYTES] = "";
    for (int i = 0; !x->error && i < x->store->file_count; i++) {
        store_file_name(x->layout, i, false, name);
        for (char *slash; !x->error && (slash = strrchr(name, '/')); ) {
            *slash = 0;
            if (!last[0] || strcmp(last, name) != 0)
                x->error = folder_sync(x->to, name);
            x->error = x->error == E_NO_ENTRY ? E_OK : x->error;
            snprintf(last, sizeof last, "%s", name);
        }
    }
    if (!x->error)
        x->error = folder_sync(x->to, "");
    if (!x->error && x->layout->folder) {
        directories_remove(x->layout->folder, x->layout);
        (void)folder_sync(x->layout->folder, "");
    }
    if (x->error) {
        folder_close(x->to);
        return;
    }
    if (x->layout->folder)
        folder_close(x->layout->folder);
    x->layout->folder = x->to;
}

static err files_move(moving *x)
{
    store *s = x->store;
    work(move_open_run, x);
    for (int i = 0; !x->error && i < s->file_count; i++) {
        for (int part = 0; !x->error && part < 2 && !x->layout->m.files[i].pad; part++) {
            x->file = i;
            x->part = part;
            x->more = x->copied = false;
            do
                work(move_file_run, x);
            while (x->more && !x->error);
            if (x->copied && s->session)
                bitfield_add(&s->session->touched, i);
        }
    }
    if (x->to)
        work(move_end_run, x);
    return x->error;
}

err store_move(store *s, str directory, arena *a, str *why)
{
    store_layout_data *l;
    if (s->payload)
        return E_OK;
    if (directory.len > STORE_DIRECTORY_BYTES_MAX) {
        *why = S("the directory has too long a name: choose one of at most 1,024 bytes");
        return E_TOO_LONG;
    }
    store_enter_alone(s);
    char *to = text_copy(directory);
    bool again = s->moving;
    if (again)
        store_clear_trouble(s);
    err e = s->trouble_error ? s->trouble_error : store_settle_entered(s);
    if (!e && !(e = store_layout_hold(s, &l))) {
        moving x = {.store = s, .layout = l, .directory = to, .again = again};
        store_handles_close(s, true);
        e = l->folder ? store_session_begin(s, l) : E_OK;
        if (!e)
            e = files_move(&x);
        s->moving = e && e != E_EXISTS && (x.to || again);               // no such directory to be had: nothing has moved
        if (s->moving)
            store_set_trouble(s, e, "cannot move the files of", s->file_count + 2);
        if (!e) {
            char *old = s->directory;
            s->directory = to;
            to = old;
            e = store_settle_entered(s);
        }
        store_layout_drop(s);
    }
    if (e)
        *why = s->trouble ? str_copy(a, store_trouble(s)) : trouble_sentence(a, e, "cannot move the files to", to);
    memory_free(to);
    store_leave_alone(s);
    return e;
}

// ---- the end -------------------------------------------------------------------------------------------------------------------------------

typedef struct {
    store   *store;
    store_layout_data *layout;
    const char *state_directory;
    const uint8_t *hash;
    world   *world;
    err      error;
    char     where[STORE_PATH_BYTES];
} removing;

static void state_remove(removing *x)
{
    static const char *const endings[] = {".have", ".parts", ".partial"};
    char path[STORE_PATH_BYTES];
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        store_state_path(x->state_directory, x->hash, endings[i], path);
        err e = path_remove(x->world, path);
        if (e && e != E_NO_ENTRY && !x->error) {
            x->error = e;
            snprintf(x->where, sizeof x->where, "%s", path);
        }
    }
}

// The journal first: it must not promise what is about to go.
static void remove_run(void *arg)
{
    removing *x = arg;
    char name[STORE_PATH_BYTES];
    state_remove(x);
    for (int i = 0; !x->error && x->layout->folder && i < x->store->file_count; i++) {
        for (int part = 0; part < 2 && !x->layout->m.files[i].pad; part++) {
            store_file_name(x->layout, i, part, name);
            err e = folder_remove(x->layout->folder, name);
            // A directory or a link that stands there is not of this torrent.
            if (e && e != E_NO_ENTRY && e != E_EXISTS && e != E_ACCESS && !x->error) {
                x->error = e;
                snprintf(x->where, sizeof x->where, "%s", name);
            }
        }
    }
    if (!x->error)
        directories_remove(x->layout->folder, x->layout);
}

static void all_forget(store *s)
{
    bitfield *const fields[] = {&s->have, &s->complete};
    for (int i = 0; i < 2; i++) {
        memset(fields[i]->bytes, 0, (size_t)bitfield_bytes(s->piece_count));
        fields[i]->set = 0;
    }
    memory_free(s->unchecked);
    s->unchecked = NULL;
    s->unchecked_count = 0;
    s->journal_whole = true;
    store_cache_forget(s, -1);
}

err store_remove_data(store *s, arena *a, str *why)
{
    store_layout_data *l;
    if (s->payload)
        return E_OK;
    store_enter_alone(s);
    err e = store_layout_hold(s, &l);
    if (!e) {
        removing x = {.store = s, .layout = l, .state_directory = s->state_directory, .hash = s->hash, .world = s->pool->world};
        all_forget(s);
        store_session_drop(s);
        store_handles_close(s, true);
        work(remove_run, &x);
        e = x.error;
        if (e)
            *why = trouble_sentence(a, e, "cannot remove", x.where);
        store_layout_drop(s);
    } else {
        *why = trouble_sentence(a, e, "cannot read the torrent file in", s->state_directory);
    }
    store_leave_alone(s);
    return e;
}

static void forget_run(void *arg) { state_remove(arg); }

err store_forget(store_pool *p, str state_directory, const uint8_t hash[INFO_HASH_BYTES])
{
    if (state_directory.len > STORE_DIRECTORY_BYTES_MAX)
        return E_TOO_LONG;
    char *directory = text_copy(state_directory);
    removing x = {.state_directory = directory, .hash = hash, .world = p->world};
    work(forget_run, &x);
    memory_free(directory);
    return x.error;
}
