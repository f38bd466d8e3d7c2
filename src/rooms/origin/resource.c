#include "rooms/origin/resource.h"

static const media_rendition *rendition_named(const film *f, str id)
{
    for (int i = 0; i < f->presentation.rendition_count; i++)
        if (str_eq(f->presentation.renditions[i].id, id))
            return &f->presentation.renditions[i];
    return NULL;
}

// "7.m4s": 7; 0 when it is none. No zeros before it: one URL a segment.
static int segment_number(const media_rendition *r, str name)
{
    uint64_t n;
    str digits = str_first(name, name.len - 4);
    bool good = str_ends(name, S(".m4s")) && digits.len && digits.at[0] != '0' && str_to_u64(digits, &n) &&
        n <= (uint64_t)r->segment_count;
    return good ? (int)n : 0;
}

static resource of_rendition(const media_rendition *r, str name, arena *a)
{
    str whole = str_format(a, STR_FMT "/whole.mp4", STR_ARG(r->id));
    int n = segment_number(r, name);
    if (n) {
        const media_segment *s = &r->segments[n - 1];
        return (resource){RESOURCE_FILE, r, whole, s->offset, s->bytes, r->kind == MEDIA_AUDIO
                          ? S("audio/iso.segment") : S("video/iso.segment")};
    }
    if (str_eq(name, S("init.mp4")))
        return (resource){RESOURCE_FILE, r, whole, 0, r->initialization_bytes, r->mime_type};
    if (str_eq(name, S("whole.mp4")))
        return (resource){RESOURCE_FILE, r, whole, 0, 0, r->mime_type};
    if (str_eq(name, S("playlist.m3u8")))
        return (resource){.kind = RESOURCE_PLAYLIST, .rendition = r, .type = S("application/vnd.apple.mpegurl")};
    if (r->kind == MEDIA_VIDEO && str_eq(name, S("frames.txt")))
        return (resource){RESOURCE_FILE, r, str_format(a, STR_FMT "/frames.txt", STR_ARG(r->id)), 0, 0,
                          S("text/plain; charset=utf-8")};
    return (resource){0};
}

// "tiles-2.jpg"
static bool is_sheet(const film *f, str name)
{
    for (int i = 0; i < f->presentation.rendition_count; i++) {
        const media_rendition *r = &f->presentation.renditions[i];
        uint64_t n;
        if (r->kind != MEDIA_IMAGES || !str_starts(name, r->id) || !str_ends(name, S(".jpg")))
            continue;
        str digits = str_sub(name, r->id.len + 1, name.len - r->id.len - 5);
        if (name.at[r->id.len] == '-' && digits.len && digits.at[0] != '0' && str_to_u64(digits, &n) &&
            n <= (uint64_t)r->segment_count)
            return true;
    }
    return false;
}

resource resource_find(const film *f, str rest, arena *a)
{
    static const struct { str name; resource_kind kind; str type; } known[] = {
        {S("manifest.mpd"), RESOURCE_MPD, S("application/dash+xml")},
        {S("ondemand.mpd"), RESOURCE_MPD_ON_DEMAND, S("application/dash+xml")},
        {S("master.m3u8"), RESOURCE_MASTER, S("application/vnd.apple.mpegurl")},
        {S(FILM_RECORD), RESOURCE_FILE, S("application/json")},
        {S("poster.jpg"), RESOURCE_FILE, S("image/jpeg")},
        {S("flat.pgm"), RESOURCE_FILE, S("image/x-portable-graymap")},
        {S("busy.pgm"), RESOURCE_FILE, S("image/x-portable-graymap")},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (str_eq(rest, known[i].name))
            return (resource){.kind = known[i].kind, .path = known[i].name, .type = known[i].type};
    if (is_sheet(f, rest))
        return (resource){.kind = RESOURCE_FILE, .path = rest, .type = S("image/jpeg")};
    str name = rest, id = str_cut(&name, '/');
    const media_rendition *r = rendition_named(f, id);
    bool there = r && (r->kind != MEDIA_IMAGES || str_eq(name, S("playlist.m3u8")));     // of tiles the sheets lie beside it
    return there ? of_rendition(r, name, a) : (resource){0};
}
