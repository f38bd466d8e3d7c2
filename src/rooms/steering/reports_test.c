#include "test.h"
#include "base/heap_memory.h"
#include "rooms/steering/reports.h"

#define S_NS INT64_C(1000000000)
static const report_rules rules = {.every_ns = 2 * S_NS, .life_ns = 60 * S_NS, .voters = 3, .slow_bps = 300000};
enum { NODE = 5, NETWORK = 2 };

static reports *fresh(void)
{
    reports *r = memory_zeroed(1, sizeof *r);
    r->key = 99;
    return r;
}

static report says(uint32_t ip, uint64_t session, int64_t bps)
{
    return (report){.client = addr_v4(ip, 1234), .network = NETWORK, .node = NODE, .session = session, .throughput_bps = bps, .stalls = -1};
}

TEST(reports_move_the_reporter_and_nobody_else)
{
    reports *r = fresh();
    report bad = says(0x0a000001, 1, 1000);
    CHECK(reports_take(r, &rules, &bad, S_NS) == REPORT_TAKEN);
    CHECK(reports_own(r, &rules, bad.client, 1, S_NS) == UINT64_C(1) << NODE);
    CHECK(reports_own(r, &rules, bad.client, 2, S_NS) == 0);               // another session of that address
    CHECK(reports_own(r, &rules, addr_v4(0x0a000002, 0), 1, S_NS) == 0);   // the same session from elsewhere
    CHECK(reports_of_network(r, &rules, NETWORK, S_NS) == 0);
    CHECK(reports_own(r, &rules, bad.client, 1, 61 * S_NS) == 0);          // believed for a minute
    report good = says(0x0a000001, 1, 5000000);
    CHECK(reports_take(r, &rules, &good, 10 * S_NS) == REPORT_TAKEN && reports_own(r, &rules, bad.client, 1, 10 * S_NS) == 0);
    memory_free(r);
}

TEST(reports_complain_by_stalls_and_failures)
{
    reports *r = fresh();
    report one = says(0x0a000001, 1, 5000000);
    one.stalls = 4;
    CHECK(reports_take(r, &rules, &one, S_NS) == REPORT_TAKEN && reports_own(r, &rules, one.client, 1, S_NS) == 0);      // stalls of before
    one.stalls = 5;
    CHECK(reports_take(r, &rules, &one, 4 * S_NS) == REPORT_TAKEN && reports_own(r, &rules, one.client, 1, 4 * S_NS) != 0);
    one.stalls = 5;
    CHECK(reports_take(r, &rules, &one, 8 * S_NS) == REPORT_TAKEN && reports_own(r, &rules, one.client, 1, 8 * S_NS) == 0);
    one.failed = true;
    CHECK(reports_take(r, &rules, &one, 12 * S_NS) == REPORT_TAKEN && reports_own(r, &rules, one.client, 1, 12 * S_NS) != 0);
    memory_free(r);
}

TEST(reports_of_an_unknown_throughput_complain_of_nothing)
{
    reports *r = fresh();
    report one = says(0x0a000001, 1, 0);
    CHECK(reports_take(r, &rules, &one, S_NS) == REPORT_TAKEN && reports_own(r, &rules, one.client, 1, S_NS) == 0);
    memory_free(r);
}

TEST(reports_of_one_stranger_never_move_a_network)
{
    reports *r = fresh();
    for (int i = 0; i < 1000; i++) {                       // as many sessions and reports as he likes
        report bad = says(0x0a000001, (uint64_t)i + 1, 1);
        (void)reports_take(r, &rules, &bad, S_NS + i * S_NS / 10);
    }
    CHECK(reports_of_network(r, &rules, NETWORK, 100 * S_NS) == 0);
    for (int i = 0; i < 1000; i++) {                       // one IPv6 network of a household: 2^64 addresses, one voice
        report bad = says(0, (uint64_t)i + 1, 1);
        CHECK(addr_parse_ip(S("2001:db8:1:1::"), 0, &bad.client));
        bad.client.ip[15] = (uint8_t)i, bad.client.ip[14] = (uint8_t)(i >> 8);
        (void)reports_take(r, &rules, &bad, 100 * S_NS + i * S_NS / 10);
    }
    CHECK(reports_of_network(r, &rules, NETWORK, 200 * S_NS) == 0);
    memory_free(r);
}

TEST(reports_of_several_move_their_network_alone)
{
    reports *r = fresh();
    for (uint32_t i = 0; i < 3; i++) {
        CHECK(reports_of_network(r, &rules, NETWORK, S_NS) == 0);
        report bad = says(0x0a000001 + i, 1, 1);
        CHECK(reports_take(r, &rules, &bad, S_NS) == REPORT_TAKEN);
    }
    CHECK(reports_of_network(r, &rules, NETWORK, S_NS) == UINT64_C(1) << NODE);
    CHECK(reports_of_network(r, &rules, NETWORK + 1, S_NS) == 0);
    for (uint32_t i = 0; i < 4; i++) {                     // four say that it is fine: three of seven is no majority
        report good = says(0x0a000100 + i, 1, 9000000);
        CHECK(reports_take(r, &rules, &good, 2 * S_NS) == REPORT_TAKEN);
    }
    CHECK(reports_of_network(r, &rules, NETWORK, 2 * S_NS) == 0);
    CHECK(reports_of_network(r, &rules, NETWORK, 61 * S_NS + S_NS / 2) == 0);
    memory_free(r);
}

TEST(reports_are_rationed_by_address)
{
    reports *r = fresh();
    report one = says(0x0a000001, 1, 1);
    int taken = 0;
    for (int i = 0; i < 100; i++) {
        one.session = (uint64_t)(i % 2) + 1;               // a second session does not double the allowance
        taken += reports_take(r, &rules, &one, S_NS) == REPORT_TAKEN;
    }
    CHECK_INT(taken, REPORTS_BURST);
    CHECK(reports_take(r, &rules, &one, 2 * S_NS) == REPORT_TOO_FAST);
    CHECK(reports_take(r, &rules, &one, 3 * S_NS) == REPORT_TAKEN);
    one.node = -1;
    CHECK(reports_take(r, &rules, &one, 30 * S_NS) == REPORT_UNKNOWN_NODE);
    one.node = 64;
    CHECK(reports_take(r, &rules, &one, 30 * S_NS) == REPORT_UNKNOWN_NODE);
    memory_free(r);
}

// A flood from a million addresses: the table is as large as before, and what was fresh is still there.
TEST(reports_flood_pushes_nobody_out)
{
    reports *r = fresh();
    uint64_t chance = 1;
    report honest = says(0xc0000201, 77, 1);
    CHECK(reports_take(r, &rules, &honest, S_NS) == REPORT_TAKEN);
    int full = 0;
    for (int i = 0; i < 200000; i++) {
        report flood = says((uint32_t)test_random(&chance) | 1, 1, 9000000);
        flood.network = NETWORK + 1;
        full += reports_take(r, &rules, &flood, 2 * S_NS) == REPORT_NO_ROOM;
    }
    CHECK(full > 180000 && reports_count(r, &rules, 2 * S_NS) <= REPORTS_SETS * REPORTS_WAYS);
    CHECK(reports_own(r, &rules, honest.client, 77, 2 * S_NS) == UINT64_C(1) << NODE);
    CHECK_INT(reports_count(r, &rules, 100 * S_NS), 0);
    memory_free(r);
}
