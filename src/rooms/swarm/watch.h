// A watch directory: torrent files (and files of one magnet link each, *.magnet) that appear there are added.
#pragma once
#include "rooms/swarm/swarm.h"

enum {
    WATCH_S = 3,                             // between two looks
    WATCH_FILES_MAX = 1000,                  // added at one look
};

// As the setting `watch` says; E_OK without it. A file is added when it has not grown between two looks, and is then called
// NAME.added, or NAME.refused with a line in the log.
err watch_start(swarm *s, room *r, str *why);
