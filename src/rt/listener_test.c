#include "rt/listener.h"

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "rt/conn_play_test.h"

static void say_and_wait(conn *c, void *arg)
{
    int *served = arg;
    ++*served;
    conn_put(c, S("hello\r\n"));
    while (conn_some(c).len > 0)
        conn_used(c, (size_t)conn_some(c).len);
}

static conn *visit_door(world *w, door *d, arena *msg, const char *expected)
{
    conn *c = conn_open(w, door_address(d), seconds(60));
    conn_deadline(c, seconds(60));
    CHECK_STR(conn_line(c, msg, 100), str_z(expected));
    return c;
}

static void wait_for_conns(door *d, int count)
{
    for (int i = 0; i < 1000 && door_conns(d) != count; i++)
        fiber_sleep(millis(1));
    CHECK_INT(door_conns(d), count);
}

static void limits(world *w)
{
    arena msg = arena_make(1 << 16);
    int served = 0;
    SCOPE(doors, 0, 10);
    door *d;
    door_options options = {.service = "test", .at = addr_v4(0x7f000001, 0), .conns_max = 3, .busy = S("421 busy\r\n")};
    CHECK_INT(door_open(&doors, w, options, say_and_wait, &served, &d), E_OK);
    conn *in[3];
    for (int i = 0; i < 3; i++)
        in[i] = visit_door(w, d, &msg, "hello\r\n");
    conn *refused = visit_door(w, d, &msg, "421 busy\r\n");
    CHECK(conn_line(refused, &msg, 100).len == 0);
    CHECK_INT(refused->error, E_EOF);
    conn_close(refused);
    conn_close(in[0]);                                   // one leaves: room for another
    wait_for_conns(d, 2);
    in[0] = visit_door(w, d, &msg, "hello\r\n");
    CHECK_INT(served, 4);
    door_stop(d);                                        // no drain: all are told to go
    for (int i = 0; i < 3; i++) {
        CHECK(conn_line(in[i], &msg, 100).len == 0);
        conn_close(in[i]);
    }
    conn *late = conn_open(w, door_address(d), seconds(60));
    CHECK_INT(late->error, E_REFUSED);
    conn_close(late);
    scope_close(&doors);
    arena_free(&msg);
}

TEST(door_keeps_its_limit_of_all_and_says_so) { play_both(limits); }

static void limit_per_address(world *w)
{
    arena msg = arena_make(1 << 16);
    int served = 0;
    SCOPE(doors, 0, 10);
    door *d;
    door_options options = {.service = "test", .at = addr_v4(0x7f000001, 0), .conns_per_address_max = 2, .busy = S("busy\r\n")};
    CHECK_INT(door_open(&doors, w, options, say_and_wait, &served, &d), E_OK);
    conn *in[2] = {visit_door(w, d, &msg, "hello\r\n"), visit_door(w, d, &msg, "hello\r\n")};
    conn *refused = visit_door(w, d, &msg, "busy\r\n");
    conn_close(refused);
    addr own = addr_v4(0x7f000002, 0);
    world *other = world_linux_new(S("other"), &own, 1);
    conn *elsewhere = visit_door(other, d, &msg, "hello\r\n");      // another address counts for itself
    conn_close(in[0]);
    wait_for_conns(d, 2);
    in[0] = visit_door(w, d, &msg, "hello\r\n");
    conn_close(in[0]);
    conn_close(in[1]);
    conn_close(elsewhere);
    scope_close(&doors);
    world_linux_free(other);
    arena_free(&msg);
}

TEST(door_keeps_its_limit_per_address) { play_real(limit_per_address); }

// IPv6 counts by /64: one customer has that many addresses.
static addr v6(const char *text)
{
    addr a;
    must(addr_parse_ip(str_z(text), 0, &a));
    return a;
}

typedef struct { sim *sim; world *server, *clients[3]; } v6_world;

static void limit_per_network(void *arg)
{
    v6_world *v = arg;
    arena msg = arena_make(1 << 16);
    int served = 0;
    fiber_world(v->server);
    SCOPE(doors, 0, 10);
    door *d;
    door_options options = {.service = "test", .at = v6("2001:db8::1"), .conns_per_address_max = 1, .busy = S("busy\r\n")};
    CHECK_INT(door_open(&doors, v->server, options, say_and_wait, &served, &d), E_OK);
    conn *first = visit_door(v->clients[0], d, &msg, "hello\r\n");
    conn *neighbour = visit_door(v->clients[1], d, &msg, "busy\r\n");
    conn *elsewhere = visit_door(v->clients[2], d, &msg, "hello\r\n");
    conn_close(first);
    conn_close(neighbour);
    conn_close(elsewhere);
    scope_close(&doors);
    arena_free(&msg);
}

TEST(door_counts_ipv6_by_network)
{
    static const char *const addresses[] = {"2001:db8:1::1", "2001:db8:1::ffff", "2001:db8:2::1"};
    v6_world v = {.sim = sim_new(3)};
    addr own = v6("2001:db8::1");
    v.server = sim_host(v.sim, S("server"), &own, 1, (sim_disk){0});
    for (int i = 0; i < 3; i++) {
        own = v6(addresses[i]);
        v.clients[i] = sim_host(v.sim, str_z(addresses[i]), &own, 1, (sim_disk){0});
    }
    CHECK_INT(sim_run(v.sim, limit_per_network, &v), E_OK);
    sim_free(v.sim);
}

static void unix_door(world *w)
{
    arena msg = arena_make(1 << 16);
    int served = 0;
    SCOPE(doors, 0, 10);
    door *d;
    char path[64];
    snprintf(path, sizeof path, "/tmp/naru-listener-test-%llx", (unsigned long long)world_random_u64(w));
    CHECK_INT(door_open_unix(&doors, w, path, 0600, (door_options){.service = "test"}, say_and_wait, &served, &d), E_OK);
    conn *c = conn_open_unix(w, path, seconds(60));
    CHECK(c->is_inside && c->peer.family == 0);
    CHECK_STR(conn_line(c, &msg, 100), S("hello\r\n"));
    conn_close(c);
    door_stop(d);
    c = conn_open_unix(w, path, seconds(60));
    CHECK(c->error == E_REFUSED || c->error == E_NO_ENTRY);
    conn_close(c);
    unlink(path);
    scope_close(&doors);
    arena_free(&msg);
}

TEST(door_on_a_unix_socket) { play_both(unix_door); }

static void finish_slowly(conn *c, void *arg)
{
    (void)arg;
    conn_put(c, S("working\r\n"));
    conn_flush(c);
    if (fiber_sleep(millis(100)) == E_OK)
        conn_put(c, S("done\r\n"));
}

static void drains(world *w)
{
    arena msg = arena_make(1 << 16);
    SCOPE(doors, 0, 10);
    door *d;
    door_options options = {.service = "test", .at = addr_v4(0x7f000001, 0), .drain = true};
    CHECK_INT(door_open(&doors, w, options, finish_slowly, NULL, &d), E_OK);
    conn *c = visit_door(w, d, &msg, "working\r\n");
    door_stop(d);
    CHECK_INT(door_conns(d), 0);
    CHECK_STR(conn_line(c, &msg, 100), S("done\r\n"));
    conn_close(c);
    scope_close(&doors);
    arena_free(&msg);
}

TEST(door_that_drains_lets_conversations_finish) { play_both(drains); }

// A process that another replaces: nobody new, and who is there may finish, whatever the door is like.
static void drains_all(world *w)
{
    arena msg = arena_make(1 << 16);
    SCOPE(doors, 0, 10);
    door *d;
    door_options options = {.service = "test", .at = addr_v4(0x7f000001, 0)};
    CHECK_INT(door_open(&doors, w, options, finish_slowly, NULL, &d), E_OK);
    addr at = door_address(d);
    conn *c = visit_door(w, d, &msg, "working\r\n");
    int64_t begun_ns = loop_now_ns();
    doors_drain(begun_ns + seconds(200), true);
    CHECK(loop_now_ns() - begun_ns < seconds(100));       // it has ended by itself
    CHECK_INT(door_conns(d), 0);
    CHECK_STR(conn_line(c, &msg, 100), S("done\r\n"));
    conn *late = conn_open(w, at, seconds(60));
    CHECK_INT(late->error, E_REFUSED);
    conn_close(late);
    conn_close(c);
    scope_close(&doors);
    arena_free(&msg);
}

TEST(doors_of_a_replaced_process_let_everybody_finish) { play_both(drains_all); }

static void does_not_drain(world *w)
{
    arena msg = arena_make(1 << 16);
    SCOPE(doors, 0, 10);
    door *d;
    int served = 0;
    door_options options = {.service = "test", .at = addr_v4(0x7f000001, 0)};
    CHECK_INT(door_open(&doors, w, options, say_and_wait, &served, &d), E_OK);
    conn *c = visit_door(w, d, &msg, "hello\r\n");
    int64_t begun_ns = loop_now_ns();
    doors_drain(begun_ns + seconds(200), false);          // not asked to wait for such doors
    CHECK(loop_now_ns() - begun_ns < seconds(100));
    CHECK(conn_line(c, &msg, 100).len == 0);
    conn_close(c);
    scope_close(&doors);
    arena_free(&msg);
}

TEST(doors_that_do_not_drain_are_not_waited_for) { play_both(does_not_drain); }

static void in_use(world *w)
{
    SCOPE(doors, 0, 10);
    door *d, *same;
    int served = 0;
    door_options options = {.service = "test", .at = addr_v4(0x7f000001, 0)};
    CHECK_INT(door_open(&doors, w, options, say_and_wait, &served, &d), E_OK);
    options.at = door_address(d);
    CHECK_INT(door_open(&doors, w, options, say_and_wait, &served, &same), E_IN_USE);
    scope_close(&doors);
}

TEST(door_says_that_its_port_is_taken) { play_both(in_use); }

// Out of descriptors: the door pauses (no spinning), and takes who waited when there is room again.
static void out_of_descriptors(world *w)
{
    enum { CLIENTS = 12 };
    arena msg = arena_make(1 << 16);
    int served = 0;
    SCOPE(doors, 0, 10);
    door *d;
    CHECK_INT(door_open(&doors, w, (door_options){.service = "test", .at = addr_v4(0x7f000001, 0)}, say_and_wait, &served, &d), E_OK);
    conn *c[CLIENTS], *last;
    for (int i = 0; i < CLIENTS; i++)
        c[i] = conn_open(w, door_address(d), seconds(60));
    wait_for_conns(d, CLIENTS);
    struct rlimit before, tight;
    getrlimit(RLIMIT_NOFILE, &before);
    tight = before;
    for (tight.rlim_cur = 3; ; tight.rlim_cur++) {               // exactly one descriptor more than are open: ours
        setrlimit(RLIMIT_NOFILE, &tight);
        last = conn_open(w, door_address(d), seconds(60));
        if (last->error != E_LIMIT)
            break;
        conn_close(last);
    }
    struct rusage start, end;
    getrusage(RUSAGE_SELF, &start);
    fiber_sleep(millis(300));
    getrusage(RUSAGE_SELF, &end);
    CHECK_INT(door_conns(d), CLIENTS);
    int64_t cpu_us = (end.ru_utime.tv_sec - start.ru_utime.tv_sec + end.ru_stime.tv_sec - start.ru_stime.tv_sec) * 1000000ll +
                     end.ru_utime.tv_usec - start.ru_utime.tv_usec + end.ru_stime.tv_usec - start.ru_stime.tv_usec;
    CHECK(cpu_us < 100000);
    setrlimit(RLIMIT_NOFILE, &before);
    conn_deadline(last, seconds(60));
    CHECK_STR(conn_line(last, &msg, 100), S("hello\r\n"));
    conn_close(last);
    for (int i = 0; i < CLIENTS; i++)
        conn_close(c[i]);
    scope_close(&doors);
    arena_free(&msg);
}

TEST(door_out_of_descriptors_waits_without_spinning) { play_real(out_of_descriptors); }

static void tls_door(world *w)
{
    test_tls t;
    test_tls_make(&t, w, "test");
    arena msg = arena_make(1 << 16);
    int served = 0;
    SCOPE(doors, 0, 10);
    door *d;
    door_options options = {.service = "test", .at = addr_v4(0x7f000001, 0), .tls = t.server};
    CHECK_INT(door_open(&doors, w, options, say_and_wait, &served, &d), E_OK);
    conn *c = conn_open(w, door_address(d), seconds(60));
    CHECK(conn_tls_connect(c, t.client, S("server.example")));
    CHECK_STR(conn_line(c, &msg, 100), S("hello\r\n"));
    conn_close(c);
    conn *plain = conn_open(w, door_address(d), seconds(60));
    conn_put(plain, S("EHLO plain.example\r\n"));
    while (conn_some(plain).len > 0)                     // perhaps an alert
        conn_used(plain, (size_t)conn_some(plain).len);
    conn_close(plain);
    wait_for_conns(d, 0);
    CHECK_INT(served, 1);
    scope_close(&doors);
    arena_free(&msg);
    test_tls_free(&t);
}

TEST(door_with_tls_serves_who_speaks_it) { play_both(tls_door); }

// ---- datagrams ------------------------------------------------------------------------------------------------------------

static size_t reverse(void *arg, datagram_door *d, const datagram *in, unsigned char *out, size_t out_max)
{
    (void)d;
    int *asked = arg;
    ++*asked;
    CHECK(in->len <= out_max);
    for (size_t i = 0; i < in->len; i++)
        out[i] = in->at[in->len - 1 - i];
    return in->len;
}

static bool ask(world *w, addr to, str text, addr *answered_by)
{
    sock *s;
    must(sock_datagram(w, (addr){.family = 4}, false, &s) == E_OK);
    static unsigned char bytes[DATAGRAM_BYTES_MAX];      // more than a fiber's stack
    datagram out = {.peer = to, .at = (unsigned char *)(uintptr_t)text.at, .len = (size_t)text.len, .size = (size_t)text.len};
    datagram in = {.at = bytes, .size = sizeof bytes};
    int n = 0;
    err e = sock_send(s, &out, 1, &n);
    while (e == E_OK && sock_receive(s, &in, 1, &n) == E_AGAIN)
        e = sock_wait(s, WAIT_READ, loop_now_ns() + seconds(2));
    bool ok = e == E_OK && n == 1 && in.len == (size_t)text.len;
    for (size_t i = 0; ok && i < in.len; i++)
        ok = bytes[i] == text.at[in.len - 1 - i];
    *answered_by = in.peer;
    sock_close(s);
    return ok;
}

static void datagrams(world *w)
{
    static unsigned char large[60000];
    for (size_t i = 0; i < sizeof large; i++)
        large[i] = (unsigned char)(i % 251);
    SCOPE(doors, 0, 10);
    datagram_door *d;
    int asked = 0;
    addr by;
    CHECK_INT(datagram_open(&doors, w, "test", addr_v4(0x7f000001, 0), false, reverse, &asked, &d), E_OK);
    CHECK(ask(w, datagram_address(d), S("abc"), &by));
    CHECK(addr_eq(by, datagram_address(d)));
    CHECK(ask(w, datagram_address(d), str_of(large, sizeof large), &by));
    CHECK(ask(w, datagram_address(d), S("z"), &by));
    CHECK_INT(asked, 3);
    scope_close(&doors);
}

TEST(datagram_door_answers) { play_both(datagrams); }

// Answers that come later: the door's end waits for them, and receives nothing more.
typedef struct { scope *fibers; datagram_door *door; addr peer, local; int asked; bool sent; } later;

static void answer_later(void *arg)
{
    later *l = arg;
    fiber_sleep(millis(100));
    l->sent = datagram_send(l->door, l->peer, l->local, S("cba"));
    datagram_release(l->door);
}

static size_t take_for_later(void *arg, datagram_door *d, const datagram *in, unsigned char *out, size_t out_max)
{
    later *l = arg;
    (void)out, (void)out_max;
    l->asked++;
    l->door = d;
    l->peer = in->peer;
    l->local = in->local;
    datagram_hold(d);
    must(scope_go(l->fibers, "later", answer_later, l) == E_OK);
    return 0;
}

typedef struct { world *w; addr to; bool answered; } asking;

static void ask_once(void *arg)
{
    asking *a = arg;
    addr by;
    a->answered = ask(a->w, a->to, S("abc"), &by);
}

static void datagrams_drained(world *w)
{
    SCOPE(all, 0, 10);
    datagram_door *d;
    later l = {.fibers = &all};
    CHECK_INT(datagram_open(&all, w, "test", addr_v4(0x7f000001, 0), false, take_for_later, &l, &d), E_OK);
    asking first = {w, datagram_address(d), false}, second = first;
    scope clients;
    scope_open(&clients, 0, 2);
    must(scope_go(&clients, "client", ask_once, &first) == E_OK);
    for (int i = 0; i < 1000 && !l.asked; i++)
        fiber_sleep(millis(1));
    doors_drain(loop_now_ns() + seconds(20), true);
    CHECK(l.sent);
    must(scope_go(&clients, "client", ask_once, &second) == E_OK);       // nobody receives: another process would
    scope_wait(&clients);
    CHECK(first.answered && !second.answered);
    CHECK_INT(l.asked, 1);
    scope_close(&clients);
    scope_close(&all);
}

TEST(datagram_door_of_a_replaced_process_sends_what_it_owes) { play_both(datagrams_drained); }

static void from_the_address_asked(world *w)
{
    SCOPE(doors, 0, 10);
    datagram_door *d;
    int asked = 0;
    CHECK_INT(datagram_open(&doors, w, "test", (addr){.family = 4}, false, reverse, &asked, &d), E_OK);
    for (uint32_t ip = 0x7f000001; ip <= 0x7f000003; ip++) {
        addr by, to = addr_v4(ip, datagram_address(d).port);
        CHECK(ask(w, to, S("who are you"), &by));
        CHECK(addr_eq(by, to));
    }
    scope_close(&doors);
}

TEST(datagram_door_on_all_addresses_answers_from_the_one_asked) { play_real(from_the_address_asked); }

// A door whose socket is full (loopback never is, so the world pretends) holds its answers, receives nothing more, and
// goes on when there is room.
static world_operations stubborn;
static const world_operations *willing;
static sock *full;
static int   refusals;

static err send_sometimes(sock *s, const datagram *v, int count, int *sent)
{
    *sent = 0;
    if (++refusals % 3 != 0) {
        full = s;
        return E_AGAIN;
    }
    return willing->send(s, v, count > 1 ? count / 2 : count, sent);
}

static void make_room(void *arg)
{
    (void)arg;
    while (fiber_sleep(millis(1)) == E_OK) {
        if (!full)
            continue;
        full->writable = true;
        if (full->writer)
            fiber_wake(full->writer);
        full = NULL;
    }
}

static void full_socket(world *w)
{
    enum { QUESTIONS = 100 };
    SCOPE(doors, 0, 10);
    datagram_door *d;
    sock *s;
    unsigned char back[100];
    int asked = 0, answers = 0;
    must(sock_datagram(w, (addr){.family = 4}, false, &s) == E_OK);
    CHECK_INT(datagram_open(&doors, w, "test", addr_v4(0x7f000001, 0), false, reverse, &asked, &d), E_OK);
    datagram out = {.peer = datagram_address(d), .at = (unsigned char *)(uintptr_t)"abc", .len = 3, .size = 3};
    for (int i = 0, n; i < QUESTIONS; i++)
        CHECK_INT(sock_send(s, &out, 1, &n), E_OK);
    willing = w->operations;
    stubborn = *willing;
    stubborn.send = send_sometimes;
    w->operations = &stubborn;
    must(scope_go(&doors, "room", make_room, NULL) == E_OK);
    for (int n; answers < QUESTIONS; answers += n) {
        datagram in = {.at = back, .size = sizeof back};
        err e = sock_receive(s, &in, 1, &n);
        if (e == E_AGAIN && sock_wait(s, WAIT_READ, loop_now_ns() + seconds(60)) != E_OK)
            break;
        CHECK(e == E_AGAIN || str_eq(str_of(back, in.len), S("cba")));
        n = e ? 0 : n;
    }
    CHECK_INT(answers, QUESTIONS);
    CHECK(refusals > 4);
    w->operations = willing;
    sock_close(s);
    scope_close(&doors);
}

TEST(datagram_door_waits_while_its_socket_is_full) { play_both(full_socket); }

// More than fits the socket's buffer: some are lost before the door sees them, and afterwards it answers as before.
static void flood(world *w)
{
    SCOPE(doors, 0, 10);
    datagram_door *d;
    int asked = 0;
    addr by;
    CHECK_INT(datagram_open(&doors, w, "test", addr_v4(0x7f000001, 0), false, reverse, &asked, &d), E_OK);
    sock *s;
    must(sock_datagram(w, (addr){.family = 4}, false, &s) == E_OK);
    for (int i = 0; i < 2000; i++) {
        datagram out = {.peer = datagram_address(d), .at = (unsigned char *)(uintptr_t)"flood", .len = 5, .size = 5};
        int n;
        sock_send(s, &out, 1, &n);
    }
    for (int before = -1; asked > before; fiber_sleep(millis(20)))
        before = asked;
    CHECK(ask(w, datagram_address(d), S("still there"), &by));
    sock_close(s);
    scope_close(&doors);
    CHECK(asked > DATAGRAM_BATCH_MAX);
}

TEST(datagram_door_survives_a_flood) { play_both(flood); }
