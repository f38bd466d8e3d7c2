#include "test.h"

#include "base/hex.h"

TEST(hex_both_ways)
{
    arena msg = arena_make(10000);
    unsigned char out[8];
    CHECK_STR(hex_text(&msg, S("\x00\x7f\xff""A")), S("007fff41"));
    CHECK(hex_decode(out, S("007FfF41")));
    CHECK_STR(str_of(out, 4), S("\x00\x7f\xff""A"));
    CHECK(hex_decode(out, S("")));
    CHECK(!hex_decode(out, S("0")) && !hex_decode(out, S("0g")) && !hex_decode(out, S(" 0")) && !hex_decode(out, S("0x")));
    for (int c = 0; c < 256; c++)
        CHECK_ROW(c, (hex_digit((unsigned char)c) >= 0) == (c && strchr("0123456789abcdefABCDEF", c) != NULL));
    arena_free(&msg);
}

TEST(percent_both_ways)
{
    static const struct { str plain, also, coded; } rows[] = {
        {S("a-b.c_d~9"), S(""), S("a-b.c_d~9")}, {S("a b/c"), S("/"), S("a%20b/c")},
        {S("a b/c"), S(""), S("a%20b%2Fc")},     {S("\xed\x95\x9c"), S(""), S("%ED%95%9C")},
        {S("100%"), S(""), S("100%25")},         {S(""), S(""), S("")},
    };
    buf out = buf_make(1000);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        buf_clear(&out);
        CHECK_ROW(i, percent_put(&out, rows[i].plain, rows[i].also));
        CHECK_STR(buf_str(&out), rows[i].coded);
        buf_clear(&out);
        CHECK_ROW(i, percent_decode(&out, rows[i].coded));
        CHECK_STR(buf_str(&out), rows[i].plain);
    }
    CHECK(!percent_decode(&out, S("%")) && !percent_decode(&out, S("%4")) && !percent_decode(&out, S("%4g")));
    buf_clear(&out);
    CHECK(percent_decode(&out, S("a+b%2b")));
    CHECK_STR(buf_str(&out), S("a+b+"));
    buf small = buf_make(2);
    CHECK(!percent_put(&small, S(" "), S("")) && small.full);
    buf_free(&small);
    buf_free(&out);
}
