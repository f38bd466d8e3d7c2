#include "heard.h"

#include "wire/http/chunked.h"

enum { INTERIM_MAX = 8 };

static bool head_read(conn *c, bool asked_head, arena *a, heard *out)
{
    http_head_reader *r = arena_new(a, http_head_reader);
    for (int i = 0; i < INTERIM_MAX && r; i++) {
        http_answer_begin(r, asked_head);
        while (r->state == HTTP_HEAD_MORE) {
            str line = conn_line(c, a, HTTP_LINE_BYTES_MAX + 1);
            if (!line.len)
                return false;
            http_head_line(r, line);
        }
        out->why = r->state == HTTP_HEAD_BAD ? str_z(r->why) : (str){0};
        out->head = r->head;
        if (r->state == HTTP_HEAD_BAD || r->head.status >= 200)
            break;
    }
    return r && r->state == HTTP_HEAD_DONE;
}

static bool body_read(conn *c, const http_head *h, buf *whole)
{
    chunked coding = {0};
    int64_t left = h->body == HTTP_BODY_LENGTH ? h->body_bytes : h->body == HTTP_BODY_NONE ? 0 : INT64_MAX;
    while (left && coding.state < CHUNK_DONE && !whole->full) {
        str there = conn_some(c), rest = there;
        if (!there.len)
            break;
        if (h->body == HTTP_BODY_CHUNKED) {
            while (rest.len && coding.state < CHUNK_DONE && !whole->full)
                buf_put(whole, chunked_next(&coding, &rest));
        } else {
            str piece = str_first(rest, rest.len < left ? rest.len : (ptrdiff_t)left);
            buf_put(whole, piece);
            rest = str_from(rest, piece.len);
            left -= piece.len;
        }
        conn_used(c, (size_t)(there.len - rest.len));
    }
    if (h->body == HTTP_BODY_CHUNKED)
        return coding.state == CHUNK_DONE;
    return h->body == HTTP_BODY_UNTIL_CLOSE ? c->error == E_EOF : left == 0;
}

heard heard_read(conn *c, bool asked_head, arena *a)
{
    heard out = {0};
    if (!head_read(c, asked_head, a, &out))
        return out;
    buf whole = buf_make(HEARD_BODY_BYTES_MAX);
    out.came = true;
    out.whole = body_read(c, &out.head, &whole);
    out.body = str_copy(a, buf_str(&whole));
    buf_free(&whole);
    return out;
}
