// The rate decision's properties: the bench (bench/rate.c) measures how good it is.
#include "test.h"
#include <math.h>
#include <stdlib.h>
#include "wire/media/rate_decision.h"
#include "wire/media/rate_fixed.h"

enum { RUNGS = 4, SEGMENT_MS = 4000 };
static const uint64_t ladder[RUNGS] = {300000, 1000000, 3000000, 6000000};
static rate_memory memory;                   // too large for a stack

static rate_situation situation(uint32_t buffer_ms)
{
    rate_situation s = {.now_ms = 1000, .playout = RATE_PLAYING, .buffer_ms = buffer_ms, .segment_ms = SEGMENT_MS, .segments_left = 100,
                        .rungs = RUNGS, .servers = 1};
    memcpy(s.bps, ladder, sizeof ladder);
    return s;
}

// A download at a rate, told to the memory.
static void learn(int64_t now_ms, int server, int rung, uint64_t bps, int end)
{
    uint64_t bytes = ladder[rung] * SEGMENT_MS / 8000;
    rate_download d = {.now_ms = now_ms, .server = server, .rung = rung, .bytes = end == RATE_ENDED_FAILED ? 0 : bytes,
                       .first_byte_us = 20000, .elapsed_us = 20000 + bytes * 8000000 / bps};
    d.end = end;
    rate_learn(&memory, &d);
}

TEST(rate_logarithms_are_near)
{
    for (uint64_t x = 1; x < (1ull << 40); x = x * 5 / 4 + 1) {
        CHECK(llabs(rate_ln_micro(x) - llround(log((double)x) * 1e6)) < 60);
        CHECK(llabs(rate_log2_q(x) - llround(log2((double)x) * 65536)) < 4);
    }
    for (int64_t n = 0; n < 400; n++)
        CHECK(llabs(rate_half_power(n, 17) - llround(exp2(-(double)n / 17) * RATE_ONE)) < 400);
}

TEST(rate_waits_when_the_buffer_is_full_and_only_then)
{
    for (int rule = 0; rule < RATE_RULES; rule++) {
        rate_memory_start(&memory, (rate_rule)rule);
        for (int i = 0; i < 4; i++)
            learn(i * 1000, 0, 0, 5000000, RATE_ENDED_WHOLE);
        rate_situation s = situation(RATE_CAPACITY_MS - SEGMENT_MS + 500);
        rate_decision d = rate_decide(&s, &memory);
        CHECK_ROW(rule, d.act == RATE_WAIT && d.when == RATE_WHEN_FULL && d.wait_ms == 500);
        s.now_ms += 500;
        s.buffer_ms -= 500;
        CHECK_ROW(rule, rate_decide(&s, &memory).act != RATE_WAIT || rule == RATE_BUFFER_ENHANCED || rule == RATE_HYBRID_ENHANCED);
    }
}

TEST(rate_ends_with_the_film)
{
    rate_memory_start(&memory, RATE_NARU);
    rate_situation s = situation(8000);
    s.segments_left = 0;
    CHECK(rate_decide(&s, &memory).act == RATE_DONE);
}

// Plays from a rate to another at a time: the buffer's least level, and the mean rung of the last segments.
typedef struct { uint32_t least_ms; int last_rungs; } played;

static uint64_t rate_at(int64_t ms, const int64_t *change_ms, const uint64_t *bps, int changes)
{
    int i = 0;
    while (i + 1 < changes && ms >= change_ms[i])
        i++;
    return bps[i];
}

static played play(const int64_t *change_ms, const uint64_t *bps, int changes, int64_t until_ms)
{
    rate_situation s = situation(0);
    played p = {.least_ms = UINT32_MAX};
    int64_t now = 0;
    rate_memory_start(&memory, RATE_NARU);
    while (now < until_ms) {
        s.now_ms = now;
        s.playout = s.buffer_ms ? RATE_PLAYING : RATE_STARTING;
        rate_decision d = rate_decide(&s, &memory);
        if (d.act == RATE_WAIT) {
            now += d.wait_ms;
            s.buffer_ms -= d.wait_ms;
            continue;
        }
        uint64_t bytes = ladder[d.rung] * SEGMENT_MS / 8000, got = 0;
        int64_t began = now;
        bool abandon = false;
        while (got < bytes && !abandon) {
            now += 50;
            got += rate_at(now, change_ms, bps, changes) / 8 / 20;
            if (s.playout == RATE_PLAYING)
                s.buffer_ms -= s.buffer_ms < 50 ? s.buffer_ms : 50;
            if (s.playout == RATE_PLAYING && s.buffer_ms < p.least_ms)
                p.least_ms = s.buffer_ms;
            s.now_ms = now;
            s.running = (rate_running){.is = got < bytes, .rung = d.rung, .bytes = bytes, .bytes_got = got,
                                       .elapsed_us = (uint64_t)(now - began) * 1000, .first_byte_us = 1000};
            abandon = s.running.is && rate_decide(&s, &memory).act == RATE_ABANDON;
        }
        s.running.is = false;
        rate_download ended = {.now_ms = now, .rung = d.rung, .bytes = got < bytes ? got : bytes, .first_byte_us = 1000,
                               .elapsed_us = (uint64_t)(now - began) * 1000, .end = abandon ? RATE_ENDED_ABANDONED : RATE_ENDED_WHOLE};
        rate_learn(&memory, &ended);
        if (abandon)
            continue;
        s.buffer_ms += SEGMENT_MS;
        CHECK(s.buffer_ms <= RATE_CAPACITY_MS);
        p.last_rungs = d.rung;
    }
    return p;
}

TEST(rate_follows_a_fall_to_a_tenth_and_back_without_a_stall)
{
    static const int64_t at[] = {60000, 120000, 240000};
    static const uint64_t bps[] = {10000000, 1000000, 10000000};
    played before = play(at, bps, 1, 60000), low = play(at, bps, 2, 118000), back = play(at, bps, 3, 200000);
    CHECK(before.last_rungs >= 2);
    CHECK(low.last_rungs <= 1);
    CHECK(low.least_ms > 0);
    CHECK(back.last_rungs >= 2);
    CHECK(back.least_ms > 0);
}

TEST(rate_takes_no_less_with_more_in_the_buffer)
{
    for (uint64_t bps = 400000; bps < 20000000; bps = bps * 3 / 2) {
        int last = 0;
        for (uint32_t buffer = 1000; buffer <= 21000; buffer += 1000) {
            rate_memory_start(&memory, RATE_NARU);
            for (int i = 0; i < 12; i++)
                learn(i * 4000, 0, 1, bps, RATE_ENDED_WHOLE);
            rate_situation s = situation(buffer);
            rate_decision d = rate_decide(&s, &memory);
            CHECK_ROW(buffer, d.act == RATE_FETCH && d.rung >= last);
            last = d.rung;
        }
    }
}

TEST(rate_fails_over_in_the_steering_s_order_and_comes_back)
{
    rate_memory_start(&memory, RATE_NARU);
    rate_situation s = situation(12000);
    s.servers = 3;
    rate_decision d = rate_decide(&s, &memory);
    CHECK(d.server == 0 && d.where == RATE_WHERE_RANKED);
    learn(1000, 0, 0, 5000000, RATE_ENDED_FAILED);
    d = rate_decide(&s, &memory);
    CHECK(d.act == RATE_FETCH && d.server == 1 && d.where == RATE_WHERE_FAILED_OVER);
    s.barred[1] = true;
    CHECK(rate_decide(&s, &memory).server == 2);
    learn(1000, 2, 0, 5000000, RATE_ENDED_FAILED);
    d = rate_decide(&s, &memory);
    CHECK(d.act == RATE_WAIT && d.when == RATE_WHEN_NO_SERVER && d.wait_ms > 0 && d.wait_ms <= 1000);
    s.now_ms += d.wait_ms;
    d = rate_decide(&s, &memory);
    CHECK(d.act == RATE_FETCH && d.server == 0 && d.where == RATE_WHERE_PROBED);
}

TEST(rate_gives_a_silent_server_up_before_the_buffer_is_empty)
{
    rate_memory_start(&memory, RATE_NARU);
    for (int i = 0; i < 4; i++)
        learn(i * 1000, 0, 1, 5000000, RATE_ENDED_WHOLE);
    rate_situation s = situation(10000);
    s.servers = 2;
    s.running = (rate_running){.is = true, .rung = 2, .bytes = 1500000};
    uint32_t ms = 0;
    rate_decision d;
    do {
        ms += 50;
        s.now_ms += 50;
        s.buffer_ms -= 50;
        s.running.elapsed_us += 50000;
        s.running.silent_ms = ms;
        d = rate_decide(&s, &memory);
    } while (d.act == RATE_GO_ON && s.buffer_ms > 50);
    CHECK(d.act == RATE_ABANDON && d.when == RATE_WHEN_SILENT);
    CHECK(ms >= 1000 && ms <= 4000);
}

TEST(rate_decides_the_same_twice)
{
    static rate_memory other;
    rate_memory_start(&memory, RATE_NARU);
    for (int i = 0; i < 8; i++)
        learn(i * 4000, 0, i % 3, 900000u + 300000u * (unsigned)i, RATE_ENDED_WHOLE);
    other = memory;
    rate_situation s = situation(9000);
    rate_decision a = rate_decide(&s, &memory), b = rate_decide(&s, &other);
    CHECK(a.rung == b.rung && a.worth_milli == b.worth_milli);
    CHECK(memcmp(&memory, &other, sizeof memory) == 0);
}

// Whatever is told, in whatever order: a decision within its limits.
TEST(rate_decides_within_its_limits_whatever_it_is_told)
{
    uint64_t seed = 7;
    for (int round = 0; round < 60; round++) {
        rate_memory_start(&memory, (rate_rule)(round % RATE_RULES));
        rate_situation s = situation(0);
        s.servers = 1 + (int)(test_random(&seed) % RATE_SERVERS_MAX);
        s.capacity_ms = (uint32_t)(test_random(&seed) % 60000);
        for (int i = 0; i < 30; i++) {
            s.now_ms += (int64_t)(test_random(&seed) % 5000);
            s.playout = (rate_playout)(test_random(&seed) % 4);
            s.buffer_ms = (uint32_t)(test_random(&seed) % 40000);
            s.segments_left = (uint32_t)(test_random(&seed) % 12);
            uint64_t bytes = 1 + test_random(&seed) % 4000000;
            s.running = (rate_running){.is = test_random(&seed) % 2, .rung = (int)(test_random(&seed) % RUNGS), .bytes = bytes,
                                       .server = (int)(test_random(&seed) % (unsigned)s.servers), .bytes_got = test_random(&seed) % (bytes + 1),
                                       .elapsed_us = test_random(&seed) % 90000000, .silent_ms = (uint32_t)(test_random(&seed) % 9000)};
            s.running.first_byte_us = s.running.elapsed_us / 3;
            rate_decision d = rate_decide(&s, &memory);
            if (d.act == RATE_FETCH)
                CHECK(d.rung >= 0 && d.rung < RUNGS && d.server >= 0 && d.server < s.servers && s.segments_left > 0);
            if (d.act == RATE_WAIT)
                CHECK(d.wait_ms > 0);
            CHECK(rate_when_text(d.when).len > 1 && rate_what_text(d.what).len > 1 && rate_where_text(d.where).len > 1);
            rate_download ended = {.now_ms = s.now_ms, .rung = s.running.rung, .server = s.running.server, .bytes = s.running.bytes_got,
                                   .first_byte_us = s.running.first_byte_us, .elapsed_us = s.running.elapsed_us};
            ended.end = test_random(&seed) % 3;
            rate_learn(&memory, &ended);
        }
    }
}
