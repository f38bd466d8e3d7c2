// Torrents whose files move, whose disk is full or fails.
#include "rooms/swarm/swarm_play_test.h"

#include "base/must.h"
#include "rt/loop.h"
#include "rt/worker.h"
#include "test.h"

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

static void disk_fills_up(void *arg)
{
    play *p = arg;
    const sim_disk full = {.write_ns = 20000, .sync_ns = millis(1), .capacity_bytes = LENGTH / 2}, roomy = {.write_ns = 20000, .sync_ns = millis(1)};
    sim_disk_set(p->w[1], full);
    both_begin(p);
    CHECK(in_trouble_within(p, 1, seconds(20)));
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
    CHECK(in_trouble_within(p, 1, seconds(20)));
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
        if (!in_trouble_within(p, 1, seconds(8)))
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
