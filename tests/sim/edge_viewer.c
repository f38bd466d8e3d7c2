#include <inttypes.h>
#include <stdio.h>

#include "edge_day.h"
#include "wire/http/chunked.h"
#include "wire/http/cache_control.h"
#include "wire/http/range.h"

enum {
    PATIENCE_S = 60, VIEW_MEMORY_BYTES = 4 << 20, BODY_BYTES_MAX = 1 << 20, ETAG_BYTES_MAX = 40,
    HONEST_S = 2,                        // ages are whole seconds at the origin, at the edge and on the way
    BETWEEN_S_MAX = 2800, PUT_EVERY = 40,
};

typedef enum { ASK_WHOLE, ASK_PART, ASK_SUFFIX, ASK_IF_CHANGED, ASK_KINDS, PUT_NEW } ask_kind;

typedef struct {
    day        *d;
    world      *w;
    day_edge   *e;
    day_object *o;
    int         language, lives;         // lives: of the edge when it was asked
    ask_kind    kind;
    byte_range  part;
    char        had[ETAG_BYTES_MAX];     // what If-None-Match says
    int64_t     asked_ns;
    http_head_reader in;
    str         body;
    bool        whole;
    arena       memory;
} view;

// ---- asking -------------------------------------------------------------------------------------------------------------------

static void request_put(conn *c, const view *v)
{
    conn_format(c, "%s /f/%d HTTP/1.1\r\nHost: films.example\r\nAccept-Language: %c\r\n", v->kind == PUT_NEW ? "PUT" : "GET", v->o->number,
                'a' + v->language);
    if (v->kind == ASK_PART)
        conn_format(c, "Range: bytes=%" PRId64 "-%" PRId64 "\r\n", v->part.first, v->part.last);
    else if (v->kind == ASK_SUFFIX)
        conn_format(c, "Range: bytes=-%" PRId64 "\r\n", v->part.last);
    else if (v->kind == ASK_IF_CHANGED && v->had[0])
        conn_format(c, "If-None-Match: %s\r\n", v->had);
    else if (v->kind == PUT_NEW)
        conn_put(c, S("Content-Length: 0\r\n"));
    conn_put(c, S("Connection: close\r\n\r\n"));
}

static void body_read(conn *c, view *v)
{
    const http_head *h = &v->in.head;
    chunked coding = {0};
    buf whole = buf_make(BODY_BYTES_MAX);
    int64_t left = h->body == HTTP_BODY_LENGTH ? h->body_bytes : h->body == HTTP_BODY_NONE ? 0 : INT64_MAX;
    while (left && coding.state < CHUNK_DONE && !whole.full) {
        str there = conn_some(c), rest = there;
        if (!there.len)
            break;
        while (h->body == HTTP_BODY_CHUNKED && rest.len && coding.state < CHUNK_DONE)
            buf_put(&whole, chunked_next(&coding, &rest));
        if (h->body != HTTP_BODY_CHUNKED) {
            str piece = str_first(rest, rest.len < left ? rest.len : (ptrdiff_t)left);
            buf_put(&whole, piece);
            left -= piece.len, rest = str_from(rest, piece.len);
        }
        conn_used(c, (size_t)(there.len - rest.len));
    }
    v->whole = h->body == HTTP_BODY_CHUNKED ? coding.state == CHUNK_DONE : left == 0;
    v->body = str_copy(&v->memory, buf_str(&whole));
    buf_free(&whole);
}

// True: a head came.
static bool exchange(view *v)
{
    conn *c = conn_open(v->w, v->e->at, seconds(PATIENCE_S));
    conn_deadline(c, seconds(PATIENCE_S));
    v->asked_ns = sim_now_ns(v->d->t->sim);
    v->lives = v->e->lives;
    request_put(c, v);
    http_answer_begin(&v->in, false);
    while (v->in.state == HTTP_HEAD_MORE) {
        str line = conn_line(c, &v->memory, HTTP_LINE_BYTES_MAX);
        if (!line.len)
            break;
        http_head_line(&v->in, line);
    }
    if (v->in.state == HTTP_HEAD_DONE)
        body_read(c, v);
    else if (v->in.state == HTTP_HEAD_BAD && str_ends(v->in.head.reason, S("\n")))
        trial_failed(v->d->t, "edge %d sends what is no answer: %s", v->e->number, v->in.why);
    conn_close(c);
    return v->in.state == HTTP_HEAD_DONE;
}

// ---- judging ------------------------------------------------------------------------------------------------------------------

static str field(const view *v, str name) { return http_header_find(v->in.head.headers, v->in.head.header_count, name); }

// What the answer says that it is: "N-VERSION-LANGUAGE".
static bool tag_read(const view *v, int *version, int *language)
{
    str tag = field(v, S("ETag")), rest = str_sub(tag, 1, tag.len - 2);
    uint64_t number, n, l;
    bool good = str_to_u64(str_cut(&rest, '-'), &number) && str_to_u64(str_cut(&rest, '-'), &n) && str_to_u64(rest, &l);
    if (!good || number != (uint64_t)v->o->number || n > (uint64_t)v->o->version) {
        trial_failed(v->d->t, "edge %d answers for object %d with the tag " STR_FMT, v->e->number, v->o->number, STR_ARG(tag));
        return false;
    }
    *version = (int)n, *language = (int)l;
    return true;
}

static void bytes_judge(view *v, int version, int language)
{
    int64_t length = day_object_bytes(v->o, version), first = 0, said;
    byte_range part;
    if (v->in.head.status == 206) {
        if (!content_range_read(field(v, S("Content-Range")), &part, &said) || said != length) {
            trial_failed(v->d->t, "edge %d: object %d version %d: Content-Range: " STR_FMT, v->e->number, v->o->number, version,
                         STR_ARG(field(v, S("Content-Range"))));
            return;
        }
        first = part.first;
        length = part.last - part.first + 1;
        int64_t want = v->kind == ASK_SUFFIX ? day_object_bytes(v->o, version) - v->part.last : v->part.first;
        if (first != (want < 0 ? 0 : want))
            trial_failed(v->d->t, "edge %d gives another part than it was asked for", v->e->number);
    }
    if (v->body.len > length || (v->whole && v->body.len != length))
        trial_failed(v->d->t, "edge %d: object %d version %d: %td bytes, not %" PRId64, v->e->number, v->o->number, version,
                     v->body.len, length);
    int64_t n = v->body.len < length ? v->body.len : length;
    unsigned char *right = arena_array(&v->memory, unsigned char, n + 1);
    must(right);
    day_object_write(v->o, version, language, first, right, n);
    for (int64_t i = 0; i < n; i++)
        if (v->body.at[i] != right[i]) {
            trial_failed(v->d->t, "edge %d: object %d version %d language %d: byte %" PRId64 " is wrong (status %d, " STR_FMT ")",
                         v->e->number, v->o->number, version, language, first + i, v->in.head.status, STR_ARG(field(v, S("Cache-Status"))));
            return;
        }
}

// The origin has just given or confirmed it, for this very request: a way of many seconds may have made it older than it may get.
static bool is_from_origin(const view *v)
{
    str said = field(v, S("Cache-Status"));
    return str_find_str(said, S("fwd-status=200")) >= 0 || str_find_str(said, S("fwd-status=206")) >= 0 ||
           str_find_str(said, S("fwd-status=304")) >= 0;
}

static bool says_stale(const view *v) { return str_find_str(field(v, S("Cache-Status")), S("ttl=-")) >= 0; }

// Section 4.2 of RFC 9111 as a viewer sees it: the age is at least as long as the origin has had something newer, and what is older than
// its freshness allows says so and had leave.
static void age_judge(view *v, int version)
{
    const day_object *o = v->o;
    int64_t age = 0, ended = o->ended_ns[version];
    str said = field(v, S("Age"));
    if (said.len && !cache_seconds_read(said, &age))
        trial_failed(v->d->t, "Age: " STR_FMT, STR_ARG(said));
    int64_t replaced_s = ended && v->asked_ns > ended ? (v->asked_ns - ended) / NS_PER_S : 0;
    if (age + HONEST_S < replaced_s)
        trial_failed(v->d->t, "edge %d: object %d version %d says Age %" PRId64 ", but was replaced %" PRId64 " s ago (" STR_FMT ")",
                     v->e->number, o->number, version, age, replaced_s, STR_ARG(field(v, S("Cache-Status"))));
    if (age <= o->max_age_s || is_from_origin(v))
        return;
    int64_t leave = o->must_revalidate ? 0 : o->revalidate_s > o->error_s ? o->revalidate_s : o->error_s;
    v->d->stale++;
    if (age - o->max_age_s > leave + HONEST_S)
        trial_failed(v->d->t, "edge %d: object %d is given %" PRId64 " s stale, it may be for %" PRId64, v->e->number, o->number,
                     age - o->max_age_s, leave);
    if (!says_stale(v))
        trial_failed(v->d->t, "edge %d: object %d is stale and Cache-Status does not say so: " STR_FMT, v->e->number, o->number,
                     STR_ARG(field(v, S("Cache-Status"))));
}

static void purge_judge(const view *v, int version)
{
    int n = v->o->number;
    if (v->asked_ns > v->e->floor_ns[n] && version < v->e->floor[n])
        trial_failed(v->d->t, "edge %d gives version %d of object %d, it said that all before %d was purged", v->e->number, version, n,
                     v->e->floor[n]);
    if (v->e->put_ns[n] && v->asked_ns > v->e->put_ns[n] && v->lives == v->e->put_life[n] && version < v->e->put[n])
        trial_failed(v->d->t, "edge %d gives version %d of object %d, a PUT through it has made %d", v->e->number, version, n,
                     v->e->put[n]);
}

// What an unsafe method has changed is not given from the cache again (RFC 9111 section 4.4), by this edge in this life.
static bool put_judge(view *v)
{
    uint64_t version;
    int n = v->o->number;
    if (v->in.head.status != 204 || v->e->lives != v->lives || !str_to_u64(field(v, S("X-Version")), &version))
        return false;
    v->e->put[n] = (int)version;
    v->e->put_life[n] = v->lives;
    v->e->put_ns[n] = sim_now_ns(v->d->t->sim);
    v->d->puts++;
    return true;
}

// True: a whole answer.
static bool judge(view *v)
{
    int version, language, status = v->in.head.status;
    day *d = v->d;
    d->asked++;
    if (status == 502 || status == 503 || status == 504) {
        d->refused++;
        return false;
    }
    if (status != 200 && status != 206 && status != 304 && status != 416) {
        trial_failed(d->t, "edge %d answers %d", v->e->number, status);
        return false;
    }
    if (status == 416 || !tag_read(v, &version, &language))
        return status == 416;
    if (v->o->by_language && language != v->language)
        trial_failed(d->t, "edge %d gives object %d in language %d to who reads %d", v->e->number, v->o->number, language, v->language);
    if (status == 304 && !str_eq(field(v, S("ETag")), str_z(v->had)))
        trial_failed(d->t, "edge %d says 304 to who has something else", v->e->number);
    if (status != 304)
        bytes_judge(v, version, language);
    age_judge(v, version);
    purge_judge(v, version);
    d->hits += str_find_str(field(v, S("Cache-Status")), S("; hit")) >= 0;
    d->parts += status == 206;
    d->broken += !v->whole;
    d->good += v->whole;
    if (status == 200)
        snprintf(v->had, sizeof v->had, STR_FMT, STR_ARG(field(v, S("ETag"))));
    return v->whole;
}

// ---- a viewer -----------------------------------------------------------------------------------------------------------------

static void view_choose(view *v)
{
    int64_t length = day_object_bytes(v->o, v->o->version);
    v->kind = world_random_below(v->w, 3) ? ASK_WHOLE : (ask_kind)world_random_below(v->w, ASK_KINDS);
    v->part.first = (int64_t)world_random_below(v->w, (uint64_t)length);
    v->part.last = v->part.first + (int64_t)world_random_below(v->w, 70000);
    if (v->kind == ASK_SUFFIX)
        v->part.last = 1 + v->part.last % 5000;
}

static bool look(view *v)
{
    v->memory = arena_make(VIEW_MEMORY_BYTES);
    bool good = exchange(v) && (v->kind == PUT_NEW ? put_judge(v) : judge(v));
    arena_free(&v->memory);
    return good;
}

bool day_object_ask(day *d, world *w, day_edge *e, day_object *o, int language, bool part)
{
    view v = {.d = d, .w = w, .e = e, .o = o, .language = language, .kind = part ? ASK_PART : ASK_WHOLE};
    v.part = (byte_range){day_object_bytes(o, o->version) / 9, o->bytes + 100};
    return look(&v);
}

// A sitting: some objects one after the other, of one edge, or of the next when that one does not do.
static void sit(day *d, world *w, char had[DAY_OBJECTS][DAY_LANGUAGES][ETAG_BYTES_MAX])
{
    int at = (int)world_random_below(w, DAY_EDGES), language = (int)world_random_below(w, DAY_LANGUAGES);
    int64_t count = 1 + (int64_t)world_random_below(w, 9);
    for (int64_t i = 0; i < count && !d->over; i++) {
        view v = {.d = d, .w = w, .e = &d->edges[at], .language = language};
        v.o = &d->objects[world_random_below(w, world_random_below(w, DAY_OBJECTS) + 1)];      // the first ones are asked for most
        char *mine = had[v.o->number][language];
        snprintf(v.had, sizeof v.had, "%s", mine);
        view_choose(&v);
        if (!world_random_below(w, PUT_EVERY))
            v.kind = PUT_NEW;
        if (!look(&v))
            at = (at + 1) % DAY_EDGES;
        snprintf(mine, ETAG_BYTES_MAX, "%s", v.had);
        fiber_sleep(millis((int64_t)world_random_below(w, 8000)));
    }
}

void day_viewer_run(void *arg)
{
    day_viewer *k = arg;
    world *w = k->d->viewers[k->number];
    char had[DAY_OBJECTS][DAY_LANGUAGES][ETAG_BYTES_MAX] = {0};
    fiber_world(w);
    while (!k->d->over && !fiber_canceled()) {
        sit(k->d, w, had);
        fiber_sleep(seconds((int64_t)world_random_below(w, BETWEEN_S_MAX)));
    }
}
