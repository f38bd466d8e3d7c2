#include "fiber_test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/heap_memory.h"
#include "rt/access_line.h"
#include "rt/linux.h"

static addr loopback(uint16_t port) { return addr_v4(0x7f000001, port); }

static addr loopback6(uint16_t port)
{
    addr a;
    must(addr_parse_ip(S("::1"), port, &a));
    return a;
}

static unsigned char *bytes_of(const char *text) { return (unsigned char *)(uintptr_t)text; }

static err write_text(sock *s, str text)
{
    while (text.len) {
        struct iovec from = {(void *)(uintptr_t)text.at, (size_t)text.len};
        size_t put;
        err e = sock_write(s, &from, 1, &put);
        if (e == E_AGAIN)
            e = sock_wait(s, WAIT_WRITE, NEVER_NS);
        if (e)
            return e;
        text = str_from(text, (ptrdiff_t)put);
    }
    return E_OK;
}

static err read_some(sock *s, void *into, size_t size, size_t *got)
{
    for (;;) {
        err e = sock_read(s, into, size, got);
        if (e != E_AGAIN || (e = sock_wait(s, WAIT_READ, loop_now_ns() + seconds(60))))
            return e;
    }
}

static err accept_one(sock *l, sock **out, addr *peer, addr *local)
{
    for (;;) {
        err e = sock_accept(l, out, peer, local);
        if (e != E_AGAIN || (e = sock_wait(l, WAIT_READ, loop_now_ns() + seconds(60))))
            return e;
    }
}

static err connect_to(world *w, addr to, sock **out)
{
    err e = sock_connect(w, to, out);
    while (!e && (e = sock_connected(*out)) == E_AGAIN)
        e = sock_wait(*out, WAIT_WRITE, loop_now_ns() + seconds(60));
    return e;
}

// ---- streams --------------------------------------------------------------------------------------------------------------

static void echo(void *arg)
{
    sock *s;
    addr peer, local;
    unsigned char bytes[4096];
    CHECK_INT(accept_one(arg, &s, &peer, &local), E_OK);
    for (;;) {
        size_t got;
        err e = read_some(s, bytes, sizeof bytes, &got);
        if (e) {
            CHECK_INT(e, E_EOF);
            break;
        }
        CHECK_INT(write_text(s, str_of(bytes, got)), E_OK);
    }
    sock_close(s);
}

typedef struct { sock *s; size_t size; } pump;

static void pump_out(void *arg)
{
    pump *p = arg;
    unsigned char bytes[3000];
    for (size_t n = 0; n < p->size; ) {
        size_t piece = p->size - n < sizeof bytes ? p->size - n : sizeof bytes;
        for (size_t i = 0; i < piece; i++)
            bytes[i] = (unsigned char)((n + i) * 7 >> 3);
        CHECK_INT(write_text(p->s, str_of(bytes, piece)), E_OK);
        n += piece;
    }
    CHECK_INT(sock_shutdown(p->s), E_OK);
}

static void talk_to_echo(addr at)
{
    sock *l, *s;
    world *w = world_here();
    CHECK_INT(sock_listen(w, at, (listen_options){0}, &l), E_OK);
    addr there = sock_local(l);
    SCOPE(both, seconds(120), 2);
    scope_go(&both, "echo", echo, l);
    CHECK_INT(connect_to(w, there, &s), E_OK);
    CHECK(addr_eq_ip(sock_local(s), at));
    pump p = {s, 3 << 20};
    scope_go(&both, "pump", pump_out, &p);
    size_t n = 0, got, wrong = 0;
    unsigned char bytes[5000];
    err e;
    while (!(e = read_some(s, bytes, sizeof bytes, &got)))
        for (size_t i = 0; i < got; i++, n++)
            wrong += bytes[i] != (unsigned char)(n * 7 >> 3);
    CHECK_INT(e, E_EOF);
    CHECK_INT(wrong, 0);
    CHECK_INT(n, p.size);
    CHECK(sock_peer_closed(s));
    CHECK_INT(scope_wait(&both), E_OK);
    sock_close(s);
    sock_close(l);
}

FIBER_TEST(streams_carry_bytes_in_both_families)
{
    talk_to_echo(loopback(0));
    talk_to_echo(loopback6(0));
}

// ---- a narrow line --------------------------------------------------------------------------------------------------------

enum { LINE_BYTES = 100000 };

typedef struct sink { sock *s; size_t got, others; struct sink *other; int64_t ended_ns; } sink;

static void drain(void *arg)
{
    sink *k = arg;
    unsigned char bytes[4096];
    for (size_t n; k->got < LINE_BYTES && !read_some(k->s, bytes, sizeof bytes, &n); k->got += n)
        ;
    k->ended_ns = loop_now_ns();
    k->others = k->other->got;
}

static void pour(void *arg)
{
    sock *s = arg;
    static unsigned char bytes[LINE_BYTES];
    CHECK_INT(write_text(s, str_of(bytes, sizeof bytes)), E_OK);
}

// Two streams at once; how long they took together, and that neither waited for the other's end.
static int64_t pour_both(world *w)
{
    sock *l, *in[2], *out[2];
    addr peer, local;
    sink sinks[2] = {0};
    CHECK_INT(sock_listen(w, loopback(0), (listen_options){0}, &l), E_OK);
    int64_t begun_ns = loop_now_ns();
    SCOPE(all, seconds(120), 4);
    for (int i = 0; i < 2; i++) {
        CHECK_INT(connect_to(w, sock_local(l), &out[i]), E_OK);
        CHECK_INT(accept_one(l, &in[i], &peer, &local), E_OK);
        sinks[i].s = out[i], sinks[i].other = &sinks[1 - i];
        scope_go(&all, "pour", pour, in[i]);
        scope_go(&all, "drain", drain, &sinks[i]);
    }
    CHECK_INT(scope_wait(&all), E_OK);
    CHECK(sinks[0].got == LINE_BYTES && sinks[1].got == LINE_BYTES);
    int64_t first = sinks[0].ended_ns - begun_ns, second = sinks[1].ended_ns - begun_ns;
    for (int i = 0; i < 2; i++)
        sock_close(in[i]), sock_close(out[i]);
    sock_close(l);
    CHECK(w->line->host_count || sinks[first > second].others > LINE_BYTES / 2);     // when the first of them ended
    return first > second ? first : second;
}

FIBER_TEST(streams_to_peers_beyond_a_narrow_line_share_its_rate)
{
    world *w = world_linux_new(S("edge"), NULL, 0);
    access_line line = {0};
    world_line(w, &line);
    access_line_rate(&line, 1);
    CHECK_INT(line.bps, ACCESS_LINE_BPS_MIN);
    access_line_rate(&line, ACCESS_LINE_BPS_MAX + 1);
    CHECK_INT(line.bps, 0);
    access_line_rate(&line, 8000000);
    CHECK(pour_both(w) >= millis(199));                      // 200,000 bytes at 1,000,000 a second
    CHECK_INT(line.bytes, 2 * LINE_BYTES);
    line.hosts[line.host_count++] = loopback(0);             // now the peer is a host of the network
    pour_both(w);
    CHECK_INT(line.bytes, 2 * LINE_BYTES);
    world_linux_free(w);
}

FIBER_TEST(nobody_there_is_refused)
{
    sock *l, *s = NULL;
    world *w = world_here();
    CHECK_INT(sock_listen(w, loopback(0), (listen_options){0}, &l), E_OK);
    addr at = sock_local(l);
    sock_close(l);
    CHECK_INT(connect_to(w, at, &s), E_REFUSED);
    if (s)
        sock_close(s);
}

FIBER_TEST(a_taken_port_is_in_use)
{
    sock *a, *b, *u;
    world *w = world_here();
    CHECK_INT(sock_listen(w, loopback(0), (listen_options){0}, &a), E_OK);
    CHECK_INT(sock_listen(w, sock_local(a), (listen_options){0}, &b), E_IN_USE);
    sock_close(a);
    CHECK_INT(sock_datagram(w, loopback(0), false, &u), E_OK);
    CHECK_INT(sock_datagram(w, sock_local(u), false, &b), E_IN_USE);
    sock_close(u);
}

// ---- waiting --------------------------------------------------------------------------------------------------------------

typedef struct { sock *s; int64_t until; err e; bool back; } reader;

static void wait_to_read(void *arg)
{
    reader *r = arg;
    r->e = sock_wait(r->s, WAIT_READ, r->until);
    r->back = true;
}

FIBER_TEST(waiting_ends_by_close_cancel_and_time)
{
    sock *l;
    world *w = world_here();
    SCOPE(s, 0, 1);
    CHECK_INT(sock_listen(w, loopback(0), (listen_options){0}, &l), E_OK);
    reader timed = {.s = l, .until = loop_now_ns() + millis(2)}, told = {.s = l}, closed = {.s = l};
    scope_go(&s, "timed", wait_to_read, &timed);
    CHECK_INT(scope_wait(&s), E_OK);
    CHECK_INT(timed.e, E_TIMEOUT);
    SCOPE(t, 0, 1);
    scope_go(&t, "told", wait_to_read, &told);
    fiber_yield();
    scope_close(&t);
    CHECK_INT(told.e, E_CANCELED);
    CHECK(!l->reader);
    scope_go(&s, "closed", wait_to_read, &closed);
    fiber_yield();
    sock_close(l);
    CHECK_INT(scope_wait(&s), E_OK);
    CHECK_INT(closed.e, E_RESET);
}

// A fiber that has just been told to stop still stands in the sock when it is closed and freed: it must not look again.
FIBER_TEST(closing_under_a_canceled_reader_is_safe)
{
    sock *l;
    SCOPE(s, 0, 1);
    CHECK_INT(sock_listen(world_here(), loopback(0), (listen_options){0}, &l), E_OK);
    reader r = {.s = l};
    scope_go(&s, "reader", wait_to_read, &r);
    fiber_yield();
    scope_cancel(&s);
    sock_close(l);
    CHECK_INT(scope_wait(&s), E_OK);
    CHECK_INT(r.e, E_RESET);
}

// ---- names of ports -------------------------------------------------------------------------------------------------------

FIBER_TEST(everything_above_sees_well_known_ports)
{
    sock *probe, *l, *s, *a, *u, *v;
    addr peer, local;
    addr own = addr_v4(0x7f000105, 0);                   // 127.0.1.5
    CHECK_INT(sock_listen(world_here(), own, (listen_options){0}, &probe), E_OK);
    uint16_t real = sock_local(probe).port;
    sock_close(probe);
    world *w = world_linux_new(S("mapped"), &own, 1);
    CHECK(world_map_port(w, 25, real));
    CHECK(world_map_port(w, 53, real));
    CHECK_INT(world_port(w, 25), real);
    CHECK_INT(world_port(w, 26), 26);
    CHECK_INT(sock_listen(w, addr_v4(0, 25), (listen_options){0}, &l), E_OK);     // any address: its only own one
    CHECK(addr_eq(sock_local(l), addr_with_port(own, 25)));
    CHECK_INT(connect_to(w, addr_with_port(own, 25), &s), E_OK);
    CHECK_INT(accept_one(l, &a, &peer, &local), E_OK);
    CHECK(addr_eq_ip(peer, own));                        // outgoing connections come from the world's own address
    CHECK(addr_eq(local, addr_with_port(own, 25)));
    CHECK(addr_eq(peer, sock_local(s)));
    sock_close(a), sock_close(s), sock_close(l);

    CHECK_INT(sock_datagram(w, addr_with_port(own, 25), false, &u), E_OK);
    CHECK_INT(sock_datagram(w, addr_v4(0, 0), false, &v), E_OK);
    CHECK(addr_eq_ip(sock_local(v), own));
    CHECK_INT(sock_datagram_connect(v, addr_with_port(own, 25)), E_OK);
    datagram out = {.peer = addr_with_port(own, 25), .at = bytes_of("hi"), .len = 2};
    datagram in = {.at = (unsigned char[9]){0}, .size = 9};
    int n;
    CHECK_INT(sock_send(v, &out, 1, &n), E_OK);
    while (sock_receive(u, &in, 1, &n) == E_AGAIN)
        CHECK_INT(sock_wait(u, WAIT_READ, loop_now_ns() + seconds(60)), E_OK);
    CHECK(addr_eq(in.peer, sock_local(v)));
    CHECK(addr_eq(in.local, addr_with_port(own, 25)));
    sock_close(u), sock_close(v);
    world_linux_free(w);
}

FIBER_TEST(random_ports_come_from_the_whole_range)
{
    enum { N = 200 };
    int low = 0, high = 0;
    for (int i = 0; i < N; i++) {
        sock *u;
        CHECK_INT(sock_datagram(world_here(), addr_v4(0, 0), false, &u), E_OK);
        uint16_t port = sock_local(u).port;
        CHECK_ROW(port, port >= 1024);
        low += port < 32768;
        high += port >= 61000;
        sock_close(u);
    }
    CHECK(low > 50 && low < 150);                // below the kernel's own ephemeral range; about 98 expected
    CHECK(high > 1);                             // above it; about 14 expected
}

// ---- datagrams ------------------------------------------------------------------------------------------------------------

static int receive_all(sock *u, datagram *v, int count)
{
    int n;
    err e;
    while ((e = sock_receive(u, v, count, &n)) == E_AGAIN)
        CHECK_INT(e = sock_wait(u, WAIT_READ, loop_now_ns() + seconds(60)), E_OK);
    CHECK_INT(e, E_OK);
    return n;
}

static void asked_and_answered(addr any, addr first, addr second)
{
    sock *door, *client;
    world *w = world_here();
    unsigned char space[2][64];
    datagram in[2] = {{.at = space[0], .size = 64}, {.at = space[1], .size = 64}}, back = in[0];
    int n;
    CHECK_INT(sock_datagram(w, any, false, &door), E_OK);
    CHECK_INT(sock_datagram(w, addr_with_port(first, 0), false, &client), E_OK);
    addr to = addr_with_port(second, sock_local(door).port);
    datagram out = {.peer = to, .at = bytes_of("question"), .len = 8};
    CHECK_INT(sock_send(client, &out, 1, &n), E_OK);
    CHECK_INT(receive_all(door, in, 2), 1);
    CHECK(addr_eq(in[0].local, to));
    CHECK(addr_eq(in[0].peer, sock_local(client)));
    CHECK_STR(str_of(in[0].at, in[0].len), S("question"));
    out = (datagram){.peer = in[0].peer, .local = in[0].local, .at = bytes_of("answer"), .len = 6};
    CHECK_INT(sock_send(door, &out, 1, &n), E_OK);
    CHECK_INT(receive_all(client, &back, 1), 1);
    CHECK(addr_eq(back.peer, to));               // from the address that was asked, not from where the route begins
    CHECK_STR(str_of(back.at, back.len), S("answer"));
    sock_close(client);
    sock_close(door);
}

FIBER_TEST(a_wildcard_door_answers_from_the_address_that_was_asked)
{
    addr any6 = {.family = 6};
    asked_and_answered(addr_v4(0, 0), loopback(0), addr_v4(0x7f000203, 0));
    asked_and_answered(any6, loopback6(0), loopback6(0));
    asked_and_answered(loopback(0), loopback(0), loopback(0));
}

FIBER_TEST(batches_of_datagrams_arrive)
{
    enum { N = 100 };
    sock *door, *client;
    unsigned char space[DATAGRAM_BATCH_MAX][16], text[N][16];
    datagram out[N], in[DATAGRAM_BATCH_MAX];
    int n, got = 0;
    CHECK_INT(sock_datagram(world_here(), loopback(0), false, &door), E_OK);
    CHECK_INT(sock_datagram(world_here(), loopback(0), false, &client), E_OK);
    for (int i = 0; i < N; i++)
        out[i] = (datagram){.peer = sock_local(door), .at = text[i],
                            .len = (size_t)snprintf((char *)text[i], sizeof text[i], "number %d", i)};
    for (int i = 0; i < N; i += n)
        CHECK_INT(sock_send(client, out + i, N - i, &n), E_OK);
    for (int i = 0; i < DATAGRAM_BATCH_MAX; i++)
        in[i] = (datagram){.at = space[i], .size = 16};
    while (got < N)
        for (int i = 0, k = receive_all(door, in, 1000); i < k; i++, got++)
            CHECK_STR(str_of(in[i].at, in[i].len), str_of(out[got].at, out[got].len));
    sock_close(client);
    sock_close(door);
}

// Two worlds of this machine join a group of their own; each hears both.
FIBER_TEST(a_group_reaches_all_who_joined_it)
{
    addr one = addr_v4(0x7f000001, 0), two = addr_v4(0x7f000002, 0), group;
    world *a = world_linux_new(S("a"), &one, 1), *b = world_linux_new(S("b"), &two, 1);
    sock *from = NULL, *to = NULL;
    unsigned char bytes[64];
    datagram out = {.at = (unsigned char *)(uintptr_t)"hello", .len = 5, .size = 5}, in = {.at = bytes, .size = sizeof bytes};
    int n = 0;
    CHECK(addr_parse(S("239.192.152.77:26771"), 0, &group));
    out.peer = group;
    err e = sock_datagram_group(a, group, &from), f = sock_datagram_group(b, group, &to);
    if (e == E_UNSUPPORTED || e == E_UNREACHABLE) {
        test_skip("this machine has no multicast on its loopback interface");
    } else {
        CHECK(e == E_OK && f == E_OK);
        CHECK_INT(sock_send(from, &out, 1, &n), E_OK);
        for (err w = E_AGAIN; w == E_AGAIN; )
            if ((w = sock_receive(to, &in, 1, &n)) == E_AGAIN && sock_wait(to, WAIT_READ, world_now_ns(b) + seconds(60)) != E_OK)
                break;
        CHECK(n == 1 && in.len == 5 && in.peer.port == group.port && addr_is_loopback(in.peer));
    }
    if (from)
        sock_close(from);
    if (to)
        sock_close(to);
    world_linux_free(a);
    world_linux_free(b);
}

FIBER_TEST(a_connected_datagram_socket_hears_the_refusal)
{
    sock *gone, *client;
    datagram in = {.at = (unsigned char[9]){0}, .size = 9};
    int n;
    CHECK_INT(sock_datagram(world_here(), loopback(0), false, &gone), E_OK);
    addr at = sock_local(gone);
    sock_close(gone);
    CHECK_INT(sock_datagram(world_here(), loopback(0), false, &client), E_OK);
    CHECK_INT(sock_datagram_connect(client, at), E_OK);
    datagram out = {.peer = at, .at = bytes_of("hello"), .len = 5};
    CHECK_INT(sock_send(client, &out, 1, &n), E_OK);
    err e;
    while ((e = sock_receive(client, &in, 1, &n)) == E_AGAIN && !sock_wait(client, WAIT_READ, loop_now_ns() + seconds(60)))
        ;
    CHECK_INT(e, E_REFUSED);
    sock_close(client);
}

FIBER_TEST(loops_share_a_port)
{
    sock *a, *b, *c, *d;
    world *w = world_here();
    CHECK_INT(sock_listen(w, loopback(0), (listen_options){.share_port = true}, &a), E_OK);
    CHECK_INT(sock_listen(w, sock_local(a), (listen_options){.share_port = true}, &b), E_OK);
    CHECK_INT(sock_datagram(w, loopback(0), true, &c), E_OK);
    CHECK_INT(sock_datagram(w, sock_local(c), true, &d), E_OK);
    sock_close(a), sock_close(b), sock_close(c), sock_close(d);
}

// A path with packets of 64 KiB: a queue that is shorter than two of them stands still until the receiver's late acknowledgement.
FIBER_TEST(a_queue_within_the_machine_is_not_made_short)
{
    enum { PACKETS_BYTES = 2 * 64 * 1024 };
    sock *l, *s, *a;
    addr peer, local;
    int bytes = 0;
    socklen_t size = sizeof bytes;
    CHECK_INT(sock_listen(world_here(), loopback(0), (listen_options){0}, &l), E_OK);
    CHECK_INT(connect_to(world_here(), sock_local(l), &s), E_OK);
    CHECK_INT(accept_one(l, &a, &peer, &local), E_OK);
    sock_queue_short(s, 16 * 1024);
    sock_queue_short(a, 16 * 1024);
    for (int i = 0; i < 2; i++)
        CHECK(getsockopt(linux_of(i ? a : s)->fd, SOL_SOCKET, SO_SNDBUF, &bytes, &size) == 0 && bytes > PACKETS_BYTES);
    sock_close(a), sock_close(s), sock_close(l);
}

// Everything that can be written without waiting, each byte that of its place in the stream.
static size_t put_all(sock *s, size_t from, size_t most)
{
    unsigned char bytes[8 * 1024];
    size_t at = from;
    while (at < most) {
        size_t put, n = most - at < sizeof bytes ? most - at : sizeof bytes;
        for (size_t i = 0; i < n; i++)
            bytes[i] = (unsigned char)((at + i) * 31 >> 4);
        if (sock_write(s, &(struct iovec){bytes, n}, 1, &put))
            break;
        at += put;
    }
    return at;
}

static size_t came_of(sock *s, size_t from)
{
    unsigned char bytes[8 * 1024];
    size_t at = from, got;
    while (sock_read(s, bytes, sizeof bytes, &got) == E_OK)
        for (size_t i = 0; i < got; i++, at++)
            CHECK_ROW((int)at, bytes[i] == (unsigned char)(at * 31 >> 4));
    return at;
}

static int waiting_bytes(sock *s)
{
    int bytes = -1;
    CHECK(ioctl(linux_of(s)->fd, SIOCOUTQ, &bytes) == 0);
    return bytes;
}

// With packets as a line carries them: how much waits at the sender while nobody reads, and that all arrives when somebody does.
FIBER_TEST(a_short_queue_keeps_little_and_delivers_all)
{
    enum { LEAST = 16 * 1024, PACKET = 1400, RECEIVE = 16 * 1024, ALL = 1 << 20 };
    sock *l, *s, *a;
    addr peer, local;
    int packet = PACKET, receive = RECEIVE;
    CHECK_INT(sock_listen(world_here(), loopback(0), (listen_options){0}, &l), E_OK);
    CHECK(setsockopt(linux_of(l)->fd, IPPROTO_TCP, TCP_MAXSEG, &packet, sizeof packet) == 0);
    CHECK(setsockopt(linux_of(l)->fd, SOL_SOCKET, SO_RCVBUF, &receive, sizeof receive) == 0);
    for (int is_short = 0; is_short < 2; is_short++) {
        CHECK_INT(connect_to(world_here(), sock_local(l), &s), E_OK);
        CHECK_INT(accept_one(l, &a, &peer, &local), E_OK);
        sock_queue_short(s, is_short ? LEAST : 0);
        size_t sent = put_all(s, 0, ALL), came = 0;
        CHECK_ROW(is_short, is_short == (waiting_bytes(s) <= 2 * LEAST));
        for (err e = E_OK; came < ALL && !e; ) {
            came = came_of(a, came);
            sent = put_all(s, sent, ALL);
            if (came < ALL)
                e = sock_wait(came < sent ? a : s, came < sent ? WAIT_READ : WAIT_WRITE, loop_now_ns() + seconds(60));
        }
        CHECK_INT((int)came, ALL);
        sock_close(a), sock_close(s);
    }
    sock_close(l);
}

// The writer that met the ceiling is woken when there is room again, and the queue can be made long again.
FIBER_TEST(a_short_queue_wakes_its_writer)
{
    enum { LEAST = 8 * 1024, PACKET = 1400, ALL = 1 << 20 };
    sock *l, *s, *a;
    addr peer, local;
    int packet = PACKET;
    CHECK_INT(sock_listen(world_here(), loopback(0), (listen_options){0}, &l), E_OK);
    CHECK(setsockopt(linux_of(l)->fd, IPPROTO_TCP, TCP_MAXSEG, &packet, sizeof packet) == 0);
    CHECK_INT(connect_to(world_here(), sock_local(l), &s), E_OK);
    CHECK_INT(accept_one(l, &a, &peer, &local), E_OK);
    sock_queue_short(s, LEAST);
    CHECK(linux_of(s)->write_max > 0 && linux_of(s)->write_max <= LEAST);
    size_t came = 0, sent = put_all(s, 0, ALL);
    for (err e = E_OK; sent < ALL && !e; sent = put_all(s, sent, ALL)) {
        came = came_of(a, came);
        e = sock_wait(s, WAIT_WRITE, loop_now_ns() + seconds(60));
    }
    CHECK_INT((int)sent, ALL);
    sock_queue_short(s, 0);
    CHECK_INT(linux_of(s)->write_max, 0);
    sock_close(a), sock_close(s), sock_close(l);
}

// ---- Unix sockets ---------------------------------------------------------------------------------------------------------

FIBER_TEST(unix_sockets_replace_dead_files_only)
{
    char home[] = "/tmp/naru-test-XXXXXX", path[64];
    world *w = world_here();
    sock *l, *other, *s, *a;
    addr peer, local;
    CHECK(mkdtemp(home));
    snprintf(path, sizeof path, "%s/door", home);
    CHECK_INT(sock_connect_unix(w, path, &s), E_NO_ENTRY);
    CHECK_INT(sock_listen_unix(w, path, 0600, &l), E_OK);
    struct stat st;
    CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
    CHECK_INT(sock_listen_unix(w, path, 0600, &other), E_IN_USE);
    CHECK_INT(accept_one(l, &a, &peer, &local), E_OK);   // that was the question whether somebody is there
    sock_close(a);
    CHECK_INT(sock_connect_unix(w, path, &s), E_OK);
    CHECK_INT(sock_connected(s), E_OK);
    CHECK_INT(accept_one(l, &a, &peer, &local), E_OK);
    CHECK_INT(peer.family, 0);
    CHECK_INT(write_text(s, S("over the wall")), E_OK);
    unsigned char bytes[32];
    size_t got;
    CHECK_INT(read_some(a, bytes, sizeof bytes, &got), E_OK);
    CHECK_STR(str_of(bytes, got), S("over the wall"));
    sock_close(s), sock_close(a), sock_close(l);         // the file stays, dead
    CHECK_INT(sock_connect_unix(w, path, &s), E_REFUSED);
    CHECK_INT(sock_listen_unix(w, path, 0600, &l), E_OK);
    sock_close(l);
    unlink(path);
    rmdir(home);
}

// ---- out of descriptors ---------------------------------------------------------------------------------------------------

static int fill_descriptors(int *fds, int max)
{
    int n = 0;
    while (n < max && (fds[n] = dup(STDERR_FILENO)) >= 0)
        n++;
    return n;
}

FIBER_TEST(out_of_descriptors_is_a_limit_that_does_not_spin_and_passes)
{
    enum { ALLOWED = 256 };
    int fds[ALLOWED];
    struct rlimit before, low;
    sock *l, *s, *a;
    addr peer, local;
    CHECK(getrlimit(RLIMIT_NOFILE, &before) == 0);
    low = (struct rlimit){ALLOWED, before.rlim_max};
    CHECK_INT(sock_listen(world_here(), loopback(0), (listen_options){0}, &l), E_OK);
    CHECK_INT(connect_to(world_here(), sock_local(l), &s), E_OK);
    CHECK(setrlimit(RLIMIT_NOFILE, &low) == 0);
    int n = fill_descriptors(fds, ALLOWED);
    CHECK_INT(accept_one(l, &a, &peer, &local), E_LIMIT);
    CHECK(!l->readable);
    CHECK_INT(sock_wait(l, WAIT_READ, loop_now_ns() + millis(20)), E_TIMEOUT);       // at rest, although one is waiting
    sock *more, *another;
    CHECK_INT(sock_connect(world_here(), sock_local(l), &more), E_LIMIT);
    close(fds[--n]);
    CHECK_INT(sock_connect(world_here(), sock_local(l), &another), E_OK);            // takes the last one, and knocks
    CHECK_INT(sock_wait(l, WAIT_READ, loop_now_ns() + millis(20)), E_TIMEOUT);       // which changes nothing
    while (n)
        close(fds[--n]);
    setrlimit(RLIMIT_NOFILE, &before);
    CHECK_INT(accept_one(l, &a, &peer, &local), E_OK);   // found again without a new connection
    sock_close(a), sock_close(s), sock_close(another), sock_close(l);
}

static int descriptors_open(void)
{
    int n = 0;
    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

// One of everything; what cannot be had is a limit, and what was had is given back.
static int make_everything(const char *path)
{
    world *w = world_here();
    sock *made[6];
    int n = 0;
    err e = sock_listen(w, loopback(0), (listen_options){0}, &made[n]);
    if (!e) {
        addr at = sock_local(made[n++]), peer, local;
        if (!(e = connect_to(w, at, &made[n])))
            n++;
        if (!e && !(e = accept_one(made[0], &made[n], &peer, &local)))
            n++;
    }
    if (!e && !(e = sock_datagram(w, loopback(0), false, &made[n])))
        n++;
    if (!e && !(e = sock_listen_unix(w, path, 0600, &made[n])))
        n++;
    if (!e && !(e = sock_connect_unix(w, path, &made[n])))
        n++;
    CHECK(e == E_OK || e == E_LIMIT);
    int complete = n;
    while (n)
        sock_close(made[--n]);
    unlink(path);
    return complete;
}

FIBER_TEST(every_lack_of_descriptors_is_a_limit_and_leaks_nothing)
{
    char home[] = "/tmp/naru-test-XXXXXX", path[64];
    struct rlimit before;
    CHECK(mkdtemp(home));
    CHECK(getrlimit(RLIMIT_NOFILE, &before) == 0);
    snprintf(path, sizeof path, "%s/door", home);
    int open_before = descriptors_open(), last = dup(STDERR_FILENO), complete = 0;
    close(last);
    for (int allowed = last; complete < 6 && allowed < last + 20; allowed++) {
        setrlimit(RLIMIT_NOFILE, &(struct rlimit){(rlim_t)allowed, before.rlim_max});
        int made = make_everything(path);
        setrlimit(RLIMIT_NOFILE, &before);
        CHECK_ROW(allowed, made >= complete);
        complete = made;
        CHECK_INT(descriptors_open(), open_before);
    }
    CHECK_INT(complete, 6);
    rmdir(home);
}
