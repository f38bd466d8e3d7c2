// naru-dht-node: one DHT node in the real world, for the interop tests.
//
//     naru-dht-node ADDRESS:PORT SECONDS [router ADDRESS:PORT] [find HASH] [announce HASH PORT]
//
// Says "nodes N torrents N peers N" every second, and "found ADDRESS:PORT" and "told N" as it goes; ends after SECONDS.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/must.h"
#include "rooms/swarm/dht.h"
#include "rt/loop.h"
#include "rt/worker.h"

enum { ROUND_S = 1, FIBERS_MAX = 16 };

typedef struct {
    world   *world;
    addr     at;
    int      life_s;
    const char *routers[DHT_ROUTERS_MAX];
    int      router_count;
    uint8_t  hash[DHT_ID_BYTES];
    bool     finds;
    uint16_t port;                           // announced; 0: not
    dht     *dht;
} node_run;

static void found(void *arg, const uint8_t hash[DHT_ID_BYTES], const addr *peers, int count)
{
    (void)arg, (void)hash;
    for (int i = 0; i < count; i++) {
        char text[ADDR_TEXT_MAX];
        addr_print(text, peers[i]);
        printf("found %s\n", text);
    }
    fflush(stdout);
}

static void look_for(void *arg)
{
    node_run *r = arg;
    fiber_world(r->world);
    do {
        dht_outcome o = {0};
        err e = dht_find(r->dht, r->hash, r->at.family, r->port, false, found, r, &o);
        if (e == E_OK && r->port)
            printf("told %d\n", o.announced);
        fflush(stdout);
    } while (fiber_sleep(seconds(ROUND_S)) == E_OK);
}

static void run(void *arg)
{
    node_run *r = arg;
    SCOPE(s, 0, FIBERS_MAX);
    dht_settings settings = {.world = r->world, .router_count = r->router_count, .private_allowed = true};
    settings.at[r->at.family == 6] = r->at;
    for (int i = 0; i < r->router_count; i++)
        settings.routers[i] = str_z(r->routers[i]);
    err e = dht_start(&s, &settings, &r->dht);
    if (e) {
        printf("failed %s\n", err_text(e));
        return;
    }
    if (r->finds)
        scope_go(&s, "look for", look_for, r);
    for (int i = 0; i < r->life_s && fiber_sleep(seconds(1)) == E_OK; i++) {
        dht_view v;
        dht_look(r->dht, &v);
        printf("nodes %d torrents %d peers %d\n", v.side[0].nodes + v.side[1].nodes, v.torrents, v.peers);
        fflush(stdout);
    }
    scope_close(&s);
}

static bool hash_take(const char *text, node_run *r)
{
    r->finds = strlen(text) == 2 * DHT_ID_BYTES && hex_decode(r->hash, str_z(text));
    return r->finds;
}

static bool arguments_read(int count, char **words, node_run *r)
{
    uint64_t n;
    if (count < 3 || !addr_parse(str_z(words[1]), 6881, &r->at) || !str_to_u64(str_z(words[2]), &n) || n > 3600)
        return false;
    r->life_s = (int)n;
    for (int i = 3; i < count; i++) {
        if (strcmp(words[i], "router") == 0 && i + 1 < count && r->router_count < DHT_ROUTERS_MAX)
            r->routers[r->router_count++] = words[++i];
        else if (strcmp(words[i], "find") == 0 && i + 1 < count && hash_take(words[i + 1], r))
            i++;
        else if (strcmp(words[i], "announce") == 0 && i + 2 < count && hash_take(words[i + 1], r) &&
                 str_to_u64(str_z(words[i + 2]), &n) && n > 0 && n <= UINT16_MAX)
            r->port = (uint16_t)n, i += 2;
        else
            return false;
    }
    return true;
}

int main(int count, char **words)
{
    node_run r = {0};
    if (!arguments_read(count, words, &r)) {
        fprintf(stderr, "naru-dht-node ADDRESS:PORT SECONDS [router ADDRESS:PORT] [find HASH] [announce HASH PORT]\n");
        return 2;
    }
    addr own = addr_with_port(r.at, 0);
    workers_start(1);
    r.world = world_linux_new(S("node"), &own, 1);
    loop_driver *driver = driver_linux_new();
    err e = loop_run(driver, r.world, run, &r);
    driver_linux_free(driver);
    world_linux_free(r.world);
    workers_stop();
    return e ? 1 : 0;
}
