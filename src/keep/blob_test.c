#include "keep/blob.h"

#include "base/heap_memory.h"
#include "play_test.h"
#include "rt/worker.h"

enum { BODY_BYTES_MAX = 700000 };

// Body `number` has a size and bytes of its own.
static size_t body_of(int number, unsigned char *out)
{
    static const int sizes[] = {0, 1, 70000, 262144, 262145, 700000};
    size_t size = (size_t)sizes[number % 6];
    for (size_t i = 0; i < size; i++)
        out[i] = (unsigned char)((int)i * 31 + (int)(i >> 8) + number);
    return size;
}

static err blob_put(blobs *b, int number, blob_id *id)
{
    unsigned char *bytes = memory_new(BODY_BYTES_MAX);
    size_t size = body_of(number, bytes);
    blob_draft *d;
    err e = blob_begin(b, &d);
    if (!e) {
        for (size_t at = 0; at < size; at += 99999)
            blob_write(d, str_of(bytes + at, size - at < 99999 ? size - at : 99999));
        e = blob_finish(d, id);
    }
    memory_free(bytes);
    return e;
}

static bool blob_holds(blobs *b, int number, blob_id id)
{
    unsigned char *want = memory_new(BODY_BYTES_MAX), *bytes = memory_new(BODY_BYTES_MAX + 1);
    size_t size = body_of(number, want), got = 0;
    int64_t said = -1;
    bool same = blob_size(b, id, &said) == E_OK && said == (int64_t)size &&
                blob_read(b, id, 0, bytes, BODY_BYTES_MAX + 1, &got) == E_OK && str_eq(str_of(bytes, got), str_of(want, size));
    memory_free(want);
    memory_free(bytes);
    return same;
}

static err store_open(stage *t, blobs **out, str *why)
{
    *out = NULL;
    return blobs_open(t->world, str_format(&t->memory, "%s/mta/blobs", t->directory), &t->memory, out, why);
}

static int names_in(stage *t, const char *path)
{
    str *names;
    int count = 0;
    CHECK_INT(dir_list(t->world, path, &t->memory, &names, &count), E_OK);
    return count;
}

typedef struct { stage *stage; char path[128]; int count; } counting;
static void count_run(void *arg)
{
    counting *c = arg;
    c->count = names_in(c->stage, c->path);
}

static int drafts_left(stage *t)
{
    counting c = {.stage = t};
    snprintf(c.path, sizeof c.path, "%s/mta/blobs/new", t->directory);
    work(count_run, &c);
    return c.count;
}

TEST(blob_ids_have_one_spelling)
{
    blob_id id = {{0, 1, 0xab, 0xff}}, got;
    char text[33];
    blob_id_text(id, text);
    CHECK_STR(str_z(text), S("0001abff000000000000000000000000"));
    CHECK(blob_id_parse(str_z(text), &got) && memcmp(&id, &got, sizeof id) == 0);
    static const char *const wrong[] = {"", "0001ABFF000000000000000000000000", "0001abff00000000000000000000000",
                                        "0001abff0000000000000000000000000", "0001abff00000000000000000000000/"};
    for (int i = 0; i < 5; i++)
        CHECK_ROW(i, !blob_id_parse(str_z(wrong[i]), &got));
}

static void round_trip(stage *t)
{
    blobs *b;
    str why;
    blob_id id[12], *all;
    int count;
    CHECK_INT(store_open(t, &b, &why), E_OK);
    for (int i = 0; i < 12; i++)
        CHECK_INT(blob_put(b, i, &id[i]), E_OK);
    blob_draft *d;
    CHECK_INT(blob_begin(b, &d), E_OK);
    unsigned char *bytes = memory_zeroed(1, BODY_BYTES_MAX);
    CHECK_INT(blob_write(d, str_of(bytes, BODY_BYTES_MAX)), E_OK);
    CHECK_INT(drafts_left(t), 1);
    blob_drop(d);
    CHECK_INT(drafts_left(t), 0);
    blob_drop(NULL);
    memory_free(bytes);
    blobs_close(b);
    CHECK_INT(store_open(t, &b, &why), E_OK);
    for (int i = 0; i < 12; i++)
        CHECK_ROW(i, blob_holds(b, i, id[i]));
    unsigned char middle[10], want[10];
    size_t got;
    CHECK_INT(blob_read(b, id[5], 300000, middle, 10, &got), E_OK);
    for (int i = 0; i < 10; i++)
        want[i] = (unsigned char)((300000 + i) * 31 + ((300000 + i) >> 8) + 5);
    CHECK_STR(str_of(middle, got), str_of(want, 10));
    CHECK_INT(blob_read(b, id[5], 700000, middle, 10, &got), E_OK);
    CHECK_INT(got, 0);
    CHECK_INT(blobs_list(b, &t->memory, &all, &count), E_OK);
    CHECK_INT(count, 12);
    for (int i = 1; i < count; i++)
        CHECK_ROW(i, memcmp(&all[i - 1], &all[i], sizeof *all) < 0);
    CHECK_INT(blob_remove(b, id[3]), E_OK);
    CHECK_INT(blob_remove(b, id[3]), E_NO_ENTRY);
    CHECK_INT(blob_read(b, id[3], 0, middle, 10, &got), E_NO_ENTRY);
    int64_t size;
    CHECK_INT(blob_size(b, id[3], &size), E_NO_ENTRY);
    CHECK_INT(blobs_list(b, &t->memory, &all, &count), E_OK);
    CHECK_INT(count, 11);
    blobs_close(b);
}

TEST(blob_gives_back_what_was_written_simulated) { stage_simulated(1, quick_disk, round_trip, NULL); }
TEST(blob_gives_back_what_was_written_really) { stage_real(round_trip, NULL); }

static void too_long(stage *t)
{
    blobs *b;
    str why;
    blob_draft *d;
    blob_id id;
    unsigned char *bytes = memory_zeroed(1, 1 << 20);
    CHECK_INT(store_open(t, &b, &why), E_OK);
    CHECK_INT(blob_begin(b, &d), E_OK);
    sim_disk full = quick_disk;
    full.capacity_bytes = 600000;
    sim_disk_set(t->world, full);
    CHECK_INT(blob_write(d, str_of(bytes, 1 << 20)), E_NO_SPACE);
    CHECK_INT(blob_write(d, S("more")), E_NO_SPACE);
    CHECK_INT(blob_finish(d, &id), E_NO_SPACE);
    CHECK_INT(drafts_left(t), 0);
    CHECK_INT(blob_put(b, 2, &id), E_OK);
    memory_free(bytes);
    blobs_close(b);
}

TEST(blob_on_a_full_disk_fails_and_leaves_nothing) { stage_simulated(2, quick_disk, too_long, NULL); }

static void no_directory(stage *t)
{
    blobs *b = NULL;
    str why = {0};
    err e = blobs_open(t->world, S("/dev/null/naru/blobs"), &t->memory, &b, &why);
    CHECK(e != E_OK && !b);
    CHECK(str_find_str(why, S("cannot make the directory for large bodies /dev/null/naru/blobs/new: ")) == 0);
}

TEST(blob_says_why_it_cannot_be_opened) { stage_real(no_directory, NULL); }

// ---- walks ------------------------------------------------------------------------------------------------------------------

typedef struct { int64_t step; err fault; bool hurt; } walk;

static void any_walk(stage *t)
{
    enum { BLOBS = 4 };
    walk *w = t->arg;
    blobs *b;
    str why;
    blob_id id[BLOBS], *all;
    bool there[BLOBS] = {0};
    int promised = 0, count = 0;
    if (w->fault)
        sim_fault_after(t->world, w->step, w->fault);
    else
        sim_crash_after(t->world, w->step);
    if (store_open(t, &b, &why) == E_OK) {
        for (int i = 0; i < BLOBS; i++)
            there[i] = blob_put(b, i, &id[i]) == E_OK;
        blobs_close(b);
    }
    w->hurt = w->fault ? sim_fault_met(t->world) : !sim_is_up(t->world);
    stage_restart(t);
    CHECK_INT(store_open(t, &b, &why), E_OK);
    if (!b)
        return;
    CHECK_INT(drafts_left(t), 0);
    for (int i = 0; i < BLOBS; i++) {
        CHECK_ROW(i, !there[i] || blob_holds(b, i, id[i]));
        promised += there[i];
    }
    CHECK_INT(blobs_list(b, &t->memory, &all, &count), E_OK);
    CHECK(count >= promised && count <= promised + 1);
    CHECK_INT(blob_put(b, 3, &id[0]), E_OK);
    blobs_close(b);
}

static void walk_all(err fault)
{
    for (uint64_t seed = 1; seed <= 10; seed++)
        for (int64_t step = 0;; step++) {
            walk w = {.step = step, .fault = fault};
            stage_simulated(seed, quick_disk, any_walk, &w);
            CHECK(step < 100);
            if (!w.hurt)
                break;
        }
}

TEST(blob_crash_walk) { walk_all(E_OK); }
TEST(blob_fault_walk_device_fails) { walk_all(E_IO); }
TEST(blob_fault_walk_disk_full) { walk_all(E_NO_SPACE); }
