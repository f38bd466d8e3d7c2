// What an earlier life left on the disk: records in order; the index again, without slices in memory.
#include <string.h>

#include "base/crc32c.h"
#include "base/heap_memory.h"
#include "base/map.h"
#include "base/must.h"
#include "rooms/edge/disk_inside.h"
#include "rt/log.h"
#include "rt/loop.h"
#include "rt/worker.h"

enum { FOUND_BYTES_MAX = 512 << 20, RECORDS_MAX = 4 << 20 };

typedef struct { disk_record record; uint32_t offset; str payload; } found_record;

// One segment, read on a worker.
typedef struct {
    disk    *d;
    uint32_t number;
    char     path[DISK_PATH_BYTES_MAX];
    file    *f;
    int64_t  bytes;                      // of intact records
    arena    memory;
    found_record *records;
    int      count, cap;
    bool     ours;
    err      error;
} finding;

static bool record_keep(finding *f, disk_record r, int64_t offset, str payload)
{
    if (f->count == RECORDS_MAX)
        return false;
    if (f->count == f->cap) {
        f->cap = f->cap ? f->cap * 2 : 256;
        f->records = memory_resize(f->records, (size_t)f->cap * sizeof *f->records);
    }
    f->records[f->count++] = (found_record){r, (uint32_t)offset, payload};
    return true;
}

// Slices' payloads are not read now: they are checked when they are used.
static bool payload_read(finding *f, const disk_record *r, int64_t at, str *out)
{
    size_t got;
    *out = (str){0};
    if (r->kind == DISK_SLICE || !r->bytes)
        return true;
    if (r->bytes > 4 * DESCRIPTION_BYTES_MAX)
        return false;
    unsigned char *into = arena_array(&f->memory, unsigned char, r->bytes);
    *out = str_of(into, r->bytes);
    return into && file_read(f->f, at, into, r->bytes, &got) == E_OK && got == r->bytes && crc32c(0, *out) == r->crc;
}

static void find_blocking(void *arg)
{
    finding *f = arg;
    unsigned char head[DISK_HEADER_BYTES];
    disk_record r;
    str payload;
    int64_t size = 0;
    size_t got;
    f->error = file_open(f->d->e->w, f->path, FILE_READ | FILE_WRITE, 0600, &f->f);
    if (!f->error)
        f->error = file_size(f->f, &size);
    for (int64_t at = 0; !f->error && file_read(f->f, at, head, sizeof head, &got) == E_OK && got == sizeof head; at = f->bytes) {
        if (!disk_header_read(str_of(head, sizeof head), &r) || r.bytes > SLICE_BYTES_MAX || at + DISK_HEADER_BYTES + r.bytes > size ||
            !payload_read(f, &r, at + DISK_HEADER_BYTES, &payload))
            break;
        if (at == 0)
            f->ours = r.kind == DISK_BEGIN && r.part == DISK_FORMAT && r.number == f->d->e->slice_bytes;
        if (!f->ours || !record_keep(f, r, at, payload))
            break;
        f->bytes = at + DISK_HEADER_BYTES + r.bytes;
    }
}

// ---- replaying --------------------------------------------------------------------------------------------------------------------

static str number_key(const object *o) { return str_of(&o->number, sizeof o->number); }

static void replay_object(disk *d, map *known, segment *s, const found_record *f)
{
    edge *e = d->e;
    str key;
    int64_t length;
    description *about = description_read(e, f->payload, &key, &length);
    object *o = map_get(known, str_of(&f->record.number, sizeof f->record.number));
    if (!about || length < 0 || length / e->slice_bytes >= SLICES_MAX) {
        description_drop(about);
        return;
    }
    if (f->record.number >= e->next_number)
        e->next_number = f->record.number + 1;
    if (about->policy.came_s > e->base_s)                // the wall clock was set back while we were away
        e->base_s = about->policy.came_s;
    if (o && o->of) {
        description_drop(o->about);
        o->about = about;
    } else if (!o) {
        resource *r = resource_take(e, key);
        if (!r || e->object_count >= e->objects_max) {
            if (r)
                resource_leave(e, r);
            description_drop(about);
            return;
        }
        o = object_new(e, r, about, length);             // the hand that is returned is the map's
        o->number = f->record.number;
        resource_leave(e, r);
        must(map_put(known, number_key(o), o));
    } else {
        description_drop(about);
        return;
    }
    list_remove(&o->in_segment);
    o->place = (disk_place){s->number, f->offset};
    list_append(&s->objects, &o->in_segment);
}

static void replay_slice(map *known, segment *s, const found_record *f)
{
    object *o = map_get(known, str_of(&f->record.number, sizeof f->record.number));
    uint32_t number = f->record.part;
    if (!o || !o->of || (int64_t)number * o->slice_bytes >= o->length || f->record.bytes != slice_size(o, number))
        return;
    slice *x = object_slice(o, number);
    if (!x)
        x = slice_begin(o, number);
    if (!x)
        return;
    list_remove(&x->in_segment);
    x->state = SLICE_WHOLE;
    x->len = f->record.bytes;
    x->crc = f->record.crc;
    x->place = (disk_place){s->number, f->offset};
    list_append(&s->slices, &x->in_segment);
}

static void replay_purge(edge *e, str text)
{
    bool soft = text.len > 1 && text.at[1] == 's';
    str what = str_from(text, 2);
    if (str_starts(text, S("A")))
        purge_all(e, soft);
    else if (str_starts(text, S("T")))
        purge_tag(e, what, soft);
    else
        purge_key(e, what, soft);
}

static void replay(disk *d, map *known, segment *s, const finding *f)
{
    for (int i = 0; i < f->count; i++) {
        const found_record *r = &f->records[i];
        object *o;
        switch (r->record.kind) {
        case DISK_OBJECT: replay_object(d, known, s, r); break;
        case DISK_SLICE:  replay_slice(known, s, r); break;
        case DISK_PURGE:  replay_purge(d->e, r->payload); break;
        case DISK_FORGET:
            o = map_get(known, str_of(&r->record.number, sizeof r->record.number));
            if (o)
                object_forget(o);
            break;
        case DISK_BEGIN:  break;
        }
    }
}

// ---- all --------------------------------------------------------------------------------------------------------------------------

typedef struct { disk *d; arena memory; str *names; int count; err error; } listing;

static void list_blocking(void *arg)
{
    listing *l = arg;
    l->error = dir_list(l->d->e->w, l->d->directory, &l->memory, &l->names, &l->count);
}

static void remove_blocking(void *arg)
{
    finding *f = arg;
    if (f->f)
        file_close(f->f);
    path_remove(f->d->e->w, f->path);
}

static void segment_find(disk *d, map *known, uint32_t number)
{
    finding f = {.d = d, .number = number, .memory = arena_make(FOUND_BYTES_MAX)};
    disk_path(d, number, f.path);
    work(find_blocking, &f);
    if (d->next <= number)
        d->next = number + 1;
    if (f.error || !f.ours || d->count >= SEGMENTS_MAX - 1)
        work(remove_blocking, &f);                       // of another form, or with slices of another size
    else
        replay(d, known, disk_segment_add(d, number, f.f, f.bytes), &f);
    arena_free(&f.memory);
    memory_free(f.records);
}

static bool gone(void *value, void *context)
{
    edge *e = context;
    object *o = value;
    if (o->of && ((o->slice_count == 0 && o->length != 0) || !object_servable(o)))
        object_forget(o);
    e->disk->found += o->of != NULL;
    object_leave(o);
    return true;
}

err disk_find(disk *d, str *why)
{
    listing l = {.d = d, .memory = arena_make(1 << 20)};
    map known = map_make(world_random_u64(d->e->w), 2 * OBJECTS_MAX);
    (void)why;
    edge_now_s(d->e);
    work(list_blocking, &l);
    for (int i = 0; i < l.count && !l.error; i++) {
        uint64_t number;
        if (str_to_u64(l.names[i], &number) && number > 0 && number < UINT32_MAX)
            segment_find(d, &known, (uint32_t)number);
    }
    map_remove_all_if(&known, gone, d->e);
    map_free(&known);
    arena_free(&l.memory);
    d->next++;                                           // nothing is appended to what an earlier life left
    return l.error;
}
