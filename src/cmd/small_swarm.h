// The small Internet's swarm: three peers, and the file that one of them has from the start, in 256 KB pieces as the course has them.
#pragma once
#include "cmd/small_internet.h"

enum { SMALL_SWARM_PIECE_BYTES = 256 * 1024, SMALL_SWARM_PIECES = 16 };
#define SMALL_SWARM_NAME "ferry-timetable.txt"

// A swarm for this host; its settings end with `more`. False: *why.
bool small_swarm_add(small_internet *n, small_host *h, str more, str *why);
// Writes the file to the seeding host and its torrent to DIRECTORY/ferry-timetable.txt.torrent, and seeds it. Parks.
bool small_swarm_begin(small_internet *n, str *why);
// The torrent file's bytes: what a peer needs to join.
str  small_swarm_torrent(const small_internet *n);
