// A small film for tests: its record, and a value to compare with.
#pragma once
#include "base/must.h"
#include "rooms/origin/film.h"

// One video rendition of three segments (100, 200 and 50 bytes behind 40 + 20), sound alike, one sheet of images.
static inline void film_test_make(film *f, arena *a)
{
    static const uint32_t bytes[3] = {100, 200, 50};
    media_rendition *r = arena_array(a, media_rendition, 3);
    *f = (film){.id = S("lecture-7"), .version = S("0123456789abcdef"), .added_s = 1700000000,
                .source = S("lecture \"7\".mkv"), .source_bytes = 12345};
    f->frames = arena_alloc(a, 3, sizeof *f->frames, _Alignof(film_frames));
    must(r && f->frames);
    f->frames[0][FILM_FRAMES_I] = (film_frames){3, 200};
    f->frames[0][FILM_FRAMES_B] = (film_frames){9, 90};
    f->presentation = (media_presentation){.title = S("Lecture 7 <\xea\xb0\x95\xec\x9d\x98>"),
                                           .duration_ms = 10000, .segment_ms_max = 4000, .buffer_ms_min = 4000,
                                           .renditions = r, .rendition_count = 3};
    r[0] = (media_rendition){.id = S("v300"), .kind = MEDIA_VIDEO, .codecs = S("avc1.4d4015"), .width = 426,
                             .height = 240, .frames_number = 24, .frames_in = 1,
                             .timescale = 1000, .peak_bps = 400, .average_bps = 280, .initialization_bytes = 40,
                                 .index_bytes = 20};
    r[1] = (media_rendition){.id = S("a128"), .kind = MEDIA_AUDIO, .codecs = S("mp4a.40.2"), .sampling_hz = 48000,
                             .channels = 2, .timescale = 1000,
                             .peak_bps = 400, .average_bps = 280, .initialization_bytes = 40, .index_bytes = 20};
    r[2] = (media_rendition){.id = S("tiles"), .kind = MEDIA_IMAGES, .codecs = S("jpeg"), .width = 800,
                             .height = 450, .timescale = 1000, .tiles_across = 5,
                             .tiles_down = 5};
    for (int i = 0; i < 3; i++) {
        r[i].segment_count = i == 2 ? 1 : 3;
        r[i].segments = arena_array(a, media_segment, 3);
        for (int k = 0; k < r[i].segment_count; k++)
            r[i].segments[k] = (media_segment){.duration = i == 2 ? 10000 : k == 2 ? 2000 : 4000, .bytes = bytes[k]};
    }
}
