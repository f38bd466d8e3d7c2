#include "test.h"

#include "base/quantity.h"

typedef bool parser(str, int64_t *);
enum { BAD = -1 };

static const struct { parser *parse; str text; int64_t want; } rows[] = {
    {size_parse, S("25MB"), 25000000},      {size_parse, S("4KiB"), 4096},       {size_parse, S("1.5GB"), 1500000000},
    {size_parse, S("200GB"), 200000000000}, {size_parse, S("123"), 123},         {size_parse, S("0"), 0},
    {size_parse, S("7b"), 7},               {size_parse, S("1.5"), BAD},         {size_parse, S("1.5B"), BAD},
    {size_parse, S("0.1KiB"), BAD},         {size_parse, S("MB"), BAD},          {size_parse, S("1 MB"), BAD},
    {size_parse, S("-1"), BAD},             {size_parse, S("1XB"), BAD},         {size_parse, S("1MB2"), BAD},
    {size_parse, S(""), BAD},               {size_parse, S("1."), BAD},          {size_parse, S("1.0000000MB"), BAD},
    {size_parse, S("9223372036854775807"), INT64_MAX}, {size_parse, S("9223372036854775808"), BAD},
    {size_parse, S("9223372036854775807kB"), BAD},     {size_parse, S("99999999999999999999"), BAD},
    {duration_parse, S("30s"), 30000},      {duration_parse, S("250ms"), 250},   {duration_parse, S("1h30m"), 5400000},
    {duration_parse, S("5d"), 432000000},   {duration_parse, S("1.5s"), 1500},   {duration_parse, S("0"), 0},
    {duration_parse, S("30"), BAD},         {duration_parse, S("30m1h"), BAD},   {duration_parse, S("1h1h"), BAD},
    {duration_parse, S("1s "), BAD},        {duration_parse, S("s"), BAD},       {duration_parse, S("99999999999999w"), BAD},
    {rate_parse, S("2Mbit"), 2000000},      {rate_parse, S("300kbit/s"), 300000}, {rate_parse, S("1.5Gbit"), 1500000000},
    {rate_parse, S("2"), BAD},              {rate_parse, S("2Mbit/h"), BAD},     {rate_parse, S("2MB"), BAD},
};

TEST(quantities_parse_or_are_refused)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t got = BAD;
        CHECK_ROW(i, rows[i].parse(rows[i].text, &got) == (rows[i].want != BAD));
        CHECK_ROW(i, got == rows[i].want);
    }
}

TEST(quantities_as_text)
{
    arena msg = arena_make(1 << 20);
    CHECK_STR(size_text(&msg, 999), S("999 B"));
    CHECK_STR(size_text(&msg, 1500), S("1.5 kB"));
    CHECK_STR(size_text(&msg, 25000000), S("25 MB"));
    CHECK_STR(size_text(&msg, 999999), S("999 kB"));
    CHECK_STR(size_text(&msg, INT64_MAX), S("9.2 EB"));
    CHECK_STR(duration_text(&msg, 5400000), S("1h30m"));
    CHECK_STR(duration_text(&msg, 0), S("0"));
    uint64_t seed = 4;
    for (int i = 0; i < 2000; i++) {
        int64_t ms = (int64_t)(test_random(&seed) >> (1 + test_random(&seed) % 60)), back = BAD;
        CHECK_ROW(i, duration_parse(duration_text(&msg, ms), &back) && back == ms);
        arena_reset(&msg);
    }
    arena_free(&msg);
}
