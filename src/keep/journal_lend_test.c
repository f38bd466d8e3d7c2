#include "keep/journal.h"

#include "play_test.h"
#include "rt/worker.h"

// While records are appended and segments dropped, the lent files, copied at the end of the loan, replay to exactly the records
// that were durable when it began.
enum { BEFORE = 20, BETWEEN = 40 };

typedef struct { int count, last; } seen;

static void look(void *arg, journal_place place, str bytes)
{
    seen *s = arg;
    (void)place;
    s->count++;
    s->last = bytes.len ? bytes.at[0] : -1;
}

static journal *open_at(stage *t, const char *name, seen *s)
{
    journal *j = NULL;
    str why;
    *s = (seen){0};
    CHECK_INT(journal_open(t->world, str_format(&t->memory, "%s/%s", t->directory, name), (journal_options){.segment_bytes_max = 4096}, look, s,
                           &t->memory, &j, &why), E_OK);
    return j;
}

static void append(journal *j, int number)
{
    unsigned char text[500] = {(unsigned char)number};
    str piece = str_of(text, sizeof text);
    journal_place place;
    CHECK_INT(journal_append(j, &piece, 1, &place), E_OK);
}

typedef struct { stage *t; const journal_loan *loan; } copying;

static void copy_run(void *arg)
{
    copying *c = arg;
    world *w = c->t->world;
    arena *a = &c->t->memory;
    CHECK_INT(dir_make(w, str_to_z(a, str_format(a, "%s/copy", c->t->directory)), 0700), E_OK);
    for (int i = 0; i < c->loan->count; i++) {
        char name[JOURNAL_FILE_NAME_BYTES];
        str bytes;
        journal_file_name(c->loan->parts[i].number, name);
        CHECK_INT(file_read_all(w, str_to_z(a, str_format(a, "%s/own/%s", c->t->directory, name)), a, 1 << 20, &bytes), E_OK);
        if (c->loan->parts[i].bytes >= 0)
            bytes = str_first(bytes, (ptrdiff_t)c->loan->parts[i].bytes);
        CHECK_INT(file_replace(w, str_to_z(a, str_format(a, "%s/copy/%s", c->t->directory, name)), bytes, 0600), E_OK);
    }
}

static void lending(stage *t)
{
    seen s;
    journal_loan loan, none;
    journal *j = open_at(t, "own", &s);
    CHECK_INT(journal_lend(j, &t->memory, &none), E_OK);
    CHECK_INT(none.count, 0);
    journal_give_back(j, &none);
    for (int i = 0; i < BEFORE; i++)
        append(j, i);
    CHECK_INT(journal_lend(j, &t->memory, &loan), E_OK);
    uint32_t first = journal_oldest(j);
    CHECK_INT(loan.parts[0].number, first);
    CHECK_INT(loan.parts[loan.count - 1].number, journal_newest(j));
    for (int i = 0; i < BETWEEN; i++)
        append(j, BEFORE + i);
    CHECK_INT(journal_oldest(j), first);
    work(copy_run, &(copying){t, &loan});
    journal_give_back(j, &loan);
    append(j, 200);
    CHECK_INT(journal_oldest(j), journal_newest(j));        // nobody holds anything any more
    journal_close(j);
    journal *copy = open_at(t, "copy", &s);
    CHECK_INT(s.count, BEFORE);
    CHECK_INT(s.last, BEFORE - 1);
    CHECK_INT(journal_figures_now(copy).torn_bytes, 0);
    journal_close(copy);
}

TEST(journal_lends_what_is_durable_simulated) { stage_simulated(13, quick_disk, lending, NULL); }
TEST(journal_lends_what_is_durable_really) { stage_real(lending, NULL); }
