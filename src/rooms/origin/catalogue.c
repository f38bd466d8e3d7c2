#include "rooms/origin/catalogue.h"

#include "base/heap_memory.h"
#include "keep/directory.h"
#include "rt/json_text.h"
#include "rt/loop.h"
#include "rt/worker.h"

enum { NAMES_BYTES_MAX = 4 << 20, PATH_BYTES_MAX = 256 };

err catalogue_open(catalogue *c, world *w, char *path)
{
    *c = (catalogue){.world = w, .path = path, .listed = buf_make(CATALOGUE_LIST_BYTES_MAX)};
    list_init(&c->loaded);
    err e = directory_make(w, path, 0755);
    return e ? e : folder_open(w, path, &c->folder);
}

static void loaded_free(catalogue *c, loaded_film *f)
{
    list_remove(&f->link);
    c->loaded_count--;
    arena_free(&f->memory);
    memory_free(f);
}

void catalogue_close(catalogue *c)
{
    while (!list_empty(&c->loaded))
        loaded_free(c, LIST_OF(list_first(&c->loaded), loaded_film, link));
    buf_free(&c->listed);
    if (c->folder)
        folder_close(c->folder);
    c->folder = NULL;
}

// ---- records ----------------------------------------------------------------------------------------------------------

static err record_parse(str text, str id, arena *a, film *out)
{
    const char *why;
    return film_read(text, a, out, &why) && str_eq(out->id, id) ? E_OK : E_CORRUPT;
}

err catalogue_look(world *w, const char *path, str id, arena *a, film *out)
{
    str text;
    arena raw = arena_make(FILM_RECORD_BYTES_MAX + PATH_BYTES_MAX);
    if (!film_id_valid(id))
        return E_NO_ENTRY;
    err e = file_read_all(w, str_to_z(a, str_format(a, "%s/" STR_FMT "/" FILM_RECORD, path, STR_ARG(id))), &raw,
                          FILM_RECORD_BYTES_MAX, &text);
    if (!e)
        e = record_parse(text, id, a, out);
    arena_free(&raw);
    return e;
}

err catalogue_walk(world *w, const char *path, catalogue_each *each, void *arg, int *broken)
{
    arena names_memory = arena_make(NAMES_BYTES_MAX);
    str *names;
    int count = 0;
    *broken = 0;
    err e = dir_list(w, path, &names_memory, &names, &count);
    for (int i = 0; !e && i < count && i < CATALOGUE_FILMS_MAX; i++) {
        arena a = arena_make(FILM_MEMORY_BYTES_MAX);
        film f;
        if (film_id_valid(names[i])) {
            err found = catalogue_look(w, path, names[i], &a, &f);
            if (!found)
                each(arg, &f);
            *broken += found != E_OK;
        }
        arena_free(&a);
    }
    arena_free(&names_memory);
    return e;
}

// ---- held by the service ----------------------------------------------------------------------------------------------

typedef struct {
    catalogue   *c;
    str          id;
    loaded_film *known, *fresh;              // known: is the record still what it was? fresh: what was read
    err          error;
} looking;

static err record_read(catalogue *c, const char *path, const file_stat *st, loaded_film *into)
{
    file *f;
    size_t got;
    if (st->size_bytes > FILM_RECORD_BYTES_MAX)
        return E_CORRUPT;
    err e = folder_file(c->folder, path, FILE_READ, 0, &f);
    if (e)
        return e;
    unsigned char *bytes = memory_new((size_t)st->size_bytes + 1);
    e = file_read(f, 0, bytes, (size_t)st->size_bytes, &got);
    file_close(f);
    if (!e)
        e = record_parse(str_of(bytes, got), into->film.id, &into->memory, &into->film);
    memory_free(bytes);
    into->modified_ns = st->modified_ns;
    into->size_bytes = st->size_bytes;
    return e;
}

static void look_blocking(void *arg)
{
    looking *l = arg;
    arena a = arena_make(4096);
    char *path = str_to_z(&a, str_format(&a, STR_FMT "/" FILM_RECORD, STR_ARG(l->id)));
    file_stat st;
    l->error = folder_stat(l->c->folder, path, &st);
    bool same = !l->error && l->known && st.modified_ns == l->known->modified_ns && st.size_bytes == l->known->size_bytes;
    if (!l->error && !same) {
        l->fresh = memory_zeroed(1, sizeof *l->fresh);
        l->fresh->memory = arena_make(FILM_MEMORY_BYTES_MAX);
        l->fresh->film.id = l->id;
        l->error = record_read(l->c, path, &st, l->fresh);
    }
    arena_free(&a);
}

static loaded_film *loaded_find(catalogue *c, str id)
{
    for (list_link *k = list_first(&c->loaded); k; k = list_next(&c->loaded, k)) {
        loaded_film *f = LIST_OF(k, loaded_film, link);
        if (!f->gone && str_eq(f->film.id, id))
            return f;
    }
    return NULL;
}

// Room for one more: the one that was not used for the longest time goes.
static bool room_make(catalogue *c)
{
    loaded_film *oldest = NULL;
    if (c->loaded_count < CATALOGUE_LOADED_MAX)
        return true;
    for (list_link *k = list_first(&c->loaded); k; k = list_next(&c->loaded, k)) {
        loaded_film *f = LIST_OF(k, loaded_film, link);
        if (f->users == 0 && (!oldest || f->used_ns < oldest->used_ns))
            oldest = f;
    }
    if (oldest)
        loaded_free(c, oldest);
    return oldest != NULL;
}

static void loaded_drop(catalogue *c, loaded_film *f)
{
    f->gone = true;
    if (f->users == 0)
        loaded_free(c, f);
}

static loaded_film *held(catalogue *c, loaded_film *f)
{
    f->users++;
    f->used_ns = loop_now_ns();
    (void)c;
    return f;
}

// `known` is held meanwhile: others may drop it while we look.
static err looked(catalogue *c, looking *l, loaded_film **out)
{
    if (l->known)
        catalogue_give(c, l->known);
    loaded_film *now = loaded_find(c, l->id);
    if (l->fresh && !l->error && now && now != l->known) {           // another fiber has read it, too
        arena_free(&l->fresh->memory);
        memory_free(l->fresh);
        *out = held(c, now);
        return E_OK;
    }
    if ((l->error || l->fresh) && now)
        loaded_drop(c, now);
    if (l->fresh && (l->error || !room_make(c))) {
        arena_free(&l->fresh->memory);
        memory_free(l->fresh);
        return l->error ? l->error : E_LIMIT;
    }
    if (l->error)
        return l->error;
    loaded_film *f = l->fresh ? l->fresh : now;
    if (!f)
        return E_NO_ENTRY;
    if (l->fresh) {
        list_append(&c->loaded, &f->link);
        c->loaded_count++;
    }
    f->looked_ns = loop_now_ns();
    *out = held(c, f);
    return E_OK;
}

err catalogue_take(catalogue *c, str id, loaded_film **out)
{
    if (!film_id_valid(id))
        return E_NO_ENTRY;
    loaded_film *f = loaded_find(c, id);
    if (f && loop_now_ns() - f->looked_ns < millis(CATALOGUE_BELIEVED_MS)) {
        *out = held(c, f);
        return E_OK;
    }
    looking l = {.c = c, .id = id, .known = f ? held(c, f) : NULL};
    work(look_blocking, &l);
    return looked(c, &l, out);
}

void catalogue_give(catalogue *c, loaded_film *f)
{
    if (--f->users == 0 && f->gone)
        loaded_free(c, f);
}

// ---- the list ---------------------------------------------------------------------------------------------------------

static void put_rendition(buf *out, const media_rendition *r)
{
    static const char *const kinds[] = {"video", "audio", "images"};
    buf_put(out, S("{\"id\": "));
    json_put(out, r->id);
    buf_format(out, ", \"kind\": \"%s\", \"width\": %u, \"height\": %u, \"peak_bps\": %llu, \"average_bps\": %llu, "
                    "\"segments\": %d}", kinds[r->kind], r->width,
               r->height, (unsigned long long)r->peak_bps, (unsigned long long)r->average_bps, r->segment_count);
}

void catalogue_put(buf *out, const film *f)
{
    const media_presentation *p = &f->presentation;
    buf_put(out, S("{\"id\": "));
    json_put(out, f->id);
    buf_put(out, S(", \"title\": "));
    json_put(out, p->title);
    buf_format(out, ", \"duration_ms\": %llu, \"rate\": \"%s\", \"bytes\": %lld, \"added\": %lld",
               (unsigned long long)p->duration_ms,
               f->constant ? "cbr" : "vbr", (long long)film_bytes(f), (long long)f->added_s);
    static const struct { const char *key, *file; } links[] = {
        {"manifest", "manifest.mpd"}, {"ondemand", "ondemand.mpd"}, {"hls", "master.m3u8"}, {"poster", "poster.jpg"}};
    for (size_t i = 0; i < sizeof links / sizeof *links; i++)
        buf_format(out, ", \"%s\": \"/" STR_FMT "/%s\"", links[i].key, STR_ARG(f->id), links[i].file);
    buf_put(out, S(", \"renditions\": ["));
    for (int i = 0; i < p->rendition_count; i++) {
        buf_put(out, i ? S(", ") : S(""));
        put_rendition(out, &p->renditions[i]);
    }
    buf_put(out, S("]}"));
}

typedef struct { catalogue *c; buf out; bool first, anew; err error; uint64_t mark; } listing;

static void list_one(void *arg, const film *f)
{
    listing *l = arg;
    buf_put(&l->out, l->first ? S("\n") : S(",\n"));
    l->first = false;
    catalogue_put(&l->out, f);
}

// What tells cheaply that films have come or gone: their names, and the time of the directory.
static err mark_take(catalogue *c, uint64_t *mark)
{
    arena a = arena_make(NAMES_BYTES_MAX);
    str *names;
    int count = 0;
    file_stat st;
    err e = folder_stat(c->folder, "", &st);
    e = e ? e : dir_list(c->world, c->path, &a, &names, &count);
    *mark = e ? 0 : (uint64_t)st.modified_ns;
    for (int i = 0; !e && i < count; i++)
        *mark = str_hash(names[i], *mark);
    arena_free(&a);
    return e;
}

static void list_blocking(void *arg)
{
    listing *l = arg;
    uint64_t mark;
    int broken;
    l->error = mark_take(l->c, &mark);
    if (l->error || (mark == l->mark && !l->anew))
        return;
    l->mark = mark;
    l->out = buf_make(CATALOGUE_LIST_BYTES_MAX);
    buf_put(&l->out, S("{\"presentations\": ["));
    l->error = catalogue_walk(l->c->world, l->c->path, list_one, l, &broken);
    buf_put(&l->out, S("\n]}\n"));
    if (l->out.full)
        l->error = E_LIMIT;
}

err catalogue_list(catalogue *c, arena *a, str *json)
{
    if (!c->listed.len || loop_now_ns() - c->listed_ns >= millis(CATALOGUE_BELIEVED_MS)) {
        bool old = !c->listed.len || loop_now_ns() - c->listed_read_ns >= seconds(CATALOGUE_READ_AGAIN_S);
        listing l = {.c = c, .first = true, .anew = old, .mark = c->listed_mark};
        work(list_blocking, &l);
        if (!l.error && l.out.len) {
            buf_free(&c->listed);
            c->listed = l.out;
            c->listed_mark = l.mark;
            c->listed_read_ns = loop_now_ns();
        } else {
            buf_free(&l.out);
        }
        if (l.error)
            return l.error;
        c->listed_ns = loop_now_ns();
    }
    *json = str_copy(a, buf_str(&c->listed));
    return E_OK;
}
