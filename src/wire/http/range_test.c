#include "test.h"
#include "wire/http/range.h"

TEST(ranges_are_judged_against_the_length)
{
    static const struct { const char *field; int64_t length; range_verdict verdict; byte_range first; int count; } rows[] = {
        {"bytes=0-99", 1000, RANGE_PARTS, {0, 99}, 1},
        {"bytes=0-0", 1000, RANGE_PARTS, {0, 0}, 1},
        {"BYTES = 5-", 1000, RANGE_PARTS, {5, 999}, 1},
        {"bytes=-5", 1000, RANGE_PARTS, {995, 999}, 1},
        {"bytes=-5000", 1000, RANGE_PARTS, {0, 999}, 1},
        {"bytes=990-5000", 1000, RANGE_PARTS, {990, 999}, 1},
        {"bytes=1000-", 1000, RANGE_UNSATISFIABLE, {0, 0}, 0},
        {"bytes=-0", 1000, RANGE_UNSATISFIABLE, {0, 0}, 0},
        {"bytes=0-", 0, RANGE_UNSATISFIABLE, {0, 0}, 0},
        {"bytes=0-4,10-14", 1000, RANGE_PARTS, {0, 4}, 2},
        {"bytes=2000-,0-4", 1000, RANGE_PARTS, {0, 4}, 1},
        {"bytes=0-4,,10-14", 1000, RANGE_PARTS, {0, 4}, 2},
        {"bytes=0-4,4-9", 1000, RANGE_NONE, {0, 0}, 0},              // overlapping
        {"bytes=0-,0-,0-", 1000, RANGE_NONE, {0, 0}, 0},
        {"bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14", 1000, RANGE_PARTS, {0, 0}, 8},
        {"bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16", 1000, RANGE_NONE, {0, 0}, 0},
        {"bytes=5-4", 1000, RANGE_NONE, {0, 0}, 0},
        {"bytes=a-4", 1000, RANGE_NONE, {0, 0}, 0},
        {"bytes=1", 1000, RANGE_NONE, {0, 0}, 0},
        {"bytes=", 1000, RANGE_NONE, {0, 0}, 0},
        {"lines=0-4", 1000, RANGE_NONE, {0, 0}, 0},
        {"", 1000, RANGE_NONE, {0, 0}, 0},
        {"bytes=0-9223372036854775807", 1000, RANGE_NONE, {0, 0}, 0},
        {"bytes=0-999999999999999999", 1000, RANGE_PARTS, {0, 999}, 1},
        {"bytes=5-9", -1, RANGE_PARTS, {5, 9}, 1},
        {"bytes=5-", -1, RANGE_NONE, {0, 0}, 0},
        {"bytes=-5", -1, RANGE_NONE, {0, 0}, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        byte_range parts[RANGE_PARTS_MAX];
        int count;
        range_verdict v = range_read(str_z(rows[i].field), rows[i].length, parts, &count);
        CHECK_ROW(i, v == rows[i].verdict);
        CHECK_ROW(i, v != RANGE_PARTS
                         || (count == rows[i].count && parts[0].first == rows[i].first.first && parts[0].last == rows[i].first.last));
    }
}

TEST(content_ranges_contradict_nothing)
{
    static const struct { const char *field; bool good; byte_range part; int64_t length; } rows[] = {
        {"bytes 0-99/1000", true, {0, 99}, 1000}, {"bytes 0-99/*", true, {0, 99}, -1}, {"bytes */1000", true, {-1, -1}, 1000},
        {"bytes 0-1000/1000", false, {0, 0}, 0},  {"bytes 5-4/1000", false, {0, 0}, 0}, {"bytes */*", false, {0, 0}, 0},
        {"bytes 0-99", false, {0, 0}, 0},         {"bytes=0-99/1000", false, {0, 0}, 0}, {"", false, {0, 0}, 0},
        {"lines 0-99/1000", false, {0, 0}, 0},    {"bytes -5/1000", false, {0, 0}, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        byte_range part;
        int64_t length;
        bool good = content_range_read(str_z(rows[i].field), &part, &length);
        CHECK_ROW(i, good == rows[i].good);
        if (!good)
            continue;
        CHECK_ROW(i, part.first == rows[i].part.first && part.last == rows[i].part.last && length == rows[i].length);
        buf again = buf_make(100);
        CHECK_ROW(i, content_range_write(&again, part, length) && str_eq(buf_str(&again), str_z(rows[i].field)));
        buf_free(&again);
    }
}
