#include "rooms/swarm/torrent_list.h"

#include <stdio.h>
#include <string.h>

#include "base/heap_memory.h"
#include "base/hex.h"
#include "base/map.h"
#include "base/must.h"
#include "keep/directory.h"
#include "rooms/swarm/torrent_state.h"
#include "rt/digest.h"
#include "rt/worker.h"

enum { LIST_PATH_BYTES = 4096, DIRECTORY_BYTES_MAX = 1024, NAMES_BYTES_MAX = 64 << 20, TORRENT_MEMORY_BYTES = 512 << 20, STATE_MODE = 0600 };

struct torrent_list {
    world *world;
    char  *directory;
    torrent_entry **entries;
    int    count, room, numbers;
    map    by_hash;
};

static void state_path(const torrent_list *l, const uint8_t *hash, const char *ending, char out[LIST_PATH_BYTES])
{
    unsigned char name[2 * INFO_HASH_BYTES];
    hex_encode(name, str_of(hash, INFO_HASH_BYTES));
    int n = snprintf(out, LIST_PATH_BYTES, "%s/%.*s%s", l->directory, (int)sizeof name, (const char *)name, ending);
    must(n > 0 && n < LIST_PATH_BYTES);
}

// ---- entries -------------------------------------------------------------------------------------------------------------------

void torrent_entry_text(torrent_entry *e, str *field, str value)
{
    (void)e;
    char *copy = NULL;
    if (value.len) {
        copy = memory_new((size_t)value.len);
        memcpy(copy, value.at, (size_t)value.len);
    }
    memory_free((void *)(uintptr_t)field->at);
    *field = (str){(unsigned char *)copy, value.len};
}

void torrent_entry_changed(torrent_entry *e) { e->changed = true; }

static void entry_free(torrent_entry *e)
{
    for (int i = 0; i < TORRENT_STATE_TEXTS; i++)
        torrent_entry_text(e, torrent_state_text(e, i), (str){0});
    memory_free(e);
}

static bool entry_enlist(torrent_list *l, torrent_entry *e)
{
    if (l->count == TORRENT_LIST_MAX || !map_put(&l->by_hash, str_of(e->hash, sizeof e->hash), e))
        return false;
    if (l->count == l->room) {
        l->room = l->room ? 2 * l->room : 64;
        l->entries = memory_resize(l->entries, (size_t)l->room * sizeof *l->entries);
    }
    e->number = ++l->numbers;
    l->entries[l->count++] = e;
    return true;
}

static void entry_delist(torrent_list *l, torrent_entry *e)
{
    for (int i = 0; i < l->count; i++)
        if (l->entries[i] == e) {
            memmove(&l->entries[i], &l->entries[i + 1], (size_t)(l->count - i - 1) * sizeof *l->entries);
            l->count--;
            break;
        }
    map_remove(&l->by_hash, str_of(e->hash, sizeof e->hash));
}

int torrent_list_count(const torrent_list *l) { return l->count; }
torrent_entry *torrent_list_at(torrent_list *l, int index) { return index >= 0 && index < l->count ? l->entries[index] : NULL; }
torrent_entry *torrent_list_find(torrent_list *l, const uint8_t *hash) { return map_get(&l->by_hash, str_of(hash, INFO_HASH_BYTES)); }
str torrent_list_directory(const torrent_list *l) { return str_z(l->directory); }

static void metainfo_take(torrent_entry *e, const metainfo *m)
{
    e->has_metainfo = true;
    torrent_entry_text(e, &e->name, m->name);
    e->length = m->length;
    e->piece_count = m->piece_count;
    e->file_count = m->file_count;
    e->is_private = m->private;
}

// ---- opening -------------------------------------------------------------------------------------------------------------------

typedef struct { torrent_list *list; arena *arena; str why; err error; } opening;

static void note(opening *o, const char *text, const char *path)
{
    o->why = str_format(o->arena, STR_FMT "%s%s: %s", STR_ARG(o->why), o->why.len ? ". " : "", path, text);
}

// Its state is damaged, or was never written: everything begins anew from the torrent file.
static void entry_from_torrent(opening *o, const uint8_t *hash, bool damaged)
{
    torrent_list *l = o->list;
    char path[LIST_PATH_BYTES], away[LIST_PATH_BYTES];
    arena a = arena_make(TORRENT_MEMORY_BYTES);
    str text;
    metainfo m;
    bencode_refusal refusal;
    if (damaged) {
        state_path(l, hash, ".state", path);
        state_path(l, hash, ".state.damaged", away);
        path_rename(l->world, path, away);
        note(o, "was damaged; the torrent begins anew from its torrent file, paused", path);
    }
    state_path(l, hash, ".torrent", path);
    if (file_read_all(l->world, path, &a, METAINFO_BYTES_MAX, &text) == E_OK && metainfo_read(text, &a, &m, &refusal)) {
        torrent_entry *e = memory_zeroed(1, sizeof *e);
        memcpy(e->hash, hash, sizeof e->hash);
        metainfo_take(e, &m);
        e->paused = true;
        e->changed = true;
        e->added_s = world_wall_s(l->world);
        if (torrent_list_find(l, hash) || !entry_enlist(l, e))
            entry_free(e);
    }
    arena_free(&a);
}

static bool torrent_gone(const torrent_list *l, const uint8_t *hash)
{
    char path[LIST_PATH_BYTES];
    file_stat st;
    state_path(l, hash, ".torrent", path);
    return path_stat(l->world, path, &st) == E_NO_ENTRY;
}

static void entry_load(opening *o, const uint8_t *hash, arena *a)
{
    torrent_list *l = o->list;
    char path[LIST_PATH_BYTES];
    str text;
    torrent_entry *e = memory_zeroed(1, sizeof *e);
    state_path(l, hash, ".state", path);
    err error = file_read_all(l->world, path, a, TORRENT_STATE_BYTES_MAX, &text);
    bool good = !error && torrent_state_read(text, a, e) && memcmp(e->hash, hash, sizeof e->hash) == 0;
    bool going = good && e->has_metainfo && torrent_gone(l, hash);
    if (good && !going && entry_enlist(l, e))
        return;
    entry_free(e);
    if (going)                                   // its removal was not finished when the power failed
        path_remove(l->world, path);
    if (!good && error != E_CRASHED)
        entry_from_torrent(o, hash, true);
}

static bool hash_of_name(str name, str ending, uint8_t hash[INFO_HASH_BYTES])
{
    return name.len == 2 * INFO_HASH_BYTES + ending.len && str_ends(name, ending) && hex_decode(hash, str_first(name, 2 * INFO_HASH_BYTES));
}

static bool earlier(const torrent_entry *a, const torrent_entry *b)
{
    return a->added_s != b->added_s ? a->added_s < b->added_s : memcmp(a->hash, b->hash, sizeof a->hash) < 0;
}

static void entries_sort(torrent_list *l)
{
    for (int step = 1; step < l->count; step *= 2) {         // merging runs: no library's sort, the same order everywhere
        torrent_entry **merged = memory_new((size_t)l->count * sizeof *merged);
        for (int at = 0; at < l->count; at += 2 * step) {
            int middle = at + step < l->count ? at + step : l->count, end = at + 2 * step < l->count ? at + 2 * step : l->count;
            for (int i = at, j = middle, out = at; out < end; out++)
                merged[out] = j >= end || (i < middle && !earlier(l->entries[j], l->entries[i])) ? l->entries[i++] : l->entries[j++];
        }
        memory_free(l->entries);
        l->entries = merged;
        l->room = l->count;
    }
}

// Half-written replacements of an earlier life.
static bool is_leftover(str name) { return name.len > 40 && str_find_str(name, S(".new-")) > 0; }

static err list_load(opening *o)
{
    torrent_list *l = o->list;
    arena names = arena_make(NAMES_BYTES_MAX), a = arena_make(4 * TORRENT_STATE_BYTES_MAX);
    str *name = NULL;
    int count = 0;
    uint8_t hash[INFO_HASH_BYTES];
    err e = dir_list(l->world, l->directory, &names, &name, &count);
    for (int i = 0; i < count && !e; i++, arena_reset(&a)) {
        char path[LIST_PATH_BYTES];
        snprintf(path, sizeof path, "%s/" STR_FMT, l->directory, STR_ARG(name[i]));
        if (hash_of_name(name[i], S(".state"), hash))
            entry_load(o, hash, &a);
        else if (is_leftover(name[i]))
            path_remove(l->world, path);
    }
    for (int i = 0; i < count && !e; i++)
        if (hash_of_name(name[i], S(".torrent"), hash) && !torrent_list_find(l, hash))
            entry_from_torrent(o, hash, false);
    entries_sort(l);
    arena_free(&names);
    arena_free(&a);
    return e;
}

static void open_run(void *arg)
{
    opening *o = arg;
    torrent_list *l = o->list;
    o->error = directory_make(l->world, l->directory, 0700);
    if (!o->error)
        o->error = list_load(o);
    if (o->error)
        o->why = trouble_sentence(o->arena, o->error, "cannot open the torrents' directory", l->directory);
}

err torrent_list_open(world *w, str directory, arena *a, torrent_list **out, str *why)
{
    *why = (str){0};
    if (directory.len > DIRECTORY_BYTES_MAX) {
        *why = S("the torrents' directory has too long a name: choose one of at most 1,024 bytes");
        return E_TOO_LONG;
    }
    torrent_list *l = memory_zeroed(1, sizeof *l);
    l->world = w;
    l->directory = memory_zeroed((size_t)directory.len + 1, 1);
    memcpy(l->directory, directory.at, (size_t)directory.len);
    l->by_hash = map_make(world_random_u64(w), TORRENT_LIST_MAX);
    opening o = {.list = l, .arena = a};
    work(open_run, &o);
    *why = o.why;
    if (o.error) {
        torrent_list_close(l);
        return o.error;
    }
    *out = l;
    return E_OK;
}

void torrent_list_close(torrent_list *l)
{
    if (!l)
        return;
    for (int i = 0; i < l->count; i++)
        entry_free(l->entries[i]);
    memory_free(l->entries);
    map_free(&l->by_hash);
    memory_free(l->directory);
    memory_free(l);
}

// ---- saving --------------------------------------------------------------------------------------------------------------------

enum { SAVES_AT_ONCE = 32 };
typedef struct {
    torrent_list *list;
    buf     texts[SAVES_AT_ONCE];
    uint8_t hashes[SAVES_AT_ONCE][INFO_HASH_BYTES];
    err     errors[SAVES_AT_ONCE];
    int     count;
} saving;

static void save_run(void *arg)
{
    saving *v = arg;
    for (int i = 0; i < v->count; i++) {
        char path[LIST_PATH_BYTES];
        state_path(v->list, v->hashes[i], ".state", path);
        v->errors[i] = v->texts[i].full ? E_TOO_LONG : file_replace(v->list->world, path, buf_str(&v->texts[i]), STATE_MODE);
    }
}

// A copy is written, so that entries may change, and go, meanwhile.
static err save_batch(torrent_list *l, int *from)
{
    saving v = {.list = l};
    err first = E_OK;
    for (; *from < l->count && v.count < SAVES_AT_ONCE; ++*from) {
        torrent_entry *e = l->entries[*from];
        if (!e->changed)
            continue;
        e->changed = false;
        memcpy(v.hashes[v.count], e->hash, INFO_HASH_BYTES);
        v.texts[v.count] = buf_make(TORRENT_STATE_BYTES_MAX);
        torrent_state_write(&v.texts[v.count++], e);
    }
    if (v.count)
        work(save_run, &v);
    for (int i = 0; i < v.count; i++) {
        torrent_entry *e = v.errors[i] ? torrent_list_find(l, v.hashes[i]) : NULL;
        if (e)
            e->changed = true;
        first = first ? first : v.errors[i];
        buf_free(&v.texts[i]);
    }
    return first;
}

err torrent_list_save(torrent_list *l)
{
    err first = E_OK;
    for (int from = 0; from < l->count; ) {
        err e = save_batch(l, &from);
        first = first ? first : e;
    }
    return first;
}

// ---- adding and removing -----------------------------------------------------------------------------------------------------------

typedef struct { torrent_list *list; const uint8_t *hash; str torrent; buf state; err error; } adding;

static void add_run(void *arg)
{
    adding *x = arg;
    char path[LIST_PATH_BYTES];
    state_path(x->list, x->hash, ".torrent", path);
    if (x->torrent.len)
        x->error = file_replace(x->list->world, path, x->torrent, STATE_MODE);
    state_path(x->list, x->hash, ".state", path);
    if (!x->error)
        x->error = file_replace(x->list->world, path, buf_str(&x->state), STATE_MODE);
}

static void remove_run(void *arg)
{
    adding *x = arg;
    static const char *const endings[] = {".torrent", ".state", ".state.damaged"};
    char path[LIST_PATH_BYTES];
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        state_path(x->list, x->hash, endings[i], path);
        err e = path_remove(x->list->world, path);
        x->error = x->error ? x->error : e == E_NO_ENTRY ? E_OK : e;
    }
    err e = dir_sync(x->list->world, x->list->directory);
    x->error = x->error ? x->error : e;
}

static err entry_write(torrent_list *l, torrent_entry *e, str text, arena *a, str *why)
{
    adding x = {.list = l, .hash = e->hash, .torrent = text, .state = buf_make(TORRENT_STATE_BYTES_MAX)};
    if (!torrent_state_write(&x.state, e))
        x.error = E_TOO_LONG;
    else
        work(add_run, &x);
    buf_free(&x.state);
    if (x.error)
        *why = trouble_sentence(a, x.error, "cannot write the torrent down in", l->directory);
    return x.error;
}

static err entry_add(torrent_list *l, torrent_entry *e, str text, str directory, arena *a, torrent_entry **out, str *why)
{
    torrent_entry *there = torrent_list_find(l, e->hash);
    if (there) {
        entry_free(e);
        *out = there;
        *why = S("this torrent is there already");
        return E_EXISTS;
    }
    e->added_s = world_wall_s(l->world);
    e->queue = l->count;
    torrent_entry_text(e, &e->directory, directory);
    if (!entry_enlist(l, e)) {                   // before anything parks: nobody else adds it meanwhile
        entry_free(e);
        *why = S("there are too many torrents; remove some first");
        return E_LIMIT;
    }
    err error = entry_write(l, e, text, a, why);
    if (!error) {
        *out = e;
        return E_OK;
    }
    adding undo = {.list = l, .hash = e->hash};
    work(remove_run, &undo);
    entry_delist(l, e);
    entry_free(e);
    return error;
}

typedef struct { str info; uint8_t hash[INFO_HASH_BYTES]; } hashing;
static void hash_run(void *arg) { hashing *h = arg; digest_of(DIGEST_SHA1, h->info, h->hash); }

err torrent_list_add(torrent_list *l, str text, str directory, arena *a, torrent_entry **out, str *why)
{
    bencode_refusal refusal;
    metainfo m;
    *out = NULL;
    arena memory = arena_make(TORRENT_MEMORY_BYTES);
    if (text.len > METAINFO_BYTES_MAX || !metainfo_read(text, &memory, &m, &refusal)) {
        *why = text.len > METAINFO_BYTES_MAX ? S("the torrent file is too large")
                                             : str_format(a, "this is no torrent file: %s (at byte %td)", refusal.reason, refusal.offset);
        arena_free(&memory);
        return E_PROTOCOL;
    }
    hashing h = {.info = m.info};
    work(hash_run, &h);
    torrent_entry *e = memory_zeroed(1, sizeof *e);
    memcpy(e->hash, h.hash, sizeof e->hash);
    metainfo_take(e, &m);
    arena_free(&memory);
    return entry_add(l, e, text, directory, a, out, why);
}

err torrent_list_add_magnet(torrent_list *l, str link, str directory, arena *a, torrent_entry **out, str *why)
{
    bencode_refusal refusal;
    magnet m;
    *out = NULL;
    arena memory = arena_make(4 * MAGNET_BYTES_MAX + 4096);
    if (!magnet_read(link, &memory, &m, &refusal)) {
        *why = str_format(a, "this is no magnet link: %s (at byte %td)", refusal.reason, refusal.offset);
        arena_free(&memory);
        return E_PROTOCOL;
    }
    torrent_entry *e = memory_zeroed(1, sizeof *e);
    memcpy(e->hash, m.hash, sizeof e->hash);
    torrent_entry_text(e, &e->magnet, link);
    torrent_entry_text(e, &e->name, m.name);
    arena_free(&memory);
    return entry_add(l, e, (str){0}, directory, a, out, why);
}

// ---- metadata ------------------------------------------------------------------------------------------------------------------------

// The torrent file around an info dictionary that came from peers: its bytes as they are, then the link's trackers and web seeds.
static bool torrent_compose(buf *out, str info, const magnet *m)
{
    buf_put_byte(out, 'd');
    if (m->tracker_count) {
        bencode_put_key(out, "announce");
        bencode_put_string(out, m->trackers[0]);
        bencode_put_key(out, "announce-list");
        buf_put_byte(out, 'l');
        for (int i = 0; i < m->tracker_count; i++) {
            buf_put_byte(out, 'l');
            bencode_put_string(out, m->trackers[i]);
            buf_put_byte(out, 'e');
        }
        buf_put_byte(out, 'e');
    }
    bencode_put_key(out, "info");
    buf_put(out, info);
    if (m->web_seed_count) {
        bencode_put_key(out, "url-list");
        buf_put_byte(out, 'l');
        for (int i = 0; i < m->web_seed_count; i++)
            bencode_put_string(out, m->web_seeds[i]);
        buf_put_byte(out, 'e');
    }
    return buf_put_byte(out, 'e') && !out->full;
}

err torrent_list_metadata(torrent_list *l, torrent_entry *e, str info, arena *a, str *why)
{
    magnet link = {0};
    bencode_refusal refusal = {0};
    metainfo m;
    arena memory = arena_make(TORRENT_MEMORY_BYTES);
    buf text = buf_make(METAINFO_BYTES_MAX + (1 << 20));
    if (e->magnet.len && !magnet_read(e->magnet, &memory, &link, &refusal))
        link = (magnet){0};
    hashing h = {.info = info};
    work(hash_run, &h);
    bool good = memcmp(h.hash, e->hash, sizeof h.hash) == 0 && torrent_compose(&text, info, &link) &&
                metainfo_read(buf_str(&text), &memory, &m, &refusal);
    err error = good ? E_OK : E_PROTOCOL;
    if (good) {
        metainfo_take(e, &m);
        error = entry_write(l, e, buf_str(&text), a, why);
        e->has_metainfo = !error;
    } else {
        *why = str_format(a, "what the peers sent describes no torrent: %s", refusal.reason ? refusal.reason : "its hash is another");
    }
    buf_free(&text);
    arena_free(&memory);
    return error;
}

err torrent_list_remove(torrent_list *l, torrent_entry *e)
{
    adding x = {.list = l, .hash = e->hash};
    entry_delist(l, e);
    work(remove_run, &x);
    entry_free(e);
    return x.error;
}

// ---- reading ---------------------------------------------------------------------------------------------------------------------------

typedef struct {
    const torrent_list *list;
    const uint8_t *hash;
    arena   *arena;
    str      text;
    metainfo *m;
    bencode_refusal refusal;
    bool     good;
    err      error;
} reading;

static void read_run(void *arg)
{
    reading *r = arg;
    char path[LIST_PATH_BYTES];
    state_path(r->list, r->hash, ".torrent", path);
    r->error = file_read_all(r->list->world, path, r->arena, METAINFO_BYTES_MAX, &r->text);
    r->good = !r->error && metainfo_read(r->text, r->arena, r->m, &r->refusal);
}

err torrent_list_read(torrent_list *l, const torrent_entry *e, arena *a, str *text, metainfo *m, str *why)
{
    uint8_t hash[INFO_HASH_BYTES];
    memcpy(hash, e->hash, sizeof hash);
    reading r = {.list = l, .hash = hash, .arena = a, .m = m};
    work(read_run, &r);
    *text = r.text;
    if (!r.error && !r.good) {
        r.error = E_CORRUPT;
        *why = str_format(a, "the torrent file is damaged: %s (at byte %td)", r.refusal.reason, r.refusal.offset);
    } else if (r.error) {
        *why = trouble_sentence(a, r.error, "cannot read the torrent file in", l->directory);
    }
    return r.error;
}
