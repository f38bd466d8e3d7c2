#include "rooms/authoritative/zone_files.h"

enum { TEXT_ARENA_SLACK = 1 << 20 };

typedef struct {
    world *w;
    arena  texts;                                    // of the file and what it includes
    str    folder;                                   // of the zone's file, with its final slash; may be empty
    arena *room;
} reading;

static bool read_text(reading *r, str path, str *text, const char **why)
{
    err e = file_read_all(r->w, str_to_z(&r->texts, path), &r->texts, ZONE_FILE_BYTES_MAX, text);
    if (e == E_OK)
        return true;
    *why = str_to_z(r->room, str_format(r->room, "cannot read " STR_FMT ": %s", STR_ARG(path), err_text(e)));
    return false;
}

static bool include(void *context, str path, str *text, const char **why)
{
    reading *r = context;
    return read_text(r, str_starts(path, S("/")) ? path : str_join(&r->texts, r->folder, path), text, why);
}

zone *zone_file_load(world *w, dns_name origin, str path, arena *room, str *why)
{
    reading r = {.w = w, .texts = arena_make((size_t)ZONE_FILE_BYTES_MAX * 2 + TEXT_ARENA_SLACK), .room = room};
    const char *sentence = NULL;
    zone *z = NULL;
    str text;
    r.folder = str_first(path, str_rfind(path, '/') + 1);
    if (read_text(&r, path, &text, &sentence))
        z = zone_load(origin, world_random_u64(w), path, text, include, &r, room, why);
    else
        *why = str_z(sentence);
    arena_free(&r.texts);
    return z;
}
