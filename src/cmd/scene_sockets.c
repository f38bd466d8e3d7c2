// The course's cases about sockets, and the cases that are not built yet.
#include "cmd/play.h"
#include "cmd/scene_player.h"
#include "cmd/scene_video.h"
#include "cmd/scene_video_coding.h"

#define WAIT_NS seconds(60)

static void upper_udp(play *p)
{
    small_host *from = small_find(p->net, S("crepes.fr")), *to = small_find(p->net, S("hamburger.edu"));
    static const struct { const char *in, *out; } rows[] = {{"hello", "HELLO"}, {"Straße", "STRASSE"}, {"나루 ferry", "나루 FERRY"}, {"\xff!a", "\xff!A"}};
    sock *s;
    err e = sock_datagram(from->world, addr_with_port(from->host->here[0], 0), false, &s);
    if (!play_check(p, e == E_OK, "a UDP socket: no handshake, the address stands on each datagram"))
        return;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        str in = str_z(rows[i].in);
        unsigned char room_for_answer[256];
        datagram out = {.peer = addr_with_port(to->host->here[0], 12000), .at = (unsigned char *)(uintptr_t)in.at, .len = (size_t)in.len};
        datagram back = {.at = room_for_answer, .size = sizeof room_for_answer};
        int n = 0;
        sock_send(s, &out, 1, &n);
        while ((e = sock_receive(s, &back, 1, &n)) == E_AGAIN && sock_wait(s, WAIT_READ, world_now_ns(from->world) + WAIT_NS) == E_OK)
            continue;
        play_check(p, e == E_OK && n == 1 && str_eq(str_of(back.at, back.len), str_z(rows[i].out)), "\"%s\" comes back as \"%s\"",
                   i == 3 ? "an invalid byte, !a" : rows[i].in, i == 3 ? "the same byte, !A" : rows[i].out);
        play_check(p, addr_eq(back.peer, out.peer), "from the address that was asked");
    }
    sock_close(s);
}

static void upper_tcp(play *p)
{
    enum { CLIENTS = 3 };
    conn *c[CLIENTS];
    for (int i = 0; i < CLIENTS; i++)
        c[i] = play_connect(p, "crepes.fr", "hamburger.edu", 12000);
    play_tell(p, "%d clients at once, each with a socket of its own behind the welcoming socket; no newline is sent", CLIENTS);
    for (int i = CLIENTS - 1; i >= 0; i--) {
        char answer[8] = {0};
        conn_put(c[i], S("abc"));
        bool got = conn_flush(c[i]) && conn_read(c[i], answer, 3);
        play_check(p, got && str_eq(str_z(answer), S("ABC")), "client %d sends \"abc\" and at once reads \"%s\"", i + 1, answer);
    }
    for (int i = 0; i < CLIENTS; i++)
        conn_close(c[i]);
}

const scene socket_scenes[] = {
    {"S1", "Upper case over UDP", upper_udp, NULL},
    {"S2", "Upper case over TCP, many clients", upper_tcp, NULL},
    {"T1", "Multiplexing and demultiplexing", NULL, "not built yet"},
    {"T2", "UDP header and checksum", NULL, "not built yet"},
    {"T3", "Segments, windows, loss", NULL, "not built yet"},
    {0},
};

const scene later_scenes[] = {
    {"V1", "Renditions", scene_renditions, NULL},
    {"V2", "Playout buffering", scene_playout, NULL},
    {"V3", "DASH's clever client", scene_clever_client, NULL},
    {"V4", "CDN: enter deep, bring home; congestion and a dead node", scene_near_node, NULL},
    {"V5", "NetCinema and KingCDN, six steps", scene_six_steps, NULL, "enter-deep"},
    {"V6", "The Netflix shape: one company, three CDNs", scene_three_cdns, NULL},
    {"V7", "One giant server against N nodes", scene_giant, NULL},
    {0},
};
