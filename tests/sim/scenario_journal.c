// journal: many fibers append to one journal; its host crashes at any file operation, its syncs fail, its disk
// fills up. Every append that returned E_OK is there after each restart, in order, and no record stands there
// twice.
#include <string.h>

#include "base/heap_memory.h"
#include "keep/journal.h"
#include "rt/scope.h"
#include "trial.h"

enum {
    WRITERS = 12, LIVES = 5, RECORDS_MAX = 20000, OPERATIONS_A_LIFE_MAX = 120,
    PAYLOAD_BYTES_MAX = 3000, SEGMENT_BYTES = 64 * 1024, MEMORY_BYTES = 16 << 20,
};

typedef struct {
    int64_t begun, acknowledged;         // at which tick of `clock`; 0: not
    int     seen_in_life;                // replayed last in this life
} record;

typedef struct {
    trial   *t;
    world   *w;
    int      life;
    int64_t  clock;                      // counts beginnings and acknowledgements
    record  *records;                    // [id]
    int      count;
    int64_t  newest_begun;               // among the records replayed so far in this life
    journal *journal;
    bool     opened, corrupt;
} book;

typedef struct { book *b; int number; } writer_place;

// ---- a record: its id, its length, bytes that follow from both ---------------------------------------------

typedef struct { uint32_t id, len; } record_head;

static unsigned char payload_byte(uint32_t id, size_t i) { return (unsigned char)(id * 31 + i * 7); }

static void book_replay(void *arg, journal_place place, str bytes)
{
    book *b = arg;
    record_head head;
    bool whole = bytes.len >= (ptrdiff_t)sizeof head;
    if (whole)
        memcpy(&head, bytes.at, sizeof head);
    whole = whole && head.len == (size_t)bytes.len - sizeof head && head.id < (uint32_t)b->count;
    for (size_t i = 0; whole && i < head.len; i++)
        whole = bytes.at[sizeof head + i] == payload_byte(head.id, i);
    if (!whole) {
        trial_failed(b->t, "life %d: the record at %u:%llu was never appended", b->life, place.segment,
                     (unsigned long long)place.offset);
        return;
    }
    record *r = &b->records[head.id];
    if (r->seen_in_life == b->life) {
        trial_failed(b->t, "life %d: record %u stands there twice", b->life, head.id);
        b->t->tally.doubled++;
    }
    r->seen_in_life = b->life;
    // An acknowledged record comes before every one that was begun later.
    if (r->acknowledged && r->acknowledged < b->newest_begun)
        trial_failed(b->t, "life %d: record %u stands behind a younger one", b->life, head.id);
    if (r->begun > b->newest_begun)
        b->newest_begun = r->begun;
    journal_hold(b->journal, place.segment);
}

static void book_check(book *b)
{
    for (int id = 0; id < b->count; id++) {
        if (!b->records[id].acknowledged)
            continue;
        if (b->records[id].seen_in_life == b->life) {
            b->t->tally.records++;
            continue;
        }
        trial_failed(b->t, "life %d: record %d was acknowledged and is gone", b->life, id);
        b->t->tally.lost++;
    }
}

// ---- writing -----------------------------------------------------------------------------------------------

static err record_append(book *b)
{
    if (b->count == RECORDS_MAX)
        return E_LIMIT;
    uint32_t id = (uint32_t)b->count++;
    unsigned char payload[PAYLOAD_BYTES_MAX];
    record_head head = {id, (uint32_t)world_random_below(b->w, PAYLOAD_BYTES_MAX)};
    for (size_t i = 0; i < head.len; i++)
        payload[i] = payload_byte(id, i);
    b->records[id].begun = ++b->clock;
    journal_place place;
    str pieces[2] = {str_of(&head, sizeof head), str_of(payload, head.len)};
    err e = journal_append(b->journal, pieces, 2, &place);
    if (!e) {
        b->records[id].acknowledged = ++b->clock;
        journal_hold(b->journal, place.segment);
    }
    return e;
}

static void writer_run(void *arg)
{
    book *b = ((writer_place *)arg)->b;
    while (!fiber_canceled()) {
        err e = record_append(b);
        if (e == E_CRASHED || e == E_LIMIT)
            return;
        fiber_sleep((int64_t)world_random_below(b->w, (uint64_t)millis(e ? 200 : 5)));
    }
}

static void book_boot(void *arg)
{
    book *b = arg;
    arena a = arena_make(MEMORY_BYTES);
    str why = {0};
    b->life++;
    b->newest_begun = 0;
    journal_options options = {.segment_bytes_max = SEGMENT_BYTES};
    err e = journal_open(b->w, S("book"), options, book_replay, b, &a, &b->journal, &why);
    b->opened = !e;
    if (e == E_CORRUPT)
        trial_failed(b->t, "life %d: the journal would not open: " STR_FMT, b->life, STR_ARG(why));
    if (!e) {
        book_check(b);
        writer_place writers[WRITERS];
        SCOPE(s, 0, WRITERS);
        for (int i = 0; i < WRITERS; i++) {
            writers[i] = (writer_place){b, i};
            scope_go(&s, "writer", writer_run, &writers[i]);
        }
        scope_wait(&s);
        scope_close(&s);
        journal_close(b->journal);
    }
    arena_free(&a);
}

void journal_play(trial *t)
{
    addr at = addr_v4(0x0a000001, 0);
    sim_disk sound = {.write_ns = 20000, .sync_ns = millis(1), .per_kib_ns = 500};
    sim_disk disk = sound;
    disk.sync_fail_per_million = sim_chance(t->sim, 300000) ? 50000 : 0;
    if (sim_chance(t->sim, 200000))
        disk.capacity_bytes = sim_between(t->sim, 20000, 400000);
    book b = {.t = t,
              .w = sim_host(t->sim, S("book"), &at, 1, disk),
              .records = memory_zeroed(RECORDS_MAX, sizeof(record))};
    SCOPE(s, 0, 4);
    for (int life = 0; life < LIVES; life++) {
        if (sim_chance(t->sim, 700000))
            sim_crash_after(b.w, sim_between(t->sim, 0, OPERATIONS_A_LIFE_MAX));
        if (sim_boot(b.w, &s, book_boot, &b))
            break;
        fiber_sleep(sim_between(t->sim, 0, millis(300)));
        if (sim_chance(t->sim, 100000))
            sim_shut_down(b.w);
        sim_crash(b.w);
        sim_restart(b.w);
    }
    sim_disk_set(b.w, sound);
    sim_boot(b.w, &s, book_boot, &b);
    fiber_sleep(millis(50));
    sim_shut_down(b.w);
    if (!b.opened)
        trial_failed(t, "the journal does not open on a sound disk");
    memory_free(b.records);
}
