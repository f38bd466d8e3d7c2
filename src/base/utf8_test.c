#include "base/utf8.h"
#include "test.h"

TEST(utf8_decodes_only_the_shortest_form)
{
    static const struct { str in; int len; uint32_t code; } rows[] = {
        {S(""), 0, 0}, {S("a"), 1, 'a'}, {S("\xc3\xa9"), 2, 0xe9}, {S("\xed\x95\x9c"), 3, 0xd55c},
        {S("\xf0\x9f\x98\x80"), 4, 0x1f600}, {S("\xf4\x8f\xbf\xbf"), 4, 0x10ffff},
        {S("\x80"), 0, 0}, {S("\xc0\x80"), 0, 0}, {S("\xc1\xbf"), 0, 0}, {S("\xe0\x9f\xbf"), 0, 0},      // overlong
        {S("\xf0\x8f\xbf\xbf"), 0, 0}, {S("\xed\xa0\x80"), 0, 0}, {S("\xf4\x90\x80\x80"), 0, 0},         // surrogate, too big
        {S("\xf5\x80\x80\x80"), 0, 0}, {S("\xff"), 0, 0}, {S("\xed\x95"), 0, 0}, {S("\xc3" "a"), 0, 0},   // cut short
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint32_t code = 0;
        CHECK_ROW(i, utf8_decode(rows[i].in, &code) == rows[i].len && code == rows[i].code);
        unsigned char back[4];
        if (rows[i].len)
            CHECK_ROW(i, str_eq(str_of(back, (size_t)utf8_encode(back, code)), rows[i].in));
    }
}

TEST(utf8_encode_and_decode_agree_on_every_code_point)
{
    for (uint32_t c = 0; c < 0x110400; c++) {
        unsigned char bytes[4];
        uint32_t back = ~c;
        int n = utf8_encode(bytes, c);
        bool real = c <= 0x10ffff && !(c >= 0xd800 && c <= 0xdfff);
        if ((n != 0) != real || (n && (utf8_decode(str_of(bytes, (size_t)n), &back) != n || back != c)))
            CHECK_INT(c, -1);
    }
}

TEST(utf8_cuts_between_characters)
{
    str s = S("\xed\x95\x9c\xea\xb8\x80");       // 한글
    static const int want[] = {0, 0, 0, 3, 3, 3, 6, 6};
    for (int i = 0; i < 8; i++)
        CHECK_ROW(i, utf8_first(s, i).len == want[i]);
    CHECK_INT(utf8_first(S("\x80\x80\x80\x80\x80\x80"), 5).len, 2);     // malformed: still no more than asked
}

TEST(utf8_knows_columns_and_controls)
{
    CHECK_INT(utf8_width(S("a\xed\x95\x9c" "b")), 4);
    CHECK_INT(utf8_width(S("e\xcc\x81")), 1);
    CHECK_INT(utf8_width(S("\xff")), 1);
    CHECK(utf8_is_control('\n') && utf8_is_control(0x1b) && utf8_is_control(0x9b) && utf8_is_control(0x202e));
    CHECK(!utf8_is_control(' ') && !utf8_is_control(0xd55c) && !utf8_is_control(0x200d));
    CHECK(utf8_valid(S("na\xc3\xafve")) && !utf8_valid(S("na\xefve")));
}

TEST(utf8_first_columns_never_cuts_a_character)
{
    str naru = S("\xeb\x82\x98\xeb\xa3\xa8!");             // two wide characters and a narrow one
    CHECK_STR(utf8_first_columns(naru, 3), str_first(naru, 3));
    CHECK_STR(utf8_first_columns(naru, 4), str_first(naru, 6));
    CHECK_STR(utf8_first_columns(naru, 5), naru);
    CHECK_STR(utf8_first_columns(naru, 0), S(""));
}
