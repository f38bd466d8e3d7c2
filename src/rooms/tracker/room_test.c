#include "rooms/tracker/room_inside.h"

#include <stdio.h>
#include <string.h>

#include "rooms/tracker/tracker_stage_test.h"
#include "rt/conn_play_test.h"
#include "rt/log.h"
#include "rt/worker.h"
#include "talk/http_fetch.h"
#include "test.h"

enum { TEST_PORT = TRACKER_PORT, TEST_PORTS_FROM = 20000, TEST_PORTS = 20000 };

// Its own for every run: two of them may go on at the same time, on one machine.
static unsigned test_run(void)
{
    static unsigned number;
    if (!number) {
        world *w = world_linux_new(S("chance"), NULL, 0);
        number = 1 + (unsigned)world_random_below(w, TEST_PORTS);
        world_linux_free(w);
    }
    return number;
}

static const char *test_directory(void)
{
    static char path[64];
    snprintf(path, sizeof path, "/tmp/naru-tracker-test-%u", test_run());
    return path;
}

static void test_port_map(world *w)
{
    if (!world_is_simulated(w) && world_port(w, TEST_PORT) == TEST_PORT)
        must(world_map_port(w, TEST_PORT, (uint16_t)(TEST_PORTS_FROM + test_run())));
}

static addr tracker_at(world *w)
{
    int count;
    const addr *own = world_addresses(w, &count);
    return count > 0 ? addr_with_port(own[0], TEST_PORT) : addr_v4(0x7f000001, TEST_PORT);
}

static room *room_start(node *n, world *w, arena *a, const char *settings)
{
    config_error error;
    room *r = NULL;
    str why = {0};
    test_port_map(w);
    CHECK_INT(node_start(n, w, S("node"), str_z(test_directory())), E_OK);
    statement *block = config_parse(S("test"), str_z(settings), a, NULL, NULL, &error);
    must(block && config_check(block, tracker_kind.settings, a, &error));
    if (node_add(n, &tracker_kind, block, &r, &why))
        test_failed(__FILE__, __LINE__, STR_FMT, STR_ARG(why));
    must(r);
    return r;
}

// ---- a client ---------------------------------------------------------------------------------------------------------------

static str udp_ask(sock *s, addr at, const tracker_udp_request *q, unsigned char *into, size_t size)
{
    unsigned char room_for[UDP_REQUEST_BYTES_MAX];
    str wire = tracker_udp_request_write(room_for, sizeof room_for, q);
    datagram out = {.peer = at, .at = room_for, .len = (size_t)wire.len, .size = sizeof room_for};
    datagram in = {.at = into, .size = size};
    int n = 0;
    err e = sock_send(s, &out, 1, &n);
    while (e == E_OK && (e = sock_receive(s, &in, 1, &n)) == E_AGAIN)
        e = sock_wait(s, WAIT_READ, loop_now_ns() + seconds(60));
    CHECK_INT(e, E_OK);
    return str_of(into, in.len);
}

static int udp_announce(world *w, unsigned swarm, unsigned who, arena *a)
{
    unsigned char answer[2048];
    sock *s;
    tracker_udp_reply r;
    must(sock_datagram(w, (addr){.family = 4}, false, &s) == E_OK);
    tracker_udp_request q = {.action = TRACKER_UDP_CONNECT, .transaction = 3};
    CHECK(tracker_udp_reply_read(udp_ask(s, tracker_at(w), &q, answer, sizeof answer), 4, a, &r));
    q = (tracker_udp_request){.action = TRACKER_UDP_ANNOUNCE, .transaction = 4, .connection = r.connection, .announce = stage_said(swarm, who)};
    CHECK(tracker_udp_reply_read(udp_ask(s, tracker_at(w), &q, answer, sizeof answer), 4, a, &r));
    CHECK(r.action == TRACKER_UDP_ANNOUNCE && r.transaction == 4);
    sock_close(s);
    return r.peer_count;
}

static void web_announce(world *w, unsigned swarm, unsigned who, arena *a, tracker_reply *r)
{
    buf request = buf_make(4096);
    bencode_refusal why;
    tracker_announce said = stage_said(swarm, who);
    buf_put(&request, S("GET /announce?"));
    tracker_announce_write(&request, &said);
    buf_put(&request, S(" HTTP/1.1\r\nHost: tracker\r\nConnection: close\r\n\r\n"));
    conn *c = conn_open(w, tracker_at(w), seconds(60));
    conn_deadline(c, seconds(60));
    conn_put(c, buf_str(&request));
    conn_flush(c);
    str all = {0};
    for (str some; (some = conn_some(c)).len; conn_used(c, (size_t)some.len))
        all = str_join(a, all, some);
    ptrdiff_t head = str_find_str(all, S("\r\n\r\n"));
    CHECK(str_starts(all, S("HTTP/1.1 200 ")) && head > 0);
    CHECK(tracker_reply_read(str_from(all, head + 4), a, r, &why));
    conn_close(c);
    buf_free(&request);
}

// ---- both doors, one swarm --------------------------------------------------------------------------------------------------

static void tracker_serves(world *w)
{
    arena a = arena_make(32 << 20);
    tracker_reply r;
    node n;
    log_setup(LOG_LOGFMT, LOG_ERROR, NULL, NULL);
    room_start(&n, w, &a, "open yes; interval-min 5m");
    CHECK_INT(udp_announce(w, 1, 1, &a), 0);
    CHECK_INT(udp_announce(w, 1, 2, &a), 1);
    web_announce(w, 1, 3, &a, &r);
    CHECK(r.peer_count == 2 && r.incomplete == 3 && r.interval_s == 300 && r.external.family == 4);
    web_announce(w, 2, 3, &a, &r);
    CHECK(r.peer_count == 0 && r.incomplete == 1);
    node_stop(&n);

    room *again = room_start(&n, w, &a, "open yes");
    tracker_room *t = again->state;
    CHECK_INT(t->keep.restored, 4);                                    // peers survive a restart
    CHECK_INT(swarms_figures_now(t->core.store).peers[0], 4);
    CHECK_INT(udp_announce(w, 1, 1, &a), 2);                           // and are the same
    CHECK_INT(swarms_figures_now(t->core.store).peers[0], 4);
    node_stop(&n);

    again = room_start(&n, w, &a, "allow 0200000000000000000000000000000000000000");
    t = again->state;
    CHECK_INT(swarms_figures_now(t->core.store).peers[0], 1);           // what is not allowed any more is not brought back
    web_announce(w, 1, 1, &a, &r);
    CHECK(str_starts(r.failure, S("this tracker serves listed torrents only")) && r.retry_min == -1);
    web_announce(w, 2, 1, &a, &r);
    CHECK(r.failure.len == 0);
    node_stop(&n);
    arena_free(&a);
}

static void remove_blocking(void *arg)
{
    arena a = arena_make(1 << 20);
    str *names;
    int count = 0;
    static const char *const folders[] = {"/tracker/peers", "/tracker", ""};
    for (size_t f = 0; f < sizeof folders / sizeof *folders; f++) {
        const char *path = str_to_z(&a, str_format(&a, "%s%s", test_directory(), folders[f]));
        if (dir_list(arg, path, &a, &names, &count) == E_OK)
            for (int i = 0; i < count; i++)
                (void)path_remove(arg, str_to_z(&a, str_format(&a, "%s/" STR_FMT, path, STR_ARG(names[i]))));
        (void)path_remove(arg, path);
    }
    arena_free(&a);
}

static void tracker_serves_clean(world *w)
{
    work(remove_blocking, w);
    tracker_serves(w);
    work(remove_blocking, w);
}

TEST(tracker_serves_over_udp_and_http_and_remembers) { play_both(tracker_serves_clean); }

// ---- settings ---------------------------------------------------------------------------------------------------------------

static void settings_are_checked(world *w)
{
    static const struct { const char *text, *why; } rows[] = {
        {"allow 0200", "40 hexadecimal"},
        {"allow 0200000000000000000000000000000000000000 public", "managed, private"},
        {"key lee short", "16 to 64"},
        {"key lee 0123456789abcdef; key kim 0123456789abcdef", "same key"},
        {"allow-file /nowhere/list", "allow-file"},
    };
    log_setup(LOG_LOGFMT, LOG_ERROR, NULL, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        arena a = arena_make(4 << 20);
        config_error error;
        str why = {0};
        node n;
        CHECK_INT(node_start(&n, w, S("node"), str_z(test_directory())), E_OK);
        statement *block = config_parse(S("test"), str_z(rows[i].text), &a, NULL, NULL, &error);
        must(block && config_check(block, tracker_kind.settings, &a, &error));
        CHECK_ROW(i, node_add(&n, &tracker_kind, block, NULL, &why) != E_OK && str_find_str(why, str_z(rows[i].why)) >= 0);
        node_stop(&n);
        arena_free(&a);
    }
    work(remove_blocking, w);
}

TEST(tracker_settings_are_checked) { play_both(settings_are_checked); }

static void a_reload_takes_lists(world *w)
{
    arena a = arena_make(8 << 20);
    config_error error;
    node n;
    str why = {0};
    log_setup(LOG_LOGFMT, LOG_ERROR, NULL, NULL);
    room *r = room_start(&n, w, &a, "allow 0100000000000000000000000000000000000000 managed; key lee 0123456789abcdef");
    tracker_room *t = r->state;
    uint8_t one[TRACKER_HASH_BYTES] = {1}, two[TRACKER_HASH_BYTES] = {2};
    CHECK(swarms_find(t->core.store, one)->managed && !swarms_find(t->core.store, two));
    const statement *next = config_parse(S("test"), S("allow 02" "00000000000000000000000000000000000000 private; degree 16"), &a, NULL, NULL, &error);
    must(next && config_check(next, tracker_kind.settings, &a, &error));
    CHECK_INT(tracker_kind.reload(r, next, &why), E_OK);
    CHECK(swarms_find(t->core.store, two)->private && !swarms_find(t->core.store, one)->listed);
    CHECK(t->core.rules.degree == 16 && t->core.access.key_count == 0);
    const statement *bad = config_parse(S("test"), S("key lee short"), &a, NULL, NULL, &error);
    CHECK_INT(tracker_kind.reload(r, bad, &why), E_PROTOCOL);
    CHECK(t->core.rules.degree == 16 && swarms_find(t->core.store, two)->listed);
    node_stop(&n);
    work(remove_blocking, w);
    arena_free(&a);
}

TEST(tracker_a_reload_takes_lists) { play_both(a_reload_takes_lists); }
