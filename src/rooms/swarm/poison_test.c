#include "rooms/swarm/poison.h"

#include "test.h"

enum { BLOCKS = 4 };

static addr host(int n) { return addr_v4(0x0a000000u + (unsigned)n, (uint16_t)(1000 + n)); }

TEST(poison_finds_who_sent_other_bytes)
{
    uint8_t of_block[BLOCKS] = {0};
    poison_senders s = {.of_block = of_block};
    poison_digest was[BLOCKS] = {{{1}}, {{2}}, {{66}}, {{4}}}, right[BLOCKS] = {{{1}}, {{2}}, {{3}}, {{4}}};
    poison *p = poison_new();
    addr found[8];
    CHECK(!poison_knows(p, 7));
    poison_sent(&s, 0, host(1));
    poison_sent(&s, 1, host(2));
    poison_sent(&s, 2, host(2));
    poison_sent(&s, 3, host(1));
    CHECK_INT(poison_only_sender(&s, BLOCKS).family, 0);
    poison_failed(p, 7, &s, was, BLOCKS);
    CHECK(poison_knows(p, 7));
    CHECK_INT(poison_found(p, 8, right, BLOCKS, found, 8), 0);
    CHECK_INT(poison_found(p, 7, right, BLOCKS, found, 8), 1);
    CHECK(addr_eq_ip(found[0], host(2)));
    CHECK_INT(poison_found(p, 7, right, BLOCKS, found, 8), 0);
    poison_free(p);
}

TEST(poison_single_sender_shows_at_once)
{
    uint8_t of_block[BLOCKS] = {0};
    poison_senders s = {.of_block = of_block};
    for (int i = 0; i < BLOCKS; i++)
        poison_sent(&s, i, addr_with_port(host(3), (uint16_t)(1 + i)));      // the same host, whatever port
    CHECK(addr_eq_ip(poison_only_sender(&s, BLOCKS), host(3)));
    of_block[1] = 0;                                                         // one block is nobody's: no proof
    CHECK_INT(poison_only_sender(&s, BLOCKS).family, 0);
}

TEST(poison_forgets_the_oldest)
{
    static uint8_t of_block[POISON_RECORDS_MAX + 1];
    static poison_digest zero[POISON_RECORDS_MAX + 1];
    poison_senders s = {.of_block = of_block};
    poison *p = poison_new();
    addr found[1];
    poison_digest other = {{9}};
    poison_sent(&s, 0, host(1));
    poison_failed(p, 1, &s, zero, 1);
    for (int i = 0; i < POISON_RECORDS_MAX; i++)
        poison_sent(&s, i, host(2));
    poison_failed(p, 2, &s, zero, POISON_RECORDS_MAX);
    CHECK(!poison_knows(p, 1) && poison_knows(p, 2));
    CHECK_INT(poison_found(p, 1, &other, 1, found, 1), 0);
    CHECK_INT(poison_found(p, 2, &other, 1, found, 1), 1);
    poison_free(p);
}
