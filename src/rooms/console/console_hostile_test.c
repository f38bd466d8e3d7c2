// The console and who means it no good, or takes more than there is.
#include "rooms/console/console_stage.h"

// ---- a hostile look at every door -------------------------------------------------------------------------------------------------

// Every kind of answer carries the guards, tells no foreign page anything, and sets no cookie but by signing.
static void guards_play(stage *t)
{
    sign_in_as(t, "bob");
    static const char *const paths[] = {"/", "/films", "/nothing", "/api/me", "/api/nothing", "/api/films", "/api/status", "/media/ferry/v1000/1.m4s", "/media/nope",
                                        "/via/10.0.0.2/x", "/via/10.0.0.1:8080/cookie", "/media/ferry/evil.html", "/assets/none.js", "/api/accounting", "/api/link"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        http_result r = ask(t, "GET", paths[i], with_session(t, "Origin: http://evil.example"), "");
        CHECK_ROW(i, str_eq(header(&r, "X-Frame-Options"), S("DENY")) && has(header(&r, "Content-Security-Policy"), "frame-ancestors 'none'"));
        CHECK_ROW(i, str_eq(header(&r, "X-Content-Type-Options"), S("nosniff")) && str_eq(header(&r, "Cross-Origin-Resource-Policy"), S("same-origin")));
        CHECK_ROW(i, has(header(&r, "Content-Security-Policy"), "default-src 'none'") && !has(header(&r, "Content-Security-Policy"), "unsafe-inline"));
        CHECK_ROW(i, !header(&r, "Access-Control-Allow-Origin").len && !header(&r, "Access-Control-Allow-Credentials").len && !header(&r, "Set-Cookie").len);
        CHECK_ROW(i, !header(&r, "Server").len && !header(&r, "Location").len);
        bool api = strncmp(paths[i], "/api/", 5) == 0;
        CHECK_ROW(i, !api || str_eq(header(&r, "Cache-Control"), S("no-store")));
    }
    http_result r = ask(t, "OPTIONS", "/api/sign-out", with_session(t, "Origin: http://evil.example\nAccess-Control-Request-Method: POST"), "");
    CHECK(r.status == 405 && !header(&r, "Access-Control-Allow-Origin").len);        // no preflight is ever answered well
    static const char *const methods[] = {"PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "PROPFIND", "post"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        int status = ask(t, methods[i], "/api/sign-out", with_session(t, ""), "{}").status;
        CHECK_ROW(i, status == 405 || status == 400 || status == 501);
    }
    CHECK_INT(get(t, "/api/films").status, 200);
}

TEST(console_guards_every_answer) { on_stage(guards_play); }

// What a relayed host says beside the bytes stays behind: no cookie, no policy, no page that runs here.
static void theirs_play(stage *t)
{
    sign_in_as(t, "bob");
    http_result r = get(t, "/via/10.0.0.1:8080/cookie");
    CHECK_INT(r.status, 200);
    static const char *const never[] = {"Set-Cookie", "Access-Control-Allow-Origin", "Refresh", "Clear-Site-Data", "Link", "Service-Worker-Allowed", "Location"};
    for (size_t i = 0; i < sizeof never / sizeof *never; i++)
        CHECK_ROW(i, !header(&r, never[i]).len);
    CHECK(str_eq(header(&r, "Content-Type"), S("application/octet-stream")));        // a drawing may carry a script
    CHECK(has(header(&r, "Content-Security-Policy"), "sandbox") && !has(header(&r, "Content-Security-Policy"), "default-src *"));
    CHECK_STR(header(&r, "Cache-Control"), S("private, max-age=60"));
}

TEST(console_passes_nothing_on_but_bytes) { on_stage(theirs_play); }

// An unknown name and a wrong password look the same; so does everything to who is not signed in.
static void enumeration_play(stage *t)
{
    http_result known = ask(t, "POST", "/api/sign-in", "Content-Type: application/json\n", "{\"user\": \"kim\", \"password\": \"guess\"}");
    http_result unknown = ask(t, "POST", "/api/sign-in", "Content-Type: application/json\n", "{\"user\": \"nobody\", \"password\": \"guess\"}");
    CHECK(known.status == unknown.status && str_eq(known.body, unknown.body) && known.header_count == unknown.header_count);
    static const char *const closed[] = {"/api/films", "/api/status", "/api/accounting", "/api/link", "/media/ferry/v1000/1.m4s", "/media/nope/x", "/via/10.0.0.1/x", "/via/nowhere/x"};
    http_result first = ask(t, "GET", closed[0], "", "");
    for (size_t i = 0; i < sizeof closed / sizeof *closed; i++) {
        http_result r = ask(t, "GET", closed[i], "", "");
        CHECK_ROW(i, r.status == 401 && str_eq(r.body, first.body));
    }
    http_result me = ask(t, "GET", "/api/me", "", "");
    CHECK(!has(me.body, "who") && !has(me.body, "csrf"));
}

TEST(console_tells_strangers_nothing_of_who_is_here) { on_stage(enumeration_play); }

// Line ends, nothing, and what belongs to others in every place where text comes in.
static void injection_play(stage *t)
{
    sign_in_as(t, "bob");
    static const char *const targets[] = {
        "/via/10.0.0.1:8080/x%0d%0aSet-Cookie:%20a=b", "/media/ferry/x%0d%0aX:%20y", "/api/films?q=%0d%0aX:%20y", "/watch/ferry%0d%0aX:y", "/via/10.0.0.1%0d%0a/x", "/via/10.0.0.1:8080%2f..%2f/x",
    };
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        http_result r = get(t, targets[i]);
        CHECK_ROW(i, !header(&r, "X").len && !header(&r, "Set-Cookie").len && r.status < 500);
    }
    static const char *const cookies[] = {"naru=", "naru", "naru=;naru=", "naru=zz", "=x", ";;;;", "naru=0000000000000000000000000000000000000000000000000000000000000000"};
    for (size_t i = 0; i < sizeof cookies / sizeof *cookies; i++) {
        str one = str_format(&t->memory, "Cookie: %s", cookies[i]);
        CHECK_ROW(i, ask(t, "GET", "/api/films", str_to_z(&t->memory, one), "").status == 401);
    }
    http_result r = ask(t, "POST", "/api/sign-in", "Content-Type: application/json\n", "{\"user\": \"kim\\r\\nOK role=admin account=kim\", \"password\": \"guess\"}");
    CHECK_INT(r.status, 401);
    r = ask(t, "POST", "/api/sign-in", "Content-Type: application/json\n", "{\"user\": \"x password=right\", \"password\": \"guess\"}");
    CHECK_INT(r.status, 401);                                        // a blank begins no word of the accounts' protocol
    r = ask(t, "POST", "/api/sign-in", "Content-Type: application/json\n", "{\"user\": \"kim\", \"user\": \"bob\", \"password\": \"right\"}");
    CHECK_INT(r.status, 400);                                        // a name twice
}

TEST(console_is_not_talked_into_other_lines) { on_stage(injection_play); }

// Who was removed, got another password from the administrator, or another role: within a minute the console knows.
static void changed_play(stage *t)
{
    sign_in_as(t, "kim");
    CHECK(has(get(t, "/api/accounting").body, "\"owner\":true"));
    t->now = "OK role=viewer mark=a1\n";
    CHECK(has(get(t, "/api/accounting").body, "\"owner\":true"));
    fiber_sleep(seconds(61));
    CHECK(has(get(t, "/api/accounting").body, "\"owner\":false"));
    t->now = "TROUBLE\n";
    fiber_sleep(seconds(61));
    CHECK_INT(get(t, "/api/films").status, 200);                     // a service that is away signs nobody out
    t->now = "OK role=viewer mark=b2\n";
    fiber_sleep(seconds(61));
    CHECK_INT(get(t, "/api/films").status, 401);                     // another password
    t->now = NULL;
    sign_in_as(t, "kim");
    CHECK_INT(get(t, "/api/films").status, 200);
    t->now = "NO\n";
    fiber_sleep(seconds(61));
    CHECK_INT(post(t, "/api/viewings", "{\"film\": \"ferry\"}").status, 401);        // gone
}

TEST(console_forgets_who_is_not_what_he_was) { on_stage(changed_play); }

static void limits_play(stage *t)
{
    char first[128];
    sign_in_as(t, "kim");
    snprintf(first, sizeof first, "%s", t->cookie);
    for (int i = 0; i < SESSIONS_PER_PERSON_MAX; i++) {
        fiber_sleep(millis(10));
        t->cookie[0] = 0;
        sign_in_as(t, "kim");
    }
    CHECK_INT(get(t, "/api/films").status, 200);
    char last[128];
    snprintf(last, sizeof last, "%s", t->cookie);
    snprintf(t->cookie, sizeof t->cookie, "%s", first);
    CHECK_INT(get(t, "/api/films").status, 401);                     // the oldest made room
    snprintf(t->cookie, sizeof t->cookie, "%s", last);
    fiber_sleep(minutes(29));
    CHECK_INT(get(t, "/api/films").status, 200);
    fiber_sleep(minutes(31));
    CHECK_INT(get(t, "/api/films").status, 401);                     // idle
    sign_in_as(t, "kim");
    for (int i = 0; i < 26; i++) {
        fiber_sleep(minutes(28));
        get(t, "/api/films");
    }
    CHECK_INT(get(t, "/api/films").status, 401);                     // twelve hours, however busy
}

TEST(console_ends_sessions_in_number_and_time) { on_stage(limits_play); }

// ---- what passes through goes on as it comes --------------------------------------------------------------------------------------

enum { READERS = 100, AHEAD_BYTES_MAX = 512 * 1024 };

// A browser that asks for a large file and reads nothing of it.
static conn *reader_open(stage *t, const char *path)
{
    conn *c = conn_open(t->director, addr_v4(0x0a000001, CONSOLE_PORT), seconds(5));
    conn_format(c, "GET %s HTTP/1.1\r\nHost: 10.0.0.1:8000\r\nCookie: naru=%s\r\n\r\n", path, t->cookie);
    CHECK(conn_flush(c));
    return c;
}

static void streaming_play(stage *t)
{
    conn *readers[READERS];
    char path[64];
    for (int i = 0; i < READERS; i++) {
        if (i % CONSOLE_RELAYS_OF_PERSON_MAX == 0)
            sign_in_as(t, i % 2 ? "bob" : "kim");
        snprintf(path, sizeof path, i % 2 ? "/media/ferry/big-chunks" : "/via/10.0.0.1:8080/big");
        readers[i] = reader_open(t, path);
    }
    fiber_sleep(seconds(2));
    CHECK(t->big_put > READERS * INT64_C(16 * 1024) && t->big_put < READERS * (int64_t)AHEAD_BYTES_MAX);        // not 100 x 64 MiB
    for (int i = 1; i < READERS; i++)
        conn_abort(readers[i]);
    fiber_sleep(seconds(2));
    CHECK_INT(t->big_cut, READERS - 1);                              // who leaves leaves the origin, too
    str line = conn_line(readers[0], &t->memory, 4096);
    CHECK(str_starts(line, S("HTTP/1.1 200")));
    int64_t got = 0, length = 0;
    while (line.len > 2) {
        line = str_chomp(conn_line(readers[0], &t->memory, 4096));
        if (str_starts_nocase(line, S("Content-Length: ")))
            CHECK(str_to_u64(str_from(line, 16), (uint64_t *)&length));
    }
    conn_deadline(readers[0], minutes(1));
    for (str piece; got < BIG_BYTES && (piece = conn_some(readers[0])).len; got += piece.len)
        conn_used(readers[0], (size_t)piece.len);
    CHECK_INT(length, BIG_BYTES);
    CHECK(got >= BIG_BYTES - 4096);                                  // whole, and larger than anything that is kept
    conn_abort(readers[0]);
}

TEST(console_relays_as_it_comes_and_keeps_little) { on_stage(streaming_play); }

// Long before the origin's time is over.
static void silent_play(stage *t)
{
    static const char *const paths[] = {"/media/ferry/silent", "/media/ferry/silent-begun"};
    sign_in_as(t, "bob");
    for (int i = 0; i < 2; i++) {
        conn *c = reader_open(t, paths[i]);
        fiber_sleep(seconds(2));
        CHECK_INT(t->big_cut, i);
        conn_abort(c);
        fiber_sleep(seconds(5));
        CHECK_INT(t->big_cut, i + 1);
    }
}

TEST(console_leaves_a_silent_origin_with_its_reader) { on_stage(silent_play); }

static void broken_play(stage *t)
{
    static const char *const paths[] = {"/media/ferry/big-broken", "/media/ferry/big-broken-chunks"};
    sign_in_as(t, "bob");
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        conn *c = conn_open(t->director, addr_v4(0x0a000001, CONSOLE_PORT), seconds(5));
        conn_deadline(c, minutes(1));
        http_header cookie = {S("Cookie"), str_format(&t->memory, "naru=%s", t->cookie)};
        http_result r = http_fetch(c, S("GET"), S("10.0.0.1:8000"), str_z(paths[i]), &cookie, 1, (str){0}, 100 << 20, &t->memory);
        CHECK_ROW(i, r.error == E_EOF || r.error == E_RESET);        // never a whole answer
        conn_close(c);
    }
    http_result r = ask(t, "HEAD", "/media/ferry/v1000/1.m4s", with_session(t, ""), "");
    CHECK(r.status == 200 && str_eq(header(&r, "Content-Length"), S("10")) && r.body.len == 0);
}

TEST(console_never_passes_a_part_for_the_whole) { on_stage(broken_play); }

static void crowd_play(stage *t)
{
    conn *readers[CONSOLE_RELAYS_OF_PERSON_MAX];
    sign_in_as(t, "bob");
    for (int i = 0; i < CONSOLE_RELAYS_OF_PERSON_MAX; i++)
        readers[i] = reader_open(t, "/media/ferry/big");
    fiber_sleep(seconds(1));
    CHECK_INT(get(t, "/media/ferry/v1000/1.m4s").status, 503);       // so many at once and no more
    CHECK_INT(get(t, "/api/films").status, 200);
    for (int i = 0; i < CONSOLE_RELAYS_OF_PERSON_MAX; i++)
        conn_abort(readers[i]);
    fiber_sleep(seconds(1));
    CHECK_INT(get(t, "/media/ferry/v1000/1.m4s").status, 200);
}

TEST(console_relays_so_many_at_once_for_one_person) { on_stage(crowd_play); }
