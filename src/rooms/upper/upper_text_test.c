#include "rooms/upper/upper_text.h"

#include "test.h"

static str made(unsigned char *out, str in) { return str_of(out, upper_text(out, in)); }

TEST(upper_text_is_what_python_makes)
{
    static const struct { str in, out; } rows[] = {
        {S(""), S("")},
        {S("hello, world 123\n"), S("HELLO, WORLD 123\n")},
        {S("stra\xc3\x9f" "e"), S("STRASSE")},                          // ß: one character becomes two
        {S("\xc3\xa9t\xc3\xa9"), S("\xc3\x89T\xc3\x89")},               // été
        {S("\xce\xac\xcf\x83\xcf\x82"), S("\xce\x86\xce\xa3\xce\xa3")}, // both small sigmas
        {S("\xce\x90"), S("\xce\x99\xcc\x88\xcc\x81")},                 // U+0390: two bytes become six
        {S("\xef\xac\x83"), S("FFI")},                                  // one ligature
        {S("\xed\x95\x9c\xea\xb8\x80 abc"), S("\xed\x95\x9c\xea\xb8\x80 ABC")},     // 한글 has no case
        {S("i\xc4\xb1"), S("II")},                                      // no language: the Turkish dotless i is an I too
        {S("\xf0\x90\x90\xa8"), S("\xf0\x90\x90\x80")},                 // beyond 16 bits: Deseret
        {S("a\xff" "b\x80" "c"), S("A\xff" "B\x80" "C")},               // no UTF-8 passes
        {S("\xed\xa0\x80" "a"), S("\xed\xa0\x80" "A")},                 // a surrogate is none
        {S("\xc0\x80" "a"), S("\xc0\x80" "A")},                         // nor is an overlong form
    };
    unsigned char out[256];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK_ROW(i, str_eq(made(out, rows[i].in), rows[i].out));
}

TEST(upper_text_holds_back_only_what_can_become_whole)
{
    static const struct { str in; ptrdiff_t whole; } rows[] = {
        {S(""), 0}, {S("abc"), 3}, {S("a\xc3"), 1}, {S("a\xc3\xa9"), 3}, {S("a\xed\x95"), 1}, {S("a\xed"), 1},
        {S("a\xf0\x90\x90"), 1}, {S("a\xf0\x90"), 1}, {S("a\xf4\x90"), 3}, {S("a\xe0\x80"), 3}, {S("a\xc0"), 2},
        {S("a\xff"), 2}, {S("\x80\x80\x80"), 3}, {S("\xed\xa0"), 2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK_ROW(i, upper_text_whole(rows[i].in) == rows[i].whole);
}

TEST(upper_text_that_does_not_fit_is_cut_between_characters)
{
    unsigned char in[2000], out[2000];
    for (size_t i = 0; i < sizeof in; i += 2)
        memcpy(in + i, "\xc3\xa9", 2);
    for (size_t size = 0; size < 40; size++)
        CHECK_ROW(size, upper_text_fit(out, size, str_of(in, sizeof in)) == (size & ~(size_t)1));
    CHECK_INT(upper_text_fit(out, 1999, str_of(in, sizeof in)), 1998);
    CHECK_INT(upper_text_fit(out, 2000, str_of(in, sizeof in)), 2000);
    CHECK(memcmp(out + 1998, "\xc3\x89", 2) == 0);
}
