// bench-keep [--json] [--dir D] (NARU_BENCH_QUICK: fewer rounds): what durable storage reaches beside what the disk allows, in
// one run; rounds are interleaved, the median counts.
//
// Journal: 1, 16 and 64 fibers append records of 4 KiB. Beside it plain write + fdatasync by this program with as many records a
// sync as there are fibers: once growing the file, which is what everybody does, and once over zeros written before, the
// disk's real limit. Database: rows of 4 KiB, one and sixteen a commit, beside stock SQLite with the same settings.
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/must.h"
#include "keep/database.h"
#include "keep/journal.h"
#include "rt/scope.h"
#include "rt/loop.h"
#include "rt/worker.h"

enum {
    RECORD_BYTES = 4096, FIBERS_MAX = 64, ZEROS_AHEAD = 96 << 20, PATH_BYTES = 256,
    ROUNDS_MAX = 15, ROUNDS_QUICK = 5, ROUND_MS = 150,
};

typedef struct { double rate, cpu_us; } figure;       // operations a second, CPU microseconds of an operation

typedef struct {
    const char *name;
    figure    (*measure)(int count);
    int         count;                                // fibers, records a sync, rows a commit
    int         against;                              // the row that this one is compared with; -1: none
    double      goal;                                 // least ratio to it; 0: none
    figure      rounds[ROUNDS_MAX];
} row;

static unsigned char record[RECORD_BYTES * FIBERS_MAX];
static char directory[PATH_BYTES];
static world *here;
static journal *log_;
static database *rows_;
static sqlite3 *stock;
static int raw_grow, raw_zeros, rounds = ROUNDS_MAX;

// ---- time ------------------------------------------------------------------------------------------------------------------

typedef struct { double wall_ns, cpu_ns; } instant;

static double clock_of(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static instant now(void) { return (instant){clock_of(CLOCK_MONOTONIC), clock_of(CLOCK_PROCESS_CPUTIME_ID)}; }
static bool over(instant start) { return clock_of(CLOCK_MONOTONIC) - start.wall_ns > ROUND_MS * 1e6; }

static figure figure_since(instant start, int64_t operations)
{
    instant end = now();
    return (figure){.rate = (double)operations / (end.wall_ns - start.wall_ns) * 1e9,
                    .cpu_us = (end.cpu_ns - start.cpu_ns) / (double)operations / 1e3};
}

// ---- the journal -----------------------------------------------------------------------------------------------------------

static struct { instant start; int64_t done; uint32_t held; } appending;

static void append_many(void *arg)
{
    (void)arg;
    str piece = str_of(record, RECORD_BYTES);
    while (!over(appending.start)) {
        journal_place place;
        must(journal_append(log_, &piece, 1, &place) == E_OK);
        if (place.segment != appending.held) {        // what a queue does that runs empty: old segments go
            journal_hold(log_, place.segment);
            if (appending.held)
                journal_release(log_, appending.held);
            appending.held = place.segment;
        }
        appending.done++;
    }
}

static figure journal_round(int fibers)
{
    appending.start = now();
    appending.done = 0;
    SCOPE(s, 0, FIBERS_MAX);
    for (int i = 0; i < fibers; i++)
        must(scope_go(&s, "append", append_many, NULL) == E_OK);
    scope_wait(&s);
    return figure_since(appending.start, appending.done);
}

// ---- the disk alone ----------------------------------------------------------------------------------------------------------

static int raw_open(const char *name)
{
    char path[PATH_BYTES * 2];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    must(fd >= 0);
    return fd;
}

static figure raw_round(int fd, int count)
{
    size_t size = (size_t)count * RECORD_BYTES;
    off_t at = 0;
    int64_t done = 0;
    instant start = now();
    for (; !over(start); done += count, at += (off_t)size) {
        if (at + (off_t)size > ZEROS_AHEAD)
            at = 0;
        must(pwrite(fd, record, size, at) == (ssize_t)size);
        must(fdatasync(fd) == 0);
    }
    return figure_since(start, done);
}

static figure raw_grow_round(int count)
{
    must(ftruncate(raw_grow, 0) == 0 && fsync(raw_grow) == 0);
    return raw_round(raw_grow, count);
}

static figure raw_zeros_round(int count) { return raw_round(raw_zeros, count); }

static void raw_begin(void)
{
    static unsigned char zeros[1 << 20];
    raw_grow = raw_open("grow");
    raw_zeros = raw_open("zeros");
    for (off_t at = 0; at < ZEROS_AHEAD; at += (off_t)sizeof zeros)
        must(pwrite(raw_zeros, zeros, sizeof zeros, at) == (ssize_t)sizeof zeros);
    must(fsync(raw_zeros) == 0);
}

// ---- databases ---------------------------------------------------------------------------------------------------------------

static const char *const schema[] = {"CREATE TABLE letter(id INTEGER PRIMARY KEY, body BLOB NOT NULL);", NULL};

typedef struct { int count; figure result; } commits;

static void database_commits(void *arg)
{
    commits *c = arg;
    instant start = now();
    int64_t done = 0;
    for (; !over(start); done += c->count) {
        must(database_begin(rows_) == E_OK);
        for (int i = 0; i < c->count; i++) {
            query *q = query_of(rows_, "INSERT INTO letter(body) VALUES(?1)");
            query_blob(q, 1, str_of(record, RECORD_BYTES));
            must(query_done(q) == E_OK);
        }
        must(database_commit(rows_) == E_OK);
    }
    c->result = figure_since(start, done);
    must(database_run(rows_, "DELETE FROM letter") == E_OK);
}

static figure database_round(int count)
{
    commits c = {.count = count};
    work(database_commits, &c);
    return c.result;
}

static void stock_run(const char *sql) { must(sqlite3_exec(stock, sql, NULL, NULL, NULL) == SQLITE_OK); }

static figure stock_round(int count)
{
    sqlite3_stmt *insert;
    must(sqlite3_prepare_v2(stock, "INSERT INTO letter(body) VALUES(?1)", -1, &insert, NULL) == SQLITE_OK);
    instant start = now();
    int64_t done = 0;
    for (; !over(start); done += count) {
        stock_run("BEGIN IMMEDIATE");
        for (int i = 0; i < count; i++) {
            sqlite3_bind_blob(insert, 1, record, RECORD_BYTES, SQLITE_STATIC);
            must(sqlite3_step(insert) == SQLITE_DONE);
            sqlite3_reset(insert);
        }
        stock_run("COMMIT");
    }
    figure f = figure_since(start, done);
    sqlite3_finalize(insert);
    stock_run("DELETE FROM letter");
    return f;
}

static void stock_begin(void)
{
    char path[PATH_BYTES * 2];
    snprintf(path, sizeof path, "%s/stock.db", directory);
    must(sqlite3_open(path, &stock) == SQLITE_OK);
    stock_run("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -256;");
    stock_run(schema[0]);
}

// ---- the table ---------------------------------------------------------------------------------------------------------------

static row rows[] = {
    {"journal, 1 fiber", journal_round, 1, 1, 0.8},
    {"  plain write + fdatasync, growing, 1 a sync", raw_grow_round, 1, -1},
    {"  the same over zeros", raw_zeros_round, 1, -1},
    {"journal, 16 fibers", journal_round, 16, 4, 0.8},
    {"  plain write + fdatasync, growing, 16 a sync", raw_grow_round, 16, -1},
    {"  the same over zeros", raw_zeros_round, 16, -1},
    {"journal, 64 fibers", journal_round, 64, 7, 0.6},
    {"  plain write + fdatasync, growing, 64 a sync", raw_grow_round, 64, -1},
    {"  the same over zeros", raw_zeros_round, 64, -1},
    {"database, 1 row a commit", database_round, 1, 10, 0.9},
    {"  stock SQLite, 1 row a commit", stock_round, 1, -1},
    {"database, 16 rows a commit", database_round, 16, 12, 0.9},
    {"  stock SQLite, 16 rows a commit", stock_round, 16, -1},
};
enum { ROWS = sizeof rows / sizeof *rows };

static int by_rate(const void *a, const void *b)
{
    double x = ((const figure *)a)->rate, y = ((const figure *)b)->rate;
    return (x > y) - (x < y);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// The median of the ratios round by round: what disturbs the machine disturbs both.
static double ratio_of(int i)
{
    double ratios[ROUNDS_MAX];
    for (int r = 0; r < rounds; r++)
        ratios[r] = rows[i].rounds[r].rate / rows[rows[i].against].rounds[r].rate;
    qsort(ratios, (size_t)rounds, sizeof *ratios, by_value);
    return ratios[rounds / 2];
}

static int report(bool json)
{
    FILE *table = json ? stderr : stdout;
    double ratios[ROWS] = {0};
    int missed = 0;
    for (int i = 0; i < ROWS; i++)
        if (rows[i].against >= 0)
            ratios[i] = ratio_of(i);
    printf(json ? "{\"bench\": \"keep\", \"unit\": \"records of 4 KiB a second, durable\", \"rows\": [\n" : "");
    for (int i = 0; i < ROWS; i++) {
        row *r = &rows[i];
        qsort(r->rounds, (size_t)rounds, sizeof *r->rounds, by_rate);
        figure f = r->rounds[rounds / 2];
        missed += ratios[i] < r->goal;
        if (json)
            printf("  {\"name\": \"%s\", \"value\": %.0f, \"cpu_us\": %.1f, \"ratio\": %.2f, \"goal\": %.2f}%s\n",
                   r->name + strspn(r->name, " "), f.rate, f.cpu_us, ratios[i], r->goal, i + 1 < ROWS ? "," : "]}");
        if (r->against >= 0)
            fprintf(table, "%-46s %8.0f a second %6.1f us of CPU   %.2f of the next line, goal %.2f: %s\n", r->name, f.rate, f.cpu_us,
                   ratios[i], r->goal, ratios[i] < r->goal ? "MISSED" : "met");
        else
            fprintf(table, "%-46s %8.0f a second %6.1f us of CPU\n", r->name, f.rate, f.cpu_us);
    }
    return missed;
}

// ---- the run -----------------------------------------------------------------------------------------------------------------

static void databases_open(void *arg)
{
    char path[PATH_BYTES * 2];
    str why = {0};
    snprintf(path, sizeof path, "%s/naru.db", directory);
    if (database_open(here, path, schema, arg, &rows_, &why))
        fprintf(stderr, "bench-keep: " STR_FMT "\n", STR_ARG(why));
    must(rows_);
    stock_begin();
}

static void databases_close(void *arg)
{
    (void)arg;
    database_close(rows_);
    sqlite3_close(stock);
}

static void nothing(void *arg, journal_place place, str bytes) { (void)arg, (void)place, (void)bytes; }

static void run(void *arg)
{
    arena *a = arg;
    str why = {0};
    if (journal_open(here, str_format(a, "%s/journal", directory), (journal_options){0}, nothing, NULL, a, &log_, &why))
        fprintf(stderr, "bench-keep: " STR_FMT "\n", STR_ARG(why));
    must(log_);
    work(databases_open, a);
    raw_begin();
    for (int round = 0; round < rounds; round++)
        for (int i = 0; i < ROWS; i++)
            rows[i].rounds[round] = rows[i].measure(rows[i].count);
    work(databases_close, NULL);
    journal_close(log_);
}

static void tree_remove(const char *path)
{
    arena a = arena_make(1 << 20);
    str *names;
    int count = 0;
    if (dir_list(here, path, &a, &names, &count) == E_OK)
        for (int i = 0; i < count; i++)
            tree_remove(str_to_z(&a, str_format(&a, "%s/" STR_FMT, path, STR_ARG(names[i]))));
    path_remove(here, path);
    arena_free(&a);
}

int main(int argc, char **argv)
{
    bool json = false;
    const char *parent = "/var/tmp", *quick = getenv("NARU_BENCH_QUICK");
    if (quick && *quick)
        rounds = ROUNDS_QUICK;
    for (int i = 1; i < argc; i++) {
        json |= strcmp(argv[i], "--json") == 0;
        if (strcmp(argv[i], "--dir") == 0 && i + 1 < argc)
            parent = argv[++i];
    }
    snprintf(directory, sizeof directory, "%s/naru-bench-XXXXXX", parent);
    if (!mkdtemp(directory)) {
        fprintf(stderr, "bench-keep: cannot make a directory in %s: give another with --dir\n", parent);
        return 2;
    }
    memset(record, 'x', sizeof record);
    arena a = arena_make(1 << 20);
    here = world_linux_new(S("bench"), NULL, 0);
    loop_driver *driver = driver_linux_new();
    must(loop_run(driver, here, run, &a) == E_OK);
    driver_linux_free(driver);
    tree_remove(directory);
    world_linux_free(here);
    arena_free(&a);
    return report(json) != 0;
}
