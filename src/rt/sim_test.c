#include "rt/sim.h"

#include "rt/scope.h"
#include "rt/worker.h"
#include "test.h"

typedef struct { sim *sim; world *a; int64_t woken[3]; int ended; } clockwork;

static void sleeper(void *arg)
{
    clockwork *c = arg;
    fiber_sleep(seconds(3600 * 24 * 365));
    c->woken[0] = sim_now_ns(c->sim);
}

static void clock_steps(void *arg)
{
    clockwork *c = arg;
    int64_t start = sim_now_ns(c->sim);
    SCOPE(s, 0, 4);
    CHECK_INT(scope_go(&s, "sleeper", sleeper, c), E_OK);
    fiber_world(c->a);
    int64_t wall = world_wall_ns(c->a);
    fiber_sleep(seconds(10));
    CHECK_INT(world_wall_ns(c->a) - wall, seconds(10));
    sim_clock_step(c->a, -seconds(100));
    CHECK_INT(world_wall_ns(c->a) - wall, -seconds(90));
    CHECK_INT(world_now_ns(c->a) - start, seconds(10));           // the monotonic clock never goes back
    scope_wait(&s);
    CHECK_INT(c->woken[0] - start, seconds(3600 * 24 * 365));     // a year passes in an instant
}

TEST(sim_clock_is_virtual_and_the_wall_may_jump)
{
    clockwork c = {.sim = sim_new(1)};
    addr at = addr_v4(0x0a000001, 0);
    c.a = sim_host(c.sim, S("a"), &at, 1, (sim_disk){0});
    CHECK_INT(sim_run(c.sim, clock_steps, &c), E_OK);
    sim_free(c.sim);
}

static void charged(void *arg) { (void)arg, work_charge(millis(250)); }

static void work_takes_time(void *arg)
{
    clockwork *c = arg;
    fiber_world(c->a);
    int64_t start = sim_now_ns(c->sim);
    work(charged, NULL);
    CHECK_INT(sim_now_ns(c->sim) - start, millis(250));
}

TEST(sim_work_takes_the_time_it_is_charged)
{
    clockwork c = {.sim = sim_new(1)};
    addr at = addr_v4(0x0a000001, 0);
    c.a = sim_host(c.sim, S("a"), &at, 1, (sim_disk){0});
    CHECK_INT(sim_run(c.sim, work_takes_time, &c), E_OK);
    sim_free(c.sim);
}

TEST(sim_chance_of_one_purpose_does_not_disturb_another)
{
    sim *one = sim_new(9), *two = sim_new(9);
    addr at = addr_v4(0x0a000001, 0), other = addr_v4(0x0a000002, 0);
    world *a = sim_host(one, S("a"), &at, 1, (sim_disk){0}), *b = sim_host(two, S("a"), &at, 1, (sim_disk){0});
    world *more = sim_host(two, S("b"), &other, 1, (sim_disk){0});
    for (int i = 0; i < 10; i++)
        world_random_u64(more), sim_random(two);
    CHECK(world_random_u64(a) == world_random_u64(b));
    CHECK(world_random_u64(a) != world_random_u64(more));
    CHECK(sim_random(one) != sim_random(two));
    sim_free(one), sim_free(two);
}

TEST(sim_breaks_only_what_was_asked_for)
{
    sim *s = sim_new(1);
    addr at = addr_v4(0x0a000001, 0);
    world *a = sim_host(s, S("a"), &at, 1, (sim_disk){0});
    CHECK(!world_broken(a, "early-250"));
    sim_break(s, S("early-250"));
    CHECK(world_broken(a, "early-250"));
    CHECK(!world_broken(a, "no-dedupe"));
    sim_free(s);
}

// ---- boot, shut down, crash, restart -----------------------------------------------------------------------

static void service_part(void *arg)
{
    clockwork *c = arg;
    while (fiber_sleep(seconds(1)) == E_OK)
        ;
    c->ended++;
}

static void service(void *arg)
{
    clockwork *c = arg;
    SCOPE(s, 0, 10);
    for (int i = 0; i < 3; i++)
        scope_go(&s, "part", service_part, c);
    scope_wait(&s);
}

static void lives(void *arg)
{
    clockwork *c = arg;
    SCOPE(s, 0, 10);
    for (int life = 0; life < 4; life++) {
        CHECK_INT(sim_boot(c->a, &s, service, c), E_OK);
        fiber_sleep(seconds(10));
        CHECK_INT(c->ended, 3 * life);
        if (life % 2) {
            sim_shut_down(c->a);
            CHECK(sim_is_up(c->a));
        } else {
            sim_crash(c->a);
            CHECK(!sim_is_up(c->a));
            CHECK_INT(work_allowed(), 0);
            sim_restart(c->a);
        }
        CHECK_INT(c->ended, 3 * life + 3);
    }
    sim_crash(c->a);                    // of an idle host
    sim_restart(c->a);
}

TEST(sim_hosts_live_and_die_with_all_their_fibers)
{
    clockwork c = {.sim = sim_new(1)};
    addr at = addr_v4(0x0a000001, 0);
    c.a = sim_host(c.sim, S("a"), &at, 1, (sim_disk){0});
    CHECK_INT(sim_run(c.sim, lives, &c), E_OK);
    CHECK_INT(sim_figures_now(c.sim).crashes, 3);
    sim_free(c.sim);
}
