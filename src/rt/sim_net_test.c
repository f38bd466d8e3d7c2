#include "rt/sim.h"

#include <string.h>

#include "rt/scope.h"
#include "test.h"

// A small network: two hosts, a link, and a fiber on each.
typedef struct {
    sim   *sim;
    world *a, *b;
    addr   at_a, at_b;
} pair;

static pair pair_new(uint64_t seed, sim_link link)
{
    pair p = {.sim = sim_new(seed), .at_a = addr_v4(0x0a000001, 0), .at_b = addr_v4(0x0a000002, 0)};
    p.a = sim_host(p.sim, S("a"), &p.at_a, 1, (sim_disk){0});
    p.b = sim_host(p.sim, S("b"), &p.at_b, 1, (sim_disk){0});
    sim_link_default(p.sim, link);
    return p;
}

static err stream_connect(world *w, addr to, sock **out)
{
    err e = sock_connect(w, to, out);
    while (!e && (e = sock_connected(*out)) == E_AGAIN)
        e = sock_wait(*out, WAIT_WRITE, NEVER_NS);
    return e;
}

static err stream_accept(sock *listener, sock **out)
{
    addr peer, local;
    for (err e; (e = sock_accept(listener, out, &peer, &local)); )
        if (e != E_AGAIN || (e = sock_wait(listener, WAIT_READ, NEVER_NS)))
            return e;
    return E_OK;
}

static err stream_write(sock *s, const void *at, size_t len)
{
    for (size_t done = 0, put; done < len; done += put) {
        struct iovec v = {(char *)(uintptr_t)at + done, len - done};
        err e = sock_write(s, &v, 1, &put);
        if (e && e != E_AGAIN)
            return e;
        if (e == E_AGAIN && (e = sock_wait(s, WAIT_WRITE, NEVER_NS)))
            return e;
    }
    return E_OK;
}

static err stream_read(sock *s, void *into, size_t size, size_t *got)
{
    for (err e; (e = sock_read(s, into, size, got)); )
        if (e != E_AGAIN || (e = sock_wait(s, WAIT_READ, NEVER_NS)))
            return e;
    return E_OK;
}

// ---- streams -----------------------------------------------------------------------------------------------

enum { BULK_BYTES = 300 * 1000 };

typedef struct {
    pair    p;
    size_t  received;
    bool    in_order;
    err     ended, client;
    int64_t took_ns;
    bool    server_up;
} bulk;

static void bulk_server(void *arg)
{
    bulk *b = arg;
    fiber_world(b->p.b);
    sock *door, *s;
    CHECK_INT(sock_listen(b->p.b, addr_v4(0, 25), (listen_options){0}, &door), E_OK);
    b->server_up = true;
    CHECK_INT(stream_accept(door, &s), E_OK);
    unsigned char piece[5000];
    size_t got;
    b->in_order = true;
    while (!(b->ended = stream_read(s, piece, sizeof piece, &got)))
        for (size_t i = 0; i < got; i++, b->received++)
            b->in_order &= piece[i] == (unsigned char)(b->received * 7);
    stream_write(s, "thanks", 6);
    sock_close(s);
    sock_close(door);
}

static void bulk_client(void *arg)
{
    bulk *b = arg;
    SCOPE(s, 0, 10);
    scope_go(&s, "server", bulk_server, b);
    fiber_world(b->p.a);
    fiber_yield();
    sock *k;
    int64_t start = world_now_ns(b->p.a);
    b->client = stream_connect(b->p.a, addr_with_port(b->p.at_b, 25), &k);
    static unsigned char bytes[BULK_BYTES];
    for (size_t i = 0; i < BULK_BYTES; i++)
        bytes[i] = (unsigned char)(i * 7);
    if (!b->client)
        b->client = stream_write(k, bytes, BULK_BYTES);
    if (!b->client)
        b->client = sock_shutdown(k);
    unsigned char answer[100];
    size_t got = 0;
    if (!b->client)
        b->client = stream_read(k, answer, sizeof answer, &got);
    b->took_ns = world_now_ns(b->p.a) - start;
    sock_close(k);
    scope_wait(&s);
}

static bulk bulk_run(uint64_t seed, sim_link link)
{
    bulk b = {.p = pair_new(seed, link)};
    CHECK_INT(sim_run(b.p.sim, bulk_client, &b), E_OK);
    return b;
}

TEST(sim_stream_carries_all_bytes_in_order_whatever_is_lost)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        bulk b = bulk_run(
            seed, (sim_link){.delay_min_ns = millis(1), .delay_max_ns = millis(40), .lose_per_million = 100000});
        CHECK_ROW(seed, b.client == E_OK && b.ended == E_EOF && b.in_order && b.received == BULK_BYTES);
        sim_free(b.p.sim);
    }
}

TEST(sim_stream_takes_the_time_that_the_line_needs)
{
    bulk b =
        bulk_run(1, (sim_link){.delay_min_ns = millis(10), .delay_max_ns = millis(10), .bytes_per_s = 1000 * 1000});
    int64_t line_ns = BULK_BYTES * 1000ll;                   // 1 us a byte
    CHECK(b.took_ns >= line_ns + 4 * millis(10));            // call, answer, bytes, thanks
    CHECK(b.took_ns <= line_ns + 4 * millis(10) + millis(1));
    sim_free(b.p.sim);
}

TEST(sim_stream_waits_when_the_window_is_full)
{
    // One window a way: with 1 s of delay 300 kB need at least four deliveries one after the other.
    bulk b = bulk_run(1, (sim_link){.delay_min_ns = seconds(1), .delay_max_ns = seconds(1)});
    CHECK(b.took_ns >= seconds(2 + BULK_BYTES / SIM_STREAM_WINDOW_BYTES + 1));
    CHECK_INT(b.received, BULK_BYTES);
    sim_free(b.p.sim);
}

TEST(sim_same_seed_same_run)
{
    sim_link rough = {
        .delay_min_ns = millis(1), .delay_max_ns = millis(90), .lose_per_million = 50000, .cut_per_million = 1000};
    bulk one = bulk_run(7, rough), again = bulk_run(7, rough), other = bulk_run(8, rough);
    CHECK(sim_fingerprint(one.p.sim) == sim_fingerprint(again.p.sim));
    CHECK(sim_fingerprint(one.p.sim) != sim_fingerprint(other.p.sim));
    CHECK_INT(one.took_ns, again.took_ns);
    sim_free(one.p.sim), sim_free(again.p.sim), sim_free(other.p.sim);
}

TEST(sim_stream_cut_ends_both_sides)
{
    int cut = 0;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        bulk b = bulk_run(
            seed, (sim_link){.delay_min_ns = millis(1), .delay_max_ns = millis(9), .cut_per_million = 30000});
        CHECK_ROW(seed, b.in_order);
        CHECK_ROW(seed, b.client == E_OK || b.client == E_RESET);
        CHECK_ROW(seed, b.ended == E_EOF || b.ended == E_RESET);
        cut += b.client == E_RESET;
        sim_free(b.p.sim);
    }
    CHECK(cut > 5 && cut < 40);
}

// ---- connecting --------------------------------------------------------------------------------------------

static void connect_cases(void *arg)
{
    pair *p = arg;
    fiber_world(p->a);
    sock *k;
    CHECK_INT(stream_connect(p->a, addr_with_port(p->at_b, 25), &k), E_REFUSED);
    sock_close(k);
    CHECK_INT(stream_connect(p->a, addr_v4(0x0a0000ff, 25), &k), E_UNREACHABLE);
    sock_close(k);
    addr v6;
    CHECK(addr_parse_ip(S("2001:db8::1"), 25, &v6));
    CHECK_INT(sock_connect(p->a, v6, &k), E_UNREACHABLE);                 // a has no address of that family

    int64_t start = sim_now_ns(p->sim);
    sim_partition(p->sim, p->a, p->b, true);
    CHECK_INT(stream_connect(p->a, addr_with_port(p->at_b, 25), &k), E_TIMEOUT);
    CHECK(sim_now_ns(p->sim) - start > seconds(120) && sim_now_ns(p->sim) - start < seconds(130));
    sock_close(k);
    sim_partition(p->sim, p->a, p->b, false);

    sock *door, *again;
    CHECK_INT(sock_listen(p->b, p->at_a, (listen_options){0}, &door), E_UNREACHABLE);
    CHECK_INT(sock_listen(p->b, addr_v4(0, 25), (listen_options){.backlog = 1}, &door), E_OK);
    CHECK_INT(sock_listen(p->b, addr_with_port(p->at_b, 25), (listen_options){0}, &again), E_IN_USE);
    CHECK_INT(stream_connect(p->a, addr_with_port(p->at_b, 25), &k), E_OK);
    sock *s;
    addr peer, local;
    CHECK_INT(sock_accept(door, &s, &peer, &local), E_OK);
    CHECK(addr_eq_ip(peer, p->at_a) && addr_eq(local, addr_with_port(p->at_b, 25)));
    CHECK(addr_eq(sock_local(k), peer));
    // The server leaves what it was sent unread: the client sees a reset.
    size_t put;
    CHECK_INT(sock_write(k, &(struct iovec){(char *)(uintptr_t)"x", 1}, 1, &put), E_OK);
    fiber_sleep(seconds(1));
    sock_close(s);
    char byte;
    CHECK_INT(stream_read(k, &byte, 1, &put), E_RESET);
    CHECK(sock_peer_closed(k));
    sock_close(k);
    sock_close(door);
}

TEST(sim_connecting_fails_as_networks_do)
{
    pair p = pair_new(3, (sim_link){.delay_min_ns = millis(5), .delay_max_ns = millis(5)});
    CHECK_INT(sim_run(p.sim, connect_cases, &p), E_OK);
    sim_free(p.sim);
}

static void partition_heals(void *arg)
{
    bulk *b = arg;
    fiber_sleep(millis(30));
    sim_partition(b->p.sim, b->p.a, b->p.b, true);
    fiber_sleep(seconds(20));
    sim_partition(b->p.sim, b->p.a, b->p.b, false);
}

static void bulk_with_partition(void *arg)
{
    SCOPE(s, 0, 10);
    scope_go(&s, "partition", partition_heals, arg);
    bulk_client(arg);
    scope_wait(&s);
}

TEST(sim_stream_survives_a_partition_that_heals)
{
    bulk b = {.p = pair_new(
                  5, (sim_link){.delay_min_ns = millis(10), .delay_max_ns = millis(10), .bytes_per_s = 1000000})};
    CHECK_INT(sim_run(b.p.sim, bulk_with_partition, &b), E_OK);
    CHECK(b.client == E_OK && b.received == BULK_BYTES && b.took_ns > seconds(20));
    sim_free(b.p.sim);
}

static void unix_sockets(void *arg)
{
    pair *p = arg;
    fiber_world(p->a);
    sock *door, *k, *s;
    CHECK_INT(sock_connect_unix(p->a, "/run/x.sock", &k), E_REFUSED);
    CHECK_INT(sock_listen_unix(p->a, "/run/x.sock", 0600, &door), E_OK);
    CHECK_INT(sock_connect_unix(p->b, "/run/x.sock", &k), E_REFUSED);     // another machine
    CHECK_INT(sock_connect_unix(p->a, "/run/x.sock", &k), E_OK);
    CHECK_INT(stream_accept(door, &s), E_OK);
    CHECK_INT(stream_write(k, "hello", 5), E_OK);
    char text[8] = "";
    size_t got;
    CHECK_INT(stream_read(s, text, sizeof text, &got), E_OK);
    CHECK(got >= 1 && !memcmp(text, "hello", got));
    sock_close(s), sock_close(k), sock_close(door);
}

TEST(sim_unix_sockets_stay_on_their_host)
{
    pair p = pair_new(4, (sim_link){0});
    CHECK_INT(sim_run(p.sim, unix_sockets, &p), E_OK);
    sim_free(p.sim);
}

// ---- datagrams ---------------------------------------------------------------------------------------------

static int receive_all(sock *s, unsigned char *seen, int most)
{
    int n = 0, got;
    unsigned char bytes[DATAGRAM_BATCH_MAX][16];
    datagram v[DATAGRAM_BATCH_MAX];
    for (;;) {
        for (int i = 0; i < DATAGRAM_BATCH_MAX; i++)
            v[i] = (datagram){.at = bytes[i], .size = sizeof bytes[i]};
        if (sock_receive(s, v, DATAGRAM_BATCH_MAX, &got))
            return n;
        for (int i = 0; i < got && n < most; i++)
            seen[n++] = v[i].at[0];
    }
}

typedef struct { pair p; int arrived, inversions; } rain;

static void rain_falls(void *arg)
{
    rain *r = arg;
    fiber_world(r->p.a);
    sock *from, *to;
    CHECK_INT(sock_datagram(r->p.a, addr_v4(0, 0), false, &from), E_OK);
    CHECK_INT(sock_datagram(r->p.b, addr_v4(0, 53), false, &to), E_OK);
    for (int i = 0; i < 200; i++) {
        unsigned char byte = (unsigned char)i;
        int sent;
        datagram d = {.peer = addr_with_port(r->p.at_b, 53), .at = &byte, .len = 1};
        CHECK_INT(sock_send(from, &d, 1, &sent), E_OK);
    }
    fiber_sleep(seconds(1));
    unsigned char seen[200];
    r->arrived = receive_all(to, seen, 200);
    for (int i = 1; i < r->arrived; i++)
        r->inversions += seen[i] < seen[i - 1];
    sock_close(from), sock_close(to);
}

TEST(sim_datagrams_are_lost_and_overtake_each_other)
{
    rain r = {
        .p = pair_new(
            1, (sim_link){.delay_min_ns = millis(1), .delay_max_ns = millis(50), .lose_per_million = 200000})};
    CHECK_INT(sim_run(r.p.sim, rain_falls, &r), E_OK);
    CHECK(r.arrived > 120 && r.arrived < 190 && r.inversions > 20);
    CHECK_INT(sim_figures_now(r.p.sim).datagrams_sent, 200);
    CHECK_INT(sim_figures_now(r.p.sim).datagrams_lost, 200 - r.arrived);
    sim_free(r.p.sim);
}

static void datagram_cases(void *arg)
{
    pair *p = arg;
    fiber_world(p->a);
    sock *k, *s;
    int n;
    unsigned char byte = 'x', in[4];
    CHECK_INT(sock_datagram(p->a, addr_v4(0, 0), false, &k), E_OK);
    CHECK_INT(sock_datagram_connect(k, addr_with_port(p->at_b, 53)), E_OK);
    datagram d = {.at = &byte, .len = 1}, got = {.at = in, .size = sizeof in};
    CHECK_INT(sock_send(k, &d, 1, &n), E_OK);
    CHECK_INT(sock_wait(k, WAIT_READ, world_now_ns(p->a) + seconds(1)), E_OK);
    CHECK_INT(sock_receive(k, &got, 1, &n), E_REFUSED);                   // nobody listens there
    CHECK_INT(sock_receive(k, &got, 1, &n), E_AGAIN);

    // A wildcard socket learns which address was asked, and answers from there.
    CHECK_INT(sock_datagram(p->b, addr_v4(0, 53), false, &s), E_OK);
    CHECK_INT(sock_send(k, &d, 1, &n), E_OK);
    fiber_sleep(seconds(1));
    CHECK_INT(sock_receive(s, &got, 1, &n), E_OK);
    CHECK(addr_eq(got.local, addr_with_port(p->at_b, 53)) && addr_eq(got.peer, sock_local(k)));
    datagram answer = {.peer = got.peer, .local = got.local, .at = &byte, .len = 1};
    CHECK_INT(sock_send(s, &answer, 1, &n), E_OK);
    fiber_sleep(seconds(1));
    CHECK_INT(sock_receive(k, &got, 1, &n), E_OK);

    // The queue has an end.
    static unsigned char big[1000];
    datagram heavy = {.at = big, .len = sizeof big};
    for (int i = 0; i < 400; i++)
        CHECK_INT(sock_send(k, &heavy, 1, &n), E_OK);
    fiber_sleep(seconds(1));
    unsigned char seen[400];
    int arrived = receive_all(s, seen, 400);
    CHECK_INT(arrived, SIM_DATAGRAM_QUEUE_BYTES / (1000 + 256));
    sock_close(k), sock_close(s);
}

TEST(sim_datagrams_know_where_they_were_sent)
{
    pair p = pair_new(2, (sim_link){.delay_min_ns = millis(1), .delay_max_ns = millis(1)});
    CHECK_INT(sim_run(p.sim, datagram_cases, &p), E_OK);
    sim_free(p.sim);
}

// ---- crashes seen from the network -------------------------------------------------------------------------

typedef struct { pair p; int resets, silences; bool drained; } wreck;

static void wreck_serve(void *arg)
{
    wreck *w = arg;
    sock *door, *s = NULL;
    CHECK_INT(sock_listen(world_here(), addr_v4(0, 25), (listen_options){0}, &door), E_OK);
    err e = stream_accept(door, &s);
    CHECK(!e);
    char byte;
    size_t got;
    while (!e)
        e = stream_read(s, &byte, 1, &got);
    CHECK(e == E_CANCELED || e == E_CRASHED);
    CHECK_INT(sock_write(s, &(struct iovec){&byte, 1}, 1, &got), E_CRASHED);
    CHECK_INT(sock_connect(world_here(), w->p.at_a, &(sock *){NULL}), E_CRASHED);
    sock_close(s), sock_close(door);
    w->drained = true;
}

static void wreck_watch(void *arg)
{
    wreck *w = arg;
    SCOPE(s, 0, 10);
    CHECK_INT(sim_boot(w->p.b, &s, wreck_serve, w), E_OK);
    fiber_sleep(millis(1));
    sock *k;
    CHECK_INT(stream_connect(w->p.a, addr_with_port(w->p.at_b, 25), &k), E_OK);
    fiber_sleep(millis(100));
    sim_crash(w->p.b);
    CHECK(w->drained && !sim_is_up(w->p.b));
    err e = sock_wait(k, WAIT_READ, sim_now_ns(w->p.sim) + seconds(10));
    char byte = 'x';
    size_t n;
    if (e == E_TIMEOUT) {
        w->silences++;
        sim_restart(w->p.b);
        CHECK_INT(stream_write(k, &byte, 1), E_OK);          // the new life knows nothing of the connection
    } else {
        w->resets++;
    }
    CHECK_INT(stream_read(k, &byte, 1, &n), E_RESET);
    sock_close(k);
}

TEST(sim_crash_resets_or_silences_the_peers)
{
    wreck w = {0};
    for (uint64_t seed = 1; seed <= 30; seed++) {
        w.p = pair_new(seed, (sim_link){.delay_min_ns = millis(5), .delay_max_ns = millis(5)});
        CHECK_INT(sim_run(w.p.sim, wreck_watch, &w), E_OK);
        sim_free(w.p.sim);
    }
    CHECK(w.resets > 5 && w.silences > 5);
    CHECK_INT(w.resets + w.silences, 30);
}
