#include "talk/control.h"

#include "rt/conn_play_test.h"
#include "rt/story.h"
#include "rt/wait.h"
#include "rt/worker.h"
#include "talk/http_fetch.h"

static int released;
static gate arrived, never;

static void greet(void *arg, const http_request *q, http_reply *reply, arena *msg)
{
    http_answer(reply, 200, S("text/plain"), str_format(msg, "%s " STR_FMT, (const char *)arg, STR_ARG(q->path)));
}

// Parks until its room ends.
static void linger(void *arg, const http_request *q, http_reply *reply, arena *msg)
{
    (void)arg, (void)q;
    gate_wake_all(&arrived);
    gate_wait(&never, NEVER_NS, "test");
    released++;
    control_error(reply, 503, S("ended \"early\""), msg);
}

static err room_start(room *r, str *why)
{
    static const control_route routes[] = {{"/greet", greet, (void *)(uintptr_t)"hello"}, {"/tree/", greet, (void *)(uintptr_t)"tree"},
                                           {"/linger", linger, NULL}};
    (void)why;
    control_add(r, routes, 3);
    return E_OK;
}

static const room_kind greeter = {.name = "greeter", .start = room_start};

// What the node left on the disk: looked at and removed off the loop.
typedef struct { world *w; char *socket, *directory; unsigned mode; } leaving;

static void socket_mode(void *arg)
{
    leaving *l = arg;
    file_stat st = {0};
    path_stat(l->w, l->socket, &st);
    l->mode = st.mode & 0777;
}

static void leave_nothing(void *arg)
{
    leaving *l = arg;
    path_remove(l->w, l->socket);
    path_remove(l->w, l->directory);
}

static leaving leaving_of(node *n, arena *a)
{
    return (leaving){n->world, str_to_z(a, str_join(a, n->directory, S("/control.sock"))), str_to_z(a, n->directory), 0};
}

static http_result ask(node *n, str method, str target, arena *a)
{
    conn *c = conn_open_unix(n->world, str_to_z(a, str_join(a, n->directory, S("/control.sock"))), seconds(60));
    conn_deadline(c, seconds(60));
    http_result r = http_fetch(c, method, S("naru"), target, NULL, 0, (str){0}, 1 << 20, a);
    conn_close(c);
    return r;
}

static bool reload_fails(void *arg, arena *msg, str *why)
{
    (void)msg;
    bool good = *(bool *)arg;
    *why = good ? (str){0} : S("line 3: no");
    return good;
}

static void the_socket_answers(world *w)
{
    node n;
    room *r;
    str why;
    arena a = arena_make(16 << 20);
    str directory = world_is_simulated(w) ? S("/data/node") : str_format(&a, "/tmp/naru-control-test-%llx", (unsigned long long)world_random_u64(w));
    CHECK_INT(node_start(&n, w, S("hamburger.edu"), directory), E_OK);
    CHECK_INT(node_add(&n, &greeter, NULL, &r, &why), E_OK);
    CHECK_INT(control_open(&n), E_OK);
    story_forget();
    fiber_set_trace(0xabc);
    story_note("smtp", S("a letter"));
    fiber_set_trace(0);

    static const struct { const char *method, *target; int status; const char *part; } rows[] = {
        {"GET", "/status", 200, "\"node\": \"hamburger.edu\""},
        {"GET", "/status", 200, "\"services\": [\"greeter\"]"},
        {"GET", "/metrics", 200, "naru_build_info{version="},
        {"GET", "/story?trace=abc", 200, "\"line\": \"a letter\""},
        {"GET", "/story?trace=abd", 200, "[\n]\n"},
        {"GET", "/story?last", 200, "\"trace\": \"0000000000000abc\""},
        {"GET", "/story", 200, "a letter"},
        {"GET", "/story?trace=x", 400, "hexadecimal"},
        {"GET", "/ps", 200, "\"label\": "},
        {"HEAD", "/ps", 200, ""},
        {"POST", "/status", 405, "GET"},
        {"GET", "/reload", 405, "POST"},
        {"POST", "/reload", 404, "configuration file"},
        {"GET", "/greeter/greet", 200, "hello /greeter/greet"},
        {"GET", "/greeter/tree/a/b", 200, "tree /greeter/tree/a/b"},
        {"GET", "/greeter/tree", 404, "error"},
        {"GET", "/greeter/", 404, "error"},
        {"GET", "/other/greet", 404, "error"},
        {"GET", "/", 404, "error"},
        {"GET", "/../status", 400, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        http_result got = ask(&n, str_z(rows[i].method), str_z(rows[i].target), &a);
        CHECK_ROW(i, !got.error && got.status == rows[i].status && str_find_str(got.body, str_z(rows[i].part)) >= 0);
    }
    bool good = false;
    control_on_reload(&n, reload_fails, &good);
    http_result got = ask(&n, S("POST"), S("/reload"), &a);
    CHECK(got.status == 409 && str_find_str(got.body, S("line 3: no")) > 0);
    good = true;
    CHECK_INT(ask(&n, S("POST"), S("/reload"), &a).status, 200);
    leaving l = leaving_of(&n, &a);
    work(socket_mode, &l);
    CHECK(world_is_simulated(w) || l.mode == 0600);
    node_stop(&n);
    work(leave_nothing, &l);
    story_forget();
    arena_free(&a);
}

TEST(control_socket_answers) { play_both(the_socket_answers); }

typedef struct { node *n; int status; bool error_text; } asker;

static void ask_and_linger(void *arg)
{
    asker *k = arg;
    arena a = arena_make(1 << 20);
    http_result r = ask(k->n, S("GET"), S("/greeter/linger"), &a);
    k->status = r.status;
    k->error_text = str_find_str(r.body, S("ended \\\"early\\\"")) > 0;
    arena_free(&a);
}

// A handler that waits does not keep its node from stopping, and its room does not end under it.
static void a_room_ends_under_a_handler(world *w)
{
    node n;
    room *r;
    str why;
    arena a = arena_make(1 << 20);
    released = 0;
    str directory = world_is_simulated(w) ? S("/data/node") : str_format(&a, "/tmp/naru-control-test-%llx", (unsigned long long)world_random_u64(w));
    SCOPE(askers, seconds(100), 4);
    CHECK_INT(node_start(&n, w, S("a"), directory), E_OK);
    CHECK_INT(node_add(&n, &greeter, NULL, &r, &why), E_OK);
    CHECK_INT(control_open(&n), E_OK);
    asker k = {.n = &n};
    scope_go(&askers, "asker", ask_and_linger, &k);
    CHECK_INT(gate_wait(&arrived, NEVER_NS, "test"), E_OK);
    leaving l = leaving_of(&n, &a);
    node_stop(&n);
    work(leave_nothing, &l);
    CHECK_INT(released, 1);
    scope_wait(&askers);
    CHECK((k.status == 503 && k.error_text) || k.status == 0);
    arena_free(&a);
}

TEST(control_handlers_end_with_their_room) { play_both(a_room_ends_under_a_handler); }

// ---- who asks for much and reads nothing ---------------------------------------------------------------------------

static void megabytes_are_asked_for(world *w)
{
    node n;
    arena a = arena_make(16 << 20);
    str directory = str_format(&a, "/tmp/naru-control-test-%llx", (unsigned long long)world_random_u64(w));
    conn *greedy[CONTROL_LARGE_AT_ONCE_MAX];
    CHECK_INT(node_start(&n, w, S("hamburger.edu"), directory), E_OK);
    CHECK_INT(control_open(&n), E_OK);
    for (int i = 0; i < STORY_RING_EVENTS; i++)
        story_note("smtp", S("a line that is as long as lines of stories may be, so that all of them together are megabytes of JSON"));
    for (int i = 0; i < CONTROL_LARGE_AT_ONCE_MAX; i++) {
        greedy[i] = conn_open_unix(n.world, str_to_z(&a, str_join(&a, n.directory, S("/control.sock"))), seconds(60));
        conn_put(greedy[i], S("GET /story HTTP/1.1\r\nHost: naru\r\n\r\n"));
        CHECK(conn_flush(greedy[i]) && conn_some(greedy[i]).len > 0);         // its answer has begun, and is not read on
    }
    int64_t began_ns = world_now_ns(w);
    CHECK_INT(ask(&n, S("GET"), S("/story"), &a).status, 503);
    CHECK_INT(ask(&n, S("GET"), S("/status"), &a).status, 200);
    CHECK(world_now_ns(w) - began_ns < seconds(15));
    for (int i = 0; i < CONTROL_LARGE_AT_ONCE_MAX; i++)
        conn_abort(greedy[i]);
    CHECK_INT(ask(&n, S("GET"), S("/story?trace=abcdef"), &a).status, 200);   // as soon as one of them has gone
    leaving l = leaving_of(&n, &a);
    node_stop(&n);
    work(leave_nothing, &l);
    story_forget();
    arena_free(&a);
}

TEST(control_makes_few_large_answers_at_once) { play_real(megabytes_are_asked_for); }
