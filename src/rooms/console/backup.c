// What the console lends to `naru backup`: the account of viewings. Sessions are nobody's to keep. docs/backup.md.
#include "base/must.h"
#include "rooms/console/console_inside.h"
#include "talk/lending.h"

static err lend(void *arg, loan *l, str part, str *why)
{
    console *c = arg;
    (void)part;
    journal_loan *segments = arena_new(&l->memory, journal_loan);
    must(segments);
    err e = journal_lend(viewings_journal(c->viewings), &l->memory, segments);
    if (e) {
        *why = S("the console is stopping, or has more journal segments than it can list");
        return e;
    }
    l->state = segments;
    l->files = arena_array(&l->memory, lent_file, segments->count + 1);
    must(l->files);                              // JOURNAL_SEGMENTS_MAX of them fit
    for (int i = 0; i < segments->count; i++) {
        char name[JOURNAL_FILE_NAME_BYTES];
        journal_file_name(segments->parts[i].number, name);
        l->files[l->file_count++] = (lent_file){str_format(&l->memory, "viewings/%s", name), segments->parts[i].bytes};
    }
    return E_OK;
}

static bool give_back(void *arg, loan *l, bool ending)
{
    console *c = arg;
    (void)ending;
    journal_give_back(viewings_journal(c->viewings), l->state);
    return true;                                 // what was lent is never written to
}

void console_backup(console *c)
{
    lender *own = arena_new(c->r->memory, lender);
    must(own);
    *own = (lender){lend, give_back, c};
    lending_offer(c->r, own);
}
