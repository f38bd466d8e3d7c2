// The playout of a film: what is held of it, where the playhead stands, when it stalls. Pure: the caller brings
// the time. The playhead moves at a constant rate (its speed, also backward); what comes from the network comes
// when it comes; the buffer is between.
#pragma once
#include "wire/media/presentation.h"

enum {
    PLAYOUT_BEHIND_MS = 30000,               // so much behind the playhead is kept, for going back
    PLAYOUT_SPEED_NORMAL = 1000,
    PLAYOUT_SPEED_MAX = 64000,
};

typedef enum {
    PLAYOUT_STARTING,                        // nothing was played yet (or nothing since a jump): the buffer fills
    PLAYOUT_PLAYING,
    PLAYOUT_STALLED,                         // the buffer ran dry
    PLAYOUT_PAUSED,
    PLAYOUT_ENDED,
} playout_state;

// One kind of medium: which segments are held. Segments of all rungs start together.
typedef struct {
    const media_rendition *timing;           // of any rung; NULL: there is no such medium
    int8_t  *held;                           // for each segment its rung + 1; 0: not held
} playout_lane;

typedef struct {
    playout_lane  lanes[2];                  // the pictures (or what there is), the sound
    int64_t       duration_ns;
    int64_t       start_ns, resume_ns;       // the playout delay: so much is held before playing begins; before it goes on after a stall
    int32_t       speed_permille;            // negative: backward
    playout_state state;
    int64_t       position_ns;
    int64_t       now_ns;                    // of the last tick
    bool          paused;                    // by the viewer
    // What became of it.
    int64_t       asked_ns;                  // when the viewer asked for the film
    int64_t       startup_ns;                // from there to the first picture; -1: not yet
    int64_t       stall_since_ns;
    int           stalls;
    int64_t       stalled_ns, paused_ns, played_ns;      // of real time; played: of the film
    int           jumps;
} playout;

// Nothing is held, nothing played; lanes, duration, start and resume are set by the caller afterwards.
playout playout_new(int64_t now_ns);

// Time passes: the playhead moves as far as what is held lets it; a stall begins (or ends) at the moment it really
// does.
void playout_tick(playout *p, int64_t now_ns);

// How much can be played from the playhead in its direction: the least over the lanes that the speed needs (sound
// only at normal speed, forward). In time of the film.
int64_t playout_ahead_ns(const playout *p);
int64_t playout_lane_ahead_ns(const playout *p, int lane);

// The first segment from the playhead in its direction that is not held; -1: all are.
int  playout_missing(const playout *p, int lane);
void playout_hold(playout *p, int lane, int segment, int rung);
// Drops what lies more than PLAYOUT_BEHIND_MS behind the playhead or more than ahead_ns before it.
void playout_drop(playout *p, int64_t ahead_ns);
bool playout_needs_sound(const playout *p);

// When the state will change by itself if nothing more is held (a stall, the end); INT64_MAX: it will not.
int64_t playout_changes_ns(const playout *p);

void playout_pause(playout *p, bool paused);
void playout_speed(playout *p, int32_t speed_permille);      // clamped to PLAYOUT_SPEED_MAX; 0 is normal
// To another place: what is held stays held. Playing goes on at once when enough is held there, else after it has
// come.
void playout_jump(playout *p, int64_t to_ns);
