// Asking the origin for what is to be kept, once for all who wait; and the fibers that fill slices while readers take from them.
#include <stdio.h>
#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"
#include "rooms/edge/edge_inside.h"
#include "rt/log.h"
#include "rt/loop.h"

// Dynamic thresholds (Choudhury and Hahne 1998): of n greedy sites each has an n+1st of all, and as much is left for the next one.
bool fill_allowed(const edge *e, const site *s) { return !e->stopping && s->fills < FILLS_MAX - e->fills; }

err edge_go(edge *e, site *s, const char *label, fiber_body *body, void *arg)
{
    if (!fill_allowed(e, s))
        return E_LIMIT;
    err x = scope_try_go(e->room->scope, label, body, arg);
    e->fills += x == E_OK;
    s->fills += x == E_OK;
    return x;
}

void edge_gone(edge *e, site *s)
{
    e->fills--;
    s->fills--;
}

// ---- fills ----------------------------------------------------------------------------------------------------------------------

typedef struct {
    object       *o;
    site         *s;
    origin_answer from;
    int64_t       at;                    // of the whole: the next byte that comes
    int64_t       end;                   // the slices from here on are not ours; INT64_MAX: until the end of the body
    uint32_t      first, count;          // slices that were promised (a fetch of slices)
    bool          whole;                 // from the first byte to the last
    bool          was_read;              // somebody has come for it
} fill;

// Asked while the origin is silent: who came for it has left, and nobody else came.
static bool fill_wanted(void *arg)
{
    fill *f = arg;
    f->was_read |= f->o->readers > 0;
    return !f->was_read || f->o->readers > 0;
}

// Nobody reads it and it is not nearly there: no more is asked for than somebody wants.
static bool fill_may_go_on(fill *f)
{
    object *o = f->o;
    int64_t ahead = (int64_t)FILL_AHEAD_SLICES * o->slice_bytes;
    while (f->whole && !o->failed && f->at >= o->readers_at + ahead) {
        if (!o->readers || gate_wait(&o->progress, loop_now_ns() + seconds(WAIT_S_MAX), "readers of a filling slice") != E_OK)
            return false;
    }
    return !o->failed;
}

static bool memory_wait(slice *s, uint32_t bytes)
{
    edge *e = s->of->e;
    int64_t until_ns = loop_now_ns() + seconds(ORIGIN_GRACE_S);
    while (!slice_room(s, bytes))
        if (gate_wait(&e->memory_came, until_ns, "memory for a slice") != E_OK)
            return false;
    return true;
}

static slice *fill_slice(fill *f)
{
    uint32_t number = (uint32_t)(f->at / f->o->slice_bytes);
    slice *s = object_slice(f->o, number);
    if (s && (s->state == SLICE_WHOLE || s->len != f->at % f->o->slice_bytes))
        return NULL;                                     // it came another way
    return s ? s : slice_begin(f->o, number);
}

// Puts a part of the body where it belongs. False: no more of it is wanted, or nowhere to put it.
static bool fill_put(fill *f, str part)
{
    object *o = f->o;
    while (part.len) {
        if (f->at >= f->end || (o->length >= 0 && f->at + part.len > o->length))
            return false;
        if (f->at % o->slice_bytes == 0 && !fill_may_go_on(f))
            return false;
        slice *s = fill_slice(f);
        uint32_t off = (uint32_t)(f->at % o->slice_bytes);
        ptrdiff_t n = part.len < (ptrdiff_t)(o->slice_bytes - off) ? part.len : (ptrdiff_t)(o->slice_bytes - off);
        if (!s || o->e->object_bytes_max < f->at + n || !memory_wait(s, off + (uint32_t)n))
            return false;
        memcpy(s->bytes->at + off, part.at, (size_t)n);
        s->len += (uint32_t)n;
        f->at += n;
        if (f->whole)
            o->fill_at = f->at;
        part = str_from(part, n);
        if (s->len == slice_size(o, s->number))
            slice_end(s);
    }
    gate_wake_all(&o->progress);
    return true;
}

// What was begun and will not be finished by us. Of a body that has ended the last slice is whole as it is.
static void fill_settle(fill *f, bool good)
{
    object *o = f->o;
    slice *last = object_slice(o, (uint32_t)(f->at / o->slice_bytes));
    if (good && o->length < 0) {
        o->length = f->at;
        if (o->of)                                       // before its slices: who reads the disk must know whose they are
            disk_put_description(o->e, o);
        if (last && last->state == SLICE_FILLING)
            slice_end(last);
        for (uint32_t i = 0; i < o->slice_cap && o->of; i++)
            if (object_slice(o, i) && object_slice(o, i)->bytes)
                disk_put_slice(o->e, object_slice(o, i));
        gate_wake_all(&o->progress);
        return;
    }
    if (last && last->state == SLICE_FILLING && (f->whole || (last->number >= f->first && last->number < f->first + f->count)))
        slice_forget(last);
    for (uint32_t i = f->first; i < f->first + f->count; i++) {
        slice *s = object_slice(o, i);
        if (s && s->state == SLICE_FILLING)
            slice_forget(s);
    }
}

static void fill_run(void *arg)
{
    fill *f = arg;
    object *o = f->o;
    edge *e = o->e;
    bool good = true;
    fiber_world(e->w);
    f->from.wanted = fill_wanted;
    f->from.wanted_arg = f;
    for (str part; good && (part = body_next(&f->from)).len; )
        good = fill_put(f, part);
    good = good && f->from.ended && (o->length < 0 || f->at == o->length || f->at == f->end);
    if (!good)
        f->from.ended = false;                           // the connection carries bytes that nobody wants
    bool all_there = good || object_resumable(o);
    fill_settle(f, good);
    o->fills--;
    if (f->whole)
        o->fill_at = INT64_MAX;
    if (!all_there)
        object_fail(o);
    gate_wake_all(&o->progress);
    origin_done(e, &f->from);
    object_leave(o);
    edge_gone(e, f->s);
    memory_free(f);
}

// Takes the answer over (its body goes into o from `at`).
static void fill_start(object *o, site *s, origin_answer *a, int64_t at, int64_t end, bool whole)
{
    fill *f = memory_zeroed(1, sizeof *f);
    *f = (fill){.o = object_hold(o), .s = s, .from = *a, .at = at, .end = end, .whole = whole};
    f->from.in.head.headers = NULL;                      // its lines belong to the request
    f->from.in.head.header_count = 0;
    a->link = NULL;
    o->fills++;
    if (whole)
        o->fill_at = at;
    if (!whole) {
        f->first = (uint32_t)(at / o->slice_bytes);
        f->count = (uint32_t)((end - at + o->slice_bytes - 1) / o->slice_bytes);
        for (uint32_t i = f->first; i < f->first + f->count; i++)
            if (!object_slice(o, i))
                slice_begin(o, i);
    }
    if (edge_go(o->e, s, "edge fill", fill_run, f) != E_OK) {
        origin_answer left = f->from;
        left.ended = false;
        fill_settle(f, false);
        o->fills--;
        o->fill_at = INT64_MAX;
        origin_done(o->e, &left);
        object_fail(o);
        object_leave(o);
        memory_free(f);
    }
}

// ---- slices of what is known ----------------------------------------------------------------------------------------------------

typedef struct { object *o; site *s; uint32_t first, count; str target; arena memory; bool secure; } slice_wish;

// The fields that selected a variant, out of its key (cache_vary_key): slices of it are asked for with them again.
static int fields_selecting(str vary_key, http_header *out, int max)
{
    int n = 0;
    while (vary_key.len && n < max) {
        str value = str_cut(&vary_key, '\n'), line = value, name = str_cut(&value, ':');
        if (name.len == line.len)
            continue;                                    // "name-": the request had none
        if (str_ends(value, S(",")))
            value.len--;
        out[n++] = (http_header){name, value};
    }
    return n;
}

static bool slices_ask(slice_wish *w, origin_answer *a)
{
    object *o = w->o;
    edge *e = o->e;
    int64_t first = (int64_t)w->first * o->slice_bytes, last = first + (int64_t)w->count * o->slice_bytes - 1;
    if (last >= o->length)
        last = o->length - 1;
    request q = {.msg = &w->memory, .secure = w->secure};
    http_head none = {0};
    conn nobody = {0};
    q.h = &none;
    q.c = &nobody;
    http_header fields[8 + CACHE_VARY_FIELDS_MAX];
    int n = fields_forward(e, &q, true, fields, 6, &w->memory);
    n += fields_selecting(o->about->vary_key, fields + n, CACHE_VARY_FIELDS_MAX);
    fields[n++] = (http_header){S("Range"), str_format(&w->memory, "bytes=%lld-%lld", (long long)first, (long long)last)};
    if (!world_broken(e->w, "edge-join"))
        fields[n++] = (http_header){S("If-Range"), o->about->valid.etag};
    question ask = {.method = S("GET"), .target = w->target, .fields = fields, .field_count = n, .body_bytes = -1};
    byte_range part;
    int64_t length;
    bool good = origin_ask(e, w->s, &ask, &w->memory, a) && a->in.head.status == 206 &&
                content_range_read(http_header_find(a->in.head.headers, a->in.head.header_count, S("Content-Range")), &part, &length) &&
                part.first == first && part.last == last && length == o->length &&
                str_eq(http_header_find(a->in.head.headers, a->in.head.header_count, S("ETag")), o->about->valid.etag);
    if (world_broken(e->w, "edge-join"))
        good = a->in.head.status == 206 && part.first == first && part.last == last;
    if (a->link && !good && (a->in.head.status == 200 || a->in.head.status == 206 || a->in.head.status == 404 || a->in.head.status == 410 ||
                             a->in.head.status == 416)) {
        object_forget(o);                                // the origin has another one now: what is missing will never come
        o->slice_failures = SLICE_FAILURES_MAX;
    }
    return good;
}

static void slices_run(void *arg)
{
    slice_wish *w = arg;
    object *o = w->o;
    edge *e = o->e;
    origin_answer a = {0};
    fiber_world(e->w);
    fill f = {.o = o, .at = (int64_t)w->first * o->slice_bytes, .first = w->first, .count = w->count,
              .end = ((int64_t)w->first + w->count) * o->slice_bytes};
    if (f.end > o->length)
        f.end = o->length;
    bool good = slices_ask(w, &a);
    f.from = a;
    for (str part; good && (part = body_next(&f.from)).len; )
        good = fill_put(&f, part);
    good = good && f.at == f.end;
    f.from.ended &= good;
    fill_settle(&f, good);
    o->fills--;
    o->slice_failures = good ? 0 : o->slice_failures + 1;
    o->slice_pause_ns = loop_now_ns() + seconds(SLICE_PAUSE_S);
    gate_wake_all(&o->progress);
    origin_done(e, &f.from);
    object_leave(o);
    arena_free(&w->memory);
    edge_gone(e, w->s);
    memory_free(w);
}

bool slice_fetch(object *o, site *s, str target, bool secure, uint32_t number, uint32_t count)
{
    if (!object_resumable(o) || o->failed)
        return false;
    uint32_t all = (uint32_t)((o->length + o->slice_bytes - 1) / o->slice_bytes), n = 0;
    while (n < count && number + n < all && !object_slice(o, number + n))
        n++;
    if (!n)
        return true;
    slice_wish *w = memory_zeroed(1, sizeof *w);
    *w = (slice_wish){.o = object_hold(o), .s = s, .first = number, .count = n, .secure = secure,
                      .memory = arena_make(REQUEST_MEMORY_BYTES_MAX)};
    w->target = str_copy(&w->memory, target);
    bool made = true;
    for (uint32_t i = 0; i < n; i++)
        made &= slice_begin(o, number + i) != NULL;
    o->fills++;
    if (made && edge_go(o->e, s, "edge slice", slices_run, w) == E_OK)
        return true;
    o->fills--;
    for (uint32_t i = 0; i < n; i++)
        if (object_slice(o, number + i))
            slice_forget(object_slice(o, number + i));
    object_leave(o);
    arena_free(&w->memory);
    memory_free(w);
    return false;
}

// ---- fetches --------------------------------------------------------------------------------------------------------------------

void fetch_leave(fetch *f)
{
    if (--f->holders > 0)
        return;
    if (f->got)
        object_leave(f->got);
    memory_free(f);
}

static bool explicit_only(int status)                    // errors are not kept unless the origin says for how long
{
    return status == 400 || status == 403 || status == 413 || status == 414 || status == 421 || status == 429 || status == 431 || status >= 500;
}

// Whether a kept Set-Cookie may be given to others: the origin must have said so.
static bool cookie_kept(const http_head *h)
{
    cache_control c;
    if (!http_field_present(h->headers, h->header_count, S("Set-Cookie")) || cache_control_read_cdn(h->headers, h->header_count, &c))
        return true;
    c = cache_control_read(h->headers, h->header_count);
    http_header kept[HTTP_HEADERS_MAX];
    int n = h->header_count <= HTTP_HEADERS_MAX ? cache_fields_keep(h->headers, h->header_count, kept) : 0;
    return c.is_public || c.s_maxage_s != CACHE_UNSAID || (n && !http_field_present(kept, n, S("Set-Cookie")));      // no-cache="Set-Cookie"
}

static const char *judge(request *q, const http_head *h, const origin_answer *a, int status, cache_policy *policy)
{
    cache_question ask = {S("GET"), q->h->headers, q->h->header_count};
    cache_answer answer = {status, h->headers, h->header_count, a->asked_s, a->came_s};
    const char *why = cache_judge(&ask, &answer, q->s->heuristics, policy);
    if (!why && explicit_only(status) && (policy->lifetime_s == 0 || policy->heuristic))
        why = "an error without a lifetime";
    if (!why && !cookie_kept(h))
        why = "it sets a cookie and does not say that it may be shared";
    return why;
}

// What this client says of itself (Authorization, no-store) may be all that speaks against keeping: then what others were given stays as it was,
// or one client could empty the cache for all.
static bool is_personal(const request *q)
{
    return q->has_authorization || (q->has_control && cache_control_read(q->h->headers, q->h->header_count).no_store);
}

// The origin's fields in the place of the old ones.
static bool refresh(edge *e, request *q, object *old, const origin_answer *a)
{
    http_header merged[2 * HTTP_HEADERS_MAX];
    const http_head *h = &a->in.head;
    cache_policy policy;
    const char *why;
    str tag = http_header_find(h->headers, h->header_count, S("ETag"));
    if (tag.len && old->about->valid.etag.len && !etag_same_weak(tag, old->about->valid.etag))
        return false;                                    // of another one than ours
    int n = cache_fields_update(old->about->fields, old->about->field_count, h->headers, h->header_count, merged);
    http_head as = {.status = old->about->status, .headers = merged, .header_count = n};
    if (judge(q, &as, a, old->about->status, &policy)) {
        if (!is_personal(q))
            object_forget(old);
        return true;                                     // good for this once
    }
    description *d = description_new(e, old->about->status, merged, n, &policy, q->h->headers, q->h->header_count, &why);
    if (!d) {
        object_forget(old);
        return true;
    }
    object_describe(old, d);
    return true;
}

void head_compare(edge *e, request *q, const origin_answer *a)
{
    const http_head *h = &a->in.head;
    bool has_others;
    resource *r = h->status == 200 && !is_personal(q) ? edge_resource_find(e, q->key) : NULL;
    object *o = r ? resource_select(r, q->h->headers, q->h->header_count, &has_others) : NULL;
    if (!o || o->about->status != 200)
        return;
    validators v = validators_of(h->headers, h->header_count), kept = o->about->valid;
    str length = http_header_find(h->headers, h->header_count, S("Content-Length"));
    uint64_t bytes;
    bool same = (!v.etag.len || etag_same_weak(v.etag, kept.etag)) && (v.modified_s == CONDITION_NO_DATE || v.modified_s == kept.modified_s) &&
                (!length.len || o->length < 0 || (str_to_u64(length, &bytes) && bytes == (uint64_t)o->length));
    if (!same)
        object_stale(o);
    else
        refresh(e, q, o, a);
}

// A whole answer, or one slice of it, that may be kept: the object, its fill begun. NULL: it may not.
static object *keep(edge *e, request *q, resource *r, origin_answer *a, int64_t slice_wanted, uint64_t purges)
{
    const http_head *h = &a->in.head;
    cache_policy policy;
    byte_range part = {0, -1};
    const char *why;
    int64_t length = h->body == HTTP_BODY_LENGTH ? h->body_bytes : h->body == HTTP_BODY_NONE ? 0 : -1;
    bool is_part = h->status == 206;
    if (is_part) {
        validators v = validators_of(h->headers, h->header_count);
        int64_t first = slice_wanted > 0 ? slice_wanted * e->slice_bytes : 0;
        str range = http_header_find(h->headers, h->header_count, S("Content-Range"));
        if (slice_wanted == -1 || !content_range_read(range, &part, &length) || length < 0 || part.first != first)
            return NULL;
        int64_t end = slice_wanted == -2 ? 1 : first + e->slice_bytes;
        bool strong = v.etag.len && !str_starts(v.etag, S("W/"));
        if (part.last != (end < length ? end : length) - 1 || (h->body == HTTP_BODY_LENGTH && h->body_bytes != part.last - part.first + 1) || !strong)
            return NULL;
    }
    if (length > e->object_bytes_max || length / e->slice_bytes >= SLICES_MAX || judge(q, h, a, is_part ? 200 : h->status, &policy))
        return NULL;
    description *d = description_new(e, is_part ? 200 : h->status, h->headers, h->header_count, &policy, q->h->headers, q->h->header_count, &why);
    if (!d)
        return NULL;
    object *o = object_new(e, purged_since(e, r, d, purges) ? NULL : r, d, length);
    if (o->of && length >= 0)
        disk_put_description(e, o);
    if (is_part && slice_wanted == -2) {
        a->ended = false;                                // one byte that is not worth keeping
        origin_done(e, a);
    } else if (is_part) {
        fill_start(o, q->s, a, part.first, part.last + 1, false);
    } else if (a->ended) {
        o->length = 0;
        origin_done(e, a);
    } else {
        fill_start(o, q->s, a, 0, INT64_MAX, true);
    }
    return o;
}

static int condition_put(const object *old, http_header *fields, int n)
{
    str modified = http_header_find(old->about->fields, old->about->field_count, S("Last-Modified"));
    if (old->about->valid.etag.len)
        fields[n++] = (http_header){S("If-None-Match"), old->about->valid.etag};
    if (old->about->valid.modified_s != CONDITION_NO_DATE)
        fields[n++] = (http_header){S("If-Modified-Since"), modified};
    return n;
}

// Asks; what came is in *a. False: nobody answered.
static bool fetch_ask(edge *e, request *q, object *old, int64_t slice_wanted, origin_answer *a)
{
    http_header fields[FORWARD_FIELDS_MAX + 4];
    question ask = {.method = S("GET"), .target = q->target, .fields = fields, .body_bytes = -1};
    int n = fields_forward(e, q, true, fields, FORWARD_FIELDS_MAX, q->msg);
    if (old)
        n = condition_put(old, fields, n);
    else if (slice_wanted >= 0)
        fields[n++] = (http_header){S("Range"), str_format(q->msg, "bytes=%lld-%lld", (long long)slice_wanted * e->slice_bytes,
                                                           (long long)(slice_wanted + 1) * e->slice_bytes - 1)};
    else if (slice_wanted == -2)
        fields[n++] = (http_header){S("Range"), S("bytes=0-0")};
    ask.field_count = n;
    return origin_ask(e, q->s, &ask, q->msg, a);
}

static bool is_error(int status) { return status == 500 || status == 502 || status == 503 || status == 504; }

static fetch_outcome fetch_try(edge *e, request *q, fetch *f, object *old, int64_t slice_wanted, origin_answer *a)
{
    resource *r = f->r;
    uint64_t purges = e->purges;
    if (!fetch_ask(e, q, old, slice_wanted, a))
        return FETCH_FAILED;
    f->status = q->forward_status = a->in.head.status;
    if (old && f->status == 304) {
        bool good = refresh(e, q, old, a);
        origin_done(e, a);
        if (good)
            f->got = object_hold(old);
        return good ? FETCH_KEPT : FETCH_RUNNING;        // RUNNING: once more, without a condition
    }
    if (f->status == 304) {                              // to a question without a condition: no answer
        origin_done(e, a);
        *a = (origin_answer){.why = "the origin says 304 to who has nothing"};
        return FETCH_FAILED;
    }
    if (old && is_error(f->status))
        return FETCH_FAILED;
    object *o = keep(e, q, r, a, slice_wanted, purges);
    if (o) {
        f->got = o;
        q->stored = o->of != NULL;
        return FETCH_KEPT;
    }
    if (is_error(f->status))
        return FETCH_FAILED;
    if (old && !is_personal(q))
        object_forget(old);                              // the origin has something else now
    if (a->in.head.status == 206) {                      // a slice nobody asked for: what the client asked for is asked for again
        a->ended = false;
        origin_done(e, a);
        a->in.head.status = 0;
    }
    r->pass_until_ns = loop_now_ns() + seconds(PASS_S);
    return FETCH_PASS;
}

fetch *fetch_run(edge *e, request *q, resource *r, object *old, int64_t slice_wanted, origin_answer *a)
{
    fetch *f = memory_zeroed(1, sizeof *f);
    *f = (fetch){.holders = 2, .e = e, .r = r};
    bool first = !r->fetching;
    if (first)
        r->fetching = f;
    r->users++;
    if (old)
        object_hold(old);
    f->outcome = fetch_try(e, q, f, old && (old->about->policy.has_validator) ? old : NULL, slice_wanted, a);
    if (f->outcome == FETCH_RUNNING)
        f->outcome = fetch_try(e, q, f, NULL, slice_wanted, a);
    if (f->outcome == FETCH_RUNNING)
        f->outcome = FETCH_FAILED;
    if (old)
        object_leave(old);
    if (first)
        r->fetching = NULL;
    gate_wake_all(&f->done);
    fetch_leave(f);
    resource_leave(e, r);
    return f;
}

// ---- behind ---------------------------------------------------------------------------------------------------------------------

typedef struct { edge *e; request q; http_head head; conn nobody; resource *r; object *old; arena memory; } behind;

static void behind_run(void *arg)
{
    behind *b = arg;
    edge *e = b->e;
    origin_answer a = {0};
    fiber_world(e->w);
    fetch *f = fetch_run(e, &b->q, b->r, b->old, -1, &a);
    b->r->validating = false;
    a.ended = a.ended && f->outcome == FETCH_KEPT;
    origin_done(e, &a);
    fetch_leave(f);
    object_leave(b->old);
    resource_leave(e, b->r);
    arena_free(&b->memory);
    edge_gone(e, b->q.s);
    memory_free(b);
}

void fetch_behind(edge *e, const request *q, resource *r, object *old)
{
    behind *b = memory_zeroed(1, sizeof *b);
    *b = (behind){.e = e, .r = r, .old = object_hold(old), .memory = arena_make(REQUEST_MEMORY_BYTES_MAX)};
    http_header *fields = arena_array(&b->memory, http_header, q->h->header_count + 1);
    for (int i = 0; i < q->h->header_count; i++)
        fields[i] = (http_header){str_copy(&b->memory, q->h->headers[i].name), str_copy(&b->memory, q->h->headers[i].value)};
    b->head = (http_head){.method = S("GET"), .headers = fields, .header_count = q->h->header_count};
    b->nobody.peer = q->c->peer;
    b->q = (request){.c = &b->nobody, .h = &b->head, .s = q->s, .target = str_copy(&b->memory, q->target), .secure = q->secure,
                     .is_get = true, .msg = &b->memory};
    r->users++;
    if (edge_go(e, q->s, "edge revalidation", behind_run, b) == E_OK) {
        r->validating = true;
        return;
    }
    object_leave(old);
    resource_leave(e, r);
    arena_free(&b->memory);
    memory_free(b);
}
