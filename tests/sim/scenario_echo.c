// echo: a host runs the service `upper` over TCP (each chunk answered at once) and UDP; clients on other
// hosts talk to it over links that lose, delay, reorder, cut and part. Every answer that comes is right, and in
// the end every client was served.
#include <string.h>

#include "rooms/upper/upper.h"
#include "rt/conn.h"
#include "rt/scope.h"
#include "trial.h"

enum { CLIENTS = 6, ROUNDS = 4, TEXT_BYTES_MAX = 2000, PATIENCE_S = 30, TRIES_MAX = 200 };

typedef struct {
    trial *t;
    world *server, *clients[CLIENTS];
    addr   at;
    int    served_tcp, served_udp;
} echo;

typedef struct { echo *e; int number; } echo_client;

static void text_upper(unsigned char *out, str in)
{
    for (ptrdiff_t i = 0; i < in.len; i++)
        out[i] = upper(in.at[i]);
}

static void echo_boot(void *arg)
{
    echo *e = arg;
    node n = {0};
    str why = S("");
    err trouble = node_start(&n, e->server, S("server"), S("data"));
    if (!trouble)
        trouble = node_add(&n, &upper_kind, NULL, NULL, &why);
    if (trouble && sim_is_up(e->server))
        trial_failed(e->t, "upper does not start: %s " STR_FMT, err_text(trouble), STR_ARG(why));
    while (fiber_sleep(seconds(3600)) == E_OK)
        ;
    node_stop(&n);
}

// ---- clients -----------------------------------------------------------------------------------------------

static size_t text_make(world *w, unsigned char *out)
{
    size_t len = 1 + (size_t)world_random_below(w, TEXT_BYTES_MAX);
    for (size_t i = 0; i < len; i++)
        out[i] = (unsigned char)('a' + world_random_below(w, 26));
    return len;
}

static bool tcp_round(echo *e, world *w)
{
    unsigned char text[TEXT_BYTES_MAX], want[TEXT_BYTES_MAX], got[TEXT_BYTES_MAX];
    size_t len = text_make(w, text);
    text_upper(want, str_of(text, len));
    conn *c = conn_open(w, addr_with_port(e->at, UPPER_PORT), seconds(PATIENCE_S));
    conn_deadline(c, seconds(PATIENCE_S));
    conn_put(c, str_of(text, len));
    bool answered = conn_read(c, got, len);
    if (answered && memcmp(got, want, len))
        trial_failed(e->t, "TCP: the answer to %zu bytes is wrong", len);
    conn_close(c);
    return answered;
}

static bool udp_round(echo *e, world *w)
{
    unsigned char text[TEXT_BYTES_MAX], want[TEXT_BYTES_MAX], got[TEXT_BYTES_MAX];
    size_t len = text_make(w, text);
    text_upper(want, str_of(text, len));
    sock *s;
    if (sock_datagram(w, addr_v4(0, 0), false, &s))
        return false;
    bool answered = false;
    int n;
    datagram out = {.at = text, .len = len}, in = {.at = got, .size = sizeof got};
    if (!sock_datagram_connect(s, addr_with_port(e->at, UPPER_PORT)) && !sock_send(s, &out, 1, &n)
     && !sock_wait(s, WAIT_READ, world_now_ns(w) + seconds(2)) && !sock_receive(s, &in, 1, &n)) {
        answered = true;
        if (in.len != len || memcmp(got, want, len))
            trial_failed(e->t, "UDP: the answer to %zu bytes is wrong", len);
    }
    sock_close(s);
    return answered;
}

static bool served(echo *e, world *w, bool (*round)(echo *, world *))
{
    for (int i = 0; i < TRIES_MAX && !fiber_canceled(); i++) {
        if (round(e, w))
            return true;
        fiber_sleep(seconds(1));
    }
    return false;
}

static void client_run(void *arg)
{
    echo_client *k = arg;
    echo *e = k->e;
    world *w = e->clients[k->number];
    fiber_world(w);
    for (int i = 0; i < ROUNDS; i++) {
        e->served_tcp += served(e, w, tcp_round);
        e->served_udp += served(e, w, udp_round);
    }
}

// ---- the trial ---------------------------------------------------------------------------------------------

static void troubles(echo *e, scope *hosts)
{
    sim *s = e->t->sim;
    for (int i = 0; i < 6; i++) {
        fiber_sleep(sim_between(s, 0, seconds(5)));
        world *victim = e->clients[sim_random_below(s, CLIENTS)];
        switch (sim_random_below(s, 3)) {
        case 0:
            sim_partition(s, e->server, victim, true);
            fiber_sleep(sim_between(s, 0, seconds(40)));
            sim_partition(s, e->server, victim, false);
            break;
        case 1:
            sim_cut_streams(e->server, victim);
            break;
        case 2:
            sim_crash(e->server);
            fiber_sleep(sim_between(s, 0, seconds(20)));
            sim_restart(e->server);
            sim_boot(e->server, hosts, echo_boot, e);
            break;
        }
    }
}

void echo_play(trial *t)
{
    echo e = {.t = t, .at = addr_v4(0x0a000001, 0)};
    sim_link_default(
        t->sim, (sim_link){.delay_min_ns = millis(1),
                           .delay_max_ns = millis(sim_between(t->sim, 1, 200)),
                           .lose_per_million = (int)sim_random_below(t->sim, 100000),
                           .cut_per_million = (int)sim_random_below(t->sim, 20000),
                           .bytes_per_s = sim_chance(t->sim, 500000) ? sim_between(t->sim, 20000, 1000000) : 0});
    e.server = sim_host(t->sim, S("server"), &e.at, 1, (sim_disk){0});
    arena a = arena_make(10000);
    echo_client clients[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        addr at = addr_v4(0x0a000100u + (uint32_t)i, 0);
        e.clients[i] = sim_host(t->sim, str_format(&a, "client%d", i), &at, 1, (sim_disk){0});
        clients[i] = (echo_client){&e, i};
    }
    SCOPE(hosts, 0, 4);
    sim_boot(e.server, &hosts, echo_boot, &e);
    SCOPE(talkers, 0, CLIENTS);
    for (int i = 0; i < CLIENTS; i++)
        scope_go(&talkers, "client", client_run, &clients[i]);
    troubles(&e, &hosts);
    scope_wait(&talkers);
    sim_shut_down(e.server);
    if (e.served_tcp != CLIENTS * ROUNDS || e.served_udp != CLIENTS * ROUNDS)
        trial_failed(t, "of %d rounds %d were served over TCP and %d over UDP", CLIENTS * ROUNDS, e.served_tcp,
                     e.served_udp);
    arena_free(&a);
}
