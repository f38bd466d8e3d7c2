// The course's cases about files.
#include "cmd/scene_files.h"

const scene file_scenes[] = {
    {"F1", "The race: client-server against P2P", race_act, NULL},
    {"F2", "A torrent's life", scene_torrent_life, NULL},
    {"F3", "Real peers", NULL, "not a scene yet; tests/interop plays it with libtorrent, Transmission, aria2 and rtorrent"},
    {0},
};
