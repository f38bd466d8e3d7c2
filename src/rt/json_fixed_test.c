#include "rt/json_fixed.h"

#include <string.h>

#include "test.h"

TEST(fractions_are_written_with_the_digits_they_have)
{
    static const struct { int64_t n, scale; const char *text; } rows[] = {
        {0, JSON_MILLION, "[0.0]"}, {333333, JSON_MILLION, "[0.333333]"}, {JSON_MILLION, JSON_MILLION, "[1.0]"}, {2500, 1000, "[2.5]"},
        {-1, 1, "[-1.0]"}, {100, JSON_MILLION, "[0.0001]"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[64] = {0};
        json_t *list = json_array();
        json_array_append_new(list, json_fixed(rows[i].n, rows[i].scale));
        json_dumpb(list, text, sizeof text - 1, JSON_FIXED_FLAGS);
        CHECK(strcmp(text, rows[i].text) == 0);
        json_decref(list);
    }
}

TEST(shares_do_not_overflow)
{
    CHECK(json_share(1, 3) == 333333);
    CHECK(json_share(0, 5) == 0);
    CHECK(json_share(INT64_MAX, INT64_MAX) == JSON_MILLION);
    CHECK(json_share(INT64_MAX / 2, INT64_MAX) / 10 == 49999);
    CHECK(json_share(INT64_MAX, 1) > INT64_MAX / 2);
}

TEST(numbers_of_strangers_are_held_between_bounds)
{
    static const struct { const char *text; bool number; int64_t value; } rows[] = {
        {"[2.5]", true, 2500}, {"[3]", true, 3000}, {"[-0.0015]", true, -1}, {"[1e300]", true, 9000000}, {"[-1e300]", true, -9000000},
        {"[9223372036854775807]", true, 9000000}, {"[\"2.5\"]", false, 0}, {"[true]", false, 0}, {"[null]", false, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t n = 0;
        json_t *list = json_loads(rows[i].text, 0, NULL);
        CHECK(json_fixed_value(json_array_get(list, 0), 1000, 9000000, &n) == rows[i].number);
        CHECK(n == rows[i].value);
        json_decref(list);
    }
    CHECK(!json_fixed_value(NULL, 1000, 1, &(int64_t){0}));
}
