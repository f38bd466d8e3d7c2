// A swarm of three hosts in the simulator, for the tests of what it does: host 0 has /films/film, all are 5 ms apart.
#pragma once
#include "rooms/swarm/swarm_inside.h"
#include "rt/sim.h"

enum { HOSTS = 3, PIECES = 64, PIECE_BYTES = 64 * 1024, LENGTH = PIECES * PIECE_BYTES - 777, PORT = 6881 };

typedef struct {
    sim    *s;
    world  *w[HOSTS];
    node    n[HOSTS];
    swarm  *swarm[HOSTS];
    torrent *t[HOSTS];
    unsigned char *payload;
    str     metainfo;
    uint8_t hash[INFO_HASH_BYTES];
    arena   memory;
    bool    private;
    const char *settings[HOSTS];             // further ones
    const char *web_seed;                    // in the torrent file; host 2 answers at port 80
    bool    web_lies;
    int     web_asked;
    int64_t limit;
    scope   web;
    void  (*body)(void *play);
} play;

// Plays `body` (with the play as its argument) on hosts that have started; p says what is other than usual.
void play_swarm(play p, void (*body)(void *));
addr address(int host);
// Adds the film (or the magnet link) to a host's swarm; it goes to /films.
torrent *film_add(play *p, int host, swarm_addition what);
torrent_view view(play *p, int host);
bool complete_within(play *p, int host, int64_t ns);
bool in_trouble_within(play *p, int host, int64_t ns);
void both_begin(play *p);                    // host 0 seeds, host 1 fetches from it
