// naru torment: does it keep what it promises? Letters from many senders into a small Internet of its own, which is killed with
// kill -9 at random moments, whose disk fills, and whose peers stall and cut; then every mailbox is read.
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "cmd/commands.h"
#include "cmd/directory_remove.h"
#include "cmd/torment.h"
#include "rt/child.h"
#include "rt/log.h"
#include "rt/loop.h"
#include "rt/worker.h"

enum {
    MAP_BYTES_MAX = 1 << 20, MAP_ARENA_BYTES = 256 << 20,
    START_LOOK_MS = 10, START_SECONDS = 60,
    KILL_LOOK_MS = 5, FULL_MS = 700,
    PURPOSE_KILL = 100, PURPOSE_FILL = 101,
};

// ---- the small Internet -------------------------------------------------------------------------------------------------

typedef struct { torment *t; bool there; str map, ca; } look;

static char *path_of(torment *t, arena *a, const char *name)
{
    return str_to_z(a, str_format(a, "%s/%s", t->data, name));
}

// Blocking: its map and its certificate authority, once they lie there.
static void look_blocking(void *arg)
{
    look *l = arg;
    arena *a = &l->t->map_memory;
    file_stat st;
    l->there = path_stat(l->t->world, path_of(l->t, a, "try.json"), &st) == E_OK &&
               file_read_all(l->t->world, path_of(l->t, a, "try.json"), a, MAP_BYTES_MAX, &l->map) == E_OK &&
               file_read_all(l->t->world, path_of(l->t, a, "ca.pem"), a, MAP_BYTES_MAX, &l->ca) == E_OK;
}

static void forget_blocking(void *arg)
{
    torment *t = arg;
    path_remove(t->world, path_of(t, &t->map_memory, "try.json"));
}

static bool place(torment *t, const json_t *host, const char *service, addr *out)
{
    return addr_parse(str_copy(&t->map_memory, str_z(json_string_value(json_object_get(host, service)))), 0, out);
}

static int host_of(torment *t, const char *name, const json_t *where)
{
    for (int i = 0; i < t->host_count; i++)
        if (str_eq(t->hosts[i].name, str_z(name)))
            return i;
    torment_host *h = &t->hosts[t->host_count];
    *h = (torment_host){.name = str_copy(&t->map_memory, str_z(name))};
    bool good = place(t, where, "smtp", &h->smtp) && place(t, where, "submission", &h->submission) && place(t, where, "pop3", &h->pop3);
    return good && t->host_count < TORMENT_HOSTS_MAX - 1 ? t->host_count++ : -1;
}

// People and their doors, in the order of the map: the same at every start.
static bool map_read(torment *t, str text)
{
    json_t *all = json_loadb((const char *)text.at, (size_t)text.len, 0, NULL), *person;
    size_t i;
    t->host_count = t->people_count = 0;
    json_array_foreach(json_object_get(all, "accounts"), i, person) {
        const char *address = json_string_value(json_object_get(person, "address"));
        const char *at = address ? strchr(address, '@') : NULL;
        json_t *where = at ? json_object_get(json_object_get(all, "hosts"), at + 1) : NULL;
        int h = where && t->people_count < TORMENT_PEOPLE_MAX ? host_of(t, at + 1, where) : -1;
        if (h < 0 || t->hosts[h].people_count == 8)
            continue;
        t->hosts[h].people[t->hosts[h].people_count++] = t->people_count;
        t->people[t->people_count++] = (torment_person){
            .address = str_copy(&t->map_memory, str_z(address)), .host = h,
            .password = str_copy(&t->map_memory, str_z(json_string_value(json_object_get(person, "password"))))};
    }
    json_decref(all);
    return t->people_count > 0;
}

static bool failed(torment *t, const char *why)
{
    t->trouble = str_format(&t->memory, "%s; its output is in %s", why, t->output);
    t->over = t->keep = true;
    return false;
}

static bool start(torment *t)
{
    const char *argv[] = {"naru", "try", "--json", "--dir", t->data, NULL};
    look l = {.t = t};
    str why;
    work(forget_blocking, t);
    if (child_start(argv, t->output, t->directory, &t->pid) != E_OK)
        return t->pid = 0, failed(t, "the small Internet cannot be started");
    int64_t until_ns = world_now_ns(t->world) + seconds(START_SECONDS);
    while (!l.there) {
        if (fiber_sleep(millis(START_LOOK_MS)) != E_OK)
            return false;
        if (child_ended(t->pid))
            return t->pid = 0, failed(t, "the small Internet ended by itself");
        if (world_now_ns(t->world) > until_ns)
            return failed(t, "the small Internet did not answer within a minute");
        work(look_blocking, &l);
    }
    if (!map_read(t, l.map))
        return failed(t, "the small Internet says nothing about its people");
    t->tls = tls_client_new(t->world, l.ca, NULL, &t->map_memory, &why);
    t->tls_all[t->starts++] = t->tls;
    return t->up = true;
}

static void stop(torment *t)
{
    t->up = false;
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

// The last kill comes when everything was accepted: what lies in the queues then must survive too.
static void killer(void *arg)
{
    torment *t = arg;
    for (int k = 0; k < t->kills; k++) {
        int64_t step = t->letters / (t->kills + 1), from = step * (k + 1);
        int64_t at = k == t->kills - 1 ? t->letters : from + (int64_t)torment_chance(t, k, PURPOSE_KILL, (uint64_t)step / 2 + 1);
        if (!wait_for_letters(t, (int)at) || fiber_sleep((int64_t)torment_chance(t, k, PURPOSE_KILL, 50 * NS_PER_MS)) != E_OK)
            return;
        if (turn_take(&t->one_trouble, NEVER_NS) != E_OK)
            return;
        stop(t);
        t->killed++;
        bool again = start(t);
        turn_give(&t->one_trouble);
        if (!again)
            return;
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
        int64_t at = t->letters * (k + 1) / (t->fills + 1) - t->letters / 20 + (int64_t)torment_chance(t, k, PURPOSE_FILL, (uint64_t)t->letters / 20 + 1);
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
            failed(t, "the disk cannot be given its size back");
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
    SCOPE(trouble, 0, 2);
    for (int i = 0; i < TORMENT_VANDALS; i++)
        scope_go(&vandals, "vandal", torment_vandal, t);
    scope_go(&trouble, "killer", killer, t);
    scope_go(&trouble, "filler", filler, t);
    torment_send_all(t);
    t->accepted_ns = world_now_ns(t->world);
    scope_wait(&trouble);
    t->over = true;
    scope_cancel(&vandals);
    scope_wait(&vandals);
    if (t->up && !torment_drain(t) && !t->trouble.len)
        t->trouble = S("the queues were not empty in time (--patience)");
    t->drained_ns = world_now_ns(t->world);
    if (t->up)
        torment_read_all(t);
}

static void play(void *arg)
{
    torment *t = arg;
    SCOPE(signals, 0, 1);
    scope_go(&signals, "signals", interrupt, t);
    t->tls_all = arena_array(&t->memory, tls_config *, t->kills + 1);
    must(t->tls_all);
    if (start(t))
        campaign(t);
    stop(t);
    for (int i = 0; i < t->starts; i++)
        tls_free(t->tls_all[i]);
}

// ---- the verdict ------------------------------------------------------------------------------------------------------

typedef struct { int accepted, lost, doubled, copies, between, damaged, first_lost; } sums;

// A copy is allowed where a connection broke between the final dot and its answer, and nobody could know that the letter had arrived: between
// the sender and the first server (then the copies have two first ids, and the sender remembers so many broken answers), or between two
// servers that were killed together (one first id, two last ones). Whatever has the same last id was promised once and delivered twice.
static void count_copies(const torment *t, const torment_letter *l, int i, sums *s)
{
    int seen = l->seen[i] < TORMENT_COPIES_MAX ? l->seen[i] : TORMENT_COPIES_MAX, again = 0, firsts = 0;
    for (int k = 0; k < seen; k++) {
        bool new_first = true, new_last = true;
        for (int j = 0; j < k; j++) {
            new_first = new_first && l->ways[i][j].first != l->ways[i][k].first;
            new_last = new_last && l->ways[i][j].last != l->ways[i][k].last;
        }
        firsts += new_first;
        again += !new_last;
    }
    int by_sender = firsts > 0 ? firsts - 1 : 0, excused = by_sender < l->unclear[i] ? by_sender : l->unclear[i];
    int between = seen - firsts - again;
    s->doubled += again + (by_sender - excused) + (t->killed ? 0 : between) + (l->seen[i] - seen);
    s->copies += excused;
    s->between += t->killed ? between : 0;
}

static sums count(const torment *t)
{
    sums s = {.first_lost = -1};
    for (int n = 0; n < t->letters && t->ledger; n++) {
        const torment_letter *l = &t->ledger[n];
        bool accepted = l->count > 0, lost = false;
        for (int i = 0; i < l->count; i++) {
            accepted = accepted && l->accepted[i];
            lost = lost || (l->accepted[i] && !l->seen[i]);
            count_copies(t, l, i, &s);
        }
        s.accepted += accepted;
        s.lost += lost;
        s.damaged += l->damaged;
        if (lost && s.first_lost < 0)
            s.first_lost = n;
    }
    return s;
}

static str thousands(torment *t, int64_t n)
{
    return n < 1000 ? str_format(&t->memory, "%lld", (long long)n)
         : n < 1000000 ? str_format(&t->memory, "%lld,%03lld", (long long)(n / 1000), (long long)(n % 1000))
         : str_format(&t->memory, "%lld,%03lld,%03lld", (long long)(n / 1000000), (long long)(n / 1000 % 1000), (long long)(n % 1000));
}

static double seconds_of(int64_t ns) { return (double)(ns > 0 ? ns : 0) / NS_PER_S; }

static void tell(torment *t, const sums *s)
{
    printf("%lld letters, seed %lld: accepted in %.1f s, queues empty after %.1f s more\n", (long long)t->letters, (long long)t->seed,
           seconds_of(t->accepted_ns - t->started_ns), seconds_of(t->drained_ns - t->accepted_ns));
    printf("killed with kill -9 %d times; the sender hung up in the middle of the text %d times; %d peers that stalled or talked rubbish\n",
           t->killed, t->cut, t->vandalised);
    if (t->small_disk)
        printf("the disk was full %d times; %d recipients were told to come back (452)\n", t->filled, t->refused_full);
    else
        printf("SKIPPED disks that fill: " STR_FMT "\n", STR_ARG(t->no_disk));
    if (s->copies)
        printf("%d copies because the sender lost the answer to its final dot in a kill, and sent again as RFC 5321 asks\n", s->copies);
    if (s->between)
        printf("%d copies because two servers were killed between a final dot and what the other wrote down about its answer\n", s->between);
    if (s->damaged)
        printf("%d letters came out with another text than they went in\n", s->damaged);
    if (s->lost)
        printf("the first that was lost: number %d\n", s->first_lost);
    printf("accepted " STR_FMT ", lost " STR_FMT ", doubled in a mailbox " STR_FMT "\n", STR_ARG(thousands(t, s->accepted)),
           STR_ARG(thousands(t, s->lost)), STR_ARG(thousands(t, s->doubled)));
}

static void tell_json(torment *t, const sums *s)
{
    json_t *o = json_pack("{s:I, s:I, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:b, s:f, s:f, s:s%}", "letters", (json_int_t)t->letters, "seed", (json_int_t)t->seed,
                          "accepted", s->accepted, "lost", s->lost, "doubled", s->doubled, "copies_after_broken_answers", s->copies,
                          "copies_between_servers", s->between,
                          "damaged", s->damaged, "kills", t->killed, "cut_by_sender", t->cut, "disk_full", t->filled,
                          "refused_452", t->refused_full, "disk_tested", (int)t->small_disk,
                          "accepted_s", seconds_of(t->accepted_ns - t->started_ns), "drained_s", seconds_of(t->drained_ns - t->accepted_ns),
                          "trouble", t->trouble.len ? (const char *)t->trouble.at : "", (size_t)t->trouble.len);
    if (o)
        json_dumpf(o, stdout, 0);
    putchar('\n');
    json_decref(o);
}

static int verdict(torment *t)
{
    sums s = count(t);
    if (t->json)
        tell_json(t, &s);
    else
        tell(t, &s);
    fflush(stdout);
    if (t->trouble.len)
        return command_error("torment", COMMAND_FAILED, STR_FMT, STR_ARG(t->trouble));
    return s.lost || s.doubled || s.damaged || s.accepted < t->letters ? COMMAND_FAILED : COMMAND_OK;
}

// ---- the command ------------------------------------------------------------------------------------------------------

static bool directories_make(torment *t)
{
    char made[] = "/tmp/naru-torment-XXXXXX";
    const char *base = t->wanted_directory.len ? str_to_z(&t->memory, t->wanted_directory) : mkdtemp(made);
    int n = base ? snprintf(t->directory, sizeof t->directory, "%s", base) : -1;
    int m = snprintf(t->data, sizeof t->data, "%.200s/data", t->directory);
    int o = snprintf(t->output, sizeof t->output, "%.200s/output", t->directory);
    return n > 0 && n < 200 && m > 0 && o > 0 && dir_make(t->world, t->data, 0700) == E_OK;
}

static void log_nowhere(void *arg, str line) { (void)arg, (void)line; }

static int run(torment *t)
{
    signals_block();
    log_setup(LOG_LOGFMT, LOG_ERROR, log_nowhere, NULL);
    if (t->fills == 0 || t->disk_mib == 0)
        t->no_disk = S("not asked for");
    else
        t->small_disk = small_disk_enter(t->data, t->disk_mib << 20, &t->memory, &t->no_disk) == E_OK;
    workers_start(2);
    loop_driver *driver = driver_linux_new();
    if (loop_run(driver, t->world, play, t) != E_OK && !t->trouble.len)
        t->trouble = S("fibers were left, or no guarded stack can be had");
    driver_linux_free(driver);
    workers_stop();
    return verdict(t);
}

int cmd_torment(int argc, char **argv)
{
    static torment state = {.letters = 10000, .kills = -1, .seed = 1, .patience_s = 120, .disk_mib = 1024, .fills = 2};
    torment *t = &state;
    const command_option options[] = {
        {"letters", OPTION_NUMBER, &t->letters, "N", "how many letters are sent (default 10000)"},
        {"kills", OPTION_NUMBER, &t->kills, "N", "how often the program is killed with kill -9 (default: one for 500 letters)"},
        {"fills", OPTION_NUMBER, &t->fills, "N", "how often its disk is full for a moment (default 2; needs root)"},
        {"seed", OPTION_NUMBER, &t->seed, "N", "the same seed makes the same choices (default 1)"},
        {"patience", OPTION_NUMBER, &t->patience_s, "SECONDS", "for the queues to become empty (default 120)"},
        {"disk", OPTION_NUMBER, &t->disk_mib, "MIB", "size of the memory disk that fills (default 1024; 0: none)"},
        {"dir", OPTION_TEXT, &t->wanted_directory, "DIR", "work here and leave it (default: a temporary directory, removed at the end)"},
        {"break", OPTION_FLAG, &t->break_one, NULL, "lose one letter on purpose: it must be found out"},
        {"json", OPTION_FLAG, &t->json, NULL, "print one JSON object"},
        {0},
    };
    const command_help help = {"torment", "", "Sends letters into a small Internet of its own while that is killed, filled and cut off; counts what is lost.",
                               options, "Everything stays on loopback and ends with the command. Exit code 1: something was lost or doubled."};
    int code, words;
    if (!options_read(argc, argv, &help, NULL, 0, &words, &code))
        return code;
    if (t->letters < 1 || t->letters > TORMENT_LETTERS_MAX || t->kills < -1 || t->kills > t->letters || t->fills < 0 || t->disk_mib < 0)
        return usage_error(&help, "--letters wants 1 to %d, --kills, --fills and --disk no negative number", TORMENT_LETTERS_MAX);
    t->kills = t->kills < 0 ? (t->letters + 499) / 500 : t->kills;
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
