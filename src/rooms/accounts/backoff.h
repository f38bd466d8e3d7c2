// Who failed lately, and how long they must wait: a table of fixed size keyed by text (a client's address, an account).
// Pure: the time comes in. When the table is full the entry that failed longest ago is forgotten.
#pragma once
#include "base/address.h"
#include "base/text.h"

enum { BACKOFF_SLOTS = 1024, BACKOFF_WAYS = 8, BACKOFF_STEPS_MAX = 20 };

typedef struct {
    uint64_t key;                    // a keyed hash; 0: free
    int      failures;
    int64_t  last_ns, until_ns;
} backoff_slot;

typedef struct {
    int      free_failures;          // so many cost nothing
    int64_t  first_ns, max_ns;       // then this long, twice as long each time, at most this long
    int64_t  forget_ns;              // after so long without a failure all is forgotten
    uint64_t secret;                 // for the hash: strangers cannot choose collisions
    backoff_slot slots[BACKOFF_SLOTS];
} backoff;

int64_t backoff_wait_ns(const backoff *b, str key, int64_t now_ns);      // 0: may try now
void    backoff_failed(backoff *b, str key, int64_t now_ns);
void    backoff_forgive(backoff *b, str key);                            // after a success
// The key of a client: its address, for IPv6 the /64 that one customer owns. Writes into `room`.
str     backoff_client(addr client, unsigned char room[16]);
