#include "cmd/race_bound.h"
#include "test.h"

static const int64_t one[] = {1000000};

// The course: F/u = 1 hour, u_s = 10 u, d_min >= u_s.
static const race_lines course = {.file_bytes = 3600000000, .server_rate = 10000000, .down_rate = 10000000, .peer_rates = one,
                                  .peer_rate_count = 1};

TEST(the_courses_example)
{
    static const struct { int n; int64_t client_server_ms, p2p_ms; } rows[] = {
        {1, 360000, 360000}, {5, 1800000, 1200000}, {10, 3600000, 1800000}, {20, 7200000, 2400000}, {30, 10800000, 2700000},
        {35, 12600000, 2800000},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK_INT(race_client_server_ms(&course, rows[i].n, NULL), rows[i].client_server_ms);
        CHECK_INT(race_p2p_ms(&course, rows[i].n, NULL), rows[i].p2p_ms);
    }
}

TEST(what_decides)
{
    race_limit why;
    race_lines l = course;
    race_p2p_ms(&l, 1, &why);
    CHECK(why == RACE_BY_SERVER);
    race_p2p_ms(&l, 30, &why);
    CHECK(why == RACE_BY_ALL);
    l.down_rate = 500000;
    CHECK_INT(race_p2p_ms(&l, 30, &why), 7200000);
    CHECK(why == RACE_BY_DOWNLINK);
    CHECK_INT(race_client_server_ms(&l, 10, &why), 7200000);
    CHECK(why == RACE_BY_DOWNLINK);
    l.down_rate = 0;
    CHECK_INT(race_client_server_ms(&l, 1, &why), 360000);
    CHECK(why == RACE_BY_SERVER);
}

// Client-server grows without end, peer-to-peer stays below F / u and never exceeds it; both never fall.
TEST(bounds_grow_as_they_should)
{
    static const int64_t mixed[] = {250000, 500000, 1000000, 2000000};
    race_lines l = {.file_bytes = 100000000, .server_rate = 1000000, .peer_rates = mixed, .peer_rate_count = 4};
    int64_t before_cs = 0;
    for (int n = 1; n <= 2000; n++) {
        int64_t cs = race_client_server_ms(&l, n, NULL), p2p = race_p2p_ms(&l, n, NULL);
        CHECK(p2p <= cs && cs >= before_cs);
        CHECK_INT(cs, (int64_t)n * 100000);
        CHECK(p2p >= 100000 && p2p <= 400000);
        before_cs = cs;
    }
    CHECK_INT(race_sum_of_rates(&l, 6), 3750000 + 750000);
}

TEST(large_numbers_do_not_overflow)
{
    race_lines l = {.file_bytes = INT64_MAX, .server_rate = 1, .peer_rates = one, .peer_rate_count = 1};
    CHECK(race_client_server_ms(&l, RACE_PEERS_MAX, NULL) == INT64_MAX);
    CHECK(race_p2p_ms(&l, RACE_PEERS_MAX, NULL) == INT64_MAX);
    l = (race_lines){.file_bytes = 1, .server_rate = INT64_MAX, .peer_rates = one, .peer_rate_count = 1};
    CHECK_INT(race_p2p_ms(&l, 1, NULL), 1);
}

TEST(goodput_of_a_line)
{
    CHECK_INT(race_goodput(1514000), 1448000);
    CHECK_INT(race_goodput(1000000), 956406);
}
