#include "keep/blob.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/heap_memory.h"
#include "base/must.h"
#include "keep/directory.h"
#include "rt/worker.h"

enum {
    DRAFT_STEP_BYTES = 256 * 1024,
    DIRECTORY_BYTES_MAX = 3900, BLOB_PATH_BYTES = 4096,
    NAMES_BYTES_MAX = 16 << 20,
    FILE_MODE = 0600, DIRECTORY_MODE = 0700,
};

struct blobs {
    world *world;
    char  *directory;
    int    drafts;
    _Atomic bool shelf_durable[256];  // its name was synced in this life; workers may find out at once
};

struct blob_draft {
    blobs   *store;
    blob_id  id;
    file    *file;
    buf      waiting;                 // not written yet
    int64_t  offset;
    err      error;                   // sticky
};

void blob_id_text(blob_id id, char out[33])
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < 16; i++) {
        out[2 * i] = digits[id.bytes[i] >> 4];
        out[2 * i + 1] = digits[id.bytes[i] & 15];
    }
    out[32] = 0;
}

static int digit_value(unsigned char c)
{
    return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool blob_id_parse(str text, blob_id *out)
{
    if (text.len != 32)
        return false;
    for (int i = 0; i < 16; i++) {
        int high = digit_value(text.at[2 * i]), low = digit_value(text.at[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out->bytes[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

// ---- names -----------------------------------------------------------------------------------------------------------------

typedef struct { char at[BLOB_PATH_BYTES]; } path;

static void path_print(path *p, const blobs *b, const char *format, const char *one, const char *two)
{
    int n = snprintf(p->at, sizeof p->at, "%s/", b->directory);
    n += snprintf(p->at + n, sizeof p->at - (size_t)n, format, one, two);
    must(n < (int)sizeof p->at);
}

static void draft_path(path *p, const blobs *b, blob_id id)
{
    char text[33];
    blob_id_text(id, text);
    path_print(p, b, "new/%s%s", text, "");
}

static void shelf_path(path *p, const blobs *b, blob_id id)
{
    char text[33];
    blob_id_text(id, text);
    text[2] = 0;
    path_print(p, b, "%s%s", text, "");
}

static void blob_path(path *p, const blobs *b, blob_id id)
{
    char text[33], shelf[3] = {0};
    blob_id_text(id, text);
    memcpy(shelf, text, 2);
    path_print(p, b, "%s/%s", shelf, text + 2);
}

// ---- opening ---------------------------------------------------------------------------------------------------------------

typedef struct { blobs *store; arena *arena; str why; err error; } opening;

static err refuse(opening *o, err e, const char *what, const char *where)
{
    o->why = trouble_sentence(o->arena, e, what, where);
    return e;
}

static err drafts_remove(opening *o, const char *where)
{
    arena names = arena_make(NAMES_BYTES_MAX);
    str *name = NULL;
    int count = 0;
    err e = dir_list(o->store->world, where, &names, &name, &count);
    for (int i = 0; i < count && !e; i++) {
        path p;
        path_print(&p, o->store, "new/%s%s", str_to_z(&names, name[i]), "");
        e = path_remove(o->store->world, p.at);
    }
    arena_free(&names);
    return e;
}

static err store_open(opening *o)
{
    blobs *b = o->store;
    path drafts;
    path_print(&drafts, b, "new%s%s", "", "");
    err e = directory_make(b->world, drafts.at, DIRECTORY_MODE);
    if (e)
        return refuse(o, e, "cannot make the directory for large bodies", drafts.at);
    e = drafts_remove(o, drafts.at);
    return e ? refuse(o, e, "cannot remove unfinished files from", drafts.at) : E_OK;
}

static void store_open_run(void *arg)
{
    opening *o = arg;
    o->error = store_open(o);
}

err blobs_open(world *w, str directory, arena *a, blobs **out, str *why)
{
    if (directory.len > DIRECTORY_BYTES_MAX) {
        *why = S("the directory for large bodies has too long a name: choose one of at most 3,900 bytes");
        return E_TOO_LONG;
    }
    blobs *b = memory_zeroed(1, sizeof *b);
    b->world = w;
    b->directory = memory_zeroed((size_t)directory.len + 1, 1);
    memcpy(b->directory, directory.at, (size_t)directory.len);
    opening o = {.store = b, .arena = a};
    work(store_open_run, &o);
    if (o.error) {
        *why = o.why;
        blobs_close(b);
        return o.error;
    }
    *out = b;
    return E_OK;
}

void blobs_close(blobs *b)
{
    if (!b)
        return;
    must(b->drafts == 0);
    memory_free(b->directory);
    memory_free(b);
}

// ---- drafts ----------------------------------------------------------------------------------------------------------------

// The file is made with the first step, so that a draft that is dropped early never touches the disk.
static err draft_open(blob_draft *d)
{
    path p;
    draft_path(&p, d->store, d->id);
    return file_open(d->store->world, p.at, FILE_WRITE | FILE_CREATE | FILE_EXCLUSIVE, FILE_MODE, &d->file);
}

static void draft_step_run(void *arg)
{
    blob_draft *d = arg;
    if (!d->file)
        d->error = draft_open(d);
    if (d->error)
        return;
    struct iovec v = {d->waiting.at, d->waiting.len};
    d->error = file_write(d->file, d->offset, &v, 1);
    d->offset += (int64_t)d->waiting.len;
    buf_clear(&d->waiting);
}

static err shelf_make(blobs *b, unsigned char number, const char *where)
{
    if (b->shelf_durable[number])
        return E_OK;
    err e = dir_make(b->world, where, DIRECTORY_MODE);
    if (!e)
        e = dir_sync(b->world, b->directory);
    b->shelf_durable[number] = !e;
    return e;
}

static err draft_publish(blob_draft *d)
{
    world *w = d->store->world;
    path from, shelf, to;
    draft_path(&from, d->store, d->id);
    shelf_path(&shelf, d->store, d->id);
    blob_path(&to, d->store, d->id);
    err e = file_sync(d->file);
    if (!e)
        e = shelf_make(d->store, d->id.bytes[0], shelf.at);
    if (!e)
        e = path_rename(w, from.at, to.at);
    if (!e && (e = dir_sync(w, shelf.at)))
        path_remove(w, to.at);
    return e;
}

static void draft_end_run(void *arg)
{
    blob_draft *d = arg;
    if (!d->error && (d->waiting.len || !d->file))
        draft_step_run(d);
    if (!d->error)
        d->error = draft_publish(d);
    if (!d->file)
        return;
    file_close(d->file);
    if (d->error) {
        path p;
        draft_path(&p, d->store, d->id);
        path_remove(d->store->world, p.at);
    }
}

static void draft_free(blob_draft *d)
{
    d->store->drafts--;
    buf_free(&d->waiting);
    memory_free(d);
}

err blob_begin(blobs *b, blob_draft **out)
{
    blob_draft *d = memory_zeroed(1, sizeof *d);
    d->store = b;
    d->waiting = buf_make(DRAFT_STEP_BYTES);
    world_random(b->world, d->id.bytes, sizeof d->id.bytes);
    b->drafts++;
    *out = d;
    return E_OK;
}

err blob_write(blob_draft *d, str bytes)
{
    if (!d->error && d->offset + (int64_t)d->waiting.len + bytes.len > BLOB_BYTES_MAX)
        d->error = E_TOO_LONG;
    while (!d->error && bytes.len) {
        str step = str_first(bytes, DRAFT_STEP_BYTES - (ptrdiff_t)d->waiting.len);
        buf_put(&d->waiting, step);
        bytes = str_from(bytes, step.len);
        if (d->waiting.len == DRAFT_STEP_BYTES)
            work(draft_step_run, d);
    }
    return d->error;
}

err blob_finish(blob_draft *d, blob_id *id)
{
    work(draft_end_run, d);
    err e = d->error;
    *id = d->id;
    draft_free(d);
    return e;
}

void blob_drop(blob_draft *d)
{
    if (!d)
        return;
    d->error = d->error ? d->error : E_CANCELED;
    if (d->file)
        work(draft_end_run, d);
    draft_free(d);
}

// ---- finished ones ---------------------------------------------------------------------------------------------------------

typedef struct {
    blobs  *store;
    blob_id id;
    int64_t offset, size_bytes;
    void   *into;
    size_t  size, got;
    err     error;
} access;

static void read_run(void *arg)
{
    access *x = arg;
    path p;
    file *f;
    blob_path(&p, x->store, x->id);
    x->error = file_open(x->store->world, p.at, FILE_READ, 0, &f);
    if (x->error)
        return;
    x->error = file_read(f, x->offset, x->into, x->size, &x->got);
    file_close(f);
}

err blob_read(blobs *b, blob_id id, int64_t offset, void *into, size_t size, size_t *got)
{
    access x = {.store = b, .id = id, .offset = offset, .into = into, .size = size};
    must(offset >= 0);
    work(read_run, &x);
    *got = x.got;
    return x.error;
}

static void size_run(void *arg)
{
    access *x = arg;
    path p;
    file_stat st = {0};
    blob_path(&p, x->store, x->id);
    x->error = path_stat(x->store->world, p.at, &st);
    x->size_bytes = st.size_bytes;
}

err blob_size(blobs *b, blob_id id, int64_t *out)
{
    access x = {.store = b, .id = id};
    work(size_run, &x);
    *out = x.size_bytes;
    return x.error;
}

static void remove_run(void *arg)
{
    access *x = arg;
    path p;
    blob_path(&p, x->store, x->id);
    x->error = path_remove(x->store->world, p.at);
}

err blob_remove(blobs *b, blob_id id)
{
    access x = {.store = b, .id = id};
    work(remove_run, &x);
    return x.error;
}

// ---- all of them -----------------------------------------------------------------------------------------------------------

typedef struct { blobs *store; arena *arena; blob_id *ids; int count, room; err error; } listing;

static bool listing_add(listing *l, blob_id id)
{
    if (l->count == l->room) {
        int room = l->room ? l->room * 2 : 64;
        blob_id *more = arena_array(l->arena, blob_id, room);
        if (!more)
            return false;
        if (l->count)
            memcpy(more, l->ids, (size_t)l->count * sizeof *more);
        l->ids = more, l->room = room;
    }
    l->ids[l->count++] = id;
    return true;
}

static err shelf_list(listing *l, str shelf, arena *names)
{
    path p;
    str *name = NULL;
    int count = 0;
    path_print(&p, l->store, "%s%s", str_to_z(names, shelf), "");
    err e = dir_list(l->store->world, p.at, names, &name, &count);
    for (int i = 0; i < count && !e; i++) {
        blob_id id;
        if (blob_id_parse(str_join(names, shelf, name[i]), &id) && !listing_add(l, id))
            e = E_LIMIT;
    }
    return e;
}

static void list_run(void *arg)
{
    listing *l = arg;
    arena shelves = arena_make(NAMES_BYTES_MAX), names = arena_make(NAMES_BYTES_MAX);
    str *shelf = NULL;
    int count = 0;
    l->error = dir_list(l->store->world, l->store->directory, &shelves, &shelf, &count);
    for (int i = 0; i < count && !l->error; i++, arena_reset(&names))
        if (shelf[i].len == 2)
            l->error = shelf_list(l, shelf[i], &names);
    arena_free(&names);
    arena_free(&shelves);
}

err blobs_list(blobs *b, arena *a, blob_id **ids, int *count)
{
    listing l = {.store = b, .arena = a};
    work(list_run, &l);
    *ids = l.ids;
    *count = l.count;
    return l.error;
}
