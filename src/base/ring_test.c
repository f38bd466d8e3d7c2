#include "test.h"

#include "base/ring.h"

TEST(ring_first_in_first_out)
{
    ring r = ring_make(5, sizeof(int));             // rounded up to 8
    int in = 0, out = 0, got;
    uint64_t seed = 3;
    for (int step = 0; step < 5000; step++) {
        if (test_random(&seed) % 2) {
            CHECK_ROW(step, ring_push(&r, &in) == (in - out < 8));
            in += in - out < 8;
        } else {
            CHECK_ROW(step, ring_pop(&r, &got) == (in > out));
            if (in > out)
                CHECK_INT(got, out++);
        }
        CHECK_ROW(step, ring_count(&r) == (size_t)(in - out));
        int *oldest = ring_at(&r, 0);
        CHECK_ROW(step, in == out ? !oldest : oldest && *oldest == out);
    }
    ring_free(&r);
}

TEST(ring_push_over_forgets_the_oldest)
{
    ring r = ring_make(4, sizeof(int));
    for (int i = 0; i < 10; i++)
        ring_push_over(&r, &i);
    CHECK(ring_full(&r));
    for (int i = 0; i < 4; i++)
        CHECK_INT(*(int *)ring_at(&r, (size_t)i), 6 + i);
    CHECK(ring_at(&r, 4) == NULL);
    ring_free(&r);
}
