// Whole swarms of a few hosts in the simulator: limits, sleep, private torrents, what a user may ask for.
#include "rooms/swarm/swarm_play_test.h"

#include <string.h>

#include "base/must.h"
#include "rt/listener.h"
#include "rt/loop.h"
#include "talk/http_serve.h"
#include "test.h"

// ---- limits -------------------------------------------------------------------------------------------------------------

// From a moment in the middle to another: what was moved is what the limit allows, within one per cent (and one block).
static void limit_kept(play *p, int64_t bytes_per_s)
{
    both_begin(p);
    fiber_sleep(seconds(3));
    int64_t before = view(p, 1).received;
    fiber_sleep(seconds(10));
    int64_t moved = view(p, 1).received - before, allowed = 10 * bytes_per_s;
    if (moved < allowed - allowed / 100 - PICKER_BLOCK_BYTES || moved > allowed + allowed / 100 + PICKER_BLOCK_BYTES)
        test_failed(__FILE__, __LINE__, "%lld bytes moved, %lld are allowed", (long long)moved, (long long)allowed);
}

static void limits(void *arg) { limit_kept(arg, 250000); }
TEST(swarm_keeps_its_upload_limit) { play_swarm((play){.settings = {"limit-up 2Mbit\n"}}, limits); }
TEST(swarm_keeps_its_download_limit) { play_swarm((play){.settings = {NULL, "limit-down 2Mbit\n"}}, limits); }

typedef struct { int64_t bytes, ns; } moment;

static moment moment_of(play *p, int64_t bytes)
{
    int64_t got = 0, until = loop_now_ns() + seconds(1000);
    while ((got = view(p, 1).received) < bytes && loop_now_ns() < until)
        fiber_sleep(millis(1));
    CHECK(got >= bytes);
    return (moment){got, loop_now_ns()};
}

// From the first byte that came to nearly the last: no burst at the beginning.
static void limit_kept_throughout(void *arg)
{
    play *p = arg;
    both_begin(p);
    moment first = moment_of(p, 1), last = moment_of(p, LENGTH - PIECE_BYTES);
    int64_t moved = last.bytes - first.bytes, allowed = p->limit * ((last.ns - first.ns) / NS_PER_MS) / 1000;
    if (moved < allowed - allowed / 100 || moved > allowed + allowed / 100)
        test_failed(__FILE__, __LINE__, "%lld bytes moved, %lld are allowed", (long long)moved, (long long)allowed);
}

TEST(limits_are_kept_within_one_per_cent_at_every_rate)
{
    static const struct { const char *up, *down; int64_t limit; } rows[] = {
        {"limit-up 512kbit\n", NULL, 64000}, {"limit-up 5Mbit\n", NULL, 625000}, {"limit-up 30Mbit\n", NULL, 3750000},
        {NULL, "limit-down 512kbit\n", 64000}, {NULL, "limit-down 5Mbit\n", 625000}, {NULL, "limit-down 30Mbit\n", 3750000},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        play_swarm((play){.settings = {rows[i].up, rows[i].down}, .limit = rows[i].limit}, limit_kept_throughout);
}

static void limit_of_torrent(void *arg)
{
    play *p = arg;
    film_add(p, 0, (swarm_addition){.limit_up = 100000});
    CHECK(complete_within(p, 0, seconds(10)));
    film_add(p, 1, (swarm_addition){0});
    CHECK(torrent_peer_add(p->t[1], address(0)));
    fiber_sleep(seconds(3));
    int64_t before = view(p, 1).received;
    fiber_sleep(seconds(10));
    int64_t moved = view(p, 1).received - before;
    CHECK(moved > 990000 - PICKER_BLOCK_BYTES && moved < 1010000 + PICKER_BLOCK_BYTES);
    fiber_world(p->w[0]);
    torrent_limit(p->t[0], 0, 0);
    CHECK(complete_within(p, 1, seconds(5)));
}
TEST(torrent_keeps_its_own_limit_until_it_is_lifted) { play_swarm((play){0}, limit_of_torrent); }

// ---- sleep --------------------------------------------------------------------------------------------------------------

static void sleeps(void *arg)
{
    play *p = arg;
    film_add(p, 0, (swarm_addition){0});
    CHECK(complete_within(p, 0, seconds(10)) && view(p, 0).awake);
    fiber_sleep(seconds(40));
    CHECK(!view(p, 0).awake && view(p, 0).complete);
    CHECK(view(p, 0).state == TORRENT_SEEDING);
    film_add(p, 1, (swarm_addition){.peers = (addr[]){address(0)}, .peer_count = 1});
    CHECK(complete_within(p, 1, seconds(30)));
    CHECK(view(p, 0).awake && view(p, 0).sent >= LENGTH);
    fiber_sleep(seconds(60));
    CHECK(!view(p, 0).awake && !view(p, 1).awake);
}
TEST(torrent_sleeps_while_nobody_wants_it_and_wakes) { play_swarm((play){0}, sleeps); }

// Nothing of it is wanted: it sleeps. Then its file is.
static void chosen_asleep(void *arg)
{
    play *p = arg;
    film_add(p, 0, (swarm_addition){0});
    CHECK(complete_within(p, 0, seconds(10)));
    film_add(p, 1, (swarm_addition){.files = (picker_priority[]){PICKER_SKIP}, .file_count = 1});
    fiber_sleep(seconds(45));
    CHECK(!view(p, 1).awake && view(p, 1).have_pieces == 0);
    fiber_world(p->w[1]);
    CHECK(torrent_file_priority(p->t[1], 0, PICKER_NORMAL));
    fiber_sleep(seconds(1));
    fiber_world(p->w[1]);
    CHECK(torrent_peer_add(p->t[1], address(0)));
    CHECK(complete_within(p, 1, seconds(20)) && view(p, 1).have_bytes == LENGTH);
}
TEST(torrent_whose_files_are_chosen_while_it_sleeps_goes_on) { play_swarm((play){0}, chosen_asleep); }

// ---- a user -------------------------------------------------------------------------------------------------------------

static void pauses(void *arg)
{
    play *p = arg;
    str why = {0};
    both_begin(p);
    while (view(p, 1).have_pieces < PIECES / 4)
        fiber_sleep(millis(10));
    fiber_world(p->w[1]);
    torrent_pause(p->t[1]);
    fiber_sleep(seconds(3));
    int64_t there = view(p, 1).received;
    CHECK(view(p, 1).state == TORRENT_PAUSED && view(p, 1).peers == 0 && !view(p, 1).complete);
    fiber_sleep(seconds(5));
    CHECK_INT(view(p, 1).received, there);
    fiber_world(p->w[1]);
    torrent_resume(p->t[1]);
    (void)torrent_peer_add(p->t[1], address(0));
    CHECK(complete_within(p, 1, seconds(60)));
    CHECK(view(p, 1).received <= LENGTH + 16 * PICKER_BLOCK_BYTES);          // what had come was not fetched again
    fiber_world(p->w[1]);
    CHECK_INT(swarm_remove(p->t[1], true, &p->memory, &why), E_OK);
    CHECK(swarm_find(p->swarm[1], p->hash) == NULL && swarm_count(p->swarm[1]) == 0);
    film_add(p, 1, (swarm_addition){.paused = true});                        // and its files are gone
    CHECK(view(p, 1).have_pieces == 0 && view(p, 1).state == TORRENT_PAUSED);
}
TEST(torrent_is_paused_resumed_and_removed) { play_swarm((play){.settings = {"limit-up 4Mbit\n"}}, pauses); }

static void ratio_reached(void *arg)
{
    play *p = arg;
    both_begin(p);
    fiber_world(p->w[0]);
    torrent_ratio(p->t[0], 1000);
    CHECK(complete_within(p, 1, seconds(60)));
    fiber_sleep(seconds(5));
    CHECK(view(p, 0).state == TORRENT_PAUSED && view(p, 0).sent >= LENGTH);
}
TEST(torrent_pauses_at_its_ratio) { play_swarm((play){0}, ratio_reached); }

// ---- who is heard of ----------------------------------------------------------------------------------------------------

// Host 2 knows host 1 only; host 1 knows host 0, which has the film.
static void exchange_peers(void *arg)
{
    play *p = arg;
    film_add(p, 0, (swarm_addition){.limit_up = 20000});
    CHECK(complete_within(p, 0, seconds(10)));
    film_add(p, 1, (swarm_addition){.peers = (addr[]){address(0)}, .peer_count = 1});
    film_add(p, 2, (swarm_addition){.peers = (addr[]){address(1)}, .peer_count = 1});
    fiber_sleep(seconds(100));
    CHECK_INT(view(p, 2).peers, p->private ? 1 : 2);
    CHECK(view(p, 2).is_private == p->private);
}
TEST(peers_are_heard_of_from_peers) { play_swarm((play){0}, exchange_peers); }
TEST(peers_of_a_private_torrent_are_not) { play_swarm((play){.private = true}, exchange_peers); }

static void itself(void *arg)
{
    play *p = arg;
    film_add(p, 1, (swarm_addition){.peers = (addr[]){address(1), address(2)}, .peer_count = 2});      // ourselves; nobody has it there
    fiber_sleep(seconds(30));
    CHECK(view(p, 1).peers == 0 && view(p, 1).state == TORRENT_DOWNLOADING);
}
TEST(torrent_does_not_stay_connected_to_itself) { play_swarm((play){0}, itself); }

// ---- web seeds ----------------------------------------------------------------------------------------------------------

static void web_serve(void *arg, const http_request *q, http_reply *r, arena *msg)
{
    play *p = arg;
    uint64_t first, last;
    str range = http_header_get(q, S("Range")), rest = str_from(range, 6), from = str_cut(&rest, '-');
    p->web_asked++;
    CHECK_STR(q->path, S("/pub/film"));
    bool good = str_starts(range, S("bytes=")) && str_to_u64(from, &first) && str_to_u64(rest, &last) && first <= last && last < LENGTH;
    CHECK(good);
    if (!good)
        return;
    str part = str_copy(msg, str_of(p->payload + first, (size_t)(last - first + 1)));
    if (p->web_lies)
        ((unsigned char *)(uintptr_t)part.at)[5] ^= 1;
    http_answer_header(r, S("Content-Range"), str_format(msg, "bytes %d-%d/%d", (int)first, (int)last, (int)LENGTH));
    http_answer(r, 206, S("application/octet-stream"), part);
}

static void web_conn(conn *c, void *arg) { http_serve(c, (http_limits){0}, web_serve, arg); }

static void web_open(play *p)
{
    door *d;
    fiber_world(p->w[2]);
    scope_open(&p->web, 0, 16);
    door_options options = {.service = "web", .at = addr_v4(0, 80), .conns_max = 8};
    CHECK_INT(door_open(&p->web, p->w[2], options, web_conn, p, &d), E_OK);
}

static str why_text(play *p, int i, bool json)
{
    buf out = buf_make(64 * 1024);
    fiber_world(p->w[i]);
    torrent_why(p->t[i], &out, json);
    str text = str_copy(&p->memory, buf_str(&out));
    buf_free(&out);
    return text;
}

static void web_alone(void *arg)
{
    play *p = arg;
    web_open(p);
    film_add(p, 1, (swarm_addition){.limit_down = 1000000});
    fiber_sleep(seconds(2));
    CHECK(view(p, 1).web_seeds_sending == 1 && view(p, 1).rate_down > 0 && !view(p, 1).complete);
    CHECK(str_find_str(why_text(p, 1, false), S("web seed http://10.0.2.1/pub/: is being asked for pieces")) >= 0);
    CHECK(str_find_str(why_text(p, 1, true), S("\"web_seeds\": [{\"url\": \"http://10.0.2.1/pub/\"")) >= 0);
    CHECK(complete_within(p, 1, seconds(20)));
    torrent_view v = view(p, 1);
    CHECK(v.received == LENGTH && v.wasted == 0 && v.peers == 0);
    fiber_sleep(seconds(5));
    CHECK(view(p, 1).web_seeds_sending == 0);
    scope_close(&p->web);
    film_add(p, 2, (swarm_addition){.peers = (addr[]){address(1)}, .peer_count = 1});     // and what came is given to others
    CHECK(complete_within(p, 2, seconds(30)));
    CHECK(view(p, 1).sent >= LENGTH);
}
TEST(torrent_comes_from_a_web_seed_alone) { play_swarm((play){.web_seed = "http://10.0.2.1/pub/"}, web_alone); }
TEST(private_torrent_comes_from_a_web_seed) { play_swarm((play){.web_seed = "http://10.0.2.1/pub/", .private = true}, web_alone); }

static void web_liar(void *arg)
{
    play *p = arg;
    p->web_lies = true;
    web_open(p);
    film_add(p, 0, (swarm_addition){0});
    CHECK(complete_within(p, 0, seconds(10)));
    film_add(p, 1, (swarm_addition){0});
    fiber_sleep(seconds(5));
    CHECK(p->web_asked >= 1 && view(p, 1).have_pieces == 0 && view(p, 1).wasted > 0);
    CHECK(str_find_str(why_text(p, 1, false), S("is not asked any more: it sent a piece of another hash")) >= 0);
    fiber_world(p->w[1]);
    CHECK(torrent_peer_add(p->t[1], address(0)));
    int asked = p->web_asked;
    CHECK(complete_within(p, 1, seconds(30)));
    CHECK_INT(p->web_asked, asked);
    scope_close(&p->web);
}
TEST(web_seed_that_lies_is_not_asked_again_and_a_peer_finishes) { play_swarm((play){.web_seed = "http://10.0.2.1/pub/"}, web_liar); }

// A slow peer has begun pieces and leaves: the web seed brings those, too. The web server comes late.
static void web_finishes(void *arg)
{
    play *p = arg;
    film_add(p, 0, (swarm_addition){.limit_up = 300000});
    CHECK(complete_within(p, 0, seconds(10)));
    film_add(p, 1, (swarm_addition){.peers = (addr[]){address(0)}, .peer_count = 1});
    fiber_sleep(millis(3500));
    CHECK(view(p, 1).received > 0);
    fiber_world(p->w[0]);
    torrent_pause(p->t[0]);
    web_open(p);
    CHECK(complete_within(p, 1, minutes(3)));
    CHECK(p->web_asked >= PIECES / 2);
    scope_close(&p->web);
}
TEST(web_seed_brings_what_a_peer_left_behind) { play_swarm((play){.web_seed = "http://10.0.2.1/pub/"}, web_finishes); }

// Both at once: nothing is taken twice but the last pieces.
static void web_and_peer(void *arg)
{
    play *p = arg;
    web_open(p);
    film_add(p, 0, (swarm_addition){.limit_up = 1000000});
    CHECK(complete_within(p, 0, seconds(30)));
    film_add(p, 1, (swarm_addition){.limit_down = 2000000, .peers = (addr[]){address(0)}, .peer_count = 1});
    CHECK(complete_within(p, 1, seconds(30)));
    torrent_view v = view(p, 1);
    CHECK(v.received <= LENGTH + LENGTH / 8 && view(p, 0).sent > LENGTH / 16 && p->web_asked > PIECES / 16);
    scope_close(&p->web);
}
TEST(web_seed_and_a_peer_share_the_work) { play_swarm((play){.web_seed = "http://10.0.2.1/pub/"}, web_and_peer); }

// ---- superseeding -------------------------------------------------------------------------------------------------------

static void superseed(void *arg)
{
    play *p = arg;
    film_add(p, 0, (swarm_addition){.superseed = true, .limit_up = 1000000});
    CHECK(complete_within(p, 0, seconds(10)));
    film_add(p, 1, (swarm_addition){.peers = (addr[]){address(0)}, .peer_count = 1});
    film_add(p, 2, (swarm_addition){.peers = (addr[]){address(0), address(1)}, .peer_count = 2});
    CHECK(complete_within(p, 1, minutes(2)) && complete_within(p, 2, minutes(2)));
    if (view(p, 0).sent > LENGTH + LENGTH / 4)
        test_failed(__FILE__, __LINE__, "%lld bytes sent of %d", (long long)view(p, 0).sent, LENGTH);
}
TEST(superseed_sends_about_one_copy) { play_swarm((play){0}, superseed); }
