// Reading a record back. naru wrote it, but a disk or a person may have changed it: every value is held to its bounds.
#include <jansson.h>
#include <string.h>

#include "rooms/origin/film.h"

typedef struct { arena *a; const char *why; } reading;

static bool bad(reading *r, const char *why)
{
    if (!r->why)
        r->why = why;
    return false;
}

static int64_t number(reading *r, const json_t *o, const char *key, int64_t min, int64_t max)
{
    const json_t *n = json_object_get(o, key);
    int64_t value = json_is_integer(n) ? json_integer_value(n) : INT64_MIN;
    if (value >= min && value <= max)
        return value;
    bad(r, key);
    return min;
}

static str text(reading *r, const json_t *o, const char *key, size_t bytes_max)
{
    const json_t *t = json_object_get(o, key);
    if (json_is_string(t) && json_string_length(t) <= bytes_max)
        return str_copy(r->a, str_of(json_string_value(t), json_string_length(t)));
    bad(r, key);
    return (str){0};
}

static int kind_of(str name)
{
    return str_eq(name, S("video")) ? MEDIA_VIDEO : str_eq(name, S("audio")) ? MEDIA_AUDIO
        : str_eq(name, S("images")) ? MEDIA_IMAGES : -1;
}

static bool segments_read(reading *r, const json_t *list, media_rendition *out)
{
    size_t count = json_array_size(list);
    if (count == 0 || count > MEDIA_SEGMENTS_MAX)
        return bad(r, "segments");
    out->segments = arena_array(r->a, media_segment, count);
    if (!out->segments)
        return bad(r, "too large");
    uint64_t start = 0, offset = out->initialization_bytes + out->index_bytes;
    for (size_t i = 0; i < count; i++) {
        const json_t *pair = json_array_get(list, i), *duration = json_array_get(pair, 0), *bytes = json_array_get(pair, 1);
        int64_t lasts = json_is_integer(duration) ? json_integer_value(duration) : 0, size = json_is_integer(bytes)
            ? json_integer_value(bytes) : 0;
        if (lasts <= 0 || lasts > UINT32_MAX || size <= 0 || size > UINT32_MAX)
            return bad(r, "segments");
        out->segments[out->segment_count++] = (media_segment){.start = start, .duration = (uint64_t)lasts,
                                                              .bytes = (uint64_t)size,
                                                              .offset = out->kind == MEDIA_IMAGES ? 0 : offset};
        start += (uint64_t)lasts;
        offset += (uint64_t)size;
    }
    return true;
}

static void urls_set(reading *r, media_rendition *out)
{
    out->first_number = 1;
    if (out->kind == MEDIA_IMAGES) {
        out->mime_type = S("image/jpeg");
        out->media = str_format(r->a, STR_FMT "-$Number$.jpg", STR_ARG(out->id));
        return;
    }
    out->mime_type = out->kind == MEDIA_VIDEO ? S("video/mp4") : S("audio/mp4");
    out->initialization = str_format(r->a, STR_FMT "/init.mp4", STR_ARG(out->id));
    out->media = str_format(r->a, STR_FMT "/$Number$.m4s", STR_ARG(out->id));
    out->whole = str_format(r->a, STR_FMT "/whole.mp4", STR_ARG(out->id));
    out->playlist = str_format(r->a, STR_FMT "/playlist.m3u8", STR_ARG(out->id));
}

static void frames_read(reading *r, const json_t *o, film_frames out[FILM_FRAME_KINDS])
{
    static const char *const names[FILM_FRAME_KINDS] = {"I", "P", "B"};
    const json_t *kinds = json_object_get(o, "frames");
    for (int k = 0; k < FILM_FRAME_KINDS; k++) {
        const json_t *one = json_object_get(kinds, names[k]);
        out[k].count = number(r, one, "count", 0, INT32_MAX);
        out[k].bytes = number(r, one, "bytes", 0, INT64_MAX);
    }
}

static bool rendition_read(reading *r, const json_t *o, media_rendition *out, film_frames frames[FILM_FRAME_KINDS])
{
    int kind = kind_of(text(r, o, "kind", 16));
    if (kind < 0)
        return bad(r, "kind");
    *out = (media_rendition){.kind = (media_kind)kind, .id = text(r, o, "id", FILM_ID_BYTES_MAX),
                             .codecs = text(r, o, "codecs", 64)};
    if (!film_id_valid(out->id))
        return bad(r, "id");
    out->timescale = (uint32_t)number(r, o, "timescale", 1, UINT32_MAX);
    out->initialization_bytes = (uint64_t)number(r, o, "initialization_bytes", 0, 1 << 20);
    out->index_bytes = (uint64_t)number(r, o, "index_bytes", 0, 1 << 20);
    out->peak_bps = (uint64_t)number(r, o, "peak_bps", 0, INT64_MAX);
    out->average_bps = (uint64_t)number(r, o, "average_bps", 0, INT64_MAX);
    if (kind == MEDIA_AUDIO) {
        out->sampling_hz = (uint32_t)number(r, o, "sampling_hz", 1, 768000);
        out->channels = (uint32_t)number(r, o, "channels", 1, 64);
    } else {
        out->width = (uint32_t)number(r, o, "width", 1, 65535);
        out->height = (uint32_t)number(r, o, "height", 1, 65535);
    }
    if (kind == MEDIA_VIDEO) {
        const json_t *rate = json_object_get(o, "frame_rate");
        out->frames_number = (uint32_t)json_integer_value(json_array_get(rate, 0));
        out->frames_in = (uint32_t)json_integer_value(json_array_get(rate, 1));
        frames_read(r, o, frames);
    }
    if (kind == MEDIA_IMAGES) {
        out->tiles_across = (uint32_t)number(r, o, "across", 1, 64);
        out->tiles_down = (uint32_t)number(r, o, "down", 1, 64);
    }
    urls_set(r, out);
    return segments_read(r, json_object_get(o, "segments"), out);
}

static bool renditions_read(reading *r, const json_t *list, film *out)
{
    media_presentation *p = &out->presentation;
    size_t count = json_array_size(list);
    if (count == 0 || count > FILM_RENDITIONS_MAX)
        return bad(r, "renditions");
    p->renditions = arena_array(r->a, media_rendition, count);
    out->frames = arena_alloc(r->a, count, sizeof *out->frames, _Alignof(film_frames));
    if (!p->renditions || !out->frames)
        return bad(r, "too large");
    for (size_t i = 0; i < count; i++, p->rendition_count++)
        if (!rendition_read(r, json_array_get(list, i), &p->renditions[i], out->frames[i]))
            return false;
    return true;
}

bool film_read(str json, arena *a, film *out, const char **why)
{
    reading r = {a, NULL};
    json_t *o = json.len <= FILM_RECORD_BYTES_MAX ? json_loadb((const char *)json.at, (size_t)json.len,
                                                               JSON_REJECT_DUPLICATES, NULL) : NULL;
    *out = (film){0};
    if (!json_is_object(o) || json_integer_value(json_object_get(o, "format")) != 1) {
        *why = "it is no record of a film in format 1";
        json_decref(o);
        return false;
    }
    out->id = text(&r, o, "id", FILM_ID_BYTES_MAX);
    out->version = text(&r, o, "version", FILM_VERSION_BYTES);
    out->source = text(&r, o, "source", 4096);
    out->source_bytes = number(&r, o, "source_bytes", 0, INT64_MAX);
    out->added_s = number(&r, o, "added", 0, INT64_C(253402300799));
    out->constant = str_eq(text(&r, o, "rate", 8), S("cbr"));
    out->presentation.title = text(&r, o, "title", FILM_TITLE_BYTES_MAX);
    out->presentation.duration_ms = (uint64_t)number(&r, o, "duration_ms", 1, INT32_MAX);
    out->presentation.segment_ms_max = out->presentation.buffer_ms_min = (uint32_t)number(&r, o, "segment_ms", 1, 600000);
    renditions_read(&r, json_object_get(o, "renditions"), out);
    json_decref(o);
    if (!film_id_valid(out->id) || out->version.len != FILM_VERSION_BYTES)
        bad(&r, "id");
    if (a->full)
        bad(&r, "too large");
    *why = r.why;
    return !r.why;
}
