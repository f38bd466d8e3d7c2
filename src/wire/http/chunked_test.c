#include "test.h"
#include "wire/http/chunked.h"

static chunk_state decode(str in, size_t step, buf *body, str *rest)
{
    chunked c = {0};
    while (in.len && c.state != CHUNK_DONE && c.state != CHUNK_BAD) {
        str piece = str_first(in, (ptrdiff_t)step), before = piece;
        while (piece.len && c.state != CHUNK_DONE && c.state != CHUNK_BAD)
            buf_put(body, chunked_next(&c, &piece));
        in = str_from(in, before.len - piece.len);
    }
    *rest = in;
    return c.state;
}

TEST(chunked_bodies)
{
    static const struct { const char *in; chunk_state state; const char *body, *rest; } rows[] = {
        {"5\r\nhello\r\n0\r\n\r\n", CHUNK_DONE, "hello", ""},
        {"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\nGET /", CHUNK_DONE, "hello world", "GET /"},
        {"0\r\n\r\n", CHUNK_DONE, "", ""},
        {"000\r\n\r\n", CHUNK_DONE, "", ""},
        {"A\r\n0123456789\r\n0\r\n\r\n", CHUNK_DONE, "0123456789", ""},
        {"a;x=\"y z\"\r\n0123456789\r\n0;q\r\n\r\n", CHUNK_DONE, "0123456789", ""},
        {"1\r\na\r\n0\r\nTrailer: x\r\nOther: y\r\n\r\n", CHUNK_DONE, "a", ""},
        {"5\r\nhel", CHUNK_DATA, "hel", ""},
        {"5\nhello\r\n0\r\n\r\n", CHUNK_BAD, "", NULL},                     // bare LF
        {"5\r\nhello\n0\r\n\r\n", CHUNK_BAD, "hello", NULL},
        {"5\r\nhello0\r\n\r\n", CHUNK_BAD, "hello", NULL},                  // longer than it says
        {"5 \r\nhello\r\n0\r\n\r\n", CHUNK_BAD, "", NULL},
        {" 5\r\nhello\r\n0\r\n\r\n", CHUNK_BAD, "", NULL},
        {"+5\r\nhello\r\n0\r\n\r\n", CHUNK_BAD, "", NULL},
        {"-1\r\n", CHUNK_BAD, "", NULL},
        {"0x5\r\nhello\r\n0\r\n\r\n", CHUNK_BAD, "", NULL},
        {"\r\n", CHUNK_BAD, "", NULL},
        {";x\r\n", CHUNK_BAD, "", NULL},
        {"1000000000000000\r\n", CHUNK_BAD, "", NULL},                      // sixteen digits
        {"5;a\nb\r\nhello\r\n", CHUNK_BAD, "", NULL},
        {"5;a\x01\r\nhello\r\n", CHUNK_BAD, "", NULL},
        {"5;a\r\r\nhello\r\n", CHUNK_BAD, "", NULL},
        {"0\r\nX: y\n\r\n", CHUNK_BAD, "", NULL},
        {"0\r\n folded\r\n\r\n", CHUNK_BAD, "", NULL},
        {"0\r\n\n", CHUNK_BAD, "", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (size_t step = 1; step < 50; step += 16) {
            buf body = buf_make(1000);
            str rest;
            CHECK_ROW(i, decode(str_z(rows[i].in), step, &body, &rest) == rows[i].state);
            CHECK_ROW(i, str_eq(buf_str(&body), str_z(rows[i].body)));
            CHECK_ROW(i, !rows[i].rest || str_eq(rest, str_z(rows[i].rest)));
            buf_free(&body);
        }
}

TEST(chunked_extras_are_bounded)
{
    chunked c = {0};
    buf in = buf_make(1 << 20);
    for (int i = 0; i < 200; i++) {                                        // tiny chunks with long extensions
        buf_put(&in, S("1;"));
        for (int n = 0; n < 200; n++)
            buf_put_byte(&in, 'e');
        buf_put(&in, S("\r\nx\r\n"));
    }
    str rest = buf_str(&in);
    while (rest.len && c.state != CHUNK_BAD)
        chunked_next(&c, &rest);
    CHECK(c.state == CHUNK_BAD && rest.len > 0);

    c = (chunked){0};
    buf_clear(&in);
    buf_put(&in, S("1;"));
    for (int n = 0; n < CHUNK_LINE_BYTES_MAX; n++)
        buf_put_byte(&in, 'e');
    rest = buf_str(&in);
    chunked_next(&c, &rest);
    CHECK(c.state == CHUNK_BAD);

    c = (chunked){0};
    buf_clear(&in);
    buf_put(&in, S("0\r\n"));
    for (int n = 0; n < CHUNK_EXTRA_BYTES_MAX / 4; n++)
        buf_put(&in, S("X: y\r\n"));
    rest = buf_str(&in);
    chunked_next(&c, &rest);
    CHECK(c.state == CHUNK_TRAILER_START);
    rest = S("X");
    chunked_next(&c, &rest);
    CHECK(c.state == CHUNK_BAD);
    buf_free(&in);
}

TEST(chunks_are_written)
{
    buf out = buf_make(100);
    CHECK(chunk_put(&out, S("0123456789abcdef")) && chunk_put(&out, S("")));
    CHECK_STR(buf_str(&out), S("10\r\n0123456789abcdef\r\n0\r\n\r\n"));
    buf_free(&out);
}
