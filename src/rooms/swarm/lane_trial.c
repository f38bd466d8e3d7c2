#include "rooms/swarm/lane_trial.h"

static void trial_begin(lane_trial *l, int which, int64_t bytes)
{
    l->trial = which;
    l->more += which;
    l->before = bytes;
}

static void wait_longer(lane_trial *l)
{
    l->wait_s = l->wait_s * 2 < LANE_TRIAL_WAIT_S_MAX ? l->wait_s * 2 : LANE_TRIAL_WAIT_S_MAX;
    l->left_s = l->wait_s;
}

static void trial_more_ends(lane_trial *l, int64_t bytes)
{
    if (bytes > l->before + l->before / 8) {
        l->wait_s = LANE_TRIAL_WAIT_S;
        l->left_s = 0;                       // and perhaps another one
        return;
    }
    l->more--;
    wait_longer(l);
    if (l->more > 0)
        trial_begin(l, -1, l->before);
}

static void trial_less_ends(lane_trial *l, int64_t bytes)
{
    if (bytes < l->before - l->before / 8)
        l->more++;
}

void lane_trial_second(lane_trial *l, int64_t bytes, bool waited)
{
    int trial = l->trial;
    if (!l->wait_s)
        l->wait_s = l->left_s = LANE_TRIAL_WAIT_S;
    l->trial = 0;
    if (trial > 0)
        trial_more_ends(l, bytes);
    else if (trial < 0)
        trial_less_ends(l, bytes);
    else if (l->left_s > 0)
        l->left_s--;
    if (!l->trial && l->left_s == 0 && waited && LANES_MIN + l->more < LANES_MAX)
        trial_begin(l, 1, bytes);
}
