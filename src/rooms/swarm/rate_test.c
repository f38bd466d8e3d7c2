#include "rooms/swarm/rate_limit.h"
#include "rooms/swarm/rate_window.h"

#include "test.h"

#define MS 1000000ll

TEST(rate_window_tells_the_rate_of_a_steady_stream)
{
    rate_window w = {0};
    int64_t now = 5000 * MS;
    CHECK_INT(rate_now(&w, 1000 * MS, now), 0);
    for (int i = 0; i < 1000; i++, now += 10 * MS)
        rate_count(&w, 10000, now);
    int64_t rate = rate_now(&w, 20000 * MS, now), lately = rate_now(&w, 2000 * MS, now);
    CHECK(rate > 990000 && rate < 1010000);
    CHECK(lately > 950000 && lately < 1050000);
}

TEST(rate_window_forgets)
{
    rate_window w = {0};
    int64_t now = 100 * MS;
    rate_count(&w, 1000000, now);
    CHECK(rate_now(&w, 20000 * MS, now + 10000 * MS) > 0);
    CHECK_INT(rate_now(&w, 20000 * MS, now + 21000 * MS), 0);
    CHECK_INT(rate_now(&w, 1000 * MS, now + 5000 * MS), 0);
    rate_count(&w, 500000, now + 100000 * MS);                   // all slots are old
    CHECK(rate_now(&w, 20000 * MS, now + 100000 * MS) >= 25000 && rate_now(&w, 20000 * MS, now + 100000 * MS) < 26000);
}

// Within one per cent over ten seconds, whatever the sizes, and no credit from idle times beyond the burst.
TEST(rate_limit_keeps_the_rate)
{
    static const struct { int64_t rate, size; } rows[] = {{1000000, 16384}, {125000, 16384}, {40000, 131072}, {999999999, 16384}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        rate_limit l = {0};
        rate_limit_set(&l, rows[i].rate, 0);
        int64_t now = 1000000 * MS, began = now, moved = 0;
        while (now < began + 10000 * MS) {
            int64_t at = rate_limit_take(&l, rows[i].size, now);
            now = at > now ? at : now;
            moved += rows[i].size;
        }
        int64_t allowed = rows[i].rate * 10;
        CHECK_ROW(i, moved >= allowed - allowed / 100 && moved <= allowed + allowed / 100 + 2 * rows[i].size);
    }
}

// What is read is paid for afterwards: at no time has more moved than the rate allows, and one slice of each reader.
TEST(rate_limit_is_paid_from_the_first_byte_on)
{
    static const struct { int64_t rate, slice; int readers; } rows[] = {
        {625000, 31250, 1}, {625000, 31250, 5}, {40000, RATE_LIMIT_SLICE_MIN, 3}, {999999999, RATE_LIMIT_SLICE_MAX, 2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        rate_limit l = {0};
        int64_t began = 1000000 * MS, now = began, moved = 0, due[5] = {now, now, now, now, now};
        rate_limit_set(&l, rows[i].rate, began);
        CHECK_INT(rate_limit_slice(&l), rows[i].slice);
        for (int k = 0; now < began + 20000 * MS; k = (k + 1) % rows[i].readers) {
            now = due[k] > now ? due[k] : now;
            moved += rows[i].slice;
            due[k] = rate_limit_pay(&l, rows[i].slice, now);
            int64_t allowed = rows[i].rate / 1000 * ((now - began) / 1000) / 1000;
            CHECK_ROW(i, moved <= allowed + allowed / 100 + rows[i].slice * rows[i].readers);
        }
        CHECK_ROW(i, moved >= rows[i].rate * 20 - rows[i].rate * 20 / 100);
    }
}

// Who comes a little late makes up for it; who was idle has saved nothing.
TEST(rate_limit_makes_up_for_lateness_alone)
{
    rate_limit l = {0};
    rate_limit_set(&l, 1000000, 0);
    CHECK_INT(rate_limit_take(&l, 10000, 1000 * MS), 1000 * MS);
    CHECK_INT(rate_limit_take(&l, 10000, 1040 * MS), 1010 * MS);
    CHECK_INT(rate_limit_take(&l, 10000, 1040 * MS), 1020 * MS);
    CHECK_INT(rate_limit_take(&l, 10000, 2000 * MS), 2000 * MS);
}

TEST(rate_limit_none_and_changed)
{
    rate_limit l = {0};
    CHECK_INT(rate_limit_take(&l, 1 << 30, 7), 7);
    CHECK_INT(rate_limit_pay(&l, 1 << 30, 7), 7);
    CHECK_INT(rate_limit_slice(&l), RATE_LIMIT_SLICE_MAX);
    rate_limit_set(&l, 1, 7);
    CHECK(rate_limit_take(&l, 1 << 20, 7) <= 7);
    CHECK(rate_limit_take(&l, 1, 8) > 1000000 * MS);
    rate_limit_set(&l, 1 << 20, 9);                              // promises to the slow rate count no more
    CHECK(rate_limit_take(&l, 1, 9) <= 9);
}
