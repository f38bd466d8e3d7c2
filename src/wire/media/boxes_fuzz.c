// Boxes from anywhere: whatever is said about samples and segments stays within the limits, and an index written again is the same.
#include <string.h>

#include "base/must.h"
#include "wire/media/boxes.h"
#include "wire/media/join.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void index_check(str text, arena *a)
{
    media_rendition r = {0}, again = {0};
    if (!sidx_read(text, 0, &r, a))
        return;
    must(r.segment_count > 0 && r.segment_count <= MEDIA_SEGMENTS_MAX && r.timescale > 0);
    buf out = buf_make(1 << 20);
    uint64_t shift = r.segments[0].offset;
    if (sidx_write(&r, 1, &out) && shift >= sidx_bytes(r.segment_count)) {
        must(sidx_read(buf_str(&out), shift - sidx_bytes(r.segment_count), &again, a));
        must(memcmp(r.segments, again.segments, (size_t)r.segment_count * sizeof *r.segments) == 0);
    }
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 1 << 14)
        return 0;
    arena a = arena_make(64 << 20);
    str text = str_of(data, size);
    media_movie m;
    media_track plain = {.id = 1, .timescale = 1, .nal_length_bytes = 4};
    media_fragments f;
    bool movie = movie_read(text, &m, &a);
    must(!movie || (m.track_count > 0 && m.track_count <= BOX_TRACKS_MAX && m.bytes <= size));
    if (fragments_read(text, movie ? &m.tracks[0] : &plain, &f, &a)) {
        must(f.sample_count > 0 && f.sample_count <= BOX_SAMPLES_MAX && f.fragment_count <= BOX_FRAGMENTS_MAX);
        for (int i = 0; i < f.sample_count; i++)
            must(!f.complete || f.samples[i].offset + f.samples[i].bytes <= size);
    }
    segment_check(text, movie ? &m.tracks[0] : &plain, 0, 1000, &a);
    uint32_t sequence = 0;
    buf joined = buf_make(1 << 16);
    str sets = join_parameter_sets(text, &a);
    if (join_begin(text, (str){0}, &joined))
        must(joined.len <= size + 64);
    buf_clear(&joined);
    if (join_segment(text, JOIN_VIDEO, sets, &sequence, &joined))
        must(sequence > 0 && joined.len <= size + (size_t)sets.len);
    buf_free(&joined);
    reader r = rd_of(text);
    box b;
    for (int n = 0; n < 100 && box_next(&r, &b); n++) {
        must(b.offset + b.bytes <= size && b.body.len >= 0);
        if (b.type == BOX_TYPE('s', 'i', 'd', 'x'))
            index_check(str_sub(text, (ptrdiff_t)b.offset, (ptrdiff_t)b.bytes), &a);
    }
    arena_free(&a);
    return 0;
}
