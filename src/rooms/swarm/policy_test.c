// How far from the bound max{F/u_s, N F / (u_s + sum u)} the policies end.
#include "rooms/swarm/swarm_model_test.h"
#include "test.h"

TEST(policy_table)
{
    static const struct { const char *what; model_swarm m; } rows[] = {
        {"course", {50, 400, 262144, 1 << 20, 1 << 20, CHOKER_COURSE}},
        {"course steered", {50, 400, 262144, 1 << 20, 1 << 20, CHOKER_COURSE, .steered = true}},
        {"default", {50, 400, 262144, 1 << 20, 1 << 20, CHOKER_DEFAULT}},
        {"default steered", {50, 400, 262144, 1 << 20, 1 << 20, CHOKER_DEFAULT, .steered = true}},
        {"managed", {50, 400, 262144, 1 << 20, 1 << 20, CHOKER_MANAGED}},
        {"managed steered", {50, 400, 262144, 1 << 20, 1 << 20, CHOKER_MANAGED, .steered = true}},
        {"4u course", {50, 400, 262144, 4 << 20, 1 << 20, CHOKER_COURSE}},
        {"4u default", {50, 400, 262144, 4 << 20, 1 << 20, CHOKER_DEFAULT}},
        {"4u default steered", {50, 400, 262144, 4 << 20, 1 << 20, CHOKER_DEFAULT, .steered = true}},
        {"4u managed", {50, 400, 262144, 4 << 20, 1 << 20, CHOKER_MANAGED}},
        {"4u managed steered", {50, 400, 262144, 4 << 20, 1 << 20, CHOKER_MANAGED, .steered = true}},
        {"25MB 64K managed steered", {50, 400, 65536, 1 << 20, 1 << 20, CHOKER_MANAGED, .steered = true}},
        {"leave default steered", {50, 400, 262144, 1 << 20, 1 << 20, CHOKER_DEFAULT, .steered = true, .leave = true}},
        {"leave managed steered", {50, 400, 262144, 1 << 20, 1 << 20, CHOKER_MANAGED, .steered = true, .leave = true}},
    };
    for (int i = 0; i < (int)(sizeof rows / sizeof rows[0]); i++) {
        model_swarm m = rows[i].m;
        m.seed = 7;
        model_result r = model_run(&m);
        printf("%-26s %lld  bound %lld s injected %lld ms first %lld last %lld seed pieces %lld waste %lld idle %lld\n", rows[i].what,
            (long long)model_per_mille(&r), (long long)(r.bound_ns / 1000000000), (long long)(r.injected_ns / 1000000),
            (long long)(r.first_ns / 1000000), (long long)(r.last_ns / 1000000), (long long)r.seed_pieces, (long long)r.blocks_wasted,
            (long long)r.idle_per_mille);
        CHECK(r.last_ns > 0);
    }
}
