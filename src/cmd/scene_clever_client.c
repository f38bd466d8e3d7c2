// V3: DASH's clever client decides when (the buffer neither empty nor overflowing), what (the highest rate that
// the network sustains) and where (which server). The network changes while it plays. In the simulator.
#include "cmd/scene_player.h"
#include "cmd/scene_rehearsal.h"

enum { FALLS_AT_S = 60, RETURNS_AT_S = 120, FILM_S = 240, CAPACITY_MS = RATE_CAPACITY_MS, SEGMENT_MS = 4000 };
#define FAST_BYTES_PER_S 1250000             // 10 Mbit/s
#define SLOW_BYTES_PER_S 125000              // a tenth

typedef struct { int rung_before, rung_slow, rung_after; } rungs_seen;

static sim_link line(int64_t bytes_per_s)
{
    return (sim_link){.delay_min_ns = millis(15), .delay_max_ns = millis(25), .bytes_per_s = bytes_per_s};
}

static void falls_and_returns(rehearsal *r)
{
    rungs_seen *seen = scene_of(r)->arg;
    if (fiber_sleep(seconds(FALLS_AT_S)))
        return;
    seen->rung_before = rehearsal_look(r).rung;
    scene_say(r, "the network falls from 10 Mbit/s to 1");
    rehearsal_link(r, -1, line(SLOW_BYTES_PER_S));
    if (fiber_sleep(seconds(RETURNS_AT_S - FALLS_AT_S)))
        return;
    seen->rung_slow = rehearsal_look(r).rung;
    scene_say(r, "the network returns to 10 Mbit/s");
    rehearsal_link(r, -1, line(FAST_BYTES_PER_S));
    if (fiber_sleep(seconds(40)))
        return;
    seen->rung_after = rehearsal_look(r).rung;
}

static scene_rehearsal stage(play *p, int servers)
{
    scene_rehearsal s = {.play = p, .look_ms = 15000, .events = true};
    s.plan = (rehearsal_plan){.seed = 9, .servers = servers, .link = line(FAST_BYTES_PER_S)};
    s.plan.film = (made_film_plan){.segments = FILM_S * 1000 / SEGMENT_MS, .segment_ms = SEGMENT_MS, .rungs = 3, .bps = {300000, 1000000, 3000000},
                                   .sound_bps = 128000, .varies_percent = 25};
    s.plan.options = (player_options){.rung_fixed = -1};
    return s;
}

static void when_and_what(play *p)
{
    rungs_seen seen = {-1, -1, -1};
    scene_rehearsal s = stage(p, 1);
    s.script = falls_and_returns;
    s.arg = &seen;
    play_tell(p, "300 kbit/s, 1 Mbit/s, 3 Mbit/s in segments of 4 s, and a buffer of 25 s:");
    scene_rehearse(&s);
    play_check(p, s.r.view.stalls == 0, "no stall, though the network fell to a tenth");
    play_check(p, seen.rung_before == 2, "what: at 10 Mbit/s the highest rung");
    play_check(p, seen.rung_slow < 2, "at 1 Mbit/s a smaller one: quality followed");
    play_check(p, seen.rung_after == 2, "within 40 s after the network's return the highest again");
    play_check(p, s.most_ms <= CAPACITY_MS + SEGMENT_MS && s.least_ms > 0, "when: the buffer was never empty and never above its 25 s (%lld.%lld to %lld.%lld s)",
               (long long)s.least_ms / 1000, (long long)s.least_ms % 1000 / 100, (long long)s.most_ms / 1000, (long long)s.most_ms % 1000 / 100);
    scene_rehearsal_end(&s);
}

static void first_narrows(rehearsal *r)
{
    if (fiber_sleep(seconds(50)))
        return;
    scene_say(r, "the path to the first server narrows to 0.2 Mbit/s");
    rehearsal_link(r, 0, line(SLOW_BYTES_PER_S / 5));
    if (fiber_sleep(seconds(90)))
        return;
    scene_say(r, "the second server dies");
    rehearsal_link(r, 0, line(FAST_BYTES_PER_S));
    sim_crash(r->servers[1]);
}

static void where(play *p)
{
    scene_rehearsal s = stage(p, 2);
    s.script = first_narrows;
    play_tell(p, "Two servers have the film, the manifest ranks them:");
    scene_rehearse(&s);
    const player_view *v = &s.r.view;
    play_check(p, v->servers[0].downloads > 10 && v->servers[1].downloads > 10, "where: %llu segments from the first server, %llu from the second",
               (unsigned long long)v->servers[0].downloads, (unsigned long long)v->servers[1].downloads);
    play_check(p, v->stalls == 0, "no stall, though one path narrowed and then the other server died");
    scene_rehearsal_end(&s);
}

void scene_clever_client(play *p)
{
    when_and_what(p);
    where(p);
}
