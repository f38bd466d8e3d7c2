#include "keep/database.h"

#include "keep/directory.h"
#include "play_test.h"
#include "rt/worker.h"

static const char *const schema[] = {
    "CREATE TABLE letter(id INTEGER PRIMARY KEY, number INTEGER UNIQUE NOT NULL, body BLOB NOT NULL);",
    "CREATE TABLE total(count INTEGER NOT NULL); INSERT INTO total VALUES(0);",
    NULL,
};

enum { ROWS_EACH = 3, COMMITS = 6, BODY_BYTES_MAX = 12000 };

static char *path_in(stage *t) { return str_to_z(&t->memory, str_format(&t->memory, "%s/kim.db", t->directory)); }

static err open_here(stage *t, database **out, str *why)
{
    *out = NULL;
    err e = directory_make(t->world, t->directory, 0700);
    return e ? e : database_open(t->world, path_in(t), schema, &t->memory, out, why);
}

static str body_of(int number, unsigned char *out)
{
    size_t size = (size_t)number * 777 % BODY_BYTES_MAX;
    for (size_t i = 0; i < size; i++)
        out[i] = (unsigned char)((int)i * 17 + number);
    return str_of(out, size);
}

static err letter_put(database *d, int number)
{
    static unsigned char bytes[BODY_BYTES_MAX];                  // too large for a fiber's stack
    query *q = query_of(d, "INSERT INTO letter(number, body) VALUES(?1, ?2)");
    query_int(q, 1, number);
    query_blob(q, 2, body_of(number, bytes));
    return query_done(q);
}

// Rows 3n, 3n+1, 3n+2 and the total, in one transaction.
static err commit_put(database *d, int n)
{
    err e = database_begin(d);
    for (int i = 0; i < ROWS_EACH && !e; i++)
        e = letter_put(d, n * ROWS_EACH + i);
    if (!e)
        e = database_run(d, "UPDATE total SET count = count + 3");
    if (!e)
        return database_commit(d);
    database_rollback(d);
    return e;
}

static int64_t number_of(database *d, const char *sql)
{
    query *q = query_of(d, sql);
    int64_t n = query_row(q) ? query_get_int(q, 0) : -1;
    return query_done(q) ? -1 : n;
}

static bool letters_are_whole(stage *t, database *d)
{
    static unsigned char bytes[BODY_BYTES_MAX];                  // too large for a fiber's stack
    bool whole = true;
    arena a = arena_make(1 << 20);
    query *q = query_of(d, "SELECT number, body FROM letter ORDER BY number");
    for (; query_row(q); arena_reset(&a))
        whole &= str_eq(query_get_blob(q, 1, &a), body_of((int)query_get_int(q, 0), bytes));
    arena_free(&a);
    q = query_of(d, "PRAGMA integrity_check");
    whole &= query_row(q) && str_eq(query_get_text(q, 0, &t->memory), S("ok"));
    return query_done(q) == E_OK && whole;
}

// ---- the ordinary life ------------------------------------------------------------------------------------------------------

static void round_trip(stage *t)
{
    database *d;
    str why = {0};
    CHECK_INT(open_here(t, &d, &why), E_OK);
    for (int i = 0; i < COMMITS; i++)
        CHECK_INT(commit_put(d, i), E_OK);
    CHECK_INT(database_last_id(d), COMMITS * ROWS_EACH);
    CHECK_INT(database_changes(d), 1);
    CHECK_INT(letter_put(d, 4), E_EXISTS);                      // UNIQUE
    CHECK(str_find_str(database_trouble(d, &t->memory), S("UNIQUE")) > 0);
    CHECK(str_find_str(database_trouble(d, &t->memory), S("kim.db")) > 0);
    CHECK_INT(database_run(d, "SELECT nonsense FROM nowhere"), E_PROTOCOL);
    CHECK_INT(commit_put(d, 2), E_EXISTS);                      // rolled back
    CHECK_INT(number_of(d, "SELECT count FROM total"), COMMITS * ROWS_EACH);
    database_close(d);
    CHECK_INT(open_here(t, &d, &why), E_OK);
    CHECK_INT(number_of(d, "PRAGMA user_version"), 2);
    CHECK_INT(number_of(d, "SELECT count(*) FROM letter"), COMMITS * ROWS_EACH);
    CHECK(letters_are_whole(t, d));
    query *q = query_of(d, "SELECT ?1, ?2, ?3, ?4");
    query_text(q, 1, S("한글"));
    query_text(q, 2, (str){0});
    query_null(q, 3);
    query_int(q, 4, INT64_MIN);
    CHECK(query_row(q));
    CHECK_STR(query_get_text(q, 0, &t->memory), S("한글"));
    CHECK(query_get_text(q, 1, &t->memory).len == 0 && !query_is_null(q, 1));
    CHECK(query_is_null(q, 2));
    CHECK(query_get_int(q, 3) == INT64_MIN);
    CHECK_INT(query_done(q), E_OK);
    database_close(d);
    database_close(NULL);
}

static void round_trip_body(stage *t) { stage_work(t, round_trip); }
TEST(database_gives_back_what_was_committed_simulated) { stage_simulated(1, quick_disk, round_trip_body, NULL); }
TEST(database_gives_back_what_was_committed_really) { stage_real(round_trip_body, NULL); }

static void settings_hold(stage *t)
{
    static const struct { const char *sql; int64_t want; } rows[] = {
        {"PRAGMA synchronous", 2},        {"PRAGMA foreign_keys", 1},    {"PRAGMA cell_size_check", 1}, {"PRAGMA temp_store", 2},
        {"PRAGMA cache_size", -256},      {"PRAGMA trusted_schema", 0},
    };
    database *d;
    str why = {0};
    CHECK_INT(open_here(t, &d, &why), E_OK);
    for (int i = 0; i < 6; i++)
        CHECK_INT(number_of(d, rows[i].sql), rows[i].want);
    query *q = query_of(d, "PRAGMA journal_mode");
    CHECK(query_row(q) && str_eq(query_get_text(q, 0, &t->memory), S("wal")));
    query_done(q);
    q = query_of(d, "PRAGMA locking_mode");
    CHECK(query_row(q) && str_eq(query_get_text(q, 0, &t->memory), S("exclusive")));
    query_done(q);
    CHECK_INT(database_run(d, "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = ''"), E_PROTOCOL);     // defensive
    CHECK_INT(database_run(d, "SELECT load_extension('x')"), E_PROTOCOL);
    CHECK(number_of(d, "SELECT count(*) FROM letter") == 0);
    database_close(d);
}

static void settings_hold_body(stage *t) { stage_work(t, settings_hold); }
TEST(database_has_the_settings_of_the_design) { stage_real(settings_hold_body, NULL); }

// Many rows, sorted and changed in one statement: the small page cache overflows, temporary files come and go.
static void large(stage *t)
{
    database *d;
    str why = {0};
    CHECK_INT(open_here(t, &d, &why), E_OK);
    CHECK_INT(database_run(d, "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 20000) "
                              "INSERT INTO letter(number, body) SELECT x, randomblob(100) FROM n"), E_OK);
    CHECK_INT(database_begin(d), E_OK);
    CHECK_INT(database_run(d, "UPDATE letter SET number = -number"), E_OK);
    CHECK_INT(database_run(d, "UPDATE letter SET number = 7"), E_EXISTS);        // undone by its statement journal
    CHECK_INT(database_commit(d), E_OK);
    CHECK_INT(number_of(d, "SELECT count(DISTINCT number) FROM letter WHERE number < 0"), 20000);
    CHECK_INT(number_of(d, "SELECT number FROM letter ORDER BY hex(body) || number LIMIT 1") < 0, true);
    CHECK_INT(database_run(d, "VACUUM"), E_OK);
    database_close(d);
    arena a = arena_make(1 << 20);
    str *names = NULL;
    int count = 0;
    CHECK_INT(dir_list(t->world, t->directory, &a, &names, &count), E_OK);
    CHECK_INT(count, 1);                                        // kim.db alone
    arena_free(&a);
}

static void large_body(stage *t) { stage_work(t, large); }
TEST(database_larger_than_its_cache_simulated) { stage_simulated(3, quick_disk, large_body, NULL); }
TEST(database_larger_than_its_cache_really) { stage_real(large_body, NULL); }

static void chance_and_time(stage *t)
{
    int64_t *out = t->arg;
    database *d;
    str why = {0};
    CHECK_INT(open_here(t, &d, &why), E_OK);
    out[0] = number_of(d, "SELECT random()");
    out[1] = number_of(d, "SELECT unixepoch('now')");
    CHECK_INT(out[1], world_wall_s(t->world));
    database_close(d);
}

static void chance_and_time_body(stage *t)
{
    fiber_sleep(millis(20));
    stage_work(t, chance_and_time);
}

TEST(database_takes_chance_and_time_from_the_world)
{
    int64_t one[2], again[2], other[2];
    stage_simulated(11, quick_disk, chance_and_time_body, one);
    stage_simulated(12, quick_disk, chance_and_time_body, other);
    stage_simulated(11, quick_disk, chance_and_time_body, again);
    CHECK(one[0] == again[0] && one[0] != other[0]);
    stage_real(chance_and_time_body, other);
}

// ---- trouble ----------------------------------------------------------------------------------------------------------------

static void refusals(stage *t)
{
    static const char *const older[] = {"CREATE TABLE a(x);", NULL};
    database *d, *second;
    str why = {0};
    CHECK_INT(open_here(t, &d, &why), E_OK);
    CHECK_INT(open_here(t, &second, &why), E_IN_USE);
    CHECK(str_find_str(why, S("another naru")) > 0);
    CHECK_INT(commit_put(d, 1), E_OK);
    database_close(d);
    CHECK_INT(database_open(t->world, path_in(t), older, &t->memory, &d, &why), E_UNSUPPORTED);
    CHECK(str_find_str(why, S("newer naru")) > 0);
    CHECK_INT(database_open(t->world, "/dev/null/naru/kim.db", schema, &t->memory, &d, &why) != E_OK, true);
    CHECK(str_find_str(why, S("cannot open the database /dev/null/naru/kim.db: ")) == 0);
    file *f;
    CHECK_INT(file_open(t->world, path_in(t), FILE_READ | FILE_WRITE, 0, &f), E_OK);
    CHECK_INT(file_write(f, 0, &(struct iovec){(char[]){"not SQLite"}, 10}, 1), E_OK);
    file_close(f);
    CHECK_INT(open_here(t, &d, &why), E_CORRUPT);
    CHECK(str_find_str(why, S("restore it from a backup")) > 0);
}

static void refusals_body(stage *t) { stage_work(t, refusals); }
TEST(database_says_why_it_cannot_be_opened) { stage_real(refusals_body, NULL); }

static void failed_sync(stage *t)
{
    database *d;
    str why = {0};
    CHECK_INT(open_here(t, &d, &why), E_OK);
    CHECK_INT(commit_put(d, 0), E_OK);
    sim_disk failing = quick_disk;
    failing.sync_fail_per_million = 1000000;
    sim_disk_set(t->world, failing);
    CHECK_INT(commit_put(d, 1), E_IO);
    CHECK_INT(commit_put(d, 2), E_IO);                          // reopening cannot sync either
    sim_disk_set(t->world, quick_disk);
    CHECK_INT(commit_put(d, 3), E_OK);
    int64_t there = number_of(d, "SELECT count(*) FROM letter");
    CHECK(there == 2 * ROWS_EACH || there == 3 * ROWS_EACH);    // the one that failed may be there or not, never in part
    CHECK(letters_are_whole(t, d));
    database_close(d);
}

static void failed_sync_look(stage *t)
{
    database *d;
    str why = {0};
    CHECK_INT(open_here(t, &d, &why), E_OK);
    CHECK_INT(number_of(d, "SELECT count(*) FROM letter WHERE number / 3 IN (0, 3)"), 2 * ROWS_EACH);
    CHECK(letters_are_whole(t, d));
    database_close(d);
}

static void failed_sync_body(stage *t)
{
    stage_work(t, failed_sync);
    stage_restart(t);
    stage_work(t, failed_sync_look);
}

TEST(database_opens_anew_after_a_failed_sync)
{
    for (uint64_t seed = 1; seed <= 100; seed++)
        stage_simulated(seed, quick_disk, failed_sync_body, NULL);
}

// ---- walks ------------------------------------------------------------------------------------------------------------------

typedef struct {
    stage  *stage;
    int64_t step, then;               // the operation that fails or kills; kills so many operations later, -1: does not
    err     fault;
    bool    hurt, promised[COMMITS];
} walk;

static void walk_live(void *arg)
{
    walk *w = arg;
    database *d;
    str why = {0};
    err e;
    while ((e = open_here(w->stage, &d, &why)) && e != E_CRASHED && sim_fault_met(w->stage->world))
        w->hurt = true, sim_fault_after(w->stage->world, -1, E_OK);     // a second opening must do
    if (e)
        return;
    database_run(d, "PRAGMA wal_autocheckpoint = 8");           // so that the walk passes through checkpoints
    for (int i = 0; i < COMMITS; i++)
        w->promised[i] = commit_put(d, i) == E_OK;
    database_close(d);
}

static void walk_look(void *arg)
{
    walk *w = arg;
    database *d;
    str why = {0};
    CHECK_INT(open_here(w->stage, &d, &why), E_OK);
    if (!d)
        return;
    CHECK(letters_are_whole(w->stage, d));
    int rows = 0;
    for (int i = 0; i < COMMITS; i++) {
        query *q = query_of(d, "SELECT count(*) FROM letter WHERE number / 3 = ?1");
        query_int(q, 1, i);
        int64_t there = query_row(q) ? query_get_int(q, 0) : -1;
        CHECK_INT(query_done(q), E_OK);
        CHECK_ROW(i, there == ROWS_EACH || (there == 0 && !w->promised[i]));
        rows += (int)there;
    }
    CHECK_INT(number_of(d, "SELECT count FROM total"), rows);
    CHECK_INT(commit_put(d, 100), E_OK);
    database_close(d);
}

static void walk_body(stage *t)
{
    walk *w = t->arg;
    w->stage = t;
    if (w->fault)
        sim_fault_after(t->world, w->step, w->fault);
    if (!w->fault || w->then >= 0)
        sim_crash_after(t->world, w->step + w->then);
    work(walk_live, w);
    w->hurt |= w->fault ? sim_fault_met(t->world) : !sim_is_up(t->world);
    stage_restart(t);
    work(walk_look, w);
}

static void walk_all(err fault, int seeds)
{
    int64_t longest = 0;
    for (uint64_t seed = 1; seed <= (uint64_t)seeds; seed++)
        for (int64_t step = 0;; step++) {
            walk w = {.step = step, .fault = fault, .then = fault ? -1 : 0};
            stage_simulated(seed, quick_disk, walk_body, &w);
            CHECK(step < 1000);
            longest = step;
            if (!w.hurt)
                break;
        }
    CHECK(longest > 50);
}

TEST(database_crash_walk) { walk_all(E_OK, 4); }
TEST(database_fault_walk_device_fails) { walk_all(E_IO, 2); }
TEST(database_fault_walk_disk_full) { walk_all(E_NO_SPACE, 2); }

// The device fails once, and some operations later the power goes: nothing may be built on what the failed sync lost.
TEST(database_fault_and_crash_walk)
{
    bool hurt = true;
    for (int64_t step = 0; hurt; step += 3)
        for (int64_t then = 1 + step % 7; then <= 70 && hurt; then += 7) {
            walk w = {.step = step, .fault = E_IO, .then = then};
            stage_simulated((uint64_t)(step * 100 + then), quick_disk, walk_body, &w);
            CHECK(step < 1000);
            hurt = w.hurt;
        }
}
