// What the parts of the mailstore share.
#pragma once
#include "rooms/mailstore/account.h"
#include "rt/room.h"
#include "rt/tls.h"

typedef struct {
    room       *r;
    world      *w;
    accounts_open accounts;
    str         host;
    int64_t     size_bytes_max;
    int64_t     login_delay_ns;      // 0: none
    bool        plaintext_loopback;
    tls_config *tls;                 // NULL: no TLS here
} mailstore;

void lmtp_converse(conn *c, void *arg);              // arg: the mailstore
void pop3_converse(conn *c, void *arg);
void mailstore_backup(mailstore *m);                 // lends mailboxes to `naru backup`

void mailstore_count_stored(bool duplicate);
void mailstore_count_retrieved(void);
