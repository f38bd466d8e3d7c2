#include "rooms/upper/upper.h"

#include "rt/conn_play_test.h"
#include "rt/log.h"

static addr upper_at(world *w)
{
    int count;
    const addr *own = world_addresses(w, &count);
    return count > 0 ? addr_with_port(own[0], 23456) : addr_v4(0x7f000001, 23456);
}

static const statement *settings_of(arena *a)
{
    config_error error;
    statement *s = config_parse(S("test"), S("port 23456; idle 2s"), a, NULL, NULL, &error);
    must(s && config_check(s, upper_kind.settings, a, &error));
    return s;
}

// Each row: what is sent, piece by piece, each answered before the next is sent; no newline anywhere.
static const struct { str pieces[4], answers[4], rest; } rows[] = {
    {{S("hello")}, {S("HELLO")}, S("")},
    {{S("one"), S("two"), S("three")}, {S("ONE"), S("TWO"), S("THREE")}, S("")},
    {{S("caf\xc3"), S("\xa9!")}, {S("CAF"), S("\xc3\x89!")}, S("")},               // cut inside a character
    {{S("a\xff" "b")}, {S("A\xff" "B")}, S("")},
    {{S("x\xed\x95")}, {S("X")}, S("\xed\x95")},                                     // never whole: passes at the end
};

static void speak_tcp(world *w, size_t row)
{
    conn *c = conn_open(w, upper_at(w), seconds(60));
    conn_deadline(c, seconds(60));
    for (int i = 0; i < 4 && rows[row].pieces[i].len > 0; i++) {
        conn_put(c, rows[row].pieces[i]);
        str answer = conn_some(c);
        CHECK_STR(answer, rows[row].answers[i]);
        conn_used(c, (size_t)answer.len);
    }
    conn_shutdown(c);
    str rest = conn_some(c);
    CHECK_STR(rest, rows[row].rest);
    conn_used(c, (size_t)rest.len);
    CHECK(conn_some(c).len == 0);
    CHECK_INT(c->error, E_EOF);
    conn_close(c);
}

static str speak_udp(world *w, str text, unsigned char *into, size_t size)
{
    sock *s;
    must(sock_datagram(w, (addr){.family = 4}, false, &s) == E_OK);
    datagram out = {.peer = upper_at(w), .at = (unsigned char *)(uintptr_t)text.at, .len = (size_t)text.len, .size = (size_t)text.len};
    datagram in = {.at = into, .size = size};
    int n = 0;
    err e = sock_send(s, &out, 1, &n);
    while (e == E_OK && (e = sock_receive(s, &in, 1, &n)) == E_AGAIN)
        e = sock_wait(s, WAIT_READ, loop_now_ns() + seconds(60));
    CHECK_INT(e, E_OK);
    sock_close(s);
    return str_of(into, in.len);
}

static void upper_serves(world *w)
{
    static unsigned char large[65507], answer[65536];
    arena memory = arena_make(1 << 20);
    node n;
    str why;
    log_setup(LOG_LOGFMT, LOG_ERROR, NULL, NULL);
    CHECK_INT(node_start(&n, w, S("node"), S("/tmp")), E_OK);
    if (node_add(&n, &upper_kind, settings_of(&memory), NULL, &why))
        test_failed(__FILE__, __LINE__, STR_FMT, STR_ARG(why));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        speak_tcp(w, i);
    CHECK_STR(speak_udp(w, S("hello udp"), answer, sizeof answer), S("HELLO UDP"));
    memset(large, 'z', sizeof large);
    CHECK_INT(speak_udp(w, str_of(large, 60000), answer, sizeof answer).len, 60000);

    conn *silent = conn_open(w, upper_at(w), seconds(60));           // idle 2s: then it is left
    conn_deadline(silent, seconds(60));
    CHECK(conn_some(silent).len == 0);
    CHECK_INT(silent->error, E_EOF);
    conn_close(silent);

    room *again;
    CHECK_INT(node_add(&n, &upper_kind, settings_of(&memory), &again, &why), E_IN_USE);
    CHECK(str_find_str(why, S("23456")) > 0);
    node_stop(&n);
    arena_free(&memory);
}

TEST(upper_answers_each_chunk_at_once) { play_both(upper_serves); }

// One instance a loop on the same ports, and clients that land on either.
enum { LOOPS = 2, CLIENTS = 40 };
static _Atomic int serving, finished;

static void serve_on_loop(void *arg, int number)
{
    (void)arg;
    unsigned char answer[100];
    arena memory = arena_make(1 << 20);
    node n;
    str why;
    log_setup(LOG_LOGFMT, LOG_ERROR, NULL, NULL);
    CHECK_INT(node_start(&n, world_here(), S("node"), S("/tmp")), E_OK);
    n.loops = LOOPS;
    CHECK_INT(node_add(&n, &upper_kind, settings_of(&memory), NULL, &why), E_OK);
    serving++;
    while (serving < LOOPS)
        fiber_sleep(millis(1));
    for (int i = 0; i < CLIENTS; i++) {
        speak_tcp(world_here(), (size_t)(i + number) % (sizeof rows / sizeof *rows));
        CHECK_STR(speak_udp(world_here(), S("hello"), answer, sizeof answer), S("HELLO"));
    }
    finished++;
    while (finished < LOOPS)
        fiber_sleep(millis(1));
    node_stop(&n);
    arena_free(&memory);
}

TEST(upper_runs_on_every_loop)
{
    addr own = addr_v4(0x7f000001, 0);
    world *w = world_linux_new(S("here"), &own, 1);
    serving = finished = 0;
    CHECK_INT(loops_run(LOOPS, w, serve_on_loop, NULL), E_OK);
    world_linux_free(w);
}

// What comes from a server's port gets no answer: two of us would talk for ever.
static void no_loops(world *elsewhere)
{
    unsigned char answer[100];
    addr own = addr_v4(0x7f000001, 0);
    world *w = world_linux_new(S("here"), &own, 1);
    arena memory = arena_make(1 << 20);
    node n;
    str why;
    CHECK_INT(node_start(&n, w, S("node"), S("/tmp")), E_OK);
    CHECK_INT(node_add(&n, &upper_kind, settings_of(&memory), NULL, &why), E_OK);
    sock *s;
    must(sock_datagram(elsewhere, addr_v4(0x7f000002, 23456), false, &s) == E_OK);
    datagram out = {.peer = upper_at(w), .at = (unsigned char *)(uintptr_t)"hello", .len = 5, .size = 5};
    datagram in = {.at = answer, .size = sizeof answer};
    int count;
    CHECK_INT(sock_send(s, &out, 1, &count), E_OK);
    CHECK_STR(speak_udp(w, S("me too"), answer, sizeof answer), S("ME TOO"));      // by now the first was received
    CHECK_INT(sock_receive(s, &in, 1, &count), E_AGAIN);
    sock_close(s);
    node_stop(&n);
    world_linux_free(w);
    arena_free(&memory);
}

TEST(upper_does_not_answer_servers) { play_real(no_loops); }
