// Magnet links (BEP 9): an info hash, and where to begin to look. Pure.
#pragma once
#include "base/address.h"
#include "wire/bt/metainfo.h"

enum {
    MAGNET_BYTES_MAX = 16 * 1024,
    MAGNET_TRACKERS_MAX = 64,
    MAGNET_WEB_SEEDS_MAX = 16,
    MAGNET_PEERS_MAX = 32,
};

typedef struct {
    uint8_t hash[INFO_HASH_BYTES];
    str     name;                                // as it should be shown; not safe as a file name
    str     trackers[MAGNET_TRACKERS_MAX];
    str     web_seeds[MAGNET_WEB_SEEDS_MAX];
    addr    peers[MAGNET_PEERS_MAX];             // x.pe; only numeric addresses, names are passed over
    int     tracker_count, web_seed_count, peer_count;
} magnet;

// Reads "magnet:?xt=urn:btih:...&dn=...&tr=..." (the hash as 40 hexadecimal digits or 32 of base32). Views of `a`. False
// with the reason and offset: no magnet link, no or two different such hashes, only a version 2 hash (btmh), a broken %XX,
// too long. Parameters that are unknown, and trackers, web seeds and peers above the ceilings, are passed over.
bool magnet_read(str in, arena *a, magnet *out, bencode_refusal *why);
bool magnet_write(buf *out, const magnet *m);    // false when full
