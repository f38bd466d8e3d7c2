#include "talk/http_serve.h"

#include <stdio.h>

#include "base/date.h"
#include "base/must.h"
#include "rt/loop.h"
#include "rt/meter.h"
#include "rt/story.h"
#include "wire/http/chunked.h"
#include "wire/http/target.h"

static meter requests_total = {
    .name = "naru_http_requests_total",
    .help = "HTTP requests answered, by the class of the answer.",
    .type = METER_COUNTER,
    .label = "class",
    .values = {"1xx", "2xx", "3xx", "4xx", "5xx"},
};

typedef enum { REPLY_NOTHING, REPLY_STREAM, REPLY_DONE } reply_state;

struct http_reply {
    conn       *c;
    reply_state state;
    bool        chunked, without_body;      // without_body: the answer to HEAD
    bool        close;                      // the connection ends after this answer
    bool        told;
    int64_t     left;                       // of an answer whose length was said; else 0
    buf         headers;                    // "Name: value" lines that the handler added
};

// ---- answering ----------------------------------------------------------------------------------------------------------

void http_answer_header(http_reply *r, str name, str value)
{
    must(http_is_token(name) && http_is_value(value) && r->state == REPLY_NOTHING);
    buf_format(&r->headers, STR_FMT ": " STR_FMT "\r\n", STR_ARG(name), STR_ARG(value));
}

static void head_put(http_reply *r, int status, str content_type)
{
    must(r->state == REPLY_NOTHING && status >= 200 && status <= 599 && http_is_value(content_type));
    char today[DATE_TEXT_MAX];
    date_print_http(today, world_wall_s(world_here()));
    conn_format(r->c, "HTTP/1.1 %d %s\r\nDate: %s\r\n", status, http_reason(status), today);
    if (content_type.len)
        conn_format(r->c, "Content-Type: " STR_FMT "\r\n", STR_ARG(content_type));
    conn_put(r->c, buf_str(&r->headers));
    if (r->close)
        conn_put(r->c, S("Connection: close\r\n"));
    meter_add_at(&requests_total, status / 100 - 1, 1);
    if (r->told) {
        char line[64];
        int n = snprintf(line, sizeof line, "HTTP/1.1 %d %s", status, http_reason(status));
        story_tell("http", STORY_OUT, r->c->local, r->c->peer, str_of(line, (size_t)n));
    }
}

void http_answer(http_reply *r, int status, str content_type, str body)
{
    bool bodiless = status == 204 || status == 304;
    head_put(r, status, content_type);
    if (!bodiless)
        conn_format(r->c, "Content-Length: %td\r\n", body.len);
    conn_put(r->c, S("\r\n"));
    if (!bodiless && !r->without_body)
        conn_put(r->c, body);
    r->state = REPLY_DONE;
}

void http_begin(http_reply *r, int status, str content_type)
{
    if (!r->chunked)
        r->close = true;                    // HTTP/1.0: the end of the connection is the end of the body
    head_put(r, status, content_type);
    conn_put(r->c, r->chunked ? S("Transfer-Encoding: chunked\r\n\r\n") : S("\r\n"));
    r->state = REPLY_STREAM;
}

void http_begin_length(http_reply *r, int status, str content_type, int64_t bytes)
{
    must(bytes >= 0);
    head_put(r, status, content_type);
    conn_format(r->c, "Content-Length: %lld\r\n\r\n", (long long)bytes);
    r->chunked = false;
    r->left = bytes;
    r->state = REPLY_STREAM;
}

bool http_write(http_reply *r, str bytes)
{
    must(r->state == REPLY_STREAM);
    if (r->left)
        r->left -= bytes.len;
    must(r->left >= 0);
    if (bytes.len && !r->without_body) {    // a chunk without bytes would end the body
        if (r->chunked)
            conn_format(r->c, "%tx\r\n", bytes.len);
        conn_put(r->c, bytes);
        if (r->chunked)
            conn_put(r->c, S("\r\n"));
    }
    return conn_flush(r->c);
}

bool http_peer_left(const http_reply *r) { return conn_peer_left(r->c); }

void http_break_off(http_reply *r)
{
    must(r->state == REPLY_STREAM);
    r->close = true;
    r->state = REPLY_DONE;
}

static void reply_end(http_reply *r)
{
    if (r->state == REPLY_NOTHING)
        http_answer(r, 500, S("text/plain; charset=utf-8"), S("the handler gave no answer\n"));
    else if (r->state == REPLY_STREAM && r->chunked && !r->without_body)
        conn_put(r->c, S("0\r\n\r\n"));
    else if (r->left && !r->without_body)
        r->close = true;                    // less than was promised: the peer sees that it is not whole
    r->state = REPLY_DONE;
}

// ---- asking -------------------------------------------------------------------------------------------------------------

str http_header_get(const http_request *q, str name) { return http_header_find(q->headers, q->header_count, name); }
str http_query_get(const http_request *q, str name, arena *msg) { return query_get(q->query, name, msg); }

// Reads the head of the next request. False: the connection ends; a refusal stands in the reader.
static bool head_read(conn *c, http_limits limits, http_head_reader *r, arena *msg)
{
    http_request_begin(r);
    conn_rate_min(c, 0, 0);                 // waiting for a question is no slowness
    conn_deadline(c, 0);
    if (conn_wait_input(c, loop_now_ns() + limits.idle_ns) != E_OK)
        return false;
    conn_deadline(c, seconds(HTTP_HEAD_S));
    while (r->state == HTTP_HEAD_MORE) {
        str line = conn_line(c, msg, HTTP_LINE_BYTES_MAX + 1);
        if (line.len == 0)
            return false;
        http_head_line(r, line);
    }
    conn_deadline(c, 0);
    conn_rate_min(c, HTTP_BYTES_PER_S_MIN, seconds(HTTP_GRACE_S));
    return true;
}

// The answer to what is no request, or one too large: said, and then no more is read.
static void refuse(http_reply *r, int status, const char *why, arena *msg)
{
    r->close = true;
    http_answer(r, status, S("text/plain; charset=utf-8"), str_format(msg, "%s\n", why));
}

static bool chunks_read(conn *c, http_limits limits, arena *msg, str *body, http_reply *r)
{
    chunked coding = {0};
    buf whole = buf_make(limits.body_bytes_max);
    while (coding.state != CHUNK_DONE && coding.state != CHUNK_BAD && !whole.full) {
        str there = conn_some(c);
        str rest = there;
        if (there.len == 0)
            break;
        while (rest.len && coding.state != CHUNK_DONE && coding.state != CHUNK_BAD && !whole.full)
            buf_put(&whole, chunked_next(&coding, &rest));
        conn_used(c, (size_t)(there.len - rest.len));
    }
    *body = str_copy(msg, buf_str(&whole));
    bool full = whole.full;
    buf_free(&whole);
    if (full)
        refuse(r, 413, "the body is too large", msg);
    else if (coding.state == CHUNK_BAD)
        refuse(r, 400, "the chunked body is malformed", msg);
    return !full && coding.state == CHUNK_DONE;
}

static bool body_read(conn *c, http_limits limits, const http_head *h, arena *msg, str *body, http_reply *r)
{
    if (h->body == HTTP_BODY_LENGTH && (uint64_t)h->body_bytes > limits.body_bytes_max) {
        refuse(r, 413, "the body is too large", msg);
        return false;
    }
    if (h->expects_continue && h->body != HTTP_BODY_NONE)
        conn_put(c, S("HTTP/1.1 100 Continue\r\n\r\n"));
    if (h->body == HTTP_BODY_CHUNKED)
        return chunks_read(c, limits, msg, body, r);
    if (h->body == HTTP_BODY_LENGTH && h->body_bytes) {
        unsigned char *at = arena_array(msg, unsigned char, h->body_bytes);
        if (!at || !conn_read(c, at, (size_t)h->body_bytes))
            return false;
        *body = str_of(at, (size_t)h->body_bytes);
    }
    return true;
}

// ---- one request after the other ----------------------------------------------------------------------------------------

// Without the query: it may carry what only the two ends should know.
static void request_tell(conn *c, const http_head *h, arena *msg)
{
    str path = h->target;
    path = str_cut(&path, '?');
    story_tell("http", STORY_IN, c->local, c->peer,
               str_format(msg, STR_FMT " " STR_FMT, STR_ARG(h->method), STR_ARG(path)));
}

// Serves one request; true: the connection may carry another one.
static bool serve_one(conn *c, http_limits limits, bool last, http_handler *handler, void *arg, arena *msg)
{
    http_head_reader in;
    if (!head_read(c, limits, &in, msg))
        return false;
    const http_head *h = &in.head;
    http_reply r = {
        .c = c,
        .chunked = !h->http_1_0,
        .without_body = str_eq(h->method, S("HEAD")),
        .close = last || !h->keep_alive,
        .told = limits.told,
        .headers = buf_make(HTTP_ANSWER_HEADERS_BYTES_MAX),
    };
    http_request q = {
        .method = h->method, .target = h->target, .headers = h->headers, .header_count = h->header_count,
        .keep_alive = h->keep_alive, .http_1_0 = h->http_1_0, .peer = c->peer,
    };
    if (in.state == HTTP_HEAD_BAD)
        refuse(&r, in.status, in.why, msg);
    else if (!target_read(h->target, msg, &q.path, &q.query))
        refuse(&r, 400, "the request target is not a path that can be served", msg);
    else if (body_read(c, limits, h, msg, &q.body, &r)) {
        if (limits.told)
            request_tell(c, h, msg);
        handler(arg, &q, &r, msg);
        reply_end(&r);
    } else {
        r.close = true;
    }
    buf_free(&r.headers);
    return !r.close && !c->error;
}

// RFC 9112 section 9.6: closing while the peer still sends would reset the connection and take the answer from it. So our
// side ends first, and what still comes is read past for a while.
static void linger(conn *c)
{
    size_t dropped = 0;
    conn_deadline(c, seconds(HTTP_LINGER_S));
    conn_shutdown(c);
    for (str rest; dropped < HTTP_LINGER_BYTES_MAX && (rest = conn_some(c)).len; dropped += (size_t)rest.len)
        conn_used(c, (size_t)rest.len);
}

void http_serve(conn *c, http_limits limits, http_handler *handler, void *arg)
{
    limits.body_bytes_max = limits.body_bytes_max ? limits.body_bytes_max : HTTP_BODY_BYTES_MAX;
    limits.requests_max = limits.requests_max ? limits.requests_max : HTTP_REQUESTS_MAX;
    limits.idle_ns = limits.idle_ns ? limits.idle_ns : seconds(HTTP_IDLE_S);
    arena msg = arena_make(HTTP_MEMORY_BYTES_MAX + limits.body_bytes_max);
    for (int n = 1; serve_one(c, limits, n == limits.requests_max, handler, arg, &msg); n++)
        arena_free(&msg);                   // an idle connection holds nothing
    arena_free(&msg);
    if (!c->error)
        linger(c);
}
