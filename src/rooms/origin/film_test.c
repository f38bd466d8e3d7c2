#include "rooms/origin/film_test.h"

#include "rooms/origin/resource.h"
#include "test.h"

enum { RECORD_BYTES = 64 * 1024 };

TEST(film_ids_are_what_urls_can_carry)
{
    static const struct { str id; bool good; } rows[] = {
        {S("film"), true},  {S("film-2"), true},   {S("7"), true},          {S(""), false},
            {S("-film"), false}, {S("film-"), false},
        {S("a--b"), false}, {S("Film"), false},    {S("a/b"), false},       {S(".."), false},    {S("a.b"), false},
              {S("caf\xc3\xa9"), false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK_ROW(i, film_id_valid(rows[i].id) == rows[i].good);
}

TEST(film_ids_are_made_of_titles)
{
    static const struct { str from, id; } rows[] = {
        {S("My Film (2024).mkv"), S("my-film-2024")}, {S("lecture.mp4"), S("lecture")},   {S("..x.."), S("x")},
             {S("   "), S("")},
        {S("\xea\xb0\x95\xec\x9d\x98 7.mov"), S("7")}, {S("Ends with -.webm"), S("ends-with")},
            {S("v1.0 final"), S("v1-0-final")},
    };
    arena a = arena_make(64 * 1024);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        str id = film_id_from(rows[i].from, &a);
        CHECK_STR(id, rows[i].id);
        CHECK_ROW(i, !id.len || film_id_valid(id));
    }
    unsigned char many[300];
    memset(many, 'a', sizeof many);
    CHECK_INT(film_id_from(str_of(many, sizeof many), &a).len, FILM_ID_BYTES_MAX);
    arena_free(&a);
}

TEST(film_record_comes_back_as_it_was_written)
{
    arena a = arena_make(1 << 20);
    film f, g;
    const char *why;
    buf out = buf_make(RECORD_BYTES), again = buf_make(RECORD_BYTES);
    film_test_make(&f, &a);
    CHECK(film_write(&f, &out));
    bool good = film_read(buf_str(&out), &a, &g, &why);
    CHECK(good);
    if (good) {
        CHECK(film_write(&g, &again));
        CHECK_STR(buf_str(&again), buf_str(&out));
        CHECK_STR(g.presentation.title, f.presentation.title);
        const media_rendition *v = &g.presentation.renditions[0];
        CHECK_INT(v->segments[0].offset, 60);
        CHECK_INT(v->segments[2].offset, 360);
        CHECK_INT(v->segments[2].start, 8000);
        CHECK_STR(v->media, S("v300/$Number$.m4s"));
        CHECK_STR(g.presentation.renditions[2].media, S("tiles-$Number$.jpg"));
        CHECK_INT(g.frames[0][FILM_FRAMES_B].bytes, 90);
        CHECK_INT(film_bytes(&g), 2 * 410 + 100);
    }
    buf_free(&out);
    buf_free(&again);
    arena_free(&a);
}

// Each row changes one word of a good record, which is then none.
TEST(film_record_is_held_to_its_bounds)
{
    static const struct { const char *from, *to; } rows[] = {
        {"\"format\": 1", "\"format\": 2"},        {"\"id\": \"lecture-7\"", "\"id\": \"../etc\""},
            {"\"id\": \"v300\"", "\"id\": \"v/300\""},
        {"0123456789abcdef", "0123"},              {"\"kind\": \"video\"", "\"kind\": \"smell\""},
            {"[4000, 100]", "[0, 100]"},
        {"[4000, 100]", "[4000, -1]"},             {"[4000, 100]", "[4000]"},
            {"[4000, 100]", "[4000, 1e3]"},
        {"\"timescale\": 1000", "\"timescale\": 0"}, {"\"width\": 426", "\"width\": 1000000"},
            {"\"duration_ms\": 10000", "\"duration_ms\": \"x\""},
        {"\"initialization_bytes\": 40", "\"initialization_bytes\": 99999999"},
            {"\"renditions\": [", "\"renditions\": [[],"},
        {"\"title\"", "\"tidle\""},                {"{\"format\"", "{\"format\": 1, \"format\""},
            {"{\"format\"", "[\"format\""},
    };
    arena a = arena_make(4 << 20);
    film f;
    const char *why;
    buf out = buf_make(RECORD_BYTES);
    film_test_make(&f, &a);
    CHECK(film_write(&f, &out));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        film g;
        str text = buf_str(&out), from = str_z(rows[i].from);
        ptrdiff_t at = str_find_str(text, from);
        must(at >= 0);
        str bad = str_join(&a, str_join(&a, str_first(text, at), str_z(rows[i].to)), str_from(text, at + from.len));
        CHECK_ROW(i, !film_read(bad, &a, &g, &why) && why);
    }
    buf_free(&out);
    arena_free(&a);
}

TEST(film_paths_mean_these_and_nothing_else)
{
    static const struct { str rest; resource_kind kind; str path; uint64_t offset, bytes; } rows[] = {
        {S("manifest.mpd"), RESOURCE_MPD, S("manifest.mpd"), 0, 0},
        {S("ondemand.mpd"), RESOURCE_MPD_ON_DEMAND, S("ondemand.mpd"), 0, 0},
        {S("master.m3u8"), RESOURCE_MASTER, S("master.m3u8"), 0, 0},
        {S("v300/playlist.m3u8"), RESOURCE_PLAYLIST, S(""), 0, 0},
        {S("v300/init.mp4"), RESOURCE_FILE, S("v300/whole.mp4"), 0, 40},
        {S("v300/1.m4s"), RESOURCE_FILE, S("v300/whole.mp4"), 60, 100},
        {S("v300/3.m4s"), RESOURCE_FILE, S("v300/whole.mp4"), 360, 50},
        {S("a128/2.m4s"), RESOURCE_FILE, S("a128/whole.mp4"), 160, 200},
        {S("v300/whole.mp4"), RESOURCE_FILE, S("v300/whole.mp4"), 0, 0},
        {S("v300/frames.txt"), RESOURCE_FILE, S("v300/frames.txt"), 0, 0},
        {S("presentation.json"), RESOURCE_FILE, S("presentation.json"), 0, 0},
        {S("poster.jpg"), RESOURCE_FILE, S("poster.jpg"), 0, 0},
        {S("tiles-1.jpg"), RESOURCE_FILE, S("tiles-1.jpg"), 0, 0},
        {S("tiles-2.jpg"), RESOURCE_NONE, S(""), 0, 0},
        {S("tiles-0.jpg"), RESOURCE_NONE, S(""), 0, 0},
        {S("tiles-01.jpg"), RESOURCE_NONE, S(""), 0, 0},
        {S("tiles.jpg"), RESOURCE_NONE, S(""), 0, 0},
        {S("v300/0.m4s"), RESOURCE_NONE, S(""), 0, 0},
        {S("v300/4.m4s"), RESOURCE_NONE, S(""), 0, 0},
        {S("v300/01.m4s"), RESOURCE_NONE, S(""), 0, 0},
        {S("v300/.m4s"), RESOURCE_NONE, S(""), 0, 0},
        {S("v300/18446744073709551617.m4s"), RESOURCE_NONE, S(""), 0, 0},
        {S("v300/"), RESOURCE_NONE, S(""), 0, 0},
        {S("v300"), RESOURCE_NONE, S(""), 0, 0},
        {S("v1000/1.m4s"), RESOURCE_NONE, S(""), 0, 0},
        {S("v300/../a128/1.m4s"), RESOURCE_NONE, S(""), 0, 0},
        {S("a128/frames.txt"), RESOURCE_NONE, S(""), 0, 0},
        {S("tiles/init.mp4"), RESOURCE_NONE, S(""), 0, 0},
        {S("lock"), RESOURCE_NONE, S(""), 0, 0},
        {S(""), RESOURCE_NONE, S(""), 0, 0},
    };
    arena a = arena_make(1 << 20);
    film f, g;
    const char *why;
    buf out = buf_make(RECORD_BYTES);
    film_test_make(&f, &a);
    CHECK(film_write(&f, &out) && film_read(buf_str(&out), &a, &g, &why));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        resource r = resource_find(&g, rows[i].rest, &a);
        CHECK_ROW(i, r.kind == rows[i].kind && str_eq(r.path, rows[i].path) && r.offset == rows[i].offset &&
                  r.bytes == rows[i].bytes);
        CHECK_ROW(i, r.kind == RESOURCE_NONE || r.type.len > 0);
    }
    buf_free(&out);
    arena_free(&a);
}
