// What the origin lends to `naru backup`: one film at a time. Its files never change, so nothing has to stand
// still; a film that is
// removed meanwhile makes its loan unsound, and is then no film any more. docs/backup.md.
#include "base/must.h"
#include "rooms/origin/room_inside.h"
#include "talk/lending.h"

static bool lend_file(loan *l, str film_id, str path)
{
    if (l->file_count == LENDING_FILES_MAX)
        return false;
    str whole = str_format(&l->memory, ORIGIN_FILMS "/" STR_FMT "/" STR_FMT, STR_ARG(film_id), STR_ARG(path));
    l->files[l->file_count++] = (lent_file){whole, -1};
    return whole.len > 0;
}

static bool lend_rendition(loan *l, const film *f, const media_rendition *r)
{
    bool good = true;
    if (r->kind != MEDIA_IMAGES)
        good = lend_file(l, f->id, r->whole);
    if (r->kind == MEDIA_VIDEO)
        good = good && lend_file(l, f->id, str_format(&l->memory, STR_FMT "/frames.txt", STR_ARG(r->id)));
    for (int i = 0; r->kind == MEDIA_IMAGES && i < r->segment_count && good; i++)
        good = lend_file(l, f->id, str_format(&l->memory, STR_FMT "-%d.jpg", STR_ARG(r->id), i + 1));
    return good;
}

static err lend(void *arg, loan *l, str part, str *why)
{
    origin_room *o = arg;
    static const str others[] = {S(FILM_RECORD), S("poster.jpg"), S("flat.pgm"), S("busy.pgm")};
    loaded_film *f;
    l->files = arena_array(&l->memory, lent_file, LENDING_FILES_MAX);
    must(l->files);
    if (!part.len)
        return E_NO_ENTRY;                               // films are lent one by one
    err e = catalogue_take(&o->films, part, &f);
    if (e) {
        *why = str_format(&l->memory, "the film " STR_FMT " cannot be read: %s", STR_ARG(part), err_text(e));
        return e;
    }
    bool good = true;
    for (size_t i = 0; i < sizeof others / sizeof *others && good; i++)
        good = lend_file(l, f->film.id, others[i]);
    for (int i = 0; i < f->film.presentation.rendition_count && good; i++)
        good = lend_rendition(l, &f->film, &f->film.presentation.renditions[i]);
    l->state = f;                                        // held until it comes back
    if (good)
        return E_OK;
    catalogue_give(&o->films, f);
    *why = S("the film has more files than can be lent at once");
    return E_LIMIT;
}

// Is it still the same making of the film?
static bool give_back(void *arg, loan *l, bool ending)
{
    origin_room *o = arg;
    loaded_film *lent = l->state, *now;
    bool same = !ending && catalogue_take(&o->films, lent->film.id, &now) == E_OK;
    if (same) {
        same = str_eq(now->film.version, lent->film.version);
        catalogue_give(&o->films, now);
    }
    catalogue_give(&o->films, lent);
    return same;
}

void origin_backup(origin_room *o)
{
    lender *own = arena_new(o->room->memory, lender);
    must(own);
    *own = (lender){lend, give_back, o};
    lending_offer(o->room, own);
}
