// A presentation for the tests: three pictures of rising rate, two languages, tiles; three segments, the last one shorter.
#pragma once
#include "wire/media/presentation.h"

enum { DATA_RENDITIONS = 6 };

static inline media_presentation *data_presentation(arena *a)
{
    static const struct { str id, codecs, language; media_kind kind; uint32_t timescale, each, last; uint64_t bytes; } rows[DATA_RENDITIONS] = {
        {S("v300"), S("avc1.64000d"), {0}, MEDIA_VIDEO, 12800, 51200, 25600, 150000},
        {S("v1000"), S("avc1.64001e"), {0}, MEDIA_VIDEO, 12800, 51200, 25600, 500000},
        {S("v3000"), S("avc1.64001f"), {0}, MEDIA_VIDEO, 12800, 51200, 25600, 1500000},
        {S("a128"), S("mp4a.40.2"), S("ko"), MEDIA_AUDIO, 48000, 192000, 96000, 64000},
        {S("a128en"), S("mp4a.40.2"), S("en"), MEDIA_AUDIO, 48000, 192000, 96000, 64000},
        {S("tiles"), {0}, {0}, MEDIA_IMAGES, 1, 10, 10, 20000},
    };
    static const str mime[] = {S("video/mp4"), S("audio/mp4"), S("image/jpeg")};
    media_presentation *p = arena_new(a, media_presentation);
    *p = (media_presentation){.title = S("Sea <& \"Land\">"), .duration_ms = 10000, .segment_ms_max = 4000, .buffer_ms_min = 4000};
    p->renditions = arena_array(a, media_rendition, DATA_RENDITIONS);
    p->rendition_count = DATA_RENDITIONS;
    for (int i = 0; i < DATA_RENDITIONS; i++) {
        media_rendition *r = &p->renditions[i];
        bool images = rows[i].kind == MEDIA_IMAGES;
        *r = (media_rendition){.id = rows[i].id, .kind = rows[i].kind, .mime_type = mime[rows[i].kind], .codecs = rows[i].codecs,
                               .language = rows[i].language, .timescale = rows[i].timescale, .first_number = 1};
        r->media = images ? S("tiles-$Number$.jpg") : str_format(a, STR_FMT "/$Number$.m4s", STR_ARG(r->id));
        r->initialization = images ? (str){0} : str_format(a, STR_FMT "/init.mp4", STR_ARG(r->id));
        r->segment_count = images ? 1 : 3;
        r->segments = arena_array(a, media_segment, 3);
        for (int n = 0; n < r->segment_count; n++)
            r->segments[n] = (media_segment){.start = (uint64_t)n * rows[i].each, .duration = n == 2 ? rows[i].last : rows[i].each,
                                             .bytes = rows[i].bytes, .offset = 800 + 68 + (uint64_t)n * rows[i].bytes};
        r->width = images ? 1600 : r->kind == MEDIA_VIDEO ? 640 : 0;
        r->height = images ? 900 : r->kind == MEDIA_VIDEO ? 360 : 0;
        r->tiles_across = r->tiles_down = images ? 10 : 0;
        r->frames_number = r->kind == MEDIA_VIDEO ? 30000 : 0;
        r->frames_in = r->kind == MEDIA_VIDEO ? 1001 : 0;
        r->sampling_hz = r->kind == MEDIA_AUDIO ? 48000 : 0;
        r->channels = r->kind == MEDIA_AUDIO ? 2 : 0;
        r->whole = images ? (str){0} : str_format(a, STR_FMT "/whole.mp4", STR_ARG(r->id));
        r->initialization_bytes = images ? 0 : 800;
        r->index_bytes = images ? 0 : 68;
        media_rates_measure(r);
    }
    return p;
}
