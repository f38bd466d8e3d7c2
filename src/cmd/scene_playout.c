// V2: constant-rate playout over variable delay; the buffer, the playout delay, stalls; pause, x2 and x8 forward
// and back, jumps; lost and retransmitted data. In the simulator.
#include "cmd/scene_player.h"
#include "cmd/scene_rehearsal.h"

enum { DELAYS = 3, FILM_S = 90, LOST_PER_MILLION = 10000, LINE_BYTES_PER_S = 70000 };

// A network whose delay is another every few seconds, between a tenth of a second and three.
static void restless_line(rehearsal *r)
{
    static const int delay_ms[] = {100, 2500, 200, 100, 300, 3000, 100, 100, 200, 2800, 100, 300};
    for (int i = 0;; i++) {
        int ms = delay_ms[i % (int)(sizeof delay_ms / sizeof *delay_ms)];
        rehearsal_link(r, -1, (sim_link){.delay_min_ns = millis(ms), .delay_max_ns = millis(ms + 100), .bytes_per_s = LINE_BYTES_PER_S,
                                         .lose_per_million = LOST_PER_MILLION});
        if (fiber_sleep(seconds(4)) != E_OK)
            return;
    }
}

static scene_rehearsal constant_rate(play *p, uint32_t delay_ms)
{
    scene_rehearsal s = {.play = p, .script = restless_line};
    s.plan = (rehearsal_plan){.seed = 3, .servers = 1, .link = {.delay_min_ns = millis(100), .delay_max_ns = millis(200), .bytes_per_s = LINE_BYTES_PER_S}};
    s.plan.film = (made_film_plan){.segments = FILM_S / 2, .segment_ms = 2000, .rungs = 1, .bps = {250000}};
    s.plan.options = (player_options){.rung_fixed = 0, .start_ms = delay_ms, .capacity_ms = 20000};
    return s;
}

static void delays_compare(play *p)
{
    static const uint32_t delays_ms[DELAYS] = {1, 3000, 10000};
    int stalls[DELAYS];
    int64_t stalled_ms[DELAYS], resent = 0;
    for (int i = 0; i < DELAYS; i++) {
        scene_rehearsal s = constant_rate(p, delays_ms[i]);
        s.look_ms = i == 1 ? 4000 : 0;
        s.events = i == 1;
        play_tell(p, "%s", i == 1 ? "The same film, the same network; playing begins when 3 s are in the buffer:" : i == 0 ?
                  "A film of constant rate (250 kbit/s) over a network whose delay is 0.1 to 3 s; it plays as soon as there is anything:" :
                  "The same again; playing begins when 10 s are in the buffer:");
        scene_rehearse(&s);
        stalls[i] = s.r.view.stalls;
        stalled_ms[i] = s.r.view.stalled_ms;
        resent += s.r.resent;
        play_tell(p, "playout delay %lld.%lld s: %d stalls, %lld.%lld s of them; %lld segments of TCP were lost and sent again",
                  (long long)s.r.view.startup_ms / 1000, (long long)s.r.view.startup_ms % 1000 / 100, stalls[i], (long long)stalled_ms[i] / 1000,
                  (long long)stalled_ms[i] % 1000 / 100, (long long)s.r.resent);
        scene_rehearsal_end(&s);
    }
    play_check(p, stalls[0] > stalls[1] && stalls[1] >= stalls[2], "the longer the playout delay, the fewer stalls: %d, %d, %d", stalls[0], stalls[1], stalls[2]);
    play_check(p, stalls[2] == 0, "with 10 s nothing stalls: the buffer has taken up the variable delay");
    play_check(p, resent > 0, "what was lost on the way, %lld times, TCP sent again: no frame is missing, some came late", (long long)resent);
}

// ---- the viewer's hands ----------------------------------------------------------------------------------------------------------------

typedef struct { int64_t paused_at, paused_for, twice, eight, back, jumped; int64_t buffer_paused; } moves;

static void handle(rehearsal *r)
{
    moves *m = scene_of(r)->arg;
    if (fiber_sleep(seconds(20)))
        return;
    scene_say(r, "pause");
    player_pause(r->player, true);
    m->paused_at = rehearsal_position_ms(r);
    fiber_sleep(seconds(20));
    m->paused_for = rehearsal_position_ms(r) - m->paused_at;
    m->buffer_paused = rehearsal_look(r).buffer_ms;
    scene_say(r, "play");
    player_pause(r->player, false);
    fiber_sleep(seconds(5));
    scene_say(r, "x2 forward");
    int64_t from = rehearsal_position_ms(r);
    player_speed(r->player, 2000);
    fiber_sleep(seconds(10));
    m->twice = rehearsal_position_ms(r) - from;
    scene_say(r, "x8 forward");
    from = rehearsal_position_ms(r);
    player_speed(r->player, 8000);
    fiber_sleep(seconds(10));
    m->eight = rehearsal_position_ms(r) - from;
    scene_say(r, "x2 back");
    from = rehearsal_position_ms(r);
    player_speed(r->player, -2000);
    fiber_sleep(seconds(10));
    m->back = from - rehearsal_position_ms(r);
    scene_say(r, "normal speed, and a jump to the 240th second");
    player_speed(r->player, PLAYOUT_SPEED_NORMAL);
    player_jump(r->player, 240000);
    fiber_sleep(seconds(5));
    m->jumped = rehearsal_position_ms(r);
}

static void hands(play *p)
{
    moves m = {0};
    scene_rehearsal s = {.play = p, .script = handle, .look_ms = 10000, .events = true, .arg = &m};
    s.plan = (rehearsal_plan){.seed = 5, .servers = 1, .link = {.delay_min_ns = millis(20), .delay_max_ns = millis(40), .bytes_per_s = 2500000}};
    s.plan.film = (made_film_plan){.segments = 75, .segment_ms = 4000, .rungs = 3, .bps = {300000, 1000000, 3000000}, .sound_bps = 128000};
    s.plan.options = (player_options){.rung_fixed = -1};
    play_tell(p, "Pause, faster, back, a jump, over a line of 20 Mbit/s:");
    scene_rehearse(&s);
    play_check(p, m.paused_for == 0 && m.buffer_paused > 20000, "paused for 20 s: the picture stands, the buffer fills to %lld s and no further",
               (long long)m.buffer_paused / 1000);
    play_check(p, m.twice > 19000 && m.twice <= 20500, "x2: 10 s showed %lld s of the film", (long long)m.twice / 1000);
    play_check(p, m.eight > 50000 && m.eight <= 82000, "x8: 10 s showed %lld s (as fast as the smaller rungs come)", (long long)m.eight / 1000);
    play_check(p, m.back > 15000 && m.back <= 20500, "x2 back: 10 s went back %lld s", (long long)m.back / 1000);
    play_check(p, m.jumped > 243000 && m.jumped <= 245000, "after the jump it plays at %lld s", (long long)m.jumped / 1000);
    scene_rehearsal_end(&s);
}

void scene_playout(play *p)
{
    delays_compare(p);
    hands(p);
}
