#include "keep/journal.h"

#include "keep/journal_scan.h"
#include "play_test.h"

// Records say who they are: "N:" and then N-dependent filling, so that every byte can be checked without remembering it.
enum { WRITERS = 5, RECORDS_EACH = 5, NUMBERS = 64, RECORD_TEXT_MAX = 8192 };

typedef struct {
    bool          promised[NUMBERS], tried[NUMBERS];
    int           replayed[NUMBERS];
    journal_place place[NUMBERS];
    int           foreign;                    // records that nobody wrote
    bool          held;                       // hold what is replayed
    journal      *journal;
    stage        *stage;
    err           opened, last;
    str           why;
    journal_options options;
} play;

static size_t text_of(int number, unsigned char out[RECORD_TEXT_MAX])
{
    size_t size = 3 + (size_t)(number * 131 % 900) + (number % 7 == 3 ? 3000 : 0);
    out[0] = (unsigned char)number;
    for (size_t i = 1; i < size; i++)
        out[i] = (unsigned char)(number * 7 + (int)i * 13);
    return size;
}

static void replay(void *arg, journal_place place, str bytes)
{
    play *p = arg;
    unsigned char want[RECORD_TEXT_MAX];
    int number = bytes.len ? bytes.at[0] : NUMBERS;
    if (number >= NUMBERS || !str_eq(bytes, str_of(want, text_of(number, want))) || !p->tried[number]) {
        p->foreign++;
        return;
    }
    p->replayed[number]++;
    if (p->held)
        journal_hold(p->journal, place.segment);
    p->place[number] = place;
}

static err open_again(play *p)
{
    memset(p->replayed, 0, sizeof p->replayed);
    p->foreign = 0;
    p->journal = NULL;
    p->opened = journal_open(p->stage->world, str_format(&p->stage->memory, "%s/mta/journal", p->stage->directory), p->options,
                             replay, p, &p->stage->memory, &p->journal, &p->why);
    return p->opened;
}

static err append_one(play *p, int number)
{
    unsigned char text[RECORD_TEXT_MAX];
    size_t size = text_of(number, text);
    str pieces[3] = {str_of(text, 1), {0}, str_of(text + 1, size - 1)};
    p->tried[number] = true;
    err e = journal_append(p->journal, pieces, 3, &p->place[number]);
    p->promised[number] = e == E_OK;
    p->last = e;
    return e;
}

typedef struct { play *play; int first; } writer_job;

static void write_some(void *arg)
{
    writer_job *w = arg;
    for (int i = 0; i < RECORDS_EACH; i++)
        if (append_one(w->play, w->first + i) == E_CRASHED)
            return;
}

static void write_all(play *p)
{
    writer_job job[WRITERS];
    SCOPE(s, 0, WRITERS);
    for (int i = 0; i < WRITERS; i++) {
        job[i] = (writer_job){p, i * RECORDS_EACH};
        CHECK_INT(scope_go(&s, "writer", write_some, &job[i]), E_OK);
    }
    scope_wait(&s);
}

static void check_promised(const play *p)
{
    for (int i = 0; i < NUMBERS; i++) {
        CHECK_ROW(i, !p->promised[i] || p->replayed[i] == 1);
        CHECK_ROW(i, p->replayed[i] <= 1);
    }
    CHECK_INT(p->foreign, 0);
}

static void check_read(play *p, int number, err want)
{
    unsigned char text[RECORD_TEXT_MAX];
    str got;
    err e = journal_read(p->journal, p->place[number], &p->stage->memory, &got);
    CHECK_INT(e, want);
    if (!want)
        CHECK_STR(got, str_of(text, text_of(number, text)));
}

static play play_of(stage *t)
{
    return (play){.stage = t, .options = {.segment_bytes_max = 6000, .record_bytes_max = 5000}};
}

// ---- the ordinary life ------------------------------------------------------------------------------------------------------

static void round_trip(stage *t)
{
    play p = play_of(t);
    if (open_again(&p))
        return test_failed(__FILE__, __LINE__, STR_FMT, STR_ARG(p.why));
    CHECK_INT(journal_newest(p.journal), 0);
    write_all(&p);
    for (int i = 0; i < WRITERS * RECORDS_EACH; i++)
        check_read(&p, i, E_OK);
    CHECK(journal_newest(p.journal) > 2);
    CHECK_INT(journal_figures_now(p.journal).records, WRITERS * RECORDS_EACH);
    CHECK_INT(journal_figures_now(p.journal).segments, journal_newest(p.journal));
    journal_close(p.journal);
    for (int life = 0; life < 3; life++) {
        CHECK_INT(open_again(&p), E_OK);
        check_promised(&p);
        CHECK_INT(append_one(&p, 40 + life), E_OK);
        check_read(&p, 2, E_OK);
        CHECK_INT(journal_figures_now(p.journal).torn_bytes, 0);
        journal_close(p.journal);
    }
}

TEST(journal_gives_back_what_was_appended_simulated) { stage_simulated(1, quick_disk, round_trip, NULL); }
TEST(journal_gives_back_what_was_appended_really) { stage_real(round_trip, NULL); }

static void sharing(stage *t)
{
    play p = play_of(t);
    p.options.segment_bytes_max = 0;
    CHECK_INT(open_again(&p), E_OK);
    write_all(&p);
    journal_figures f = journal_figures_now(p.journal);
    CHECK_INT(f.records, WRITERS * RECORDS_EACH);
    CHECK(f.syncs <= RECORDS_EACH + 1);
    CHECK_INT(f.segments, 1);
    journal_close(p.journal);
}

TEST(journal_appenders_share_syncs) { stage_simulated(2, quick_disk, sharing, NULL); }

static void limits(stage *t)
{
    static const unsigned char big[6000];
    play p = play_of(t);
    journal_place place = {0};
    str got, piece = str_of(big, 5001);
    CHECK_INT(open_again(&p), E_OK);
    CHECK_INT(journal_append(p.journal, &piece, 1, &place), E_TOO_LONG);
    CHECK_INT(journal_newest(p.journal), 0);
    CHECK_INT(journal_append(p.journal, NULL, 0, &place), E_OK);       // an empty record is a record
    CHECK_INT(journal_read(p.journal, place, &t->memory, &got), E_OK);
    CHECK_INT(got.len, 0);
    piece.len = 5000;
    CHECK_INT(journal_append(p.journal, &piece, 1, &place), E_OK);
    CHECK_INT(journal_read(p.journal, (journal_place){9, 40}, &t->memory, &got), E_NO_ENTRY);
    CHECK_INT(journal_read(p.journal, (journal_place){1, 41}, &t->memory, &got), E_CORRUPT);
    CHECK_INT(journal_read(p.journal, (journal_place){1, UINT64_MAX}, &t->memory, &got), E_CORRUPT);
    arena small = arena_make(1000);
    CHECK_INT(journal_read(p.journal, place, &small, &got), E_LIMIT);
    arena_free(&small);
    journal_close(p.journal);
}

TEST(journal_keeps_its_limits) { stage_simulated(3, quick_disk, limits, NULL); }

// ---- segments ---------------------------------------------------------------------------------------------------------------

static void dropping(stage *t)
{
    play p = play_of(t);
    CHECK_INT(open_again(&p), E_OK);
    for (int i = 0; i < 30; i++) {
        CHECK_INT(append_one(&p, i), E_OK);
        journal_hold(p.journal, p.place[i].segment);
    }
    uint32_t newest = journal_newest(p.journal);
    CHECK(newest >= 4);
    for (int i = 29; i > 0; i--)
        journal_release(p.journal, p.place[i].segment);
    CHECK_INT(append_one(&p, 30), E_OK);
    CHECK_INT(journal_oldest(p.journal), 1);            // the first record keeps its own and all younger segments
    check_read(&p, 29, E_OK);
    journal_release(p.journal, p.place[0].segment);
    CHECK_INT(append_one(&p, 31), E_OK);
    CHECK_INT(journal_oldest(p.journal), journal_newest(p.journal));
    check_read(&p, 0, E_NO_ENTRY);
    check_read(&p, 31, E_OK);
    CHECK_INT(journal_figures_now(p.journal).segments, 1);
    journal_close(p.journal);
    p.held = true;                                      // inside the replay
    CHECK_INT(open_again(&p), E_OK);
    CHECK_INT(p.replayed[0] + p.replayed[1], 0);
    CHECK_INT(p.replayed[31], 1);
    CHECK_INT(p.foreign, 0);
    uint32_t oldest = journal_oldest(p.journal);
    CHECK_INT(append_one(&p, 32), E_OK);
    CHECK_INT(append_one(&p, 33), E_OK);
    CHECK_INT(journal_oldest(p.journal), oldest);
    for (int i = 0; i < NUMBERS; i++)
        for (; p.replayed[i] > 0; p.replayed[i]--)
            journal_release(p.journal, p.place[i].segment);
    CHECK_INT(append_one(&p, 34), E_OK);
    CHECK_INT(journal_oldest(p.journal), oldest + 1);
    journal_close(p.journal);
}

TEST(journal_drops_segments_oldest_first) { stage_simulated(4, quick_disk, dropping, NULL); }

// ---- trouble ----------------------------------------------------------------------------------------------------------------

static void failed_sync(stage *t)
{
    play p = play_of(t);
    p.options.segment_bytes_max = 0;
    CHECK_INT(open_again(&p), E_OK);
    CHECK_INT(append_one(&p, 0), E_OK);
    sim_fault_after(t->world, 1, E_IO);                 // 0: the write, 1: the sync
    CHECK_INT(append_one(&p, 1), E_IO);
    CHECK(sim_fault_met(t->world));
    CHECK_INT(journal_figures_now(p.journal).failed_syncs, 1);
    CHECK_INT(append_one(&p, 2), E_OK);
    CHECK_INT(p.place[2].segment, 2);
    CHECK_INT(append_one(&p, 3), E_OK);
    CHECK_INT(p.place[3].segment, 2);
    journal_close(p.journal);
    stage_restart(t);
    CHECK_INT(open_again(&p), E_OK);
    check_promised(&p);
    journal_close(p.journal);
}

TEST(journal_seals_a_segment_after_a_failed_sync)
{
    for (uint64_t seed = 1; seed <= 20; seed++)
        stage_simulated(seed, quick_disk, failed_sync, NULL);
}

// A disk that fails one sync after the other must not leave a trail of segments.
static void failed_syncs(stage *t)
{
    enum { TO_SYNC_OF_NEW_SEGMENT = 7 };                // rename, open, write, sync, rename, dir sync; write, sync
    play p = play_of(t);
    CHECK_INT(open_again(&p), E_OK);
    CHECK_INT(append_one(&p, 0), E_OK);
    journal_hold(p.journal, 1);
    sim_fault_after(t->world, 1, E_IO);
    CHECK_INT(append_one(&p, 1), E_IO);
    for (int i = 0; i < 10; i++) {
        sim_fault_after(t->world, TO_SYNC_OF_NEW_SEGMENT, E_IO);
        CHECK_INT(append_one(&p, 2 + i), E_IO);
        CHECK_INT(journal_figures_now(p.journal).failed_syncs, 2 + i);
        CHECK_INT(journal_newest(p.journal), 2);
        if (i == 0)
            journal_hold(p.journal, 2);
    }
    CHECK_INT(append_one(&p, 20), E_OK);
    CHECK_INT(p.place[20].segment, 2);
    CHECK_INT(journal_figures_now(p.journal).segments, 2);
    journal_release(p.journal, 2);
    journal_close(p.journal);
    stage_restart(t);
    CHECK_INT(open_again(&p), E_OK);
    check_promised(&p);
    journal_close(p.journal);
}

TEST(journal_replaces_segments_that_promised_nothing) { stage_simulated(9, quick_disk, failed_syncs, NULL); }

static void full_disk(stage *t)
{
    static const unsigned char filling[5000];
    str piece = str_of(filling, sizeof filling);
    play p = play_of(t);
    p.options.segment_bytes_max = 0;
    CHECK_INT(open_again(&p), E_OK);
    CHECK_INT(append_one(&p, 0), E_OK);                 // there is no room for a step of zeros, but for this
    journal_place place;
    int count = 0;
    err e;
    while ((e = journal_append(p.journal, &piece, 1, &place)) == E_OK)
        CHECK(++count < 10);
    CHECK(count >= 4);
    CHECK_INT(e, E_NO_SPACE);
    CHECK_INT(journal_append(p.journal, &piece, 1, &place), E_NO_SPACE);
    CHECK_INT(journal_newest(p.journal), 1);            // a full disk does not seal, and leaves no litter
    sim_disk_set(t->world, quick_disk);
    CHECK_INT(append_one(&p, 2), E_OK);
    CHECK_INT(p.place[2].segment, 1);
    journal_close(p.journal);
    CHECK_INT(open_again(&p), E_OK);
    CHECK(p.replayed[0] == 1 && p.replayed[2] == 1);
    CHECK_INT(p.foreign, count);                        // the fillings that were promised, and no others
    journal_close(p.journal);
}

TEST(journal_says_that_the_disk_is_full_and_goes_on_when_there_is_room)
{
    sim_disk tiny = quick_disk;
    tiny.capacity_bytes = 30000;
    stage_simulated(6, tiny, full_disk, NULL);
}

static void damage_first(stage *t)
{
    play p = play_of(t);
    p.options.segment_bytes_max = 0;
    CHECK_INT(open_again(&p), E_OK);
    for (int i = 0; i < 4; i++)
        CHECK_INT(append_one(&p, i), E_OK);
    journal_close(p.journal);
    char *path = str_to_z(&t->memory, str_format(&t->memory, "%s/mta/journal/0000000001.segment", t->directory));
    stage_damage(t, path, (int64_t)p.place[1].offset + RECORD_HEAD_BYTES + 5);
    CHECK_INT(open_again(&p), E_CORRUPT);
    CHECK(str_find_str(p.why, str_z(path)) >= 0);
    char where[32];
    snprintf(where, sizeof where, "offset %llu:", (unsigned long long)p.place[1].offset);
    CHECK(str_find_str(p.why, str_z(where)) >= 0);
    CHECK(str_find_str(p.why, S("restore")) >= 0);
    stage_damage(t, path, (int64_t)p.place[1].offset + RECORD_HEAD_BYTES + 5);       // undone
    CHECK_INT(open_again(&p), E_OK);
    check_promised(&p);
    journal_close(p.journal);
    stage_damage(t, path, 9);                           // in the head
    CHECK_INT(open_again(&p), E_CORRUPT);
    CHECK(str_find_str(p.why, S("offset 0:")) >= 0);
}

TEST(journal_names_the_damaged_place_simulated) { stage_simulated(7, quick_disk, damage_first, NULL); }
TEST(journal_names_the_damaged_place_really) { stage_real(damage_first, NULL); }

// In a segment that is followed by another one even the very last record is known to be promised.
static void damage_last(stage *t)
{
    play p = play_of(t);
    CHECK_INT(open_again(&p), E_OK);
    for (int i = 0; i < 30; i++)
        CHECK_INT(append_one(&p, i), E_OK);
    journal_close(p.journal);
    int last = 0;
    while (p.place[last + 1].segment == 1)
        last++;
    stage_damage(t, "/data/mta/journal/0000000001.segment", (int64_t)p.place[last].offset + RECORD_HEAD_BYTES);
    CHECK_INT(open_again(&p), E_CORRUPT);
}

TEST(journal_knows_the_end_of_a_finished_segment) { stage_simulated(8, quick_disk, damage_last, NULL); }

static void twice(stage *t)
{
    play p = play_of(t), q = play_of(t);
    CHECK_INT(open_again(&p), E_OK);
    CHECK_INT(open_again(&q), E_IN_USE);
    CHECK(str_find_str(q.why, S("/mta/journal/lock")) >= 0);
    CHECK(str_find_str(q.why, S("another naru")) >= 0);
    journal_close(p.journal);
    CHECK_INT(open_again(&q), E_OK);
    journal_close(q.journal);
}

TEST(journal_is_opened_by_one_process_at_a_time) { stage_real(twice, NULL); }

static void no_directory(stage *t)
{
    journal *j = NULL;
    str why = {0};
    err e = journal_open(t->world, S("/dev/null/naru/journal"), (journal_options){0}, replay, NULL, &t->memory, &j, &why);
    CHECK(e != E_OK && !j);
    CHECK(str_find_str(why, S("cannot make the journal's directory /dev/null/naru/journal: ")) == 0);
    CHECK(e != E_ACCESS || str_find_str(why, S("let the user that naru runs as own it")) > 0);
}

TEST(journal_says_why_it_cannot_be_opened) { stage_real(no_directory, NULL); }

// ---- walks ------------------------------------------------------------------------------------------------------------------

typedef struct { int64_t step; err fault; bool breaks, hurt; int lost, torn; } walk;

// Two lives, then the host dies at some step of one of them; whatever was promised must be replayed.
static void crash_walk(stage *t)
{
    walk *w = t->arg;
    play p = play_of(t);
    if (w->breaks)
        sim_break(t->sim, S("skip-torn-tail"));
    sim_crash_after(t->world, w->step);
    if (open_again(&p) == E_OK) {
        write_all(&p);
        journal_close(p.journal);
        if (open_again(&p) == E_OK) {
            append_one(&p, 30);
            append_one(&p, 31);
            journal_close(p.journal);
        }
    }
    w->hurt = !sim_is_up(t->world);
    stage_restart(t);
    for (int life = 0; life < 2; life++) {
        CHECK_INT(open_again(&p), E_OK);
        if (p.opened)
            return;
        w->torn += journal_figures_now(p.journal).torn_bytes > 0;
        if (w->breaks) {
            for (int i = 0; i < NUMBERS; i++)
                w->lost += p.promised[i] && !p.replayed[i];
        } else {
            check_promised(&p);
        }
        CHECK_INT(append_one(&p, 50 + life), E_OK);
        check_read(&p, 50 + life, E_OK);
        journal_close(p.journal);
    }
}

TEST(journal_crash_walk)
{
    int torn = 0;
    for (uint64_t seed = 1; seed <= 8; seed++)
        for (int64_t step = 0;; step++) {
            walk w = {.step = step};
            stage_simulated(seed, quick_disk, crash_walk, &w);
            CHECK(step < 300);
            torn += w.torn;
            if (!w.hurt)
                break;
        }
    CHECK(torn > 10);
}

// The checker above is worth something only if it sees a journal that does not check its tail.
TEST(journal_crash_walk_notices_an_unchecked_tail)
{
    int lost = 0;
    for (uint64_t seed = 1; seed <= 8; seed++)
        for (int64_t step = 0;; step++) {
            walk w = {.step = step, .breaks = true};
            stage_simulated(seed, quick_disk, crash_walk, &w);
            lost += w.lost;
            if (!w.hurt)
                break;
        }
    CHECK(lost > 0);
}

// Every record is held and, two later, released: segments go, and come back as new ones, while the host dies somewhere. A
// replay must give a row without gaps up to the last promise: when an older record is there, all younger ones are.
static void dropping_walk(stage *t)
{
    walk *w = t->arg;
    play p = play_of(t);
    int promised = 0;
    sim_crash_after(t->world, w->step);
    if (open_again(&p) == E_OK) {
        for (; promised < 40 && append_one(&p, promised) == E_OK; promised++) {
            journal_hold(p.journal, p.place[promised].segment);
            if (promised >= 2)
                journal_release(p.journal, p.place[promised - 2].segment);
        }
        w->lost += (int)journal_oldest(p.journal) - 1;          // segments that were dropped
        journal_close(p.journal);
    }
    w->hurt = !sim_is_up(t->world);
    stage_restart(t);
    CHECK_INT(open_again(&p), E_OK);
    if (p.opened)
        return;
    int first = 0;
    while (first < promised && !p.replayed[first])
        first++;
    CHECK(first <= (promised > 2 ? promised - 2 : 0));
    for (int i = first; i < promised; i++)
        CHECK_ROW(i, p.replayed[i] == 1);
    CHECK_INT(p.foreign, 0);
    CHECK_INT(append_one(&p, 50), E_OK);
    journal_close(p.journal);
    CHECK_INT(open_again(&p), E_OK);
    CHECK_INT(p.replayed[50], 1);
    journal_close(p.journal);
}

TEST(journal_crash_walk_while_segments_come_and_go)
{
    int dropped = 0;
    for (uint64_t seed = 1; seed <= 5; seed++)
        for (int64_t step = 0;; step++) {
            walk w = {.step = step};
            stage_simulated(seed, quick_disk, dropping_walk, &w);
            CHECK(step < 500);
            dropped += w.lost;
            if (!w.hurt)
                break;
        }
    CHECK(dropped > 100);
}

static void fault_walk(stage *t)
{
    walk *w = t->arg;
    play p = play_of(t);
    sim_fault_after(t->world, w->step, w->fault);
    while (open_again(&p)) {
        CHECK(p.opened == w->fault && p.why.len);
        CHECK(sim_fault_met(t->world));
        if (!sim_fault_met(t->world))
            return;
    }
    write_all(&p);
    bool over = sim_fault_met(t->world);
    CHECK(append_one(&p, 30) == E_OK || (!over && p.last == w->fault));       // one fault, one trouble
    for (int i = 0; i < 25; i++)
        if (p.promised[i] && sim_fault_met(t->world))
            check_read(&p, i, E_OK);
    w->hurt = sim_fault_met(t->world);
    journal_close(p.journal);
    stage_restart(t);
    CHECK_INT(open_again(&p), E_OK);
    if (p.opened)
        return;
    check_promised(&p);
    CHECK_INT(append_one(&p, 31), E_OK);
    journal_close(p.journal);
}

static void fault_walks(err fault)
{
    for (uint64_t seed = 1; seed <= 4; seed++)
        for (int64_t step = 0;; step++) {
            walk w = {.step = step, .fault = fault};
            stage_simulated(seed, quick_disk, fault_walk, &w);
            CHECK(step < 300);
            if (!w.hurt)
                break;
        }
}

TEST(journal_fault_walk_device_fails) { fault_walks(E_IO); }
TEST(journal_fault_walk_disk_full) { fault_walks(E_NO_SPACE); }
