#include "wire/mail/dot.h"

#include "test.h"

// Reads `in` in chunks of `chunk` bytes; gives the letter and what was left over.
static dot_verdict read_all(str in, ptrdiff_t chunk, uint64_t max, buf *out, ptrdiff_t *left, bool *too_large)
{
    dot_reader d = {.size_bytes_max = max};
    dot_verdict v = DOT_MORE;
    buf_clear(out);
    while (in.len && v == DOT_MORE) {
        str part = str_first(in, chunk);
        ptrdiff_t before = part.len;
        v = dot_read(&d, &part, out);
        in = str_from(in, before - part.len);
    }
    *left = in.len;
    *too_large = d.too_large;
    return v;
}

TEST(dot_reader_ends_on_crlf_dot_crlf_alone)
{
    static const struct { const char *in; dot_verdict verdict; const char *letter; int left; } rows[] = {
        {"Do you like ketchup?\r\nHow about pickles?\r\n.\r\nQUIT\r\n", DOT_DONE,
         "Do you like ketchup?\r\nHow about pickles?\r\n", 6},
        {".\r\n", DOT_DONE, "", 0},
        {"..\r\n.\r\n", DOT_DONE, ".\r\n", 0},
        {"..a\r\n...\r\n.b\r\n.\r\n", DOT_DONE, ".a\r\n..\r\nb\r\n", 0},
        {"a.\r\n\r\n.\r\n", DOT_DONE, "a.\r\n\r\n", 0},
        {"a\r\n.", DOT_MORE, "a\r\n", 0},
        {"a\r\n.\r", DOT_MORE, "a\r\n", 0},
        // every spelling that some server somewhere takes for the end
        {"a\n.\nMAIL", DOT_BARE_LF, "a", -1},
        {"a\n.\r\nMAIL", DOT_BARE_LF, "a", -1},
        {"a\r.\rMAIL", DOT_BARE_CR, "a", -1},
        {"a\r.\r\nMAIL", DOT_BARE_CR, "a", -1},
        {"a\r\n.\rMAIL", DOT_BARE_CR, "a\r\n", -1},
        {"a\r\n.\nMAIL", DOT_BARE_LF, "a\r\n", -1},
        {"a\r\r\n.\r\nMAIL", DOT_BARE_CR, "a", -1},
        {"a\r\n\n.\r\nMAIL", DOT_BARE_LF, "a\r\n", -1},
        {"\n", DOT_BARE_LF, "", -1},
        {".\n", DOT_BARE_LF, "", -1},
        {"a\rb\r\n.\r\n", DOT_BARE_CR, "a", -1},
        {"a\r\n.\r\r\n", DOT_BARE_CR, "a\r\n", -1},
    };
    buf out = buf_make(1 << 16);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (ptrdiff_t chunk = 1; chunk < 64; chunk += chunk < 8 ? 1 : 13) {
            ptrdiff_t left;
            bool large;
            CHECK_ROW(i, read_all(str_z(rows[i].in), chunk, 1000, &out, &left, &large) == rows[i].verdict);
            CHECK_ROW(i, str_eq(buf_str(&out), str_z(rows[i].letter)));
            CHECK_ROW(i, rows[i].left < 0 || left == rows[i].left);
            CHECK_ROW(i, !large);
        }
    buf_free(&out);
}

TEST(dot_reader_keeps_the_limit_and_still_finds_the_end)
{
    buf out = buf_make(1 << 16);
    ptrdiff_t left;
    bool large;
    CHECK_INT(read_all(S("1234\r\n5678\r\n.\r\nX"), 3, 12, &out, &left, &large), DOT_DONE);
    CHECK(!large);
    CHECK_INT(read_all(S("1234\r\n5678\r\n.\r\nX"), 3, 11, &out, &left, &large), DOT_DONE);
    CHECK(large);
    CHECK_INT(left, 1);
    buf_free(&out);
}

TEST(dot_writer_stuffs_and_never_sends_a_stray_line_end)
{
    static const struct { const char *in, *wire; } rows[] = {
        {"", ".\r\n"},
        {"a", "a\r\n.\r\n"},
        {"a\r\n", "a\r\n.\r\n"},
        {".\r\n..b\r\nc.\r\n", "..\r\n...b\r\nc.\r\n.\r\n"},
        {"a\n.\nMAIL FROM:<>\n", "a\r\n..\r\nMAIL FROM:<>\r\n.\r\n"},
        {"a\r.\rb", "a\r\n..\r\nb\r\n.\r\n"},
        {"\n\n", "\r\n\r\n.\r\n"},
        {"a\r\r\nb", "a\r\n\r\nb\r\n.\r\n"},
    };
    buf out = buf_make(1 << 16);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (ptrdiff_t chunk = 1; chunk < 9; chunk++) {
            dot_writer d = {0};
            buf_clear(&out);
            for (str in = str_z(rows[i].in); in.len; in = str_from(in, chunk))
                dot_write(&d, str_first(in, chunk), &out);
            CHECK_ROW(i, dot_finish(&d, &out));
            CHECK_ROW(i, str_eq(buf_str(&out), str_z(rows[i].wire)));
        }
    buf_free(&out);
}
