#include "keep/database.h"

#include <string.h>

#include "play_test.h"
#include "rt/worker.h"

// A copy of the file alone, made at any moment between freeze and thaw, holds exactly what was committed before the freeze.
static const char *const SCHEMA[] = {"CREATE TABLE word (number INTEGER PRIMARY KEY, filling BLOB NOT NULL)", NULL};

enum { BEFORE = 40, BETWEEN = 3000, FILLING_BYTES = 900 };      // BETWEEN: more than a thousand pages

static database *open_at(stage *t, const char *name)
{
    database *d = NULL;
    CHECK_INT(dir_make(t->world, t->directory, 0700), E_OK);
    str why = {0};
    CHECK_INT(database_open(t->world, str_to_z(&t->memory, str_format(&t->memory, "%s/%s", t->directory, name)), SCHEMA, &t->memory, &d, &why), E_OK);
    return d;
}

static void put(database *d, int from, int to)
{
    unsigned char filling[FILLING_BYTES];
    memset(filling, 'x', sizeof filling);
    for (int i = from; i < to; i++) {
        query *q = query_of(d, "INSERT OR REPLACE INTO word (number, filling) VALUES (?1, ?2)");
        query_int(q, 1, i);
        query_blob(q, 2, str_of(filling, sizeof filling));
        CHECK_INT(query_done(q), E_OK);
    }
}

static int64_t count(database *d)
{
    query *q = query_of(d, "SELECT count(*) FROM word");
    int64_t n = query_row(q) ? query_get_int(q, 0) : -1;
    query_done(q);
    return n;
}

static int64_t copy_file(stage *t, const char *from, const char *to)
{
    arena a = arena_make(64 << 20);
    str bytes;
    char *source = str_to_z(&a, str_format(&a, "%s/%s", t->directory, from)), *target = str_to_z(&a, str_format(&a, "%s/%s", t->directory, to));
    CHECK_INT(file_read_all(t->world, source, &a, 32 << 20, &bytes), E_OK);
    CHECK_INT(file_replace(t->world, target, bytes, 0600), E_OK);
    int64_t size = bytes.len;
    arena_free(&a);
    return size;
}

static void check_copy(stage *t, const char *name, int64_t rows)
{
    database *d = open_at(t, name);
    CHECK_INT(count(d), rows);
    query *q = query_of(d, "PRAGMA integrity_check");
    CHECK(query_row(q) && str_eq(query_get_text(q, 0, &t->memory), S("ok")));
    query_done(q);
    database_close(d);
}

static void frozen(stage *t)
{
    database *d = open_at(t, "a.db");
    put(d, 0, BEFORE);
    CHECK_INT(database_freeze(d), E_OK);
    int64_t size = copy_file(t, "a.db", "first.db");
    put(d, BEFORE, BEFORE + BETWEEN);
    CHECK_INT(copy_file(t, "a.db", "second.db"), size);
    CHECK_INT(database_thaw(d), E_OK);
    CHECK_INT(database_thaw(d), E_SEALED);
    put(d, BEFORE + BETWEEN, BEFORE + BETWEEN + 1);
    CHECK(copy_file(t, "a.db", "third.db") > size);       // the log was copied
    database_close(d);
    check_copy(t, "first.db", BEFORE);
    check_copy(t, "second.db", BEFORE);
    check_copy(t, "a.db", BEFORE + BETWEEN + 1);
}

static void frozen_body(stage *t) { stage_work(t, frozen); }

TEST(database_stands_still_while_it_is_frozen_simulated) { stage_simulated(11, quick_disk, frozen_body, NULL); }
TEST(database_stands_still_while_it_is_frozen_really) { stage_real(frozen_body, NULL); }

static void broken(stage *t)
{
    database *d = open_at(t, "a.db");
    put(d, 0, BEFORE);
    CHECK_INT(database_freeze(d), E_OK);
    sim_disk failing = quick_disk;
    failing.sync_fail_per_million = 1000000;
    sim_disk_set(t->world, failing);
    query *q = query_of(d, "DELETE FROM word WHERE number = 1");
    CHECK_INT(query_done(q), E_IO);
    sim_disk_set(t->world, quick_disk);
    put(d, BEFORE, BEFORE + 1);                           // opens anew
    CHECK_INT(database_thaw(d), E_SEALED);
    CHECK_INT(database_freeze(d), E_OK);
    CHECK_INT(database_thaw(d), E_OK);
    database_close(d);
}

static void broken_body(stage *t) { stage_work(t, broken); }

TEST(database_says_that_it_did_not_stand_still) { stage_simulated(12, quick_disk, broken_body, NULL); }
