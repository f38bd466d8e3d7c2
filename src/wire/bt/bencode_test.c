#include "test.h"
#include "wire/bt/bencode.h"

static const bencode_limits limits = {1 << 16, 1000, 8, false, false};

TEST(bencode_values_are_read)
{
    static const struct { const char *text; bencode_type type; long long integer; int count; } rows[] = {
        {"i0e", BENCODE_INTEGER, 0, 0}, {"i-1e", BENCODE_INTEGER, -1, 0}, {"i42e", BENCODE_INTEGER, 42, 0},
        {"i9223372036854775807e", BENCODE_INTEGER, INT64_MAX, 0}, {"i-9223372036854775808e", BENCODE_INTEGER, INT64_MIN, 0},
        {"0:", BENCODE_STRING, 2, 0}, {"4:spam", BENCODE_STRING, 2, 0}, {"10:0123456789", BENCODE_STRING, 3, 0},
        {"le", BENCODE_LIST, 0, 0}, {"l4:spam4:eggse", BENCODE_LIST, 0, 2}, {"llei1ee", BENCODE_LIST, 0, 2},
        {"de", BENCODE_DICTIONARY, 0, 0}, {"d3:cow3:moo4:spam4:eggse", BENCODE_DICTIONARY, 0, 4},
        {"d0:i1e1:ai2ee", BENCODE_DICTIONARY, 0, 4},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        arena a = arena_make(1 << 16);
        bencode_refusal why;
        const bencode_node *n = bencode_read(str_z(rows[i].text), &limits, &a, &why);
        CHECK_ROW(i, n && n->type == rows[i].type && n->integer == rows[i].integer && n->count == rows[i].count);
        CHECK_ROW(i, n && str_eq(bencode_raw(n), str_z(rows[i].text)));
        arena_free(&a);
    }
}

TEST(bencode_dictionaries_answer_by_key)
{
    arena a = arena_make(1 << 16);
    bencode_refusal why;
    const bencode_node *n = bencode_read(S("d1:ad1:xi5ee1:bl1:pi7ee1:ci-3e1:d3:abce"), &limits, &a, &why);
    int64_t value = 99;
    CHECK(n && bencode_get_integer(bencode_get(n, S("a")), S("x"), 0, 10, &value) && value == 5);
    CHECK(!bencode_get_integer(n, S("c"), 0, 10, &value) && value == 5);
    CHECK(bencode_get_integer(n, S("c"), -3, 10, &value) && value == -3);
    CHECK(!bencode_get_integer(n, S("d"), 0, 10, &value));
    CHECK_STR(bencode_get_string(n, S("d")), S("abc"));
    CHECK_STR(bencode_get_string(n, S("c")), S(""));
    CHECK(!bencode_get(n, S("x")) && !bencode_get(bencode_get(n, S("b")), S("p")) && !bencode_get(NULL, S("a")));
    CHECK_STR(bencode_raw(bencode_get(n, S("b"))), S("l1:pi7ee"));
    CHECK_INT(bencode_get(n, S("b"))->offset, 15);
    arena_free(&a);
}

TEST(bencode_limits_hold)
{
    static const struct { const char *text; bencode_limits limits; const char *reason; ptrdiff_t offset; } rows[] = {
        {"lllee", {100, 100, 2, false, false}, "containers stand too deep inside each other", 2},
        {"li1ei2ee", {100, 2, 8, false, false}, "too many values", 4},
        {"10:0123456789", {12, 100, 8, false, false}, "text is too long", 12},
        {"d1:b0:1:a0:e", {100, 100, 8, true, false}, NULL, 0},
        {"d1:a0:1:a0:e", {100, 100, 8, true, false}, NULL, 0},
        {"d1:a0:1:a0:e", {100, 100, 8, false, false}, "dictionary has a key twice", 6},
        {"i1erest", {100, 100, 8, false, true}, NULL, 0},
        {"i1erest", {100, 100, 8, false, false}, "something follows behind the value", 3},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        arena a = arena_make(1 << 16);
        bencode_refusal why;
        const bencode_node *n = bencode_read(str_z(rows[i].text), &rows[i].limits, &a, &why);
        CHECK_ROW(i, (n == NULL) == (rows[i].reason != NULL));
        CHECK_ROW(i, !rows[i].reason || (strcmp(why.reason, rows[i].reason) == 0 && why.offset == rows[i].offset));
        arena_free(&a);
    }
}

TEST(bencode_is_written_as_it_was_read)
{
    static const char *const rows[] = {"i-7e", "0:", "le", "de", "d1:ad1:bl1:ci1edeeee", "lli1eel2:abelleedee"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        arena a = arena_make(1 << 16);
        bencode_refusal why;
        buf out = buf_make(1 << 16);
        const bencode_node *n = bencode_read(str_z(rows[i]), &limits, &a, &why);
        CHECK_ROW(i, n && bencode_put_node(&out, n) && str_eq(buf_str(&out), str_z(rows[i])));
        buf_free(&out);
        arena_free(&a);
    }
}
