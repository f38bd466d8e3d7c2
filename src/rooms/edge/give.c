// Giving what is kept: the head as it lies there, what is said anew (length, age, Cache-Status), and bytes from slices, as they come.
#include <stdio.h>
#include <string.h>

#include "base/date.h"
#include "base/must.h"
#include "rooms/edge/edge_inside.h"
#include "rt/loop.h"

enum {
    TAIL_BYTES_MAX = 1024,
    COPY_BYTES = CONN_OUT_BYTES / 2 - 1024,      // conn_put copies so much: nothing of ours is held while the client takes it
    PAGES_SENT_BYTES_MIN = 32 * 1024,           // below it a copy is cheaper
    BOUNDARY_DIGITS = 16,
    PART_HEAD_BYTES_MAX = 512,
};

// ---- texts ----------------------------------------------------------------------------------------------------------------------

typedef struct { unsigned char at[TAIL_BYTES_MAX]; size_t len; } tail;

static inline void tail_put(tail *t, str s)
{
    must(t->len + (size_t)s.len <= sizeof t->at);
    if (s.len)
        memcpy(t->at + t->len, s.at, (size_t)s.len);
    t->len += (size_t)s.len;
}

static void tail_number(tail *t, int64_t n)
{
    unsigned char digits[20];
    size_t at = sizeof digits;
    uint64_t u = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
    do
        digits[--at] = (unsigned char)('0' + u % 10);
    while (u /= 10);
    if (n < 0)
        digits[--at] = '-';
    tail_put(t, str_of(digits + at, sizeof digits - at));
}

// What every answer from the cache ends its head with.
static void tail_end(edge *e, request *q, const description *d, int64_t now_s, bool hit, tail *t)
{
    tail_put(t, S("Age: "));
    tail_number(t, cache_age_s(&d->policy, now_s));
    if (hit) {
        tail_put(t, S("\r\nCache-Status: "));
        tail_put(t, e->status_name);
        tail_put(t, S("; hit; ttl="));
        tail_number(t, cache_left_s(&d->policy, now_s));
        tail_put(t, S("\r\n"));
    } else {
        buf out = buf_make(TAIL_BYTES_MAX / 2);
        buf_put(&out, S("\r\n"));
        cache_status_put(e, q, &out);
        tail_put(t, buf_str(&out));
        buf_free(&out);
    }
    if (q->is_head) {
        buf out = buf_make(TAIL_BYTES_MAX / 2);
        load_put(e, q, &out);
        tail_put(t, buf_str(&out));
        buf_free(&out);
    }
    if (q->close)
        tail_put(t, S("Connection: close\r\n"));
    else if (q->h->http_1_0)
        tail_put(t, S("Connection: keep-alive\r\n"));
    tail_put(t, S("\r\n"));
}

// ---- bytes ----------------------------------------------------------------------------------------------------------------------

typedef struct {
    edge    *e;
    request *q;
    object  *o;
    str      lead[2];                    // the head: goes with the first bytes
    bool     chunks;
    bool     hit;
    int64_t  stuck_ns;                   // nothing went since then; 0: something did
} delivery;

// Sends some of `bytes`, which `from` holds; returns how many. shared: the cache may want `from` back.
static int64_t deliver(delivery *d, piece *from, str bytes, bool shared)
{
    conn *c = d->q->c;
    char size[24];
    bool copied = bytes.len > COPY_BYTES && shared && memory_is_short(d->e);
    if (copied) {                                        // who is slow holds nothing that the cache wants back
        bytes = str_first(bytes, COPY_BYTES);
        conn_put(c, d->lead[0]);
        conn_put(c, d->lead[1]);
        d->lead[0] = d->lead[1] = (str){0};
    }
    int n = d->chunks ? snprintf(size, sizeof size, "%tx\r\n", bytes.len) : 0;
    str parts[] = {d->lead[0], d->lead[1], str_of(size, (size_t)n), bytes, d->chunks ? S("\r\n") : (str){0}};
    if (copied) {
        piece_hold(from);
        conn_put(c, parts[2]);
        conn_put(c, parts[3]);
        conn_put(c, parts[4]);
        piece_drop(from);
        conn_flush(c);
    } else {
        piece_hold(from);
        if (from->in_pages && !d->chunks && bytes.len >= PAGES_SENT_BYTES_MIN)
            conn_put_pages(c, parts, 4, d->e->pages);
        else
            conn_put_parts(c, parts, 5);
        piece_drop(from);
    }
    d->lead[0] = d->lead[1] = (str){0};
    d->stuck_ns = 0;
    d->q->given += bytes.len;
    d->o->bytes_given += (uint64_t)bytes.len;
    return bytes.len;
}

// While memory is short, what lies on the disk is not brought into it, but read a block at a time for this client alone.
static int64_t window_deliver(delivery *d, uint32_t number, uint32_t off, int64_t most)
{
    piece *p = disk_window(d->e, d->o, number, off);
    if (!p)
        return 0;
    uint32_t skip = off % WINDOW_BYTES;
    int64_t n = p->room - skip < most ? p->room - skip : most;
    n = deliver(d, p, str_of(p->at + skip, (size_t)n), false);
    piece_drop(p);
    return n;
}

static void lead_send(delivery *d)
{
    conn_put_parts(d->q->c, d->lead, 2);
    d->lead[0] = d->lead[1] = (str){0};
}

err client_wait(conn *c, gate *g, int64_t until_ns, const char *why)
{
    int64_t look_ns = loop_now_ns() + millis(CONN_LOOK_MS);
    err x = gate_wait(g, look_ns < until_ns ? look_ns : until_ns, why);
    if (x != E_TIMEOUT || loop_now_ns() >= until_ns)
        return x;
    return conn_peer_left(c) ? E_EOF : E_OK;
}

// Something that is not there now: waits for it, or sees that it comes. False: it will not come.
static bool await(delivery *d, uint32_t number, int64_t end)
{
    object *o = d->o;
    slice *s = object_slice(o, number);
    d->stuck_ns = d->stuck_ns ? d->stuck_ns : loop_now_ns();
    if (s && s->state == SLICE_WHOLE && !s->bytes) {
        err x = disk_load(d->e, o, number);
        if (x == E_LIMIT)
            x = client_wait(d->q->c, &d->e->memory_came, d->stuck_ns + seconds(CLIENT_GRACE_S), "memory for a slice");
        return x == E_OK || x == E_AGAIN;                // what was damaged is not there any more: the next look fetches it
    }
    if (s || (o->length < 0 && o->fills) || (int64_t)number * o->slice_bytes >= o->fill_at) {
        if (d->lead[0].len) {
            lead_send(d);                                // others ran meanwhile: look again before waiting
            return true;
        }
        return client_wait(d->q->c, &o->progress, d->stuck_ns + seconds(WAIT_S_MAX), "bytes from the origin") == E_OK;
    }
    if (o->failed || o->length < 0 || (o->slice_failures >= SLICE_FAILURES_MAX && loop_now_ns() < o->slice_pause_ns))
        return false;
    bool more = end > ((int64_t)number + 1) * o->slice_bytes;
    return slice_fetch(o, d->q->s, d->q->target, d->q->secure, number, more ? 2 : 1);
}

static void reader_moves(object *o, int64_t at)
{
    if (at <= o->readers_at)
        return;
    bool wakes = o->fills && at / o->slice_bytes != o->readers_at / o->slice_bytes;
    o->readers_at = at;
    if (wakes)
        gate_wake_all(&o->progress);
}

// Bytes first to end (not included; INT64_MAX: to the end, wherever that is). False: not all went.
static bool bytes_give(delivery *d, int64_t first, int64_t end)
{
    object *o = d->o;
    conn *c = d->q->c;
    int64_t at = first, windowed = 0;
    uint32_t touched = UINT32_MAX;
    while (!c->error) {
        if (o->length >= 0 && end > o->length)
            end = o->length;
        if (at >= end)
            break;
        uint32_t number = (uint32_t)(at / o->slice_bytes), off = (uint32_t)(at % o->slice_bytes);
        slice *s = object_slice(o, number);
        reader_moves(o, at);
        if (s && s->bytes && s->len > off) {
            if (d->hit && touched != number)
                slice_touch(s);
            touched = number;
            int64_t n = s->len - off < end - at ? s->len - off : end - at;
            at += deliver(d, s->bytes, str_of(s->bytes->at + off, (size_t)n), true);
        } else if (s && s->block_crcs && s->len > off && memory_is_short(d->e) && (windowed = window_deliver(d, number, off, end - at)) > 0) {
            at += windowed;
        } else if (!await(d, number, end)) {
            return false;
        }
    }
    if (d->lead[0].len)
        lead_send(d);
    return !c->error;
}

static bool body_give(delivery *d, int64_t first, int64_t end)
{
    object *o = object_hold(d->o);
    o->readers++;
    bool whole = bytes_give(d, first, end);
    o->readers--;
    gate_wake_all(&o->progress);
    if (!whole)
        d->q->close = true;                              // the client sees that it is cut short
    else if (d->chunks)
        conn_put(d->q->c, S("0\r\n\r\n"));
    object_leave(o);
    return whole;
}

// ---- 200 and whatever else is kept ------------------------------------------------------------------------------------------------

static void whole_give(edge *e, request *q, object *o, description *about, bool hit)
{
    delivery d = {.e = e, .q = q, .o = o, .hit = hit};
    tail t __attribute__((uninitialized));
    t.len = 0;
    bool bodiless = q->is_head || about->status == 204;
    if (o->length >= 0 && about->status != 204) {
        tail_put(&t, S("Content-Length: "));
        tail_number(&t, o->length);
        tail_put(&t, S("\r\n"));
    } else if (!bodiless) {
        d.chunks = !q->h->http_1_0;
        q->close |= q->h->http_1_0;
        if (d.chunks)
            tail_put(&t, S("Transfer-Encoding: chunked\r\n"));
    }
    tail_end(e, q, about, edge_now_s(e), hit, &t);
    d.lead[0] = about->head;
    d.lead[1] = str_of(t.at, t.len);
    q->status = about->status;
    if (bodiless || o->length == 0)
        lead_send(&d);
    else
        body_give(&d, 0, INT64_MAX);
}

// ---- 304 and 412 ------------------------------------------------------------------------------------------------------------------

static bool belongs_to_304(str name)                     // RFC 9110 section 15.4.5
{
    return !(str_starts_nocase(name, S("Content-")) && !str_eq_nocase(name, S("Content-Location")));
}

static void condition_give(edge *e, request *q, description *about, int status, bool hit)
{
    buf out = buf_make(DESCRIPTION_BYTES_MAX + TAIL_BYTES_MAX);
    tail t __attribute__((uninitialized));
    t.len = 0;
    buf_format(&out, "HTTP/1.1 %d %s\r\n", status, http_reason(status));
    for (int i = 0; i < about->field_count; i++)
        if (status == 304 ? belongs_to_304(about->fields[i].name) : str_eq_nocase(about->fields[i].name, S("Date"))) {
            buf_put(&out, about->fields[i].name);
            buf_put(&out, S(": "));
            buf_put(&out, about->fields[i].value);
            buf_put(&out, S("\r\n"));
        }
    if (status == 412)
        buf_put(&out, S("Content-Length: 0\r\n"));
    tail_end(e, q, about, edge_now_s(e), hit, &t);
    buf_put(&out, str_of(t.at, t.len));
    conn_put(q->c, buf_str(&out));
    buf_free(&out);
    q->status = status;
}

// ---- ranges -----------------------------------------------------------------------------------------------------------------------

// The kept fields under another status, without those that `but` names.
static void head_begin(const description *about, int status, str but, buf *out)
{
    buf_format(out, "HTTP/1.1 %d %s\r\n", status, http_reason(status));
    for (int i = 0; i < about->field_count; i++)
        if (!str_eq_nocase(about->fields[i].name, but)) {
            buf_put(out, about->fields[i].name);
            buf_put(out, S(": "));
            buf_put(out, about->fields[i].value);
            buf_put(out, S("\r\n"));
        }
}

static void unsatisfiable_give(edge *e, request *q, object *o, description *about, bool hit)
{
    buf out = buf_make(TAIL_BYTES_MAX * 2);
    tail t __attribute__((uninitialized));
    t.len = 0;
    char today[DATE_TEXT_MAX];
    date_print_http(today, edge_now_s(e));
    tail_end(e, q, about, edge_now_s(e), hit, &t);
    buf_format(&out, "HTTP/1.1 416 Range Not Satisfiable\r\nDate: %s\r\nContent-Range: bytes */%lld\r\nContent-Length: 0\r\n", today, (long long)o->length);
    buf_put(&out, str_of(t.at, t.len));
    conn_put(q->c, buf_str(&out));
    buf_free(&out);
    q->status = 416;
}

// Several ranges touch slices that only the origin has: how many.
static int slices_missing(const object *o, const byte_range *parts, int count)
{
    int missing = 0;
    for (int i = 0; i < count; i++)
        for (int64_t k = parts[i].first / o->slice_bytes; k <= parts[i].last / o->slice_bytes && missing <= MULTIPART_SLICES_MAX; k++)
            missing += !object_slice(o, (uint32_t)k);
    return missing;
}

static void part_give(edge *e, request *q, object *o, description *about, byte_range part, bool hit)
{
    buf out = buf_make(DESCRIPTION_BYTES_MAX + TAIL_BYTES_MAX);
    tail t __attribute__((uninitialized));
    t.len = 0;
    head_begin(about, 206, S(""), &out);
    tail_put(&t, S("Content-Range: bytes "));
    tail_number(&t, part.first);
    tail_put(&t, S("-"));
    tail_number(&t, part.last);
    tail_put(&t, S("/"));
    tail_number(&t, o->length);
    tail_put(&t, S("\r\nContent-Length: "));
    tail_number(&t, part.last - part.first + 1);
    tail_put(&t, S("\r\n"));
    tail_end(e, q, about, edge_now_s(e), hit, &t);
    q->status = 206;
    delivery d = {.e = e, .q = q, .o = o, .hit = hit, .lead = {buf_str(&out), str_of(t.at, t.len)}};
    body_give(&d, part.first, part.last + 1);
    buf_free(&out);
}

static int part_head(char out[PART_HEAD_BYTES_MAX], const char *boundary, str type, byte_range part, int64_t length)
{
    return snprintf(out, PART_HEAD_BYTES_MAX, "\r\n--%s\r\n" STR_FMT STR_FMT STR_FMT "Content-Range: bytes %lld-%lld/%lld\r\n\r\n", boundary,
                    STR_ARG(type.len ? S("Content-Type: ") : S("")), STR_ARG(type), STR_ARG(type.len ? S("\r\n") : S("")),
                    (long long)part.first, (long long)part.last, (long long)length);
}

static void parts_give(edge *e, request *q, object *o, description *about, const byte_range *parts, int count, bool hit)
{
    char boundary[BOUNDARY_DIGITS + 1], head[PART_HEAD_BYTES_MAX];
    snprintf(boundary, sizeof boundary, "%016llx", (unsigned long long)world_random_u64(e->w));
    str type = str_first(http_header_find(about->fields, about->field_count, S("Content-Type")), PART_HEAD_BYTES_MAX / 2);
    int64_t total = BOUNDARY_DIGITS + 8;                 // "\r\n--" boundary "--\r\n"
    for (int i = 0; i < count; i++)
        total += part_head(head, boundary, type, parts[i], o->length) + parts[i].last - parts[i].first + 1;
    buf out = buf_make(DESCRIPTION_BYTES_MAX + TAIL_BYTES_MAX);
    tail t __attribute__((uninitialized));
    t.len = 0;
    head_begin(about, 206, S("Content-Type"), &out);
    buf_format(&out, "Content-Type: multipart/byteranges; boundary=%s\r\nContent-Length: %lld\r\n", boundary, (long long)total);
    tail_end(e, q, about, edge_now_s(e), hit, &t);
    buf_put(&out, str_of(t.at, t.len));
    conn_put(q->c, buf_str(&out));
    buf_free(&out);
    q->status = 206;
    bool whole = true;
    for (int i = 0; i < count && whole; i++) {
        delivery d = {.e = e, .q = q, .o = o, .hit = hit};
        conn_put(q->c, str_of(head, (size_t)part_head(head, boundary, type, parts[i], o->length)));
        whole = body_give(&d, parts[i].first, parts[i].last + 1);
    }
    if (!whole)
        return;
    conn_put(q->c, S("\r\n--"));
    conn_put(q->c, str_z(boundary));
    conn_put(q->c, S("--\r\n"));
}

// True: an answer about ranges was given.
static bool ranges_give(edge *e, request *q, object *o, description *about, bool hit)
{
    byte_range parts[RANGE_PARTS_MAX];
    int count;
    str field = http_header_find(q->h->headers, q->h->header_count, S("Range"));
    if (!field.len || o->length < 0 || !condition_if_range(q->h->headers, q->h->header_count, &about->valid))
        return false;
    range_verdict v = range_read(field, o->length, parts, &count);
    if (v == RANGE_NONE)
        return false;
    if (v == RANGE_UNSATISFIABLE) {
        unsatisfiable_give(e, q, o, about, hit);
        return true;
    }
    if (count > 1 && slices_missing(o, parts, count) > MULTIPART_SLICES_MAX - !hit)      // not a hit: one has just been asked for
        count = 1;                                       // RFC 9110 section 15.3.7: a 206 says which part it is
    if (count == 1)
        part_give(e, q, o, about, parts[0], hit);
    else
        parts_give(e, q, o, about, parts, count, hit);
    return true;
}

// ---- all --------------------------------------------------------------------------------------------------------------------------

void give_object(edge *e, request *q, object *o, bool hit)
{
    description *about = description_hold(o->about);
    int judged = 0;
    object_hold(o);
    o->hits += hit;
    o->asked = true;
    if (q->has_condition && about->status == 200)
        judged = conditions_judge(q->h->method, q->h->headers, q->h->header_count, &about->valid);
    if (judged)
        condition_give(e, q, about, judged, hit);
    else if (!q->has_range || !q->is_get || about->status != 200 || !ranges_give(e, q, o, about, hit))
        whole_give(e, q, o, about, hit);
    object_leave(o);
    description_drop(about);
}

void give_text(edge *e, request *q, int status, const char *text)
{
    char today[DATE_TEXT_MAX];
    buf status_line = buf_make(TAIL_BYTES_MAX);
    date_print_http(today, edge_now_s(e));
    cache_status_put(e, q, &status_line);
    conn_format(q->c, "HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\nContent-Length: %zu\r\n"
                STR_FMT "%s\r\n", status, http_reason(status), today, strlen(text) + 1, STR_ARG(buf_str(&status_line)),
                q->close ? "Connection: close\r\n" : q->h->http_1_0 ? "Connection: keep-alive\r\n" : "");
    if (!q->is_head)
        conn_format(q->c, "%s\n", text);
    q->given += q->is_head ? 0 : (int64_t)strlen(text) + 1;
    q->status = status;
    buf_free(&status_line);
}
