#include "talk/http_fetch.h"

#include "rt/conn_play_test.h"
#include "rt/meter.h"

// ---- a server that answers with what it was asked ----

static void echo(void *arg, const http_request *q, http_reply *reply, arena *msg)
{
    int *handled = arg;
    ++*handled;
    if (str_eq(q->path, S("/nothing")))
        return;
    if (str_eq(q->path, S("/empty"))) {
        http_answer(reply, 204, (str){0}, (str){0});
        return;
    }
    if (str_eq(q->path, S("/stream"))) {
        http_begin(reply, 200, S("text/plain"));
        http_write(reply, S("one "));
        http_write(reply, (str){0});
        http_write(reply, S("two"));
        return;
    }
    http_answer_header(reply, S("X-Method"), q->method);
    str x = http_query_get(q, S("x"), msg);
    http_answer(reply, 200, S("text/plain"), str_format(msg, STR_FMT "|" STR_FMT "|" STR_FMT, STR_ARG(q->path), STR_ARG(x), STR_ARG(q->body)));
}

typedef struct { conn *c; http_limits limits; int handled; } serving;

static void serve(void *arg)
{
    serving *s = arg;
    http_serve(s->c, s->limits, echo, &s->handled);
    conn_close(s->c);
}

// Sends raw bytes in pieces, half-closes, and reads everything that comes back.
static str converse(str request, size_t step, http_limits limits, int *handled, arena *a)
{
    serving s = {.limits = limits};
    conn *c;
    conn_pair(&s.c, &c);
    SCOPE(all, seconds(1000), 4);
    scope_go(&all, "server", serve, &s);
    while (request.len) {
        str piece = str_first(request, (ptrdiff_t)step);
        conn_put(c, piece);
        conn_flush(c);
        fiber_yield();
        request = str_from(request, piece.len);
    }
    conn_shutdown(c);
    buf answer = buf_make(1 << 20);
    for (str got; (got = conn_some(c)).len; conn_used(c, (size_t)got.len))
        buf_put(&answer, got);
    conn_close(c);
    scope_wait(&all);
    *handled = s.handled;
    str text = str_copy(a, buf_str(&answer));
    buf_free(&answer);
    return text;
}

#define GET(target) "GET " target " HTTP/1.1\r\nHost: a\r\n"

static const struct {
    const char *request;
    int         handled, answers;            // how many; the last one is looked at
    const char *first, *part, *end;
} rows[] = {
    {GET("/a%20b?x=1+2") "\r\n", 1, 1, "HTTP/1.1 200 OK\r\n", "X-Method: GET\r\n", "\r\n\r\n/a b|1 2|"},
    {GET("/a/../b") "\r\n", 1, 1, "HTTP/1.1 200 OK\r\n", "Content-Length: 4\r\n", "\r\n\r\n/b||"},
    {GET("/1") "\r\n" GET("/2") "\r\n", 2, 2, "HTTP/1.1 200 OK\r\n", "\r\n\r\n/1||", "\r\n\r\n/2||"},             // pipelined
    {GET("/1") "Connection: close\r\n\r\n" GET("/2") "\r\n", 1, 1, "HTTP/1.1 200 OK\r\n", "Connection: close\r\n", "/1||"},
    {"GET /1 HTTP/1.0\r\n\r\nGET /2 HTTP/1.0\r\n\r\n", 1, 1, "HTTP/1.1 200 OK\r\n", "Connection: close\r\n", "/1||"},
    {"HEAD /1 HTTP/1.1\r\nHost: a\r\n\r\n", 1, 1, "HTTP/1.1 200 OK\r\n", "Content-Length: 4\r\n", "\r\n\r\n"},
    {"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" GET("/2") "\r\n", 2, 2, "HTTP/1.1 200 OK\r\n", "/p||hello", "/2||"},
    {"POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n" GET("/2") "\r\n", 2, 2,
     "HTTP/1.1 200 OK\r\n", "/p||hello", "/2||"},
    {"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\nhi", 1, 2, "HTTP/1.1 100 Continue\r\n\r\n",
     "HTTP/1.1 200 OK\r\n", "/p||hi"},
    {GET("/stream") "\r\n" GET("/2") "\r\n", 2, 2, "HTTP/1.1 200 OK\r\n", "\r\n\r\n4\r\none \r\n3\r\ntwo\r\n0\r\n\r\n", "/2||"},
    {"GET /stream HTTP/1.0\r\n\r\n", 1, 1, "HTTP/1.1 200 OK\r\n", "Connection: close\r\n", "\r\n\r\none two"},
    {"HEAD /stream HTTP/1.1\r\nHost: a\r\n\r\n" GET("/2") "\r\n", 2, 2, "HTTP/1.1 200 OK\r\n", "Transfer-Encoding: chunked\r\n\r\nHTTP/1.1", "/2||"},
    {GET("/empty") "\r\n", 1, 1, "HTTP/1.1 204 No Content\r\n", "Date: ", "\r\n\r\n"},
    {GET("/nothing") "\r\n", 1, 1, "HTTP/1.1 500 ", "Content-Length", "no answer\n"},
    // refused: nothing behind it is read any more
    {"GET / HTTP/1.1\r\n\r\n" GET("/2") "\r\n", 0, 1, "HTTP/1.1 400 ", "Connection: close\r\n", "one Host field\n"},
    {"GET / HTTP/1.1\nHost: a\n\n", 0, 1, "HTTP/1.1 400 ", "Connection: close\r\n", "CR LF\n"},
    {GET("/..") "\r\n" GET("/2") "\r\n", 0, 1, "HTTP/1.1 400 ", "Connection: close\r\n", "served\n"},
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" GET("/2") "\r\n", 0, 1, "HTTP/1.1 400 ",
     "Connection: close\r\n", "more than once\n"},
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n0123456789a", 0, 1, "HTTP/1.1 413 ", "Connection: close\r\n", "too large\n"},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n0123456789a\r\n0\r\n\r\n", 0, 1, "HTTP/1.1 413 ",
     "Connection: close\r\n", "too large\n"},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\nhi\r\n0\r\n\r\n", 0, 1, "HTTP/1.1 400 ", "Connection: close\r\n", "malformed\n"},
    {"GET / HTTP/3.0\r\n\r\n", 0, 1, "HTTP/1.1 505 ", "Connection: close\r\n", "HTTP/1.1\n"},
    {"HELO crepes.fr\r\n", 0, 1, "HTTP/1.1 400 ", "Connection: close\r\n", "HTTP/1.1\n"},
    // ended in the middle: nothing to say
    {"GET / HTT", 0, 1, "HTTP/1.1 400 ", "Connection: close\r\n", "CR LF\n"},
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel", 0, 0, "", "", ""},
    {"", 0, 0, "", "", ""},
};

static int answers_in(str text)
{
    int n = 0;
    for (ptrdiff_t at; (at = str_find_str(text, S("HTTP/1.1 "))) >= 0; n++)
        text = str_from(text, at + 9);
    return n;
}

static void requests_are_answered(world *w)
{
    (void)w;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (size_t step = 1; step <= 1000; step *= 1000) {
            arena a = arena_make(1 << 20);
            int handled;
            str got = converse(str_z(rows[i].request), step, (http_limits){.body_bytes_max = 10}, &handled, &a);
            CHECK_ROW(i, handled == rows[i].handled && answers_in(got) == rows[i].answers);
            CHECK_ROW(i, str_starts(got, str_z(rows[i].first)) && str_find_str(got, str_z(rows[i].part)) >= 0);
            CHECK_ROW(i, str_ends(got, str_z(rows[i].end)));
            arena_free(&a);
        }
}

TEST(http_requests_are_answered) { play_both(requests_are_answered); }

static void limits_hold(world *w)
{
    arena a = arena_make(1 << 20);
    int handled;
    str got = converse(S(GET("/1") "\r\n" GET("/2") "\r\n" GET("/3") "\r\n"), 1000, (http_limits){.requests_max = 2}, &handled, &a);
    CHECK_INT(handled, 2);
    CHECK_INT(answers_in(got), 2);

    // A head that never ends, and one that never begins: both end, the first in HTTP_HEAD_S, the second after idle_ns.
    static const char *const slow[] = {"GET / HTTP/1.1\r\nHost: a\r\n", ""};
    for (int i = 0; i < 2 && world_is_simulated(w); i++) {
        serving s = {.limits = {.idle_ns = seconds(30)}};
        conn *c;
        conn_pair(&s.c, &c);
        int64_t began = world_now_ns(w);
        SCOPE(all, seconds(1000), 4);
        scope_go(&all, "server", serve, &s);
        conn_put(c, str_z(slow[i]));
        conn_flush(c);
        scope_wait(&all);
        int64_t took = world_now_ns(w) - began;
        CHECK_ROW(i, s.handled == 0 && took >= seconds(i ? 30 : HTTP_HEAD_S) && took < seconds(60));
        conn_close(c);
    }
    arena_free(&a);
}

TEST(http_limits_hold) { play_both(limits_hold); }

// ---- the client ----

typedef struct { conn *c; str answer; str asked; arena *a; } fake_server;

static void answer_raw(void *arg)
{
    fake_server *s = arg;
    str line;
    do
        line = conn_line(s->c, s->a, 1000);
    while (line.len > 2);
    for (ptrdiff_t i = 0; i < s->answer.len; i++) {
        conn_put(s->c, str_sub(s->answer, i, 1));
        conn_flush(s->c);
    }
    conn_close(s->c);
}

static void answers_are_read(world *w)
{
    (void)w;
    static const struct { const char *answer; err error; int status; const char *body; bool keep; } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\nhello", E_OK, 200, "hello", true},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello", E_OK, 200, "hello", false},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", E_OK, 200, "hello", true},
        {"HTTP/1.1 404 Not Found\r\n\r\ngone", E_OK, 404, "gone", false},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", E_OK, 204, "", true},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", E_EOF, 200, "", true},
        {"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhel", E_TOO_LONG, 200, "", true},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n01234567890123456789012345678901\r\n0\r\n\r\n", E_TOO_LONG, 200, "", true},
        {"HTTP/1.1 200 OK\r\n\r\n01234567890123456789", E_TOO_LONG, 200, "", false},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx", E_PROTOCOL, 200, "", true},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", E_PROTOCOL, 0, "", false},
        {"220 hamburger.edu ESMTP\r\n", E_PROTOCOL, 0, "", false},
        {"", E_EOF, 0, "", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        arena a = arena_make(1 << 20);
        fake_server s = {.answer = str_z(cases[i].answer), .a = &a};
        conn *c;
        conn_pair(&s.c, &c);
        SCOPE(all, seconds(1000), 4);
        scope_go(&all, "server", answer_raw, &s);
        http_result r = http_fetch(c, S("GET"), S("a"), S("/"), NULL, 0, (str){0}, 10, &a);
        CHECK_ROW(i, r.error == cases[i].error && r.status == cases[i].status && str_eq(r.body, str_z(cases[i].body)));
        CHECK_ROW(i, r.keep_alive == cases[i].keep);
        CHECK_ROW(i, i || str_eq(http_result_header(&r, S("x")), S("y")));
        conn_close(c);
        scope_wait(&all);
        arena_free(&a);
    }
}

TEST(http_answers_are_read) { play_both(answers_are_read); }

static void serve_door(conn *c, void *arg) { http_serve(c, (http_limits){.told = true}, echo, arg); }

static void fetches_from_a_door(world *w)
{
    int handled = 0;
    addr at = world_is_simulated(w) ? *world_addresses(w, &(int){0}) : addr_v4(0x7f000001, 0);
    SCOPE(all, seconds(1000), 8);
    door *d;
    CHECK_INT(door_open(&all, w, (door_options){.service = "http", .at = addr_with_port(at, 0)}, serve_door, &handled, &d), E_OK);
    conn *c = conn_open(w, addr_with_port(at, door_address(d).port), seconds(5));
    for (int i = 0; i < 3; i++) {                              // one connection, many objects
        arena a = arena_make(1 << 20);
        http_header header = {S("X-Test"), S("yes")};
        http_result r = http_fetch(c, S("POST"), S("a"), S("/p?x=%41"), &header, 1, S("body"), 1000, &a);
        CHECK(!r.error && r.status == 200 && r.keep_alive);
        CHECK_STR(r.body, S("/p|A|body"));
        arena_free(&a);
    }
    arena a = arena_make(1 << 20);
    CHECK_INT(http_fetch(c, S("GET"), S("a"), S("/a b"), NULL, 0, (str){0}, 1000, &a).error, E_PROTOCOL);
    CHECK_INT(http_fetch(c, S("GET"), S("a"), S("/\r\nX: y"), NULL, 0, (str){0}, 1000, &a).error, E_PROTOCOL);
    CHECK_INT(handled, 3);
    arena_free(&a);
    conn_close(c);
    door_stop(d);
}

TEST(http_fetches_from_a_door) { play_both(fetches_from_a_door); }

// ---- bodies that are used as they come ----

typedef struct { int64_t told_bytes; int pieces; size_t got, enough; bool refuse; } eater;

static bool eater_head(void *arg, const http_result *r, int64_t body_bytes)
{
    eater *e = arg;
    e->told_bytes = body_bytes;
    return r->status == 200 && !e->refuse;
}

static bool eater_take(void *arg, str piece)
{
    eater *e = arg;
    e->pieces++;
    e->got += (size_t)piece.len;
    return e->got < e->enough;
}

static void pieces_are_taken(world *w)
{
    (void)w;
    static const struct { const char *answer; eater e; err error; int64_t told; size_t got; } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", {.enough = 100}, E_OK, 5, 5},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3\r\nyou\r\n0\r\n\r\n", {.enough = 100}, E_OK, -1, 8},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", {.enough = 2}, E_CANCELED, 5, 0},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", {.enough = 100, .refuse = true}, E_CANCELED, 5, 0},
        {"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nhello", {.enough = 100}, E_CANCELED, 5, 0},
        {"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello", {.enough = 100}, E_TOO_LONG, 0, 0},
        {"HTTP/1.1 200 OK\r\n\r\nhello hello hello", {.enough = 100}, E_TOO_LONG, -1, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        arena a = arena_make(1 << 20);
        fake_server s = {.answer = str_z(cases[i].answer), .a = &a};
        eater e = cases[i].e;
        conn *c;
        conn_pair(&s.c, &c);
        SCOPE(all, seconds(1000), 4);
        scope_go(&all, "server", answer_raw, &s);
        http_taker taker = {eater_head, eater_take, &e};
        http_result r = http_fetch_pieces(c, S("GET"), S("a"), S("/"), NULL, 0, (str){0}, taker, 10, &a);
        CHECK_ROW(i, r.error == cases[i].error && e.told_bytes == cases[i].told && e.got <= 10);
        CHECK_ROW(i, (r.error ? e.got <= 10 : e.got == cases[i].got) && (e.got == 0 || e.pieces > 0) && r.body.len == 0);
        conn_close(c);
        scope_wait(&all);
        arena_free(&a);
    }
}

TEST(http_pieces_are_taken) { play_both(pieces_are_taken); }
