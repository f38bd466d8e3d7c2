// The torrent file in memory: read when somebody needs hashes or names, forgotten when nobody does.
#include <stdio.h>
#include <string.h>

#include "base/heap_memory.h"
#include "base/hex.h"
#include "keep/directory.h"
#include "rooms/swarm/store_inside.h"
#include "rt/worker.h"

static const char part_ending[] = ".part";

void store_state_path(const char *state_directory, const uint8_t *hash, const char *ending, char out[STORE_PATH_BYTES])
{
    unsigned char name[2 * INFO_HASH_BYTES];
    hex_encode(name, str_of(hash, INFO_HASH_BYTES));
    int n = snprintf(out, STORE_PATH_BYTES, "%s/%.*s%s", state_directory, (int)sizeof name, (const char *)name, ending);
    must(n > 0 && n < STORE_PATH_BYTES);
}

void store_file_name(const store_layout_data *l, int number, bool part, char out[STORE_PATH_BYTES])
{
    const metainfo *m = &l->m;
    str name = m->name, path = m->files[number].path;
    const char *ending = part ? part_ending : "";
    int n = m->single ? snprintf(out, STORE_PATH_BYTES, STR_FMT "%s", STR_ARG(name), ending)
                      : snprintf(out, STORE_PATH_BYTES, STR_FMT "/" STR_FMT "%s", STR_ARG(name), STR_ARG(path), ending);
    must(n > 0 && n < STORE_PATH_BYTES);         // METAINFO_PATH_BYTES_MAX and METAINFO_NAME_BYTES_MAX
}

// A torrent that has such names itself keeps them; nor may the ending make a name too long.
static bool suffix_fits(const metainfo *m)
{
    const ptrdiff_t room = METAINFO_NAME_BYTES_MAX - (ptrdiff_t)sizeof part_ending + 1;
    for (int i = 0; i < m->file_count; i++) {
        str path = m->files[i].path;
        if (str_ends_nocase(path, str_z(part_ending)) || path.len - str_rfind(path, '/') - 1 > room)
            return false;
    }
    return m->name.len <= room;
}

static err layout_parse(store_layout_data *l, const uint8_t *hash, str text)
{
    bencode_refusal why;
    uint8_t found[INFO_HASH_BYTES];
    if (!metainfo_read(text, &l->memory, &l->m, &why))
        return E_CORRUPT;
    digest_of(DIGEST_SHA1, l->m.info, found);
    return memcmp(found, hash, sizeof found) ? E_CORRUPT : E_OK;
}

err store_layout_read(world *w, const char *state_directory, const char *directory, const uint8_t *hash, store_layout_data **out)
{
    char path[STORE_PATH_BYTES];
    str text;
    store_layout_data *l = memory_zeroed(1, sizeof *l);
    l->memory = arena_make(STORE_TORRENT_MEMORY_BYTES);
    store_state_path(state_directory, hash, ".torrent", path);
    err e = file_read_all(w, path, &l->memory, METAINFO_BYTES_MAX, &text);
    if (!e)
        e = layout_parse(l, hash, text);
    if (!e && directory) {
        err opened = folder_open(w, directory, &l->folder);
        e = opened == E_NO_ENTRY ? E_OK : opened;
    }
    if (e) {
        store_layout_free(l);
        return e;
    }
    l->suffix = suffix_fits(&l->m);
    l->bytes = (int64_t)l->memory.used_bytes;
    *out = l;
    return E_OK;
}

void store_layout_free(void *layout)
{
    store_layout_data *l = layout;
    if (l->folder)
        folder_close(l->folder);
    arena_free(&l->memory);
    memory_free(l);
}

// ---- holding --------------------------------------------------------------------------------------------------------------------

typedef struct { store *store; store_layout_data *layout; err error; } loading;

static void load_run(void *arg)
{
    loading *l = arg;
    l->error = store_layout_read(l->store->pool->world, l->store->state_directory, l->store->directory, l->store->hash, &l->layout);
    if (!l->error && l->store->pool->limits.part_suffix_off)
        l->layout->suffix = false;
}

static bool too_many(const store_pool *p) { return p->layout_bytes_idle > STORE_LAYOUT_BYTES || p->layouts_idle > STORE_LAYOUTS; }

void store_layout_unlist(store *s)
{
    if (!list_linked(&s->of_layouts))
        return;
    list_remove(&s->of_layouts);
    s->pool->layout_bytes_idle -= s->layout->bytes;
    s->pool->layouts_idle--;
}

err store_layout_hold(store *s, store_layout_data **out)
{
    while (s->layout_loading)
        gate_wait_uncanceled(&s->layout_gate, "torrent file");
    s->used_ns = world_now_ns(s->pool->world);
    if (!s->layout) {
        loading l = {.store = s};
        s->layout_loading = true;
        work(load_run, &l);
        s->layout_loading = false;
        gate_wake_all(&s->layout_gate);
        if (l.error)
            return l.error;
        s->layout = l.layout;
        s->pool->figures.layout_bytes += s->layout->bytes;
        store_activate(s);
    } else {
        store_layout_unlist(s);
    }
    s->layout_pins++;
    *out = s->layout;
    return E_OK;
}

void store_layout_drop(store *s)
{
    must(s->layout_pins > 0);
    if (--s->layout_pins)
        return;
    s->used_ns = world_now_ns(s->pool->world);
    list_append(&s->pool->layouts, &s->of_layouts);
    s->pool->layout_bytes_idle += s->layout->bytes;
    s->pool->layouts_idle++;
    if (too_many(s->pool))
        gate_wake_all(&s->pool->wake);
}

typedef struct { store *store; store_layout_data *layout; } making;

static void directory_run(void *arg)
{
    making *x = arg;
    world *w = x->store->pool->world;
    if (directory_make(w, x->store->directory, STORE_DIRECTORY_MODE) == E_OK && folder_open(w, x->store->directory, &x->layout->folder) != E_OK)
        x->layout->folder = NULL;
}

void store_layout_directory(store *s, store_layout_data *l)
{
    making x = {s, l};
    if (!l->folder)
        work(directory_run, &x);
}

typedef struct { store *store; store_layout_data *layout; bool look; int missing; } reopening;

static bool file_promised(const store *s, const metainfo *m, int number)
{
    const metainfo_file *f = &m->files[number];
    if (f->pad || !f->length || file_in_parts(s, number))
        return false;
    int32_t first = bitfield_next(&s->complete, (int32_t)(f->offset / m->piece_bytes), true);
    return first >= 0 && first <= (f->offset + f->length - 1) / m->piece_bytes;
}

static void reopen_run(void *arg)
{
    reopening *x = arg;
    store_layout_data *l = x->layout;
    folder *d;
    if (folder_open(x->store->pool->world, x->store->directory, &d) == E_OK) {
        if (l->folder)
            folder_close(l->folder);
        l->folder = d;
    }
    for (int i = 0; x->look && x->missing < 0 && i < l->m.file_count; i++) {
        file *f;
        bool created;
        if (!file_promised(x->store, &l->m, i))
            continue;
        err e = store_file_open(x->store, l, i, false, &f, &created);
        if (!e)
            file_close(f);
        else if (e == E_NO_ENTRY)
            x->missing = i;
    }
}

err store_directory_again(store *s, bool look)
{
    reopening x = {.store = s, .look = look, .missing = -1};
    err e = store_layout_hold(s, &x.layout);
    if (e) {
        store_set_trouble(s, e, "cannot read the torrent file of", s->file_count + 1);
        return e;
    }
    work(reopen_run, &x);
    if (x.missing >= 0) {
        e = E_NO_ENTRY;
        store_set_trouble(s, e, "cannot find", x.missing);
    }
    store_layout_drop(s);
    return e;
}

static void layout_forget(store *s)
{
    store_layout_data *l = s->layout;
    store_layout_unlist(s);
    s->pool->figures.layout_bytes -= l->bytes;
    s->layout = NULL;
    work(store_layout_free, l);
}

void store_layouts_trim(store_pool *p, int64_t now_ns, bool all)
{
    for (list_link *k; (k = list_first(&p->layouts)); ) {
        store *s = LIST_OF(k, store, of_layouts);
        if (!all && !too_many(p) && now_ns - s->used_ns < p->limits.idle_ns)
            return;
        layout_forget(s);
    }
}
