#include "rooms/accounts/backoff.h"

#include "rt/world.h"
#include "test.h"

// In place: the table is too large for a frame.
static void make(backoff *b)
{
    memset(b, 0, sizeof *b);
    b->free_failures = 3;
    b->first_ns = seconds(1);
    b->max_ns = seconds(60);
    b->forget_ns = minutes(10);
    b->secret = 7;
}

TEST(backoff_doubles_after_the_free_failures_and_forgets)
{
    static backoff b;
    make(&b);
    int64_t now = seconds(1000);
    for (int i = 0; i < 3; i++)
        backoff_failed(&b, S("bob"), now);
    CHECK_INT(backoff_wait_ns(&b, S("bob"), now), 0);
    backoff_failed(&b, S("bob"), now);
    CHECK_INT(backoff_wait_ns(&b, S("bob"), now), seconds(1));
    backoff_failed(&b, S("bob"), now);
    CHECK_INT(backoff_wait_ns(&b, S("bob"), now), seconds(2));
    CHECK_INT(backoff_wait_ns(&b, S("bob"), now + seconds(2)), 0);
    CHECK_INT(backoff_wait_ns(&b, S("alice"), now), 0);
    for (int i = 0; i < 100; i++)
        backoff_failed(&b, S("bob"), now);
    CHECK_INT(backoff_wait_ns(&b, S("bob"), now), seconds(60));
    backoff_failed(&b, S("bob"), now + minutes(11));               // long after: the first one again
    CHECK_INT(backoff_wait_ns(&b, S("bob"), now + minutes(11)), 0);
    backoff_forgive(&b, S("bob"));
    CHECK_INT(backoff_wait_ns(&b, S("bob"), now), 0);
}

TEST(backoff_table_is_bounded_and_keeps_the_newest)
{
    static backoff b;
    make(&b);
    for (int i = 0; i < 100000; i++) {
        int64_t n = i;
        backoff_failed(&b, str_of(&n, sizeof n), seconds(1) + i);
    }
    int64_t newest = 99999;
    for (int i = 0; i < 5; i++)
        backoff_failed(&b, str_of(&newest, sizeof newest), seconds(2));
    CHECK(backoff_wait_ns(&b, str_of(&newest, sizeof newest), seconds(2)) > 0);
}

TEST(backoff_takes_an_ipv6_customer_as_one)
{
    unsigned char one[16], two[16];
    addr a = {0}, b = {0}, c = {0};
    CHECK(addr_parse_ip(S("2001:db8::1"), 1, &a) && addr_parse_ip(S("2001:db8::ffff"), 2, &b));
    CHECK(addr_parse_ip(S("192.0.2.1"), 0, &c));
    CHECK(str_eq(backoff_client(a, one), backoff_client(b, two)));
    CHECK_INT(backoff_client(c, one).len, 4);
    CHECK_INT(backoff_client((addr){0}, one).len, 0);
}
