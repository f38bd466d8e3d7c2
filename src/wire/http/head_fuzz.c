// A head that is accepted and written again reads back as the same head, for requests and for answers.
#include "base/must.h"
#include "wire/http/head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static http_head_state feed(http_head_reader *r, str text)
{
    http_head_state state = HTTP_HEAD_MORE;
    while (text.len && state == HTTP_HEAD_MORE) {
        ptrdiff_t end = str_find(text, '\n');
        ptrdiff_t n = end < 0 ? text.len : end + 1;
        state = http_head_line(r, str_first(text, n));
        text = str_from(text, n);
    }
    return state;
}

static void write_head(const http_head *h, bool answer, buf *out)
{
    const char *version = h->http_1_0 ? "HTTP/1.0" : "HTTP/1.1";
    if (answer)
        buf_format(out, "%s %d " STR_FMT "\r\n", version, h->status, STR_ARG(h->reason));
    else
        buf_format(out, STR_FMT " " STR_FMT " %s\r\n", STR_ARG(h->method), STR_ARG(h->target), version);
    for (int i = 0; i < h->header_count; i++)
        buf_format(out, STR_FMT ":" STR_FMT "\r\n", STR_ARG(h->headers[i].name), STR_ARG(h->headers[i].value));
    buf_put(out, S("\r\n"));
}

static void try_head(str text, bool answer)
{
    http_head_reader first, second;
    if (answer)
        http_answer_begin(&first, false), http_answer_begin(&second, false);
    else
        http_request_begin(&first), http_request_begin(&second);
    http_head_state state = feed(&first, text);
    must((state == HTTP_HEAD_BAD) == (first.status >= 400));
    if (state != HTTP_HEAD_DONE)
        return;
    const http_head *h = &first.head, *g = &second.head;
    buf out = buf_make(HTTP_HEAD_BYTES_MAX * 2);
    write_head(h, answer, &out);
    must(feed(&second, buf_str(&out)) == HTTP_HEAD_DONE);
    must(h->header_count == g->header_count && h->body == g->body && h->body_bytes == g->body_bytes);
    must(h->keep_alive == g->keep_alive && h->status == g->status && str_eq(h->target, g->target));
    for (int i = 0; i < h->header_count; i++)
        must(str_eq(h->headers[i].name, g->headers[i].name) && str_eq(h->headers[i].value, g->headers[i].value));
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_head(str_of(data, size), false);
    try_head(str_of(data, size), true);
    return 0;
}
