#include "test.h"
#include "wire/http/conditional.h"
#include "wire/http/fields_test.h"

#define MODIFIED "Sun, 06 Nov 1994 08:49:37 GMT"
#define BEFORE   "Sun, 06 Nov 1994 08:49:36 GMT"
#define AFTER    "Sun, 06 Nov 1994 08:49:38 GMT"

TEST(entity_tags_are_compared_by_strength)
{
    CHECK(etag_same_strong(S("\"a\""), S("\"a\"")) && !etag_same_strong(S("W/\"a\""), S("W/\"a\"")));
    CHECK(etag_same_weak(S("W/\"a\""), S("\"a\"")) && !etag_same_weak(S("\"a\""), S("\"b\"")) && !etag_same_weak(S(""), S("")));
    CHECK(etag_valid(S("\"\"")) && etag_valid(S("W/\"x\"")) && !etag_valid(S("x")) && !etag_valid(S("\"a b\"")) && !etag_valid(S("\"")));
}

TEST(preconditions_are_judged_in_order)
{
    static const struct { const char *method, *fields; int status; } rows[] = {
        {"GET", "", 0},
        {"GET", "If-None-Match: \"v\"", 304},
        {"HEAD", "If-None-Match: W/\"v\"", 304},
        {"PUT", "If-None-Match: \"v\"", 412},
        {"GET", "If-None-Match: \"x\"", 0},
        {"GET", "If-None-Match: \"x\", \"v\"", 304},
        {"GET", "If-None-Match: *", 304},
        {"GET", "If-None-Match: \"x\"\nIf-Modified-Since: " AFTER, 0},       // the tag goes before the date
        {"GET", "If-Modified-Since: " MODIFIED, 304},
        {"GET", "If-Modified-Since: " BEFORE, 0},
        {"GET", "If-Modified-Since: yesterday", 0},
        {"PUT", "If-Modified-Since: " AFTER, 0},
        {"GET", "If-Match: \"x\"", 412},
        {"GET", "If-Match: \"v\"", 0},
        {"GET", "If-Match: W/\"v\"", 412},
        {"GET", "If-Match: *\nIf-None-Match: \"v\"", 304},
        {"GET", "If-Unmodified-Since: " BEFORE, 412},
        {"GET", "If-Unmodified-Since: " MODIFIED, 0},
        {"GET", "If-Match: \"v\"\nIf-Unmodified-Since: " BEFORE, 0},
    };
    http_header answer[TEST_FIELDS_MAX], fields[TEST_FIELDS_MAX];
    validators v = validators_of(answer, test_fields("ETag: \"v\"\nLast-Modified: " MODIFIED "\nDate: " AFTER, answer));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK_ROW(i, conditions_judge(str_z(rows[i].method), fields, test_fields(rows[i].fields, fields), &v) == rows[i].status);
}

TEST(a_range_needs_a_strong_validator)
{
    static const struct { const char *field; bool honoured; } rows[] = {
        {"", true}, {"If-Range: \"v\"", true}, {"If-Range: W/\"v\"", false}, {"If-Range: \"x\"", false}, {"If-Range: " MODIFIED, true},
        {"If-Range: " AFTER, false}, {"If-Range: " BEFORE, false}, {"If-Range: nonsense", false}, {"If-Range:", false},
    };
    http_header answer[TEST_FIELDS_MAX], fields[TEST_FIELDS_MAX];
    validators v = validators_of(answer, test_fields("ETag: \"v\"\nLast-Modified: " MODIFIED "\nDate: " AFTER, answer));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK_ROW(i, condition_if_range(fields, test_fields(rows[i].field, fields), &v) == rows[i].honoured);
    v = validators_of(answer, test_fields("Last-Modified: " MODIFIED "\nDate: " MODIFIED, answer));      // written in this second
    CHECK(!condition_if_range(fields, test_fields("If-Range: " MODIFIED, fields), &v));
}
