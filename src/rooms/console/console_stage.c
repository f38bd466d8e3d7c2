#include "rooms/console/console_stage.h"

enum { HEADERS_MAX = 12 };

// ---- the accounts service: kim is an admin, bob a viewer; "right" is everybody's password ----------------------------------------

void accounts_play(conn *c, void *arg)
{
    stage *t = arg;
    arena msg = arena_make(64 * 1024);
    str line = conn_line(c, &msg, 4096);
    if (str_starts(line, S("ROLE "))) {
        conn_put(c, t->now ? str_z(t->now) : str_find_str(line, S("kim")) >= 0 ? S("OK role=admin mark=a1\n") : S("OK role=viewer mark=a1\n"));
        conn_flush(c);
        arena_free(&msg);
        return;
    }
    t->logins++;
    bool join = str_starts(line, S("JOIN")), change = str_starts(line, S("CHANGE")), right = str_find_str(line, S("password=right")) >= 0;
    if (join)
        conn_put(c, str_find_str(line, S("bob")) >= 0 ? S("NO taken\n") : S("OK account=new@gmail.com\n"));
    else if (change && right)
        conn_put(c, str_find_str(line, S("new=short")) >= 0 ? S("NO password\n") : S("OK account=kim@club.example\n"));
    else if (!right)
        conn_put(c, t->logins > 5 ? S("NO too-many wait=3\n") : S("NO wrong\n"));
    else
        conn_put(c, str_find_str(line, S("user=kim")) >= 0 ? S("OK role=admin account=kim@club.example\n") : S("OK role=viewer account=bob@gmail.com\n"));
    conn_flush(c);
    arena_free(&msg);
}

// ---- the small Internet's line, where there is one ------------------------------------------------------------------------------

static void line_answer(void *arg, const http_request *q, http_reply *reply, arena *msg)
{
    stage *t = arg;
    uint64_t bps;
    if (str_to_u64(http_query_get(q, S("bps"), msg), &bps))
        t->line_bps = (int64_t)bps < 200000 && bps ? 200000 : (int64_t)bps;      // its own least
    http_answer(reply, 200, S("application/json"), str_format(msg, "{\"bps\": %lld}", (long long)t->line_bps));
}

void line_play(conn *c, void *arg) { http_serve(c, (http_limits){0}, line_answer, arg); }

// ---- the origin -----------------------------------------------------------------------------------------------------------------

enum { BIG_PIECE = 16 * 1024, BROKEN_AT = 100000, SILENT_S = 3600 };

// A film's large file; `broken`: its end never comes, with or without its length said.
static void big_answer(stage *t, http_reply *reply, bool chunks, bool broken)
{
    static const unsigned char piece[BIG_PIECE] = {0};
    int64_t mine = 0;
    if (chunks)
        http_begin(reply, 200, S("video/mp4"));
    else
        http_begin_length(reply, 200, S("video/mp4"), BIG_BYTES);
    for (; mine < BIG_BYTES && !(broken && mine > BROKEN_AT); mine += BIG_PIECE, t->big_put += BIG_PIECE)
        if (!http_write(reply, str_of(piece, sizeof piece))) {
            t->big_cut++;
            return;
        }
    if (broken)
        http_break_off(reply);
}

// Says a little, or nothing, and then no more until its asker goes.
static void silent_answer(stage *t, http_reply *reply, bool begins)
{
    static const unsigned char piece[BIG_PIECE] = {0};
    if (begins) {
        http_begin_length(reply, 200, S("video/mp4"), BIG_BYTES);
        http_write(reply, str_of(piece, sizeof piece));
    }
    for (int i = 0; i < SILENT_S && !http_peer_left(reply); i++)
        if (fiber_sleep(seconds(1)))
            break;
    t->big_cut++;
    if (begins)
        http_break_off(reply);
}

static void origin_answer(void *arg, const http_request *q, http_reply *reply, arena *msg)
{
    stage *t = arg;
    (void)msg;
    if (str_find_str(q->path, S("silent")) >= 0) {
        silent_answer(t, reply, str_ends(q->path, S("begun")));
        return;
    }
    if (str_find_str(q->path, S("big")) >= 0) {
        big_answer(t, reply, str_ends(q->path, S("chunks")), str_find_str(q->path, S("broken")) >= 0);
        return;
    }
    t->origin_target = str_copy(&t->memory, q->target);
    if (str_eq(q->path, S("/catalogue.json")))
        http_answer(reply, 200, S("application/json"), S("{\"presentations\": [{\"id\": \"ferry\", \"title\": \"The <img src=x onerror=alert(1)> Ferry\"},"
                                                        "{\"id\": \"lake\", \"title\": \"호수\"}, {\"id\": \"../etc\", \"title\": \"bad\"}]}"));
    else if (str_ends(q->path, S("evil.html")))
        http_answer(reply, 200, S("text/html"), S("<script>alert(1)</script>"));
    else if (str_ends(q->path, S("cookie"))) {
        static const char *const theirs[][2] = {
            {"Set-Cookie", "naru=planted"}, {"Content-Security-Policy", "default-src *"}, {"Access-Control-Allow-Origin", "*"}, {"Refresh", "0; url=/x"},
            {"Clear-Site-Data", "*"}, {"Link", "</x>; rel=preload"}, {"Service-Worker-Allowed", "/"}, {"Cache-Control", "public, max-age=60, s-maxage=9"},
        };
        for (size_t i = 0; i < sizeof theirs / sizeof *theirs; i++)
            http_answer_header(reply, str_z(theirs[i][0]), str_z(theirs[i][1]));
        http_answer(reply, 200, S("image/svg+xml"), S("<svg onload=alert(1)>"));
    } else if (str_ends(q->path, S("away"))) {
        http_answer_header(reply, S("Location"), S("http://169.254.169.254/secret"));
        http_answer(reply, 302, S("text/plain"), S(""));
    } else
        http_answer(reply, 200, S("video/mp4"), S("0123456789"));
}

static void origin_converse(conn *c, void *arg) { http_serve(c, (http_limits){0}, origin_answer, arg); }

// ---- the stage --------------------------------------------------------------------------------------------------------------------

static void play(void *arg)
{
    stage *t = arg;
    str why = {0};
    config_error error;
    door *d;
    log_setup(LOG_LOGFMT, LOG_ERROR, NULL, NULL);
    t->director = world_here();
    fiber_world(t->host);
    statement *block = config_parse(S("test"), str_z(t->settings), &t->memory, NULL, NULL, &error);
    CHECK(block && config_check(block, console_settings, &t->memory, &error));
    CHECK_INT(node_start(&t->n, t->host, S("netcinema.com"), S("/data")), E_OK);
    CHECK_INT(node_add(&t->n, &console_kind, block, &t->r, &why), E_OK);
    CHECK_STR(why, S(""));
    if (t->r) {
        CHECK_INT(room_offer(t->r, "accounts.login", accounts_play, t), E_OK);
        CHECK_INT(door_open(t->r->scope, t->host, (door_options){.service = "origin", .at = addr_v4(0x0a000001, 8080)}, origin_converse, t, &d), E_OK);
        t->body(t);
    }
    node_stop(&t->n);
}

void on_stage_with(const char *settings, void (*body)(stage *))
{
    addr at = addr_v4(0x0a000001, 0);
    sim *s = sim_new(7);
    stage t = {.memory = arena_make(TEST_MEMORY_BYTES_MAX), .body = body, .settings = settings};
    t.host = sim_host(s, S("netcinema.com"), &at, 1, (sim_disk){.write_ns = 1000, .sync_ns = 100000});
    CHECK_INT(sim_run(s, play, &t), E_OK);
    arena_free(&t.memory);
    sim_free(s);
}

void on_stage(void (*body)(stage *))
{
    on_stage_with("plaintext loopback\norigin 10.0.0.1:8080\nregistration yes\nrelay 10.0.0.1 *.kingcdn.com\nlink yes\ntitle NetCinema\n"
                  "steering http://10.0.0.1:8080/report\n", body);
}

// extra: "Name: value\n..."; the session's cookie and token go along when they are there.
http_result ask(stage *t, const char *method, const char *target, const char *extra, const char *body)
{
    http_header headers[HEADERS_MAX];
    int n = 0;
    str rest = str_z(extra);
    while (rest.len && n < HEADERS_MAX) {
        str value = str_cut(&rest, '\n'), name = str_cut(&value, ':');
        headers[n++] = (http_header){name, str_trim(value)};
    }
    conn *c = conn_open(t->director, addr_v4(0x0a000001, CONSOLE_PORT), seconds(5));
    conn_deadline(c, minutes(2));
    http_result r = http_fetch(c, str_z(method), S("10.0.0.1:8000"), str_z(target), headers, n, str_z(body), 32 << 20, &t->memory);
    conn_close(c);
    CHECK_INT(r.error, E_OK);
    return r;
}

const char *with_session(stage *t, const char *more)
{
    return str_to_z(&t->memory, str_format(&t->memory, "Cookie: a=b; naru=%s; c=d\nX-Naru-Csrf: %s\nContent-Type: application/json\n%s", t->cookie, t->csrf, more));
}

http_result get(stage *t, const char *target) { return ask(t, "GET", target, with_session(t, ""), ""); }
http_result post(stage *t, const char *target, const char *body) { return ask(t, "POST", target, with_session(t, ""), body); }

bool has(str text, const char *what) { return str_find_str(text, str_z(what)) >= 0; }
str header(const http_result *r, const char *name) { return http_result_header(r, str_z(name)); }

void session_take(stage *t, const http_result *r)
{
    str cookie = header(r, "Set-Cookie");
    t->cookie[0] = t->csrf[0] = 0;
    CHECK(str_starts(cookie, S("naru=")));
    snprintf(t->cookie, sizeof t->cookie, "%.*s", 64, (const char *)str_from(cookie, 5).at);
    json_t *o = json_loadb((const char *)r->body.at, (size_t)r->body.len, 0, NULL);
    snprintf(t->csrf, sizeof t->csrf, "%s", json_string_value(json_object_get(o, "csrf")) ? json_string_value(json_object_get(o, "csrf")) : "");
    json_decref(o);
}

void sign_in_as(stage *t, const char *user)
{
    str body = str_format(&t->memory, "{\"user\": \"%s\", \"password\": \"right\"}", user);
    http_result r = ask(t, "POST", "/api/sign-in", "Content-Type: application/json\n", str_to_z(&t->memory, body));
    CHECK_INT(r.status, 200);
    session_take(t, &r);
}
