#include "test.h"
#include "wire/http/cache_control.h"
#include "wire/http/fields_test.h"

TEST(lists_are_walked_over_all_lines)
{
    static const struct { const char *fields, *members; } rows[] = {
        {"A: x, y ,z", "x|y|z|"},
        {"A: x\nB: no\na: y", "x|y|"},
        {"A: ,, x,,", "x|"},
        {"A: a=\"1,2\", b", "a=\"1,2\"|b|"},
        {"A: a=\"\\\",\", b", "a=\"\\\",\"|b|"},
        {"A: a=\"open, b", "a=\"open, b|"},
        {"A:", ""},
        {"B: x", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        http_header fields[TEST_FIELDS_MAX];
        http_list l = http_list_of(fields, test_fields(rows[i].fields, fields), S("A"));
        buf got = buf_make(200);
        for (str member; http_list_next(&l, &member); buf_put_byte(&got, '|'))
            buf_put(&got, member);
        CHECK_ROW(i, str_eq(buf_str(&got), str_z(rows[i].members)));
        buf_free(&got);
    }
}

TEST(cache_control_numbers_and_switches)
{
    static const struct { const char *fields; int64_t max_age_s, s_maxage_s; bool no_store, no_cache; } rows[] = {
        {"Cache-Control: max-age=60", 60, -1, false, false},
        {"Cache-Control: MAX-AGE=60, No-Store", 60, -1, true, false},
        {"Cache-Control: max-age=\"60\"", 60, -1, false, false},
        {"Cache-Control: max-age = 60", 60, -1, false, false},
        {"Cache-Control: max-age=60\nCache-Control: max-age=30, s-maxage=5", 30, 5, false, false},
        {"Cache-Control: max-age=99999999999999999999", CACHE_SECONDS_MAX, -1, false, false},
        {"Cache-Control: max-age=1.5", 0, -1, false, false},
        {"Cache-Control: max-age=-1", 0, -1, false, false},
        {"Cache-Control: max-age", 0, -1, false, false},
        {"Cache-Control: xmax-age=5, max-age-x=6, a=\"max-age=7\"", -1, -1, false, false},
        {"Cache-Control: a=\"no-store\"", -1, -1, false, false},
        {"Cache-Control: no-cache", -1, -1, false, true},
        {"Cache-Control: no-cache=\"Set-Cookie\"", -1, -1, false, false},
        {"Cache-Control: no-cache=\"A\", no-cache=\"B\"", -1, -1, false, true},
        {"Cache-Control: no-cache=\"A\", no-cache", -1, -1, false, true},
        {"Cache-Control:", -1, -1, false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        http_header fields[TEST_FIELDS_MAX];
        cache_control c = cache_control_read(fields, test_fields(rows[i].fields, fields));
        CHECK_ROW(i, c.max_age_s == rows[i].max_age_s && c.s_maxage_s == rows[i].s_maxage_s);
        CHECK_ROW(i, c.no_store == rows[i].no_store && c.no_cache == rows[i].no_cache);
    }
}

TEST(max_stale_may_stand_without_a_number)
{
    http_header fields[TEST_FIELDS_MAX];
    cache_control c = cache_control_read(fields, test_fields("Cache-Control: max-stale", fields));
    CHECK(c.max_stale_any && c.max_stale_s == CACHE_UNSAID);
    c = cache_control_read(fields, test_fields("Cache-Control: max-stale=7", fields));
    CHECK(!c.max_stale_any && c.max_stale_s == 7);
}

TEST(a_targeted_field_is_strict)
{
    static const struct { const char *value; bool counts; int64_t max_age_s; bool no_store; } rows[] = {
        {"max-age=60", true, 60, false},
        {"max-age=60;ext=1, no-store", true, 60, true},
        {"max-age=60, max-age=30", true, 30, false},
        {"no-store=?0", true, -1, false},
        {"no-store=?1", true, -1, true},
        {"unknown=token, max-age=1", true, 1, false},
        {"max-age=\"60\"", false, 0, false},
        {"max-age=1.5", false, 0, false},
        {"max-age=-5", false, 0, false},
        {"max-age", false, 0, false},
        {"Max-Age=60", false, 0, false},
        {"max-age = 60", false, 0, false},
        {"&&&&&", false, 0, false},
        {"max-age=60, \"", false, 0, false},
        {"", false, 0, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        http_header fields[] = {{S("CDN-Cache-Control"), str_z(rows[i].value)}};
        cache_control c;
        bool counts = cache_control_read_cdn(fields, 1, &c);
        CHECK_ROW(i, counts == rows[i].counts);
        CHECK_ROW(i, !counts || (c.max_age_s == rows[i].max_age_s && c.no_store == rows[i].no_store));
    }
    cache_control c;
    CHECK(!cache_control_read_cdn(NULL, 0, &c));
}
