// A host's own line: streams share it fairly, nothing is faster than it, unlimited hosts are as before.
#include "rt/scope.h"
#include "rt/sim.h"
#include "test.h"

enum { READERS_MAX = 8, BYTES = 1 << 20, RATE = 1 << 20, PORT = 6881 };

typedef struct {
    sim    *sim;
    world  *from, *to[READERS_MAX];
    addr    at;
    int     readers;
    int64_t begun_ns, done_ns[READERS_MAX];
    int     next;
} fan;

static void reader(void *arg)
{
    fan *f = arg;
    int me = f->next++;
    fiber_world(f->to[me]);
    sock *s;
    CHECK_INT(sock_connect(f->to[me], addr_with_port(f->at, PORT), &s), E_OK);
    CHECK_INT(sock_wait(s, WAIT_WRITE, NEVER_NS), E_OK);
    unsigned char piece[8000];
    err e;
    for (size_t got; (e = sock_read(s, piece, sizeof piece, &got)) == E_OK || e == E_AGAIN; )
        if (e == E_AGAIN && sock_wait(s, WAIT_READ, NEVER_NS))
            break;
    CHECK_INT(e, E_EOF);
    f->done_ns[me] = sim_now_ns(f->sim) - f->begun_ns;
    sock_close(s);
}

static void sender(void *arg)
{
    sock *s = arg;
    static const unsigned char bytes[4096];
    for (size_t done = 0, put; done < BYTES; done += put) {
        struct iovec v = {(void *)(uintptr_t)bytes, BYTES - done < sizeof bytes ? BYTES - done : sizeof bytes};
        if (sock_write(s, &v, 1, &put) == E_AGAIN)
            CHECK_INT(sock_wait(s, WAIT_WRITE, NEVER_NS), E_OK);
    }
    sock_close(s);
}

static void fan_play(void *arg)
{
    fan *f = arg;
    SCOPE(all, 0, 2 * READERS_MAX + 1);
    f->begun_ns = sim_now_ns(f->sim);
    sock *door;
    CHECK_INT(sock_listen(f->from, addr_v4(0, PORT), (listen_options){0}, &door), E_OK);
    for (int i = 0; i < f->readers; i++)
        scope_go(&all, "reader", reader, f);
    fiber_world(f->from);
    for (int i = 0; i < f->readers; i++) {
        sock *s;
        addr peer, local;
        for (err e; (e = sock_accept(door, &s, &peer, &local)); )
            CHECK_INT(sock_wait(door, WAIT_READ, NEVER_NS), E_OK);
        scope_go(&all, "sender", sender, s);
    }
    scope_wait(&all);
    sock_close(door);
}

static uint64_t fan_run(fan *f, int readers, sim_capacity up, sim_capacity down)
{
    *f = (fan){.sim = sim_new(5), .readers = readers, .at = addr_v4(0x0a000001, 0)};
    f->from = sim_host(f->sim, S("sender"), &f->at, 1, (sim_disk){0});
    sim_capacity_set(f->from, up);
    for (int i = 0; i < readers; i++) {
        addr at = addr_v4(0x0a000100 + (uint32_t)i, 0);
        f->to[i] = sim_host(f->sim, S("reader"), &at, 1, (sim_disk){0});
        sim_capacity_set(f->to[i], down);
    }
    CHECK_INT(sim_run(f->sim, fan_play, f), E_OK);
    uint64_t print = sim_fingerprint(f->sim);
    sim_free(f->sim);
    return print;
}

TEST(streams_share_a_hosts_line)
{
    fan f;
    for (int readers = 1; readers <= READERS_MAX; readers *= 2) {
        uint64_t print = fan_run(&f, readers, (sim_capacity){.up_bytes_per_s = RATE}, (sim_capacity){0});
        int64_t least = f.done_ns[0], most = f.done_ns[0], fair = (int64_t)readers * BYTES * NS_PER_S / RATE;
        for (int i = 0; i < readers; i++) {
            least = f.done_ns[i] < least ? f.done_ns[i] : least;
            most = f.done_ns[i] > most ? f.done_ns[i] : most;
        }
        CHECK(most >= fair && most < fair + fair / 50 + millis(10));           // the line is full and no fuller
        CHECK(least > fair - fair / 10);                                       // and nobody was favoured
        CHECK(fan_run(&f, readers, (sim_capacity){.up_bytes_per_s = RATE}, (sim_capacity){0}) == print);
    }
}

TEST(a_line_in_is_no_faster_than_it_is)
{
    fan f;
    fan_run(&f, 2, (sim_capacity){0}, (sim_capacity){.down_bytes_per_s = RATE});
    for (int i = 0; i < 2; i++)
        CHECK(f.done_ns[i] >= seconds(1) && f.done_ns[i] < seconds(1) + millis(50));
    fan_run(&f, 2, (sim_capacity){.up_bytes_per_s = RATE}, (sim_capacity){.down_bytes_per_s = RATE});
    for (int i = 0; i < 2; i++)
        CHECK(f.done_ns[i] > seconds(1) + millis(900) && f.done_ns[i] < seconds(2) + millis(100));
}

TEST(without_a_limit_a_line_costs_nothing)
{
    fan f;
    fan_run(&f, 4, (sim_capacity){0}, (sim_capacity){0});
    for (int i = 0; i < 4; i++)
        CHECK(f.done_ns[i] < millis(200));
}
