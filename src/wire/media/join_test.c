#include "wire/media/join.h"

#include "base/hex.h"
#include "test.h"
#include "wire/media/boxes_data.h"

static str file_of(const char *hex, arena *a)
{
    str text = str_z(hex);
    unsigned char *bytes = arena_array(a, unsigned char, text.len / 2);
    return hex_decode(bytes, text) ? str_of(bytes, (size_t)text.len / 2) : (str){0};
}

enum { VIDEO_HEAD = 740, AUDIO_HEAD = 692 };

TEST(two_files_become_one_stream)
{
    arena a = arena_make(1 << 20);
    str video = file_of(VIDEO_FILE, &a), sound = file_of(AUDIO_FILE, &a);
    str sets = join_parameter_sets(str_first(video, VIDEO_HEAD), &a);
    buf out = buf_make(1 << 20);
    uint32_t sequence = 0;
    CHECK(sets.len > 8 && (sets.at[4] & 31) == 7);                       // an SPS comes first
    CHECK(join_begin(str_first(video, VIDEO_HEAD), str_first(sound, AUDIO_HEAD), &out));
    CHECK(join_segment(str_sub(sound, 768, 144), JOIN_AUDIO, (str){0}, &sequence, &out));
    CHECK(join_segment(str_sub(video, 804, 202), JOIN_VIDEO, sets, &sequence, &out));
    CHECK(join_segment(str_sub(video, 1006, 202), JOIN_VIDEO, (str){0}, &sequence, &out));
    CHECK_INT(sequence, 3);
    media_movie m;
    media_fragments f;
    CHECK(movie_read(buf_str(&out), &m, &a));
    CHECK(m.track_count == 2 && m.tracks[0].id == JOIN_VIDEO && m.tracks[1].id == JOIN_AUDIO && m.fragmented);
    CHECK_STR(m.tracks[1].codecs, S("mp4a.40.2"));
    CHECK(fragments_read(buf_str(&out), &m.tracks[0], &f, &a));
    CHECK_INT(f.sample_count, 8);
    CHECK(f.complete);
    CHECK_INT(f.samples[0].bytes, 18 + sets.len);
    static const char kinds[] = "IPBBIPBB";
    for (int i = 0; i < 8; i++)
        CHECK_ROW(i, (char)f.samples[i].kind == kinds[i]);               // every frame's bytes are where they belong
    CHECK(fragments_read(buf_str(&out), &m.tracks[1], &f, &a) && f.complete);
    buf_free(&out);
    arena_free(&a);
}

TEST(what_cannot_be_joined_is_refused)
{
    arena a = arena_make(1 << 20);
    str video = file_of(VIDEO_FILE, &a);
    buf out = buf_make(1 << 20);
    uint32_t sequence = 0;
    CHECK(!join_begin(str_first(video, 700), (str){0}, &out));
    CHECK(!join_begin(S(""), (str){0}, &out));
    CHECK(!join_segment(str_first(video, VIDEO_HEAD), JOIN_VIDEO, (str){0}, &sequence, &out));
    for (ptrdiff_t n = 0; n < 202; n++)
        CHECK_ROW(n, !join_segment(str_sub(video, 804, n), JOIN_VIDEO, (str){0}, &sequence, &out));
    CHECK_INT(join_parameter_sets(file_of(AUDIO_FILE, &a), &a).len, 0);
    buf_free(&out);
    arena_free(&a);
}
