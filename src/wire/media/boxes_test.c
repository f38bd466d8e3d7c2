#include "wire/media/boxes.h"

#include "base/hex.h"
#include "test.h"
#include "wire/media/boxes_data.h"

static str file_of(const char *hex, arena *a)
{
    str text = str_z(hex);
    unsigned char *bytes = arena_array(a, unsigned char, text.len / 2);
    return hex_decode(bytes, text) ? str_of(bytes, (size_t)text.len / 2) : (str){0};
}

TEST(boxes_are_walked)
{
    static const struct { str bytes; int boxes; bool bad; } rows[] = {
        {S(""), 0, false},
        {S("\0\0\0\x08" "free"), 1, false},
        {S("\0\0\0\x09" "free.\0\0\0\x08" "mdat"), 2, false},
        {S("\0\0\0\0" "mdatall the rest"), 1, false},
        {S("\0\0\0\x01" "mdat\0\0\0\0\0\0\0\x11!"), 1, false},
        {S("\0\0\0\x01" "mdat\0\0\0\0\0\0\0\x0f"), 0, true},          // smaller than its header
        {S("\0\0\0\x07" "mdat"), 0, true},
        {S("\0\0\0\x0a" "mdat."), 0, true},                           // larger than what is there
        {S("\0\0\0\x01" "mdat\xff\xff\xff\xff\xff\xff\xff\xff"), 0, true},
        {S("\0\0\0\x08" "free\0\0"), 1, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        reader r = rd_of(rows[i].bytes);
        box b;
        int n = 0;
        while (box_next(&r, &b))
            n++;
        CHECK_ROW(i, n == rows[i].boxes);
        CHECK_ROW(i, r.bad == rows[i].bad);
    }
}

TEST(a_movie_says_what_its_tracks_are)
{
    arena a = arena_make(1 << 20);
    media_movie m;
    CHECK(movie_read(file_of(VIDEO_FILE, &a), &m, &a));
    CHECK_INT(m.track_count, 1);
    CHECK(m.fragmented);
    CHECK_INT(m.bytes, 740);
    CHECK_INT(m.tracks[0].kind, MEDIA_VIDEO);
    CHECK_INT(m.tracks[0].timescale, 16384);
    CHECK_INT(m.tracks[0].width, 16);
    CHECK_INT(m.tracks[0].height, 16);
    CHECK_INT(m.tracks[0].nal_length_bytes, 4);
    CHECK_STR(m.tracks[0].codecs, S("avc1.64000a"));
    CHECK(movie_read(file_of(AUDIO_FILE, &a), &m, &a));
    CHECK_INT(m.tracks[0].kind, MEDIA_AUDIO);
    CHECK_STR(m.tracks[0].codecs, S("mp4a.40.2"));
    CHECK_INT(m.tracks[0].sampling_hz, 8000);
    CHECK_INT(m.tracks[0].channels, 1);
    arena_free(&a);
}

TEST(a_movie_cut_anywhere_is_refused_or_whole)
{
    arena a = arena_make(8 << 20);
    str file = file_of(VIDEO_FILE, &a);
    media_movie m;
    for (ptrdiff_t n = 0; n < 760; n++)
        CHECK_ROW(n, movie_read(str_first(file, n), &m, &a) == (n >= 740));
    arena_free(&a);
}

TEST(fragments_tell_frames)
{
    static const struct { uint64_t time; int32_t later; frame_kind kind; bool sync; uint32_t bytes; } frames[] = {
        {0, 0, FRAME_I, true, 18},     {4096, 8192, FRAME_P, false, 12},  {8192, -4096, FRAME_B, false, 12},  {12288, -4096, FRAME_B, false, 12},
        {16384, 0, FRAME_I, true, 18}, {20480, 8192, FRAME_P, false, 12}, {24576, -4096, FRAME_B, false, 12}, {28672, -4096, FRAME_B, false, 12},
    };
    arena a = arena_make(1 << 20);
    str file = file_of(VIDEO_FILE, &a);
    media_movie m;
    media_fragments f;
    CHECK(movie_read(file, &m, &a) && fragments_read(file, &m.tracks[0], &f, &a));
    CHECK_INT(f.fragment_count, 2);
    CHECK_INT(f.sample_count, 8);
    CHECK_INT(f.duration, 32768);
    CHECK_INT(f.shown_start, 0);
    CHECK(f.complete && f.starts_with_sync);
    for (int i = 0; i < 8 && i < f.sample_count; i++) {
        CHECK_ROW(i, f.samples[i].time == frames[i].time);
        CHECK_ROW(i, f.samples[i].shown_later == frames[i].later);
        CHECK_ROW(i, f.samples[i].kind == frames[i].kind);
        CHECK_ROW(i, f.samples[i].sync == frames[i].sync);
        CHECK_ROW(i, f.samples[i].bytes == frames[i].bytes);
        CHECK_ROW(i, f.samples[i].duration == 4096);
    }
    m.tracks[0].id++;                                    // another track: not there
    CHECK(!fragments_read(file, &m.tracks[0], &f, &a));
    arena_free(&a);
}

TEST(segments_are_checked)
{
    arena a = arena_make(1 << 20);
    str file = file_of(VIDEO_FILE, &a), first = str_sub(file, 804, 202), second = str_sub(file, 1006, 202);
    media_movie m;
    CHECK(movie_read(file, &m, &a));
    const media_track *t = &m.tracks[0];
    CHECK(segment_check(first, t, 0, 16384, &a) == NULL);
    CHECK(segment_check(second, t, 16384, 16384, &a) == NULL);
    CHECK(segment_check(second, t, 0, 16384, &a) != NULL);           // another place
    CHECK(segment_check(first, t, 0, 65536, &a) != NULL);            // another length
    CHECK(segment_check(str_first(first, 201), t, 0, 16384, &a) != NULL);
    CHECK(segment_check(str_first(file, 740), t, 0, 16384, &a) != NULL);
    arena_free(&a);
}

TEST(an_index_is_read_and_written)
{
    arena a = arena_make(1 << 20);
    str file = file_of(VIDEO_FILE, &a);
    media_rendition r = {0}, again = {0};
    CHECK(sidx_read(str_sub(file, 740, 64), 740, &r, &a));
    CHECK_INT(r.segment_count, 2);
    CHECK_INT(r.timescale, 16384);
    CHECK_INT(r.segments[0].offset, 804);
    CHECK_INT(r.segments[0].bytes, 202);
    CHECK_INT(r.segments[1].offset, 1006);
    CHECK_INT(r.segments[1].duration, 16384);
    CHECK_INT(r.peak_bps, 202 * 8);
    buf out = buf_make(4096);
    CHECK(sidx_write(&r, 1, &out));
    CHECK_INT(out.len, sidx_bytes(2));
    CHECK(sidx_read(buf_str(&out), 740 + 64 - sidx_bytes(2), &again, &a));
    CHECK(again.segment_count == 2 && memcmp(again.segments, r.segments, 2 * sizeof *r.segments) == 0);
    for (size_t n = 0; n < out.len; n++)
        CHECK_ROW(n, !sidx_read(str_first(buf_str(&out), (ptrdiff_t)n), 0, &again, &a));
    buf_free(&out);
    arena_free(&a);
}
