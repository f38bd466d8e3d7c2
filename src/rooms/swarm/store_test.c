#include "rooms/swarm/store.h"

#include <malloc.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"
#include "rooms/swarm/store_play_test.h"
#include "rt/worker.h"

enum { PIECE = 64 << 10 };

// Borders in the middle of pieces, many files in one piece, an empty file, a pad file, folders.
static const play_file many[] = {
    {"a/first.bin", 100000}, {"a/second.bin", 1}, {"empty.txt", 0}, {"b/c/d/third.bin", 30}, {".pad/1", 31113, true},
    {"tiny/1", 10}, {"tiny/2", 10}, {"tiny/3", 10}, {"tiny/4", 10}, {"tiny/5", 10}, {"tiny/6", 10}, {"tiny/7", 10}, {"tiny/8", 10},
    {"tiny/9", 10}, {"tiny/10", 10}, {"tiny/11", 10}, {"tiny/12", 10}, {"tiny/13", 10}, {"tiny/14", 10}, {"tiny/15", 10}, {"tiny/16", 10},
    {"tiny/17", 10}, {"tiny/18", 10}, {"tiny/19", 10}, {"tiny/20", 10}, {"last.bin", 300000},
};
enum { MANY = sizeof many / sizeof *many };
static const play_file one[] = {{"film.mkv", 10 * PIECE + 777}};

static void files_compare(play *p)
{
    for (int i = 0; i < p->m.file_count; i++) {
        const metainfo_file *f = &p->m.files[i];
        str path = p->m.single ? f->path : str_format(&p->memory, "show/" STR_FMT, STR_ARG(f->path));
        char *z = str_to_z(&p->memory, path);
        CHECK_ROW(i, play_exists(p, z) == !f->pad);
        if (!f->pad)
            CHECK_ROW(i, str_eq(play_read_file(p, z), str_of(p->payload + f->offset, (size_t)f->length)));
        CHECK_ROW(i, !play_exists(p, str_to_z(&p->memory, str_join(&p->memory, path, S(".part")))));
    }
}

static void put_in_odd_order(play *p)
{
    int32_t n = p->m.piece_count;
    for (int32_t i = 0; i < n; i++)
        CHECK_INT(play_put(p, (i * 13 + 3) % n), E_OK);  // n is no multiple of 13
}

static void whole_body(stage *t)
{
    play p;
    bool single = t->arg != NULL;
    play_make(&p, t, single ? one : many, single ? 1 : MANY, PIECE);
    CHECK_INT(play_open(&p), E_OK);
    CHECK_INT(store_unchecked(p.store), 0);
    CHECK(p.m.piece_count % 13 != 0);
    put_in_odd_order(&p);
    CHECK(store_all_have(p.store) && !store_all_complete(p.store));
    CHECK_INT(store_have_bytes(p.store), p.m.length);
    CHECK(single ? play_exists(&p, "film.mkv.part") : play_exists(&p, "show/last.bin.part"));
    CHECK_INT(store_flush(p.store), E_OK);
    CHECK(store_all_complete(p.store) && p.recorded == 1);
    files_compare(&p);
    CHECK_INT(play_verify_complete(&p), p.m.piece_count);
    play_close(&p);
    CHECK_INT(play_open(&p), E_OK);
    CHECK(store_all_complete(p.store));
    CHECK_INT(store_unchecked(p.store), 0);
    CHECK_INT(store_notice(p.store).len, 0);
    CHECK_INT(play_verify_complete(&p), p.m.piece_count);
    play_close(&p);
    play_free(&p);
}

TEST(store_keeps_a_torrent_of_many_files) { stage_simulated(1, quick_disk, whole_body, NULL); }
TEST(store_keeps_a_torrent_of_one_file) { stage_simulated(1, quick_disk, whole_body, &(int){0}); }
TEST(store_keeps_a_torrent_on_a_real_disk) { stage_real(whole_body, NULL); }

static void wrong_body(stage *t)
{
    play p;
    bool good = true;
    play_make(&p, t, many, MANY, PIECE);
    CHECK_INT(play_open(&p), E_OK);
    str bytes = str_copy(&p.memory, play_piece(&p, 2));
    ((unsigned char *)(uintptr_t)bytes.at)[5] ^= 1;
    CHECK_INT(store_piece_put(p.store, 2, bytes, &good), E_OK);
    CHECK(!good && !bitfield_has(store_have(p.store), 2));
    store_view v;
    CHECK_INT(store_view_get(p.store, 2, 0, 10, &v), E_NO_ENTRY);
    str whole = play_piece(&p, 2), blocks[4] = {str_first(whole, 1), str_sub(whole, 1, 20000), {0}, str_from(whole, 20001)};
    CHECK_INT(store_put(p.store, 2, blocks, 4, &good), E_OK);
    CHECK(good && bitfield_has(store_have(p.store), 2));
    CHECK_INT(store_figures_now(p.pool).pieces_bad, 1);
    CHECK_INT(store_flush(p.store), E_OK);
    CHECK_INT(play_verify_complete(&p), 1);
    play_close(&p);
    play_free(&p);
}

TEST(store_refuses_a_piece_of_another_hash) { stage_simulated(2, quick_disk, wrong_body, NULL); }

// Recording happens by itself, behind; what nobody needs any more is given back.
static void behind_body(stage *t)
{
    play p;
    play_make(&p, t, one, 1, PIECE);
    CHECK_INT(play_open(&p), E_OK);
    CHECK_INT(play_put(&p, 0), E_OK);
    CHECK_INT(play_put(&p, 4), E_OK);
    CHECK_INT(store_complete(p.store)->set, 0);
    CHECK_INT(fiber_sleep(seconds(STORE_SYNC_S + 1)), E_OK);
    CHECK_INT(store_complete(p.store)->set, 2);
    CHECK_INT(p.recorded, 1);
    CHECK_INT(fiber_sleep(seconds(2 * STORE_SETTLE_S + STORE_IDLE_S + 5)), E_OK);
    store_figures f = store_figures_now(p.pool);
    CHECK_INT(f.files_open, 0);
    CHECK_INT(f.layout_bytes, 0);
    play_close(&p);
    play_free(&p);
}

TEST(store_records_behind_and_then_rests) { stage_simulated(3, quick_disk, behind_body, NULL); }

static void views_body(stage *t)
{
    play p;
    static const play_file large[] = {{"large.bin", 7000001}, {"more.bin", 5000000}};
    play_make(&p, t, large, 2, 4 << 20);
    p.limits = (store_limits){.cache_bytes_max = 3 << 20, .files_open_max = 2};
    CHECK_INT(play_open(&p), E_OK);
    for (int32_t i = 0; i < p.m.piece_count; i++)
        CHECK_INT(play_put(&p, i), E_OK);
    CHECK_INT(store_flush(p.store), E_OK);
    CHECK_INT(play_verify_complete(&p), p.m.piece_count);
    CHECK(store_figures_now(p.pool).cache_bytes <= 3 << 20);
    CHECK(store_figures_now(p.pool).read_ahead > 0);
    store_view v, held[4];
    CHECK_INT(store_view_get(p.store, 0, STORE_CHUNK_BYTES - 100, 200, &v), E_OK);      // across two chunks
    CHECK_STR(v.bytes, str_of(p.payload + STORE_CHUNK_BYTES - 100, 200));
    store_view_release(p.store, &v);
    for (int i = 0; i < 4; i++) {                // more than the cache holds: the last one has memory of its own
        CHECK_INT(store_view_get(p.store, i / 2, i % 2 * STORE_CHUNK_BYTES, 16384, &held[i]), E_OK);
        CHECK_STR(held[i].bytes, str_of(p.payload + (i / 2) * (4 << 20) + i % 2 * STORE_CHUNK_BYTES, 16384));
    }
    CHECK(store_figures_now(p.pool).cache_bytes <= 3 << 20);
    for (int i = 0; i < 4; i++)
        store_view_release(p.store, &held[i]);
    CHECK(store_figures_now(p.pool).files_open <= 2);
    play_close(&p);
    play_free(&p);
}

TEST(store_views_are_right_and_bounded) { stage_simulated(4, quick_disk, views_body, NULL); }

// Many fibers put, read and sync at once, over few open files and a small cache.
typedef struct { play *p; int first; } busy;

static void busy_fiber(void *arg)
{
    busy *b = arg;
    play *p = b->p;
    for (int32_t i = b->first; i < p->m.piece_count; i += 8) {
        store_view v;
        CHECK_INT(play_put(p, i), E_OK);
        if (i % 3 == 0)
            CHECK_INT(store_flush(p->store), E_OK);
        str want = play_piece(p, i);
        err e = store_view_get(p->store, i, 0, (int32_t)(want.len < STORE_BLOCK_BYTES ? want.len : STORE_BLOCK_BYTES), &v);
        CHECK_ROW(i, e == E_OK && str_eq(v.bytes, str_first(want, STORE_BLOCK_BYTES)));
        store_view_release(p->store, &v);
        store_view_expect(p->store, i / 2, 0);
    }
}

static void busy_body(stage *t)
{
    play p;
    busy fibers[8];
    static const play_file four[] = {{"a", 700000}, {"b/b", 300000}, {"b/c", 5}, {"d", 900000}};
    play_make(&p, t, four, 4, 16 << 10);
    p.limits = (store_limits){.cache_bytes_max = 128 << 10, .files_open_max = 2, .sync_ns = millis(3), .settle_ns = millis(20), .idle_ns = millis(5)};
    CHECK_INT(play_open(&p), E_OK);
    {
        SCOPE(s, 0, 8);
        for (int i = 0; i < 8; i++) {
            fibers[i] = (busy){&p, i};
            CHECK_INT(scope_go(&s, "busy", busy_fiber, &fibers[i]), E_OK);
        }
        scope_wait(&s);
    }
    CHECK_INT(store_flush(p.store), E_OK);
    CHECK(store_all_complete(p.store));
    CHECK_INT(play_verify_complete(&p), p.m.piece_count);
    files_compare(&p);
    play_close(&p);
    CHECK_INT(play_open(&p), E_OK);
    CHECK(store_all_complete(p.store) && !store_unchecked(p.store));
    play_close(&p);
    play_free(&p);
}

TEST(store_serves_many_fibers_at_once) { stage_real(busy_body, NULL); }
TEST(store_serves_many_fibers_at_once_simulated) { stage_simulated(15, quick_disk, busy_body, NULL); }

// ---- selection ------------------------------------------------------------------------------------------------------------

static void selection_body(stage *t)
{
    play p;
    static const play_file three[] = {{"a", 100000}, {"b", 100000}, {"c", 100000}};
    static const bool only_b[] = {false, true, false}, b_and_c[] = {false, true, true}, all[] = {true, true, true};
    play_make(&p, t, three, 3, PIECE);
    p.wanted = only_b;
    CHECK_INT(play_open(&p), E_OK);
    for (int32_t i = 0; i < p.m.piece_count; i++) {
        bool touches_b = i >= 1 && i <= 3;
        CHECK_ROW(i, store_piece_wanted(p.store, i) == touches_b);
        if (touches_b)
            CHECK_INT(play_put(&p, i), E_OK);
    }
    CHECK(store_all_have(p.store));
    CHECK_INT(store_flush(p.store), E_OK);
    CHECK(store_all_complete(p.store) && !bitfield_all(store_complete(p.store)));
    CHECK(play_exists(&p, "show/b") && !play_exists(&p, "show/a.part") && !play_exists(&p, "show/c.part") && !play_exists(&p, "show/c"));
    CHECK_INT(play_verify_complete(&p), 3);
    play_close(&p);
    CHECK_INT(play_open(&p), E_OK);
    CHECK_INT(play_verify_complete(&p), 3);
    CHECK_INT(store_select(p.store, b_and_c, 3), E_OK);
    CHECK(!store_all_complete(p.store) && play_exists(&p, "show/c.part") && !play_exists(&p, "show/a.part"));
    CHECK_INT(play_verify_complete(&p), 3);
    CHECK_INT(play_put(&p, 4), E_OK);
    CHECK_INT(store_flush(p.store), E_OK);
    CHECK(store_all_complete(p.store));
    CHECK_STR(play_read_file(&p, "show/c"), str_of(p.payload + 200000, 100000));
    play_close(&p);
    p.wanted = b_and_c;
    CHECK_INT(play_open(&p), E_OK);
    CHECK_INT(play_verify_complete(&p), 4);
    CHECK_INT(store_select(p.store, all, 3), E_OK);
    CHECK_INT(play_put(&p, 0), E_OK);
    CHECK_INT(store_flush(p.store), E_OK);
    CHECK(bitfield_all(store_complete(p.store)));
    files_compare(&p);
    CHECK_INT(store_select(p.store, only_b, 3), E_OK);                   // what is there stays
    files_compare(&p);
    play_close(&p);
    play_free(&p);
}

TEST(store_makes_no_files_that_nobody_wants_until_somebody_does) { stage_simulated(5, quick_disk, selection_body, NULL); }
TEST(store_selection_on_a_real_disk) { stage_real(selection_body, NULL); }

// ---- files that change behind its back ------------------------------------------------------------------------------------------

static void all_put(play *p)
{
    CHECK_INT(play_open(p), E_OK);
    for (int32_t i = 0; i < p->m.piece_count; i++)
        CHECK_INT(play_put(p, i), E_OK);
    play_close(p);
}

static void changed_body(stage *t)
{
    play p;
    play_make(&p, t, many, MANY, PIECE);
    all_put(&p);
    CHECK_INT(fiber_sleep(millis(20)), E_OK);
    CHECK_INT(play_write_file(&p, "show/last.bin", 200000, S("somebody else was here")), E_OK);
    CHECK_INT(play_open(&p), E_OK);
    int32_t first = (int32_t)(p.m.files[MANY - 1].offset / PIECE), count = p.m.piece_count - first;
    CHECK_INT(store_unchecked(p.store), count);
    CHECK(str_find_str(store_notice(p.store), S("last.bin has changed")) >= 0);
    CHECK_INT(store_complete(p.store)->set, first);
    CHECK_INT(store_check(p.store, false, NULL, NULL), E_OK);
    CHECK_INT(store_unchecked(p.store), 0);
    CHECK_INT(store_complete(p.store)->set, p.m.piece_count - 1);
    int32_t bad = (int32_t)((p.m.files[MANY - 1].offset + 200000) / PIECE);
    CHECK(!bitfield_has(store_have(p.store), bad));
    CHECK_INT(play_put(&p, bad), E_OK);
    play_close(&p);
    CHECK_INT(play_open(&p), E_OK);
    CHECK_INT(play_verify_complete(&p), p.m.piece_count);
    files_compare(&p);
    play_close(&p);
    play_free(&p);
}

TEST(store_checks_only_the_file_that_changed) { stage_simulated(6, quick_disk, changed_body, NULL); }
TEST(store_sees_changes_on_a_real_disk) { stage_real(changed_body, NULL); }

static void cut_body(stage *t)
{
    play p;
    play_make(&p, t, one, 1, PIECE);
    all_put(&p);
    CHECK_INT(play_write_file(&p, "film.mkv", 3 * PIECE, (str){0}), E_OK);           // cut off
    CHECK_INT(play_open(&p), E_OK);
    CHECK_INT(store_unchecked(p.store), p.m.piece_count);
    CHECK_INT(store_check(p.store, false, NULL, NULL), E_OK);
    CHECK_INT(store_complete(p.store)->set, 3);
    CHECK_INT(play_verify_complete(&p), 3);
    // While it is open, too: the reader finds out, and nothing is written until somebody looked.
    CHECK_INT(play_write_file(&p, "film.mkv", PIECE, (str){0}), E_OK);
    store_view v;
    store_view_get(p.store, 0, 0, 100, &v);
    store_view_release(p.store, &v);
    p.lost = 0;
    play_close(&p);
    CHECK_INT(play_open(&p), E_OK);
    CHECK_INT(store_check(p.store, true, NULL, NULL), E_OK);
    CHECK_INT(store_complete(p.store)->set, 1);
    play_close(&p);
    play_free(&p);
}

TEST(store_notices_a_file_that_was_cut) { stage_simulated(7, quick_disk, cut_body, NULL); }

static void missing_body(stage *t)
{
    play p;
    play_make(&p, t, many, MANY, PIECE);
    all_put(&p);
    CHECK_INT(play_remove(&p, "show/a/first.bin"), E_OK);
    CHECK_INT(play_open(&p), E_OK);
    CHECK_INT(store_trouble_error(p.store), E_NO_ENTRY);
    CHECK(str_find_str(store_trouble(p.store), S("first.bin is missing")) >= 0);
    CHECK_INT(store_retry(p.store), E_NO_ENTRY);
    CHECK(str_find_str(store_trouble(p.store), S("first.bin")) >= 0);
    CHECK_INT(store_complete(p.store)->set, p.m.piece_count);
    CHECK_INT(play_write_file(&p, "show/a/first.bin", 0, str_of(p.payload, 100000)), E_OK);      // mounted, or put back
    CHECK_INT(store_retry(p.store), E_OK);
    CHECK_INT(store_trouble(p.store).len, 0);
    CHECK_INT(play_verify_complete(&p), p.m.piece_count);
    CHECK_INT(play_remove(&p, "show/a/first.bin"), E_OK);
    CHECK_INT(store_check(p.store, true, NULL, NULL), E_OK);             // "verify": fetch it again
    CHECK_INT(store_trouble(p.store).len, 0);
    CHECK(!bitfield_has(store_have(p.store), 0) && !bitfield_has(store_have(p.store), 1));
    CHECK_INT(play_put(&p, 0), E_OK);
    CHECK_INT(play_put(&p, 1), E_OK);
    CHECK_INT(store_flush(p.store), E_OK);
    CHECK(store_all_complete(p.store));
    files_compare(&p);
    play_close(&p);
    play_free(&p);
}

TEST(store_does_not_fetch_again_what_is_on_a_disk_that_is_not_mounted) { stage_simulated(8, quick_disk, missing_body, NULL); }

typedef struct { int32_t done, of; int calls; } told;
static void progress(void *arg, int32_t done, int32_t of) { told *x = arg; x->done = done, x->of = of, x->calls++; }

static char *state_path(play *p, const char *ending)
{
    unsigned char name[40];
    hex_encode(name, str_of(p->hash, sizeof p->hash));
    return str_to_z(&p->memory, str_format(&p->memory, STR_FMT "/%.40s%s", STR_ARG(p->state), name, ending));
}

static void journal_remove(stage *t) { CHECK_INT(path_remove(t->world, state_path(t->arg, ".have")), E_OK); }

static void seed_body(stage *t)
{
    play p;
    play_make(&p, t, many, MANY, PIECE);
    for (int i = 0; i < MANY; i++)
        if (!many[i].pad && many[i].length) {
            char *path = str_to_z(&p.memory, str_format(&p.memory, "show/%s", many[i].path));
            CHECK_INT(play_write_file(&p, path, 0, str_of(p.payload + p.m.files[i].offset, (size_t)many[i].length)), E_OK);
        }
    CHECK_INT(play_open(&p), E_OK);
    CHECK_INT(store_unchecked(p.store), p.m.piece_count);
    CHECK_INT(store_have(p.store)->set, 0);
    told x = {0};
    CHECK_INT(store_check(p.store, false, progress, &x), E_OK);
    CHECK(x.done == p.m.piece_count && x.of == x.done && x.calls == x.done);
    CHECK(store_all_complete(p.store));
    play_close(&p);
    CHECK_INT(play_open(&p), E_OK);
    CHECK(store_all_complete(p.store) && !store_unchecked(p.store));
    play_close(&p);
    t->arg = &p;                                 // without its journal it is all the same again
    stage_work(t, journal_remove);
    CHECK_INT(play_open(&p), E_OK);
    CHECK_INT(store_unchecked(p.store), p.m.piece_count);
    CHECK_INT(store_check(p.store, false, NULL, NULL), E_OK);
    CHECK(store_all_complete(p.store));
    files_compare(&p);
    play_close(&p);
    play_free(&p);
}

TEST(store_seeds_files_that_a_user_had_already) { stage_simulated(9, quick_disk, seed_body, NULL); }
TEST(store_seeds_files_on_a_real_disk) { stage_real(seed_body, NULL); }

typedef struct { play *p; err error; } check_of;
static void check_fiber(void *arg) { check_of *c = arg; c->error = store_check(c->p->store, true, NULL, NULL); }

static void cancel_body(stage *t)
{
    play p;
    sim_disk slow = {.per_kib_ns = millis(1)};
    play_make(&p, t, one, 1, PIECE);
    all_put(&p);
    sim_disk_set(t->world, slow);
    CHECK_INT(play_open(&p), E_OK);
    check_of c = {&p, E_OK};
    {
        SCOPE(s, 0, 1);
        CHECK_INT(scope_go(&s, "check", check_fiber, &c), E_OK);
        CHECK_INT(fiber_sleep(millis(100)), E_OK);
    }
    CHECK_INT(c.error, E_CANCELED);
    CHECK_INT(store_complete(p.store)->set, p.m.piece_count);            // nothing was found wrong
    play_close(&p);
    play_free(&p);
}

TEST(store_check_can_be_stopped) { stage_simulated(10, quick_disk, cancel_body, NULL); }

// A byte of the journal is damaged, at every place: never a piece that is not there, never a failure to open.
static int64_t journal_bytes;
static void journal_look(stage *t)
{
    file_stat st = {0};
    CHECK_INT(path_stat(t->world, state_path(t->arg, ".have"), &st), E_OK);
    journal_bytes = st.size_bytes;
}

static void damage_body(stage *t)
{
    play p;
    play_make(&p, t, one, 1, PIECE);
    CHECK_INT(play_open(&p), E_OK);
    for (int32_t i = 0; i < p.m.piece_count; i += 2) {
        CHECK_INT(play_put(&p, i), E_OK);
        CHECK_INT(store_flush(p.store), E_OK);
    }
    play_close(&p);
    t->arg = &p;
    stage_work(t, journal_look);
    for (int64_t at = 0; at < journal_bytes; at += 3) {
        stage_damage(t, state_path(&p, ".have"), at);
        CHECK_INT(play_open(&p), E_OK);
        for (int32_t i = 1; i < p.m.piece_count; i += 2)
            CHECK_ROW(i, !bitfield_has(store_complete(p.store), i));
        play_verify_complete(&p);
        play_close(&p);
        stage_damage(t, state_path(&p, ".have"), at);                    // back
    }
    CHECK_INT(play_open(&p), E_OK);
    CHECK_INT(store_complete(p.store)->set, (p.m.piece_count + 1) / 2);
    play_close(&p);
    play_free(&p);
}

TEST(store_survives_a_damaged_journal) { stage_simulated(11, quick_disk, damage_body, NULL); }

// ---- place ----------------------------------------------------------------------------------------------------------------------

static void move_body(stage *t)
{
    play p;
    str why;
    play_make(&p, t, many, MANY, PIECE);
    CHECK_INT(play_open(&p), E_OK);
    CHECK_INT(play_put(&p, 0), E_OK);
    CHECK_INT(play_put(&p, 3), E_OK);
    CHECK_INT(play_write_file(&p, "show/a/foreign", 0, S("mine")), E_OK);
    str old = p.home, new_home = str_join(&p.memory, p.home, S("-new/deep"));
    p.home = new_home;
    CHECK_INT(store_move(p.store, new_home, &p.memory, &why), E_OK);
    CHECK(play_exists(&p, "show/last.bin.part") && play_exists(&p, "show/a/first.bin.part"));
    p.home = old;
    CHECK(!play_exists(&p, "show/last.bin.part") && !play_exists(&p, "show/tiny") && play_exists(&p, "show/a/foreign"));
    p.home = new_home;
    for (int32_t i = 0; i < p.m.piece_count; i++)
        CHECK_INT(play_put(&p, i), E_OK);
    CHECK_INT(store_flush(p.store), E_OK);
    files_compare(&p);
    play_close(&p);
    CHECK_INT(play_open(&p), E_OK);
    CHECK(store_all_complete(p.store));
    CHECK_INT(play_verify_complete(&p), p.m.piece_count);
    p.home = old;                                // a move that was written down but not done: opening does it
    play_close(&p);
    p.moving_from = new_home;
    CHECK_INT(play_open(&p), E_OK);
    CHECK_INT(store_trouble(p.store).len, 0);
    files_compare(&p);
    CHECK_INT(play_write_file(&p, "show/b/foreign", 0, S("mine")), E_OK);
    CHECK_INT(store_remove_data(p.store, &p.memory, &why), E_OK);
    CHECK(!play_exists(&p, "show/last.bin") && !play_exists(&p, "show/tiny") && play_exists(&p, "show/b/foreign") &&
          play_exists(&p, "show/a/foreign") && !play_exists(&p, "show/b/c"));
    CHECK_INT(store_have(p.store)->set, 0);
    play_close(&p);
    play_free(&p);
}

TEST(store_moves_and_removes_its_own_files_alone) { stage_simulated(12, quick_disk, move_body, NULL); }
TEST(store_moves_on_a_real_disk) { stage_real(move_body, NULL); }

static void move_taken_body(stage *t)
{
    play p;
    str why = {0};
    play_make(&p, t, one, 1, PIECE);
    all_put(&p);
    str new_home = str_join(&p.memory, p.home, S("-new")), old = p.home;
    p.home = new_home;
    CHECK_INT(play_write_file(&p, "film.mkv", 0, S("mine")), E_OK);
    p.home = old;
    CHECK_INT(play_open(&p), E_OK);
    CHECK_INT(store_move(p.store, new_home, &p.memory, &why), E_EXISTS);
    CHECK(why.len > 0);
    CHECK_INT(store_trouble(p.store).len, 0);
    CHECK_INT(play_verify_complete(&p), p.m.piece_count);
    play_close(&p);
    p.home = new_home;
    CHECK_STR(play_read_file(&p, "film.mkv"), S("mine"));
    play_free(&p);
}

TEST(store_does_not_move_over_a_file_that_is_not_its_own) { stage_simulated(13, quick_disk, move_taken_body, NULL); }

static void other_disk_body(stage *t)
{
    play p;
    str why = {0};
    char away[] = "/dev/shm/naru-store-XXXXXX";
    struct stat here, there;
    if (!mkdtemp(away) || stat(away, &there) != 0 || stat(t->directory, &here) != 0 || here.st_dev == there.st_dev) {
        test_skip("no second file system at /dev/shm");
        return;
    }
    static const play_file large[] = {{"one", 20 << 20}, {"two", 100}};
    play_make(&p, t, large, 2, 1 << 20);
    all_put(&p);
    CHECK_INT(play_open(&p), E_OK);
    CHECK_INT(store_move(p.store, str_z(away), &p.memory, &why), E_OK);
    CHECK_INT(why.len, 0);
    CHECK(!play_exists(&p, "show"));
    p.home = str_z(away);
    files_compare(&p);
    play_close(&p);
    CHECK_INT(play_open(&p), E_OK);
    CHECK(store_all_complete(p.store) && !store_unchecked(p.store));
    CHECK_INT(store_remove_data(p.store, &p.memory, &why), E_OK);
    play_close(&p);
    CHECK(rmdir(away) == 0);
    play_free(&p);
}

TEST(store_moves_to_another_disk) { stage_real(other_disk_body, NULL); }

// ---- many, idle -------------------------------------------------------------------------------------------------------------------

enum { IDLE = 50 };

// The same torrent under many pools' numbers would not do: each has a hash, a torrent file and a journal of its own.
static void idle_body(stage *t)
{
    static store *stores[IDLE];
    static play p[IDLE];
    static char paths[IDLE][24];
    SCOPE(s, 0, 8);
    store_pool *pool;
    CHECK_INT(store_pool_open(&s, (store_limits){.idle_ns = 1}, &pool), E_OK);
    for (int i = 0; i < IDLE; i++) {
        snprintf(paths[i], sizeof paths[i], "file-%d", i);
        const play_file file_of[] = {{paths[i], 2000 * 64ll}};
        play_make(&p[i], t, file_of, 1, 64);
        CHECK_INT(play_open(&p[i]), E_OK);
        play_close(&p[i]);
    }
    size_t before = mallinfo2().uordblks;
    for (int i = 0; i < IDLE; i++) {
        store_options options = {.state_directory = p[i].state, .directory = p[i].home};
        memcpy(options.hash, p[i].hash, sizeof options.hash);
        CHECK_INT(store_open(pool, &options, &p[i].memory, &stores[i], &p[i].why), E_OK);
    }
    fiber_sleep(millis(50));
    size_t used = mallinfo2().uordblks - before;
    CHECK_INT(store_figures_now(pool).files_open, 0);
    CHECK_INT(store_figures_now(pool).layout_bytes, 0);
    CHECK(used / IDLE <= 4096);
    for (int i = 0; i < IDLE; i++) {
        store_close(stores[i]);
        play_free(&p[i]);
    }
    store_pool_close(pool);
}

TEST(store_idle_torrents_cost_little) { stage_real(idle_body, NULL); }

// ---- partly filled pieces ---------------------------------------------------------------------------------------------------------

static void partial_body(stage *t)
{
    play p;
    store_partial *list;
    int count;
    play_make(&p, t, one, 1, PIECE);
    CHECK_INT(play_open(&p), E_OK);
    unsigned char some = 0xa0, last = 0x80;
    store_partial kept[] = {{2, &some, play_piece(&p, 2)}, {10, &last, play_piece(&p, 10)}};
    CHECK_INT(store_partial_save(p.store, kept, 2), E_OK);
    play_close(&p);
    CHECK_INT(play_open(&p), E_OK);
    CHECK_INT(store_partial_load(p.store, &p.memory, &list, &count), E_OK);
    CHECK_INT(count, 2);
    CHECK(count == 2 && list[0].piece == 2 && list[0].blocks[0] == 0xa0 && list[1].piece == 10 && list[1].bytes.len == 777);
    CHECK_STR(str_first(list[0].bytes, 16384), str_first(play_piece(&p, 2), 16384));
    CHECK_STR(str_sub(list[0].bytes, 32768, 16384), str_sub(play_piece(&p, 2), 32768, 16384));
    CHECK(list[0].bytes.at[16384] == 0);
    CHECK_INT(store_partial_load(p.store, &p.memory, &list, &count), E_OK);
    CHECK_INT(count, 0);                         // once
    CHECK_INT(store_partial_save(p.store, kept, 2), E_OK);
    play_close(&p);
    stage_damage(t, state_path(&p, ".partial"), 100);
    CHECK_INT(play_open(&p), E_OK);
    CHECK_INT(store_partial_load(p.store, &p.memory, &list, &count), E_OK);
    CHECK_INT(count, 0);
    play_close(&p);
    play_free(&p);
}

TEST(store_keeps_partly_filled_pieces_over_a_stop) { stage_simulated(14, quick_disk, partial_body, NULL); }

// ---- the real disk's traps -----------------------------------------------------------------------------------------------------------

static void trap_body(stage *t)
{
    play p;
    char path[512], outside[256];
    play_make(&p, t, many, MANY, PIECE);
    snprintf(outside, sizeof outside, "%s/outside", t->directory);
    snprintf(path, sizeof path, STR_FMT, STR_ARG(p.home));
    CHECK(mkdir(outside, 0700) == 0 && mkdir(path, 0700) == 0);
    snprintf(path, sizeof path, STR_FMT "/show", STR_ARG(p.home));
    CHECK(symlink(outside, path) == 0);
    CHECK_INT(play_open(&p), E_ACCESS);          // the torrent's folder is a link
    CHECK(p.why.len > 0);
    play_close(&p);
    CHECK(unlink(path) == 0);
    CHECK_INT(play_open(&p), E_OK);
    CHECK_INT(play_put(&p, 0), E_OK);
    snprintf(path, sizeof path, STR_FMT "/show/b", STR_ARG(p.home));     // while it runs
    CHECK(rmdir(path) != 0);
    CHECK(symlink(outside, path) == 0);
    snprintf(path, sizeof path, STR_FMT "/show/last.bin", STR_ARG(p.home));
    CHECK(mkfifo(path, 0600) == 0);
    CHECK_INT(play_put(&p, 1), E_ACCESS);        // b/c/d/third.bin
    CHECK_INT(store_trouble_error(p.store), E_ACCESS);
    CHECK(str_find_str(store_trouble(p.store), S("third.bin")) >= 0);
    snprintf(path, sizeof path, STR_FMT "/show/b", STR_ARG(p.home));
    CHECK(unlink(path) == 0);
    CHECK_INT(store_retry(p.store), E_OK);
    CHECK_INT(play_put(&p, 1), E_OK);
    CHECK_INT(play_put(&p, p.m.piece_count - 1), E_ACCESS);              // the FIFO
    CHECK_INT(store_complete(p.store)->set <= 2, true);
    play_close(&p);
    snprintf(path, sizeof path, "%s/c", outside);
    CHECK(access(path, F_OK) != 0);
    play_free(&p);
}

TEST(store_walks_into_no_trap) { stage_real(trap_body, NULL); }
