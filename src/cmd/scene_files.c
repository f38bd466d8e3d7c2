// The course's cases about files; F3, over real sockets.
#include "cmd/scene_files.h"
#include "cmd/small_swarm.h"
#include "rooms/swarm/swarm.h"

#define WAIT_NS seconds(20)

// Its torrent; where `add` says so it joins first.
static torrent *torrent_at(play *p, const char *host, bool add)
{
    small_host *h = small_find(p->net, str_z(host));
    swarm *s = swarm_of(node_room(&h->node, "swarm"));
    world *before = world_here();
    torrent *t = swarm_first(s);
    str why = {0};
    if (add) {
        fiber_world(h->world);
        err e = swarm_add(s, &(swarm_addition){.metainfo = small_swarm_torrent(p->net)}, &t, &p->memory, &why);
        fiber_world(before);
        play_check(p, e == E_OK, "%s joins the swarm of " SMALL_SWARM_NAME "%s" STR_FMT, host, why.len ? ": " : "", STR_ARG(why));
    }
    return t;
}

static bool is_complete(play *p, void *host)
{
    torrent_view v = {0};
    torrent *t = torrent_at(p, host, false);
    if (t)
        torrent_look(t, &v);
    return v.complete;
}

static void real_peers(play *p)
{
    static char alice[] = "alice.torrent.edu", bob[] = "bob.torrent.edu";
    torrent_view v;
    play_tell(p, "The library seeds " SMALL_SWARM_NAME " in %d chunks of 256 KB; Alice and Bob have a torrent file, and nothing else.", SMALL_SWARM_PIECES);
    torrent *hers = torrent_at(p, alice, true), *his = torrent_at(p, bob, true);
    if (!hers || !his)
        return;
    play_check(p, play_until(p, WAIT_NS, is_complete, alice), "Alice asked the tracker, found peers and has all of it, each chunk hashed");
    play_check(p, play_until(p, WAIT_NS, is_complete, bob), "so has Bob");
    int64_t sent = 0;
    static const char *const hosts[] = {"library.torrent.edu", alice, bob};
    for (int i = 0; i < 3; i++) {
        torrent_look(torrent_at(p, hosts[i], false), &v);
        play_tell(p, "%s sent %lld kB and received %lld kB", hosts[i], (long long)v.sent / 1000, (long long)v.received / 1000);
        sent += v.sent;
    }
    play_check(p, sent >= 2 * v.length, "what both received was sent by the three of them");
}

const scene file_scenes[] = {
    {"F1", "The race: client-server against P2P", race_act, NULL},
    {"F2", "A torrent's life", scene_torrent_life, NULL},
    {"F3", "Real peers", real_peers, "naru's own peers; libtorrent, Transmission, aria2 and rtorrent join in tests/interop"},
    {0},
};
