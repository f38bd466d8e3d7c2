#include "rooms/swarm/allowed_fast.h"

#include <string.h>

#include "test.h"

// The examples of BEP 6.
TEST(allowed_fast_is_what_the_bep_says)
{
    static const uint32_t expected[9] = {1059, 431, 808, 1217, 287, 376, 1188, 353, 508};
    uint8_t hash[20];
    uint32_t got[9];
    memset(hash, 0xaa, sizeof hash);
    addr bep = addr_v4((80u << 24) | (4u << 16) | (4u << 8) | 200u, 0);
    CHECK_INT(allowed_fast(bep, hash, 1313, got, 7), 7);
    for (int i = 0; i < 7; i++)
        CHECK_ROW(i, got[i] == expected[i]);
    CHECK_INT(allowed_fast(bep, hash, 1313, got, 9), 9);
    for (int i = 0; i < 9; i++)
        CHECK_ROW(i, got[i] == expected[i]);
}

TEST(allowed_fast_small_torrents_and_other_families)
{
    uint8_t hash[20] = {0};
    uint32_t got[8];
    CHECK_INT(allowed_fast(addr_v4(0x01020304, 0), hash, 3, got, 8), 3);
    CHECK(got[0] == 0 && got[1] == 1 && got[2] == 2);
    CHECK_INT(allowed_fast((addr){.family = 6}, hash, 100, got, 8), 0);
}
