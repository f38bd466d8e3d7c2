// How many strangers registered lately, a client and in all: a table of fixed size that is empty again every hour. Pure.
#pragma once
#include "base/address.h"

enum { NEWCOMERS_SLOTS = 1024, NEWCOMERS_PER_CLIENT_MAX = 10, NEWCOMERS_MAX = 500 };      // an hour

typedef struct {
    uint64_t secret;                         // for the hash: strangers cannot choose collisions
    int64_t  hour;
    int      all;
    uint8_t  of[NEWCOMERS_SLOTS];
} newcomers;

// Counts one more. False: there were too many from there (an address; of IPv6 the /64) or in all.
bool newcomers_let_in(newcomers *n, addr client, int64_t now_ns);
