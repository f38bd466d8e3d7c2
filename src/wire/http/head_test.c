#include "test.h"
#include "wire/http/head.h"

// Feeds a head as a connection would, a line at a time; what stands behind the empty line is not looked at.
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

#define GET "GET / HTTP/1.1\r\n"
#define HOST "Host: a\r\n"

TEST(http_request_heads_that_smuggle_are_refused)
{
    static const struct { const char *text; int status; } rows[] = {      // status 0: fine
        {GET HOST "\r\n", 0},
        {"\r\n" GET HOST "\r\n", 0},
        {"\r\n\r\n" GET HOST "\r\n", 400},
        {"GET / HTTP/1.0\r\n\r\n", 0},
        {GET "\r\n", 400},                                                // no Host
        {GET HOST HOST "\r\n", 400},
        {GET "Host: a b\r\n\r\n", 400},
        {GET "Host: a/b\r\n\r\n", 400},
        {"GET /\r\n\r\n", 400},                                           // HTTP/0.9
        {"GET  / HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET / HTTP/1.1 \r\n" HOST "\r\n", 400},
        {" GET / HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET\t/ HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET /a b HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET /a#b HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET /\xed\x95\x9c HTTP/1.1\r\n" HOST "\r\n", 400},
        {"G(T / HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET / http/1.1\r\n" HOST "\r\n", 400},
        {"GET / HTTP/1.10\r\n" HOST "\r\n", 400},
        {"GET / HTTP/2.0\r\n" HOST "\r\n", 505},
        {"GET / HTTP/1.2\r\n" HOST "\r\n", 505},
        {"GET / HTTP/1.1\n" HOST "\r\n", 400},                            // bare LF
        {GET "Host: a\n\r\n", 400},
        {GET HOST "\n", 400},
        {GET "Host: a\rX: b\r\n\r\n", 400},                               // bare CR
        {GET HOST "X : b\r\n\r\n", 400},                                  // blank before the colon
        {GET HOST " X: b\r\n\r\n", 400},                                  // folded
        {GET HOST "X: b\r\n\tc\r\n\r\n", 400},
        {GET HOST "X\r\n\r\n", 400},
        {GET HOST ": b\r\n\r\n", 400},
        {GET HOST "X\x0b: b\r\n\r\n", 400},
        {GET HOST "X: \x01\r\n\r\n", 400},
        {GET HOST "X: \x7f\r\n\r\n", 400},
        {GET HOST "X: \t b\tc \t\r\n\r\n", 0},
        {GET HOST "X:\r\n\r\n", 0},
        {GET HOST "X: \xed\x95\x9c\r\n\r\n", 0},
        {GET HOST "Content-Length: 5\r\n\r\n", 0},
        {GET HOST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", 400},
        {GET HOST "Content-Length: 5\r\ncontent-length: 6\r\n\r\n", 400},
        {GET HOST "Content-Length: 5, 5\r\n\r\n", 400},
        {GET HOST "Content-Length: +5\r\n\r\n", 400},
        {GET HOST "Content-Length: -5\r\n\r\n", 400},
        {GET HOST "Content-Length: 0x5\r\n\r\n", 400},
        {GET HOST "Content-Length: 5 5\r\n\r\n", 400},
        {GET HOST "Content-Length:\r\n\r\n", 400},
        {GET HOST "Content-Length: 9223372036854775807\r\n\r\n", 0},
        {GET HOST "Content-Length: 9223372036854775808\r\n\r\n", 400},
        {GET HOST "Content-Length: 18446744073709551621\r\n\r\n", 400},
        {GET HOST "Transfer-Encoding: chunked\r\n\r\n", 0},
        {GET HOST "Transfer-Encoding: Chunked\r\n\r\n", 0},
        {GET HOST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 400},
        {GET HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        {GET HOST "Content-Length: 5\r\nTransfer-Encoding: identity\r\n\r\n", 400},
        {GET HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        {GET HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n", 400},
        {GET HOST "Transfer-Encoding: chunked, identity\r\n\r\n", 501},
        {GET HOST "Transfer-Encoding: gzip, chunked\r\n\r\n", 501},
        {GET HOST "Transfer-Encoding: xchunked\r\n\r\n", 501},
        {GET HOST "Transfer-Encoding: \"chunked\"\r\n\r\n", 501},
        {GET HOST "Transfer-Encoding:\r\n\r\n", 501},
        {GET HOST "Transfer-Encoding : chunked\r\n\r\n", 400},
        {GET HOST "Transfer-Encoding:\x0b" "chunked\r\n\r\n", 400},
        {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        {GET HOST "Expect: 100-continue\r\n\r\n", 0},
        {GET HOST "Expect: miracles\r\n\r\n", 417},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        http_head_reader r;
        http_request_begin(&r);
        http_head_state state = feed(&r, str_z(rows[i].text));
        CHECK_ROW(i, state == (rows[i].status ? HTTP_HEAD_BAD : HTTP_HEAD_DONE) && r.status == rows[i].status);
        CHECK_ROW(i, (rows[i].status != 0) == (r.why != NULL));
    }
}

TEST(http_request_head_is_taken_apart)
{
    http_head_reader r;
    http_request_begin(&r);
    CHECK(feed(&r, S("POST /a?b=c HTTP/1.1\r\nhOST: x:80\r\nContent-Length: 12\r\nX:  two words \r\nConnection: x, Close\r\n\r\n"))
          == HTTP_HEAD_DONE);
    CHECK_STR(r.head.method, S("POST"));
    CHECK_STR(r.head.target, S("/a?b=c"));
    CHECK_STR(http_header_find(r.head.headers, r.head.header_count, S("x")), S("two words"));
    CHECK_INT(r.head.header_count, 4);
    CHECK(r.head.body == HTTP_BODY_LENGTH && r.head.body_bytes == 12);
    CHECK(!r.head.keep_alive && !r.head.expects_continue);
}

TEST(http_connections_are_kept_as_the_rfc_says)
{
    static const struct { const char *text; bool keep; } rows[] = {
        {GET HOST "\r\n", true},
        {GET HOST "Connection: close\r\n\r\n", false},
        {GET HOST "Connection: keep-alive\r\nConnection: close\r\n\r\n", false},
        {"GET / HTTP/1.0\r\n\r\n", false},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        http_head_reader r;
        http_request_begin(&r);
        CHECK_ROW(i, feed(&r, str_z(rows[i].text)) == HTTP_HEAD_DONE && r.head.keep_alive == rows[i].keep);
    }
}

TEST(http_answer_heads_say_where_the_body_ends)
{
    static const struct { const char *text; bool asked_head; http_head_state state; http_body body; } rows[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", false, HTTP_HEAD_DONE, HTTP_BODY_LENGTH},
        {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", true, HTTP_HEAD_DONE, HTTP_BODY_NONE},
        {"HTTP/1.1 200\r\n\r\n", false, HTTP_HEAD_DONE, HTTP_BODY_UNTIL_CLOSE},
        {"HTTP/1.0 200 \r\n\r\n", false, HTTP_HEAD_DONE, HTTP_BODY_UNTIL_CLOSE},
        {"HTTP/1.1 204 No Content\r\n\r\n", false, HTTP_HEAD_DONE, HTTP_BODY_NONE},
        {"HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n", false, HTTP_HEAD_DONE, HTTP_BODY_NONE},
        {"HTTP/1.1 100 Continue\r\n\r\n", false, HTTP_HEAD_DONE, HTTP_BODY_NONE},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false, HTTP_HEAD_DONE, HTTP_BODY_CHUNKED},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", false, HTTP_HEAD_BAD, 0},
        {"HTTP/1.1 2000 OK\r\n\r\n", false, HTTP_HEAD_BAD, 0},
        {"HTTP/1.1 099 OK\r\n\r\n", false, HTTP_HEAD_BAD, 0},
        {"HTTP/1.1  200 OK\r\n\r\n", false, HTTP_HEAD_BAD, 0},
        {"\r\nHTTP/1.1 200 OK\r\n\r\n", false, HTTP_HEAD_BAD, 0},
        {"HTTP/1.1 200 O\x01K\r\n\r\n", false, HTTP_HEAD_BAD, 0},
        {"220 hamburger.edu ESMTP\r\n", false, HTTP_HEAD_BAD, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        http_head_reader r;
        http_answer_begin(&r, rows[i].asked_head);
        CHECK_ROW(i, feed(&r, str_z(rows[i].text)) == rows[i].state);
        CHECK_ROW(i, rows[i].state == HTTP_HEAD_BAD || r.head.body == rows[i].body);
    }
}

static int status_after(http_head_reader *r, str line, int times)
{
    while (times-- > 0 && http_head_line(r, line) == HTTP_HEAD_MORE)
        ;
    return r->status;
}

TEST(http_heads_are_bounded)
{
    static unsigned char zeros[HTTP_LINE_BYTES_MAX + 1];
    memset(zeros, 'a', sizeof zeros);
    memcpy(zeros, "GET /", 5);
    http_head_reader r;
    http_request_begin(&r);
    CHECK_INT(status_after(&r, str_of(zeros, sizeof zeros), 1), 414);
    CHECK(http_head_line(&r, S(GET)) == HTTP_HEAD_BAD);                   // and it stays so

    http_request_begin(&r);
    http_head_line(&r, S(GET));
    CHECK_INT(status_after(&r, S("X: y\r\n"), HTTP_HEADERS_MAX), 0);
    CHECK_INT(status_after(&r, S("X: y\r\n"), 1), 431);

    http_request_begin(&r);
    http_head_line(&r, S(GET));
    zeros[4] = ':';
    memcpy(zeros, "name", 4);
    memcpy(zeros + 4000, "\r\n", 2);
    CHECK_INT(status_after(&r, str_of(zeros, 4002), 8), 0);
    CHECK_INT(status_after(&r, str_of(zeros, 4002), 1), 431);
    http_request_begin(&r);
    http_head_line(&r, S(GET));
    CHECK_INT(status_after(&r, str_of(zeros, sizeof zeros), 1), 431);
}

TEST(http_lists_and_reasons)
{
    CHECK(http_list_has(S("a , b,c"), S("B")) && !http_list_has(S("ab"), S("b")) && !http_list_has(S(""), S("b")));
    CHECK_STR(str_z(http_reason(404)), S("Not Found"));
    CHECK_STR(str_z(http_reason(299)), S(""));
}
