#include "test.h"

#include "base/crc32c.h"

TEST(crc32c_known_values)
{
    unsigned char zeros[32] = {0}, ones[32], rising[32];
    memset(ones, 0xff, sizeof ones);
    for (int i = 0; i < 32; i++)
        rising[i] = (unsigned char)i;
    const struct { str in; uint32_t want; } rows[] = {          // RFC 3720 B.4, and the usual check value
        {str_of(zeros, 32), 0x8a9136aa}, {str_of(ones, 32), 0x62a8ab43}, {str_of(rising, 32), 0x46dd794e},
        {S("123456789"), 0xe3069283},    {S(""), 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK_ROW(i, crc32c(0, rows[i].in) == rows[i].want);
        CHECK_ROW(i, crc32c_plain(0, rows[i].in) == rows[i].want);
    }
}

TEST(crc32c_fast_agrees_with_plain)
{
    unsigned char bytes[600];
    uint64_t seed = 11;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)test_random(&seed);
    for (int step = 0; step < 3000; step++) {
        size_t start = test_random(&seed) % 40, len = test_random(&seed) % 500, cut = test_random(&seed) % (len + 1);
        str s = str_of(bytes + start, len);
        uint32_t whole = crc32c_plain(0, s);
        CHECK_ROW(step, crc32c(0, s) == whole);
        CHECK_ROW(step, crc32c(crc32c(0, str_first(s, (ptrdiff_t)cut)), str_from(s, (ptrdiff_t)cut)) == whole);
    }
}
