// The course's cases about files; F3, over real sockets.
#include "cmd/scene_files.h"

#include <string.h>

#include "cmd/scene_other_peers.h"
#include "cmd/small_swarm.h"
#include "rooms/swarm/swarm.h"
#include "rooms/tracker/tracker.h"
#include "rt/worker.h"

#define WAIT_NS seconds(120)
#define OTHERS_WAIT_NS seconds(180)          // Transmission takes its ten seconds before it says a word
enum { TORRENT_BYTES_MAX = 64 * 1024, PEERS_SHOWN = 16 };

static char alice[] = "alice.torrent.edu", bob[] = "bob.torrent.edu", library[] = "library.torrent.edu";

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

static torrent_view look(play *p, const char *host)
{
    torrent_view v = {0};
    torrent *t = torrent_at(p, host, false);
    if (t)
        torrent_look(t, &v);
    return v;
}

static void pause_at(play *p, const char *host)
{
    torrent *t = torrent_at(p, host, false);
    world *before = world_here();
    fiber_world(small_find(p->net, str_z(host))->world);
    if (t)
        torrent_pause(t);
    fiber_world(before);
}

// ---- naru's own -----------------------------------------------------------------------------------------------------------

static void own_peers(play *p)
{
    play_tell(p, "The library seeds " SMALL_SWARM_NAME " in %d chunks of 256 KB; Alice has a torrent file, and nothing else.", SMALL_SWARM_PIECES);
    if (torrent_at(p, alice, true))
        play_check(p, play_until(p, WAIT_NS, is_complete, alice), "Alice asked the tracker, found peers and has all of it, each chunk hashed");
}

// ---- the programs that people use -----------------------------------------------------------------------------------------

typedef struct {
    other_peer others[OTHER_PEERS];
    int   running;
    str   whole;                             // the file's bytes
    const char *torrent_path, *file_path;
    str   torrent;
    err   failed;
    play *play;
} meeting;

// The same torrent, with a tracker's address in place of its name: these programs ask this machine's name server.
static str torrent_for_others(play *p)
{
    small_host *h = small_find(p->net, S("torrent.edu"));
    metainfo m;
    bencode_refusal why;
    if (!h || !metainfo_read(small_swarm_torrent(p->net), &p->memory, &m, &why))
        return (str){0};
    addr at = addr_with_port(h->host->here[0], world_port(h->world, TRACKER_PORT));
    m.trackers = &(metainfo_tracker){str_format(&p->memory, "http://" STR_FMT "/announce", STR_ARG(addr_text(&p->memory, at))), 0};
    m.tracker_count = 1;
    buf out = buf_make(TORRENT_BYTES_MAX);
    str text = metainfo_write(&out, &m) ? str_copy(&p->memory, buf_str(&out)) : (str){0};
    buf_free(&out);
    return text;
}

static void meeting_prepare(void *arg)
{
    meeting *m = arg;
    world *w = m->play->net->world;
    m->failed = file_replace(w, m->torrent_path, m->torrent, 0644);
    if (!m->failed)
        m->failed = file_read_all(w, m->file_path, &m->play->memory, SMALL_SWARM_PIECES * SMALL_SWARM_PIECE_BYTES + 1, &m->whole);
}

static bool others_have_all(play *p, void *arg)
{
    meeting *m = arg;
    return other_peers_complete(p, m->others, SMALL_SWARM_NAME, m->whole);
}

static void who_is_there(play *p, meeting *m)
{
    other_peers_find(p, m->others);
    for (int i = 0; i < OTHER_PEERS; i++) {
        play_tell(p, "%-13s %s%s", m->others[i].name, m->others[i].there ? "joins: " : "is not on this machine", m->others[i].there ? m->others[i].path : "");
        m->running += m->others[i].there;
    }
    if (!m->running)
        play_tell(p, "(tools/peers unpacks all four under build/peers; nothing is installed)");
}

static bool others_fetch(play *p, meeting *m)
{
    str home = look(p, library).directory;
    m->play = p;
    m->torrent = torrent_for_others(p);
    m->torrent_path = str_to_z(&p->memory, str_format(&p->memory, STR_FMT "/others.torrent", STR_ARG(p->net->options.directory)));
    m->file_path = str_to_z(&p->memory, str_format(&p->memory, STR_FMT "/" SMALL_SWARM_NAME, STR_ARG(home)));
    work(meeting_prepare, m);
    bool ready = !m->failed && m->torrent.len && other_peers_start(p, m->others, m->torrent_path);
    if (!play_check(p, ready, "%d other programs start with the same torrent", m->running))
        return false;
    (void)play_until(p, OTHERS_WAIT_NS, others_have_all, m);
    for (int i = 0; i < OTHER_PEERS; i++)
        if (m->others[i].there)
            play_check(p, m->others[i].complete, "%s has every byte of it, from naru", m->others[i].name);
    return true;
}

typedef struct { char client[SWARM_CLIENT_BYTES_MAX]; int64_t received; } giver;
typedef struct { giver from[PEERS_SHOWN]; int count; } givers;

static void giver_note(givers *g, const peer_view *v)
{
    int i = 0;
    while (i < g->count && strcmp(g->from[i].client, v->client) != 0)
        i++;
    if (i == PEERS_SHOWN || v->received == 0)
        return;
    g->count += i == g->count;
    memcpy(g->from[i].client, v->client, sizeof g->from[i].client);
    g->from[i].received = v->received > g->from[i].received ? v->received : g->from[i].received;
}

// Those who have everything go as soon as he has, too: who gave is looked at meanwhile.
static bool bob_complete(play *p, void *arg)
{
    peer_view peers[PEERS_SHOWN];
    torrent *t = torrent_at(p, bob, false);
    int count = t ? torrent_peers(t, peers, PEERS_SHOWN) : 0;
    for (int i = 0; i < count && i < PEERS_SHOWN; i++)
        giver_note(arg, &peers[i]);
    return is_complete(p, bob);
}

// And back: naru's own seeds rest, so that everything Bob gets comes from the others.
static void bob_from_others(play *p, bool others)
{
    if (others) {
        pause_at(p, alice);
        pause_at(p, library);
        play_tell(p, "The library and Alice rest; Bob joins, and has only the others to ask.");
    }
    int64_t before = look(p, library).sent + look(p, alice).sent;
    if (!torrent_at(p, bob, true))
        return;
    givers *g = arena_new(&p->memory, givers);
    play_check(p, g && play_until(p, OTHERS_WAIT_NS, bob_complete, g), "Bob has all of it");
    for (int i = 0; g && i < g->count; i++)
        play_tell(p, "%s gave him at least %lld kB", g->from[i].client, (long long)g->from[i].received / 1000);
    if (others)
        play_check(p, look(p, library).sent + look(p, alice).sent == before, "nothing of it came from naru's own");
}

static void real_peers(play *p)
{
    meeting *m = arena_new(&p->memory, meeting);
    own_peers(p);
    if (!m || p->failed)
        return;
    who_is_there(p, m);
    bool others = m->running && others_fetch(p, m);
    bob_from_others(p, others && !p->failed);
    other_peers_end(m->others);
    static const char *const hosts[] = {library, alice, bob};
    for (int i = 0; i < 3; i++) {
        torrent_view v = look(p, hosts[i]);
        play_tell(p, "%s sent %lld kB and received %lld kB", hosts[i], (long long)v.sent / 1000, (long long)v.received / 1000);
    }
}

const scene file_scenes[] = {
    {"F1", "The race: client-server against P2P", race_act, NULL},
    {"F2", "A torrent's life", scene_torrent_life, NULL},
    {"F3", "Real peers", real_peers, NULL},
    {0},
};
