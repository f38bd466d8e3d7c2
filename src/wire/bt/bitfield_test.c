#include "test.h"
#include "wire/bt/bitfield.h"

TEST(bitfields_from_the_wire_have_no_spare_bits)
{
    static const struct { int32_t count; str wire; bool good; int set; } rows[] = {
        {0, S(""), true, 0}, {0, S("\0"), false, 0}, {1, S("\x80"), true, 1}, {1, S("\xc0"), false, 0}, {8, S("\xff"), true, 8},
        {9, S("\xff"), false, 0}, {9, S("\xff\x80"), true, 9}, {9, S("\xff\x81"), false, 0}, {9, S("\xff\x80\0"), false, 0},
        {7, S("\xfe"), true, 7}, {7, S("\x01"), false, 0}, {-1, S(""), false, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        arena a = arena_make(1 << 12);
        bitfield b;
        bool good = bitfield_read(&a, rows[i].count, rows[i].wire, &b);
        CHECK_ROW(i, good == rows[i].good);
        CHECK_ROW(i, !good || (b.set == rows[i].set && str_eq(bitfield_wire(&b), rows[i].wire)));
        arena_free(&a);
    }
}

TEST(bitfields_agree_with_a_plain_table)
{
    enum { PIECES = 77 };
    bool plain[PIECES] = {0}, theirs[PIECES] = {0};
    arena a = arena_make(1 << 12);
    bitfield b, other, none;
    uint64_t seed = 5;
    CHECK(bitfield_make(&a, PIECES, &b) && bitfield_make(&a, PIECES, &other) && bitfield_make(&a, PIECES, &none));
    for (int turn = 0; turn < 2000; turn++) {
        int32_t at = (int32_t)(test_random(&seed) % (PIECES + 4)) - 2;
        bool add = test_random(&seed) % 2;
        (add ? bitfield_add : bitfield_remove)(&b, at);
        if (at >= 0 && at < PIECES)
            plain[at] = add;
        int32_t there = (int32_t)(test_random(&seed) % PIECES);
        theirs[there] = test_random(&seed) % 4 == 0;
        (theirs[there] ? bitfield_add : bitfield_remove)(&other, there);
        int both = -1, wanted = 0;
        int set = 0, from = (int)(test_random(&seed) % PIECES), next[2] = {-1, -1};
        for (int i = 0; i < PIECES; i++)
            set += plain[i];
        for (int i = PIECES - 1; i >= from; i--)
            next[plain[i]] = i, both = plain[i] && theirs[i] ? i : both;
        for (int i = 0; i < PIECES; i++)
            wanted += plain[i] && !theirs[i];
        CHECK(set == b.set && bitfield_has(&b, at) == (at >= 0 && at < PIECES && plain[at]));
        CHECK(bitfield_next(&b, from, true) == next[1] && bitfield_next(&b, from, false) == next[0]);
        CHECK(bitfield_valid(bitfield_wire(&b), PIECES) && bitfield_wants(&none, &b) == (set > 0));
        CHECK(bitfield_next_both(&b, &other, from) == both && bitfield_wants(&other, &b) == (wanted > 0));
    }
    bitfield_fill(&b);
    CHECK(bitfield_all(&b) && bitfield_valid(bitfield_wire(&b), PIECES) && bitfield_next(&b, 0, false) == -1);
    arena_free(&a);
}
