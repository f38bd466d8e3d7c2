#include "rooms/swarm/choker.h"
#include "test.h"

enum { PEERS = 40 };
#define SECOND 1000000000ll

static choker_rules rules_of(choker_mode mode, bool seeding)
{
    return (choker_rules){.mode = mode, .seeding = seeding, .slots = CHOKER_SLOTS, .piece_bytes = 256 * 1024};
}

static void crowd(choker_peer *p, int count)
{
    for (int i = 0; i < count; i++)
        p[i] = (choker_peer){.id = i, .interested = true, .rate_from = 1000 * i, .rate_to = 1000 * (count - i), .lacks = 10};
}

static int unchoked_where(const choker_peer *p, int count, choker_reason why)
{
    int found = 0;
    for (int i = 0; i < count; i++)
        found += p[i].unchoked && p[i].reason == why;
    return found;
}

TEST(course_takes_the_top_four_and_one_by_luck)
{
    choker c = choker_make(1);
    choker_rules r = rules_of(CHOKER_COURSE, false);
    choker_peer p[PEERS];
    crowd(p, PEERS);
    CHECK_INT(choker_run(&c, &r, p, PEERS, SECOND), 5);
    CHECK_INT(unchoked_where(p, PEERS, CHOKER_FASTEST), 4);
    CHECK_INT(unchoked_where(p, PEERS, CHOKER_OPTIMISTIC), 1);
    for (int i = PEERS - 4; i < PEERS; i++)
        CHECK(p[i].unchoked && p[i].reason == CHOKER_FASTEST);
}

TEST(course_changes_nothing_between_rounds)
{
    choker c = choker_make(2);
    choker_rules r = rules_of(CHOKER_COURSE, false);
    choker_peer p[PEERS];
    crowd(p, PEERS);
    choker_run(&c, &r, p, PEERS, SECOND);
    CHECK_INT(choker_due(&c, &r, SECOND), SECOND + CHOKER_ROUND_NS);
    for (int i = 0; i < PEERS; i++)
        p[i].rate_from = 1000 * (PEERS - i);
    p[PEERS - 1].interested = false;
    CHECK_INT(choker_run(&c, &r, p, PEERS, SECOND + CHOKER_ROUND_NS - 1), 5);
    CHECK(p[PEERS - 1].unchoked && !p[0].unchoked);
    CHECK(p[0].reason == CHOKER_WAITS_ROUND);
    choker_run(&c, &r, p, PEERS, SECOND + CHOKER_ROUND_NS);
    CHECK(!p[PEERS - 1].unchoked && p[0].unchoked && p[3].unchoked);
}

TEST(who_pauses_for_a_moment_keeps_its_turn)
{
    choker c = choker_make(9);
    choker_rules r = rules_of(CHOKER_MANAGED, true);
    choker_peer p[CHOKER_SLOTS + 1];
    int64_t now = 5 * SECOND;
    crowd(p, CHOKER_SLOTS + 1);
    for (int i = 0; i < CHOKER_SLOTS; i++) {
        p[i].unchoked = true;
        p[i].unchoked_ns = SECOND;
    }
    p[CHOKER_SLOTS].lacks = 20;                              // it waits, and deserves more than any of the others
    p[0].idle = true;                                        // its next request is on its way
    p[0].idle_since_ns = now - SECOND / 100;
    choker_run(&c, &r, p, CHOKER_SLOTS + 1, now);
    CHECK(p[0].unchoked);
    p[0].idle_since_ns = now - SECOND;
    choker_run(&c, &r, p, CHOKER_SLOTS + 1, now);
    CHECK(!p[0].unchoked && p[CHOKER_SLOTS].unchoked);
}

TEST(luck_goes_round)
{
    choker c = choker_make(3);
    choker_rules r = rules_of(CHOKER_COURSE, false);
    choker_peer p[PEERS];
    crowd(p, PEERS);
    int lucky[PEERS] = {0};
    int64_t now = SECOND;
    for (int round = 0; round < 3000; round++, now += CHOKER_ROUND_NS) {
        int before = c.optimistic;
        choker_run(&c, &r, p, PEERS, now);
        CHECK_ROW(round, round % 3 == 0 || c.optimistic == before);
        lucky[c.optimistic] += round % 3 == 0;
    }
    for (int i = 0; i < PEERS - 4; i++)                      // 1,000 draws among 36: about 28 each
        CHECK_ROW(i, lucky[i] > 8 && lucky[i] < 60);
}

TEST(course_seed_takes_who_takes_fastest)
{
    choker c = choker_make(4);
    choker_rules r = rules_of(CHOKER_COURSE, true);
    choker_peer p[PEERS];
    crowd(p, PEERS);
    choker_run(&c, &r, p, PEERS, SECOND);
    for (int i = 0; i < 4; i++)
        CHECK(p[i].unchoked && p[i].reason == CHOKER_FASTEST);
}

TEST(default_gives_a_free_slot_on_at_once)
{
    choker c = choker_make(5);
    choker_rules r = rules_of(CHOKER_DEFAULT, false);
    choker_peer p[PEERS];
    crowd(p, PEERS);
    CHECK_INT(choker_run(&c, &r, p, PEERS, SECOND), 5);
    p[PEERS - 1].interested = false;
    CHECK_INT(choker_run(&c, &r, p, PEERS, SECOND + 1), 5);
    CHECK(!p[PEERS - 1].unchoked && p[PEERS - 1].reason == CHOKER_NOT_INTERESTED);
    CHECK(p[PEERS - 5].unchoked && p[PEERS - 5].reason == CHOKER_FREE_SLOT);
}

TEST(default_counts_out_who_asks_for_nothing)
{
    choker c = choker_make(6);
    choker_rules r = rules_of(CHOKER_DEFAULT, false);
    choker_peer p[PEERS];
    crowd(p, PEERS);
    choker_run(&c, &r, p, PEERS, SECOND);
    p[PEERS - 1].idle = true;
    p[PEERS - 1].unchoked_ns = SECOND;
    CHECK_INT(choker_run(&c, &r, p, PEERS, SECOND + SECOND / 2), 6);     // one more; the idle one is choked later
    choker_run(&c, &r, p, PEERS, 2 * SECOND);
    CHECK(!p[PEERS - 1].unchoked && p[PEERS - 1].reason == CHOKER_ASKS_NOTHING);
    choker_run(&c, &r, p, PEERS, 2 * SECOND + 1);
    CHECK(!p[PEERS - 1].unchoked);
}

TEST(default_adds_slots_while_the_line_has_room)
{
    choker c = choker_make(7);
    choker_rules r = rules_of(CHOKER_DEFAULT, false);
    r.uplink_idle = true;
    choker_peer p[PEERS];
    crowd(p, PEERS);
    int unchoked = 0;
    for (int i = 1; i <= 20; i++)
        unchoked = choker_run(&c, &r, p, PEERS, i * CHOKER_GROW_NS);
    CHECK(unchoked >= 20 && unchoked <= 25);
    r.uplink_idle = false;
    for (int i = 0; i < 30; i++)
        unchoked = choker_run(&c, &r, p, PEERS, 30 * SECOND + i * CHOKER_ROUND_NS);
    CHECK_INT(unchoked, 5);
}

TEST(default_puts_snubbers_last)
{
    choker c = choker_make(8);
    choker_rules r = rules_of(CHOKER_DEFAULT, false);
    choker_peer p[PEERS];
    crowd(p, PEERS);
    p[PEERS - 1].snubbed = true;
    choker_run(&c, &r, p, PEERS, SECOND);
    CHECK(!p[PEERS - 1].unchoked || p[PEERS - 1].reason == CHOKER_OPTIMISTIC);
    CHECK(p[PEERS - 5].unchoked);
}

TEST(managed_serves_the_neediest_in_turns)
{
    choker c = choker_make(9);
    choker_rules r = rules_of(CHOKER_MANAGED, false);
    choker_peer p[PEERS];
    crowd(p, PEERS);
    for (int i = 0; i < PEERS; i++)
        p[i].lacks = i;
    CHECK_INT(choker_run(&c, &r, p, PEERS, SECOND), 4);
    CHECK(p[PEERS - 1].unchoked && p[PEERS - 4].unchoked && p[PEERS - 1].reason == CHOKER_NEEDIEST);
    p[PEERS - 1].lacks = 0;                              // it is in the middle of a piece: its turn lasts
    p[PEERS - 1].turn_bytes = choker_turn_bytes(r.piece_bytes, r.line_rate);
    p[PEERS - 1].mid_piece = true;
    choker_run(&c, &r, p, PEERS, SECOND + 1);
    CHECK(p[PEERS - 1].unchoked && !p[PEERS - 5].unchoked);
    p[PEERS - 1].mid_piece = false;
    CHECK_INT(choker_run(&c, &r, p, PEERS, SECOND + 2), 4);
    CHECK(!p[PEERS - 1].unchoked && p[PEERS - 1].reason == CHOKER_WAITS_TURN && p[PEERS - 5].unchoked);
}

TEST(nobody_holds_a_slot_by_never_finishing)
{
    choker c = choker_make(10);
    choker_rules r = rules_of(CHOKER_MANAGED, false);
    choker_peer p[PEERS];
    crowd(p, PEERS);
    p[7].lacks = 11;
    choker_run(&c, &r, p, PEERS, SECOND);
    CHECK(p[7].unchoked);
    p[7].lacks = 9, p[7].turn_bytes = choker_turn_bytes(r.piece_bytes, r.line_rate) + 2 * r.piece_bytes, p[7].mid_piece = true;
    choker_run(&c, &r, p, PEERS, 2 * SECOND);
    CHECK(!p[7].unchoked);
}

TEST(a_seed_serves_who_was_served_least)
{
    choker c = choker_make(11);
    choker_rules r = rules_of(CHOKER_DEFAULT, true);
    choker_peer p[PEERS];
    crowd(p, PEERS);
    int64_t now = SECOND;
    for (int step = 0; step < 20 * PEERS; step++, now += SECOND / 10) {
        choker_run(&c, &r, p, PEERS, now);
        for (int i = 0; i < PEERS; i++) {
            p[i].turn_bytes = p[i].unchoked ? p[i].turn_bytes + r.piece_bytes : 0;
            p[i].sent_bytes += p[i].unchoked ? r.piece_bytes : 0;
        }
    }
    for (int i = 0; i < PEERS; i++)                          // 4 slots, 800 steps, 40 peers: 80 pieces each
        CHECK_ROW(i, p[i].sent_bytes / r.piece_bytes >= 78 && p[i].sent_bytes / r.piece_bytes <= 82);
}

// Whatever the facts: nobody who wants nothing is unchoked (but by the course, between rounds), slots are respected, free
// slots are filled, the count is right, verdict and reason agree, and the order of the array does not matter.
TEST(choker_properties)
{
    uint64_t chance = 77;
    for (int run = 0; run < 300; run++) {
        choker_rules r = rules_of((choker_mode)(test_random(&chance) % 3), test_random(&chance) % 2);
        r.slots = 1 + (int)(test_random(&chance) % 8);
        choker c = choker_make(test_random(&chance)), d;
        choker_peer p[PEERS] = {0}, q[PEERS];
        int count = (int)(test_random(&chance) % (PEERS + 1));
        int64_t now = SECOND;
        for (int step = 0; step < 20; step++) {
            int wanting = 0, unchoked = 0;
            for (int i = 0; i < count; i++) {
                uint64_t x = test_random(&chance);
                p[i].id = i;
                p[i].interested = x % 4, p[i].upload_only = x / 4 % 8 == 0, p[i].snubbed = x / 32 % 8 == 0;
                p[i].rate_from = (int64_t)(x / 256 % 5), p[i].sent_bytes = (int64_t)(x / 2048 % 5), p[i].lacks = (int32_t)(x / 16384 % 5);
                wanting += p[i].interested && !p[i].upload_only;
            }
            for (int i = 0; i < count; i++)
                q[i] = p[count - 1 - i];
            d = c;
            bool round = c.round_ns == 0 || now - c.round_ns >= CHOKER_ROUND_NS;
            int said = choker_run(&c, &r, p, count, now);
            choker_run(&d, &r, q, count, now);
            for (int i = 0; i < count; i++) {
                unchoked += p[i].unchoked;
                CHECK_ROW(run, choker_reason_words(p[i].reason) != NULL);
                CHECK_ROW(run, p[i].unchoked == (p[i].reason >= CHOKER_FASTEST) || r.mode == CHOKER_COURSE);
                CHECK_ROW(run, !p[i].unchoked || (p[i].interested && !p[i].upload_only) || (r.mode == CHOKER_COURSE && !round));
                CHECK_ROW(run, r.mode != CHOKER_COURSE || q[count - 1 - i].unchoked == p[i].unchoked);
            }
            int most = r.slots + !(r.mode == CHOKER_MANAGED || (r.mode == CHOKER_DEFAULT && r.seeding));
            CHECK_ROW(run, said == unchoked && unchoked <= most);
            CHECK_ROW(run, r.mode == CHOKER_COURSE || unchoked == (wanting < most ? wanting : most));
            CHECK_ROW(run, choker_due(&c, &r, now) >= now && choker_due(&c, &r, now) <= now + CHOKER_ROUND_NS);
            now += (int64_t)(test_random(&chance) % (4 * SECOND));
        }
    }
}
