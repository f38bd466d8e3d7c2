// Slices on disk: a log of segments, written in order, dropped whole and oldest first; what is in memory when its segment goes is written
// again. A place is a number that we gave: no name from outside ever becomes a path. Nothing is trusted that does not pass its checksum, so a
// crash loses what was not synced and no more; a purge is synced before it is answered.
#include <stdio.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/heap_memory.h"
#include "base/must.h"
#include "rooms/edge/disk_inside.h"
#include "rooms/edge/meters.h"
#include "rt/log.h"
#include "rt/loop.h"
#include "rt/worker.h"

// ---- segments ---------------------------------------------------------------------------------------------------------------------

void disk_path(const disk *d, uint32_t number, char out[DISK_PATH_BYTES_MAX])
{
    must(snprintf(out, DISK_PATH_BYTES_MAX, "%s/%08u", d->directory, number) < DISK_PATH_BYTES_MAX);
}

segment *disk_segment(disk *d, uint32_t number)
{
    for (int i = 0; i < d->count; i++)
        if (d->segments[i]->number == number)
            return d->segments[i];
    return NULL;
}

segment *disk_segment_add(disk *d, uint32_t number, file *f, int64_t bytes)
{
    must(d->count < SEGMENTS_MAX);
    segment *s = memory_zeroed(1, sizeof *s);
    s->number = number;
    s->f = f;
    s->bytes = bytes;
    list_init(&s->slices);
    list_init(&s->objects);
    d->segments[d->count++] = s;
    d->bytes += bytes;
    return s;
}

typedef struct { disk *d; segment *s; char path[DISK_PATH_BYTES_MAX]; } removal;

static void remove_blocking(void *arg)
{
    removal *r = arg;
    path_remove(r->d->e->w, r->path);
}

static void close_blocking(void *arg) { file_close(arg); }

static void segment_free(segment *s)
{
    work(close_blocking, s->f);
    memory_free(s);
}

static void slices_leave(disk *d, segment *s)
{
    for (list_link *k; (k = list_take(&s->slices)); ) {
        slice *x = LIST_OF(k, slice, in_segment);
        object *o = object_hold(x->of);
        x->place.segment = 0;
        if (x->bytes && o->of)
            disk_put_slice(d->e, x);
        else if (!x->bytes && !x->writing)
            slice_forget(x);
        object_leave(o);
    }
}

static void objects_leave(disk *d, segment *s)
{
    for (list_link *k; (k = list_take(&s->objects)); ) {
        object *o = LIST_OF(k, object, in_segment);
        o->place.segment = 0;
        if (o->of)
            disk_put_description(d->e, o);
    }
}

void disk_segment_drop(disk *d, segment *s)
{
    removal r = {.d = d, .s = s};
    int at = 0;
    while (d->segments[at] != s)
        at++;
    memmove(&d->segments[at], &d->segments[at + 1], (size_t)(d->count - at - 1) * sizeof *d->segments);
    d->count--;
    d->bytes -= s->bytes;
    slices_leave(d, s);
    objects_leave(d, s);
    disk_path(d, s->number, r.path);
    work(remove_blocking, &r);
    s->doomed = true;
    if (!s->users)
        segment_free(s);
}

// ---- wishes -----------------------------------------------------------------------------------------------------------------------

static bool wish_put(disk *d, disk_record record, object *o, piece *bytes, str text, bool important)
{
    int64_t size = DISK_HEADER_BYTES + record.bytes;
    bool resting = loop_now_ns() < d->rest_until_ns;
    if (d->ending || d->waiting == WISHES_MAX || (!important && (resting || d->waiting_bytes + size > WISHES_BYTES_MAX))) {
        d->dropped += !d->ending;
        return false;
    }
    wish *w = &d->wishes[(d->first + d->waiting++) % WISHES_MAX];
    *w = (wish){.record = record, .o = o ? object_hold(o) : NULL, .bytes = bytes ? piece_hold(bytes) : NULL};
    if (text.len) {
        w->text = memory_new((size_t)text.len);
        memcpy(w->text, text.at, (size_t)text.len);
        w->text_bytes = (size_t)text.len;
    }
    d->waiting_bytes += size;
    d->wished++;
    gate_wake_one(&d->wake);
    return true;
}

void disk_put_slice(edge *e, slice *s)
{
    disk_record r = {DISK_SLICE, s->of->number, s->number, s->len, 0};
    if (e->disk && !s->writing && !s->place.segment)
        s->writing = wish_put(e->disk, r, s->of, s->bytes, (str){0}, false);
}

void disk_put_description(edge *e, object *o)
{
    if (!e->disk || o->describing || o->length < 0)
        return;
    buf out = buf_make(2 * DESCRIPTION_BYTES_MAX + 3 * URL_BYTES_MAX);
    description_write(o->about, resource_key(o->of), o->length, &out);
    disk_record r = {DISK_OBJECT, o->number, 0, (uint32_t)out.len, 0};
    if (!out.full)
        wish_put(e->disk, r, o, NULL, buf_str(&out), false);
    buf_free(&out);
}

void disk_release_slice(edge *e, slice *s)
{
    (void)e;
    list_remove(&s->in_segment);
    s->place.segment = 0;
}

void disk_release_object(edge *e, object *o)
{
    bool was_there = o->place.segment != 0;
    list_remove(&o->in_segment);
    o->place.segment = 0;
    if (was_there && e->disk)
        wish_put(e->disk, (disk_record){DISK_FORGET, o->number, 0, 0, 0}, NULL, NULL, (str){0}, true);
}

// ---- checksums --------------------------------------------------------------------------------------------------------------------

// Of each block of WINDOW_BYTES, so that one can be read alone.
static uint32_t *block_crcs_new(str bytes)
{
    uint32_t *crcs = memory_new((size_t)(bytes.len / WINDOW_BYTES + 1) * sizeof *crcs);
    for (ptrdiff_t i = 0; i * WINDOW_BYTES < bytes.len; i++)
        crcs[i] = crc32c(0, str_sub(bytes, i * WINDOW_BYTES, WINDOW_BYTES));
    return crcs;
}

// ---- writing ----------------------------------------------------------------------------------------------------------------------

typedef struct {
    disk    *d;
    segment *into;
    file    *fresh;                      // into is new: its file
    char     path[DISK_PATH_BYTES_MAX];
    wish     wishes[BATCH_MAX];
    uint32_t offsets[BATCH_MAX];
    int      count;
    int64_t  bytes;
    bool     sync;
    file    *to;
    int64_t  at;
    err      error;
} batch;

static void batch_blocking(void *arg)
{
    batch *b = arg;
    unsigned char heads[BATCH_MAX][DISK_HEADER_BYTES];
    struct iovec parts[2 * BATCH_MAX];
    int n = 0;
    for (int i = 0; i < b->count; i++) {
        wish *w = &b->wishes[i];
        str payload = w->bytes ? str_of(w->bytes->at, w->record.bytes) : str_of(w->text, w->text_bytes);
        w->record.crc = crc32c(0, payload);
        w->block_crcs = w->bytes ? block_crcs_new(payload) : NULL;
        disk_header_write(&w->record, heads[i]);
        parts[n++] = (struct iovec){heads[i], DISK_HEADER_BYTES};
        if (payload.len)
            parts[n++] = (struct iovec){(void *)(uintptr_t)payload.at, (size_t)payload.len};
    }
    b->error = n ? file_write(b->to, b->at, parts, n) : E_OK;
    if (!b->error && b->sync)
        b->error = file_sync(b->to);
}

static void fresh_blocking(void *arg)
{
    batch *b = arg;
    unsigned char head[DISK_HEADER_BYTES];
    disk_record r = {DISK_BEGIN, b->d->e->slice_bytes, DISK_FORMAT, 0, 0};
    struct iovec v = {head, sizeof head};
    disk_header_write(&r, head);
    b->error = file_open(b->d->e->w, b->path, FILE_READ | FILE_WRITE | FILE_CREATE | FILE_TRUNCATE, 0600, &b->fresh);
    if (!b->error)
        b->error = file_write(b->fresh, 0, &v, 1);
    if (!b->error)
        b->error = dir_sync(b->d->e->w, b->d->directory);
}

static void sync_blocking(void *arg)
{
    batch *b = arg;
    b->error = file_sync(b->to);
}

static segment *newest(disk *d) { return d->count ? d->segments[d->count - 1] : NULL; }

// A segment with room for the batch.
static bool segment_ready(disk *d, batch *b)
{
    segment *s = newest(d);
    if (s && s->bytes + b->bytes <= d->segment_bytes && s->number + 1 == d->next)
        return true;
    if (s && d->unsynced) {
        b->to = s->f;
        work(sync_blocking, b);
    }
    while (d->count && (d->count >= SEGMENTS_MAX - 1 || d->bytes + d->segment_bytes > d->bytes_max))
        disk_segment_drop(d, d->segments[0]);
    disk_path(d, d->next, b->path);
    work(fresh_blocking, b);
    if (b->error) {
        if (b->fresh)
            work(close_blocking, b->fresh);
        return false;
    }
    disk_segment_add(d, d->next++, b->fresh, DISK_HEADER_BYTES);
    return true;
}

static void batch_take(disk *d, batch *b)
{
    while (d->waiting && b->count < BATCH_MAX && b->bytes < BATCH_BYTES_MAX) {
        wish w = d->wishes[d->first];
        int64_t size = DISK_HEADER_BYTES + w.record.bytes;
        if (b->count && b->bytes + size > d->segment_bytes - DISK_HEADER_BYTES)
            break;
        d->first = (d->first + 1) % WISHES_MAX;
        d->waiting--;
        d->waiting_bytes -= size;
        b->offsets[b->count] = (uint32_t)b->bytes;
        b->wishes[b->count++] = w;
        b->bytes += size;
    }
}

// What was written has its place, if it is still wanted.
static void wish_done(segment *s, wish *w, uint32_t offset, bool good)
{
    object *o = w->o;
    slice *x = o && w->record.kind == DISK_SLICE ? object_slice(o, w->record.part) : NULL;
    disk_place place = {s ? s->number : 0, offset};
    if (x && x->writing) {
        x->writing = false;
        x->crc = w->record.crc;
        if (good && o->of && x->state == SLICE_WHOLE && x->len == w->record.bytes) {
            x->place = place;
            memory_free(x->block_crcs);
            x->block_crcs = w->block_crcs;
            w->block_crcs = NULL;
            list_append(&s->slices, &x->in_segment);
        } else if (!x->bytes) {
            slice_forget(x);
        }
    }
    if (o && o->of && good && w->record.kind == DISK_OBJECT) {
        list_remove(&o->in_segment);
        o->place = place;
        list_append(&s->objects, &o->in_segment);
    }
    if (o)
        object_leave(o);
    piece_drop(w->bytes);
    memory_free(w->block_crcs);
    memory_free(w->text);
}

static void write_once(disk *d, bool sync)
{
    batch *b = memory_zeroed(1, sizeof *b);
    b->d = d;
    b->sync = sync;
    batch_take(d, b);
    segment *s = (b->count || newest(d)) && segment_ready(d, b) ? newest(d) : NULL;
    if (s) {
        b->to = s->f;
        b->at = s->bytes;
        work(batch_blocking, b);
    }
    bool good = s && !b->error;
    int64_t base = s ? s->bytes : 0;
    if (good) {
        s->bytes += b->bytes;
        d->bytes += b->bytes;
        d->writes += b->count;
        d->unsynced = !sync && (d->unsynced || b->count);
    }
    for (int i = 0; i < b->count; i++)
        wish_done(s, &b->wishes[i], (uint32_t)base + b->offsets[i], good);
    d->written += (uint64_t)b->count;
    if (good && sync) {
        d->safe = d->written;
        d->synced_ns = loop_now_ns();
    }
    d->error = b->error;
    if (b->error) {
        d->failures++;
        meter_add(&edge_disk_failed, 1);
        log_line("edge", LOG_WARNING, "disk", F_STR("why", str_z(err_text(b->error))), F_INT("records_lost", b->count));
        d->rest_until_ns = loop_now_ns() + seconds(REST_S);
        d->safe = d->written;                            // nobody waits for what will not come
        d->next++;                                       // the next record begins a new segment: what this one holds is unknown
    }
    memory_free(b);
    gate_wake_all(&d->settled);
}

static void writer_run(void *arg)
{
    disk *d = arg;
    fiber_world(d->e->w);
    while (!fiber_canceled() && !d->ending) {
        int64_t due_ns = d->synced_ns + seconds(SYNC_S);
        if (!d->waiting && !d->sync_wanted)
            gate_wait(&d->wake, d->unsynced ? due_ns : NEVER_NS, "records for the disk");
        if (fiber_canceled() || d->ending)
            break;
        bool sync = d->sync_wanted || (d->unsynced && loop_now_ns() >= due_ns);
        if (d->waiting <= BATCH_MAX)
            d->sync_wanted = false;
        if (d->waiting || sync)
            write_once(d, sync);
    }
}

err disk_put_purge(edge *e, str key, str tag, bool all, bool soft)
{
    disk *d = e->disk;
    if (!d || world_broken(e->w, "edge-lose-purge"))
        return E_OK;
    buf text = buf_make(2 * URL_BYTES_MAX);
    buf_put(&text, all ? S("A") : tag.len ? S("T") : S("U"));
    buf_put(&text, soft ? S("s") : S("h"));
    buf_put(&text, tag.len ? tag : key);
    bool put = !text.full && wish_put(d, (disk_record){DISK_PURGE, 0, 0, (uint32_t)text.len, 0}, NULL, NULL, buf_str(&text), true);
    buf_free(&text);
    if (!put)
        return E_LIMIT;
    uint64_t mine = d->wished;
    while (d->safe < mine) {
        d->sync_wanted = true;
        gate_wake_one(&d->wake);
        err x = gate_wait(&d->settled, loop_now_ns() + seconds(WAIT_S_MAX), "a purge to be on the disk");
        if (x)
            return x;
    }
    return d->error;
}

// ---- reading ----------------------------------------------------------------------------------------------------------------------

typedef struct { file *f; int64_t at; unsigned char *into; uint32_t bytes, crc, *block_crcs; bool whole; err error; } reading;

static void read_blocking(void *arg)
{
    reading *r = arg;
    size_t got;
    r->error = file_read(r->f, r->at, r->into, r->bytes, &got);
    if (!r->error && (got != r->bytes || crc32c(0, str_of(r->into, r->bytes)) != r->crc))
        r->error = E_CORRUPT;
    if (!r->error && r->whole)
        r->block_crcs = block_crcs_new(str_of(r->into, r->bytes));
}

// A segment stays while it is read, also when it is dropped meanwhile.
static void segment_read(segment *from, reading *r)
{
    from->users++;
    work(read_blocking, r);
    from->users--;
    if (from->doomed && !from->users)
        segment_free(from);
}

err disk_load(edge *e, object *o, uint32_t number)
{
    disk *d = e->disk;
    slice *s = object_slice(o, number);
    if (s && s->loading)
        return gate_wait(&o->progress, loop_now_ns() + seconds(WAIT_S_MAX), "a slice from the disk");
    segment *from = d && s && s->place.segment ? disk_segment(d, s->place.segment) : NULL;
    if (!from && s && s->writing)                        // on its way: soon it has a place
        return gate_wait(&d->settled, loop_now_ns() + seconds(WAIT_S_MAX), "a slice on its way to the disk");
    if (!from) {
        if (s && s->state == SLICE_WHOLE && !s->bytes)
            slice_forget(s);
        return E_AGAIN;
    }
    piece *p = piece_new(e, s->len ? s->len : 1);
    if (!p)
        return E_LIMIT;
    reading r = {.f = from->f, .at = (int64_t)s->place.offset + DISK_HEADER_BYTES, .into = p->at, .bytes = s->len, .crc = s->crc, .whole = true};
    s->loading = true;
    segment_read(from, &r);
    s = object_slice(o, number);                         // the one we hold o for; it may have been forgotten meanwhile
    if (!s || !s->loading) {
        memory_free(r.block_crcs);
        piece_drop(p);
        return E_AGAIN;
    }
    s->loading = false;
    if (r.error) {
        piece_drop(p);
        d->damaged++;
        meter_add(&edge_damaged, 1);
        log_line("edge", LOG_WARNING, "damaged-slice", F_INT("segment", s->place.segment), F_STR("why", str_z(err_text(r.error))));
        if (!s->bytes)
            slice_forget(s);
        return E_AGAIN;
    }
    memory_free(s->block_crcs);
    s->block_crcs = r.block_crcs;
    slice_to_memory(s, p);
    gate_wake_all(&o->progress);
    return E_OK;
}

piece *disk_window(edge *e, object *o, uint32_t number, uint32_t off)
{
    slice *s = object_slice(o, number);
    segment *from = e->disk && s && s->place.segment && s->block_crcs ? disk_segment(e->disk, s->place.segment) : NULL;
    uint32_t block = off / WINDOW_BYTES, first = block * WINDOW_BYTES, bytes = s ? s->len - first : 0;
    if (bytes > WINDOW_BYTES)
        bytes = WINDOW_BYTES;
    piece *p = from ? piece_new(e, bytes) : NULL;
    if (!p)
        return NULL;
    reading r = {.f = from->f, .at = (int64_t)s->place.offset + DISK_HEADER_BYTES + first, .into = p->at, .bytes = bytes, .crc = s->block_crcs[block]};
    segment_read(from, &r);
    if (!r.error)
        return p;
    s = object_slice(o, number);
    if (s) {                                             // loading it will find the damage
        memory_free(s->block_crcs);
        s->block_crcs = NULL;
    }
    piece_drop(p);
    return NULL;
}

disk_figures disk_figures_now(const edge *e)
{
    const disk *d = e->disk;
    if (!d)
        return (disk_figures){0};
    return (disk_figures){d->bytes, d->bytes_max, d->count, d->writes, d->dropped, d->damaged, d->found, d->failures, d->error};
}

// ---- beginning and end ------------------------------------------------------------------------------------------------------------

static void make_blocking(void *arg)
{
    disk *d = arg;
    d->error = dir_make(d->e->w, d->directory, 0700);
}

err disk_open(edge *e, int64_t bytes_max, str *why)
{
    disk *d = memory_zeroed(1, sizeof *d);
    e->disk = d;
    d->e = e;
    d->bytes_max = bytes_max;
    d->directory = room_path(e->room, e->room->memory, S("slices"));
    d->segment_bytes = bytes_max / SEGMENTS;
    int64_t least = 2ll * e->slice_bytes > SEGMENT_BYTES_MIN ? 2ll * e->slice_bytes : SEGMENT_BYTES_MIN;
    if (bytes_max < 2 * least) {
        *why = str_format(e->room->memory, "edge: disk is 0, or at least %lld bytes (four slices)", (long long)(2 * least));
        return E_LIMIT;
    }
    if (d->segment_bytes < least)
        d->segment_bytes = least;
    if (d->segment_bytes > SEGMENT_BYTES_MAX)
        d->segment_bytes = SEGMENT_BYTES_MAX;
    d->next = 1;
    work(make_blocking, d);
    err x = d->error;
    d->ending = true;                                    // what is found is not written again
    if (!x)
        x = disk_find(d, why);
    d->ending = false;
    if (x && !why->len)
        *why = str_format(e->room->memory, "edge: cannot use its directory %s: %s", d->directory, err_text(x));
    d->error = E_OK;
    return x ? x : scope_go(e->room->scope, "edge disk", writer_run, d);
}

void disk_close(edge *e)
{
    disk *d = e->disk;
    if (!d)
        return;
    bool sync = true;
    while ((d->waiting || (d->unsynced && sync)) && loop_now_ns() >= d->rest_until_ns) {
        sync = d->waiting <= BATCH_MAX;
        write_once(d, sync);
    }
    d->ending = true;
    while (d->waiting) {
        wish w = d->wishes[d->first];
        d->first = (d->first + 1) % WISHES_MAX;
        d->waiting--;
        wish_done(NULL, &w, 0, false);
    }
}

// When the index is empty.
void disk_free(edge *e)
{
    disk *d = e->disk;
    if (!d)
        return;
    e->disk = NULL;
    for (int i = 0; i < d->count; i++)
        segment_free(d->segments[i]);
    memory_free(d);
}
