// The BitTorrent programs that people use, beside naru's own peers: libtorrent (from Python), Transmission, aria2, rtorrent, as they are
// installed, or unpacked under build/peers (or $NARU_PEERS). For scene F3.
#pragma once
#include "cmd/play.h"

enum { OTHER_PEERS = 4, OTHER_PATH_BYTES = 1024 };

typedef struct {
    const char *name;                        // "Transmission"
    bool     there, complete;
    char     path[OTHER_PATH_BYTES];         // of the program
    char     directory[OTHER_PATH_BYTES];    // its files go there
    uint16_t port;
    int      pid;                            // 0: it does not run
    int64_t  took_ms;
} other_peer;

// Which of them are on this machine. Parks.
void other_peers_find(play *p, other_peer others[OTHER_PEERS]);
// Starts those that are there: each fetches the torrent file at `torrent` and goes on seeding, on 127.0.0.1. False: one did not start.
bool other_peers_start(play *p, other_peer others[OTHER_PEERS], const char *torrent);
// Has each that runs the bytes `whole` in a file of this name? Parks.
bool other_peers_complete(play *p, other_peer others[OTHER_PEERS], const char *name, str whole);
void other_peers_end(other_peer others[OTHER_PEERS]);        // parks until all are gone
