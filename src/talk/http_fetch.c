#include "talk/http_fetch.h"

#include <string.h>

#include "base/must.h"
#include "wire/http/chunked.h"

enum { INTERIM_ANSWERS_MAX = 8 };           // 1xx before the answer

str http_result_header(const http_result *r, str name) { return http_header_find(r->headers, r->header_count, name); }

static bool target_valid(str target)
{
    for (ptrdiff_t i = 0; i < target.len; i++)
        if (target.at[i] <= ' ' || target.at[i] >= 0x7f || target.at[i] == '#')
            return false;
    return target.len > 0;
}

static void request_put(conn *c, str method, str host, str target, const http_header *headers, int count, str body)
{
    must(http_is_token(method) && http_is_value(host));
    conn_format(c, STR_FMT " " STR_FMT " HTTP/1.1\r\nHost: " STR_FMT "\r\n", STR_ARG(method), STR_ARG(target),
                STR_ARG(host));
    for (int i = 0; i < count; i++) {
        must(http_is_token(headers[i].name) && http_is_value(headers[i].value));
        conn_format(c, STR_FMT ": " STR_FMT "\r\n", STR_ARG(headers[i].name), STR_ARG(headers[i].value));
    }
    if (body.len || !(str_eq(method, S("GET")) || str_eq(method, S("HEAD"))))
        conn_format(c, "Content-Length: %td\r\n", body.len);
    conn_put(c, S("\r\n"));
    conn_put(c, body);
}

static err head_read(conn *c, http_head_reader *r, bool asked_head, arena *msg)
{
    for (int n = 0; n < INTERIM_ANSWERS_MAX; n++) {
        http_answer_begin(r, asked_head);
        while (r->state == HTTP_HEAD_MORE) {
            str line = conn_line(c, msg, HTTP_LINE_BYTES_MAX + 1);
            if (line.len == 0)
                return c->error ? c->error : E_EOF;
            http_head_line(r, line);
        }
        if (r->state == HTTP_HEAD_BAD)
            return r->status == 431 || r->status == 414 ? E_TOO_LONG : E_PROTOCOL;
        if (r->head.status >= 200)
            return E_OK;
    }
    return E_PROTOCOL;
}

static bool is_wanted(conn *c, const http_taker *t) { return !t->wanted || conn_wait_wanted(c, t->wanted, t->arg); }

// Reads until the body's own end: the last chunk, its length, or the end of the connection. Each piece is given to take.
static err body_read(conn *c, const http_head *h, http_taker taker, uint64_t most)
{
    chunked coding = {0};
    uint64_t left = h->body == HTTP_BODY_LENGTH ? (uint64_t)h->body_bytes : UINT64_MAX;
    if (h->body == HTTP_BODY_NONE)
        return E_OK;
    while (left && coding.state != CHUNK_DONE) {
        if (!is_wanted(c, &taker))
            return E_CANCELED;
        str there = conn_some(c), rest = there;
        bool wanted = true;
        if (there.len == 0)
            return h->body == HTTP_BODY_UNTIL_CLOSE && c->error == E_EOF ? E_OK : c->error;
        while (rest.len && wanted && left && coding.state < CHUNK_DONE) {
            str piece = (uint64_t)rest.len < left ? rest : str_first(rest, (ptrdiff_t)left);
            if (h->body == HTTP_BODY_CHUNKED)
                piece = chunked_next(&coding, &rest);
            else
                rest = str_from(rest, piece.len);
            left -= left == UINT64_MAX ? 0 : (uint64_t)piece.len;
            if ((uint64_t)piece.len > most)
                return E_TOO_LONG;
            most -= (uint64_t)piece.len;
            wanted = piece.len == 0 || taker.take(taker.arg, piece);
        }
        conn_used(c, (size_t)(there.len - rest.len));
        if (coding.state == CHUNK_BAD)
            return E_PROTOCOL;
        if (!wanted)
            return E_CANCELED;
    }
    return E_OK;
}

http_result http_fetch_pieces(conn *c, str method, str host, str target, const http_header *headers, int header_count,
                              str body, http_taker taker, uint64_t body_bytes_max, arena *msg)
{
    http_result result = {.error = c->error};
    if (result.error || !target_valid(target)) {
        result.error = result.error ? result.error : E_PROTOCOL;
        return result;
    }
    http_head_reader r;
    request_put(c, method, host, target, headers, header_count, body);
    result.error = is_wanted(c, &taker) ? head_read(c, &r, str_eq(method, S("HEAD")), msg) : E_CANCELED;
    if (result.error)
        return result;
    result.status = r.head.status;
    result.keep_alive = r.head.keep_alive;
    result.header_count = r.head.header_count;
    result.headers = arena_array(msg, http_header, r.head.header_count + 1);
    if (result.headers)
        memcpy(result.headers, r.fields, (size_t)r.head.header_count * sizeof(http_header));
    else
        result.header_count = 0;
    int64_t length = r.head.body == HTTP_BODY_LENGTH ? r.head.body_bytes : r.head.body == HTTP_BODY_NONE ? 0 : -1;
    if (length > 0 && (uint64_t)length > body_bytes_max)
        result.error = E_TOO_LONG;
    else if (taker.head && !taker.head(taker.arg, &result, length))
        result.error = E_CANCELED;
    else
        result.error = body_read(c, &r.head, taker, body_bytes_max);
    return result;
}

static bool whole_take(void *arg, str piece) { return buf_put(arg, piece); }

http_result http_fetch(conn *c, str method, str host, str target, const http_header *headers, int header_count,
                       str body, size_t body_bytes_max, arena *msg)
{
    buf whole = buf_make(body_bytes_max);
    http_taker taker = {.take = whole_take, .arg = &whole};
    http_result result = http_fetch_pieces(c, method, host, target, headers, header_count, body, taker, body_bytes_max, msg);
    if (!result.error) {
        result.body = str_copy(msg, buf_str(&whole));
        if (msg->full)
            result.error = E_TOO_LONG;
    }
    buf_free(&whole);
    return result;
}
