#include "test.h"

#include "base/quoted_printable.h"

#define TEN "1234567890"
#define SEVENTY TEN TEN TEN TEN TEN TEN TEN

TEST(quoted_printable_encodes)
{
    static const struct { str plain, coded; } rows[] = {
        {S("plain\r\n"), S("plain\r\n")},
        {S("unix\nlines\n"), S("unix\r\nlines\r\n")},
        {S("a=b"), S("a=3Db")},
        {S("caf\xc3\xa9"), S("caf=C3=A9")},
        {S("blank \r\ntab\t\r\n \r\n"), S("blank=20\r\ntab=09\r\n=20\r\n")},
        {S("in  side\tof"), S("in  side\tof")},
        {S("a\rb\r\n"), S("a=0Db\r\n")},
        {S("From here\n.\n..\nFromage\n"), S("=46rom here\r\n=2E\r\n=2E.\r\nFromage\r\n")},
        {S(SEVENTY "123456\n"), S(SEVENTY "123456\r\n")},
        {S(SEVENTY "1234567\n"), S(SEVENTY "12345=\r\n67\r\n")},
        {S(SEVENTY "123=\n"), S(SEVENTY "123=3D\r\n")},
        {S(SEVENTY "1234=\n"), S(SEVENTY "1234=\r\n=3D\r\n")},
        {S(SEVENTY "12345.x\n"), S(SEVENTY "12345=\r\n=2Ex\r\n")},
        {S(""), S("")},
    };
    buf out = buf_make(10000);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        buf_clear(&out);
        CHECK_ROW(i, quoted_printable_put(&out, rows[i].plain));
        CHECK_STR(buf_str(&out), rows[i].coded);
    }
    buf_free(&out);
}

TEST(quoted_printable_decodes_what_people_send)
{
    static const struct { str coded, plain; } rows[] = {
        {S("a=3Db=3d"), S("a=b=")},         {S("soft=\r\nbreak"), S("softbreak")}, {S("soft= \t\r\nbreak"), S("softbreak")},
        {S("soft=\nbreak\n"), S("softbreak\r\n")}, {S("blank  \r\nx"), S("blank\r\nx")},  {S("100=%"), S("100=%")},
        {S("=4"), S("=4")},                 {S("=G1"), S("=G1")},                  {S("end="), S("end")},
        {S("=\r\n"), S("")},                {S("=20\r\n"), S(" \r\n")},            {S(""), S("")},
    };
    buf out = buf_make(10000);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        buf_clear(&out);
        CHECK_ROW(i, quoted_printable_decode(&out, rows[i].coded));
        CHECK_STR(buf_str(&out), rows[i].plain);
    }
    buf_free(&out);
}

TEST(quoted_printable_brings_any_bytes_back)
{
    uint64_t seed = 2;
    buf coded = buf_make(100000), back = buf_make(100000);
    for (int step = 0; step < 2000; step++) {
        unsigned char in[400];
        static const char favourites[] = "\r\n .=\tF";
        size_t n = test_random(&seed) % sizeof in;
        for (size_t i = 0; i < n; i++) {
            uint64_t chance = test_random(&seed);
            in[i] = (unsigned char)(chance & 1 ? favourites[chance / 2 % 7] : (int)(chance >> 8 & 0xff));
        }
        buf_clear(&coded), buf_clear(&back);
        CHECK_ROW(step, quoted_printable_put_binary(&coded, str_of(in, n)));
        CHECK_ROW(step, quoted_printable_decode(&back, buf_str(&coded)));
        CHECK_ROW(step, str_eq(buf_str(&back), str_of(in, n)));
        for (str rest = buf_str(&coded); rest.len;)
            CHECK_ROW(step, str_chomp(str_cut(&rest, '\n')).len <= QUOTED_PRINTABLE_COLUMNS);
    }
    buf small = buf_make(10);
    CHECK(!quoted_printable_put(&small, S("longer than ten bytes")) && small.full);
    buf_free(&small);
    buf_free(&coded);
    buf_free(&back);
}
