// decision-table SEED STEPS: sessions at random, as the rate decision (src/wire/media/rate_decision.h) sees them: what it was told and what it
// said, a line each. tests/web/decision.mjs tells WebAssembly's the same and compares.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "wire/media/rate_decision.h"

static uint64_t state;

static uint64_t chance(uint64_t below)
{
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (z ^ z >> 31) % below;
}

static rate_situation situation_make(int64_t now_ms, int rungs, int servers)
{
    rate_situation s = {
        .now_ms = now_ms, .playout = (rate_playout)chance(4), .buffer_ms = (uint32_t)chance(26000), .capacity_ms = 25000,
        .speed_permille = chance(4) ? 1000 : 2000, .segment_ms = 4000, .segments_left = 1 + (uint32_t)chance(100), .rungs = rungs, .servers = servers,
    };
    for (int i = 0; i < rungs; i++)
        s.bps[i] = 300000u * (uint64_t)(i + 1) * (uint64_t)(i + 1);
    for (int i = 0; i < servers; i++)
        s.barred[i] = chance(8) == 0;
    return s;
}

static void situation_print(const rate_situation *s)
{
    printf("situation %" PRId64 " %d %u %u %u %u %u %d 0 %d\n", s->now_ms, (int)s->playout, s->buffer_ms, s->capacity_ms, s->speed_permille, s->segment_ms,
           s->segments_left, s->rungs, s->servers);
    for (int i = 0; i < s->rungs; i++)
        printf("rung %d %" PRIu64 "\n", i, s->bps[i]);
    for (int i = 0; i < s->servers; i++)
        if (s->barred[i])
            printf("bar %d\n", i);
    const rate_running *r = &s->running;
    if (r->is)
        printf("running %d %d %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %u\n", r->rung, r->server, r->bytes, r->bytes_got, r->elapsed_us, r->first_byte_us, r->silent_ms);
}

static rate_decision decide(rate_situation *s, rate_memory *m)
{
    rate_decision d = rate_decide(s, m);
    situation_print(s);
    printf("decided %d %d %d %u %d %d %d %" PRIu64 " %" PRIu64 " %u %u %" PRId64 " %" PRId64 "\n", (int)d.act, d.rung, d.server, d.wait_ms, (int)d.when, (int)d.what,
           (int)d.where, d.throughput_bps, d.throughput_low_bps, d.download_ms, d.buffer_after_ms, d.worth_milli, d.next_worth_milli);
    return d;
}

static void learn(rate_memory *m, rate_download x)
{
    rate_learn(m, &x);
    printf("learn %" PRId64 " %d %d %" PRIu64 " %" PRIu64 " %" PRIu64 " %d\n", x.now_ms, x.server, x.rung, x.bytes, x.first_byte_us, x.elapsed_us, (int)x.end);
}

// A segment is fetched at a rate that changes now and then; sometimes slowly, sometimes not at all.
static int64_t fetch(rate_situation s, rate_memory *m, rate_decision d, uint64_t bps)
{
    uint64_t bytes = s.bps[d.rung] * s.segment_ms / 8000, first_us = 5000 + chance(200000), elapsed_us = first_us + bytes * 8000000 / bps;
    bool fails = chance(12) == 0;
    s.running = (rate_running){true, d.rung, d.server, bytes, bytes / 3, first_us + (elapsed_us - first_us) / 3, first_us, (uint32_t)chance(3000)};
    s.now_ms += (int64_t)(s.running.elapsed_us / 1000);
    rate_decision then = decide(&s, m);
    bool given_up = then.act == RATE_ABANDON || fails;
    rate_download x = {.now_ms = given_up ? s.now_ms : s.now_ms + (int64_t)(elapsed_us / 1500), .server = d.server, .rung = d.rung,
                       .bytes = given_up ? s.running.bytes_got : bytes, .first_byte_us = first_us, .elapsed_us = given_up ? s.running.elapsed_us : elapsed_us,
                       .end = fails ? RATE_ENDED_FAILED : given_up ? RATE_ENDED_ABANDONED : RATE_ENDED_WHOLE};
    learn(m, x);
    return x.now_ms;
}

int main(int argc, char **argv)
{
    static rate_memory m;                    // large
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1, steps = argc > 2 ? strtoull(argv[2], NULL, 10) : 200, bps = 2000000;
    state = seed;
    int rungs = 1 + (int)chance(6), servers = 1 + (int)chance(4);
    int64_t now_ms = 1000;
    rate_memory_start(&m, RATE_NARU);
    printf("start 0\n");
    for (uint64_t i = 0; i < steps; i++) {
        if (chance(10) == 0)
            bps = 100000 + chance(8000000);
        if (chance(40) == 0) {
            rate_memory_jump(&m);
            printf("jump\n");
        }
        if (servers > 1 && chance(30) == 0) {
            int order[RATE_SERVERS_MAX];
            printf("reorder");
            for (int k = 0; k < servers; k++)
                printf(" %d", order[k] = (k + 1) % servers);
            printf("\n");
            rate_memory_reorder(&m, order, servers);
        }
        rate_situation s = situation_make(now_ms, rungs, servers);
        rate_decision d = decide(&s, &m);
        now_ms = d.act == RATE_FETCH ? fetch(s, &m, d, bps) : now_ms + d.wait_ms;
        now_ms++;
    }
    return 0;
}
