#include "rooms/swarm/local_discovery.h"

#include "rt/sim.h"
#include "test.h"

// ---- messages ---------------------------------------------------------------------------------------------------------------

#define HASH "0123456789abcdef0123456789ABCDEF01234567"
#define HEAD "BT-SEARCH * HTTP/1.1\r\nHost: 239.192.152.143:6771\r\n"

TEST(local_messages_are_read_and_written)
{
    static const struct { const char *text; int hashes; } rows[] = {
        {HEAD "Port: 6881\r\nInfohash: " HASH "\r\ncookie: abc\r\n\r\n\r\n", 1},
        {HEAD "Port: 6881\r\nInfohash: " HASH "\r\nInfohash: " HASH "\r\n\r\n\r\n", 2},
        {HEAD "port:6881\r\ninfohash:" HASH "\r\nX-Other: 1\r\n\r\n", 1},
        {HEAD "Port: 6881\r\n\r\n\r\n", -1}, {HEAD "Infohash: " HASH "\r\n\r\n\r\n", -1},
        {HEAD "Port: 0\r\nInfohash: " HASH "\r\n\r\n", -1}, {HEAD "Port: 65536\r\nInfohash: " HASH "\r\n\r\n", -1},
        {HEAD "Port: 1\r\nInfohash: 0123\r\n\r\n", -1}, {HEAD "Port: 1\r\nInfohash: z123456789abcdef0123456789ABCDEF01234567\r\n\r\n", -1},
        {"GET / HTTP/1.1\r\nPort: 1\r\nInfohash: " HASH "\r\n\r\n", -1}, {"", -1}, {"\r\n", -1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        local_message m;
        CHECK_ROW(i, local_message_read(str_z(rows[i].text), &m) == (rows[i].hashes > 0));
        CHECK_ROW(i, rows[i].hashes < 0 || (m.hash_count == rows[i].hashes && m.hashes[0][19] == 0x67 && m.port == 6881));
    }
    for (int family = 4; family <= 6; family += 2) {
        local_message m = {.port = 51413, .cookie = S("me")}, again;
        buf text = buf_make(LOCAL_MESSAGE_BYTES_MAX);
        for (; m.hash_count < LOCAL_HASHES_MAX; m.hash_count++)
            memset(m.hashes[m.hash_count], m.hash_count, LOCAL_HASH_BYTES);
        CHECK(local_message_write(&text, family, &m));                 // as many as may be fit into 1400 bytes
        CHECK(local_message_read(buf_str(&text), &again));
        CHECK(again.hash_count == LOCAL_HASHES_MAX && again.port == 51413 && str_eq(again.cookie, S("me")));
        CHECK(memcmp(again.hashes, m.hashes, sizeof m.hashes) == 0);
        buf_free(&text);
    }
}

// ---- a network --------------------------------------------------------------------------------------------------------------

enum { CLIENTS = 3 };

typedef struct {
    struct stage *stage;
    int     number;
    world  *world;
    local_discovery *local;
    int     found, of_hash[256];
    addr    last;
} client;

typedef struct stage { sim *sim; world *home; client client[CLIENTS]; scope life; int64_t asked; } stage;

static void found(void *arg, const uint8_t hash[LOCAL_HASH_BYTES], addr peer)
{
    client *c = arg;
    c->found++;
    c->of_hash[hash[0]]++;
    c->last = peer;
}

static void client_life(void *arg)
{
    client *c = arg;
    SCOPE(s, 0, 8);
    fiber_world(c->world);
    local_settings settings = {.world = c->world, .port = (uint16_t)(6881 + c->number), .private_only = true, .found = found, .arg = c};
    CHECK_INT(local_discovery_start(&s, &settings, &c->local), E_OK);
    while (fiber_sleep(seconds(3600)) == E_OK)
        ;
}

static bool add(client *c, int number)
{
    uint8_t hash[LOCAL_HASH_BYTES] = {(uint8_t)number, (uint8_t)(number >> 8)};
    return local_discovery_add(c->local, hash);
}

static void meet(stage *t)
{
    client *a = &t->client[0], *b = &t->client[1], *far = &t->client[2];
    CHECK(add(a, 1) && add(b, 1) && add(b, 2) && add(far, 1));
    fiber_sleep(seconds(5));
    CHECK(a->of_hash[1] >= 1 && b->of_hash[1] >= 1);
    CHECK(addr_eq(a->last, addr_v4(0x0a000002, 6882)) && addr_eq(b->last, addr_v4(0x0a000001, 6881)));
    CHECK(a->of_hash[2] == 0 && a->found == a->of_hash[1]);            // not ours; and nobody finds himself
    int before = b->found;
    fiber_sleep(seconds(600));
    CHECK_INT(b->found - before, 2);                                   // every five minutes
    local_discovery_remove(a->local, (uint8_t[LOCAL_HASH_BYTES]){1});
    before = b->found;
    int mine = a->found;
    fiber_sleep(seconds(600));
    CHECK(b->found == before && a->found == mine);                     // told no more, heard no more
    for (int i = 0; i < 500; i++)
        CHECK(add(a, 1000 + i));
    int64_t sent = sim_figures_now(t->sim).datagrams_sent;
    fiber_sleep(seconds(600));
    sent = sim_figures_now(t->sim).datagrams_sent - sent;
    CHECK(sent <= 10 + LOCAL_BURST + 2 + 8);                           // five hundred torrents: still a message a minute
}

// Whoever floods the group is heard a few times a minute; who is not of a private network, never.
static void flood(stage *t)
{
    client *a = &t->client[0];
    local_message m = {.port = 7000, .hash_count = 1};
    buf text = buf_make(LOCAL_MESSAGE_BYTES_MAX);
    int before = a->found, sent;
    sock *s;
    CHECK(add(a, 9));
    m.hashes[0][0] = 9;
    CHECK(local_message_write(&text, 4, &m));
    CHECK_INT(sock_datagram(t->client[1].world, addr_v4(0x0a000002, 0), false, &s), E_OK);
    addr group;
    CHECK(addr_parse_ip(S("239.192.152.143"), LOCAL_PORT, &group));
    for (int i = 0; i < 1000; i++) {
        datagram out = {.peer = group, .at = text.at, .len = text.len, .size = text.len};
        CHECK_INT(sock_send(s, &out, 1, &sent), E_OK);
        fiber_sleep(millis(10));
    }
    CHECK(a->found - before <= 2 * LOCAL_HEARD_PER_SENDER_MAX && a->found > before);      // two minutes may meet here
    sock_close(s);
    CHECK_INT(sock_datagram(t->home, addr_v4(0x2d000001, 0), false, &s), E_OK);
    before = a->of_hash[9];
    datagram out = {.peer = group, .at = text.at, .len = text.len, .size = text.len};
    CHECK_INT(sock_send(s, &out, 1, &sent), E_OK);
    fiber_sleep(seconds(2));
    CHECK_INT(a->of_hash[9], before);
    sock_close(s);
    buf_free(&text);
}

static void first_fiber(void *arg)
{
    stage *t = arg;
    fiber_world(t->home);
    scope_open(&t->life, 0, 16);
    for (int i = 0; i < CLIENTS; i++)
        CHECK_INT(sim_boot(t->client[i].world, &t->life, client_life, &t->client[i]), E_OK);
    fiber_sleep(millis(10));
    meet(t);
    fiber_sleep(seconds(60));
    flood(t);
    for (int i = 0; i < CLIENTS; i++)
        sim_shut_down(t->client[i].world);
    scope_close(&t->life);
}

TEST(neighbours_find_each_other_and_nobody_shouts)
{
    static stage t;
    addr home = addr_v4(0x2d000001, 0);
    t = (stage){.sim = sim_new(5)};
    t.home = sim_host(t.sim, S("home"), &home, 1, (sim_disk){0});
    for (int i = 0; i < CLIENTS; i++) {
        addr at = addr_v4(0x0a000001 + (uint32_t)i, 0);
        t.client[i] = (client){.stage = &t, .number = i};
        t.client[i].world = sim_host(t.sim, i == 0 ? S("a") : i == 1 ? S("b") : S("far"), &at, 1, (sim_disk){0});
    }
    sim_link_default(t.sim, (sim_link){.delay_min_ns = millis(1), .delay_max_ns = millis(1)});
    sim_partition(t.sim, t.client[0].world, t.client[2].world, true);
    sim_partition(t.sim, t.client[1].world, t.client[2].world, true);
    CHECK_INT(sim_run(t.sim, first_fiber, &t), E_OK);
    CHECK_INT(t.client[2].found, 0);                                   // another link
    sim_free(t.sim);
}
