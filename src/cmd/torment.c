// naru torment: does it keep what it promises? Letters from many senders into a naru of its own, whose services are killed with
// kill -9 at random moments, whose disk fills, whose clock jumps, and whose peers stall and cut; then every mailbox is read.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/must.h"
#include "cmd/commands.h"
#include "cmd/directory_remove.h"
#include "cmd/torment.h"
#include "rt/listener.h"
#include "rt/log.h"
#include "rt/loop.h"
#include "rt/own_dir.h"
#include "rt/worker.h"

enum {
    MAP_ARENA_BYTES = 256 << 20,
    KILL_LOOK_MS = 5, FULL_MS = 700, WATCH_MS = 100, KILL_TRIES = 200, KILLS_A_POWER_CUT = 10,
    LETTERS_A_KILL_TRY = 500, LETTERS_A_KILL = 125, LETTERS_A_CLOCK = 1000,
    CLOCK_STEP_S_MAX = 2 * 86400,            // ahead or behind. The queue gives up after five days; that is not what is tested
    CLOCK_STEP_S_TRY_MAX = 20 * 3600,        // `naru try` makes its certificates new at each start, valid since yesterday
    SINK_CONNS_MAX = 100, TEMPORARY_BYTES_MAX = 40,
};

bool torment_failed(torment *t, const char *why)
{
    t->trouble = str_format(&t->memory, "%s; its output is in %s", why, t->output);
    t->over = t->keep = true;
    return false;
}

// ---- its life ---------------------------------------------------------------------------------------------------------

static bool start(torment *t)
{
    if (t->on_try)
        return torment_try_start(t);
    if (!torment_up_prepare(t))
        return false;
    for (int i = 0; i < TORMENT_NODES; i++)
        if (!torment_up_start(t, i))
            return false;
    return t->up = torment_up_people(t);
}

static void stop(torment *t)
{
    t->up = false;
    torment_up_stop(t);
    if (t->pid)
        child_kill(t->pid);
    t->pid = 0;
}

// ---- what is done to it -----------------------------------------------------------------------------------------------

static bool wait_for_letters(torment *t, int count)
{
    while (t->accepted < count && !t->over)
        if (fiber_sleep(millis(KILL_LOOK_MS)) != E_OK)
            return false;
    return !t->over;
}

static bool kill_whole(torment *t)
{
    if (turn_take(&t->one_trouble, NEVER_NS) != E_OK)
        return false;
    stop(t);
    bool again = start(t);
    turn_give(&t->one_trouble);
    return again;
}

// One service of one node; now and then, and at last, all of a node at once.
static bool kill_some(torment *t, int k)
{
    int node = (int)torment_chance(t, k, CHANCE_KILL, TORMENT_NODES), which = (int)torment_chance(t, k, CHANCE_KILL_WHOM, 60);
    if (k % KILLS_A_POWER_CUT == KILLS_A_POWER_CUT - 1 || k == t->kills - 1) {
        if (turn_take(&t->one_trouble, NEVER_NS) != E_OK)
            return false;
        bool again = torment_up_cut(t, node);
        turn_give(&t->one_trouble);
        return again;
    }
    for (int i = 0; i < KILL_TRIES; i++) {               // it may be between two lives
        if (torment_up_kill(t, node, which))
            return true;
        if (fiber_sleep(millis(KILL_LOOK_MS)) != E_OK)
            return false;
    }
    return torment_failed(t, "no service could be killed for a second");
}

// The last kill comes when everything was accepted: what lies in the queues then must survive too.
static void killer(void *arg)
{
    torment *t = arg;
    for (int k = 0; k < t->kills; k++) {
        int64_t step = t->letters / (t->kills + 1), from = step * (k + 1);
        int64_t at = k == t->kills - 1 ? t->letters : from + (int64_t)torment_chance(t, k, CHANCE_KILL, (uint64_t)step / 2 + 1);
        if (!wait_for_letters(t, (int)at) || fiber_sleep((int64_t)torment_chance(t, k, CHANCE_KILL_WHEN, 50 * NS_PER_MS)) != E_OK)
            return;
        if (!(t->on_try ? kill_whole(t) : kill_some(t, k)))
            return;
        t->killed++;
    }
}

typedef struct { torment *t; bool full, done; } disk_change;

static void disk_blocking(void *arg)
{
    disk_change *d = arg;
    d->done = d->full ? small_disk_fill(d->t->data) : small_disk_empty(d->t->data, d->t->disk_mib << 20);
}

static void filler(void *arg)
{
    torment *t = arg;
    for (int k = 0; k < t->fills && t->small_disk; k++) {
        int64_t at = t->letters * (k + 1) / (t->fills + 1) - t->letters / 20;
        at += (int64_t)torment_chance(t, k, CHANCE_FILL, (uint64_t)t->letters / 20 + 1);
        if (!wait_for_letters(t, (int)at))
            return;
        if (turn_take(&t->one_trouble, NEVER_NS) != E_OK)
            return;
        disk_change d = {.t = t, .full = true};
        work(disk_blocking, &d);
        t->filled += d.done;
        fiber_sleep(millis(FULL_MS));
        d.full = false;
        work(disk_blocking, &d);
        turn_give(&t->one_trouble);
        if (!d.done)
            torment_failed(t, "the disk cannot be given its size back");
    }
}

// The wall clock of all its processes jumps; the machine's own stays (src/rt/world_linux.c).
typedef struct { torment *t; int64_t ahead_ns; bool done; } clock_change;

static void clock_blocking(void *arg)
{
    clock_change *c = arg;
    file *f;
    struct iovec all = {&c->ahead_ns, sizeof c->ahead_ns};
    c->done = file_open(c->t->world, c->t->clock, FILE_WRITE | FILE_CREATE, 0600, &f) == E_OK;
    if (c->done) {
        c->done = file_write(f, 0, &all, 1) == E_OK;
        file_close(f);
    }
}

static void clock_stepper(void *arg)
{
    torment *t = arg;
    for (int k = 0; k < t->clocks; k++) {
        if (!wait_for_letters(t, (int)(t->letters * (k + 1) / (t->clocks + 1))))
            return;
        int64_t most = t->on_try ? CLOCK_STEP_S_TRY_MAX : CLOCK_STEP_S_MAX;
        int64_t step_s = (int64_t)torment_chance(t, k, CHANCE_CLOCK, 2 * (uint64_t)most + 1) - most;
        clock_change c = {.t = t, .ahead_ns = seconds(step_s)};
        work(clock_blocking, &c);
        t->stepped += c.done;
    }
}

// While single services go on dying, but no power fails and no disk is full: then there is no backup, and no harm.
static void backuper(void *arg)
{
    torment *t = arg;
    for (int k = 0; k < t->backups && !t->on_try; k++) {
        if (!wait_for_letters(t, (int)(t->letters * (k + 1) / (t->backups + 1))) || turn_take(&t->one_trouble, NEVER_NS) != E_OK)
            return;
        torment_backup_take(t, k);
        turn_give(&t->one_trouble);
    }
}

// A naru that takes nothing any more must not keep us for ever.
static void watcher(void *arg)
{
    torment *t = arg;
    int64_t since_ns = world_now_ns(t->world);
    for (int before = -1; !t->over && t->accepted < t->letters; ) {
        if (t->accepted != before)
            since_ns = world_now_ns(t->world);
        before = t->accepted;
        if (world_now_ns(t->world) - since_ns > seconds(t->patience_s))
            torment_failed(t, "no letter was accepted for too long (--patience)");
        if (fiber_sleep(millis(WATCH_MS)) != E_OK)
            return;
    }
}

static void interrupt(void *arg)
{
    torment *t = arg;
    if (signal_wait() != 0) {
        t->over = true;
        if (!t->trouble.len)
            t->trouble = S("interrupted");
    }
}

static void campaign(torment *t)
{
    t->ledger = arena_array(&t->memory, torment_letter, t->letters);
    must(t->ledger);
    torment_letters_plan(t);
    t->started_ns = world_now_ns(t->world);
    SCOPE(vandals, 0, TORMENT_VANDALS);
    SCOPE(trouble, 0, 5);
    for (int i = 0; i < TORMENT_VANDALS; i++)
        scope_go(&vandals, "vandal", torment_vandal, t);
    scope_go(&trouble, "killer", killer, t);
    scope_go(&trouble, "filler", filler, t);
    scope_go(&trouble, "clock", clock_stepper, t);
    scope_go(&trouble, "backup", backuper, t);
    scope_go(&trouble, "watcher", watcher, t);
    torment_send_all(t);
    t->accepted_ns = world_now_ns(t->world);
    scope_wait(&trouble);
    t->over = true;
    scope_cancel(&vandals);
    scope_wait(&vandals);
    if (t->up && !torment_drain(t) && !t->trouble.len)
        t->trouble = S("the queues were not empty in time (--patience)");
    t->drained_ns = world_now_ns(t->world);
    if (t->up && torment_read_all(t) && t->backed_up) {
        torment_up_stop(t);
        torment_backup_check(t);
    }
}

static void play(void *arg)
{
    torment *t = arg;
    door *sink;
    SCOPE(signals, 0, 1);
    SCOPE(outside, 0, SINK_CONNS_MAX + 1);
    scope_go(&signals, "signals", interrupt, t);
    t->tls_all = arena_array(&t->memory, tls_config *, t->kills + 1);
    must(t->tls_all);
    bool good = start(t);
    if (good && !t->on_try && door_open(&outside, t->world, (door_options){.service = "outside", .at = t->sink, .conns_max = SINK_CONNS_MAX},
                                        torment_sink_serve, t, &sink) != E_OK)
        good = torment_failed(t, "the receiver of the outside cannot listen");
    if (good)
        campaign(t);
    stop(t);
    for (int i = 0; i < t->tls_count; i++)
        tls_free(t->tls_all[i]);
}

// ---- the command ------------------------------------------------------------------------------------------------------

static bool directories_make(torment *t)
{
    const char *temporary = getenv("TMPDIR");
    bool usable = temporary && temporary[0] == '/' && strlen(temporary) <= TEMPORARY_BYTES_MAX;      // Unix sockets stand below it
    char *made = str_to_z(&t->memory, str_format(&t->memory, "%s/naru-torment-XXXXXX", usable ? temporary : "/tmp"));
    const char *base = t->wanted_directory.len ? str_to_z(&t->memory, t->wanted_directory) : mkdtemp(made);
    int n = base ? snprintf(t->directory, sizeof t->directory, "%s", base) : -1;
    int m = snprintf(t->data, sizeof t->data, "%.200s/data", t->directory);
    int o = snprintf(t->output, sizeof t->output, "%.200s/output", t->directory);
    snprintf(t->clock, sizeof t->clock, "%.200s/clock", t->directory);
    unsigned mode = own_user() == 0 && !t->on_try ? 0711 : 0700;       // services that are users of their own must get through
    return n > 0 && n < 200 && m > 0 && o > 0 && dir_make(t->world, t->data, mode) == E_OK && chmod(t->directory, mode) == 0;
}

// The children's clock goes right until it is stepped. Our own stays right: it was asked before.
static bool clock_prepare(torment *t)
{
    clock_change c = {.t = t};
    clock_blocking(&c);
    return c.done && setenv("NARU_TEST_CLOCK", t->clock, 1) == 0;
}

static void log_nowhere(void *arg, str line) { (void)arg, (void)line; }

static int run(torment *t)
{
    signals_block();
    if (!clock_prepare(t))
        return command_error("torment", COMMAND_FAILED, "cannot write in %s", t->directory);
    log_setup(LOG_LOGFMT, LOG_ERROR, log_nowhere, NULL);
    if (t->fills == 0 || t->disk_mib == 0)
        t->no_disk = S("not asked for");
    else
        t->small_disk = small_disk_enter(t->data, t->disk_mib << 20, &t->memory, &t->no_disk) == E_OK;
    workers_start(3);
    loop_driver *driver = driver_linux_new();
    if (loop_run(driver, t->world, play, t) != E_OK && !t->trouble.len)
        t->trouble = S("fibers were left, or no guarded stack can be had");
    driver_linux_free(driver);
    workers_stop();
    return torment_verdict(t);
}

int cmd_torment(int argc, char **argv)
{
    static torment state = {.letters = 10000, .kills = -1, .seed = 1, .patience_s = 120, .disk_mib = 1024, .fills = 2, .clocks = -1,
                            .backups = 1, .outside = -1};
    torment *t = &state;
    const command_option options[] = {
        {"letters", OPTION_NUMBER, &t->letters, "N", "how many letters are sent (default 10000)"},
        {"kills", OPTION_NUMBER, &t->kills, "N", "how often something is killed with kill -9 (default: once for 125 letters)"},
        {"fills", OPTION_NUMBER, &t->fills, "N", "how often its disk is full for a moment (default 2; needs root)"},
        {"clocks", OPTION_NUMBER, &t->clocks, "N", "how often its clock jumps by up to two days (default: once for 1000 letters)"},
        {"backups", OPTION_NUMBER, &t->backups, "N", "how many backups are taken meanwhile; the last is restored and read (default 1)"},
        {"try", OPTION_FLAG, &t->on_try, NULL, "torment a `naru try`, one process that is killed as a whole"},
        {"seed", OPTION_NUMBER, &t->seed, "N", "the same seed makes the same choices (default 1)"},
        {"patience", OPTION_NUMBER, &t->patience_s, "SECONDS", "for the queues to become empty (default 120)"},
        {"disk", OPTION_NUMBER, &t->disk_mib, "MIB", "size of the memory disk that fills (default 1024; 0: none)"},
        {"dir", OPTION_TEXT, &t->wanted_directory, "DIR", "work here and leave it (default: a temporary directory, removed at the end)"},
        {"break", OPTION_FLAG, &t->break_one, NULL, "lose one letter on purpose: it must be found out"},
        {"json", OPTION_FLAG, &t->json, NULL, "print one JSON object"},
        {0},
    };
    const command_help help = {"torment", "",
                               "Sends letters into a naru of its own while that is killed, filled, cut off and told wrong times; counts what is lost.", options,
                               "Everything stays on loopback and ends with the command. Exit code 1: something was lost or doubled."};
    int code, words;
    if (!options_read(argc, argv, &help, NULL, 0, &words, &code))
        return code;
    if (t->letters < 1 || t->letters > TORMENT_LETTERS_MAX || t->kills < -1 || t->kills > t->letters || t->fills < 0 || t->disk_mib < 0 ||
        t->clocks < -1 || t->clocks > t->letters || t->backups < 0 || t->backups > t->letters)
        return usage_error(&help, "--letters wants 1 to %d, --kills, --fills, --clocks, --backups and --disk no negative number",
                           TORMENT_LETTERS_MAX);
    int64_t letters_a_kill = t->on_try ? LETTERS_A_KILL_TRY : LETTERS_A_KILL;
    t->kills = t->kills < 0 ? (t->letters + letters_a_kill - 1) / letters_a_kill : t->kills;
    t->clocks = t->clocks < 0 ? (t->letters + LETTERS_A_CLOCK - 1) / LETTERS_A_CLOCK : t->clocks;
    t->memory = arena_make(TORMENT_MEMORY_BYTES_MAX);
    t->map_memory = arena_make(MAP_ARENA_BYTES);
    t->keep = t->wanted_directory.len > 0;
    t->world = world_linux_new(S("torment"), NULL, 0);
    code = directories_make(t) ? run(t) : command_error("torment", COMMAND_FAILED, "cannot make a directory for it; use --dir DIR");
    if (!t->keep && t->small_disk)
        small_disk_leave(t->data);
    if (!t->keep && t->directory[0])
        directory_remove(t->world, str_z(t->directory));
    world_linux_free(t->world);
    arena_free(&t->map_memory);
    arena_free(&t->memory);
    return code;
}
