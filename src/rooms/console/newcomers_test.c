#include "rooms/console/newcomers.h"

#include "test.h"

#define HOUR_NS (INT64_C(3600) * 1000000000)

TEST(newcomers_of_one_client_are_few_an_hour)
{
    newcomers n = {.secret = 7};
    addr here = addr_v4(0x0a000001, 5), other = addr_v4(0x0a000002, 5), six = {.family = 6, .ip = {0x20, 1, [15] = 1}};
    for (int i = 0; i < NEWCOMERS_PER_CLIENT_MAX; i++)
        CHECK(newcomers_let_in(&n, here, 5));
    CHECK(!newcomers_let_in(&n, here, 6) && newcomers_let_in(&n, other, 6));
    CHECK(newcomers_let_in(&n, here, HOUR_NS + 6));
    for (int i = 0; i < NEWCOMERS_PER_CLIENT_MAX; i++) {
        six.ip[15] = (uint8_t)i;                         // one customer's /64
        CHECK(newcomers_let_in(&n, six, HOUR_NS + 7));
    }
    CHECK(!newcomers_let_in(&n, six, HOUR_NS + 8));
}

TEST(newcomers_are_bounded_in_all)
{
    newcomers n = {.secret = 7};
    int taken = 0;
    for (uint32_t i = 0; i < 5 * NEWCOMERS_MAX; i++)
        taken += newcomers_let_in(&n, addr_v4(0x0a000000 + i, 1), 5);
    CHECK_INT(taken, NEWCOMERS_MAX);
}
