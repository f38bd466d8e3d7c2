// origin: the video catalogue over HTTP/1.1, port 8080: films, their manifests (DASH, HLS), segments. Films are put there by
// `naru video add`, which needs no word with the service. docs/origin.md.
#pragma once
#include "rt/room.h"

enum {
    ORIGIN_PORT = 8080,
    ORIGIN_LADDER_MAX = 8,                   // video renditions of a film
    ORIGIN_RATE_BPS_MIN = 50000, ORIGIN_RATE_BPS_MAX = 50000000,
    ORIGIN_AUDIO_BPS = 128000,
};
#define ORIGIN_FILMS "films"                 // in its directory: what is served
#define ORIGIN_WORK "work"                   // what is being encoded
#define ORIGIN_TRASH "trash"                 // what was removed

extern const room_kind origin_kind;

// What `naru video add` is to make, from the service's settings (checked, or NULL: the defaults).
typedef struct {
    int64_t ladder_bps[ORIGIN_LADDER_MAX];   // rising
    int     ladder_count;
    int64_t segment_ns;
    bool    constant;
} origin_encoding;
// False with *why: a rate is none, or the ladder does not rise.
bool origin_encoding_of(const statement *settings, origin_encoding *out, const char **why);
