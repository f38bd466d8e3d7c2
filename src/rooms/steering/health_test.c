#include "test.h"
#include "rooms/steering/health.h"
#include "rooms/steering/steering_inside.h"

static const health_rules rules = {.fall = 2, .rise = 3, .slow_ms = 800};

// "+" a good check, "-" a failed one; what the node is after each: "A" alive, "d" dead.
static void play(const char *checks, const char *want)
{
    health h = {0};
    for (int i = 0; checks[i]; i++) {
        health_take(&h, &rules, (health_check){.answered = checks[i] == '+', .answer_ms = 10, .load_per_mille = -1});
        if (h.alive != (want[i] == 'A'))
            test_failed(__FILE__, __LINE__, "%s: check %d, want %c", checks, i, want[i]);
    }
}

TEST(health_falls_and_rises_with_hysteresis)
{
    play("+", "A");
    play("-", "d");
    play("+-+-+-+", "AAAAAAA");                 // one failure kills nobody
    play("+--", "AAd");
    play("+--++-+++", "AAdddddd" "A");          // three in a row bring it back
    play("-+++-+--", "dddAAAAd");
}

TEST(health_tells_of_changes_once)
{
    health h = {0};
    health_check good = {true, 10, -1}, bad = {false, 2000, -1};
    CHECK(health_take(&h, &rules, good));
    CHECK(!health_take(&h, &rules, good) && !health_take(&h, &rules, bad));
    CHECK(health_take(&h, &rules, bad));
    CHECK(!health_take(&h, &rules, bad));
    CHECK_INT(h.changes, 2);
    CHECK_INT(h.failures, 3);
}

TEST(health_sends_away_quickly_and_takes_back_slowly)
{
    static const struct { int64_t ms; int load, want; } rows[] = {
        {10, 500, 0}, {10, 850, 100}, {10, 950, 350}, {10, 700, 350}, {900, 100, 600}, {900, -1, 850}, {900, -1, 1000}, {900, -1, 1000},
        {600, 100, 1000}, {100, 100, 950}, {100, -1, 900}, {100, 700, 900},
    };
    health h = {0};
    health_take(&h, &rules, (health_check){true, 10, -1});
    for (int i = 0; i < (int)(sizeof rows / sizeof *rows); i++) {
        health_take(&h, &rules, (health_check){true, rows[i].ms, rows[i].load});
        if (h.away_per_mille != rows[i].want)
            test_failed(__FILE__, __LINE__, "row %d: %d, want %d", i, h.away_per_mille, rows[i].want);
    }
    health_take(&h, &rules, (health_check){.load_per_mille = -1});
    health_take(&h, &rules, (health_check){.load_per_mille = -1});
    CHECK(!h.alive && h.away_per_mille == 0);              // dead is dead; it comes back with nothing against it
}

// A node at the other end of the world takes long for every answer: that is not congestion, ten times as long is.
TEST(health_far_is_not_congested)
{
    health h = {0};
    for (int i = 0; i < 100; i++)
        health_take(&h, &rules, (health_check){true, 1500 + i % 7, -1});
    CHECK_INT(h.away_per_mille, 0);
    for (int i = 0; i < 4; i++)
        health_take(&h, &rules, (health_check){true, 2600, -1});
    CHECK_INT(h.away_per_mille, 1000);
    for (int i = 0; i < 20000; i++)                        // the path has become another one, for good
        health_take(&h, &rules, (health_check){true, 2600, -1});
    CHECK_INT(h.away_per_mille, 0);
}

TEST(health_reads_what_a_node_says_of_its_load)
{
    static const struct { const char *field; int want; } rows[] = {
        {"TEXT application_utilization=0.85, rps_fractional=10", 850}, {"TEXT utilization=1", 1000}, {"utilization=0", 0}, {"utilization=.5", 500},
        {"utilization=0.0", 0}, {"utilization=2.5", 2500}, {"utilization=0.1234567", 123}, {"", -1}, {"utilization=", -1}, {"utilization=x", -1},
        {"utilization=99999999999999999999", 10000}, {"utilization=-1", -1}, {"utilization=1.", 1000},
    };
    for (int i = 0; i < (int)(sizeof rows / sizeof *rows); i++) {
        int got = steering_load_read(str_z(rows[i].field));
        if (rows[i].want == 10000 ? got < 1000 : got != rows[i].want)
            test_failed(__FILE__, __LINE__, "%s: %d, want %d", rows[i].field, got, rows[i].want);
    }
}
