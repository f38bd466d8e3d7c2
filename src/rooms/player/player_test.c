// The player in the simulator: servers that die, stall, lie; lines that change; viewers who jump about.
#include "rooms/player/rehearsal.h"
#include "test.h"

#define MBIT INT64_C(125000)                 // bytes a second
static const sim_link line10 = {.delay_min_ns = 15 * NS_PER_MS, .delay_max_ns = 25 * NS_PER_MS, .bytes_per_s = 10 * MBIT};

static rehearsal_plan plan_of(int servers)
{
    rehearsal_plan p = {.seed = 7, .servers = servers, .link = line10};
    p.film = (made_film_plan){.segments = 45, .segment_ms = 4000, .rungs = 3, .bps = {300000, 1000000, 3000000}, .sound_bps = 128000, .varies_percent = 20};
    p.options = (player_options){.rung_fixed = -1};
    return p;
}

static void clean_check(const rehearsal *r)
{
    CHECK_INT(r->outcome, E_OK);
    CHECK_INT(r->wrong, 0);
    CHECK_INT(r->view.played_ms, 180000);
    CHECK_INT(r->view.state, PLAYOUT_ENDED);
    if (r->outcome)
        printf("# " STR_FMT "\n", STR_ARG(r->view.trouble));
}

TEST(a_film_is_played_to_its_end)
{
    rehearsal r;
    rehearsal_plan plan = plan_of(1);
    rehearsal_play(&plan, &r);
    clean_check(&r);
    CHECK_INT(r.view.stalls, 0);
    CHECK(r.view.startup_ms > 0 && r.view.startup_ms < 3000);
    CHECK(r.view.held_ms[2] > 120000);                   // 10 Mbit/s: the best rung most of the time
    CHECK_INT(r.pieces, 90);
    CHECK(r.took_ms >= 180000 && r.took_ms < 184000);
    rehearsal_end(&r);
}

TEST(on_demand_files_are_played_by_ranges)
{
    rehearsal r;
    rehearsal_plan plan = plan_of(1);
    plan.film.on_demand = true;
    rehearsal_play(&plan, &r);
    clean_check(&r);
    CHECK_INT(r.view.stalls, 0);
    CHECK_INT(r.pieces, 90);
    rehearsal_end(&r);
}

// ---- servers ----

static void kill_first(rehearsal *r)
{
    while (rehearsal_look(r).buffer_ms < 10000 || rehearsal_look(r).position_ms < 40000)
        if (fiber_sleep(millis(50)))
            return;
    sim_crash(r->servers[0]);
}

static void cut_first(rehearsal *r)
{
    if (fiber_sleep(seconds(60)) == E_OK)
        sim_partition(r->sim, r->viewer, r->servers[0], true);
}

static void stall_first(rehearsal *r)
{
    if (fiber_sleep(seconds(60)) == E_OK)
        r->films[0].stalls = true;
}

static void lose_first(rehearsal *r)
{
    if (fiber_sleep(seconds(60)) == E_OK)
        r->films[0].missing = true;
}

static void confuse_first(rehearsal *r)
{
    if (fiber_sleep(seconds(60)) == E_OK)
        r->films[0].nonsense = true;
}

TEST(when_a_server_fails_the_film_goes_on_from_the_next)
{
    void (*const scripts[])(rehearsal *) = {kill_first, cut_first, stall_first, lose_first, confuse_first};
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        rehearsal r;
        rehearsal_plan plan = plan_of(2);
        plan.script = scripts[i];
        plan.seed = 11 + i;
        rehearsal_play(&plan, &r);
        clean_check(&r);
        CHECK_ROW(i, r.view.stalls == 0);
        CHECK_ROW(i, r.view.servers[1].downloads > 10 && r.view.servers[0].downloads > 5);
        if (r.view.stalls)
            printf("# row %zu: %d stalls, %lld ms\n", i, r.view.stalls, (long long)r.view.stalled_ms);
        rehearsal_end(&r);
    }
}

static void kill_all(rehearsal *r)
{
    if (fiber_sleep(seconds(30)) == E_OK)
        for (int i = 0; i < r->plan->servers; i++)
            sim_partition(r->sim, r->viewer, r->servers[i], true);
}

TEST(without_any_server_the_player_says_so)
{
    rehearsal r;
    rehearsal_plan plan = plan_of(2);
    plan.script = kill_all;
    rehearsal_play(&plan, &r);
    CHECK(r.outcome != E_OK && r.view.trouble.len > 0);
    CHECK_INT(r.view.stalls, 1);
    CHECK(r.took_ms < 200000);
    rehearsal_end(&r);
}

TEST(a_stranger_s_manifest_does_not_lead_into_our_own_network)
{
    for (int outside = 0; outside < 2; outside++) {
        rehearsal r;
        rehearsal_plan plan = plan_of(2);
        plan.outside = outside;
        plan.script = kill_first;
        rehearsal_play(&plan, &r);
        CHECK_ROW(outside, (r.outcome == E_OK) == !outside);
        CHECK_ROW(outside, (r.films[1].requests == 0) == outside);
        rehearsal_end(&r);
    }
}

static void stall_at_once(rehearsal *r) { r->films[0].stalls = true; }

TEST(a_manifest_that_never_comes_is_not_waited_for)
{
    rehearsal r;
    rehearsal_plan plan = plan_of(1);
    plan.script = stall_at_once;
    rehearsal_play(&plan, &r);
    CHECK(r.outcome != E_OK && r.view.trouble.len > 0 && !r.view.loaded);
    CHECK(r.took_ms <= 12000);
    rehearsal_end(&r);
}

static void steer_away(rehearsal *r)
{
    if (fiber_sleep(seconds(50)) == E_OK)
        r->steering = S("{\"VERSION\":1,\"TTL\":10,\"PATHWAY-PRIORITY\":[\"edge2\",\"edge1\"]}");
}

TEST(steering_leads_to_another_server)
{
    rehearsal r;
    rehearsal_plan plan = plan_of(2);
    plan.steering = "{\"VERSION\":1,\"TTL\":10,\"PATHWAY-PRIORITY\":[\"edge1\",\"edge2\"]}";
    plan.script = steer_away;
    rehearsal_play(&plan, &r);
    clean_check(&r);
    CHECK_INT(r.view.stalls, 0);
    CHECK(r.steered >= 15 && r.steered <= 20);           // every 10 s
    CHECK(r.view.servers[0].downloads >= 10 && r.view.servers[1].downloads >= 15 && r.view.servers[0].failures == 0);
    CHECK_INT(r.view.server, 1);
    CHECK_STR(r.view.steering, S("edge2 edge1"));
    rehearsal_end(&r);
}

// ---- lines ----

static void slow_and_fast(rehearsal *r)
{
    sim_link slow = line10;
    slow.bytes_per_s /= 10;
    if (fiber_sleep(seconds(50)))
        return;
    rehearsal_link(r, -1, slow);
    if (fiber_sleep(seconds(50)))
        return;
    rehearsal_link(r, -1, line10);
}

TEST(quality_follows_a_line_that_falls_to_a_tenth_and_returns)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        rehearsal r;
        rehearsal_plan plan = plan_of(1);
        plan.script = slow_and_fast;
        plan.seed = seed;
        rehearsal_play(&plan, &r);
        clean_check(&r);
        CHECK_ROW(seed, r.view.stalls == 0);
        CHECK_ROW(seed, r.view.held_ms[2] >= 80000);
        CHECK_ROW(seed, r.view.held_ms[0] + r.view.held_ms[1] >= 8000);
        rehearsal_end(&r);
    }
}

// ---- viewers ----

static void restless(rehearsal *r)
{
    static const struct { int at_s; int speed; int jump_s; int pause; } acts[] = {
        {10, 0, 0, 1}, {20, 0, 0, -1}, {25, 0, 120, 0}, {35, -2000, 0, 0}, {45, 1000, 0, 0}, {50, 8000, 0, 0}, {53, 1000, 0, 0}, {60, 0, 30, 0}, {62, 0, 31, 0},
        {70, 2000, 0, 0},
    };
    int64_t now = 0;
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
        if (fiber_sleep(seconds(acts[i].at_s) - now))
            return;
        now = seconds(acts[i].at_s);
        if (acts[i].speed)
            player_speed(r->player, acts[i].speed);
        else if (acts[i].jump_s)
            player_jump(r->player, acts[i].jump_s * 1000);
        else
            player_pause(r->player, acts[i].pause > 0);
    }
}

TEST(a_restless_viewer_comes_to_the_end)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        rehearsal r;
        rehearsal_plan plan = plan_of(2);
        plan.script = restless;
        plan.seed = seed;
        rehearsal_play(&plan, &r);
        CHECK_INT(r.outcome, E_OK);
        CHECK_ROW(seed, r.wrong == 0 && r.view.state == PLAYOUT_ENDED);
        CHECK_ROW(seed, r.view.paused_ms >= 9900 && r.view.paused_ms <= 10100);
        rehearsal_end(&r);
    }
}

TEST(a_hurried_film_ends_sooner)
{
    rehearsal r;
    rehearsal_plan plan = plan_of(1);
    plan.options.hurry = 4;
    rehearsal_play(&plan, &r);
    CHECK_INT(r.outcome, E_OK);
    CHECK(r.took_ms >= 45000 && r.took_ms < 60000);
    rehearsal_end(&r);
}

TEST(the_same_seed_gives_the_same_film)
{
    uint64_t prints[2];
    for (int i = 0; i < 2; i++) {
        rehearsal r;
        rehearsal_plan plan = plan_of(2);
        plan.script = kill_first;
        rehearsal_play(&plan, &r);
        prints[i] = sim_fingerprint(r.sim);
        rehearsal_end(&r);
    }
    CHECK(prints[0] == prints[1]);
}
