#include "rooms/player/playout.h"

#include "base/must.h"

enum { NS_PER_MS_HERE = 1000000 };

static int64_t ns_of(uint64_t ms) { return ms > INT64_MAX / NS_PER_MS_HERE ? INT64_MAX : (int64_t)ms * NS_PER_MS_HERE; }

playout playout_new(int64_t now_ns)
{
    return (playout){.now_ns = now_ns, .asked_ns = now_ns, .startup_ns = -1, .speed_permille = PLAYOUT_SPEED_NORMAL};
}

static bool is_backward(const playout *p) { return p->speed_permille < 0; }
static int64_t pace(const playout *p) { return is_backward(p) ? -(int64_t)p->speed_permille : p->speed_permille; }

bool playout_needs_sound(const playout *p)
{
    return p->lanes[1].timing && p->speed_permille == PLAYOUT_SPEED_NORMAL;
}

// The segment in which the playhead stands. Going backward a playhead at a segment's start has left that segment.
static int segment_here(const playout *p, const playout_lane *l)
{
    int64_t at = p->position_ns - (is_backward(p) ? 1 : 0);
    return at < 0 ? -1 : media_segment_at(l->timing, (uint64_t)(at / NS_PER_MS_HERE));
}

int64_t playout_lane_ahead_ns(const playout *p, int lane)
{
    const playout_lane *l = &p->lanes[lane];
    if (!l->timing)
        return 0;
    int at = segment_here(p, l), step = is_backward(p) ? -1 : 1, last = -1;
    for (; at >= 0 && at < l->timing->segment_count && l->held[at]; at += step)
        last = at;
    if (last < 0)
        return 0;
    int64_t edge = ns_of(is_backward(p) ? media_segment_start_ms(l->timing, last) : media_segment_end_ms(l->timing, last));
    if (!is_backward(p) && (last == l->timing->segment_count - 1 || edge > p->duration_ns))
        edge = p->duration_ns;               // media of the lanes may end a little apart
    int64_t ahead = is_backward(p) ? p->position_ns - edge : edge - p->position_ns;
    return ahead > 0 ? ahead : 0;
}

int64_t playout_ahead_ns(const playout *p)
{
    int64_t first = playout_lane_ahead_ns(p, 0);
    if (!playout_needs_sound(p))
        return first;
    int64_t second = playout_lane_ahead_ns(p, 1);
    return first < second ? first : second;
}

int playout_missing(const playout *p, int lane)
{
    const playout_lane *l = &p->lanes[lane];
    if (!l->timing)
        return -1;
    int at = segment_here(p, l), step = is_backward(p) ? -1 : 1;
    while (at >= 0 && at < l->timing->segment_count && l->held[at])
        at += step;
    return at < l->timing->segment_count ? at : -1;
}

void playout_hold(playout *p, int lane, int segment, int rung)
{
    must(segment >= 0 && segment < p->lanes[lane].timing->segment_count && rung >= 0 && rung < INT8_MAX);
    p->lanes[lane].held[segment] = (int8_t)(rung + 1);
}

void playout_drop(playout *p, int64_t ahead_ns)
{
    int64_t behind_ns = ns_of(PLAYOUT_BEHIND_MS);
    int64_t before = is_backward(p) ? ahead_ns : behind_ns, after = is_backward(p) ? behind_ns : ahead_ns;
    for (int lane = 0; lane < 2; lane++) {
        playout_lane *l = &p->lanes[lane];
        for (int i = 0; l->timing && i < l->timing->segment_count; i++) {
            bool past = ns_of(media_segment_end_ms(l->timing, i)) < p->position_ns - before;
            bool far = ns_of(media_segment_start_ms(l->timing, i)) > p->position_ns + after;
            if (past || far)
                l->held[i] = 0;
        }
    }
}

// Where playing ends in this direction, from the playhead.
static int64_t way_left(const playout *p) { return is_backward(p) ? p->position_ns : p->duration_ns - p->position_ns; }

// Enough to begin, or to go on: the delay, or all that is left.
static bool is_enough(const playout *p)
{
    int64_t ahead = playout_ahead_ns(p), wanted = p->state == PLAYOUT_STARTING ? p->start_ns : p->resume_ns;
    return ahead > 0 && (ahead >= wanted || ahead >= way_left(p));
}

static void state_settle(playout *p)
{
    if (p->state == PLAYOUT_ENDED || p->duration_ns == 0)
        return;
    if (way_left(p) <= 0) {
        if (is_backward(p)) {                            // at the beginning: forward again, once the viewer says so
            playout_speed(p, PLAYOUT_SPEED_NORMAL);
            p->paused = true;
        } else {
            p->state = PLAYOUT_ENDED;
            return;
        }
    }
    if (p->paused && p->state == PLAYOUT_PLAYING)
        p->state = PLAYOUT_PAUSED;
    if (!p->paused && p->state == PLAYOUT_PAUSED)
        p->state = playout_ahead_ns(p) > 0 ? PLAYOUT_PLAYING : PLAYOUT_STARTING;
    if (!p->paused && (p->state == PLAYOUT_STARTING || p->state == PLAYOUT_STALLED) && is_enough(p)) {
        if (p->startup_ns < 0)
            p->startup_ns = p->now_ns - p->asked_ns;
        p->state = PLAYOUT_PLAYING;
    }
}

static void play_on(playout *p, int64_t passed)
{
    int64_t ahead = playout_ahead_ns(p), way = passed / 1000 * pace(p) + passed % 1000 * pace(p) / 1000;
    int64_t moved = way < ahead ? way : ahead;
    p->position_ns += is_backward(p) ? -moved : moved;
    p->played_ns += moved;
    if (way <= ahead || way_left(p) <= 0)
        return;
    p->state = PLAYOUT_STALLED;                          // since the moment it ran dry
    p->stalls++;
    p->stall_since_ns = p->now_ns + moved * 1000 / pace(p);
    p->stalled_ns += p->now_ns + passed - p->stall_since_ns;
}

void playout_tick(playout *p, int64_t now_ns)
{
    int64_t passed = now_ns > p->now_ns ? now_ns - p->now_ns : 0;
    if (p->state == PLAYOUT_PLAYING)
        play_on(p, passed);
    else if (p->state == PLAYOUT_STALLED)
        p->stalled_ns += passed;
    else if (p->state == PLAYOUT_PAUSED)
        p->paused_ns += passed;
    p->now_ns = now_ns;
    state_settle(p);
}

int64_t playout_changes_ns(const playout *p)
{
    if (p->state != PLAYOUT_PLAYING)
        return INT64_MAX;
    return p->now_ns + playout_ahead_ns(p) * 1000 / pace(p) + 1;
}

void playout_pause(playout *p, bool paused)
{
    p->paused = paused;
    state_settle(p);
}

void playout_speed(playout *p, int32_t speed_permille)
{
    int32_t s = speed_permille == 0 ? PLAYOUT_SPEED_NORMAL : speed_permille;
    p->speed_permille = s > PLAYOUT_SPEED_MAX ? PLAYOUT_SPEED_MAX : s < -PLAYOUT_SPEED_MAX ? -PLAYOUT_SPEED_MAX : s;
    if (p->state == PLAYOUT_PLAYING && playout_ahead_ns(p) == 0)
        p->state = PLAYOUT_STARTING;                     // the viewer's doing, no stall
    state_settle(p);
}

void playout_jump(playout *p, int64_t to_ns)
{
    int64_t last = p->duration_ns > 0 ? p->duration_ns - 1 : 0;
    p->position_ns = to_ns < 0 ? 0 : to_ns > last ? last : to_ns;
    p->jumps++;
    p->state = playout_ahead_ns(p) > 0 && p->startup_ns >= 0 ? PLAYOUT_PLAYING : PLAYOUT_STARTING;
    state_settle(p);
}
