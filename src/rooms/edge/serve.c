// A client's connection: one request after the other, and for each the decision what to do (RFC 9111).
#include <string.h>

#include "base/must.h"
#include "rooms/edge/edge_inside.h"
#include "rt/log.h"
#include "rt/loop.h"

// ---- reading a request ------------------------------------------------------------------------------------------------------------

// Lines as they come, copied: for heads that come in pieces, and for those with a body behind them.
static bool head_read_slowly(conn *c, http_head_reader *r, arena *msg)
{
    while (r->state == HTTP_HEAD_MORE) {
        str line = conn_line(c, msg, HTTP_LINE_BYTES_MAX + 1);
        if (line.len == 0)
            return false;
        http_head_line(r, line);
    }
    return true;
}

// A head that is there whole is read where it lies: *used bytes of the conn's buffer, which stay until the answer has gone.
static bool head_read_in_place(str there, http_head_reader *r, size_t *used)
{
    const unsigned char *end = memmem(there.at, (size_t)there.len, "\r\n\r\n", 4);
    if (!end)
        return false;
    str rest = there;
    while (r->state == HTTP_HEAD_MORE) {
        ptrdiff_t lf = str_find(rest, '\n');
        if (lf < 0)
            return false;
        http_head_line(r, str_first(rest, lf + 1));
        rest = str_from(rest, lf + 1);
    }
    *used = (size_t)(there.len - rest.len);
    return true;
}

// ---- deciding ---------------------------------------------------------------------------------------------------------------------

// The first slice that the client wants: -1 all, -2 cannot be said before the length is known.
static int64_t slice_wanted(const edge *e, const request *q)
{
    byte_range parts[RANGE_PARTS_MAX];
    int count;
    str field = http_header_find(q->h->headers, q->h->header_count, S("Range"));
    if (!q->has_range || !q->is_get || !field.len)       // If-Range is judged when we know what there is
        return -1;
    if (range_read(field, INT64_MAX, parts, &count) != RANGE_PARTS)
        return -1;
    if (str_find_str(field, S("=-")) >= 0 || str_find_str(field, S(",-")) >= 0 || str_find_str(field, S(" -")) >= 0)
        return -2;
    return parts[0].first / e->slice_bytes < SLICES_MAX ? parts[0].first / e->slice_bytes : -2;
}

static void failed_give(edge *e, request *q, object *old, int status, origin_answer *a)
{
    cache_question ask = {q->h->method, q->h->headers, q->h->header_count};
    if (old && cache_may_give_on_error(&old->about->policy, &ask, q->s->forgiving_s, edge_now_s(e))) {
        origin_done(e, a);
        q->verdict = "stale";
        q->stale_s = -cache_left_s(&old->about->policy, edge_now_s(e));
        give_object(e, q, old, false);
    } else if (a->link || (a->ended && a->in.head.status)) {
        give_answer(e, q, a);
    } else if (a->why && str_eq(str_z(a->why), S("the origin gave no answer in time"))) {
        give_text(e, q, 504, a->why);
    } else {
        give_text(e, q, status == 503 ? 503 : status == 504 ? 504 : 502, a->why ? a->why : "the origin failed");
    }
}

typedef enum { LOOK_GIVEN, LOOK_AGAIN } look;

// Somebody asks already: his answer may be ours, too.
static look fetch_join(edge *e, request *q, resource *r, object *old)
{
    fetch *f = r->fetching;
    bool has_others;
    look l = LOOK_AGAIN;
    origin_answer none = {0};
    f->holders++;
    err waited = E_OK;
    for (int64_t until_ns = loop_now_ns() + seconds(WAIT_S_MAX); f->outcome == FETCH_RUNNING && !waited; )
        waited = client_wait(q->c, &f->done, until_ns, "another's fetch");
    q->collapsed = true;
    q->forward_status = f->status;
    if (waited || f->outcome == FETCH_FAILED) {
        failed_give(e, q, old, f->status, &none);
        l = LOOK_GIVEN;
    } else if (f->outcome == FETCH_KEPT && (!f->got->about->vary.len || resource_select(r, q->h->headers, q->h->header_count, &has_others) == f->got)) {
        give_object(e, q, f->got, false);
        l = LOOK_GIVEN;
    }
    fetch_leave(f);
    return l;
}

static void fetch_alone(edge *e, request *q, resource *r, object *old)
{
    origin_answer a = {0};
    fetch *f = fetch_run(e, q, r, old, old ? -1 : slice_wanted(e, q), &a);
    q->verdict = old && f->status == 304 ? "validated" : "miss";
    if (f->outcome == FETCH_KEPT) {
        give_object(e, q, f->got, false);
    } else if (f->outcome == FETCH_FAILED) {
        failed_give(e, q, old, f->status, &a);
    } else if (a.in.head.status) {
        q->verdict = "pass";
        give_answer(e, q, &a);
    } else {
        q->verdict = "pass";
        pass(e, q);
    }
    fetch_leave(f);
}

// What cache_use_judge would say, where the request has no wishes of its own: most have none.
static bool is_simply_fresh(edge *e, const request *q, const object *o)
{
    return !q->has_control && !o->about->policy.always_validate && cache_left_s(&o->about->policy, edge_now_s(e)) > 0;
}

// One look at what is kept. AGAIN: what was waited for went another way.
static look resource_look(edge *e, request *q, resource *r, bool may_wait)
{
    bool has_others;
    cache_question ask = {q->h->method, q->h->headers, q->h->header_count};
    object *o = resource_select(r, q->h->headers, q->h->header_count, &has_others);
    if (o && !object_servable(o)) {                      // some of it was evicted, and cannot be had alone
        object_forget(o);
        o = NULL;
    }
    cache_use use = !o ? CACHE_VALIDATE : is_simply_fresh(e, q, o) ? CACHE_GIVE : cache_use_judge(&o->about->policy, &ask, edge_now_s(e));
    if (use == CACHE_VALIDATE && o && world_broken(e->w, "edge-stale"))
        use = CACHE_GIVE;
    if (use == CACHE_GIVE || use == CACHE_GIVE_AND_VALIDATE) {
        if (use == CACHE_GIVE_AND_VALIDATE && !r->fetching && !r->validating)
            fetch_behind(e, q, r, o);
        q->verdict = "hit";
        q->s->hits++;
        give_object(e, q, o, true);
        return LOOK_GIVEN;
    }
    cache_control asked = {0};
    if (q->has_control)
        asked = cache_control_read(q->h->headers, q->h->header_count);
    if (use == CACHE_TIMEOUT || asked.only_if_cached) {
        q->verdict = "miss";
        give_text(e, q, 504, "it is not in the cache, and the request says only-if-cached");
        return LOOK_GIVEN;
    }
    q->forward = !o ? has_others ? "vary-miss" : "uri-miss" : cache_left_s(&o->about->policy, edge_now_s(e)) > 0 ? "request" : "stale";
    q->verdict = "miss";
    if (q->is_head && !(o && o->about->policy.has_validator)) {      // what is asked with a condition brings GET's answer for all
        q->verdict = "pass";
        pass(e, q);
        return LOOK_GIVEN;
    }
    if (o)
        object_hold(o);
    look l = LOOK_GIVEN;
    if (r->fetching && may_wait && (!o || !asked.no_cache))
        l = fetch_join(e, q, r, o);
    else if (!o && loop_now_ns() < r->pass_until_ns) {
        q->verdict = "pass";
        pass(e, q);
    } else
        fetch_alone(e, q, r, o);
    if (o)
        object_leave(o);
    return l;
}

static void cached(edge *e, request *q)
{
    resource *r = resource_take(e, q->key);
    if (!r) {
        give_text(e, q, 503, "too many objects");
        return;
    }
    look l = LOOK_AGAIN;
    for (int tries = 0; l == LOOK_AGAIN; tries++)
        l = resource_look(e, q, r, tries < TRIES_MAX);
    resource_leave(e, r);
}

// scheme://site/path?query
static bool key_make(request *q)
{
    const str parts[] = {q->secure ? S("https://") : S("http://"), q->s->name, q->target};
    unsigned char *at = arena_array(q->msg, unsigned char, parts[0].len + parts[1].len + parts[2].len);
    q->key = (str){at, 0};
    for (int i = 0; i < 3 && at; q->key.len += parts[i++].len)
        memcpy(at + q->key.len, parts[i].at, (size_t)parts[i].len);
    return at != NULL;
}

// What comes before any look into the cache. False: answered.
static bool acceptable(edge *e, request *q, buf *space)
{
    str authority, host = http_header_find(q->h->headers, q->h->header_count, S("Host"));
    bool options_all = str_eq(q->h->target, S("*")) && str_eq(q->h->method, S("OPTIONS"));
    if (str_eq(q->h->method, S("CONNECT")) || str_eq(q->h->method, S("TRACE"))) {
        q->close |= q->h->body != HTTP_BODY_NONE;
        give_text(e, q, 405, "CONNECT and TRACE are not for a cache");
    } else if (options_all) {
        q->close |= q->h->body != HTTP_BODY_NONE;
        give_text(e, q, 200, "GET, HEAD, and what the origin takes");
    } else if (!url_normal(q->h->target, space, &authority, &q->target)) {
        q->close |= q->h->body != HTTP_BODY_NONE;
        give_text(e, q, 400, "the request target is not a path that can be served");
    } else if (!(q->s = site_find(e, authority.len ? authority : host))) {
        q->close |= q->h->body != HTTP_BODY_NONE;
        give_text(e, q, 421, "this host is not served here");
    } else if (q->has_loop && cache_loops(q->h->headers, q->h->header_count, e->name)) {
        q->close |= q->h->body != HTTP_BODY_NONE;
        give_text(e, q, 508, "this request has been here already");
    } else {
        return true;
    }
    return false;
}

static void request_serve(edge *e, request *q)
{
    buf space = buf_make(3 * HTTP_LINE_BYTES_MAX);
    request_look(q);
    if (acceptable(e, q, &space)) {
        q->s->requests++;
        if ((q->is_get || q->is_head) && q->h->body == HTTP_BODY_NONE) {
            if (key_make(q))
                cached(e, q);
            else
                give_text(e, q, 503, "the request needs too much memory");
        } else {
            q->forward = q->is_get || q->is_head ? "request" : "method";
            q->verdict = "pass";
            pass(e, q);
        }
    }
    buf_free(&space);
}

// ---- a connection -----------------------------------------------------------------------------------------------------------------

typedef struct { int64_t requests, hits, bytes; } talk;

// What cannot be read as a request is refused, and no more is read: where the next one begins is not known.
static void refuse(edge *e, conn *c, const http_head_reader *r, arena *msg)
{
    static const http_head none;
    request q = {.c = c, .h = &none, .msg = msg, .close = true};
    q.verdict = "refused";
    give_text(e, &q, r->status, r->why);
    edge_count(e, &q);
}

// Serves one request; true: another may come. Its frame is deep: nothing is waited for here but what belongs to the request.
static __attribute__((noinline)) bool serve_one(edge *e, conn *c, talk *t, bool last)
{
    http_head_reader in __attribute__((uninitialized));          // large, and begun before it is read
    arena msg = arena_make(REQUEST_MEMORY_BYTES_MAX);
    size_t used = 0;
    conn_deadline(c, seconds(REQUEST_HEAD_S));
    str there = conn_some(c);
    http_request_begin(&in);
    bool in_place = there.len && head_read_in_place(there, &in, &used);
    if (in_place && in.state == HTTP_HEAD_DONE && in.head.body != HTTP_BODY_NONE) {
        in_place = false;                                // its body will overwrite it
        http_request_begin(&in);
    } else if (!in_place) {
        http_request_begin(&in);
    }
    if (!in_place && !head_read_slowly(c, &in, &msg)) {
        arena_free(&msg);
        return false;
    }
    conn_deadline(c, 0);
    conn_rate_min(c, CLIENT_BYTES_PER_S_MIN, seconds(CLIENT_GRACE_S));
    bool more = in.state == HTTP_HEAD_DONE;
    if (!more) {
        refuse(e, c, &in, &msg);
    } else {
        int64_t start_ns = loop_now_ns();
        request q = {.c = c, .h = &in.head, .msg = &msg, .secure = c->is_tls, .close = last || !in.head.keep_alive || e->stopping,
                     .is_get = str_eq(in.head.method, S("GET")), .is_head = str_eq(in.head.method, S("HEAD")), .verdict = "refused"};
        request_serve(e, &q);
        t->requests++;
        t->bytes += q.given;
        t->hits += str_eq(str_z(q.verdict), S("hit"));
        edge_count(e, &q);
        if (e->access)
            access_log_put(e, &q, loop_now_ns() - start_ns);
        more = !q.close;
    }
    if (in_place)
        conn_used(c, used);
    arena_free(&msg);
    return more && !c->error;
}

// RFC 9112 section 9.6: our side ends first, and what still comes is read past for a while, so that the client reads our last words.
static void linger(conn *c)
{
    enum { LINGER_S = 2, LINGER_BYTES_MAX = 1 << 20 };
    size_t dropped = 0;
    conn_deadline(c, seconds(LINGER_S));
    conn_shutdown(c);
    for (str rest; dropped < LINGER_BYTES_MAX && (rest = conn_some(c)).len; dropped += (size_t)rest.len)
        conn_used(c, (size_t)rest.len);
}

void edge_serve(conn *c, void *arg)
{
    edge *e = arg;
    talk t = {0};
    for (bool more = true; more; ) {
        conn_rate_min(c, 0, 0);                          // waiting for a question is no slowness
        conn_deadline(c, 0);
        more = conn_wait_input(c, loop_now_ns() + seconds(CLIENT_IDLE_S)) == E_OK && serve_one(e, c, &t, t.requests + 1 == REQUESTS_MAX);
    }
    if (!c->error)
        linger(c);
    log_line("edge", LOG_INFO, "conversation", F_ADDR("peer", &c->peer), F_INT("requests", t.requests), F_INT("hits", t.hits),
             F_INT("bytes", t.bytes), F_STR("end", str_z(err_name(c->error))));
}
