// What the mta lends to `naru backup`: the journal's segments and the blobs. docs/backup.md.
#include "base/must.h"
#include "rooms/mta/mta.h"
#include "talk/lending.h"

static err lend(void *arg, loan *l, str part, str *why)
{
    mta *m = arg;
    (void)part;
    journal_loan *segments = arena_new(&l->memory, journal_loan);
    must(segments);
    err e = spool_lend(m->spool, &l->memory, segments);
    if (e) {
        *why = S("the mta has more journal segments than it can list");
        return e;
    }
    l->state = segments;
    l->folder = S("blobs");
    l->file_count = segments->count;
    l->files = arena_array(&l->memory, lent_file, segments->count + 1);
    must(l->files);                              // JOURNAL_SEGMENTS_MAX of them fit
    for (int i = 0; i < segments->count; i++) {
        char name[JOURNAL_FILE_NAME_BYTES];
        journal_file_name(segments->parts[i].number, name);
        l->files[i] = (lent_file){str_format(&l->memory, "journal/%s", name), segments->parts[i].bytes};
    }
    return E_OK;
}

static bool give_back(void *arg, loan *l, bool ending)
{
    mta *m = arg;
    spool_give_back(m->spool, l->state, ending);
    return true;                                 // what was lent is never written to
}

void mta_backup(mta *m)
{
    lender *own = arena_new(m->room->memory, lender);
    must(own);
    *own = (lender){lend, give_back, m};
    lending_offer(m->room, own);
}
