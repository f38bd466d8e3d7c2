// How far from the bound max{F/u_s, N F / (u_s + sum u)} each policy ends: 50 leechers, 400 pieces, uplinks of 1 MiB/s.
#include "rooms/swarm/swarm_model_test.h"
#include "test.h"

enum { MIB = 1 << 20, KIB = 1 << 10 };

typedef struct { const char *what; model_swarm m; int least, most; } row;       // per mille of the bound

// What each rule costs. The course's rules lose between the rounds: uplinks stand idle. Tit-for-tat itself costs little.
static const row rows[] = {
    {"course", {.mode = CHOKER_COURSE, .seed_bytes_per_s = MIB}, 1080, 1300},
    {"default, the seed steers", {.mode = CHOKER_DEFAULT, .seed_bytes_per_s = MIB, .steered = true}, 1000, 1060},
    {"default, it does not", {.mode = CHOKER_DEFAULT, .seed_bytes_per_s = MIB}, 1000, 1090},
    {"managed", {.mode = CHOKER_MANAGED, .seed_bytes_per_s = MIB, .steered = true}, 1000, 1045},
    {"default, a fast seed", {.mode = CHOKER_DEFAULT, .seed_bytes_per_s = 4 * MIB}, 1000, 1035},
    {"managed, pieces of 64 KiB", {.mode = CHOKER_MANAGED, .seed_bytes_per_s = MIB, .steered = true, .piece_bytes = 64 * KIB},
     1000, 1110},                                        // the model knows no way between two hosts: long turns cost it something
    {"managed, peers leave", {.mode = CHOKER_MANAGED, .seed_bytes_per_s = MIB, .steered = true, .leave = true}, 1000, 1100},
    {"managed, 16 neighbours", {.mode = CHOKER_MANAGED, .seed_bytes_per_s = MIB, .steered = true, .neighbours = 16}, 1000, 1090},
};

TEST(policies_end_near_the_bound)
{
    for (int i = 0; i < (int)(sizeof rows / sizeof rows[0]); i++) {
        model_swarm m = rows[i].m;
        m.leechers = 50, m.pieces = 400, m.peer_bytes_per_s = MIB, m.seed = 7;
        if (!m.piece_bytes)
            m.piece_bytes = 256 * KIB;
        model_result r = model_run(&m);
        CHECK_ROW(i, r.last_ns > 0);
        if (model_per_mille(&r) < rows[i].least || model_per_mille(&r) > rows[i].most)
            test_failed(__FILE__, __LINE__, "%s: %lld per mille of the bound", rows[i].what, (long long)model_per_mille(&r));
    }
}

TEST(a_steered_seed_injects_each_piece_once)
{
    model_swarm m = {.leechers = 30, .pieces = 200, .piece_bytes = 256 * KIB, .seed_bytes_per_s = MIB, .peer_bytes_per_s = MIB,
                     .mode = CHOKER_MANAGED, .steered = true, .seed = 3};
    model_result r = model_run(&m);
    int64_t alone_ns = m.pieces * m.piece_bytes * 1000 / m.seed_bytes_per_s * 1000000;
    CHECK(r.injected_ns >= alone_ns && r.injected_ns < alone_ns + alone_ns / 50);
}

TEST(a_swarm_of_one_is_a_download)
{
    for (choker_mode mode = CHOKER_COURSE; mode <= CHOKER_MANAGED; mode++) {
        model_swarm m = {.leechers = 1, .pieces = 20, .piece_bytes = 256 * KIB, .seed_bytes_per_s = MIB, .peer_bytes_per_s = MIB,
                         .mode = mode, .seed = 5};
        model_result r = model_run(&m);
        CHECK(r.last_ns > 0 && model_per_mille(&r) <= 1010);
    }
}

TEST(the_same_seed_gives_the_same_run)
{
    model_swarm m = {.leechers = 10, .pieces = 40, .piece_bytes = 64 * KIB, .seed_bytes_per_s = MIB, .peer_bytes_per_s = MIB,
                     .mode = CHOKER_DEFAULT, .seed = 11};
    model_result a = model_run(&m), b = model_run(&m);
    m.seed = 12;
    model_result c = model_run(&m);
    CHECK_INT(a.last_ns, b.last_ns);
    CHECK_INT(a.blocks_wasted, b.blocks_wasted);
    CHECK(a.last_ns != c.last_ns || a.first_ns != c.first_ns);
}
