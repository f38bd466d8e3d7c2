// The mailstore's directory without the service: every letter of every account read back (`naru backup verify`), and what a restored
// one needs before it is used. Parks: on a fiber. The directory must be nobody else's.
#pragma once
#include "base/arena.h"
#include "rt/world.h"

typedef struct {
    str     account;
    int64_t mailboxes, letters, bytes;
    int64_t inbox;                           // letters in it that POP3 shows
} account_read;
typedef void account_told(void *arg, const account_read *one);

// Checks each database whole and reads each letter to its last byte. told: after each account. On error *why (in `a`) names the account
// and the letter.
err mailstore_read_back(world *w, str directory, account_told *told, void *arg, arena *a, str *why);
// Delivery ids count from now: a restored queue may deliver again what the mailbox has, however old the backup is.
err mailstore_restored(world *w, str directory, arena *a, str *why);
