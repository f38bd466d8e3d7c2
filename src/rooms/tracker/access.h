// Who may announce what: an open tracker, or one of listed torrents; and pass keys of people for private ones. Pure.
#pragma once
#include "base/siphash.h"
#include "base/arena.h"

enum { ACCESS_KEYS_MAX = 4096, ACCESS_KEY_BYTES_MIN = 16, ACCESS_KEY_BYTES_MAX = 64 };

typedef struct { uint64_t tag; str name, key; } access_key;

typedef struct {
    bool        open;               // torrents that are not listed are taken, too
    bool        all_private, all_managed;
    siphash_key secret;
    access_key *keys;
    int         key_count;
} access;

// 16 to 64 letters, digits, '-' and '_': it is part of a URL's path.
bool access_key_usable(str key);
// The views stay the caller's. False: ACCESS_KEYS_MAX are there, or the arena is full.
bool access_key_add(access *x, arena *a, str name, str key);
// Whose key it is: a number, -1 nobody's. The time tells nothing about the keys.
int  access_key_find(const access *x, str key);
// The pass key in an announce URL's path: "/KEY/announce" (and what == "announce") has one, "/announce" an empty one. A query
// behind it is passed over. False: the path is neither.
bool access_path_key(str path, str what, str *key);
