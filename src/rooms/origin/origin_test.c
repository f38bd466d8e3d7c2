// The service over its door, in the real world and in the simulator.
#include "rooms/origin/origin.h"

#include <ftw.h>
#include <stdlib.h>

#include "rooms/origin/film_test.h"
#include "rt/conn_play_test.h"
#include "rt/log.h"
#include "rt/loop.h"
#include "rt/worker.h"
#include "talk/http_fetch.h"

enum { PORT = 23480, WHOLE_BYTES = 410 };

static addr origin_at(world *w)
{
    int count;
    const addr *own = world_addresses(w, &count);
    return count > 0 ? addr_with_port(own[0], PORT) : addr_v4(0x7f000001, PORT);
}

static const statement *settings_of(arena *a, const char *text)
{
    config_error error;
    statement *s = config_parse(S("test"), str_z(text), a, NULL, NULL, &error);
    must(s && config_check(s, origin_kind.settings, a, &error));
    return s;
}

// ---- a film on the disk -----------------------------------------------------------------------------------------------

typedef struct { world *w; const char *directory; } placing;

static void put(placing *p, arena *a, const char *name, str bytes)
{
    must(file_replace(p->w, str_to_z(a, str_format(a, "%s/%s", p->directory, name)), bytes, 0644) == E_OK);
}

static void place_blocking(void *arg)
{
    placing *p = arg;
    arena a = arena_make(1 << 20);
    film f;
    unsigned char whole[WHOLE_BYTES];
    buf record = buf_make(64 * 1024);
    for (size_t i = 0; i < sizeof whole; i++)
        whole[i] = (unsigned char)i;
    film_test_make(&f, &a);
    must(film_write(&f, &record));
    must(dir_make(p->w, str_to_z(&a, str_format(&a, "%s/v300", p->directory)), 0755) == E_OK);
    put(p, &a, "v300/whole.mp4", str_of(whole, sizeof whole));
    put(p, &a, "poster.jpg", S("a picture"));
    put(p, &a, FILM_RECORD, buf_str(&record));
    buf_free(&record);
    arena_free(&a);
}

static void remove_blocking(void *arg)
{
    placing *p = arg;
    arena a = arena_make(64 * 1024);
    must(path_rename(p->w, p->directory, str_to_z(&a, str_format(&a, "%s.gone", p->directory))) == E_OK);
    arena_free(&a);
}

// ---- asking -----------------------------------------------------------------------------------------------------------

typedef struct { const char *method, *target, *name, *value; int status; str body; } asking;

static http_result ask(world *w, arena *msg, const char *method, const char *target, const char *name, const char *value)
{
    http_header header = {str_z(name), str_z(value)};
    conn *c = conn_open(w, origin_at(w), seconds(60));
    conn_deadline(c, seconds(60));
    http_result r = http_fetch(c, str_z(method), S("origin.test"), str_z(target), &header, name ? 1 : 0, (str){0},
                               1 << 20, msg);
    conn_close(c);
    return r;
}

static const asking rows[] = {
    {"GET", "/lecture-7/poster.jpg", NULL, NULL, 200, S("a picture")},
    {"GET", "/lecture-7/poster.jpg", "Range", "bytes=2-4", 206, S("pic")},
    {"HEAD", "/lecture-7/poster.jpg", NULL, NULL, 200, S("")},
    {"GET", "/lecture-7/v300/1.m4s", "Range", "bytes=0-2", 206, S("<=>")},                  // bytes 60, 61, 62 of whole.mp4
    {"GET", "/lecture-7/v300/1.m4s", "Range", "bytes=100-", 416, S("no such bytes\n")},     // the next segment's
    {"GET", "/lecture-7/v300/4.m4s", NULL, NULL, 404, S("the film has nothing of this name\n")},
    {"GET", "/lecture-7/a128/1.m4s", NULL, NULL, 404, S("it has just gone\n")},             // no such file
    {"GET", "/lecture-7/../../x", NULL, NULL, 400, S("the request target is not a path that can be served\n")},
    {"GET", "/lecture-8/poster.jpg", NULL, NULL, 404, S("there is no such film; /catalogue.json lists them\n")},
    {"DELETE", "/lecture-7/poster.jpg", NULL, NULL, 405, S("films are asked for with GET\n")},
};

static void ask_all(world *w)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        arena msg = arena_make(4 << 20);
        http_result r = ask(w, &msg, rows[i].method, rows[i].target, rows[i].name, rows[i].value);
        CHECK_ROW(i, r.error == E_OK && r.status == rows[i].status);
        CHECK_STR(r.body, rows[i].body);
        arena_free(&msg);
    }
}

static bool is_listed(world *w)
{
    arena msg = arena_make(4 << 20);
    http_result r = ask(w, &msg, "GET", "/catalogue.json", NULL, NULL);
    CHECK_INT(r.status, 200);
    bool there = str_find_str(r.body, S("\"lecture-7\"")) > 0;
    arena_free(&msg);
    return there;
}

static void manifest_is_told(world *w)
{
    arena msg = arena_make(4 << 20);
    http_result r = ask(w, &msg, "GET", "/lecture-7/manifest.mpd", NULL, NULL);
    CHECK_INT(r.status, 200);
    CHECK(str_find_str(r.body, S("serviceLocation=\"east\"")) > 0 &&
          str_find_str(r.body, S("http://east.test/lecture-7/")) > 0);
    CHECK(str_find_str(r.body, S("http://steer.test/")) > 0);
    char *etag = str_to_z(&msg, http_result_header(&r, S("ETag")));
    CHECK_STR(http_result_header(&r, S("Cache-Tag")), S("lecture-7"));
    r = ask(w, &msg, "GET", "/lecture-7/manifest.mpd", "If-None-Match", etag);
    CHECK_INT(r.status, 304);
    arena_free(&msg);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st, (void)kind, (void)where;
    return remove(path);
}

static void origin_serves(world *w)
{
    arena memory = arena_make(1 << 20);
    node n;
    str why;
    room *r;
    char directory[] = "/tmp/naru-origin-XXXXXX";
    bool real = !world_is_simulated(w);
    log_setup(LOG_LOGFMT, LOG_ERROR, NULL, NULL);
    must(!real || mkdtemp(directory));
    CHECK_INT(node_start(&n, w, S("node"), str_z(directory)), E_OK);
    const statement *settings = settings_of(&memory, "port 23480; base east http://east.test; steering http://steer.test/");
    if (node_add(&n, &origin_kind, settings, &r, &why)) {
        test_failed(__FILE__, __LINE__, STR_FMT, STR_ARG(why));
        return;
    }
    CHECK(!is_listed(w));
    placing p = {w, str_to_z(&memory, str_format(&memory, "%s/origin/films/lecture-7", directory))};
    fiber_sleep(millis(600));
    work(place_blocking, &p);
    ask_all(w);
    manifest_is_told(w);
    CHECK(is_listed(w));
    work(remove_blocking, &p);
    fiber_sleep(millis(600));                            // what was looked at is believed for so long
    CHECK(!is_listed(w));
    arena msg = arena_make(4 << 20);
    CHECK_INT(ask(w, &msg, "GET", "/lecture-7/poster.jpg", NULL, NULL).status, 404);
    arena_free(&msg);
    node_stop(&n);
    arena_free(&memory);
    if (real)
        nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

TEST(origin_serves_films_that_come_and_go) { play_both(origin_serves); }

TEST(origin_settings_are_judged)
{
    static const struct { const char *text; bool good; } rows_of[] = {
        {"", true}, {"ladder 300kbit 1Mbit", true}, {"ladder 1Mbit 300kbit", false}, {"ladder 1Mbit 1Mbit", false},
            {"ladder fast", false},
        {"ladder 10kbit", false}, {"rate cbr", true}, {"rate best", false}, {"segment 2s", true},
    };
    arena a = arena_make(1 << 20);
    origin_encoding e;
    const char *why;
    for (size_t i = 0; i < sizeof rows_of / sizeof *rows_of; i++)
        CHECK_ROW(i, origin_encoding_of(settings_of(&a, rows_of[i].text), &e, &why) == rows_of[i].good);
    CHECK(origin_encoding_of(NULL, &e, &why));
    CHECK_INT(e.ladder_count, 3);
    CHECK_INT(e.ladder_bps[2], 3000000);
    arena_free(&a);
}
