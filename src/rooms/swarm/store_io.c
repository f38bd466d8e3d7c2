// Bytes of the stream of all files, from and into files: which files a range spans, open files within a ceiling, and the work itself.
#include <string.h>

#include "base/heap_memory.h"
#include "rooms/swarm/store_inside.h"
#include "rt/sim.h"
#include "rt/worker.h"

enum { VECTORS = 64, DIGEST_NS_PER_KIB = 4000 };       // in the simulator: a modest processor

// ---- open files -----------------------------------------------------------------------------------------------------------------

static store_handle *handle_find(store *s, int number, bool write)
{
    for (list_link *k = list_first(&s->handles); k; k = list_next(&s->handles, k)) {
        store_handle *h = LIST_OF(k, store_handle, of_store);
        if (h->file == number && (h->writable || !write))
            return h;
    }
    return NULL;
}

static store_handle *handle_pin(store *s, int number, bool write)
{
    store_handle *h = handle_find(s, number, write);
    if (h) {
        list_remove(&h->of_pool);
    } else {
        h = memory_zeroed(1, sizeof *h);
        h->store = s;
        h->file = number;
        h->writable = write;
        list_append(&s->handles, &h->of_store);
        s->pool->handle_count++;
    }
    list_append(&s->pool->handles, &h->of_pool);
    h->pins++;
    return h;
}

static void handle_unlist(store_handle *h)
{
    list_remove(&h->of_pool);
    list_remove(&h->of_store);
    h->store->pool->handle_count--;
}

// A handle that could not be opened is nothing to keep.
static void handle_unpin(store_handle *h)
{
    if (--h->pins || h->file_open)
        return;
    handle_unlist(h);
    memory_free(h);
}

// The longest unused ones, above the ceiling. They are closed by the next work; their stores may not go away before.
static void victims_choose(store_io *io)
{
    store_pool *p = io->store->pool;
    for (list_link *k = list_first(&p->handles), *next; k && p->handle_count > p->limits.files_open_max; k = next) {
        next = list_next(&p->handles, k);
        store_handle *h = LIST_OF(k, store_handle, of_pool);
        if (h->pins || io->victim_count == STORE_SEGMENTS_MAX)
            continue;
        handle_unlist(h);
        h->store->calls++;
        io->victims[io->victim_count++] = h;
    }
}

static void victims_run(store_io *io)
{
    for (int i = 0; i < io->victim_count; i++) {
        store_handle *h = io->victims[i];
        io->victim_errors[i] = h->dirty ? file_sync(h->file_open) : E_OK;
        file_close(h->file_open);
    }
}

// What was not synced before the file was closed is lost, as after any failed sync.
static void victims_end(store_io *io)
{
    for (int i = 0; i < io->victim_count; i++) {
        store_handle *h = io->victims[i];
        store *s = h->store;
        if (io->victim_errors[i]) {
            s->sync_failures++;
            store_set_trouble(s, io->victim_errors[i], "cannot sync", h->file);
            store_lose_file(s, s->layout ? &s->layout->m : NULL, h->file, true, false);
        }
        memory_free(h);
        store_leave(s);
    }
    io->victim_count = 0;
}

typedef struct { store_handle **handles; err *errors; int count; } closing;

static void close_run(void *arg)
{
    closing *c = arg;
    for (int i = 0; i < c->count; i++) {
        c->errors[i] = c->handles[i]->dirty ? file_sync(c->handles[i]->file_open) : E_OK;
        file_close(c->handles[i]->file_open);
    }
}

void store_handles_close(store *s, bool all)
{
    store_handle *handles[STORE_SEGMENTS_MAX];
    err errors[STORE_SEGMENTS_MAX];
    closing c;
    do {
        c = (closing){handles, errors, 0};
        for (list_link *k = list_first(&s->handles), *next; k && c.count < STORE_SEGMENTS_MAX; k = next) {
            next = list_next(&s->handles, k);
            store_handle *h = LIST_OF(k, store_handle, of_store);
            if (h->pins || (!all && h->dirty))
                continue;
            handle_unlist(h);
            handles[c.count++] = h;
        }
        if (c.count)
            work(close_run, &c);
        for (int i = 0; i < c.count; i++) {
            if (errors[i]) {
                s->sync_failures++;
                store_set_trouble(s, errors[i], "cannot sync", handles[i]->file);
                store_lose_file(s, s->layout ? &s->layout->m : NULL, handles[i]->file, true, false);
            }
            memory_free(handles[i]);
        }
    } while (c.count);
}

// ---- opening (in work) ------------------------------------------------------------------------------------------------------------

static err parent_make(const store_layout_data *l, const char *name)
{
    char parent[STORE_PATH_BYTES];
    const char *slash = strrchr(name, '/');
    if (!slash)
        return E_OK;
    memcpy(parent, name, (size_t)(slash - name));
    parent[slash - name] = 0;
    return folder_make(l->folder, parent, STORE_DIRECTORY_MODE);
}

static err parts_open(const store *s, bool write, file **out, bool *created)
{
    char path[STORE_PATH_BYTES];
    store_state_path(s->state_directory, s->hash, ".parts", path);
    world *w = s->pool->world;
    err e = file_open(w, path, write ? FILE_READ | FILE_WRITE : FILE_READ, 0, out);
    if (e != E_NO_ENTRY || !write)
        return e;
    *created = true;
    return file_open(w, path, FILE_READ | FILE_WRITE | FILE_CREATE, STORE_STATE_MODE, out);
}

err store_file_open(const store *s, const store_layout_data *l, int file_number, bool write, file **out, bool *created)
{
    char name[STORE_PATH_BYTES];
    int how = write ? FILE_READ | FILE_WRITE : FILE_READ;
    *created = false;
    if (file_number == STORE_PARTS)
        return parts_open(s, write, out, created);
    if (!l->folder)
        return E_NO_ENTRY;
    err e = E_NO_ENTRY;
    for (int part = 0; part < 3 && e == E_NO_ENTRY; part++) {            // its own name once more: it may just have become whole
        store_file_name(l, file_number, part == 1, name);
        e = folder_file(l->folder, name, how, 0, out);
    }
    if (e != E_NO_ENTRY || !write)
        return e;
    store_file_name(l, file_number, l->suffix && l->m.files[file_number].length > 0, name);
    e = parent_make(l, name);
    *created = true;
    return e ? e : folder_file(l->folder, name, how | FILE_CREATE, STORE_FILE_MODE, out);
}

// ---- the work -----------------------------------------------------------------------------------------------------------------------

static err segment_write(const store_io *io, const store_segment *g, file *f)
{
    struct iovec v[VECTORS];
    int64_t skip = g->at, left = g->length, offset = g->offset;
    int count = 0;
    for (int i = 0; i < io->block_count && left; i++) {
        str b = io->blocks[i];
        if (skip >= b.len) {
            skip -= b.len;
            continue;
        }
        b = str_sub(b, skip, left);
        skip = 0;
        left -= b.len;
        v[count++] = (struct iovec){(void *)(uintptr_t)b.at, (size_t)b.len};
        if (count == VECTORS || !left) {
            int64_t bytes = 0;
            for (int k = 0; k < count; k++)
                bytes += (int64_t)v[k].iov_len;
            err e = file_write(f, offset, v, count);
            if (e)
                return e;
            offset += bytes;
            count = 0;
        }
    }
    must(!left);
    return E_OK;
}

static err segment_read(const store_io *io, const store_segment *g, file *f)
{
    size_t got = 0;
    err e = io->lent && g->length == io->length ? file_lend(f, g->offset, (size_t)g->length, io->lent) : E_UNSUPPORTED;
    if (e != E_UNSUPPORTED)
        return e;
    e = file_read(f, g->offset, io->into + g->at, (size_t)g->length, &got);
    return e ? e : got < (size_t)g->length ? E_EOF : E_OK;
}

static void digest_compare(store_io *io)
{
    unsigned char found[DIGEST_SHA1_BYTES];
    digest *d = digest_new(DIGEST_SHA1);
    if (io->write)
        for (int i = 0; i < io->block_count; i++)
            digest_add(d, io->blocks[i]);
    else
        digest_add(d, str_of(io->into, (size_t)io->length));
    digest_take(d, found);
    digest_free(d);
    io->fits = memcmp(found, io->expected, sizeof found) == 0 || (io->write && world_broken(io->store->pool->world, "no-hash"));
}

static err segment_run(store_io *io, int i)
{
    const store_segment *g = &io->segments[i];
    if (g->pad && !io->write)
        memset(io->into + g->at, 0, (size_t)g->length);
    if (g->pad)
        return E_OK;
    if (!io->files[i]) {
        err e = store_file_open(io->store, io->layout, g->file, io->write, &io->files[i], &io->created[i]);
        if (e)
            return e;
        io->opened[i] = true;
    }
    return io->write ? segment_write(io, g, io->files[i]) : segment_read(io, g, io->files[i]);
}

static void digest_work(void *arg) { digest_compare(arg); }

static void io_work(void *arg)
{
    store_io *io = arg;
    victims_run(io);
    if (io->write && io->digest && !io->fits)            // digest_work was before
        return;
    int64_t bytes = 0;
    for (int i = 0; i < io->count; i++) {
        io->error = segment_run(io, i);
        if (io->error) {
            io->bad_file = io->segments[i].file;
            return;
        }
        bytes += io->segments[i].length;
    }
    if (!io->write && io->digest && io->done + bytes == io->length)
        digest_compare(io);
}

// ---- around it ----------------------------------------------------------------------------------------------------------------------

// The next files that the range spans, from io->done on. Two parts of the part file are two segments.
static void segments_plan(store_io *io)
{
    const metainfo *m = &io->layout->m;
    int64_t at = io->at + io->done, end = io->at + io->length;
    io->count = 0;
    for (int i = metainfo_file_at(m, at); at < end && io->count < STORE_SEGMENTS_MAX; i++) {
        must(i >= 0 && i < m->file_count);
        const metainfo_file *f = &m->files[i];
        int64_t inside = at - f->offset, part = f->length - inside < end - at ? f->length - inside : end - at;
        if (part <= 0)
            continue;
        bool parts = !f->pad && file_in_parts(io->store, i);
        io->segments[io->count++] = (store_segment){.file = parts ? STORE_PARTS : i, .pad = f->pad, .offset = parts ? at : inside,
                                                    .at = at - io->at, .length = part};
        at += part;
    }
}

static void handles_take(store_io *io)
{
    for (int i = 0; i < io->count; i++) {
        io->handles[i] = NULL;
        io->files[i] = NULL;
        io->opened[i] = io->created[i] = false;
        if (io->segments[i].pad)
            continue;
        io->handles[i] = handle_pin(io->store, io->segments[i].file, io->write);
        io->files[i] = io->handles[i]->file_open;
    }
    victims_choose(io);
}

static void file_close_run(void *f) { file_close(f); }

// A file that two fibers opened at once is kept once; what a reader opened for reading is nothing for a handle that writers share.
static void handle_adopt(store_io *io, int i)
{
    store_handle *h = io->handles[i];
    store_session *session = io->store->session;
    bool may_be_kept = !h->file_open && (io->write || !h->writable);
    if (io->opened[i] && !may_be_kept)
        work(file_close_run, io->files[i]);
    else if (io->opened[i])
        h->file_open = io->files[i];
    if (io->write && h->file_open && session) {
        int bit = session_bit(io->store, io->segments[i].file);
        h->dirty = true;
        // Its name, too, is synced once: somebody may have made it just before the power failed.
        if (io->created[i] || !bitfield_has(&session->touched, bit))
            bitfield_add(&session->created, bit);
        bitfield_add(&session->dirty, bit);
        bitfield_add(&session->touched, bit);
    }
}

void store_io_run(store_io *io)
{
    store *s = io->store;
    do {
        int64_t bytes = 0;
        segments_plan(io);
        handles_take(io);
        bool first = io->write && io->digest && io->done == 0;
        work_computed(first ? digest_work : NULL, io->length * DIGEST_NS_PER_KIB / 1024, io_work, io);
        for (int i = 0; i < io->count; i++) {
            bytes += io->segments[i].length;
            if (io->handles[i])
                handle_adopt(io, i);
        }
        for (int i = 0; i < io->count; i++)
            if (io->handles[i])
                handle_unpin(io->handles[i]);
        victims_end(io);
        io->done += bytes;
        s->pool->figures.files_open = s->pool->handle_count;
    } while (!io->error && io->done < io->length && !(io->write && io->digest && !io->fits));
    if (!io->error && io->write && (!io->digest || io->fits))
        s->pool->figures.bytes_written += io->length;
    else if (!io->error && !io->write)
        s->pool->figures.bytes_read += io->length;
}

// ---- syncing --------------------------------------------------------------------------------------------------------------------------

typedef struct {
    store   *store;
    store_layout_data *layout;
    int      files[STORE_SEGMENTS_MAX];
    store_handle *handles[STORE_SEGMENTS_MAX];
    bool     created[STORE_SEGMENTS_MAX];
    err      errors[STORE_SEGMENTS_MAX];
    int      count;
    char     last_parent[STORE_PATH_BYTES];      // synced already
} syncing;

// A new name is durable when every directory above it is.
static err parents_sync(syncing *y, int number)
{
    char name[STORE_PATH_BYTES];
    if (number == STORE_PARTS)
        return dir_sync(y->store->pool->world, y->store->state_directory);
    store_file_name(y->layout, number, false, name);
    for (char *slash; (slash = strrchr(name, '/')); ) {
        *slash = 0;
        if (strcmp(name, y->last_parent) == 0)
            return E_OK;
        err e = folder_sync(y->layout->folder, name);
        if (e)
            return e;
    }
    return folder_sync(y->layout->folder, "");
}

static err file_sync_one(syncing *y, int i)
{
    file *f = y->handles[i] ? y->handles[i]->file_open : NULL;
    bool created;
    err e = f ? E_OK : store_file_open(y->store, y->layout, y->files[i], false, &f, &created);
    if (e)
        return e;
    e = file_sync(f);
    if (!y->handles[i])
        file_close(f);
    return e;
}

static void sync_run(void *arg)
{
    syncing *y = arg;
    y->last_parent[0] = 0;
    for (int i = 0; i < y->count; i++) {
        y->errors[i] = file_sync_one(y, i);
        if (!y->errors[i] && y->created[i]) {
            y->errors[i] = parents_sync(y, y->files[i]);
            if (!y->errors[i] && y->files[i] != STORE_PARTS) {
                store_file_name(y->layout, y->files[i], false, y->last_parent);
                char *slash = strrchr(y->last_parent, '/');
                *(slash ? slash : y->last_parent) = 0;
            }
        }
    }
}

static void sync_end(syncing *y, const store *s, bitfield *failed, err *first)
{
    for (int i = 0; i < y->count; i++) {
        store_handle *h = y->handles[i];
        if (y->errors[i]) {
            *first = *first ? *first : y->errors[i];
            bitfield_add(failed, session_bit(s, y->files[i]));
        }
        if (!h)
            continue;
        if (y->errors[i])                        // never synced again
            h->dirty = false;
        h->pins--;
    }
}

err store_sync_files(store *s, store_layout_data *l, const bitfield *batch, const bitfield *created, bitfield *failed)
{
    err first = E_OK;
    for (int bit = bitfield_next(batch, 0, true); bit >= 0; ) {
        syncing y = {.store = s, .layout = l};
        for (; bit >= 0 && y.count < STORE_SEGMENTS_MAX; bit = bit + 1 < batch->count ? bitfield_next(batch, bit + 1, true) : -1) {
            int number = bit == s->file_count ? STORE_PARTS : bit;
            store_handle *h = handle_find(s, number, true);
            h = h ? h : handle_find(s, number, false);
            h = h && h->file_open ? h : NULL;
            if (h) {
                h->pins++;
                h->dirty = false;                // what is written from now on waits for the next sync
            }
            y.files[y.count] = number;
            y.handles[y.count] = h;
            y.created[y.count++] = bitfield_has(created, bit);
        }
        work(sync_run, &y);
        s->pool->figures.syncs += y.count;
        sync_end(&y, s, failed, &first);
    }
    return first;
}
