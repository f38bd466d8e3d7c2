// How many new peers and new torrents a network has brought lately: a bounded sketch, so that one network cannot fill the
// tracker, and counting costs the same however many networks there are. Pure.
#pragma once
#include "base/address.h"
#include "base/siphash.h"

enum {
    NEWCOMERS_ROWS = 2, NEWCOMERS_COLUMNS = 8192,
    NEWCOMERS_PREFIX_V4 = 24, NEWCOMERS_PREFIX_V6 = 48,     // bits of an address that are one network
    NEWCOMERS_WINDOW_S = 600,       // after so long every count is halved
    NEWCOMERS_MAX = 60000,
};

// A network's count is at least what it brought; others that fall on both of its cells may make it higher (count-min sketch).
typedef struct {
    siphash_key secret;
    int64_t     window;             // number of the last halving
    uint16_t    counts[NEWCOMERS_ROWS][NEWCOMERS_COLUMNS];
} newcomers;

// One more of this network: false when it has had `max` and this one is not counted.
bool newcomers_take(newcomers *n, addr from, int64_t now_s, uint32_t max);
