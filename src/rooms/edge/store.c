// The index, and the memory of slices. Eviction is S3-FIFO (Yang and others, SOSP 2023): most objects of a web or video workload are asked
// for once, so a slice begins in a small queue (a tenth) and reaches the main one only when somebody has asked again; that keeps a scan from
// washing out what is hot, costs no work on a hit but a counter, and needs no order by time.
#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"
#include "rooms/edge/edge_inside.h"
#include "rt/loop.h"

enum {
    BUCKETS_FIRST = 1024,
    SMALL_PART = 10,                     // the small queue's share: a tenth
    ASKED_MAX = 3,
    SPARED_MAX = 256,                    // slices passed over in one go because somebody still needs them: memory_max is then kept later
    GHOSTS = 1 << 14,                    // slices that went from the small queue: who comes again goes into the main one
    SLICE_POINTERS_FIRST = 4,
};

// ---- the clock ----------------------------------------------------------------------------------------------------------------

// A wall clock that steps forwards makes things older; one that steps back does not make them younger.
int64_t edge_now_s(edge *e)
{
    int64_t ns = loop_now_ns(), now = e->base_s + (ns - e->base_ns) / NS_PER_S;
    if (ns - e->base_ns >= NS_PER_S || e->base_ns == 0) {
        int64_t wall_ns = world_wall_ns(e->w);
        bool ahead = wall_ns / NS_PER_S > now;           // our seconds begin with its seconds
        now = ahead ? wall_ns / NS_PER_S : now;
        e->base_ns = ns - (ahead ? wall_ns % NS_PER_S : (ns - e->base_ns) % NS_PER_S);
        e->base_s = now;
    }
    return now;
}

// ---- pieces and descriptions --------------------------------------------------------------------------------------------------

piece *piece_new(edge *e, uint32_t bytes)
{
    if (e->piece_bytes + e->described_bytes + bytes > 2 * e->memory_max)
        return NULL;
    void *block = e->pages && bytes > e->slice_bytes / 2 ? pages_take(e->pages) : NULL;      // its pages may be huge: it counts whole
    if (block)
        bytes = e->slice_bytes;
    piece *p = memory_new(sizeof *p + (block ? 0 : bytes));
    *p = (piece){.holders = 1, .room = bytes, .of = e, .in_pages = block != NULL, .at = block ? block : (unsigned char *)(p + 1)};
    e->piece_bytes += bytes;
    return p;
}

void piece_drop(piece *p)
{
    if (!p || --p->holders > 0)
        return;
    p->of->piece_bytes -= p->room;
    gate_wake_one(&p->of->memory_came);
    if (p->in_pages)
        pages_give(p->of->pages, p->at);
    memory_free(p);
}

bool memory_is_short(const edge *e) { return e->piece_bytes + e->described_bytes > e->memory_max; }

// ---- resources ----------------------------------------------------------------------------------------------------------------

static resource **bucket_of(edge *e, uint64_t hash) { return &e->buckets[hash & (e->bucket_count - 1)]; }

static resource *bucket_find(edge *e, uint64_t hash, str key)
{
    for (resource *r = *bucket_of(e, hash); r; r = r->next)
        if (r->hash == hash && str_eq(resource_key(r), key))
            return r;
    return NULL;
}

resource *edge_resource_find(edge *e, str key) { return bucket_find(e, siphash(e->secret, key), key); }

static void buckets_grow(edge *e)
{
    size_t before = e->bucket_count;
    resource **old = e->buckets;
    e->bucket_count = before * 2;
    e->buckets = memory_zeroed(e->bucket_count, sizeof *e->buckets);
    for (size_t i = 0; i < before; i++)
        for (resource *r = old[i], *next; r; r = next) {
            next = r->next;
            r->next = *bucket_of(e, r->hash);
            *bucket_of(e, r->hash) = r;
        }
    memory_free(old);
}

// Counts like what is known of objects: a key may be long.
static int64_t resource_bytes(const resource *r) { return (int64_t)sizeof *r + r->key_len; }

resource *resource_take(edge *e, str key)
{
    uint64_t hash = siphash(e->secret, key);
    resource *r = bucket_find(e, hash, key);
    if (!r) {
        if (e->resource_count >= 2 * OBJECTS_MAX)
            return NULL;
        if (e->resource_count >= e->bucket_count)
            buckets_grow(e);
        r = memory_zeroed(1, sizeof *r + (size_t)key.len);
        r->hash = hash;
        r->key_len = (uint32_t)key.len;
        memcpy(r->key, key.at, (size_t)key.len);
        list_init(&r->objects);
        r->next = *bucket_of(e, hash);
        *bucket_of(e, hash) = r;
        e->resource_count++;
        e->described_bytes += resource_bytes(r);
    }
    r->users++;
    return r;
}

// What nobody uses and nothing is kept of is forgotten; a note to pass it on is worth little.
static void resource_settle(edge *e, resource *r)
{
    if (r->users > 0 || r->object_count > 0)
        return;
    resource **at = bucket_of(e, r->hash);
    while (*at != r)
        at = &(*at)->next;
    *at = r->next;
    e->resource_count--;
    e->described_bytes -= resource_bytes(r);
    memory_free(r);
}

void resource_leave(edge *e, resource *r)
{
    must(r->users > 0);
    r->users--;
    resource_settle(e, r);
}

object *resource_select(resource *r, const http_header *fields, int count, bool *has_others)
{
    buf key = buf_make(CACHE_VARY_KEY_BYTES_MAX);
    str made_for = {0};
    object *found = NULL;
    bool usable = false;
    *has_others = r->object_count > 0;
    for (list_link *k = list_first(&r->objects); k && !found; k = list_next(&r->objects, k)) {
        object *o = LIST_OF(k, object, in_resource);
        const description *d = o->about;
        if (d->vary.len && !(made_for.len && str_eq(made_for, d->vary))) {
            http_header vary = {S("Vary"), d->vary};
            buf_clear(&key);
            usable = cache_vary_key(&vary, 1, fields, count, &key);
            made_for = d->vary;
        }
        if (!d->vary.len || (usable && str_eq(buf_str(&key), d->vary_key)) || world_broken(o->e->w, "edge-no-vary"))
            found = o;
    }
    buf_free(&key);
    return found;
}

// ---- objects ------------------------------------------------------------------------------------------------------------------

// Which of the kept answers the same requests would select.
static object *object_same(resource *r, const description *about)
{
    for (list_link *k = list_first(&r->objects); k; k = list_next(&r->objects, k)) {
        object *o = LIST_OF(k, object, in_resource);
        if (str_eq(o->about->vary, about->vary) && str_eq(o->about->vary_key, about->vary_key))
            return o;
    }
    return NULL;
}

object *object_new(edge *e, resource *r, description *about, int64_t length)
{
    object *o = memory_zeroed(1, sizeof *o), *before;
    *o = (object){.e = e, .about = about, .length = length, .slice_bytes = e->slice_bytes, .number = e->next_number++, .holders = 1,
                  .fill_at = INT64_MAX};
    if (!r)
        return o;
    while ((before = object_same(r, about)))
        object_forget(before);
    if (r->object_count == VARIANTS_MAX)
        object_forget(LIST_OF(list_last(&r->objects), object, in_resource));
    o->of = r;
    o->holders++;                                        // the index
    list_prepend(&r->objects, &o->in_resource);
    list_append(&e->all, &o->in_all);
    r->object_count++;
    e->object_count++;
    memory_evict(e);
    return o;
}

static void slice_free(slice *s)
{
    object *o = s->of;
    if (list_linked(&s->queued)) {
        *(s->in_main ? &o->e->main_bytes : &o->e->small_bytes) -= s->bytes->room;
        list_remove(&s->queued);
    }
    disk_release_slice(o->e, s);
    memory_free(s->block_crcs);
    piece_drop(s->bytes);
    o->slices[s->number] = NULL;
    o->slice_count--;
    memory_free(s);
}

void object_leave(object *o)
{
    must(o->holders > 0);
    if (--o->holders > 0)
        return;
    must(!o->of && !o->readers && !o->fills);
    for (uint32_t i = 0; i < o->slice_cap; i++)
        if (o->slices[i])
            slice_free(o->slices[i]);
    o->e->described_bytes -= (int64_t)(o->slice_cap * sizeof *o->slices);
    memory_free(o->slices);
    disk_release_object(o->e, o);
    description_drop(o->about);
    memory_free(o);
}

void object_forget(object *o)
{
    resource *r = o->of;
    if (!r)
        return;
    edge *e = o->e;
    o->of = NULL;
    list_remove(&o->in_resource);
    list_remove(&o->in_all);
    r->object_count--;
    e->object_count--;
    disk_release_object(e, o);
    object_leave(o);
    resource_settle(e, r);
}

void object_describe(object *o, description *about)
{
    description_drop(o->about);
    o->about = about;
    if (o->of)
        disk_put_description(o->e, o);
}

bool object_resumable(const object *o)
{
    const validators *v = &o->about->valid;
    return o->length >= 0 && v->etag.len && !str_starts(v->etag, S("W/"));
}

bool object_servable(const object *o)
{
    return o->fills || object_resumable(o) || (o->length >= 0 && o->slice_count == (o->length + o->slice_bytes - 1) / o->slice_bytes);
}

// Who reads it learns that no more will come; nobody else gets it.
void object_fail(object *o)
{
    o->failed = true;
    gate_wake_all(&o->progress);
    object_forget(o);
}

// ---- slices -------------------------------------------------------------------------------------------------------------------

uint32_t slice_size(const object *o, uint32_t number)
{
    int64_t left = o->length - (int64_t)number * o->slice_bytes;
    return o->length < 0 || left > o->slice_bytes ? o->slice_bytes : left > 0 ? (uint32_t)left : 0;
}

static bool pointers_grow(object *o, uint32_t number)
{
    uint32_t cap = o->slice_cap ? o->slice_cap : SLICE_POINTERS_FIRST;
    if (number >= SLICES_MAX)
        return false;
    while (cap <= number)
        cap *= 2;
    o->e->described_bytes += (int64_t)((cap - o->slice_cap) * sizeof *o->slices);       // one byte of the end of a long film costs as much as all of it
    o->slices = memory_resize(o->slices, cap * sizeof *o->slices);
    memset(o->slices + o->slice_cap, 0, (cap - o->slice_cap) * sizeof *o->slices);
    o->slice_cap = cap;
    return true;
}

slice *slice_begin(object *o, uint32_t number)
{
    must(!object_slice(o, number));
    if (number >= o->slice_cap && !pointers_grow(o, number))
        return NULL;
    slice *s = memory_zeroed(1, sizeof *s);
    s->of = o;
    s->number = number;
    o->slices[number] = s;
    o->slice_count++;
    return s;
}

bool slice_room(slice *s, uint32_t bytes)
{
    edge *e = s->of->e;
    if (s->bytes && s->bytes->room >= bytes)
        return true;
    uint32_t whole = slice_size(s->of, s->number), size = s->of->length >= 0 ? whole : s->bytes ? s->bytes->room * 2 : FILL_FIRST_BYTES;
    while (size < bytes)
        size *= 2;
    if (size > whole)
        size = whole;
    must(size >= bytes);
    piece *p = piece_new(e, size);
    if (!p) {
        memory_evict(e);
        p = piece_new(e, size);
    }
    if (!p)
        return false;
    if (s->len)
        memcpy(p->at, s->bytes->at, s->len);
    piece_drop(s->bytes);
    s->bytes = p;
    return true;
}

static uint32_t ghost_of(const slice *s, size_t *at)
{
    uint64_t h = ((s->of->of ? s->of->of->hash : s->of->number) ^ s->number) * 0x9e3779b97f4a7c15ull;
    *at = (size_t)(h >> 32) % GHOSTS;
    return (uint32_t)h | 1;
}

static void slice_queue(slice *s)
{
    edge *e = s->of->e;
    size_t at;
    uint32_t ghost = ghost_of(s, &at);
    s->in_main = e->ghosts[at] == ghost;
    *(s->in_main ? &e->main_bytes : &e->small_bytes) += s->bytes->room;
    list_append(s->in_main ? &e->main : &e->small, &s->queued);
}

void slice_end(slice *s)
{
    edge *e = s->of->e;
    s->state = SLICE_WHOLE;
    if (s->bytes && s->bytes->room > s->len + s->len / 4 && s->len <= e->slice_bytes / 2) {      // the end came sooner than thought
        piece *fit = piece_new(e, s->len);
        if (fit) {
            memcpy(fit->at, s->bytes->at, s->len);
            piece_drop(s->bytes);
            s->bytes = fit;
        }
    }
    if (s->bytes) {
        slice_queue(s);
        if (s->of->of && s->of->length >= 0)             // else with its description, at the end
            disk_put_slice(e, s);
    }
    gate_wake_all(&s->of->progress);
    memory_evict(e);
}

void slice_forget(slice *s)
{
    object *o = s->of;
    slice_free(s);
    gate_wake_all(&o->progress);
    if (o->slice_count == 0 && o->length != 0 && !o->readers && !o->fills)
        object_forget(o);
}

void slice_touch(slice *s)
{
    if (s->asked < ASKED_MAX)
        s->asked++;
}

void slice_to_memory(slice *s, piece *p)
{
    if (s->bytes) {
        piece_drop(p);
        return;
    }
    s->bytes = p;
    slice_queue(s);
    memory_evict(s->of->e);
}

// ---- eviction -----------------------------------------------------------------------------------------------------------------

// Out of memory; what is on the disk stays there.
static void slice_evict(slice *s)
{
    edge *e = s->of->e;
    *(s->in_main ? &e->main_bytes : &e->small_bytes) -= s->bytes->room;
    list_remove(&s->queued);
    piece_drop(s->bytes);
    s->bytes = NULL;
    s->asked = 0;
    if (!s->place.segment && !s->writing)
        slice_forget(s);
}

// Who reads it has not come to it yet, and it could not be fetched alone. With several readers the slowest is not known.
static bool slice_is_needed(const slice *s)
{
    const object *o = s->of;
    return o->readers && !s->place.segment && !s->writing && !object_resumable(o) &&
           (o->readers > 1 || ((int64_t)s->number + 1) * o->slice_bytes > o->readers_at);
}

static void small_evict(edge *e, slice *s)
{
    if (s->asked) {
        list_remove(&s->queued);
        e->small_bytes -= s->bytes->room;
        e->main_bytes += s->bytes->room;
        s->asked = 0;
        s->in_main = true;
        list_append(&e->main, &s->queued);
        return;
    }
    size_t at;
    uint32_t ghost = ghost_of(s, &at);
    e->ghosts[at] = ghost;
    slice_evict(s);
}

static void main_evict(edge *e, slice *s)
{
    if (s->asked) {
        s->asked--;
        list_remove(&s->queued);
        list_append(&e->main, &s->queued);
    } else {
        slice_evict(s);
    }
}

static bool slices_evict_one(edge *e, int *spared)
{
    int64_t used = e->small_bytes + e->main_bytes;
    bool small = !list_empty(&e->small) && (e->small_bytes * SMALL_PART >= used || list_empty(&e->main));
    list *from = small ? &e->small : &e->main;
    list_link *first = list_first(from);
    if (!first || *spared == SPARED_MAX)
        return false;
    slice *s = LIST_OF(first, slice, queued);
    if (slice_is_needed(s)) {
        list_remove(&s->queued);
        list_append(from, &s->queued);
        ++*spared;
        return true;
    }
    small ? small_evict(e, s) : main_evict(e, s);
    return true;
}

// The oldest object that nobody asked for since the hand was here. What is in use is passed over.
static bool object_evict_one(edge *e)
{
    list_link *k;
    for (int64_t looked = 0; looked < 2 * e->object_count && (k = list_first(&e->all)); looked++) {
        object *o = LIST_OF(k, object, in_all);
        if (!o->asked && o->holders == 1) {
            object_forget(o);
            return true;
        }
        o->asked = false;
        list_remove(&o->in_all);
        list_append(&e->all, &o->in_all);
    }
    return false;
}

void memory_evict(edge *e)
{
    bool more = true;
    int spared = 0;
    while (more && (e->object_count > e->objects_max || e->described_bytes > e->memory_max / 2))
        more = object_evict_one(e);
    while (e->small_bytes + e->main_bytes + e->described_bytes > e->memory_max && slices_evict_one(e, &spared))
        ;
}

// ---- purges -------------------------------------------------------------------------------------------------------------------

uint64_t tag_hash(const edge *e, str tag) { return siphash(e->secret, tag); }

static bool object_has_tag(const object *o, uint64_t tag)
{
    for (int i = 0; i < o->about->tag_count; i++)
        if (o->about->tags[i] == tag)
            return true;
    return false;
}

void object_stale(object *o)
{
    cache_policy p = o->about->policy;
    int64_t age = cache_age_s(&p, edge_now_s(o->e));
    if (p.lifetime_s > age)
        p.lifetime_s = age;                              // no longer than that
    object_describe(o, description_with_policy(o->e, o->about, &p));
}

static void object_purge(object *o, bool soft)
{
    if (soft)
        object_stale(o);
    else
        object_forget(o);
}

int64_t purge_key(edge *e, str key, bool soft)
{
    resource *r = edge_resource_find(e, key);
    int64_t count = 0;
    e->purges++;
    if (!r)
        return 0;
    r->users++;
    r->purged = e->purges;
    for (list_link *k = list_first(&r->objects), *next; k; k = next, count++) {
        next = list_next(&r->objects, k);
        object_purge(LIST_OF(k, object, in_resource), soft);
    }
    resource_leave(e, r);
    return count;
}

static int64_t purge_objects(edge *e, const uint64_t *tag, bool soft)
{
    int64_t count = 0;
    for (list_link *k = list_first(&e->all), *next; k; k = next) {
        object *o = LIST_OF(k, object, in_all);
        next = list_next(&e->all, k);
        if (tag && !object_has_tag(o, *tag))
            continue;
        object_purge(o, soft);
        count++;
    }
    return count;
}

int64_t purge_tag(edge *e, str tag, bool soft)
{
    uint64_t hash = tag_hash(e, tag), number = ++e->purges;
    uint64_t lost = e->purge_tags[number % PURGES_KEPT].number;
    if (lost > e->purged_all)
        e->purged_all = lost;                            // we no longer know of which tag it was
    e->purge_tags[number % PURGES_KEPT].tag = hash;
    e->purge_tags[number % PURGES_KEPT].number = number;
    return purge_objects(e, &hash, soft);
}

int64_t purge_all(edge *e, bool soft)
{
    e->purged_all = ++e->purges;
    return purge_objects(e, NULL, soft);
}

bool purged_since(edge *e, const resource *r, const description *about, uint64_t number)
{
    if (r->purged > number || e->purged_all > number)
        return true;
    for (int i = 0; i < PURGES_KEPT && about->tag_count && e->purges > number; i++)
        for (int k = 0; k < about->tag_count && e->purge_tags[i].number > number; k++)
            if (about->tags[k] == e->purge_tags[i].tag)
                return true;
    return false;
}

// ---- beginning and end ----------------------------------------------------------------------------------------------------------

int64_t edge_objects_max(const edge *e)
{
    return e->memory_max / KEPT_BYTES_AN_OBJECT < OBJECTS_MAX ? e->memory_max / KEPT_BYTES_AN_OBJECT : OBJECTS_MAX;
}

void edge_store_open(edge *e)
{
    uint8_t key[SIPHASH_KEY_BYTES];
    world_random(e->w, key, sizeof key);
    e->secret = siphash_key_of(key);
    e->bucket_count = BUCKETS_FIRST;
    e->buckets = memory_zeroed(e->bucket_count, sizeof *e->buckets);
    e->ghosts = memory_zeroed(GHOSTS, sizeof *e->ghosts);
    e->objects_max = edge_objects_max(e);
    e->next_number = 1;
    e->pages = pages_new(e->w, e->slice_bytes, (size_t)(2 * e->memory_max / e->slice_bytes + 1));
    list_init(&e->all);
    list_init(&e->small);
    list_init(&e->main);
}

void edge_store_close(edge *e)
{
    for (list_link *k; e->all.ends.next && (k = list_first(&e->all)); )
        object_forget(LIST_OF(k, object, in_all));
    must(!e->buckets || e->resource_count == 0);
    memory_free(e->buckets);
    memory_free(e->ghosts);
    pages_free(e->pages);
}
