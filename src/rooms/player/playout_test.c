#include "rooms/player/playout.h"

#include "test.h"

#define S_NS INT64_C(1000000000)

static media_segment pictures[10], sounds[20];
static media_rendition picture = {.timescale = 1000, .segments = pictures, .segment_count = 10};
static media_rendition sound = {.timescale = 1000, .segments = sounds, .segment_count = 20};
static int8_t held[2][20];

// Ten segments of 4 s; sound in segments of 2 s, when there is any.
static playout film(bool with_sound)
{
    playout p = playout_new(0);
    memset(held, 0, sizeof held);
    for (int i = 0; i < 10; i++)
        pictures[i] = (media_segment){.start = (uint64_t)i * 4000, .duration = 4000};
    for (int i = 0; i < 20; i++)
        sounds[i] = (media_segment){.start = (uint64_t)i * 2000, .duration = 2000};
    p.lanes[0] = (playout_lane){&picture, held[0]};
    if (with_sound)
        p.lanes[1] = (playout_lane){&sound, held[1]};
    p.duration_ns = 40 * S_NS;
    p.start_ns = p.resume_ns = 6 * S_NS;
    return p;
}

TEST(playing_begins_after_the_playout_delay)
{
    playout p = film(false);
    playout_tick(&p, S_NS);
    playout_hold(&p, 0, 0, 2);
    playout_tick(&p, 2 * S_NS);
    CHECK_INT(p.state, PLAYOUT_STARTING);                // 4 s are held, 6 are wanted
    playout_tick(&p, 3 * S_NS);
    playout_hold(&p, 0, 1, 2);
    playout_tick(&p, 3 * S_NS);
    CHECK_INT(p.state, PLAYOUT_PLAYING);
    CHECK_INT(p.startup_ns, 3 * S_NS);
    playout_tick(&p, 5 * S_NS);
    CHECK_INT(p.position_ns, 2 * S_NS);
    CHECK_INT(playout_ahead_ns(&p), 6 * S_NS);
    CHECK_INT(playout_changes_ns(&p), 11 * S_NS + 1);
    CHECK_INT(playout_missing(&p, 0), 2);
}

TEST(a_stall_begins_when_the_buffer_runs_dry_however_late_one_looks)
{
    playout p = film(false);
    playout_hold(&p, 0, 0, 0);
    playout_hold(&p, 0, 1, 0);
    playout_tick(&p, 0);
    playout_tick(&p, 10 * S_NS);                         // dry since 8 s
    CHECK_INT(p.state, PLAYOUT_STALLED);
    CHECK_INT(p.stalls, 1);
    CHECK_INT(p.stalled_ns, 2 * S_NS);
    CHECK_INT(p.position_ns, 8 * S_NS);
    playout_hold(&p, 0, 2, 0);
    playout_tick(&p, 11 * S_NS);
    CHECK_INT(p.state, PLAYOUT_STALLED);                 // 4 s are there, it goes on with 6
    playout_hold(&p, 0, 3, 0);
    playout_tick(&p, 12 * S_NS);
    CHECK_INT(p.state, PLAYOUT_PLAYING);
    CHECK_INT(p.stalled_ns, 4 * S_NS);
}

TEST(the_end_is_no_stall)
{
    playout p = film(false);
    for (int i = 0; i < 10; i++)
        playout_hold(&p, 0, i, 0);
    CHECK_INT(playout_missing(&p, 0), -1);
    playout_tick(&p, 0);
    playout_tick(&p, 50 * S_NS);
    CHECK_INT(p.state, PLAYOUT_ENDED);
    CHECK_INT(p.stalls, 0);
    CHECK_INT(p.played_ns, 40 * S_NS);
}

TEST(a_pause_is_no_stall)
{
    playout p = film(false);
    playout_hold(&p, 0, 0, 0);
    playout_hold(&p, 0, 1, 0);
    playout_tick(&p, 0);
    playout_tick(&p, 2 * S_NS);
    playout_pause(&p, true);
    playout_tick(&p, 60 * S_NS);
    CHECK(p.state == PLAYOUT_PAUSED && p.stalls == 0 && p.position_ns == 2 * S_NS && p.paused_ns == 58 * S_NS);
    playout_pause(&p, false);
    playout_tick(&p, 61 * S_NS);
    CHECK(p.state == PLAYOUT_PLAYING && p.position_ns == 3 * S_NS);
}

TEST(faster_and_backward)
{
    playout p = film(true);
    for (int i = 0; i < 5; i++)
        playout_hold(&p, 0, i, 0);
    for (int i = 0; i < 4; i++)
        playout_hold(&p, 1, i, 0);
    playout_tick(&p, 0);
    CHECK_INT(playout_ahead_ns(&p), 8 * S_NS);           // the sound is the shorter
    playout_speed(&p, 2000);
    CHECK_INT(playout_ahead_ns(&p), 20 * S_NS);          // at twice the speed there is none
    playout_tick(&p, 5 * S_NS);
    CHECK_INT(p.position_ns, 10 * S_NS);
    playout_speed(&p, -2000);
    CHECK_INT(playout_ahead_ns(&p), 10 * S_NS);
    CHECK_INT(playout_missing(&p, 0), -1);               // all before it is held
    playout_tick(&p, 7 * S_NS);
    CHECK_INT(p.position_ns, 6 * S_NS);
    playout_tick(&p, 20 * S_NS);                         // back at the beginning: it stands there
    CHECK(p.position_ns == 0 && p.paused && p.stalls == 0);
    CHECK_INT(p.speed_permille, PLAYOUT_SPEED_NORMAL);
}

TEST(a_jump_into_what_is_held_goes_on_at_once)
{
    playout p = film(false);
    for (int i = 0; i < 5; i++)
        playout_hold(&p, 0, i, 0);
    playout_tick(&p, 0);
    playout_tick(&p, S_NS);
    playout_jump(&p, 17 * S_NS);
    CHECK_INT(p.state, PLAYOUT_PLAYING);
    playout_jump(&p, 30 * S_NS);
    CHECK_INT(p.state, PLAYOUT_STARTING);                // and that is no stall
    CHECK_INT(playout_missing(&p, 0), 7);
    playout_jump(&p, 99 * S_NS);
    CHECK_INT(p.position_ns, 40 * S_NS - 1);
    CHECK_INT(p.stalls, 0);
    CHECK_INT(p.jumps, 3);
}

TEST(what_lies_far_behind_is_dropped)
{
    playout p = film(false);
    for (int i = 0; i < 10; i++)
        playout_hold(&p, 0, i, 0);
    playout_tick(&p, 0);
    playout_tick(&p, 38 * S_NS);
    playout_drop(&p, 10 * S_NS);
    CHECK(!held[0][0] && held[0][1] && held[0][9]);      // segment 0 ended more than 30 s ago
    playout_jump(&p, 0);
    playout_drop(&p, 10 * S_NS);
    CHECK(held[0][1] && held[0][2] && !held[0][3]);
}
