#include "rooms/swarm/seed_choice.h"
#include "test.h"

enum { PIECES = 100 };

TEST(no_piece_is_offered_twice_while_one_was_not_offered)
{
    seed_choice *c = seed_choice_new(PIECES, 1);
    int offers[PIECES] = {0};
    for (int i = 0; i < 3 * PIECES; i++) {
        int32_t piece = seed_choice_next(c, NULL, NULL);
        CHECK(piece >= 0 && piece < PIECES);
        CHECK_ROW(i, offers[piece]++ == i / PIECES);
        CHECK_INT(seed_choice_offers(c, piece), offers[piece]);
    }
    seed_choice_free(c);
}

TEST(an_offer_fits_the_peer)
{
    seed_choice *c = seed_choice_new(PIECES, 2);
    arena a = arena_make(1 << 16);
    bitfield has, offered;
    CHECK(bitfield_make(&a, PIECES, &has) && bitfield_make(&a, PIECES, &offered));
    for (int i = 0; i < PIECES - 2; i++)
        bitfield_add(&has, i);
    int32_t first = seed_choice_next(c, &has, &offered);
    bitfield_add(&offered, first);
    int32_t second = seed_choice_next(c, &has, &offered);
    bitfield_add(&offered, second);
    CHECK(first >= PIECES - 2 && second >= PIECES - 2 && first != second);
    CHECK_INT(seed_choice_next(c, &has, &offered), -1);
    arena_free(&a);
    seed_choice_free(c);
}

TEST(what_is_taken_back_is_offered_again_first)
{
    seed_choice *c = seed_choice_new(PIECES, 3);
    int32_t first = seed_choice_next(c, NULL, NULL);
    for (int i = 1; i < PIECES; i++)
        CHECK(seed_choice_next(c, NULL, NULL) != first);
    seed_choice_returned(c, first);
    CHECK_INT(seed_choice_next(c, NULL, NULL), first);
    seed_choice_returned(c, -1);
    seed_choice_returned(c, PIECES);
    seed_choice_free(c);
}

TEST(among_equal_offers_the_least_seen_comes_first)
{
    seed_choice *c = seed_choice_new(PIECES, 4);
    for (int i = 0; i < PIECES; i++)
        if (i != 42)
            seed_choice_seen(c, i);
    CHECK_INT(seed_choice_left(c), 1);
    CHECK(!seed_choice_all_out(c));
    CHECK_INT(seed_choice_next(c, NULL, NULL), 42);
    seed_choice_seen(c, 42);
    CHECK(seed_choice_all_out(c));
    seed_choice_unseen(c, 7);                            // its only owner went away
    CHECK(!seed_choice_all_out(c) && seed_choice_left(c) == 1);
    seed_choice_free(c);
}

TEST(depth_grows_with_rate_and_distance)
{
    CHECK_INT(seed_choice_depth(256 * 1024, 0, 0), 2);
    CHECK_INT(seed_choice_depth(256 * 1024, 1 << 20, 1000000), 2);
    CHECK_INT(seed_choice_depth(1 << 20, 100 << 20, 100000000), 31);
    CHECK_INT(seed_choice_depth(16 * 1024, INT64_MAX, INT64_MAX), 64);
}

TEST(what_is_new_was_offered_to_nobody_or_is_at_nobody_any_more)
{
    seed_choice *c = seed_choice_new(PIECES, 5);
    for (int i = 0; i < PIECES; i++)
        CHECK(seed_choice_next_new(c, NULL, NULL) >= 0);
    CHECK_INT(seed_choice_next_new(c, NULL, NULL), -1);
    CHECK(seed_choice_next(c, NULL, NULL) >= 0);
    seed_choice_seen(c, 7);
    seed_choice_seen(c, 7);
    seed_choice_unseen(c, 7);
    CHECK_INT(seed_choice_next_new(c, NULL, NULL), -1);
    seed_choice_unseen(c, 7);
    CHECK_INT(seed_choice_next_new(c, NULL, NULL), 7);
    seed_choice_free(c);
}
