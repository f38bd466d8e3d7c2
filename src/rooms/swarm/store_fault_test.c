// What must hold whatever happens to the disk: a piece that was called complete is there, whole, in every later life.
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rooms/swarm/store_play_test.h"
#include "rt/worker.h"

enum { PIECE = 32 << 10 };
static const play_file files[] = {{"a", 50000}, {"sub/b", 40000}, {"none", 0}, {"c", 70000}};
static const bool not_b[] = {true, false, true, true};
static const bool all_of[] = {true, true, true, true};

typedef struct {
    play    p;
    bitfield promised;                           // was in store_complete in an earlier life
    bool    selecting, moving;
    int64_t steps;
    bool    met;
} fault;

static void promises_note(fault *f)
{
    const bitfield *complete = f->p.store ? store_complete(f->p.store) : NULL;
    for (int32_t i = 0; complete && i < complete->count; i++)
        if (bitfield_has(complete, i))
            bitfield_add(&f->promised, i);
}

static void promises_check(fault *f)
{
    for (int32_t i = 0; i < f->promised.count; i++)
        if (bitfield_has(&f->promised, i))
            CHECK_ROW(i, bitfield_has(store_complete(f->p.store), i));
}

// One life: puts what is missing, flushing now and then; stops at the first trouble.
static void life(void *arg)
{
    fault *f = arg;
    play *p = &f->p;
    bool good;
    p->wanted = f->selecting ? not_b : NULL;
    err e = play_open(p);
    for (int32_t i = 0; !e && i < p->m.piece_count; i++) {
        e = store_piece_put(p->store, i, play_piece(p, i), &good);
        CHECK(e || good);
        if (!e && i % 2 == 1)
            e = store_flush(p->store);
        promises_note(f);
    }
    if (!e && f->selecting)
        e = store_select(p->store, all_of, 4);
    if (!e && f->moving) {
        str why;
        e = store_move(p->store, S("/data/elsewhere"), &p->memory, &why);
    }
    if (p->store)
        promises_note(f);
    if (p->pool)
        play_close(p);
}

// The next life on a sound disk: nothing promised is lost, everything can be finished.
static void aftermath(void *arg)
{
    fault *f = arg;
    play *p = &f->p;
    p->wanted = NULL;
    p->moving_from = f->moving ? S("/data/home") : (str){0};
    p->home = f->moving ? S("/data/elsewhere") : S("/data/home");
    CHECK_INT(play_open(p), E_OK);
    if (p->store) {
        promises_check(f);
        CHECK_INT(store_trouble(p->store).len, 0);
        play_verify_complete(p);
        if (store_unchecked(p->store))
            CHECK_INT(store_check(p->store, false, NULL, NULL), E_OK);
        if (f->selecting)
            CHECK_INT(store_select(p->store, all_of, 4), E_OK);
        for (int32_t i = 0; i < p->m.piece_count; i++)
            CHECK_INT(play_put(p, i), E_OK);
        CHECK_INT(store_flush(p->store), E_OK);
        CHECK(bitfield_all(store_complete(p->store)));
        CHECK_INT(play_verify_complete(p), p->m.piece_count);
    }
    play_close(p);
    p->home = S("/data/home");
    p->moving_from = (str){0};
}

// A life of the host: a crash ends its fibers, not the test's own, which stands on another host.
static void live(stage *t, fiber_body *body, fault *f)
{
    fiber_world(t->director);
    SCOPE(s, 0, 2);
    CHECK_INT(sim_boot(t->world, &s, body, f), E_OK);
    scope_wait(&s);
}

static void fault_make(fault *f, stage *t)
{
    play_make(&f->p, t, files, 4, PIECE);
    CHECK(bitfield_make(&f->p.memory, f->p.m.piece_count, &f->promised));
}

// ---- the power fails at every file operation ---------------------------------------------------------------------------------------

static void crash_body(stage *t)
{
    fault *f = t->arg;
    fault_make(f, t);
    sim_crash_after(t->world, f->steps);
    live(t, life, f);
    f->met = !sim_is_up(t->world);
    stage_restart(t);
    sim_crash_after(t->world, -1);
    live(t, aftermath, f);
    play_free(&f->p);
}

static void crash_walk(bool selecting, bool moving)
{
    int64_t steps = 0;
    for (bool met = true; met && steps < 2000; steps++) {
        fault f = {.steps = steps, .selecting = selecting, .moving = moving};
        stage_simulated((uint64_t)steps + 1, quick_disk, crash_body, &f);
        met = f.met;
    }
    CHECK(steps > 40 && steps < 2000);
}

TEST(store_loses_nothing_promised_whatever_step_the_power_fails_at) { crash_walk(false, false); }
TEST(store_selection_survives_power_cuts) { crash_walk(true, false); }
TEST(store_moving_survives_power_cuts) { crash_walk(false, true); }

// ---- a fault at every file operation ---------------------------------------------------------------------------------------------------

typedef struct { fault f; err error; } struck;

static void strike_life(void *arg)
{
    fault *f = arg;
    play *p = &f->p;
    stage *t = p->t;
    const struck *k = t->arg;
    bool good;
    p->wanted = f->selecting ? not_b : NULL;
    sim_fault_after(t->world, f->steps, k->error);
    err e = play_open(p);
    for (int32_t i = 0; p->store && i < p->m.piece_count; i++) {
        e = store_piece_put(p->store, i, play_piece(p, i), &good);
        if (e) {
            CHECK(store_trouble(p->store).len > 0 && store_trouble_error(p->store) == e);
            CHECK(p->troubles > 0);
            store_retry(p->store);
            e = store_piece_put(p->store, i, play_piece(p, i), &good);
        }
        CHECK(e || good);
        if (i % 2 == 1 && store_flush(p->store))
            store_retry(p->store);
        promises_note(f);
    }
    if (p->store && f->selecting && store_select(p->store, all_of, 4))
        CHECK(store_retry(p->store) == E_OK && store_select(p->store, all_of, 4) == E_OK);
    for (int round = 0; p->store && round < 2; round++) {                // what a failed sync took is brought again
        if (store_trouble(p->store).len)
            store_retry(p->store);
        for (int32_t i = 0; i < p->m.piece_count; i++)
            if (store_piece_put(p->store, i, play_piece(p, i), &good))
                store_retry(p->store);
        (void)store_flush(p->store);
    }
    f->met = sim_fault_met(t->world);
    sim_fault_after(t->world, -1, E_OK);
    if (p->store) {
        CHECK_INT(store_trouble(p->store).len, 0);
        CHECK(bitfield_all(store_complete(p->store)));
        CHECK_INT(play_verify_complete(p), p->m.piece_count);
        promises_note(f);
    }
    play_close(p);
}

static void strike_body(stage *t)
{
    struck *k = t->arg;
    fault *f = &k->f;
    fault_make(f, t);
    live(t, strike_life, f);
    stage_restart(t);                            // and the power fails, too
    live(t, aftermath, f);
    play_free(&f->p);
}

static void strike_walk(err error, bool selecting)
{
    int64_t steps = 0;
    for (bool met = true; met && steps < 2000; steps++) {
        struck k = {.f = {.steps = steps, .selecting = selecting}, .error = error};
        stage_simulated((uint64_t)steps + 7, quick_disk, strike_body, &k);
        met = k.f.met;
    }
    CHECK(steps > 40 && steps < 2000);
}

TEST(store_survives_a_full_disk_at_any_step) { strike_walk(E_NO_SPACE, false); }
TEST(store_survives_a_failing_disk_at_any_step) { strike_walk(E_IO, false); }
TEST(store_selection_survives_a_failing_disk_at_any_step) { strike_walk(E_IO, true); }

// ---- a disk that is too small ------------------------------------------------------------------------------------------------------------

static void small_body(stage *t)
{
    play p;
    bool good;
    err e = E_OK;
    int32_t i = 0;
    play_make(&p, t, files, 4, PIECE);
    CHECK_INT(play_open(&p), E_OK);
    for (; !e && i < p.m.piece_count; i++)
        e = store_piece_put(p.store, i, play_piece(&p, i), &good);
    CHECK_INT(e, E_NO_SPACE);
    CHECK(str_find_str(store_trouble(p.store), S("make room")) >= 0);
    CHECK(i > 1 && !bitfield_has(store_have(p.store), i - 1));
    sim_disk_set(t->world, quick_disk);
    CHECK_INT(store_retry(p.store), E_OK);
    for (i = 0; i < p.m.piece_count; i++)
        CHECK_INT(play_put(&p, i), E_OK);
    CHECK_INT(store_flush(p.store), E_OK);
    CHECK_INT(play_verify_complete(&p), p.m.piece_count);
    play_close(&p);
    play_free(&p);
}

TEST(store_stops_on_a_full_disk_and_goes_on_after)
{
    sim_disk small = quick_disk;
    small.capacity_bytes = 110000;
    stage_simulated(3, small, small_body, NULL);
}

static void reserve_body(stage *t)
{
    play p;
    bool good;
    play_make(&p, t, files, 4, PIECE);
    p.allocate_full = true;
    CHECK_INT(play_open(&p), E_OK);
    CHECK_INT(store_piece_put(p.store, 0, play_piece(&p, 0), &good), E_NO_SPACE);
    CHECK(str_find_str(store_trouble(p.store), S("cannot reserve space")) >= 0);
    sim_disk_set(t->world, quick_disk);
    CHECK_INT(store_retry(p.store), E_OK);
    CHECK_INT(play_put(&p, 0), E_OK);
    CHECK_INT(play_read_file(&p, "show/c.part").len, 70000);
    play_close(&p);
    play_free(&p);
}

TEST(store_reserves_space_before_the_first_byte)
{
    sim_disk small = quick_disk;
    small.capacity_bytes = 150000;
    stage_simulated(3, small, reserve_body, NULL);
}

// ---- syncs that fail by chance, and power cuts, over and over --------------------------------------------------------------------------------

static void storm_body(stage *t)
{
    fault *f = t->arg;
    fault_make(f, t);
    for (int round = 0; round < 6; round++) {
        sim_crash_after(t->world, 20 + 37 * round);
        live(t, life, f);
        stage_restart(t);
    }
    sim_crash_after(t->world, -1);
    sim_disk_set(t->world, quick_disk);
    live(t, aftermath, f);
    play_free(&f->p);
}

TEST(store_keeps_its_promises_in_a_storm)
{
    sim_disk bad = quick_disk;
    bad.sync_fail_per_million = 50000;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        fault f = {0};
        stage_simulated(seed, bad, storm_body, &f);
    }
}

// ---- kill -9, for real -----------------------------------------------------------------------------------------------------------------------------

enum { KILLED_PIECE = 16 << 10, KILLS = 4 };

// The victim is this program once more, told where to write by the environment: it says each piece that it was told is complete.
static void victim_body(stage *t)
{
    play p;
    bool good;
    const char *directory = t->arg;
    play_make(&p, t, files, 4, KILLED_PIECE);
    p.state = str_format(&p.memory, "%s/state", directory);
    p.home = str_format(&p.memory, "%s/home", directory);
    if (play_open(&p))
        _exit(1);
    for (int32_t i = 0; i < p.m.piece_count; i++) {
        unsigned char told = (unsigned char)i;
        if (store_piece_put(p.store, i, play_piece(&p, i), &good) || store_flush(p.store) || write(STDERR_FILENO, &told, 1) != 1)
            _exit(1);
    }
    for (;;)
        pause();
}

TEST(store_victim_of_the_next_test)
{
    char *directory = getenv("NARU_STORE_VICTIM");
    if (directory)
        stage_real(victim_body, directory);
}

static pid_t victim_start(const char *directory, int said)
{
    pid_t child = fork();
    if (child != 0)
        return child;
    dup2(said, STDERR_FILENO);
    setenv("NARU_STORE_VICTIM", directory, 1);
    execl("/proc/self/exe", "unit-swarm-store", "store_victim_of_the_next_test", (char *)NULL);
    _exit(1);
}

static void killed_round(stage *t, int round)
{
    play p;
    int ends[2];
    unsigned char told = 0;
    char directory[96];
    snprintf(directory, sizeof directory, "%s/%d", t->directory, round);
    play_make(&p, t, files, 4, KILLED_PIECE);
    p.state = str_format(&p.memory, "%s/state", directory);
    p.home = str_format(&p.memory, "%s/home", directory);
    CHECK(p.m.piece_count >= 2 * KILLS);
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    pid_t child = victim_start(directory, ends[1]);
    close(ends[1]);
    for (int i = 0; i < 2 * round + 1; i++)
        CHECK(read(ends[0], &told, 1) == 1);
    kill(child, SIGKILL);
    CHECK(waitpid(child, NULL, 0) == child);
    CHECK_INT(play_open(&p), E_OK);
    CHECK_INT(store_unchecked(p.store), 0);                              // nothing is read again
    CHECK_INT(told, 2 * round);
    for (int i = 0; i <= told; i++)
        CHECK_ROW(i, bitfield_has(store_complete(p.store), i));
    CHECK(play_verify_complete(&p) > told);
    play_close(&p);
    close(ends[0]);
    play_free(&p);
}

static void killed_body(stage *t)
{
    for (int round = 0; round < KILLS; round++)
        killed_round(t, round);
}

TEST(store_survives_kill_9) { stage_real(killed_body, NULL); }
