#include "rooms/swarm/announcer.h"

#include <string.h>

#include "base/heap_memory.h"
#include "base/list.h"
#include "base/must.h"

enum {
    TIMERS_MAX = ANNOUNCER_TORRENTS_MAX * 4,
    TRACKER_ID_BYTES_MAX = 64,
    MEMORY_BYTES_MAX = 1 << 20,              // of a torrent: ANNOUNCER_TRACKERS_MAX URLs and what is known of them
    STOPS_AT_ONCE_MAX = 16,
};

typedef struct {
    str      url, host;
    int      tier;
    bool     asking, out, started, completed, answered;
    int64_t  last_ns, retry_ns;              // retry_ns: not asked before
    int64_t  seeders, leechers;
    int      peers, failures;
    unsigned char trouble[ANNOUNCER_ERROR_BYTES_MAX], tracker_id[TRACKER_ID_BYTES_MAX];
    uint8_t  trouble_len, tracker_id_len;
} record;

// What is repeated on a timer of its own: all tiers together, one tier, or the DHT.
typedef struct lane {
    heap_node timer;
    announcer *announcer;
    bool     is_dht, busy, again;            // again: asked for while it was busy
    int      first, count;                   // of the announcer's records
    int64_t  due_ns, hurry_ns;               // planned; the earliest that "need peers" may make it
    scope   *running;
} lane;

struct announcer {
    announcers *all;
    list_link   link;
    arena       memory;
    uint8_t     hash[TRACKER_HASH_BYTES], peer_id[TRACKER_HASH_BYTES];
    uint32_t    key;
    uint16_t    port;
    bool        was_complete, complete, hungry, stopping;
    announcer_calls calls;
    record    **records;                     // by tier; in a tier the order of asking
    int         record_count;
    lane       *lanes;
    int         lane_count, busy;
    gate        idle;
};

// Lanes of one kind, so that look-ups in the DHT, which take long, never keep trackers waiting.
typedef struct {
    heap timers;
    int  at_work, at_once_max;
} lane_pool;

struct announcers {
    announcers_settings settings;
    world    *world;
    lane_pool pool[2];                       // trackers, DHT
    list      torrents;
    int       count;
    gate      wake;
    scope     jobs;
    scope_end end;
};

// ---- planning -----------------------------------------------------------------------------------------------------------

static int64_t now_of(const announcer *a) { return world_now_ns(a->all->world); }

static lane_pool *pool_of(const lane *l) { return &l->announcer->all->pool[l->is_dht]; }

static void lane_plan(lane *l, int64_t due_ns)
{
    announcers *all = l->announcer->all;
    heap_remove(&pool_of(l)->timers, &l->timer);
    l->due_ns = due_ns;
    if (due_ns && heap_add(&pool_of(l)->timers, &l->timer, due_ns))
        gate_wake_all(&all->wake);
}

static void lane_hurry(lane *l, int64_t earliest_ns)
{
    int64_t now = now_of(l->announcer), at = earliest_ns > now ? earliest_ns : now;
    if (l->busy)
        l->again |= earliest_ns <= now;
    else if (!l->due_ns || at < l->due_ns)
        lane_plan(l, at);
}

static int64_t back_off_s(announcer *a, int failures)
{
    int64_t s = ANNOUNCER_RETRY_S;
    for (int i = 1; i < failures && s < ANNOUNCER_RETRY_S_MAX; i++)
        s *= 2;
    s = s < ANNOUNCER_RETRY_S_MAX ? s : ANNOUNCER_RETRY_S_MAX;
    return s + (int64_t)world_random_below(a->all->world, (uint64_t)s / 4 + 1);      // not all torrents of a dead tracker at once
}

// ---- one tracker ----------------------------------------------------------------------------------------------------------

static void trouble_set(record *r, str text)
{
    r->trouble_len = (uint8_t)(text.len < ANNOUNCER_ERROR_BYTES_MAX ? text.len : ANNOUNCER_ERROR_BYTES_MAX);
    if (r->trouble_len)
        memcpy(r->trouble, text.at, r->trouble_len);
}

static tracker_event event_of(const announcer *a, const record *r)
{
    if (!r->started)
        return TRACKER_STARTED;
    return a->complete && !a->was_complete && !r->completed ? TRACKER_COMPLETED : TRACKER_NONE;
}

static tracker_question question_of(announcer *a, const record *r, tracker_event event, int family)
{
    announcer_figures f = {.left = -1, .wanted = -1};
    a->calls.figures(a->calls.arg, &f);
    tracker_question q = {.url = r->url, .family = family};
    q.announce = (tracker_announce){
        .uploaded = f.uploaded, .downloaded = f.downloaded, .left = f.left, .port = a->port, .key = a->key, .has_key = true,
        .wanted = event == TRACKER_STOPPED ? 0 : f.wanted, .event = event, .compact = true, .no_peer_id = true,
        .tracker_id = str_of(r->tracker_id, r->tracker_id_len),
    };
    memcpy(q.announce.hash, a->hash, sizeof a->hash);
    memcpy(q.announce.peer_id, a->peer_id, sizeof a->peer_id);
    return q;
}

static void peers_deliver(announcer *a, const tracker_reply *r)
{
    if (a->calls.external && r->external.family)
        a->calls.external(a->calls.arg, r->external);
    if (r->peer_count)
        a->calls.peers(a->calls.arg, r->peers, r->peer_count, PEER_FROM_TRACKER);
}

static void failure_take(announcer *a, record *r, err e, const tracker_reply *reply, str why)
{
    int64_t wait_s = back_off_s(a, ++r->failures);
    r->answered = false;
    trouble_set(r, e ? why : reply->failure);
    if (e == E_OK && reply->retry_min > 0)                                   // BEP 31
        wait_s = reply->retry_min * 60ll;
    if (e == E_ACCESS)
        wait_s = ANNOUNCER_RETRY_S_MAX;
    r->out = e == E_OK && reply->retry_min < 0;
    r->retry_ns = now_of(a) + seconds(wait_s < ANNOUNCER_INTERVAL_S_MAX ? wait_s : ANNOUNCER_INTERVAL_S_MAX);
}

static int64_t between(int64_t n, int64_t least, int64_t most) { return n < least ? least : n > most ? most : n; }

static void success_take(announcer *a, lane *l, record *r, tracker_event event, const tracker_reply *reply)
{
    bool own = a->all->settings.asker->private_allowed;
    int64_t interval_s = reply->interval_s ? reply->interval_s : ANNOUNCER_INTERVAL_S;
    interval_s = between(interval_s, own ? ANNOUNCER_OWN_S_MIN : ANNOUNCER_INTERVAL_S_MIN, ANNOUNCER_INTERVAL_S_MAX);
    int64_t least_s = between(reply->interval_min_s, own ? ANNOUNCER_OWN_S_MIN : ANNOUNCER_HURRY_S, interval_s);
    r->answered = r->started = true;
    r->completed |= event == TRACKER_COMPLETED || (event == TRACKER_STARTED && a->complete);
    r->failures = 0;
    r->seeders = reply->complete;
    r->leechers = reply->incomplete;
    r->peers = reply->peer_count;
    trouble_set(r, reply->warning);
    if (reply->tracker_id.len && reply->tracker_id.len <= TRACKER_ID_BYTES_MAX) {
        r->tracker_id_len = (uint8_t)reply->tracker_id.len;
        memcpy(r->tracker_id, reply->tracker_id.at, r->tracker_id_len);
    }
    l->hurry_ns = now_of(a) + seconds(least_s);
    l->due_ns = now_of(a) + seconds(interval_s);
    a->hungry = false;
}

// A tracker that has addresses of both families hears of us over both (BEP 7); the second time is a present.
static void other_family_ask(announcer *a, const record *r, const tracker_answer *first, tracker_event event, arena *msg)
{
    if (!first->has_v4 || !first->has_v6)
        return;
    tracker_question q = question_of(a, r, event, first->from.family == 4 ? 6 : 4);
    tracker_answer x;
    str why;
    if (tracker_ask(a->all->settings.asker, &q, msg, &x, &why) == E_OK && !x.reply.failure.len && !a->stopping)
        peers_deliver(a, &x.reply);
}

// True: it answered.
static bool record_ask(announcer *a, lane *l, record *r)
{
    arena msg = arena_make(2 * TRACKER_ASK_ARENA_BYTES);
    tracker_event event = event_of(a, r);
    tracker_question q = question_of(a, r, event, 0);
    tracker_answer x;
    str why;
    r->asking = true;
    r->last_ns = now_of(a);
    err e = tracker_ask(a->all->settings.asker, &q, &msg, &x, &why);
    bool fine = e == E_OK && !x.reply.failure.len;
    if (!a->stopping && e != E_CANCELED && e != E_CRASHED) {
        if (fine)
            success_take(a, l, r, event, &x.reply);
        else
            failure_take(a, r, e, &x.reply, why);
        if (fine) {
            peers_deliver(a, &x.reply);
            other_family_ask(a, r, &x, event, &msg);
        }
    }
    r->asking = false;
    arena_free(&msg);
    return fine;
}

// ---- a lane ---------------------------------------------------------------------------------------------------------------

static void promote(announcer *a, int i)                                     // BEP 12: to the front of its tier
{
    record *r = a->records[i];
    for (; i > 0 && a->records[i - 1]->tier == r->tier; i--)
        a->records[i] = a->records[i - 1];
    a->records[i] = r;
}

static void trackers_round(lane *l)
{
    announcer *a = l->announcer;
    int64_t next = 0;
    for (int i = l->first; i < l->first + l->count && !a->stopping && !fiber_canceled(); i++) {
        record *r = a->records[i];
        if (!r->out && r->retry_ns <= now_of(a) && record_ask(a, l, r)) {
            promote(a, i);
            return;                                                          // success_take has planned
        }
    }
    for (int i = l->first; i < l->first + l->count; i++) {
        const record *r = a->records[i];
        if (!r->out && (!next || r->retry_ns < next))
            next = r->retry_ns;
    }
    l->due_ns = next;
    l->hurry_ns = next;
}

static void dht_take(void *arg, const uint8_t hash[DHT_ID_BYTES], const addr *peers, int count)
{
    announcer *a = arg;
    (void)hash;
    if (!a->stopping)
        a->calls.peers(a->calls.arg, peers, count, PEER_FROM_DHT);
}

static void dht_round(lane *l)
{
    announcer *a = l->announcer;
    dht_outcome o = {0};
    err e = dht_find(a->all->settings.dht, a->hash, 0, a->port, false, dht_take, a, &o);
    int64_t pause_s = e ? ANNOUNCER_RETRY_S : a->hungry || o.announced == 0 ? ANNOUNCER_DHT_HURRY_S : ANNOUNCER_DHT_S;
    l->due_ns = now_of(a) + seconds(pause_s);
    l->hurry_ns = now_of(a) + seconds(e ? ANNOUNCER_RETRY_S : ANNOUNCER_DHT_HURRY_S);
}

static void round_body(void *arg)
{
    lane *l = arg;
    if (l->is_dht)
        dht_round(l);
    else
        trackers_round(l);
}

// A fiber of its own for the round, so that announcer_stop can end it.
static void lane_body(void *arg)
{
    lane *l = arg;
    announcer *a = l->announcer;
    announcers *all = a->all;
    {
        SCOPE(own, 0, 1);
        l->running = &own;
        if (a->stopping || scope_go(&own, "announce", round_body, l) != E_OK)
            l->due_ns = now_of(a) + seconds(1);
        (void)scope_wait(&own);
    }
    l->running = NULL;
    l->busy = false;
    a->busy--;
    pool_of(l)->at_work--;
    if (!a->stopping)
        lane_plan(l, l->again && l->due_ns ? now_of(a) : l->due_ns);
    l->again = false;
    gate_wake_all(&a->idle);
    gate_wake_all(&all->wake);
}

// ---- the clock --------------------------------------------------------------------------------------------------------------

static void lane_begin(announcers *all, lane *l)
{
    l->busy = true;
    l->announcer->busy++;
    pool_of(l)->at_work++;
    if (scope_try_go(&all->jobs, "announcer", lane_body, l) == E_OK)
        return;
    l->busy = false;
    l->announcer->busy--;
    pool_of(l)->at_work--;
    lane_plan(l, now_of(l->announcer) + seconds(1));                         // no stack is free now
}

// Begins what is due as far as there is room; when to look again.
static int64_t begin_due(announcers *all, lane_pool *pool)
{
    while (pool->at_work < pool->at_once_max && heap_first_key(&pool->timers) <= world_now_ns(all->world))
        lane_begin(all, LIST_OF(heap_take(&pool->timers), lane, timer));
    return pool->at_work < pool->at_once_max ? heap_first_key(&pool->timers) : INT64_MAX;
}

static void clock_body(void *arg)
{
    announcers *all = arg;
    fiber_world(all->world);
    scope_open(&all->jobs, 0, all->pool[0].at_once_max + all->pool[1].at_once_max);
    for (err e = E_OK; e == E_OK || e == E_TIMEOUT; ) {
        int64_t until = begin_due(all, &all->pool[0]), other = begin_due(all, &all->pool[1]);
        until = other < until ? other : until;
        e = gate_wait(&all->wake, until != INT64_MAX ? until : NEVER_NS, "the next announce");
        if (e == E_TIMEOUT && fiber_canceled())
            break;
    }
    scope_close(&all->jobs);
}

static void announcer_free(announcer *a)
{
    for (int i = 0; i < a->lane_count; i++)
        heap_remove(&pool_of(&a->lanes[i])->timers, &a->lanes[i].timer);
    list_remove(&a->link);
    a->all->count--;
    arena_free(&a->memory);
    memory_free(a);
}

static void announcers_free(void *arg)
{
    announcers *all = arg;
    for (list_link *k; (k = list_first(&all->torrents)); )
        announcer_free(LIST_OF(k, announcer, link));
    heap_free(&all->pool[0].timers);
    heap_free(&all->pool[1].timers);
    memory_free(all);
}

err announcers_start(scope *s, const announcers_settings *settings, announcers **out)
{
    announcers *all = memory_zeroed(1, sizeof *all);
    all->settings = *settings;
    all->world = settings->asker->world;
    all->pool[0].at_once_max = settings->at_once_max ? settings->at_once_max : ANNOUNCER_AT_ONCE_MAX;
    all->pool[1].at_once_max = ANNOUNCER_DHT_AT_ONCE_MAX;
    all->pool[0].timers = heap_make(TIMERS_MAX);
    all->pool[1].timers = heap_make(ANNOUNCER_TORRENTS_MAX);
    list_init(&all->torrents);
    err e = scope_go(s, "announcers", clock_body, all);
    if (e) {
        announcers_free(all);
        return e;
    }
    scope_at_end(s, &all->end, announcers_free, all);
    *out = all;
    return E_OK;
}

// ---- a torrent --------------------------------------------------------------------------------------------------------------

static str host_text(arena *memory, str url)
{
    arena scratch = arena_make(2 * TRACKER_URL_BYTES_MAX + 1024);
    tracker_url u;
    const char *why;
    bool read = tracker_url_read(url, &scratch, &u, &why);
    const char *form = read && u.numeric.family == 6 ? "[" STR_FMT "]:%u" : STR_FMT ":%u";
    str text = read ? str_format(memory, form, STR_ARG(u.host), u.port) : (str){0};
    arena_free(&scratch);
    return text;
}

static bool known_already(const announcer *a, str url)
{
    for (int i = 0; i < a->record_count; i++)
        if (str_eq(a->records[i]->url, url))
            return true;
    return false;
}

static void records_make(announcer *a, const announcer_torrent *t)
{
    int count = t->tracker_count < ANNOUNCER_TRACKERS_MAX ? t->tracker_count : ANNOUNCER_TRACKERS_MAX;
    a->records = arena_array(&a->memory, record *, count + 1);
    for (int i = 0; a->records && i < count; i++) {
        record *r = t->trackers[i].url.len <= TRACKER_URL_BYTES_MAX ? arena_new(&a->memory, record) : NULL;
        if (!r || known_already(a, t->trackers[i].url))
            continue;
        r->url = str_copy(&a->memory, t->trackers[i].url);
        r->host = host_text(&a->memory, r->url);
        r->tier = t->trackers[i].tier;
        r->seeders = r->leechers = -1;
        int at = a->record_count++;                                          // sorted by tier, stable
        for (; at > 0 && a->records[at - 1]->tier > r->tier; at--)
            a->records[at] = a->records[at - 1];
        a->records[at] = r;
    }
}

static int tier_end(const announcer *a, int first)
{
    int end = first;
    while (end < a->record_count && a->records[end]->tier == a->records[first]->tier)
        end++;
    return end;
}

// BEP 12: each tier is shuffled once.
static void tiers_shuffle(announcer *a)
{
    for (int first = 0, end; first < a->record_count; first = end) {
        end = tier_end(a, first);
        for (int i = end - 1; i > first; i--) {
            int j = first + (int)world_random_below(a->all->world, (uint64_t)(i - first) + 1);
            record *swap = a->records[i];
            a->records[i] = a->records[j];
            a->records[j] = swap;
        }
    }
}

static void lane_add(announcer *a, lane l)
{
    l.announcer = a;
    a->lanes[a->lane_count] = l;
    lane_plan(&a->lanes[a->lane_count++], now_of(a) ? now_of(a) : 1);
}

static void lanes_make(announcer *a, bool with_dht)
{
    a->lanes = arena_array(&a->memory, lane, a->all->settings.every_tier ? a->record_count + 1 : 2);
    if (!a->lanes)
        return;
    for (int first = 0, end; first < a->record_count; first = end) {
        end = a->all->settings.every_tier ? tier_end(a, first) : a->record_count;
        lane_add(a, (lane){.first = first, .count = end - first});
    }
    if (with_dht)
        lane_add(a, (lane){.is_dht = true});
}

announcer *announcer_start(announcers *all, const announcer_torrent *t, const announcer_calls *calls)
{
    if (all->count >= ANNOUNCER_TORRENTS_MAX)
        return NULL;
    announcer *a = memory_zeroed(1, sizeof *a);
    *a = (announcer){.all = all, .memory = arena_make(MEMORY_BYTES_MAX), .key = t->key, .port = t->port, .calls = *calls,
                     .was_complete = t->complete, .complete = t->complete, .hungry = !t->complete};
    memcpy(a->hash, t->hash, sizeof a->hash);
    memcpy(a->peer_id, t->peer_id, sizeof a->peer_id);
    all->count++;
    list_append(&all->torrents, &a->link);
    records_make(a, t);
    tiers_shuffle(a);
    lanes_make(a, all->settings.dht && peer_source_allowed(t->private_torrent, PEER_FROM_DHT));
    return a;
}

void announcer_nudge(announcer *a, announcer_reason why)
{
    if (why == ANNOUNCER_COMPLETED && a->complete)
        return;
    a->complete |= why == ANNOUNCER_COMPLETED;
    a->hungry |= why == ANNOUNCER_NEEDS_PEERS;
    for (int i = 0; why == ANNOUNCER_USER && i < a->record_count; i++) {
        a->records[i]->out = false;
        a->records[i]->retry_ns = 0;
    }
    for (int i = 0; i < a->lane_count; i++) {
        lane *l = &a->lanes[i];
        bool failed = why == ANNOUNCER_USER && !l->is_dht && l->count && !a->records[l->first]->answered;
        if (why == ANNOUNCER_COMPLETED && l->is_dht)
            continue;
        lane_hurry(l, why == ANNOUNCER_COMPLETED || failed ? 0 : l->hurry_ns);
    }
}

// ---- the end ----------------------------------------------------------------------------------------------------------------

typedef struct { announcer *announcer; const record *record; int64_t timeout_ns; } goodbye;

static void goodbye_say(void *arg)
{
    const goodbye *g = arg;
    arena msg = arena_make(TRACKER_ASK_ARENA_BYTES);
    tracker_question q = question_of(g->announcer, g->record, TRACKER_STOPPED, 0);
    tracker_answer x;
    str why;
    q.timeout_ns = g->timeout_ns;
    (void)tracker_ask(g->announcer->all->settings.asker, &q, &msg, &x, &why);
    arena_free(&msg);
}

static void goodbyes_say(announcer *a, int64_t timeout_ns)
{
    goodbye *all = arena_array(&a->memory, goodbye, a->record_count + 1);
    SCOPE(saying, timeout_ns, STOPS_AT_ONCE_MAX);
    for (int i = 0; all && i < a->record_count; i++) {
        all[i] = (goodbye){a, a->records[i], timeout_ns};
        if (a->records[i]->started && scope_go(&saying, "stopped", goodbye_say, &all[i]) != E_OK)
            break;
    }
    (void)scope_wait(&saying);
}

void announcer_stop(announcer *a, int64_t timeout_ns)
{
    a->stopping = true;
    for (int i = 0; i < a->lane_count; i++) {
        heap_remove(&pool_of(&a->lanes[i])->timers, &a->lanes[i].timer);
        if (a->lanes[i].running)
            scope_cancel(a->lanes[i].running);
    }
    while (a->busy)
        gate_wait_uncanceled(&a->idle, "the last announce's end");
    if (timeout_ns > 0)
        goodbyes_say(a, timeout_ns);
    announcer_free(a);
}

static announcer_state state_of(const announcer *a, const lane *l, int i, bool *next_found)
{
    const record *r = a->records[i];
    if (r->out)
        return ANNOUNCER_OUT;
    if (r->asking)
        return *next_found = true, ANNOUNCER_ASKING;
    if (*next_found || l->busy)
        return ANNOUNCER_IDLE;
    *next_found = true;
    return l->due_ns && l->due_ns <= now_of(a) ? ANNOUNCER_QUEUED : ANNOUNCER_WAITING;
}

int announcer_view(const announcer *a, announcer_tracker_view *out, int max)
{
    int n = 0;
    for (int k = 0; k < a->lane_count; k++) {
        const lane *l = &a->lanes[k];
        bool next_found = false;
        for (int i = l->first; i < l->first + l->count; i++, n++) {
            const record *r = a->records[i];
            announcer_state state = state_of(a, l, i, &next_found);
            bool planned = state == ANNOUNCER_WAITING || state == ANNOUNCER_QUEUED;
            if (n < max)
                out[n] = (announcer_tracker_view){
                    .url = r->url, .host = r->host, .tier = r->tier, .state = state, .answered = r->answered,
                    .last_ns = r->last_ns, .next_ns = planned ? l->due_ns : 0, .seeders = r->seeders, .leechers = r->leechers, .peers = r->peers,
                    .failures = r->failures, .trouble = str_of(r->trouble, r->trouble_len),
                };
        }
    }
    return n;
}
