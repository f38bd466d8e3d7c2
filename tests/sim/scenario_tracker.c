// tracker: clients announce over UDP to a tracker whose host crashes again and again, over links that lose and delay. After each
// restart everybody is known who was answered a little before the crash, and who had left is not; nobody is ever told of himself.
#include <string.h>

#include "base/must.h"
#include "rooms/tracker/room_inside.h"
#include "rooms/tracker/udp.h"
#include "trial.h"

enum { CLIENTS = 16, SWARMS = 3, LIVES = 4, WRITTEN_S = 4, ANSWER_WAIT_S = 2, CLIENT_MEMORY_BYTES = 1 << 20, ROUNDS_A_LIFE = 6 };

typedef struct tracking tracking;
typedef struct {
    tracking *t;
    world   *w;
    unsigned number;
    int64_t  answered_ns, left_ns;       // when it was last answered; when its goodbye was; 0: not
    bool     coming, going;              // such an announce is on its way: it may have been heard or not
} client;

struct tracking {
    trial  *t;
    world  *server;
    addr    at;
    client  clients[CLIENTS];
    room   *r;                           // while it serves
    bool    ended;
    int64_t crashed_ns;
    int     lives, told;
};

static tracker_announce said_by(const client *k, bool leaving)
{
    tracker_announce x = {.port = (uint16_t)(2000 + k->number), .left = k->number % 3 ? 100 : 0, .wanted = 50, .has_key = true,
                          .key = 1000 + k->number, .event = leaving ? TRACKER_STOPPED : TRACKER_NONE};
    x.hash[0] = (uint8_t)(k->number % SWARMS);
    x.peer_id[0] = (uint8_t)k->number;
    return x;
}

// ---- clients ----------------------------------------------------------------------------------------------------------------

static bool ask(client *k, sock *s, const tracker_udp_request *q, arena *a, tracker_udp_reply *reply)
{
    unsigned char bytes[UDP_REQUEST_BYTES_MAX];
    str wire = tracker_udp_request_write(bytes, sizeof bytes, q);
    datagram out = {.at = bytes, .len = (size_t)wire.len}, in = {.at = bytes, .size = sizeof bytes};
    int n;
    int64_t until = world_now_ns(k->w) + seconds(ANSWER_WAIT_S);
    err e = sock_send(s, &out, 1, &n);
    while (e == E_OK && (e = sock_receive(s, &in, 1, &n)) == E_AGAIN)
        e = sock_wait(s, WAIT_READ, until);
    if (e != E_OK)
        return false;
    return tracker_udp_reply_read(str_copy(a, str_of(in.at, in.len)), 4, a, reply) && reply->transaction == q->transaction;
}

static void told_check(client *k, const tracker_udp_reply *reply)
{
    int count;
    addr own = addr_with_port(world_addresses(k->w, &count)[0], (uint16_t)(2000 + k->number));
    for (int i = 0; i < reply->peer_count; i++) {
        if (addr_eq(reply->peers[i], own))
            trial_failed(k->t->t, "client %u is told of itself", k->number);
        if ((reply->peers[i].port - 2000u) % SWARMS != k->number % SWARMS)
            trial_failed(k->t->t, "client %u is told of a peer of another swarm", k->number);
    }
    k->t->told += reply->peer_count;
}

static bool announced(client *k, sock *s, bool leaving, arena *a)
{
    tracker_udp_reply reply;
    if (!ask(k, s, &(tracker_udp_request){.action = TRACKER_UDP_CONNECT, .transaction = 1}, a, &reply) || reply.action != TRACKER_UDP_CONNECT)
        return false;
    tracker_udp_request q = {.action = TRACKER_UDP_ANNOUNCE, .transaction = 2, .connection = reply.connection, .announce = said_by(k, leaving)};
    if (!ask(k, s, &q, a, &reply) || reply.action != TRACKER_UDP_ANNOUNCE)
        return false;
    told_check(k, &reply);
    return true;
}

static bool announce_once(client *k, bool leaving)
{
    arena a = arena_make(CLIENT_MEMORY_BYTES);
    sock *s;
    bool good = false;
    leaving ? (k->going = true) : (k->coming = true);
    if (sock_datagram(k->w, addr_v4(0, 0), false, &s) == E_OK) {
        good = sock_datagram_connect(s, addr_with_port(k->t->at, TRACKER_PORT)) == E_OK && announced(k, s, leaving, &a);
        sock_close(s);
    }
    arena_free(&a);
    if (good) {
        k->answered_ns = leaving ? 0 : sim_now_ns(k->t->t->sim);
        k->left_ns = leaving ? sim_now_ns(k->t->t->sim) : 0;
        k->coming = k->going = false;
    }
    return good;
}

static void client_run(void *arg)
{
    client *k = arg;
    fiber_world(k->w);
    while (!k->t->ended && !fiber_canceled()) {
        bool leaving = k->answered_ns && world_random_below(k->w, 6) == 0;
        if (!k->left_ns || world_random_below(k->w, 4) == 0)
            (void)announce_once(k, leaving);
        fiber_sleep((int64_t)world_random_below(k->w, (uint64_t)seconds(8)));
    }
}

// ---- the tracker ------------------------------------------------------------------------------------------------------------

static bool is_known(tracker_room *room_of, const client *k)
{
    int count;
    tracker_announce said = said_by(k, false);
    torrent *x = swarms_find(room_of->core.store, said.hash);
    return x && peer_set_find_address(torrent_set(x, 4), addr_with_port(world_addresses(k->w, &count)[0], said.port)) != PEER_NONE;
}

static void memory_check(tracking *x)
{
    int64_t written_ns = x->crashed_ns - seconds(WRITTEN_S);
    for (int i = 0; i < CLIENTS && x->crashed_ns; i++) {
        const client *k = &x->clients[i];
        bool known = is_known(x->r->state, k);
        if (k->answered_ns && k->answered_ns < written_ns && !k->going && !known) {
            trial_failed(x->t, "life %d: client %d was answered and is forgotten", x->lives, i);
            x->t->tally.lost++;
        } else if (k->left_ns && k->left_ns < written_ns && !k->coming && known) {
            trial_failed(x->t, "life %d: client %d had left and is back", x->lives, i);
        } else if (k->answered_ns && k->answered_ns < written_ns && known) {
            x->t->tally.records++;
        }
    }
}

static void tracker_boot(void *arg)
{
    tracking *x = arg;
    arena a = arena_make(CLIENT_MEMORY_BYTES);
    config_error error;
    str why = {0};
    node n;
    x->lives++;
    statement *block = config_parse(S("sim"), S("open yes; interval 10m; interval-min 1s"), &a, NULL, NULL, &error);
    must(block && config_check(block, tracker_kind.settings, &a, &error));
    if (node_start(&n, x->server, S("tracker"), S("data")) == E_OK) {
        err e = node_add(&n, &tracker_kind, block, &x->r, &why);
        if (e == E_OK)
            memory_check(x);
        else if (e != E_CRASHED && e != E_CANCELED)
            trial_failed(x->t, "life %d: the tracker does not start: " STR_FMT, x->lives, STR_ARG(why));
        while (e == E_OK && !fiber_canceled())
            fiber_sleep(seconds(1));
        x->r = NULL;
        node_stop(&n);
    }
    arena_free(&a);
}

// What was said in the last seconds may not be written, and is not said again after the restart: as if it were still on its way.
static void crash(tracking *x)
{
    x->crashed_ns = sim_now_ns(x->t->sim);
    sim_crash(x->server);
    for (client *k = x->clients; k < x->clients + CLIENTS; k++) {
        k->going |= k->answered_ns >= x->crashed_ns - seconds(WRITTEN_S);
        k->coming |= k->left_ns >= x->crashed_ns - seconds(WRITTEN_S);
    }
}

void tracker_play(trial *t)
{
    tracking x = {.t = t, .at = addr_v4(0x0a000001, 0)};
    sim_link_default(t->sim, (sim_link){.delay_min_ns = millis(1), .delay_max_ns = millis(sim_between(t->sim, 1, 100)),
                                        .lose_per_million = (int)sim_random_below(t->sim, 100000)});
    x.server = sim_host(t->sim, S("tracker"), &x.at, 1, (sim_disk){.write_ns = 20000, .sync_ns = millis(2), .per_kib_ns = 500});
    arena a = arena_make(10000);
    for (int i = 0; i < CLIENTS; i++) {
        addr at = addr_v4(0x0a000100u + (uint32_t)i, 0);
        x.clients[i] = (client){.t = &x, .w = sim_host(t->sim, str_format(&a, "client%d", i), &at, 1, (sim_disk){0}), .number = (unsigned)i};
    }
    SCOPE(hosts, 0, 4);
    SCOPE(talkers, 0, CLIENTS);
    sim_boot(x.server, &hosts, tracker_boot, &x);
    for (int i = 0; i < CLIENTS; i++)
        scope_go(&talkers, "client", client_run, &x.clients[i]);
    for (int life = 0; life < LIVES; life++) {
        fiber_sleep(sim_between(t->sim, seconds(10), seconds(ROUNDS_A_LIFE * 10)));
        crash(&x);
        fiber_sleep(sim_between(t->sim, 0, seconds(20)));
        sim_restart(x.server);
        sim_boot(x.server, &hosts, tracker_boot, &x);
    }
    fiber_sleep(seconds(20));
    x.ended = true;
    scope_wait(&talkers);
    sim_shut_down(x.server);
    if (x.told == 0)
        trial_failed(t, "nobody was told of anybody");
    arena_free(&a);
}
