#include "rooms/swarm/choker.h"

#include <stddef.h>

#include "base/must.h"

enum { TURN_PIECES_MAX = 2 };                // that a turn may last longer, in the middle of a piece
// An unchoke and the requests that it brings must travel: who asks for nothing is counted out soon, so that another has the
// slot meanwhile, and choked late; if it asks after all, one of them is choked between two pieces.
#define COUNTED_OUT_NS 100000000ll
#define CHOKED_IDLE_NS 1000000000ll
#define AGAIN_NS       1500000000ll          // who asked for nothing is not unchoked again sooner (after the unchoke)

choker choker_make(uint64_t seed) { return (choker){.seed = seed, .optimistic = -1}; }

static uint64_t hash(uint64_t a, uint64_t b)
{
    uint64_t z = a ^ (b + 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

// ---- who comes first ---------------------------------------------------------------------------------------------------

// In turns (managed mode, and seeds that share out) the slot goes round; in rounds it is earned.
static bool in_turns(const choker_rules *r) { return r->mode == CHOKER_MANAGED || (r->mode == CHOKER_DEFAULT && r->seeding); }

static bool can_have(const choker_peer *p) { return p->interested && !p->upload_only; }

// Positive: a deserves more than b by the rules alone, without the tie-break.
static int compare(const choker_rules *r, const choker_peer *a, const choker_peer *b)
{
    int64_t x, y;
    if (r->mode == CHOKER_MANAGED)
        x = a->lacks, y = b->lacks;
    else if (r->mode == CHOKER_DEFAULT && r->seeding)
        x = -a->sent_bytes, y = -b->sent_bytes;
    else if (r->seeding)
        x = a->rate_to, y = b->rate_to;
    else if (r->mode == CHOKER_DEFAULT && a->snubbed != b->snubbed)
        x = !a->snubbed, y = !b->snubbed;
    else
        x = a->rate_from, y = b->rate_from;
    return (x > y) - (x < y);
}

typedef bool choker_filter(const choker *c, const choker_peer *p, int64_t now_ns);

// The most deserving peer that the filter lets through; equals by lot, drawn anew each round. NULL: none.
static choker_peer *best(const choker *c, const choker_rules *r, choker_peer *peers, int count, int64_t now_ns,
                         choker_filter *filter)
{
    choker_peer *found = NULL;
    uint64_t salt = hash(c->seed, (uint64_t)c->round_ns);
    for (int i = 0; i < count; i++) {
        choker_peer *p = &peers[i];
        if (!filter(c, p, now_ns))
            continue;
        int order = found ? compare(r, p, found) : 1;
        if (order > 0 || (order == 0 && hash(salt, (uint64_t)p->id) > hash(salt, (uint64_t)found->id)))
            found = p;
    }
    return found;
}

static bool is_waiting(const choker *c, const choker_peer *p, int64_t now_ns)
{
    (void)c;
    return can_have(p) && !p->unchoked && !(p->reason == CHOKER_ASKS_NOTHING && now_ns - p->unchoked_ns < AGAIN_NS);
}

static bool is_busy(const choker_peer *p, int64_t now_ns)
{
    return p->unchoked && can_have(p) && !(p->idle && now_ns - p->unchoked_ns >= COUNTED_OUT_NS);
}

static void unchoke(choker_peer *p, choker_reason why)
{
    p->unchoked = true;
    p->reason = why;
}

static void choke(choker_peer *p, choker_reason why)
{
    p->unchoked = false;
    p->reason = why;
}

// ---- luck --------------------------------------------------------------------------------------------------------------

static choker_peer *with_id(choker_peer *peers, int count, int id)
{
    for (int i = 0; i < count; i++)
        if (peers[i].id == id)
            return &peers[i];
    return NULL;
}

// One of those that wait, each as likely as the other.
static void luck_draw(choker *c, choker_peer *peers, int count, int64_t now_ns)
{
    uint64_t salt = hash(c->seed ^ 1, (uint64_t)now_ns), most = 0;
    c->optimistic = -1;
    for (int i = 0; i < count; i++) {
        uint64_t lot = hash(salt, (uint64_t)peers[i].id);
        if (is_waiting(c, &peers[i], now_ns) && (c->optimistic < 0 || lot > most))
            c->optimistic = peers[i].id, most = lot;
    }
}

// The optimistic slot. Must follow the choice of the fastest: who earned a slot needs no luck.
static void luck_round(choker *c, choker_peer *peers, int count, int64_t now_ns)
{
    if (c->optimistic_ns == 0 || now_ns - c->optimistic_ns >= CHOKER_OPTIMISTIC_NS) {
        c->optimistic_ns = now_ns;
        luck_draw(c, peers, count, now_ns);
    }
    choker_peer *lucky = with_id(peers, count, c->optimistic);
    if (lucky && is_waiting(c, lucky, now_ns))
        unchoke(lucky, CHOKER_OPTIMISTIC);
}

// ---- rounds ------------------------------------------------------------------------------------------------------------

static bool round_due(const choker *c, int64_t now_ns) { return c->round_ns == 0 || now_ns - c->round_ns >= CHOKER_ROUND_NS; }

// All are choked, then the first `slots` by merit and one by luck are not.
static void round_hold(choker *c, const choker_rules *r, choker_peer *peers, int count, int64_t now_ns)
{
    c->round_ns = now_ns;
    for (int i = 0; i < count; i++) {
        choker_peer *p = &peers[i];
        choke(p, !p->interested ? CHOKER_NOT_INTERESTED : p->upload_only ? CHOKER_UPLOAD_ONLY
               : p->snubbed ? CHOKER_SNUBS : CHOKER_SLOWER);
    }
    choker_peer *p;
    for (int i = 0; i < r->slots && (p = best(c, r, peers, count, now_ns, is_waiting)); i++)
        unchoke(p, CHOKER_FASTEST);
    luck_round(c, peers, count, now_ns);
}

static void course_run(choker *c, const choker_rules *r, choker_peer *peers, int count, int64_t now_ns)
{
    if (round_due(c, now_ns)) {
        round_hold(c, r, peers, count, now_ns);
        return;
    }
    for (int i = 0; i < count; i++)                      // nothing changes between the rounds
        if (!peers[i].unchoked)
            peers[i].reason = can_have(&peers[i]) ? CHOKER_WAITS_ROUND : CHOKER_NOT_INTERESTED;
}

// ---- turns and free slots ----------------------------------------------------------------------------------------------

static int busy_count(const choker_peer *peers, int count, int64_t now_ns)
{
    int busy = 0;
    for (int i = 0; i < count; i++)
        busy += is_busy(&peers[i], now_ns);
    return busy;
}

// Who was just unchoked and asks for nothing is looked at again when he would be counted out.
static int64_t look_again(const choker_peer *peers, int count, int64_t now_ns)
{
    int64_t at = 0;
    for (int i = 0; i < count; i++) {
        int64_t out = peers[i].unchoked_ns + COUNTED_OUT_NS;
        if (peers[i].unchoked && !peers[i].was_unchoked)
            out = now_ns + COUNTED_OUT_NS;
        else if (!peers[i].unchoked || !peers[i].idle || out <= now_ns)
            continue;
        if (at == 0 || out < at)
            at = out;
    }
    return at;
}

static int unchoked_count(const choker_peer *peers, int count)
{
    int unchoked = 0;
    for (int i = 0; i < count; i++)
        unchoked += peers[i].unchoked;
    return unchoked;
}

static void useless_out(choker_peer *peers, int count)
{
    for (int i = 0; i < count; i++) {
        choker_peer *p = &peers[i];
        if (!can_have(p))
            choke(p, p->interested ? CHOKER_UPLOAD_ONLY : CHOKER_NOT_INTERESTED);
    }
}

int64_t choker_turn_bytes(int64_t piece_bytes, int64_t line_rate)
{
    int64_t part = line_rate / CHOKER_TURNS_PER_S, least = part > CHOKER_TURN_BYTES ? part : CHOKER_TURN_BYTES;
    return (least + piece_bytes - 1) / piece_bytes * piece_bytes;
}

// It has asked for nothing for so long: the next request may be on its way.
static bool idle_lasts(const choker_peer *p, int64_t now_ns, int64_t how_long)
{
    return p->idle && now_ns - p->unchoked_ns >= how_long && now_ns - p->idle_since_ns >= how_long;
}

static bool turn_over(const choker_rules *r, const choker_peer *p, int64_t now_ns)
{
    if (p->idle)
        return idle_lasts(p, now_ns, COUNTED_OUT_NS);
    // Half a piece helps nobody; but nobody holds a slot by never finishing.
    int64_t turn = choker_turn_bytes(r->piece_bytes, r->line_rate);
    return p->turn_bytes >= turn && (!p->mid_piece || p->turn_bytes >= turn + TURN_PIECES_MAX * r->piece_bytes);
}

// Who asks for nothing makes room; so does, between two pieces, the least deserving of too many.
static void surplus_out(const choker_rules *r, choker_peer *peers, int count, int64_t now_ns, int slots)
{
    for (int i = 0; i < count; i++)
        if (peers[i].unchoked && idle_lasts(&peers[i], now_ns, CHOKED_IDLE_NS))
            choke(&peers[i], CHOKER_ASKS_NOTHING);
    for (int over = busy_count(peers, count, now_ns) - slots; over > 0; over--) {
        choker_peer *worst = NULL;
        for (int i = 0; i < count; i++)
            if (peers[i].unchoked && !peers[i].mid_piece && (!worst || compare(r, &peers[i], worst) < 0))
                worst = &peers[i];
        if (!worst)
            return;
        choke(worst, CHOKER_NO_SLOT);
    }
}

// Who has had his turn makes room for one that deserves it more.
static void turns_pass(choker *c, const choker_rules *r, choker_peer *peers, int count, int64_t now_ns)
{
    for (int i = 0; i < count; i++) {
        choker_peer *p = &peers[i];
        if (!p->unchoked || !turn_over(r, p, now_ns))
            continue;
        choker_peer *next = best(c, r, peers, count, now_ns, is_waiting);
        if (!next || compare(r, next, p) <= 0)
            continue;
        choke(p, CHOKER_WAITS_TURN);
        unchoke(next, r->mode == CHOKER_MANAGED ? CHOKER_NEEDIEST : CHOKER_LEAST_SERVED);
    }
}

// Slots of those that ask for nothing are given on at once.
static void free_slots_fill(choker *c, const choker_rules *r, choker_peer *peers, int count, int64_t now_ns, int slots)
{
    int free_slots = slots - busy_count(peers, count, now_ns);
    if (free_slots <= 0 && busy_count(peers, count, INT64_MAX) == 0)      // nobody asks for anything right now
        free_slots = 1;
    int allowed = CHOKER_SLOTS_MAX - unchoked_count(peers, count);
    choker_peer *p;
    for (; free_slots > 0 && allowed > 0 && (p = best(c, r, peers, count, now_ns, is_waiting)); free_slots--, allowed--)
        unchoke(p, r->mode == CHOKER_MANAGED ? CHOKER_NEEDIEST : in_turns(r) ? CHOKER_LEAST_SERVED
                 : c->extra > 0 ? CHOKER_UPLINK_IDLE : CHOKER_FREE_SLOT);
}

// All slots are busy and still the line has room: the receivers' lines are slower than ours.
static void slots_grow(choker *c, const choker_rules *r, int busy, bool round, int64_t now_ns)
{
    int slots = r->slots + c->extra;
    if (r->uplink_idle && busy >= slots && slots < CHOKER_SLOTS_MAX && now_ns - c->grown_ns >= CHOKER_GROW_NS) {
        c->extra++;
        c->grown_ns = now_ns;
    } else if (round && !r->uplink_idle && c->extra > 0) {
        c->extra--;
    }
}

static void reasons_tell(const choker_rules *r, choker_peer *peers, int count)
{
    for (int i = 0; i < count; i++) {
        choker_peer *p = &peers[i];
        if (p->unchoked || !can_have(p) || p->reason == CHOKER_ASKS_NOTHING)
            continue;
        if (in_turns(r))
            p->reason = CHOKER_WAITS_TURN;
        else if (p->reason != CHOKER_SLOWER && p->reason != CHOKER_SNUBS)
            p->reason = CHOKER_NO_SLOT;
    }
}

int choker_run(choker *c, const choker_rules *r, choker_peer *peers, int count, int64_t now_ns)
{
    must(r->slots > 0 && r->slots <= CHOKER_SLOTS_MAX && count <= CHOKER_PEERS_MAX);
    if (r->mode == CHOKER_COURSE) {
        course_run(c, r, peers, count, now_ns);
        return unchoked_count(peers, count);
    }
    for (int i = 0; i < count; i++)
        peers[i].was_unchoked = peers[i].unchoked;
    bool round = round_due(c, now_ns);
    slots_grow(c, r, busy_count(peers, count, INT64_MAX), round, now_ns);
    if (round && !in_turns(r))
        round_hold(c, r, peers, count, now_ns);
    else if (round)
        c->round_ns = now_ns;
    useless_out(peers, count);
    if (in_turns(r))
        turns_pass(c, r, peers, count, now_ns);
    int luck = r->mode == CHOKER_DEFAULT && !r->seeding;
    surplus_out(r, peers, count, now_ns, r->slots + luck + c->extra);
    free_slots_fill(c, r, peers, count, now_ns, r->slots + luck + c->extra);
    reasons_tell(r, peers, count);
    c->look_ns = look_again(peers, count, now_ns);
    return unchoked_count(peers, count);
}

int64_t choker_due(const choker *c, const choker_rules *r, int64_t now_ns)
{
    if (c->round_ns == 0)
        return now_ns;
    int64_t due = c->round_ns + CHOKER_ROUND_NS;
    if (r->mode != CHOKER_COURSE && now_ns + CHOKER_GROW_NS < due)
        due = now_ns + CHOKER_GROW_NS;
    if (r->mode != CHOKER_COURSE && c->look_ns && c->look_ns < due)
        due = c->look_ns;
    return due < now_ns ? now_ns : due;
}

const char *choker_reason_words(choker_reason r)
{
    static const char *const words[] = {
        [CHOKER_NOT_INTERESTED] = "it wants nothing that we have",
        [CHOKER_UPLOAD_ONLY] = "it only sends",
        [CHOKER_ASKS_NOTHING] = "it was unchoked and asked for nothing",
        [CHOKER_SLOWER] = "others send to us faster",
        [CHOKER_SNUBS] = "it was asked and has sent nothing for a minute",
        [CHOKER_WAITS_ROUND] = "it waits for the next round",
        [CHOKER_WAITS_TURN] = "others are before it",
        [CHOKER_NO_SLOT] = "all slots are taken",
        [CHOKER_FASTEST] = "it is one of the fastest",
        [CHOKER_OPTIMISTIC] = "luck: it is tried out for 30 seconds",
        [CHOKER_FREE_SLOT] = "a slot was free",
        [CHOKER_UPLINK_IDLE] = "the line had room for one more",
        [CHOKER_LEAST_SERVED] = "it was given the least so far",
        [CHOKER_NEEDIEST] = "it lacks the most",
        [CHOKER_TURN_LASTS] = "its turn lasts until it has a piece",
    };
    return words[r];
}
