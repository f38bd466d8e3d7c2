// naru video list, show, remove.
#include <stdio.h>

#include "base/date.h"
#include "base/quantity.h"
#include "cmd/directory_remove.h"
#include "cmd/video.h"
#include "keep/directory.h"

enum { EQUAL_PERCENT = 2 };                      // more bits than this are a difference

typedef struct { video_run *v; int count; } listing;

static void list_one(void *arg, const film *f)
{
    listing *l = arg;
    video_run *v = l->v;
    if (v->json) {
        buf_put(&v->out, l->count++ ? S(",\n ") : S("["));
        catalogue_put(&v->out, f);
        return;
    }
    arena a = arena_make(64 * 1024);
    if (l->count++ == 0)
        buf_format(&v->out, "%-24s %8s %9s  %-4s %-22s %s\n", "ID", "LENGTH", "SIZE", "RATE", "RENDITIONS", "TITLE");
    buf names = buf_make(1024);
    for (int i = 0; i < f->presentation.rendition_count; i++)
        if (f->presentation.renditions[i].kind != MEDIA_IMAGES)
            buf_format(&names, "%s" STR_FMT, i ? " " : "", STR_ARG(f->presentation.renditions[i].id));
    buf_format(&v->out, "%-24.*s %7llus %9.*s  %-4s %-22.*s " STR_FMT "\n", STR_ARG(f->id),
               (unsigned long long)f->presentation.duration_ms / 1000,
               STR_ARG(size_text(&a, film_bytes(f))), f->constant ? "cbr" : "vbr", STR_ARG(buf_str(&names)),
                   STR_ARG(f->presentation.title));
    buf_free(&names);
    arena_free(&a);
}

void video_list(video_run *v)
{
    listing l = {.v = v};
    int broken;
    err e = catalogue_walk(v->world, v->films, list_one, &l, &broken);
    if (e && e != E_NO_ENTRY) {
        video_fail(v, COMMAND_FAILED, STR_FMT, STR_ARG(trouble_sentence(&v->memory, e, "read the catalogue", v->films)));
        return;
    }
    if (v->json)
        buf_put(&v->out, l.count ? S("]\n") : S("[]\n"));
    else if (l.count == 0)
        buf_format(&v->out, "no films in %s; `naru video sample` makes one, `naru video add FILE` takes yours\n", v->films);
    if (broken)
        fprintf(stderr, "naru video: %d directories in %s are no films, or their record is broken\n", broken, v->films);
}

static void show_rendition(video_run *v, const media_rendition *r)
{
    static const char *const kinds[] = {"video", "audio", "images"};
    arena *a = &v->memory;
    str size = r->kind == MEDIA_AUDIO ? str_format(a, "%u Hz", r->sampling_hz) : str_format(a, "%ux%u", r->width, r->height);
    str fps = r->kind == MEDIA_VIDEO && r->frames_in ? str_format(a, " %u.%02u/s", r->frames_number / r->frames_in,
                                                                  r->frames_number % r->frames_in * 100 / r->frames_in) : S("");
    buf_format(&v->out, "  %-7.*s %-6s %-11.*s %-9.*s %-14.*s %5d segments   average %6llu kbit/s   peak %6llu "
                        "kbit/s\n", STR_ARG(r->id), kinds[r->kind],
               STR_ARG(size), STR_ARG(fps), STR_ARG(r->codecs), r->segment_count, (unsigned long long)r->average_bps / 1000,
               (unsigned long long)r->peak_bps / 1000);
}

// With a variable rate a source of few pixels may need no more than a lower rung has.
void video_tell_equal(video_run *v, const film *f)
{
    const media_rendition *below = NULL;
    for (int i = 0; i < f->presentation.rendition_count; i++) {
        const media_rendition *r = &f->presentation.renditions[i];
        if (r->kind != MEDIA_VIDEO)
            continue;
        uint64_t spare = below ? below->average_bps * EQUAL_PERCENT / 100 : 0;
        if (below && r->width == below->width && r->height == below->height && r->average_bps <= below->average_bps + spare)
            buf_format(&v->out, "  " STR_FMT " shows no more than " STR_FMT ": the source has no more to show\n", STR_ARG(r->id),
                       STR_ARG(below->id));
        below = r;
    }
}

void video_show(video_run *v)
{
    film f;
    char added[DATE_TEXT_MAX];
    if (!video_film(v, v->words[1], &f))
        return;
    if (v->json) {
        film_write(&f, &v->out);
        return;
    }
    date_print_rfc3339(added, f.added_s);
    buf_format(&v->out, STR_FMT ": " STR_FMT "\n", STR_ARG(f.id), STR_ARG(f.presentation.title));
    buf_format(&v->out, "  %llu.%03llu s, %s, segments of %u.%03u s, " STR_FMT ", added %s from " STR_FMT "\n",
               (unsigned long long)f.presentation.duration_ms / 1000,
               (unsigned long long)f.presentation.duration_ms % 1000, f.constant ? "constant bit rate"
                   : "variable bit rate", f.presentation.segment_ms_max / 1000,
               f.presentation.segment_ms_max % 1000, STR_ARG(size_text(&v->memory, film_bytes(&f))), added,
                   STR_ARG(f.source));
    for (int i = 0; i < f.presentation.rendition_count; i++)
        show_rendition(v, &f.presentation.renditions[i]);
    video_tell_equal(v, &f);
    buf_format(&v->out, "  /" STR_FMT "/manifest.mpd   /" STR_FMT "/ondemand.mpd   /" STR_FMT "/master.m3u8   (%s)\n", STR_ARG(f.id),
               STR_ARG(f.id), STR_ARG(f.id), v->served ? "on the origin" : "when an origin serves this catalogue");
}

// It is gone for everybody with one rename; its bytes go afterwards, also those of a removal that was interrupted.
void video_remove(video_run *v)
{
    str id = v->words[1];
    char *trash = video_path(v, ORIGIN_TRASH), *from = video_path(v, ORIGIN_FILMS "/" STR_FMT, STR_ARG(id));
    char *to = video_path(v, ORIGIN_TRASH "/" STR_FMT "-%llx", STR_ARG(id), (unsigned long long)world_random_u64(v->world));
    if (!film_id_valid(id)) {
        video_fail(v, COMMAND_USAGE, "\"" STR_FMT "\" is no film's id", STR_ARG(id));
        return;
    }
    err e = directory_make(v->world, trash, 0700);
    e = e ? e : path_rename(v->world, from, to);
    e = e ? e : dir_sync(v->world, v->films);
    if (e == E_NO_ENTRY)
        video_fail(v, COMMAND_FAILED, "there is no film \"" STR_FMT "\" in %s", STR_ARG(id), v->films);
    else if (e)
        video_fail(v, COMMAND_FAILED, STR_FMT, STR_ARG(trouble_sentence(&v->memory, e, "remove the film", from)));
    else {
        directory_remove(v->world, str_z(trash));
        if (v->json)
            buf_format(&v->out, "{\"removed\": \"" STR_FMT "\"}\n", STR_ARG(id));
        else
            buf_format(&v->out, STR_FMT ": removed; edges may have parts of it: naru edge purge --tag "
                                        "" STR_FMT "\n", STR_ARG(id), STR_ARG(id));
    }
}
