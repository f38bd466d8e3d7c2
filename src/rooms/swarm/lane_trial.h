// How many lanes a line needs (torrent_lanes.c). Two fill it when peers take what comes; where each takes less than half of it (they
// have narrow lines, or many senders), more do. Nobody says which it is, so it is tried out: one lane more for a second, and it stays if
// the line then carries an eighth more than in the second before. What does not help is tried ever more seldom, and one lane less is
// tried after it: that stays unless the line carries an eighth less.
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum { LANES_MIN = 2, LANES_MAX = 32, LANE_TRIAL_WAIT_S = 4, LANE_TRIAL_WAIT_S_MAX = 64 };

typedef struct {
    int     more;                            // lanes beyond LANES_MIN, the one on trial among them
    int     trial;                           // in this second: 1: one more, -1: one less, 0: none
    int64_t before;                          // bytes in the second before the trial
    int     wait_s, left_s;                  // between fruitless trials; until the next. All 0: new
} lane_trial;

// A second is over in which the line carried `bytes`; `waited`: somebody waits for a lane.
void lane_trial_second(lane_trial *l, int64_t bytes, bool waited);
