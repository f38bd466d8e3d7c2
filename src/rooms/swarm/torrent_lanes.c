// Lanes. A line shared by four peers brings each of them a piece in four times the time, and a piece helps nobody before it is
// whole: so a torrent's line carries two pieces at a time, and who else was unchoked waits with its requests. (One would do
// without packets: but the first bytes to a peer wait for acknowledgements, and another's fill the line meanwhile.) With N peers
// of one rate the copies of a fresh piece double in the time of one piece, not of four (docs/race.md has what that gains).
//
// Where peers take less than that, there are more of them (lane_trial.h).
//
// Nobody waits long for a peer that takes its piece slowly: a lane whose piece is not through a while after the time that the
// line needs for it is not counted any more, and the next one begins beside it.
#include "rooms/swarm/swarm_inside.h"
#include "rt/loop.h"

enum { LINE_AGES_BY = 64 };                          // a second that is slower than the fastest lately takes a 64th of it
#define PATIENCE_NS  (50 * NS_PER_MS)
#define RATE_SPAN_NS (2 * NS_PER_S)

int torrent_lanes(const torrent *t) { return LANES_MIN + t->lanes.more; }

static bool somebody_waits(const torrent *t)
{
    for (int i = 0; i < t->peers_end; i++)
        if (t->peers[i] && t->peers[i]->lane_waits && t->peers[i]->wanted_count > 0)
            return true;
    return false;
}

static void lanes_give(torrent *t, int64_t now);

static void line_second(torrent *t, int64_t now, int64_t passed_ms)
{
    bool first = !t->line_ns;
    int64_t rate = first ? 0 : (t->sent - t->line_sent) / passed_ms * 1000;
    t->line_rate -= t->line_rate / LINE_AGES_BY;
    t->line_rate = rate > t->line_rate ? rate : t->line_rate;
    t->line_sent = t->sent;
    t->line_ns = now;
    if (!first)
        lane_trial_second(&t->lanes, rate, somebody_waits(t));
    if (t->lanes.trial > 0)
        lanes_give(t, now);
}

// What the line has carried in a second lately, at its best: what it carries now may be what slow receivers leave of it. In the first
// second what it carries now has to do.
int64_t torrent_line_rate(torrent *t, int64_t now_ns)
{
    int64_t passed_ms = (now_ns - t->line_ns) / NS_PER_MS;
    if (passed_ms >= 1000)
        line_second(t, now_ns, passed_ms);
    return t->line_rate ? t->line_rate : rate_now(&t->sent_rate, RATE_SPAN_NS, now_ns);
}

// The course knows no lanes, and where a piece is through in milliseconds they gain nothing.
bool torrent_has_lanes(torrent *t, int64_t now_ns)
{
    return t->swarm->mode != CHOKER_COURSE && torrent_line_rate(t, now_ns) < TORRENT_LANES_RATE_MAX;
}

static int64_t lane_ends_ns(torrent *t, const peer *p, int64_t now)
{
    int64_t rate = torrent_line_rate(t, now);
    int64_t takes_ns = rate > 0 ? t->meta->piece_bytes * 1000 / rate * NS_PER_MS : 0;
    return p->lane_ns + (torrent_lanes(t) + 1) * takes_ns + PATIENCE_NS;
}

// Is a lane free? If not, *until says when one will not be counted any more.
static bool lane_is_free(torrent *t, int64_t now, int64_t *until)
{
    int taken = 0;
    *until = NEVER_NS;
    for (int i = 0; i < t->peers_end; i++) {
        const peer *p = t->peers[i];
        int64_t ends = p && p->in_lane ? lane_ends_ns(t, p, now) : now;
        taken += ends > now;
        if (ends > now && ends < *until)
            *until = ends;
    }
    return taken < torrent_lanes(t);
}

static bool goes_before(const peer *a, const peer *b)
{
    bool x = peer_goes_on(a), y = peer_goes_on(b);       // half a piece helps nobody
    return x != y ? x : a->lane_ns < b->lane_ns;
}

static void lane_begin(peer *p, int64_t now)
{
    p->in_lane = true;
    p->lane_waits = false;
    p->lane_ns = now;
}

// Given to who waits, not thrown among them: who has just had it asks for it again first. False: none is free, or nobody waits.
static bool lane_give(torrent *t, int64_t now)
{
    int64_t until;
    peer *first = NULL;
    for (int i = 0; i < t->peers_end; i++) {
        peer *p = t->peers[i];
        if (p && p->lane_waits && !p->leaving && p->wanted_count > 0 && (!first || goes_before(p, first)))
            first = p;
    }
    if (!first || !lane_is_free(t, now, &until))
        return false;
    lane_begin(first, now);
    peer_wake(first);
    return true;
}

static void lanes_give(torrent *t, int64_t now)
{
    while (lane_give(t, now))
        continue;
}

bool peer_lane_take(peer *p)
{
    torrent *t = p->torrent;
    int64_t now = loop_now_ns();
    if (p->in_lane || !torrent_has_lanes(t, now))
        return true;
    if (!p->lane_waits)
        p->lane_ns = now;
    p->lane_waits = true;
    if (lane_is_free(t, now, &p->lane_again_ns))
        lane_begin(p, now);
    return p->in_lane;
}

void peer_lane_leave(peer *p)
{
    if (!p->in_lane)
        return;
    p->in_lane = false;
    lanes_give(p->torrent, loop_now_ns());
}

void peer_lane_pass(peer *p)
{
    if (!peer_goes_on(p))
        peer_lane_leave(p);
}
