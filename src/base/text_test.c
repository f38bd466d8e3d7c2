#include "test.h"

TEST(text_compares)
{
    CHECK(str_eq(S(""), (str){0}) && str_eq(S("a"), S("a")) && !str_eq(S("a"), S("A")) && !str_eq(S("a"), S("ab")));
    CHECK(str_eq_nocase(S("Mail"), S("mAIL")) && !str_eq_nocase(S("mail"), S("mai")) && !str_eq_nocase(S("["), S("{")));
    CHECK(str_eq_secret(S("secret"), S("secret")) && !str_eq_secret(S("secret"), S("secreT")));
    CHECK(!str_eq_secret(S("a"), S("")));
    CHECK(str_cmp(S("a"), S("b")) < 0 && str_cmp(S("b"), S("a")) > 0 && str_cmp(S("a"), S("ab")) < 0);
    CHECK(str_cmp(S(""), S("")) == 0);
    CHECK(str_cmp(S("\xff"), S("a")) > 0);
    CHECK(str_starts(S("abc"), S("ab")) && !str_starts(S("a"), S("ab")) && str_starts_nocase(S("ABC"), S("ab")));
    CHECK(str_ends(S("abc"), S("bc")) && !str_ends(S("c"), S("bc")) && str_ends_nocase(S("ABC"), S("bc")));
    CHECK(str_ends(S("x"), S("")));
    CHECK_STR(str_z("zero"), S("zero"));
    CHECK_STR(str_z(NULL), S(""));
}

TEST(text_finds)
{
    CHECK_INT(str_find(S("a.b.c"), '.'), 1);
    CHECK_INT(str_rfind(S("a.b.c"), '.'), 3);
    CHECK_INT(str_find(S("abc"), '.'), -1);
    CHECK_INT(str_rfind((str){0}, '.'), -1);
    CHECK_INT(str_find_str(S("hello"), S("ll")), 2);
    CHECK_INT(str_find_str(S("hello"), S("")), 0);
    CHECK_INT(str_find_str((str){0}, S("x")), -1);
}

TEST(text_pieces_are_clamped)
{
    CHECK_STR(str_from(S("abc"), 1), S("bc"));
    CHECK_STR(str_from(S("abc"), 9), S(""));
    CHECK_STR(str_from(S("abc"), -2), S("abc"));
    CHECK_STR(str_first(S("abc"), 9), S("abc"));
    CHECK_STR(str_first(S("abc"), -1), S(""));
    CHECK_STR(str_sub(S("abcdef"), 2, 3), S("cde"));
    CHECK_STR(str_sub(S("abcdef"), 5, 3), S("f"));
    CHECK_STR(str_from((str){0}, 3), S(""));
    CHECK_STR(str_trim(S(" \t a b\r\n")), S("a b"));
    CHECK_STR(str_trim(S(" \t ")), S(""));
    CHECK_STR(str_chomp(S("a\r\n")), S("a"));
    CHECK_STR(str_chomp(S("a\n\n")), S("a\n"));
    CHECK_STR(str_chomp(S("a\r")), S("a"));
}

TEST(text_cuts_and_words)
{
    str s = S("a=b=c");
    CHECK_STR(str_cut(&s, '='), S("a"));
    CHECK_STR(str_cut(&s, '='), S("b"));
    CHECK_STR(str_cut(&s, '='), S("c"));
    CHECK_STR(str_cut(&s, '='), S(""));
    s = S("  one\ttwo  ");
    CHECK_STR(str_word(&s), S("one"));
    CHECK_STR(str_word(&s), S("two"));
    CHECK_STR(str_word(&s), S(""));
}

TEST(text_numbers_are_checked)
{
    static const struct { str text; bool good; uint64_t want; } rows[] = {
        {S("0"), true, 0}, {S("18446744073709551615"), true, UINT64_MAX}, {S("18446744073709551616"), false, 0},
        {S("99999999999999999999999"), false, 0}, {S(""), false, 0}, {S("1a"), false, 0}, {S("-1"), false, 0},
        {S("+1"), false, 0},
        {S(" 1"), false, 0}, {S("007"), true, 7},
    };
    uint64_t n;
    int64_t i;
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++)
        CHECK_ROW(row, str_to_u64(rows[row].text, &n) == rows[row].good && (!rows[row].good || n == rows[row].want));
    CHECK(str_to_i64(S("-9223372036854775807"), &i) && i == -INT64_MAX);
    CHECK(!str_to_i64(S("9223372036854775808"), &i) && !str_to_i64(S("-"), &i) && !str_to_i64(S("--1"), &i));
    CHECK(str_hex_to_u64(S("Ff"), &n) && n == 255 && str_hex_to_u64(S("ffffffffffffffff"), &n) && n == UINT64_MAX);
    CHECK(!str_hex_to_u64(S("10000000000000000"), &n) && !str_hex_to_u64(S(""), &n) && !str_hex_to_u64(S("g"), &n));
}

TEST(text_hash_needs_its_key)
{
    CHECK(str_hash(S("bob"), 1) == str_hash(S("bob"), 1));
    CHECK(str_hash(S("bob"), 1) != str_hash(S("bob"), 2) && str_hash(S("bob"), 1) != str_hash(S("boc"), 1));
    CHECK(str_hash_nocase(S("Hamburger.EDU"), 7) == str_hash_nocase(S("hamburger.edu"), 7));
    CHECK(str_hash(S("a\0"), 1) != str_hash(S("a"), 1));
    // Spread: 4,096 short keys into 4,096 places, as a table with one entry a place on average would have it.
    static unsigned char places[4096];
    int most = 0;
    memset(places, 0, sizeof places);
    for (int n = 0; n < 4096; n++) {
        char key[16];
        snprintf(key, sizeof key, "host%d", n);
        int here = ++places[str_hash(str_z(key), 99) % 4096];
        most = here > most ? here : most;
    }
    CHECK(most <= 10);
}

TEST(text_without_case_is_what_lower_says)
{
    uint64_t seed = 12;
    arena msg = arena_make(1 << 20);
    for (int step = 0; step < 5000; step++) {
        unsigned char a[40], b[40];
        size_t n = test_random(&seed) % sizeof a, start = test_random(&seed) % 8, at;
        for (size_t i = 0; i < sizeof a; i++)
            a[i] = b[i] = (unsigned char)(test_random(&seed) % 2 ? test_random(&seed) : '@' + test_random(&seed) % 60);
        at = test_random(&seed) % sizeof a;
        b[at] = (unsigned char)(b[at] ^ (test_random(&seed) % 2 ? 0x20 : 0));
        str x = str_sub(str_of(a, sizeof a), (ptrdiff_t)start, (ptrdiff_t)n);
        str y = str_sub(str_of(b, sizeof b), (ptrdiff_t)start, (ptrdiff_t)n);
        bool same = str_eq(str_lower(&msg, x), str_lower(&msg, y));
        CHECK_ROW(step, str_eq_nocase(x, y) == same);
        CHECK_ROW(step, (str_hash_nocase(x, 3) == str_hash_nocase(y, 3)) == same);
        CHECK_ROW(step, str_hash_nocase(x, 3) == str_hash(str_lower(&msg, x), 3));
        arena_reset(&msg);
    }
    arena_free(&msg);
}
