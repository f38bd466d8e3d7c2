// What the tracker lends to `naru backup`: who announced, and the secrets by which a peer is known again. docs/backup.md.
#include "base/must.h"
#include "rooms/tracker/room_inside.h"
#include "talk/lending.h"

static err lend(void *arg, loan *l, str part, str *why)
{
    tracker_room *t = arg;
    (void)part;
    journal_loan *segments = arena_new(&l->memory, journal_loan);
    must(segments);
    keeper_write(&t->keep);                      // what waits for its second
    err e = t->keep.journal ? journal_lend(t->keep.journal, &l->memory, segments) : E_CANCELED;
    if (e) {
        *why = S("the tracker is stopping, or has more journal segments than it can list");
        return e;
    }
    l->state = segments;
    l->files = arena_array(&l->memory, lent_file, segments->count + 1);
    must(l->files);                              // JOURNAL_SEGMENTS_MAX of them fit
    l->files[l->file_count++] = (lent_file){S("secret"), -1};
    for (int i = 0; i < segments->count; i++) {
        char name[JOURNAL_FILE_NAME_BYTES];
        journal_file_name(segments->parts[i].number, name);
        l->files[l->file_count++] = (lent_file){str_format(&l->memory, "peers/%s", name), segments->parts[i].bytes};
    }
    return E_OK;
}

static bool give_back(void *arg, loan *l, bool ending)
{
    tracker_room *t = arg;
    (void)ending;
    if (t->keep.journal)                         // closed: nothing is dropped any more
        journal_give_back(t->keep.journal, l->state);
    return true;                                 // what was lent is never written to
}

void tracker_backup(tracker_room *t)
{
    lender *own = arena_new(t->room->memory, lender);
    must(own);
    *own = (lender){lend, give_back, t};
    lending_offer(t->room, own);
}
