#include "rt/sim.h"

#include <string.h>

#include "rt/scope.h"
#include "rt/worker.h"
#include "test.h"

// A program small enough to be checked whole: it appends numbered records of 700 bytes to a file and syncs
// after each, and every third record it replaces a second file that holds the number. After a crash the file
// must hold every record that was synced, and the number must be one that was written.
enum { RECORD_BYTES = 700, RECORDS = 8 };

typedef struct {
    sim   *sim;
    world *w;
    int    synced, replaced;            // what the program was told is durable
    int    tried_replace;
    err    trouble;
    bool   finished;
} appender;

static err record_append(world *w, file *f, int number)
{
    unsigned char record[RECORD_BYTES];
    memset(record, 'A' + number, sizeof record);
    struct iovec v[2] = {{record, 100}, {record + 100, sizeof record - 100}};
    (void)w;
    err e = file_write(f, (int64_t)number * RECORD_BYTES, v, 2);
    return e ? e : file_sync(f);
}

static err replace(world *w, int number)
{
    file *f;
    unsigned char byte = (unsigned char)number;
    err e = file_open(w, "data/number.new", FILE_WRITE | FILE_CREATE | FILE_TRUNCATE, 0600, &f);
    if (e)
        return e;
    e = file_write(f, 0, &(struct iovec){&byte, 1}, 1);
    if (!e)
        e = file_sync(f);
    file_close(f);
    if (!e)
        e = path_rename(w, "data/number.new", "data/number");
    return e ? e : dir_sync(w, "data");
}

static err appender_steps(appender *p)
{
    file *f;
    err e = dir_make(p->w, "data", 0700);
    if (!e)
        e = dir_sync(p->w, ".");
    if (!e)
        e = file_open(p->w, "data/log", FILE_READ | FILE_WRITE | FILE_CREATE, 0600, &f);
    if (e)
        return e;
    e = dir_sync(p->w, "data");
    for (int i = 0; !e && i < RECORDS; i++) {
        if ((e = record_append(p->w, f, i)))
            break;
        p->synced = i + 1;
        if (i % 3 == 2) {
            p->tried_replace = i;
            if (!(e = replace(p->w, i)))
                p->replaced = i;
        }
    }
    file_close(f);
    return e;
}

static void appender_work(void *arg)
{
    appender *p = arg;
    p->trouble = appender_steps(p);
    p->finished = !p->trouble;
}

static void appender_boot(void *arg) { work(appender_work, arg); }

// What is there after the restart, compared with what was promised.
static void appender_check(void *arg)
{
    appender *p = arg;
    file *f;
    static unsigned char bytes[RECORDS * RECORD_BYTES + 1];
    size_t got = 0;
    err e = file_open(p->w, "data/log", FILE_READ, 0, &f);
    CHECK(e == E_OK || (e == E_NO_ENTRY && !p->synced));
    if (!e) {
        CHECK_INT(file_read(f, 0, bytes, sizeof bytes, &got), E_OK);
        file_close(f);
    }
    CHECK(got >= (size_t)p->synced * RECORD_BYTES);
    for (size_t i = 0; i < (size_t)p->synced * RECORD_BYTES && i < got; i++)
        if (bytes[i] != 'A' + i / RECORD_BYTES) {
            test_failed(__FILE__, __LINE__, "a synced byte was lost");
            break;
        }
    unsigned char number = 0;
    if (!(e = file_open(p->w, "data/number", FILE_READ, 0, &f))) {
        CHECK_INT(file_read(f, 0, &number, 1, &got), E_OK);
        CHECK_INT(got, 1);
        file_close(f);
    }
    CHECK(e == E_OK || (e == E_NO_ENTRY && !p->replaced));
    CHECK(number == p->replaced || number == p->tried_replace);
}

static void crash_at_step(void *arg)
{
    appender *p = arg;
    SCOPE(s, 0, 10);
    CHECK_INT(sim_boot(p->w, &s, appender_boot, p), E_OK);
    while (!p->finished && sim_is_up(p->w))
        fiber_sleep(millis(1));
    sim_crash(p->w);
    sim_restart(p->w);
    fiber_world(p->w);
    work(appender_check, p);
    scope_wait(&s);
}

static appender appender_run(uint64_t seed, int64_t crash_after)
{
    appender p = {.sim = sim_new(seed)};
    addr at = addr_v4(0x0a000001, 0);
    p.w = sim_host(p.sim, S("host"), &at, 1, (sim_disk){.write_ns = 1000, .sync_ns = 50000, .per_kib_ns = 100});
    sim_crash_after(p.w, crash_after);
    CHECK_INT(sim_run(p.sim, crash_at_step, &p), E_OK);
    sim_free(p.sim);
    return p;
}

TEST(sim_disk_keeps_what_was_synced_whatever_step_the_crash_comes_at)
{
    for (uint64_t seed = 1; seed <= 20; seed++)
        for (int64_t step = 0;; step++) {
            appender p = appender_run(seed, step);
            if (p.finished)
                break;
            CHECK_INT(p.trouble, E_CRASHED);
            CHECK(step < 200);
        }
}

// ---- faults: fail operation 0, 1, 2 ... until a run meets none ---------------------------------------------

static void fault_first(void *arg)
{
    appender *p = arg;
    fiber_world(p->w);
    work(appender_work, p);
}

TEST(sim_disk_fault_walk)
{
    int met = 0;
    for (int64_t step = 0;; step++) {
        appender p = {.sim = sim_new(5)};
        addr at = addr_v4(0x0a000001, 0);
        p.w = sim_host(p.sim, S("host"), &at, 1, (sim_disk){0});
        sim_fault_after(p.w, step, step % 2 ? E_IO : E_NO_SPACE);
        CHECK_INT(sim_run(p.sim, fault_first, &p), E_OK);
        CHECK(sim_fault_met(p.w) ? p.trouble == (step % 2 ? E_IO : E_NO_SPACE) : p.finished);
        met += sim_fault_met(p.w);
        bool all = p.finished;
        sim_free(p.sim);
        if (all)
            break;
    }
    CHECK_INT(met, 2 + 2 + RECORDS * 2 + 2 * 5);            // every operation of appender_steps, once
}

// ---- single rules ------------------------------------------------------------------------------------------

typedef struct { sim *sim; world *w; int kept, torn, gone, zeros, renamed; } rules;

static void in_rules_world(rules *r, uint64_t seed, sim_disk disk, fiber_body *body)
{
    addr at = addr_v4(0x0a000001, 0);
    r->sim = sim_new(seed);
    r->w = sim_host(r->sim, S("host"), &at, 1, disk);
    CHECK_INT(sim_run(r->sim, body, r), E_OK);
    sim_free(r->sim);
}

static file *file_made(world *w, const char *path)
{
    file *f;
    CHECK_INT(file_open(w, path, FILE_READ | FILE_WRITE | FILE_CREATE, 0600, &f), E_OK);
    CHECK_INT(file_sync(f), E_OK);
    CHECK_INT(dir_sync(w, "/"), E_OK);
    return f;
}

static void unsynced_write(void *arg)
{
    rules *r = arg;
    file *f = file_made(r->w, "/f");
    unsigned char bytes[4096];
    memset(bytes, 'x', sizeof bytes);
    CHECK_INT(file_write(f, 0, &(struct iovec){bytes, sizeof bytes}, 1), E_OK);
    CHECK_INT(file_write(f, 4096, &(struct iovec){bytes, sizeof bytes}, 1), E_OK);
    file_close(f);
    file *g;
    CHECK_INT(file_open(r->w, "/g", FILE_WRITE | FILE_CREATE, 0600, &g), E_OK);
    file_close(g);
    CHECK_INT(path_rename(r->w, "/g", "/h"), E_OK);
}

static void unsynced_look(void *arg)
{
    rules *r = arg;
    file *f;
    unsigned char bytes[8193];
    size_t got;
    CHECK_INT(file_open(r->w, "/f", FILE_READ, 0, &f), E_OK);
    CHECK_INT(file_read(f, 0, bytes, sizeof bytes, &got), E_OK);
    file_close(f);
    size_t written = 0;
    for (size_t i = 0; i < got; i++) {
        CHECK(bytes[i] == 'x' || bytes[i] == 0);
        written += bytes[i] == 'x';
    }
    r->kept += written == 8192, r->gone += got == 0;
    r->zeros += got && !written;
    r->torn += written && written < 8192;
    file_stat g, h;
    err has_g = path_stat(r->w, "/g", &g), has_h = path_stat(r->w, "/h", &h);
    CHECK(has_g || has_h);                              // a rename is atomic: never both names
    r->renamed += !has_h;
}

static void unsynced_crash(void *arg)
{
    rules *r = arg;
    world *home = world_here();
    fiber_world(r->w);
    work(unsynced_write, r);
    fiber_world(home);
    sim_crash(r->w);
    sim_restart(r->w);
    work(unsynced_look, r);
}

TEST(sim_disk_unsynced_writes_are_kept_torn_or_gone)
{
    rules r = {0};
    for (uint64_t seed = 1; seed <= 200; seed++)
        in_rules_world(&r, seed, (sim_disk){0}, unsynced_crash);
    CHECK(r.kept > 30 && r.gone > 30 && r.torn > 30 && r.zeros > 3);
    CHECK(r.renamed > 50 && r.renamed < 190);
}

static void failed_sync(void *arg)
{
    rules *r = arg;
    file *f = file_made(r->w, "/f");
    unsigned char bytes[512];
    memset(bytes, 'x', sizeof bytes);
    CHECK_INT(file_write(f, 0, &(struct iovec){bytes, sizeof bytes}, 1), E_OK);
    sim_fault_after(r->w, 0, E_IO);
    CHECK_INT(file_sync(f), E_IO);
    CHECK_INT(file_sync(f), E_OK);                      // the lie: the pages count as clean
    size_t got;
    CHECK_INT(file_read(f, 0, bytes, sizeof bytes, &got), E_OK);
    CHECK_INT(got, 512);                                // programs still see them
    file_close(f);
}

static void failed_sync_look(void *arg)
{
    rules *r = arg;
    file_stat s;
    CHECK_INT(path_stat(r->w, "/f", &s), E_OK);
    r->kept += s.size_bytes == 512, r->gone += s.size_bytes == 0;
}

static void failed_sync_crash(void *arg)
{
    rules *r = arg;
    world *home = world_here();
    fiber_world(r->w);
    work(failed_sync, r);
    fiber_world(home);
    sim_crash(r->w);
    sim_restart(r->w);
    work(failed_sync_look, r);
}

TEST(sim_disk_a_failed_sync_is_not_made_good_by_the_next)
{
    rules r = {0};
    for (uint64_t seed = 1; seed <= 100; seed++)
        in_rules_world(&r, seed, (sim_disk){0}, failed_sync_crash);
    CHECK(r.gone > 20 && r.kept > 20);
}

static void disk_cases(void *arg)
{
    rules *r = arg;
    world *w = r->w;
    file *f, *g;
    file_stat s;
    unsigned char bytes[3000] = {0};
    size_t got;
    CHECK_INT(file_open(w, "/missing", FILE_READ, 0, &f), E_NO_ENTRY);
    CHECK_INT(file_open(w, "/no/dir", FILE_WRITE | FILE_CREATE, 0600, &f), E_NO_ENTRY);
    CHECK_INT(dir_make(w, "/a/b/c", 0700), E_OK);
    CHECK_INT(dir_make(w, "/a/b/c", 0700), E_OK);
    CHECK_INT(path_stat(w, "/a/b", &s), E_OK);
    CHECK(s.is_dir && s.mode == 0700);
    CHECK_INT(path_remove(w, "/a/b"), E_EXISTS);
    CHECK_INT(file_open(w, "/a/f", FILE_READ | FILE_WRITE | FILE_CREATE | FILE_EXCLUSIVE, 0600, &f), E_OK);
    CHECK_INT(file_open(w, "/a/f", FILE_WRITE | FILE_CREATE | FILE_EXCLUSIVE, 0600, &g), E_EXISTS);
    CHECK_INT(file_open(w, "/a/f", FILE_READ | FILE_WRITE, 0, &g), E_OK);
    CHECK_INT(file_lock(f), E_OK);
    CHECK_INT(file_lock(g), E_IN_USE);
    CHECK_INT(file_write(f, 5, &(struct iovec){(char *)(uintptr_t)"end", 3}, 1), E_OK);
    CHECK_INT(file_read(g, 0, bytes, sizeof bytes, &got), E_OK);
    CHECK(got == 8 && !memcmp(bytes, "\0\0\0\0\0end", 8));
    CHECK_INT(file_truncate(f, 6), E_OK);
    CHECK_INT(file_size(g, &(int64_t){0}), E_OK);
    file_close(f);
    CHECK_INT(file_lock(g), E_OK);
    CHECK_INT(path_remove(w, "/a/f"), E_OK);
    CHECK_INT(file_read(g, 5, bytes, sizeof bytes, &got), E_OK);      // open files outlive their names
    CHECK_INT(got, 1);
    file_close(g);
    arena a = arena_make(10000);
    str *names;
    int count;
    CHECK_INT(dir_make(w, "/a/a", 0700), E_OK);
    CHECK_INT(dir_list(w, "/a", &a, &names, &count), E_OK);
    CHECK_INT(count, 2);
    CHECK_STR(names[0], S("a"));
    CHECK_STR(names[1], S("b"));
    CHECK_INT(dir_list(w, "/nowhere", &a, &names, &count), E_NO_ENTRY);
    arena_free(&a);
    CHECK_INT(file_replace(w, "/a/r", S("new content"), 0600), E_OK);
    // 1000 bytes are the whole disk, 11 are used: the first write fits, the second in part at most.
    sim_disk_set(w, (sim_disk){.capacity_bytes = 1000});
    CHECK_INT(file_open(w, "/full", FILE_WRITE | FILE_CREATE, 0600, &f), E_OK);
    CHECK_INT(file_write(f, 0, &(struct iovec){bytes, 900}, 1), E_OK);
    CHECK_INT(file_write(f, 900, &(struct iovec){bytes, 900}, 1), E_NO_SPACE);
    CHECK_INT(path_stat(w, "/full", &s), E_OK);
    CHECK(s.size_bytes >= 900 && s.size_bytes <= 989);
    CHECK_INT(path_remove(w, "/full"), E_OK);
    file_close(f);
    CHECK_INT(file_open(w, "/more", FILE_WRITE | FILE_CREATE, 0600, &f), E_OK);
    CHECK_INT(file_write(f, 0, &(struct iovec){bytes, 900}, 1), E_OK);
    file_close(f);
}

static void disk_cases_first(void *arg)
{
    rules *r = arg;
    fiber_world(r->w);
    work(disk_cases, r);
}

TEST(sim_disk_files_and_directories)
{
    rules r = {0};
    in_rules_world(&r, 1, (sim_disk){0}, disk_cases_first);
}
