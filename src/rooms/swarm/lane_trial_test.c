#include "rooms/swarm/lane_trial.h"
#include "test.h"

typedef struct { int64_t line, peer; } way;              // bytes a second: what the line carries, what a peer takes

static int64_t carried(const lane_trial *l, way w)
{
    int64_t asked = (LANES_MIN + l->more) * w.peer;
    return asked < w.line ? asked : w.line;
}

// The lanes' mean over the last half of `seconds`, in tenths.
static int lanes_after(lane_trial *l, way w, int seconds, bool waited)
{
    int sum = 0;
    for (int i = 0; i < seconds; i++) {
        lane_trial_second(l, carried(l, w), waited);
        CHECK(l->more >= 0 && LANES_MIN + l->more <= LANES_MAX);
        sum += i >= seconds / 2 ? LANES_MIN + l->more : 0;
    }
    return sum * 10 / (seconds - seconds / 2);
}

TEST(two_lanes_stay_where_they_fill_the_line)
{
    lane_trial l = {0};
    int trials = 0;
    for (int i = 0; i < 26; i++) {
        lane_trial_second(&l, 1000000, true);
        trials += l.trial != 0;
    }
    CHECK(trials >= 1 && trials <= 2);                   // a short race pays for no more
    CHECK_INT(lanes_after(&l, (way){1000000, 1000000}, 400, true), 20);
}

TEST(slow_peers_get_as_many_lanes_as_fill_the_line)
{
    lane_trial l = {0};
    lanes_after(&l, (way){4000000, 500000}, 20, true);
    CHECK(carried(&l, (way){4000000, 500000}) >= 3000000);
    int tenths = lanes_after(&l, (way){4000000, 500000}, 200, true);
    CHECK(tenths >= 65 && tenths <= 90);
}

TEST(lanes_go_when_peers_are_fast_again)
{
    lane_trial l = {0};
    lanes_after(&l, (way){4000000, 500000}, 100, true);
    CHECK(LANES_MIN + l.more >= 6);
    lanes_after(&l, (way){4000000, 4000000}, 1000, true);
    CHECK(lanes_after(&l, (way){4000000, 4000000}, 100, true) <= 25);
}

TEST(nobody_waits_nothing_is_tried)
{
    lane_trial l = {0};
    CHECK_INT(lanes_after(&l, (way){4000000, 500000}, 200, false), 20);
}
