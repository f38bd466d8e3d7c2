// Whole swarms of a few hosts in the simulator: limits, sleep, private torrents, what a user may ask for.
#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"
#include "rooms/swarm/swarm_inside.h"
#include "rt/digest.h"
#include "rt/listener.h"
#include "rt/log.h"
#include "rt/sim.h"
#include "rt/worker.h"
#include "talk/http_serve.h"
#include "test.h"

enum { HOSTS = 3, PIECES = 64, PIECE_BYTES = 64 * 1024, LENGTH = PIECES * PIECE_BYTES - 777, PORT = 6881 };

typedef struct {
    sim    *s;
    world  *w[HOSTS];
    node    n[HOSTS];
    swarm  *swarm[HOSTS];
    torrent *t[HOSTS];
    unsigned char *payload;
    str     metainfo;
    uint8_t hash[INFO_HASH_BYTES];
    arena   memory;
    bool    private;
    const char *settings[HOSTS];             // further ones
    const char *web_seed;                    // in the torrent file; host 2 answers at port 80
    bool    web_lies;
    int     web_asked;
    int64_t limit;
    scope   web;
    void  (*body)(void *play);
} play;

// ---- setting the scene --------------------------------------------------------------------------------------------------

static void payload_make(play *p)
{
    unsigned char *digests = arena_alloc(&p->memory, PIECES * INFO_HASH_BYTES, 1, 1);
    metainfo_file only = {.path = S("film"), .length = LENGTH};
    metainfo read, m = {.name = S("film"), .single = true, .piece_bytes = PIECE_BYTES, .length = LENGTH, .piece_count = PIECES, .private = p->private,
                        .pieces = str_of(digests, PIECES * INFO_HASH_BYTES), .files = &only, .file_count = 1};
    str web = p->web_seed ? str_z(p->web_seed) : (str){0};
    if (web.len) {
        m.web_seeds = &web;
        m.web_seed_count = 1;
    }
    p->payload = memory_new(LENGTH);
    for (size_t i = 0; i < LENGTH; i++)
        p->payload[i] = (unsigned char)(i * 2654435761u >> 13);
    for (int32_t i = 0; i < PIECES; i++)
        digest_of(DIGEST_SHA1, str_of(p->payload + i * PIECE_BYTES, (size_t)metainfo_piece_length(&m, i)), digests + i * INFO_HASH_BYTES);
    buf out = buf_make(1 << 20);
    bencode_refusal why;
    must(metainfo_write(&out, &m));
    p->metainfo = str_copy(&p->memory, buf_str(&out));
    buf_free(&out);
    must(metainfo_read(p->metainfo, &p->memory, &read, &why));
    digest_of(DIGEST_SHA1, read.info, p->hash);
}

static void film_put(void *arg)
{
    play *p = arg;
    must(dir_make(p->w[0], "/films", 0755) == E_OK);
    must(file_replace(p->w[0], "/films/film", str_of(p->payload, LENGTH), 0644) == E_OK);
}

static void host_start(play *p, int i)
{
    config_error error;
    str why = {0};
    room *added;
    fiber_world(p->w[i]);
    CHECK_INT(node_start(&p->n[i], p->w[i], S("host"), S("/data")), E_OK);
    str text = str_format(&p->n[i].memory, "port %d\ndht off\nprivate-peers on\nrpc-port 0\n%s", PORT, p->settings[i] ? p->settings[i] : "");
    statement *s = config_parse(S("swarm"), text, &p->n[i].memory, config_include_keep, NULL, &error);
    must(s && config_check(s, swarm_kind.settings, &p->n[i].memory, &error));
    err e = node_add(&p->n[i], &swarm_kind, s, &added, &why);
    if (e)
        test_failed(__FILE__, __LINE__, STR_FMT, STR_ARG(why));
    must(!e);
    p->swarm[i] = swarm_of(added);
}

static torrent *film_add(play *p, int i, swarm_addition what)
{
    str why = {0};
    torrent *t = NULL;
    what.metainfo = what.magnet.len ? (str){0} : p->metainfo;
    what.directory = S("/films");
    fiber_world(p->w[i]);
    CHECK_INT(swarm_add(p->swarm[i], &what, &t, &p->memory, &why), E_OK);
    return p->t[i] = t;
}

static void run(void *arg)
{
    play *p = arg;
    log_setup(LOG_LOGFMT, LOG_ERROR, NULL, NULL);
    for (int i = 0; i < HOSTS; i++) {
        addr at = addr_v4(0x0a000001u + (uint32_t)i * 256, 0);
        p->w[i] = sim_host(p->s, str_format(&p->memory, "host%d", i), &at, 1, (sim_disk){.write_ns = 20000, .sync_ns = millis(1)});
    }
    payload_make(p);
    fiber_world(p->w[0]);
    work(film_put, p);
    for (int i = 0; i < HOSTS; i++)
        host_start(p, i);
    p->body(p);
    for (int i = 0; i < HOSTS; i++) {
        fiber_world(p->w[i]);
        node_stop(&p->n[i]);
    }
    memory_free(p->payload);
}

static void play_swarm(play p, void (*body)(void *))
{
    p.s = sim_new(7);
    p.memory = arena_make(4 << 20);
    p.body = body;
    sim_link_default(p.s, (sim_link){.delay_min_ns = millis(5), .delay_max_ns = millis(5), .bytes_per_s = 50000000});
    CHECK_INT(sim_run(p.s, run, &p), E_OK);
    sim_free(p.s);
    arena_free(&p.memory);
}

static addr address(int i) { return addr_v4(0x0a000001u + (uint32_t)i * 256, PORT); }

static torrent_view view(play *p, int i)
{
    torrent_view v;
    fiber_world(p->w[i]);
    torrent_look(p->t[i], &v);
    return v;
}

static bool complete_within(play *p, int i, int64_t ns)
{
    for (int64_t end = loop_now_ns() + ns; loop_now_ns() < end && !view(p, i).complete; )
        fiber_sleep(millis(10));
    return view(p, i).complete;
}

static void both_begin(play *p)
{
    film_add(p, 0, (swarm_addition){0});
    CHECK(complete_within(p, 0, seconds(10)));
    film_add(p, 1, (swarm_addition){0});
    fiber_world(p->w[1]);
    CHECK(torrent_peer_add(p->t[1], address(0)));
}

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

static void magnet_fetched(void *arg)
{
    play *p = arg;
    film_add(p, 0, (swarm_addition){0});
    CHECK(complete_within(p, 0, seconds(10)));
    str link = str_format(&p->memory, "magnet:?xt=urn:btih:" STR_FMT "&x.pe=10.0.0.1:%d",
                          STR_ARG(hex_text(&p->memory, str_of(p->hash, sizeof p->hash))), PORT);
    film_add(p, 1, (swarm_addition){.magnet = link});
    CHECK(view(p, 1).state == TORRENT_METADATA || view(p, 1).state == TORRENT_QUEUED);
    CHECK(complete_within(p, 1, seconds(60)));
    CHECK_STR(view(p, 1).name, S("film"));
    CHECK_INT(view(p, 1).length, LENGTH);
}
TEST(torrent_of_a_magnet_link_fetches_its_metadata_first) { play_swarm((play){0}, magnet_fetched); }

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

// ---- deadlines ----------------------------------------------------------------------------------------------------------

static void deadline_first(void *arg)
{
    play *p = arg;
    film_add(p, 0, (swarm_addition){.limit_up = 200000});
    CHECK(complete_within(p, 0, seconds(10)));
    film_add(p, 1, (swarm_addition){.sequential = true, .peers = (addr[]){address(0)}, .peer_count = 1});
    fiber_sleep(seconds(2));
    fiber_world(p->w[1]);
    CHECK(torrent_deadline(p->t[1], PIECES - 2, seconds(3)));
    CHECK(!torrent_deadline(p->t[1], PIECES, seconds(3)));
    fiber_sleep(seconds(3));
    str there = torrent_pieces(p->t[1]);
    CHECK(there.at[(PIECES - 2) / 8] & (0x80 >> (PIECES - 2) % 8));
    CHECK(view(p, 1).have_pieces < PIECES / 2);
    int32_t have = view(p, 1).have_pieces;                                   // all others are from the beginning, in order
    for (int32_t i = 0; i < have - 3; i++)
        CHECK_ROW(i, there.at[i / 8] & (0x80 >> i % 8));
}
TEST(piece_with_a_deadline_comes_before_those_in_order) { play_swarm((play){0}, deadline_first); }

// ---- another place ------------------------------------------------------------------------------------------------------

typedef struct { play *p; const char *path; bool there; } looking;

static void look(void *arg)
{
    looking *x = arg;
    file_stat st;
    x->there = path_stat(x->p->w[1], x->path, &st) == E_OK;
}

static bool is_there(play *p, const char *path)
{
    looking x = {p, path, false};
    fiber_world(p->w[1]);
    work(look, &x);
    return x.there;
}

static err move_to(play *p, const char *directory)
{
    str why = {0};
    fiber_world(p->w[1]);
    err e = torrent_move(p->t[1], str_z(directory), &p->memory, &why);
    CHECK(!e == !why.len);
    return e;
}

static void moves(void *arg)
{
    play *p = arg;
    film_add(p, 0, (swarm_addition){.limit_up = 800000});
    CHECK(complete_within(p, 0, seconds(10)));
    film_add(p, 1, (swarm_addition){.peers = (addr[]){address(0)}, .peer_count = 1});
    fiber_sleep(seconds(3));
    CHECK(view(p, 1).have_pieces > 4 && is_there(p, "/films/film.part"));
    int32_t had = view(p, 1).have_pieces;
    CHECK_INT(move_to(p, "films"), E_ACCESS);
    CHECK_INT(move_to(p, "/films/"), E_OK);                                  // it is there
    CHECK_INT(move_to(p, "/other/place/"), E_OK);                            // in the middle of its coming
    CHECK(is_there(p, "/other/place/film.part") && !is_there(p, "/films/film.part"));
    CHECK_STR(view(p, 1).directory, S("/other/place"));
    fiber_world(p->w[1]);
    (void)torrent_peer_add(p->t[1], address(0));
    CHECK(complete_within(p, 1, seconds(60)));
    CHECK(had <= view(p, 1).have_pieces && view(p, 1).received <= LENGTH + 32 * PICKER_BLOCK_BYTES);
    fiber_world(p->w[1]);
    torrent_pause(p->t[1]);
    fiber_sleep(seconds(3));
    CHECK_INT(move_to(p, "/films"), E_OK);                                   // while it is paused
    CHECK(is_there(p, "/films/film") && !is_there(p, "/other/place/film") && view(p, 1).state == TORRENT_PAUSED);
    CHECK_INT(torrent_entry_of(p->t[1])->moving_from.len, 0);
    fiber_world(p->w[1]);
    torrent_resume(p->t[1]);
    CHECK(complete_within(p, 1, seconds(5)));
    fiber_sleep(minutes(2));
    CHECK(!view(p, 1).awake);
    CHECK_INT(move_to(p, "/third"), E_OK);                                   // while it sleeps
    CHECK(is_there(p, "/third/film") && complete_within(p, 1, seconds(5)));
}
TEST(torrent_moves_to_another_directory) { play_swarm((play){0}, moves); }

static void in_the_way_put(void *arg)
{
    play *p = arg;
    must(dir_make(p->w[1], "/busy", 0755) == E_OK);
    must(file_replace(p->w[1], "/busy/film", S("another film"), 0644) == E_OK);
}

// A file is in the way: nothing moves. And a move that was interrupted is finished at the next start.
static void move_refused_and_finished(void *arg)
{
    play *p = arg;
    str why = {0};
    both_begin(p);
    CHECK(complete_within(p, 1, seconds(60)));
    fiber_world(p->w[1]);
    work(in_the_way_put, p);
    CHECK_INT(move_to(p, "/busy"), E_EXISTS);
    CHECK(move_to(p, "/busy/film/in") != E_OK);                              // beneath a file
    CHECK(is_there(p, "/films/film") && complete_within(p, 1, seconds(5)));
    CHECK_STR(view(p, 1).directory, S("/films"));
    torrent_entry *e = torrent_entry_of(p->t[1]);
    CHECK_INT(e->moving_from.len, 0);
    fiber_world(p->w[1]);
    torrent_pause(p->t[1]);
    fiber_sleep(seconds(3));
    torrent_entry_text(e, &e->moving_from, S("/films"));                     // as a crash leaves it
    torrent_entry_text(e, &e->directory, S("/later"));
    torrent_entry_changed(e);
    fiber_world(p->w[1]);
    torrent_resume(p->t[1]);
    fiber_sleep(seconds(2));
    CHECK(complete_within(p, 1, seconds(5)) && is_there(p, "/later/film") && !is_there(p, "/films/film"));
    CHECK_INT(e->moving_from.len, 0);
    fiber_world(p->w[1]);
    CHECK_INT(swarm_remove(p->t[1], true, &p->memory, &why), E_OK);
    CHECK(!is_there(p, "/later/film"));
}
TEST(torrent_move_is_refused_or_finished) { play_swarm((play){0}, move_refused_and_finished); }

// ---- a full disk, a failing one ------------------------------------------------------------------------------------------

static bool in_trouble_within(play *p, int64_t ns)
{
    for (int64_t end = loop_now_ns() + ns; loop_now_ns() < end && view(p, 1).state != TORRENT_TROUBLE; )
        fiber_sleep(millis(10));
    return view(p, 1).state == TORRENT_TROUBLE;
}

static void disk_fills_up(void *arg)
{
    play *p = arg;
    const sim_disk full = {.write_ns = 20000, .sync_ns = millis(1), .capacity_bytes = LENGTH / 2}, roomy = {.write_ns = 20000, .sync_ns = millis(1)};
    sim_disk_set(p->w[1], full);
    both_begin(p);
    CHECK(in_trouble_within(p, seconds(20)));
    CHECK(str_find_str(view(p, 1).trouble, S("no space left")) >= 0 && str_find_str(view(p, 1).trouble, S("make room")) >= 0);
    fiber_sleep(seconds(1));                                                 // what was on its way has come
    int32_t have = view(p, 1).have_pieces;
    int64_t received = view(p, 1).received;
    CHECK(have > 0 && have <= PIECES / 2);                                   // a sparse file: its last piece may come early
    fiber_sleep(minutes(3));                                                 // nothing is fetched that there is no room for
    CHECK(view(p, 1).state == TORRENT_TROUBLE && view(p, 1).trouble.len > 0 && view(p, 1).have_pieces == have);
    CHECK(view(p, 1).received <= received + PICKER_BLOCK_BYTES);
    sim_disk_set(p->w[1], roomy);
    CHECK(complete_within(p, 1, seconds(45)));
    CHECK(view(p, 1).trouble.len == 0 && view(p, 1).wasted == 0);
    // What was in flight when the disk was full comes twice; no piece that was there does.
    CHECK(view(p, 1).received <= received + (int64_t)(PIECES - have) * PIECE_BYTES + PICKER_BLOCK_BYTES);
}
TEST(torrent_on_a_full_disk_pauses_and_goes_on_by_itself) { play_swarm((play){0}, disk_fills_up); }

static void disk_is_made_room_on(void *arg)
{
    play *p = arg;
    sim_disk_set(p->w[1], (sim_disk){.write_ns = 20000, .sync_ns = millis(1), .capacity_bytes = LENGTH / 2});
    both_begin(p);
    CHECK(in_trouble_within(p, seconds(20)));
    fiber_world(p->w[1]);
    torrent_resume(p->t[1]);                                                 // too early: it says so again
    CHECK(view(p, 1).trouble.len > 0);
    fiber_sleep(seconds(2));
    CHECK(view(p, 1).state == TORRENT_TROUBLE && view(p, 1).trouble.len > 0);
    sim_disk_set(p->w[1], (sim_disk){.write_ns = 20000, .sync_ns = millis(1)});
    fiber_world(p->w[1]);
    torrent_resume(p->t[1]);
    CHECK(complete_within(p, 1, seconds(10)) && view(p, 1).trouble.len == 0);
}
TEST(torrent_on_a_full_disk_goes_on_when_it_is_resumed) { play_swarm((play){0}, disk_is_made_room_on); }

// Each file operation of the download fails once, in turn; what was complete stays, and everything comes.
static void disk_fails(void *arg)
{
    play *p = arg;
    both_begin(p);
    for (int n = 0; n < 12 && !view(p, 1).complete; n++) {
        sim_fault_after(p->w[1], 7 * n, E_IO);
        if (!in_trouble_within(p, seconds(8)))
            continue;
        CHECK(str_find_str(view(p, 1).trouble, S("the disk fails")) >= 0);
        fiber_world(p->w[1]);
        torrent_resume(p->t[1]);
        fiber_sleep(seconds(1));
    }
    sim_fault_after(p->w[1], -1, E_IO);
    CHECK(complete_within(p, 1, minutes(3)));
    fiber_world(p->w[1]);
    torrent_verify(p->t[1]);
    fiber_sleep(seconds(10));
    CHECK(complete_within(p, 1, seconds(30)) && view(p, 1).have_pieces == PIECES);
}
TEST(torrent_on_a_failing_disk_pauses_and_goes_on_when_it_is_resumed) { play_swarm((play){.settings = {"limit-up 4Mbit\n"}}, disk_fails); }

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
