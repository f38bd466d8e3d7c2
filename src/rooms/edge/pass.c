// What is not kept passes through: the request's body to the origin, the answer's body to the client, a part at a time.
#include <stdio.h>

#include "base/date.h"
#include "base/must.h"
#include "rooms/edge/edge_inside.h"
#include "rt/log.h"
#include "rt/loop.h"

enum { HEAD_BYTES_MAX = 64 * 1024 };

void cache_status_put(const edge *e, const request *q, buf *out)
{
    buf_format(out, "Cache-Status: " STR_FMT, STR_ARG(e->status_name));
    if (q->forward)
        buf_format(out, "; fwd=%s", q->forward);
    if (q->forward_status)
        buf_format(out, "; fwd-status=%d", q->forward_status);
    if (q->stale_s > 0)
        buf_format(out, "; ttl=-%lld", (long long)q->stale_s);
    if (q->stored)
        buf_put(out, S("; stored"));
    if (q->collapsed)
        buf_put(out, S("; collapsed"));
    buf_put(out, S("\r\n"));
}

// ORCA (Open Request Cost Aggregation): who checks our health learns how busy we are.
void load_put(const edge *e, const request *q, buf *out)
{
    if (q->is_head && e->capacity_bps)
        buf_format(out, "Endpoint-Load-Metrics: TEXT application_utilization=%d.%03d\r\n", e->load_per_mille / 1000, e->load_per_mille % 1000);
}

// ---- the request's body ---------------------------------------------------------------------------------------------------------

typedef struct { edge *e; request *q; bool too_large, broken; } upload;

static bool chunks_send(upload *u, conn *from, conn *to)
{
    chunked coding = {0};
    int64_t total = 0;
    while (coding.state != CHUNK_DONE && coding.state != CHUNK_BAD) {
        str there = conn_some(from), rest = there;
        if (!there.len)
            break;
        while (rest.len && coding.state != CHUNK_DONE && coding.state != CHUNK_BAD) {
            str part = chunked_next(&coding, &rest);
            total += part.len;
            u->too_large = total > u->e->body_bytes_max;
            if (u->too_large)
                return false;
            if (part.len) {
                conn_format(to, "%tx\r\n", part.len);
                conn_put(to, part);
                conn_put(to, S("\r\n"));
            }
        }
        conn_used(from, (size_t)(there.len - rest.len));
        conn_deadline(to, seconds(ORIGIN_HEAD_S));
    }
    u->broken = coding.state != CHUNK_DONE;
    conn_put(to, u->broken ? S("") : S("0\r\n\r\n"));
    return !u->broken && conn_flush(to);
}

static bool body_send(void *arg, conn *to)
{
    upload *u = arg;
    conn *from = u->q->c;
    const http_head *h = u->q->h;
    if (h->expects_continue) {
        conn_put(from, S("HTTP/1.1 100 Continue\r\n\r\n"));
        conn_flush(from);
    }
    if (h->body == HTTP_BODY_CHUNKED)
        return chunks_send(u, from, to);
    for (int64_t left = h->body_bytes; left > 0; ) {
        str there = str_first(conn_some(from), left < PTRDIFF_MAX ? (ptrdiff_t)left : PTRDIFF_MAX);
        if (!there.len) {
            u->broken = true;
            return false;
        }
        conn_put(to, there);
        conn_used(from, (size_t)there.len);
        left -= there.len;
        conn_deadline(to, seconds(ORIGIN_HEAD_S));
    }
    return conn_flush(to);
}

// ---- the answer -----------------------------------------------------------------------------------------------------------------

static bool is_own(str name)                             // said anew by us
{
    return str_eq_nocase(name, S("Content-Length")) || str_eq_nocase(name, S("Connection"));
}

static void head_compose(edge *e, request *q, const http_head *h, int status, bool bodiless, buf *out)
{
    buf_format(out, "HTTP/1.1 %d " STR_FMT "\r\n", status, STR_ARG(status == h->status && h->reason.len ? h->reason : str_z(http_reason(status))));
    for (int i = 0; i < h->header_count; i++)
        if (!is_own(h->headers[i].name) && !http_field_is_of_connection(h->headers, h->header_count, h->headers[i].name)) {
            buf_put(out, h->headers[i].name);
            buf_put(out, S(": "));
            buf_put(out, h->headers[i].value);
            buf_put(out, S("\r\n"));
        }
    if (!http_field_present(h->headers, h->header_count, S("Date"))) {
        char today[DATE_TEXT_MAX];
        date_print_http(today, edge_now_s(e));
        buf_format(out, "Date: %s\r\n", today);
    }
    str length = http_header_find(h->headers, h->header_count, S("Content-Length"));
    bool chunk = h->body == HTTP_BODY_CHUNKED || h->body == HTTP_BODY_UNTIL_CLOSE;
    if (status != 204 && status != 304 && length.len && (q->is_head || !chunk))
        buf_format(out, "Content-Length: " STR_FMT "\r\n", STR_ARG(length));
    else if (!bodiless && chunk && !q->h->http_1_0)
        buf_put(out, S("Transfer-Encoding: chunked\r\n"));
    else if (!bodiless && chunk)
        q->close = true;
    else if (status != 204 && status != 304 && !q->is_head)
        buf_put(out, S("Content-Length: 0\r\n"));
    cache_status_put(e, q, out);
    load_put(e, q, out);
    if (q->close)
        buf_put(out, S("Connection: close\r\n"));
    else if (q->h->http_1_0)
        buf_put(out, S("Connection: keep-alive\r\n"));
    buf_put(out, S("\r\n"));
}

// A part that nobody asked for, or that does not say which one it is, is no answer.
static bool is_odd_part(const request *q, const http_head *h)
{
    byte_range part;
    int64_t length;
    str type = http_header_find(h->headers, h->header_count, S("Content-Type"));
    return h->status == 206 && (!q->has_range || (!str_starts_nocase(type, S("multipart/byteranges")) &&
           !content_range_read(http_header_find(h->headers, h->header_count, S("Content-Range")), &part, &length)));
}

static bool client_there(void *arg) { return !conn_peer_left(arg); }

void give_answer(edge *e, request *q, origin_answer *a)
{
    const http_head *h = &a->in.head;
    if (is_odd_part(q, h)) {
        a->ended = false;
        origin_done(e, a);
        give_text(e, q, 502, "the origin gave a part that was not asked for");
        return;
    }
    validators v = validators_of(h->headers, h->header_count);
    int status = h->status, judged = status == 200 && q->has_condition && (q->is_get || q->is_head)
                                   ? conditions_judge(q->h->method, q->h->headers, q->h->header_count, &v) : 0;
    status = judged ? judged : status;
    bool bodiless = q->is_head || status == 204 || status == 304 || judged, chunks = h->body == HTTP_BODY_CHUNKED || h->body == HTTP_BODY_UNTIL_CLOSE;
    buf out = buf_make(HEAD_BYTES_MAX);
    if (bodiless)
        chunks = false;
    chunks = chunks && !q->h->http_1_0;
    http_head shown = *h;
    if (judged == 412) {
        shown.header_count = 0;
        shown.body = HTTP_BODY_NONE;
    }
    head_compose(e, q, &shown, status, bodiless, &out);
    q->status = status;
    if (out.full) {
        buf_free(&out);
        origin_done(e, a);
        give_text(e, q, 502, "the origin's answer has too large a head");
        return;
    }
    conn_put(q->c, buf_str(&out));
    buf_free(&out);
    a->wanted = client_there;
    a->wanted_arg = q->c;
    if (!bodiless && a->link && !conn_has_input(a->link->c))
        conn_flush(q->c);                                // before waiting for what comes behind it
    for (str part; !bodiless && !q->c->error && (part = body_next(a)).len; ) {
        char size[24];
        q->given += part.len;
        int n = snprintf(size, sizeof size, "%tx\r\n", part.len);
        str parts[] = {chunks ? str_of(size, (size_t)n) : (str){0}, part, chunks ? S("\r\n") : (str){0}};
        conn_put_parts(q->c, parts, chunks ? 3 : 2);
    }
    if (!bodiless && !a->ended && h->body != HTTP_BODY_NONE)
        q->close = true;                                 // cut short: the client must see that
    else if (chunks)
        conn_put(q->c, S("0\r\n\r\n"));
    origin_done(e, a);
}

// ---- passing --------------------------------------------------------------------------------------------------------------------

// The keys of a URL of the same site that an answer names, under both schemes: no longer true after an unsafe method (RFC 9111 section 4.4),
// also after a crash: the client hears of his success when that is on the disk. Parks.
static void invalidate_named(edge *e, request *q, str url)
{
    buf space = buf_make(3 * URL_BYTES_MAX);
    str authority, target;
    if (url.len && url.len < HTTP_LINE_BYTES_MAX && url_normal(url, &space, &authority, &target) &&
        (!authority.len || site_find(e, authority) == q->s)) {
        static const char *const schemes[] = {"http", "https"};
        for (int i = 0; i < 2; i++) {
            str key = str_format(q->msg, "%s://" STR_FMT STR_FMT, schemes[i], STR_ARG(q->s->name), STR_ARG(target));
            err x = purge_key(e, key, false) ? disk_put_purge(e, key, (str){0}, false, false) : E_OK;
            if (x)                                       // the origin has done it: that cannot be unsaid
                log_line("edge", LOG_WARNING, "invalidation", F_STR("url", key), F_STR("why", str_z(err_text(x))),
                         F_STR("but", S("after a crash it may be there again")));
        }
    }
    buf_free(&space);
}

// A relative reference as a path (RFC 3986 section 5.2), or as what url_normal reads.
static str reference(const request *q, str url)
{
    str base = q->target;
    ptrdiff_t slash = str_find(url, '/'), colon = str_find(url, ':');
    if (str_starts(url, S("//")))
        return str_join(q->msg, S("http:"), url);
    if (!url.len || slash == 0 || (colon >= 0 && (slash < 0 || colon < slash)))
        return url;
    base = str_cut(&base, '?');
    return str_join(q->msg, str_first(base, str_rfind(base, '/') + 1), url);
}

static void invalidate(edge *e, request *q, const http_head *h)
{
    if (!cache_invalidates(q->h->method, h->status) || world_broken(e->w, "edge-no-invalidate"))
        return;
    invalidate_named(e, q, q->target);
    invalidate_named(e, q, reference(q, http_header_find(h->headers, h->header_count, S("Location"))));
    invalidate_named(e, q, reference(q, http_header_find(h->headers, h->header_count, S("Content-Location"))));
}

void pass(edge *e, request *q)
{
    http_header fields[FORWARD_FIELDS_MAX];
    origin_answer a;
    bool has_body = q->h->body != HTTP_BODY_NONE;
    upload u = {e, q, false, false};
    question ask = {.method = q->h->method, .target = q->target, .fields = fields, .body_bytes = -1};
    if (q->h->body == HTTP_BODY_LENGTH && q->h->body_bytes > e->body_bytes_max) {
        q->close = true;
        give_text(e, q, 413, "the body is too large");
        return;
    }
    ask.field_count = fields_forward(e, q, false, fields, FORWARD_FIELDS_MAX, q->msg);
    if (has_body) {
        ask.chunked = q->h->body == HTTP_BODY_CHUNKED;
        ask.body_bytes = q->h->body_bytes;
        ask.body = body_send;
        ask.arg = &u;
    }
    if (!has_body && (q->is_get || q->is_head))          // of what may have changed something the answer is heard in any case
        ask.asker = q->c;
    bool answered = origin_ask(e, q->s, &ask, q->msg, &a);
    q->close |= has_body && !answered;                   // some of the body may still be on its way
    if (u.too_large)
        give_text(e, q, 413, "the body is too large");
    else if (u.broken)
        give_text(e, q, 400, "the body is malformed or did not come");
    else if (!answered)
        give_text(e, q, a.why && str_eq(str_z(a.why), S("the origin gave no answer in time")) ? 504 : 502, a.why);
    if (!answered)
        return;
    q->forward_status = a.in.head.status;
    invalidate(e, q, &a.in.head);
    if (q->is_head && !has_body)                         // a body is in no key: what it made of the answer is nobody else's
        head_compare(e, q, &a);
    give_answer(e, q, &a);
}
