// The steering manifest of HLS and DASH Content Steering (draft-pantos-hls-rfc8216bis section 7; ETSI TS 103 998):
// which pathway (which service location) a player should take, and when to ask again.
#pragma once
#include "base/buf.h"
#include "wire/media/presentation.h"

enum {
    STEERING_BYTES_MAX = 64 * 1024,
    STEERING_TTL_S_DEFAULT = 300,
    STEERING_TTL_S_MAX = 24 * 3600,
};

typedef struct {
    uint32_t ttl_s;                          // how long this holds
    str      reload_url;                     // where to ask next, relative to where this came from; empty: the same
    str      ranking[MEDIA_BASES_MAX];       // the best first
    int      count;
} steering_manifest;

// JSON with VERSION 1, TTL, RELOAD-URI, PATHWAY-PRIORITY (SERVICE-LOCATION-PRIORITY, as early DASH drafts had it,
// is read too; unknown members are passed over). False and *why when it is no such thing. More names than
// MEDIA_BASES_MAX: the first count. A TTL of 0 or none is the default; larger ones are cut to the maximum.
bool steering_read(str text, steering_manifest *out, arena *a, const char **why);
bool steering_write(const steering_manifest *m, buf *out);

// The bases in the order of the ranking: those it names first, the others behind them as they stood. order[i] is
// an index into p->bases; p->base_count of them.
void steering_order(const media_presentation *p, const steering_manifest *m, int *order);
