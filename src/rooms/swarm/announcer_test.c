// Tiers, timers and events against trackers in virtual time.
#include "rooms/swarm/announcer.h"

#include "rt/listener.h"
#include "rt/sim.h"
#include "test.h"
#include "wire/http/target.h"

enum { TRACKERS = 6, PORT_FIRST = 8001, LOG_MAX = 400, FIBERS = 64 };

typedef enum { TRACKER_WORKS, TRACKER_IS_DOWN, TRACKER_SAYS_NO, TRACKER_SAYS_NEVER, TRACKER_HANGS } manner;

typedef struct {
    sim    *sim;
    scope   life;
    world  *client, *server;
    struct { struct stage *stage; int number; manner manner; int interval_s, min_interval_s; } tracker[TRACKERS];
    struct { int tracker; int64_t at_s; tracker_event event; int64_t left; } log[LOG_MAX];
    int     logged, peers;
    bool    external;
    int64_t left;
    tracker_asker asker;
    announcers *all;
    announcer  *one;
    void  (*body)(void *stage);
    bool    every_tier;
} stage;

static int64_t now_s(const stage *t) { return world_now_ns(t->client) / NS_PER_S; }

static void log_add(stage *t, int number, const tracker_announce *q)
{
    if (t->logged == LOG_MAX)
        return;
    t->log[t->logged].tracker = number;
    t->log[t->logged].at_s = now_s(t);
    t->log[t->logged].event = q->event;
    t->log[t->logged++].left = q->left;
}

typedef struct { stage *stage; int number; } serving;

static void tracker_serve(conn *c, void *arg)
{
    const serving *s = arg;
    stage *t = s->stage;
    arena msg = arena_make(1 << 17);
    str line = conn_line(c, &msg, 8192), path, query, target;
    tracker_announce q;
    const char *why = "";
    while (conn_line(c, &msg, 8192).len > 2)
        ;
    (void)str_word(&line);
    target = str_word(&line);
    CHECK(target_read(target, &msg, &path, &query));
    CHECK(tracker_announce_read(query, &msg, &q, &why));
    log_add(t, s->number, &q);
    switch (t->tracker[s->number].manner) {
    case TRACKER_HANGS: fiber_sleep(seconds(1000)); break;
    case TRACKER_IS_DOWN: conn_put(c, S("HTTP/1.1 503 Down\r\nContent-Length: 0\r\n\r\n")); break;
    case TRACKER_SAYS_NO: conn_put(c, S("HTTP/1.1 200 OK\r\n\r\nd14:failure reason4:busy8:retry ini7ee")); break;
    case TRACKER_SAYS_NEVER: conn_put(c, S("HTTP/1.1 200 OK\r\n\r\nd14:failure reason7:unknown8:retry in5:nevere")); break;
    case TRACKER_WORKS:
        conn_format(c, "HTTP/1.1 200 OK\r\n\r\nd8:completei5e11:external ip4:\xc6\x33\x64\x09" "10:incompletei9e8:intervali%de12:min intervali%de"
                    "5:peers6:\xc6\x33\x64\x07\x1a\xe1" "e", t->tracker[s->number].interval_s, t->tracker[s->number].min_interval_s);
        break;
    }
    conn_flush(c);
    arena_free(&msg);
}

static void server_boot(void *arg)
{
    stage *t = arg;
    addr own = world_addresses(t->server, &(int){0})[0];
    serving serving_of[TRACKERS];
    SCOPE(s, 0, FIBERS);
    fiber_world(t->server);
    for (int i = 0; i < TRACKERS; i++) {
        door *d;
        door_options options = {.service = "tracker", .at = addr_with_port(own, (uint16_t)(PORT_FIRST + i))};
        serving_of[i] = (serving){t, i};
        CHECK_INT(door_open(&s, t->server, options, tracker_serve, &serving_of[i], &d), E_OK);
    }
    while (fiber_sleep(seconds(3600)) == E_OK)
        ;
    scope_close(&s);
}

static void figures(void *arg, announcer_figures *out)
{
    *out = (announcer_figures){.uploaded = 1, .downloaded = 2, .left = ((stage *)arg)->left, .wanted = 30};
}

static void peers(void *arg, const addr *list, int count, peer_source from)
{
    stage *t = arg;
    t->peers += count;
    CHECK(from == PEER_FROM_TRACKER && list[0].port == 6881);
}

static void external(void *arg, addr ip) { ((stage *)arg)->external = ip.family == 4; }

static void start(stage *t, const int *tiers, int count, bool complete)
{
    static char urls[TRACKERS][64];
    announcer_url list[TRACKERS];
    for (int i = 0; i < count; i++) {
        snprintf(urls[i], sizeof urls[i], "http://203.0.113.5:%d/announce", PORT_FIRST + i);
        list[i] = (announcer_url){str_z(urls[i]), tiers[i]};
    }
    announcer_torrent torrent = {.port = 6881, .key = 9, .complete = complete, .trackers = list, .tracker_count = count};
    announcer_calls calls = {figures, peers, external, t};
    t->logged = t->peers = 0;
    t->left = complete ? 0 : 1000;
    t->one = announcer_start(t->all, &torrent, &calls);
    CHECK(t->one != NULL);
}

static void first_fiber(void *arg)
{
    stage *t = arg;
    fiber_world(t->client);
    scope_open(&t->life, 0, FIBERS);
    CHECK_INT(sim_boot(t->server, &t->life, server_boot, t), E_OK);
    fiber_sleep(millis(100));
    announcers_settings settings = {.asker = &t->asker, .every_tier = t->every_tier};
    CHECK_INT(announcers_start(&t->life, &settings, &t->all), E_OK);
    t->body(t);
    sim_shut_down(t->server);
    scope_close(&t->life);
}

static void play(void (*body)(void *), bool every_tier)
{
    static stage t;
    addr client = addr_v4(0xc6336401, 0), server = addr_v4(0xcb007105, 0);
    t = (stage){.sim = sim_new(3), .body = body, .every_tier = every_tier};
    t.client = sim_host(t.sim, S("client"), &client, 1, (sim_disk){0});
    t.server = sim_host(t.sim, S("server"), &server, 1, (sim_disk){0});
    t.asker = (tracker_asker){.world = t.client};
    for (int i = 0; i < TRACKERS; i++)
        t.tracker[i].interval_s = 900, t.tracker[i].min_interval_s = 120;
    sim_link_default(t.sim, (sim_link){.delay_min_ns = millis(5), .delay_max_ns = millis(5)});
    CHECK_INT(sim_run(t.sim, first_fiber, &t), E_OK);
    sim_free(t.sim);
}

static int asked(const stage *t, int tracker)
{
    int count = 0;
    for (int i = 0; i < t->logged; i++)
        count += t->log[i].tracker == tracker;
    return count;
}

// ---- tiers ------------------------------------------------------------------------------------------------------------------

static void tiers_body(void *arg)
{
    static const int tiers[] = {0, 0, 1, 2};
    announcer_tracker_view v[TRACKERS];
    stage *t = arg;
    start(t, tiers, 4, false);
    fiber_sleep(seconds(10));
    CHECK_INT(t->logged, 1);                                  // one of the first tier, and nobody else
    CHECK(t->log[0].tracker < 2 && t->log[0].event == TRACKER_STARTED && t->log[0].left == 1000);
    CHECK(t->peers == 1 && t->external);
    fiber_sleep(seconds(2 * 900));
    CHECK_INT(t->logged, 3);                                  // in its interval
    CHECK(t->log[1].event == TRACKER_NONE && t->log[2].at_s - t->log[1].at_s == 900);
    int used = t->log[0].tracker, other = 1 - used;
    t->tracker[used].manner = TRACKER_IS_DOWN;                // it fails: the other of its tier, which goes to the front
    fiber_sleep(seconds(900));
    CHECK(t->log[t->logged - 1].tracker == other && t->log[t->logged - 1].event == TRACKER_STARTED);
    CHECK_INT(announcer_view(t->one, v, TRACKERS), 4);
    CHECK(v[0].answered && v[0].seeders == 5 && v[0].leechers == 9 && v[0].state == ANNOUNCER_WAITING && v[0].next_ns > v[0].last_ns);
    CHECK(!v[1].answered && v[1].failures == 1 && v[1].trouble.len > 0 && v[1].state == ANNOUNCER_IDLE && v[2].last_ns == 0);
    t->tracker[used].manner = TRACKER_WORKS;
    int before = asked(t, used);
    fiber_sleep(seconds(900));
    CHECK(t->log[t->logged - 1].tracker == other && asked(t, used) == before);
    t->tracker[used].manner = t->tracker[other].manner = t->tracker[2].manner = TRACKER_IS_DOWN;
    fiber_sleep(seconds(900));
    CHECK_INT(t->log[t->logged - 1].tracker, 3);              // only when all of the first tiers failed
    CHECK(asked(t, 2) == 1 && asked(t, 3) == 1);
    announcer_stop(t->one, seconds(5));
}

TEST(tiers_are_asked_in_order_and_who_answers_goes_to_the_front) { play(tiers_body, false); }

static void every_body(void *arg)
{
    static const int tiers[] = {0, 1, 1, 2};
    stage *t = arg;
    t->tracker[0].manner = TRACKER_HANGS;                     // the others do not wait for it
    start(t, tiers, 4, false);
    fiber_sleep(seconds(5));
    CHECK(asked(t, 0) == 1 && asked(t, 1) + asked(t, 2) == 1 && asked(t, 3) == 1);
    announcer_stop(t->one, seconds(5));
    CHECK(t->logged == 5 && t->log[4].event == TRACKER_STOPPED);
}

TEST(on_wish_every_tier_is_asked) { play(every_body, true); }

// ---- timers -----------------------------------------------------------------------------------------------------------------

static void failures_body(void *arg)
{
    static const int tiers[] = {0};
    stage *t = arg;
    t->tracker[0].manner = TRACKER_IS_DOWN;
    start(t, tiers, 1, false);
    fiber_sleep(seconds(4 * 3600));
    for (int i = 1; i < t->logged; i++) {
        int64_t wait = t->log[i].at_s - t->log[i - 1].at_s, least = ANNOUNCER_RETRY_S;
        for (int k = 1; k < i && least < ANNOUNCER_RETRY_S_MAX; k++)
            least *= 2;
        least = least < ANNOUNCER_RETRY_S_MAX ? least : ANNOUNCER_RETRY_S_MAX;
        CHECK_ROW(i, wait >= least && wait <= least * 5 / 4 + 2);
        CHECK_ROW(i, t->log[i].event == TRACKER_STARTED);
    }
    CHECK(t->logged >= 10 && t->logged <= 16);
    announcer_stop(t->one, seconds(5));
    CHECK(t->log[t->logged - 1].event != TRACKER_STOPPED);    // it never heard of us
    t->tracker[0].manner = TRACKER_SAYS_NO;                   // BEP 31: in seven minutes
    start(t, tiers, 1, false);
    fiber_sleep(seconds(800));
    CHECK(t->logged == 2 && t->log[1].at_s - t->log[0].at_s == 7 * 60);
    announcer_stop(t->one, seconds(5));
    t->tracker[0].manner = TRACKER_SAYS_NEVER;
    start(t, tiers, 1, false);
    announcer_tracker_view v;
    fiber_sleep(seconds(24 * 3600));
    CHECK_INT(t->logged, 1);
    CHECK(announcer_view(t->one, &v, 1) == 1 && v.state == ANNOUNCER_OUT && str_eq(v.trouble, S("unknown")));
    announcer_nudge(t->one, ANNOUNCER_NEEDS_PEERS);
    fiber_sleep(seconds(600));
    CHECK_INT(t->logged, 1);
    announcer_nudge(t->one, ANNOUNCER_USER);                  // unless a user insists
    fiber_sleep(seconds(1));
    CHECK_INT(t->logged, 2);
    announcer_stop(t->one, seconds(5));
}

TEST(failures_are_tried_again_ever_later_or_when_the_tracker_says) { play(failures_body, false); }

static void nudge_body(void *arg)
{
    static const int tiers[] = {0};
    stage *t = arg;
    t->tracker[0].min_interval_s = 300;
    start(t, tiers, 1, false);
    fiber_sleep(seconds(10));
    for (int i = 0; i < 20; i++) {                            // in need of peers: as often as the tracker allows
        announcer_nudge(t->one, ANNOUNCER_NEEDS_PEERS);
        fiber_sleep(seconds(5));
    }
    CHECK_INT(t->logged, 1);
    fiber_sleep(seconds(200));
    CHECK(t->logged == 2 && t->log[1].at_s - t->log[0].at_s == 300);
    fiber_sleep(seconds(890));                                // the need was met: the interval again
    CHECK_INT(t->logged, 2);
    fiber_sleep(seconds(20));
    CHECK_INT(t->logged, 3);
    t->left = 0;
    announcer_nudge(t->one, ANNOUNCER_COMPLETED);
    fiber_sleep(seconds(1));
    CHECK(t->logged == 4 && t->log[3].event == TRACKER_COMPLETED && t->log[3].left == 0);
    announcer_nudge(t->one, ANNOUNCER_COMPLETED);
    fiber_sleep(seconds(1));
    CHECK_INT(t->logged, 4);                                  // said once
    int before = t->logged;
    announcer_stop(t->one, seconds(5));
    CHECK(t->logged == before + 1 && t->log[before].event == TRACKER_STOPPED);
    start(t, tiers, 1, true);                                 // complete from the start: never "completed"
    fiber_sleep(seconds(2000));
    announcer_nudge(t->one, ANNOUNCER_COMPLETED);
    fiber_sleep(seconds(10));
    for (int i = 0; i < t->logged; i++)
        CHECK_ROW(i, t->log[i].event != TRACKER_COMPLETED);
    announcer_stop(t->one, 0);
}

TEST(a_nudge_keeps_the_trackers_pauses_and_completed_is_said_once) { play(nudge_body, false); }

static void stop_body(void *arg)
{
    static const int tiers[] = {0, 1};
    stage *t = arg;
    start(t, tiers, 2, false);
    fiber_sleep(seconds(10));
    t->tracker[t->log[0].tracker].manner = TRACKER_HANGS;
    int64_t began = now_s(t);
    announcer_stop(t->one, seconds(5));                       // says goodbye for five seconds, no longer
    CHECK(now_s(t) - began <= 6 && t->log[t->logged - 1].event == TRACKER_STOPPED);
    t->tracker[0].manner = TRACKER_HANGS;
    start(t, tiers, 2, false);
    fiber_sleep(seconds(1));
    began = now_s(t);
    announcer_stop(t->one, seconds(5));                       // in the middle of the first announce
    CHECK(now_s(t) - began <= 1);
    for (int i = 0; i < 40; i++)                              // and one that is left is freed with the scope
        start(t, tiers, 2, false);
    fiber_sleep(seconds(1));
}

TEST(stopping_takes_a_bounded_time) { play(stop_body, false); }

static void own_network_body(void *arg)
{
    static const int tiers[] = {0};
    stage *t = arg;
    t->tracker[0].interval_s = 10, t->tracker[0].min_interval_s = 1;
    start(t, tiers, 1, false);
    fiber_sleep(seconds(125));
    CHECK(t->logged == 3 && t->log[1].at_s - t->log[0].at_s == ANNOUNCER_INTERVAL_S_MIN);      // nobody makes us hammer
    announcer_stop(t->one, 0);
    t->asker.private_allowed = true;                          // but in an own network its tracker's word counts
    start(t, tiers, 1, false);
    fiber_sleep(seconds(105));
    CHECK(t->logged == 11 && t->log[1].at_s - t->log[0].at_s == 10);
    announcer_stop(t->one, 0);
}

TEST(short_intervals_are_kept_in_an_own_network_only) { play(own_network_body, false); }
