// naru backup verify: the digests; then the backup is restored into a scratch directory and every letter read back by the services' own
// code, the services that keep mail are started and every inbox is read over POP3, all in a process that may touch nothing else: no
// socket of the Internet, no other file. The queue is read and not started: nothing is delivered.
#include <stdio.h>
#include <stdlib.h>

#include "base/quantity.h"
#include "cmd/backup.h"
#include "cmd/commands.h"
#include "cmd/directory_remove.h"
#include "cmd/options.h"
#include "rooms/accounts/read_back.h"
#include "rooms/console/read_back.h"
#include "rooms/mailstore/read_back.h"
#include "rooms/mta/read_back.h"
#include "rooms/swarm/read_back.h"
#include "rooms/tracker/read_back.h"
#include "rt/guard.h"
#include "rt/json_text.h"
#include "rt/log.h"
#include "rt/loop.h"
#include "rt/own_process.h"
#include "rt/worker.h"

enum { DAMAGED_BYTES_MAX = 256 * 1024, LIST_BYTES_MAX = 64 << 20, ANSWER_BYTES_MAX = 96 << 20, WORKERS = 2, INBOXES_MAX = 100000 };

typedef struct {
    str      from, scratch;
    bool     json;
    arena    memory;
    world   *world;
    restored digests;
    buf      damaged;
    accounts_read people;
    queue_read queue;
    tracker_read tracker;
    console_read console;
    swarm_read torrents;
    int64_t  accounts, letters, bytes;
    inbox_expected *inboxes;
    int      inbox_count;
    started  started;
    buf      list;                       // an entry an account, as it is printed
    str      why;
    bool     good, guarded;
} verifying;

// ---- reading back, behind the guard -------------------------------------------------------------------------------------------

static void account_seen(void *arg, const account_read *one)
{
    verifying *v = arg;
    arena a = arena_make(4096);
    v->accounts++;
    v->letters += one->letters;
    v->bytes += one->bytes;
    if (v->inbox_count < INBOXES_MAX)
        v->inboxes[v->inbox_count++] = (inbox_expected){str_copy(&v->memory, one->account), one->inbox};
    if (v->json) {
        buf_put(&v->list, v->list.len ? S(", {\"account\": ") : S("{\"account\": "));
        json_put(&v->list, one->account);
        buf_format(&v->list, ", \"mailboxes\": %lld, \"letters\": %lld, \"bytes\": %lld}", (long long)one->mailboxes, (long long)one->letters,
                   (long long)one->bytes);
    } else {
        buf_format(&v->list, "  " STR_FMT ": %lld letters, " STR_FMT "\n", STR_ARG(one->account), (long long)one->letters,
                   STR_ARG(size_text(&a, one->bytes)));
    }
    arena_free(&a);
}

static void read_all(void *arg)
{
    verifying *v = arg;
    arena *a = &v->memory;
    v->inboxes = arena_array(a, inbox_expected, INBOXES_MAX);
    err e = accounts_read_back(v->world, str_join(a, v->scratch, S("/data/accounts")), &v->people, a, &v->why);
    if (!e)
        e = mta_read_back(v->world, str_join(a, v->scratch, S("/data/mta")), &v->queue, a, &v->why);
    if (!e)
        e = mailstore_read_back(v->world, str_join(a, v->scratch, S("/data/mailstore")), account_seen, v, a, &v->why);
    if (!e)
        e = tracker_read_back(v->world, str_join(a, v->scratch, S("/data/tracker")), &v->tracker, a, &v->why);
    if (!e)
        e = console_read_back(v->world, str_join(a, v->scratch, S("/data/console")), &v->console, a, &v->why);
    if (!e)
        e = swarm_read_back(v->world, str_join(a, v->scratch, S("/data/swarm")), &v->torrents, a, &v->why);
    if (e && !v->why.len)
        v->why = str_z(err_text(e));
    v->good = !e && backup_start(v->world, str_join(a, v->scratch, S("/data")), v->inboxes, v->inbox_count, &v->started, a, &v->why);
}

static bool guard_take(verifying *v)
{
    static const char *const common[] = {"/proc/sys/vm/max_map_count", "/sys/devices/system/cpu"};
    guard_policy p = {.reads = {common[0], common[1]}, .read_count = 2, .writes = {str_to_z(&v->memory, v->scratch)}, .write_count = 1,
                      .calls = GUARD_CALLS_FILES_CHANGE};
    guard_report report;
    const char *why = "";
    bool good = guard_enter(&p, &report, &why);
    v->guarded = good && report.files && report.calls && !report.calls_logged_only;
    if (!good)
        v->why = str_z(why);
    return good;
}

static void read_back(verifying *v)
{
    if (!restore_into(v->world, v->from, str_join(&v->memory, v->scratch, S("/data")), true, &v->memory, &v->why) || !guard_take(v))
        return;
    workers_start(WORKERS);
    loop_driver *driver = driver_linux_new();
    if (loop_run(driver, v->world, read_all, v) != E_OK)
        v->good = false;
    driver_linux_free(driver);
    workers_stop();
}

// ---- telling ------------------------------------------------------------------------------------------------------------------

static void print_json(verifying *v)
{
    buf out = buf_make(ANSWER_BYTES_MAX);
    str damaged = buf_str(&v->damaged);
    buf_put(&out, S("{\"backup\": "));
    json_put(&out, v->from);
    buf_format(&out, ", \"good\": %s, \"files\": %lld, \"bytes\": %lld, \"damaged\": [", v->good ? "true" : "false", (long long)v->digests.files,
               (long long)v->digests.bytes);
    for (const char *comma = ""; damaged.len; comma = ", ") {
        buf_put(&out, str_z(comma));
        json_put(&out, str_cut(&damaged, '\n'));
    }
    buf_format(&out, "], \"guarded\": %s, \"people\": %lld, \"queue\": {\"letters\": %lld, \"recipients\": %lld, \"bytes\": %lld}, "
               "\"console\": {\"viewings\": %lld}, \"tracker\": {\"records\": %lld, \"changes\": %lld}, \"swarm\": {\"torrents\": %lld, \"magnets\": %lld, \"pieces\": %lld}, "
               "\"started\": {\"inboxes\": %lld, \"letters\": %lld, \"bytes\": %lld}, \"letters\": %lld, \"accounts\": [", v->guarded ? "true" : "false", (long long)v->people.people, (long long)v->queue.letters,
               (long long)v->queue.recipients, (long long)v->queue.bytes,
               (long long)v->console.viewings, (long long)v->tracker.records, (long long)v->tracker.changes, (long long)v->torrents.torrents, (long long)v->torrents.magnets,
               (long long)v->torrents.pieces, (long long)v->started.inboxes, (long long)v->started.letters, (long long)v->started.bytes,
               (long long)v->letters);
    buf_put(&out, buf_str(&v->list));
    buf_put(&out, S("], \"error\": "));
    json_put(&out, v->why);
    buf_put(&out, S("}\n"));
    fwrite(out.at, 1, out.len, stdout);
    buf_free(&out);
}

static void print_text(verifying *v)
{
    arena *a = &v->memory;
    printf(STR_FMT ": %lld files, " STR_FMT ", every digest fits\n", STR_ARG(v->from), (long long)v->digests.files, STR_ARG(size_text(a, v->digests.bytes)));
    printf("  %lld people\n  the queue: %lld letters wait, " STR_FMT "\n", (long long)v->people.people, (long long)v->queue.letters,
           STR_ARG(size_text(a, v->queue.bytes)));
    if (v->tracker.changes)
        printf("  the tracker: %lld announces\n", (long long)v->tracker.changes);
    if (v->console.viewings)
        printf("  the console: %lld viewings\n", (long long)v->console.viewings);
    if (v->torrents.torrents + v->torrents.magnets)
        printf("  the swarm: %lld torrents, %lld magnet links\n", (long long)v->torrents.torrents, (long long)v->torrents.magnets);
    if (v->list.len)
        fwrite(v->list.at, 1, v->list.len, stdout);
    printf("started behind the guard: %lld inboxes over POP3, %lld letters, " STR_FMT "\n", (long long)v->started.inboxes,
           (long long)v->started.letters, STR_ARG(size_text(a, v->started.bytes)));
    printf("read back: %lld letters in %lld mailboxes and %lld in the queue, every one whole%s\n", (long long)v->letters, (long long)v->accounts,
           (long long)v->queue.letters, v->guarded ? "" : " (the guard is not complete here: naru services says what lacks)");
}

// The child: whatever it leaves, its parent removes.
static int verify_run(void *arg)
{
    verifying *v = arg;
    v->world = world_linux_new(S("naru"), NULL, 0);
    log_setup(LOG_LOGFMT, LOG_ERROR, NULL, NULL);
    if (restore_check(v->world, v->from, &v->memory, &v->digests, &v->damaged, &v->why))
        read_back(v);
    if (v->damaged.len)
        fprintf(stderr, "damaged or missing:\n%.*s", (int)v->damaged.len, (const char *)v->damaged.at);
    if (v->json)
        print_json(v);
    else if (v->good)
        print_text(v);
    if (!v->good)
        command_error("backup", COMMAND_FAILED, STR_FMT, STR_ARG(v->why));
    world_linux_free(v->world);
    buf_free(&v->damaged);
    buf_free(&v->list);
    arena_free(&v->memory);
    return v->good ? COMMAND_OK : COMMAND_FAILED;
}

// In $TMPDIR, else beside the backup, where there is room for as much again.
static str scratch_name(world *w, str from, arena *a)
{
    str place = str_z(getenv("TMPDIR"));
    unsigned long long number = (unsigned long long)world_random_u64(w);
    if (str_starts(place, S("/")))
        return str_format(a, STR_FMT "/naru-verify-%016llx", STR_ARG(place), number);
    return str_format(a, STR_FMT ".verify-%016llx", STR_ARG(from), number);
}

int backup_verify(str directory, bool json)
{
    verifying v = {.from = directory, .json = json, .memory = arena_make(BACKUP_MEMORY_BYTES_MAX), .damaged = buf_make(DAMAGED_BYTES_MAX),
                   .list = buf_make(LIST_BYTES_MAX)};
    world *w = world_linux_new(S("naru"), NULL, 0);
    int end = COMMAND_FAILED;
    v.scratch = scratch_name(w, directory, &v.memory);
    err e = dir_make(w, str_to_z(&v.memory, v.scratch), 0700);
    if (e) {
        command_error("backup", COMMAND_FAILED, "cannot make " STR_FMT ": %s: name another place with $TMPDIR", STR_ARG(v.scratch), err_text(e));
    } else {
        if (!process_run(verify_run, &v, &end))
            command_error("backup", COMMAND_FAILED, "cannot start another process");
        else if (end < 0)
            command_error("backup", COMMAND_FAILED, "reading it back ended by signal %d", -end);
        if (directory_remove(w, v.scratch) != E_OK)
            command_error("backup", COMMAND_FAILED, "cannot remove " STR_FMT, STR_ARG(v.scratch));
    }
    world_linux_free(w);
    arena_free(&v.memory);
    return e || end < 0 ? COMMAND_FAILED : end;
}
