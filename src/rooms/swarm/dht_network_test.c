// Many nodes in the simulated network: they find each other through one of them, with loss, crashes and a liar.
#include "rooms/swarm/announcer.h"
#include "rooms/swarm/dht.h"
#include "rt/sim.h"
#include "rt/worker.h"
#include "test.h"

enum { HOSTS_MAX = 48, NODES_MAX = 100, FIBERS_MAX = 400, ROUTER_PORT = 6881 };

typedef struct network network;

typedef struct {
    network *net;
    int      number, host;
    addr     at[2];
    bool     without_router, with_router6;
    dht     *dht;                            // NULL: its host is down
} node_of;

struct network {
    sim     *sim;
    world   *director, *hosts[HOSTS_MAX];
    scope    life;
    node_of  nodes[NODES_MAX];
    int      host_count, node_count;
    char     router[64], router6[64];
    void   (*body)(network *net);
    arena    memory;
    addr     heard[64];
    int      heard_count;
};

static addr host_address(int host, int which) { return addr_v4(0x2d000001 + (uint32_t)host * 0x10305 + (uint32_t)which * 0x90000, 0); }

static addr host_address6(int host)
{
    addr x = {.family = 6, .ip = {0x20, 0x01, 0x0d, 0xb8, 0, (uint8_t)host, (uint8_t)(host * 37), 1, [15] = 1}};
    return x;
}

typedef struct { world *world; str path; } table_place;

static void place_make(void *arg)
{
    const table_place *f = arg;
    char path[64];
    snprintf(path, sizeof path, STR_FMT, STR_ARG(f->path));
    CHECK_INT(dir_make(f->world, path, 0700), E_OK);
}

static void host_life(void *arg)
{
    network *net = ((node_of *)arg)->net;
    int host = ((node_of *)arg)->host;
    {
        SCOPE(s, 0, FIBERS_MAX);
        fiber_world(net->hosts[host]);
        for (int i = 0; i < net->node_count; i++) {
            node_of *n = &net->nodes[i];
            if (n->host != host)
                continue;
            dht_settings settings = {.world = net->hosts[host], .at = {n->at[0], n->at[1]}, .router_count = n->without_router ? 0 : 1};
            settings.routers[0] = str_z(net->router);
            if (n->with_router6)
                settings.routers[settings.router_count++] = str_z(net->router6);
            settings.directory = str_format(&net->memory, "/data%d", i);
            table_place f = {net->hosts[host], settings.directory};
            work(place_make, &f);
            CHECK_INT(dht_start(&s, &settings, &n->dht), E_OK);
        }
        while (fiber_sleep(seconds(3600)) == E_OK)
            ;
        for (int i = 0; i < net->node_count; i++)
            if (net->nodes[i].host == host)
                net->nodes[i].dht = NULL;
    }
}

static void first_fiber(void *arg)
{
    network *net = arg;
    fiber_world(net->director);
    scope_open(&net->life, 0, FIBERS_MAX);
    net->body(net);
    for (int h = 0; h < net->host_count; h++)
        if (sim_is_up(net->hosts[h]))
            sim_shut_down(net->hosts[h]);
    scope_close(&net->life);
}

static node_of *node_add(network *net, int host, addr at4, addr at6)
{
    node_of *n = &net->nodes[net->node_count];
    *n = (node_of){.net = net, .number = net->node_count++, .host = host, .at = {at4, at6}};
    return n;
}

static void host_boot(network *net, int host)
{
    for (int i = 0; i < net->node_count; i++)
        if (net->nodes[i].host == host) {
            CHECK_INT(sim_boot(net->hosts[host], &net->life, host_life, &net->nodes[i]), E_OK);
            return;
        }
}

static void play(uint64_t seed, sim_link link, int hosts, void (*lay_out)(network *), void (*body)(network *))
{
    static network net;
    addr own = addr_v4(0x2cffffff, 0);
    net = (network){.sim = sim_new(seed), .body = body, .memory = arena_make(1 << 20), .host_count = hosts};
    net.director = sim_host(net.sim, S("home"), &own, 1, (sim_disk){0});
    for (int h = 0; h < hosts; h++) {
        addr at[3] = {host_address(h, 0), host_address(h, 1), host_address6(h)};
        net.hosts[h] = sim_host(net.sim, str_format(&net.memory, "h%d", h), at, 3, (sim_disk){0});
    }
    char text[ADDR_TEXT_MAX];
    addr_print(text, addr_with_port(host_address(0, 0), ROUTER_PORT));
    snprintf(net.router, sizeof net.router, "%s", text);
    addr_print(text, addr_with_port(host_address6(0), ROUTER_PORT));
    snprintf(net.router6, sizeof net.router6, "%s", text);
    sim_link_default(net.sim, link);
    lay_out(&net);
    CHECK_INT(sim_run(net.sim, first_fiber, &net), E_OK);
    sim_free(net.sim);
    arena_free(&net.memory);
}

static void found(void *arg, const uint8_t hash[DHT_ID_BYTES], const addr *peers, int count)
{
    network *net = arg;
    (void)hash;
    for (int i = 0; i < count && net->heard_count < 64; i++)
        net->heard[net->heard_count++] = peers[i];
}

static bool heard(const network *net, addr peer)
{
    for (int i = 0; i < net->heard_count; i++)
        if (addr_eq(net->heard[i], peer))
            return true;
    return false;
}

static void torrent(uint8_t hash[DHT_ID_BYTES], int number)
{
    for (int i = 0; i < DHT_ID_BYTES; i++)
        hash[i] = (uint8_t)((number + 1) * (i * 29 + 71));
}

// ---- ninety nodes -----------------------------------------------------------------------------------------------------------

static void two_nodes_a_host(network *net)
{
    for (int h = 0; h < net->host_count; h++)
        for (int which = 0; which < 2; which++)
            node_add(net, h, addr_with_port(host_address(h, which), ROUTER_PORT), (addr){0});
}

enum { ANNOUNCERS = 12, ANNOUNCE_PORT = 51413 };

static void announces(network *net, int *told)
{
    for (int i = 0; i < ANNOUNCERS; i++) {
        uint8_t hash[DHT_ID_BYTES];
        dht_outcome o = {0};
        torrent(hash, i);
        node_of *n = &net->nodes[(i * 7 + 3) % net->node_count];
        if (n->dht && dht_find(n->dht, hash, 4, ANNOUNCE_PORT, false, found, net, &o) == E_OK)
            *told += o.announced;
    }
}

static int look_ups(network *net, int *tried)
{
    int hits = 0;
    for (int i = 0; i < 60; i++) {
        uint8_t hash[DHT_ID_BYTES];
        torrent(hash, i % ANNOUNCERS);
        node_of *n = &net->nodes[(i * 11 + 5) % net->node_count], *holder = &net->nodes[(i % ANNOUNCERS * 7 + 3) % net->node_count];
        if (!n->dht)
            continue;
        net->heard_count = 0;
        ++*tried;
        CHECK_INT(dht_find(n->dht, hash, 4, 0, false, found, net, NULL), E_OK);
        hits += heard(net, addr_with_port(holder->at[0], ANNOUNCE_PORT));
    }
    return hits;
}

static void churn_body(network *net)
{
    int told = 0, tried = 0, poor = 0, unfit = 0;
    for (int h = 0; h < net->host_count; h++) {
        host_boot(net, h);
        fiber_sleep(millis(500));
    }
    fiber_sleep(seconds(300));
    for (int i = 0; i < net->node_count; i++) {
        dht_view v;
        dht_look(net->nodes[i].dht, &v);
        poor += v.side[0].nodes < 12;
        unfit += !dht_id_fits(v.side[0].id, net->nodes[i].at[0]);
    }
    CHECK_INT(poor, 0);                                       // everybody knows many
    CHECK(unfit <= net->node_count / 20);                     // and has an id that belongs to his address
    announces(net, &told);
    CHECK(told >= ANNOUNCERS * 6);
    int hits = look_ups(net, &tried);
    CHECK(tried == 60 && hits >= 58);
    for (int round = 0; round < 10; round++) {                // a fifth of the hosts dies and comes back, one by one
        int h = 1 + (int)sim_random_below(net->sim, (uint64_t)net->host_count - 1);
        sim_crash(net->hosts[h]);
        fiber_sleep(seconds(45));
        sim_restart(net->hosts[h]);
        host_boot(net, h);
        fiber_sleep(seconds(15));
    }
    tried = 0;
    hits = look_ups(net, &tried);
    CHECK(tried >= 58 && hits * 100 >= tried * 90);           // what eight nodes hold survives some of them
    announces(net, &told);
    tried = 0;
    hits = look_ups(net, &tried);
    CHECK(hits * 100 >= tried * 96);
    sim_figures f = sim_figures_now(net->sim);
    printf("  %d nodes, %lld datagrams, %lld lost, %lld s of virtual time\n", net->node_count, (long long)f.datagrams_sent,
           (long long)f.datagrams_lost, (long long)(sim_now_ns(net->sim) / NS_PER_S));
}

TEST(ninety_nodes_find_each_others_announces_with_loss_and_churn)
{
    sim_link link = {.delay_min_ns = millis(10), .delay_max_ns = millis(120), .lose_per_million = 50000};
    play(1, link, 45, two_nodes_a_host, churn_body);
}

// ---- sybils -----------------------------------------------------------------------------------------------------------------

static void sybil_lay_out(network *net)
{
    for (int h = 0; h < net->host_count - 1; h++)
        node_add(net, h, addr_with_port(host_address(h, 0), ROUTER_PORT), (addr){0});
    for (int i = 0; i < 60; i++)                              // one host, one address, sixty nodes
        node_add(net, net->host_count - 1, addr_with_port(host_address(net->host_count - 1, 0), (uint16_t)(20000 + i)), (addr){0});
}

static void sybil_body(network *net)
{
    int told = 0, tried = 0;
    for (int h = net->host_count - 1; h >= 0; h--)            // the sybils are there first, and wait for a router
        host_boot(net, h);
    fiber_sleep(seconds(900));
    for (int i = 0; i < net->host_count - 1; i++) {
        dht_view v;
        dht_look(net->nodes[i].dht, &v);
        CHECK_ROW(i, v.side[0].nodes <= net->host_count - 1); // the others, and one of the sixty
        CHECK_ROW(i, v.side[0].nodes >= 8);
    }
    int all = net->node_count;
    net->node_count = net->host_count - 1;
    announces(net, &told);
    int hits = look_ups(net, &tried);
    net->node_count = all;
    CHECK(tried == 60 && hits >= 58);
}

TEST(sybils_at_one_address_fill_no_table)
{
    play(2, (sim_link){.delay_min_ns = millis(10), .delay_max_ns = millis(50)}, 25, sybil_lay_out, sybil_body);
}

// ---- two families, a file ---------------------------------------------------------------------------------------------------

static void dual_lay_out(network *net)
{
    for (int h = 0; h < net->host_count; h++) {
        node_of *n = node_add(net, h, addr_with_port(host_address(h, 0), ROUTER_PORT), addr_with_port(host_address6(h), ROUTER_PORT));
        n->with_router6 = h % 2 == 0;                         // the others hear of IPv6 nodes over IPv4 (BEP 32)
    }
}

static void dual_body(network *net)
{
    uint8_t hash[DHT_ID_BYTES];
    dht_outcome o = {0};
    dht_view v;
    for (int h = 0; h < net->host_count; h++)
        host_boot(net, h);
    fiber_sleep(seconds(600));
    dht_look(net->nodes[5].dht, &v);
    CHECK(v.ready && v.side[0].nodes >= 8 && v.side[1].nodes >= 4);
    torrent(hash, 1);
    CHECK_INT(dht_find(net->nodes[5].dht, hash, 0, ANNOUNCE_PORT, true, found, net, &o), E_OK);
    net->heard_count = 0;
    CHECK_INT(dht_find(net->nodes[9].dht, hash, 0, 0, false, found, net, NULL), E_OK);
    CHECK(heard(net, net->nodes[5].at[0]) && heard(net, net->nodes[5].at[1]));         // implied: the DHT's own port
    sim_shut_down(net->hosts[7]);                             // its table is in a file: no router is needed any more
    net->nodes[7].without_router = true;
    CHECK(net->nodes[7].dht == NULL);
    fiber_sleep(seconds(10));
    host_boot(net, 7);
    fiber_sleep(seconds(30));
    dht_look(net->nodes[7].dht, &v);
    CHECK(v.ready && v.side[0].nodes >= 8);
    net->heard_count = 0;
    CHECK_INT(dht_find(net->nodes[7].dht, hash, 4, 0, false, found, net, NULL), E_OK);
    CHECK(heard(net, net->nodes[5].at[0]));
}

TEST(both_families_are_found_through_a_router_and_remembered_in_a_file)
{
    sim_link link = {.delay_min_ns = millis(10), .delay_max_ns = millis(50), .lose_per_million = 20000};
    play(3, link, 24, dual_lay_out, dual_body);
}

// ---- nobody -----------------------------------------------------------------------------------------------------------------

static void lonely_lay_out(network *net)
{
    node_add(net, 1, addr_with_port(host_address(1, 0), ROUTER_PORT), (addr){0});
}

static void lonely_body(network *net)
{
    uint8_t hash[DHT_ID_BYTES] = {1};
    host_boot(net, 1);
    fiber_sleep(seconds(120));
    CHECK_INT(dht_find(net->nodes[0].dht, hash, 4, 0, false, found, net, NULL), E_AGAIN);
    CHECK_INT(dht_find(net->nodes[0].dht, hash, 6, 0, false, found, net, NULL), E_UNSUPPORTED);
    sim_figures f = sim_figures_now(net->sim);
    CHECK(f.datagrams_sent < 50);                             // it asks for its router ever more seldom
    CHECK_INT(dht_port(net->nodes[0].dht, 4), ROUTER_PORT);
    CHECK_INT(dht_port(net->nodes[0].dht, 6), 0);
}

TEST(a_node_alone_says_so_and_keeps_quiet)
{
    play(4, (sim_link){.delay_min_ns = millis(10), .delay_max_ns = millis(10)}, 2, lonely_lay_out, lonely_body);
}

// ---- an announcer -----------------------------------------------------------------------------------------------------------

static void torrent_figures(void *arg, announcer_figures *out)
{
    (void)arg;
    *out = (announcer_figures){.left = 1, .wanted = -1};
}

static void torrent_peers(void *arg, const addr *list, int count, peer_source from)
{
    network *net = arg;
    CHECK_INT(from, PEER_FROM_DHT);
    found(net, NULL, list, count);
}

static announcer *torrent_start(network *net, announcers *all, int number, uint16_t port, bool is_private)
{
    announcer_torrent t = {.port = port, .private_torrent = is_private};
    announcer_calls calls = {.figures = torrent_figures, .peers = torrent_peers, .arg = net};
    torrent(t.hash, number);
    return announcer_start(all, &t, &calls);
}

static void announcer_body(network *net)
{
    tracker_asker asker = {.world = net->director};
    announcers *here = NULL, *there = NULL;
    for (int h = 0; h < net->host_count; h++)
        host_boot(net, h);
    fiber_sleep(seconds(60));
    announcers_settings a = {.asker = &asker, .dht = net->nodes[3].dht}, b = {.asker = &asker, .dht = net->nodes[8].dht};
    CHECK(announcers_start(&net->life, &a, &here) == E_OK && announcers_start(&net->life, &b, &there) == E_OK);
    net->heard_count = 0;
    announcer *one = torrent_start(net, here, 1, 7001, false), *secret = torrent_start(net, here, 2, 7002, true);
    fiber_sleep(seconds(30));
    announcer *two = torrent_start(net, there, 1, 7003, false), *other = torrent_start(net, there, 2, 7004, false);
    fiber_sleep(seconds(30));
    CHECK(heard(net, addr_with_port(net->nodes[3].at[0], 7001)));
    CHECK(!heard(net, addr_with_port(net->nodes[3].at[0], 7002)));            // BEP 27: never told to the DHT
    announcer_nudge(one, ANNOUNCER_NEEDS_PEERS);
    fiber_sleep(seconds(ANNOUNCER_DHT_S));
    CHECK(heard(net, addr_with_port(net->nodes[8].at[0], 7003)));
    announcer *many[40];
    for (int i = 0; i < 40; i++)
        many[i] = torrent_start(net, here, 10 + i, 7100, false);
    fiber_sleep(seconds(1));
    for (int i = 0; i < 40; i++)                                              // some at work, some waiting for their turn
        announcer_stop(many[i], 0);
    announcer_stop(one, seconds(1)), announcer_stop(two, seconds(1)), announcer_stop(secret, 0), announcer_stop(other, 0);
}

TEST(an_announcer_asks_the_dht_unless_the_torrent_is_private)
{
    play(6, (sim_link){.delay_min_ns = millis(10), .delay_max_ns = millis(50)}, 12, dual_lay_out, announcer_body);
}
