// disk: a small program keeps a log and a file that it replaces, on a host that crashes at any file operation,
// whose disk fills up and whose syncs fail. What it was told is durable must be there in every next life.
#include <string.h>

#include "rt/scope.h"
#include "rt/worker.h"
#include "trial.h"

enum { RECORD_BYTES = 300, LIVES = 6, STEPS_A_LIFE = 40, OPERATIONS_A_LIFE_MAX = 150 };

typedef struct {
    trial *t;
    world *w;
    int    promised, written;            // records in the log: synced; perhaps there
    int    promised_number, written_number;
    err    trouble;
} ledger;

static unsigned char record_byte(int number) { return (unsigned char)(1 + number % 250); }

// What the last life left. The log must begin with the promised records; the rest is cut off.
static void log_recover(ledger *l, file *f)
{
    int64_t size = 0;
    l->trouble = file_size(f, &size);
    int whole = 0;
    for (; !l->trouble && (int64_t)(whole + 1) * RECORD_BYTES <= size; whole++) {
        unsigned char record[RECORD_BYTES];
        size_t got;
        l->trouble = file_read(f, (int64_t)whole * RECORD_BYTES, record, sizeof record, &got);
        bool intact = !l->trouble;
        for (size_t i = 0; intact && i < sizeof record; i++)
            intact = record[i] == record_byte(whole);
        if (!intact)
            break;
    }
    if (!l->trouble && whole < l->promised) {
        trial_failed(l->t, "record %d of the log was promised, %d are there", l->promised, whole);
        l->t->tally.lost += l->promised - whole;
    }
    if (!l->trouble)
        l->trouble = file_truncate(f, (int64_t)whole * RECORD_BYTES);
    if (!l->trouble)
        l->trouble = file_sync(f);
    if (!l->trouble) {
        l->t->tally.records += l->promised;
        l->promised = l->written = whole;
    }
}

static void number_recover(ledger *l)
{
    arena a = arena_make(4096);
    str text = {0};
    uint64_t number = 0;
    err e = file_read_all(l->w, "state/number", &a, 100, &text);
    bool fits =
        !e && str_to_u64(text, &number) && ((int)number == l->promised_number || (int)number == l->written_number);
    if (e != E_CRASHED && e != E_IO && !fits && !(e == E_NO_ENTRY && l->promised_number < 0))
        trial_failed(l->t, "the replaced file holds '" STR_FMT "' (%s), promised was %d", STR_ARG(text),
                     err_name(e), l->promised_number);
    if (fits)
        l->promised_number = l->written_number = (int)number;
    arena_free(&a);
}

static err log_append(ledger *l, file *f)
{
    unsigned char record[RECORD_BYTES];
    memset(record, record_byte(l->promised), sizeof record);
    l->written = l->promised + 1;
    err e = file_write(f, (int64_t)l->promised * RECORD_BYTES, &(struct iovec){record, sizeof record}, 1);
    if (!e && !world_broken(l->w, "no-sync"))
        e = file_sync(f);
    if (!e)
        l->promised++;
    return e;
}

static err number_replace(ledger *l)
{
    arena a = arena_make(4096);
    str text = str_format(&a, "%d", l->written_number + 1);
    l->written_number++;
    err e = file_replace(l->w, "state/number", text, 0600);
    if (!e)
        l->promised_number = l->written_number;
    arena_free(&a);
    return e;
}

// One life. A full disk is waited out by the next life; a failed sync makes the file's state unknown: the
// program gives up the file.
static void ledger_work(void *arg)
{
    ledger *l = arg;
    file *f = NULL;
    l->trouble = dir_make(l->w, "state", 0700);
    if (!l->trouble)
        l->trouble = dir_sync(l->w, "/");
    if (!l->trouble)
        l->trouble = file_open(l->w, "state/log", FILE_READ | FILE_WRITE | FILE_CREATE, 0600, &f);
    if (l->trouble)
        return;
    l->trouble = dir_sync(l->w, "state");
    if (!l->trouble)
        log_recover(l, f);
    if (!l->trouble)
        number_recover(l);
    for (int i = 0; !l->trouble && i < STEPS_A_LIFE; i++)
        l->trouble = i % 4 == 3 ? number_replace(l) : log_append(l, f);
    file_close(f);
}

static void ledger_boot(void *arg) { work(ledger_work, arg); }

void disk_play(trial *t)
{
    addr at = addr_v4(0x0a000001, 0);
    sim_disk disk = {.write_ns = 20000, .sync_ns = millis(2), .per_kib_ns = 1000,
                     .sync_fail_per_million = sim_chance(t->sim, 300000) ? 10000 : 0,
                     .capacity_bytes = sim_chance(t->sim, 300000) ? sim_between(t->sim, 2000, 40000) : 0};
    ledger l = {
        .t = t, .w = sim_host(t->sim, S("ledger"), &at, 1, disk), .promised_number = -1, .written_number = -1};
    SCOPE(s, 0, 4);
    for (int life = 0; life < LIVES; life++) {
        sim_crash_after(l.w, sim_between(t->sim, 0, OPERATIONS_A_LIFE_MAX));
        if (sim_boot(l.w, &s, ledger_boot, &l))
            return;
        fiber_sleep(sim_between(t->sim, millis(1), seconds(1)));
        sim_crash(l.w);
        sim_restart(l.w);
    }
    sim_disk_set(l.w, (sim_disk){0});
    sim_boot(l.w, &s, ledger_boot, &l);
    scope_wait(&s);
    if (l.trouble)
        trial_failed(t, "on a sound disk the program ended with %s", err_text(l.trouble));
}
