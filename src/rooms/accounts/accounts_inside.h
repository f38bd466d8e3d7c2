// What the parts of the accounts service share.
#pragma once
#include "rooms/accounts/backoff.h"
#include "rooms/accounts/people.h"
#include "rt/room.h"

typedef struct {
    room   *r;
    world  *w;
    people *people;
    password_cost cost;
    slots   hashing;                 // so many argon2 at once
    backoff clients, names;
    char    nobody[PASSWORD_HASH_MAX];          // hashed for unknown names, so that they take as long
    char    nobody_app[PASSWORD_HASH_MAX];
    bool    registration;            // strangers may become viewers (JOIN)
    str     domain;                  // added to user names without one; may be empty
} accounts;

// The line protocol (protocol.c) and the control routes (control.c).
void accounts_meters_show(void);
void accounts_converse(conn *c, void *arg);
void accounts_control(accounts *s);
void accounts_backup(accounts *s);               // lends people.db to `naru backup`

// Hashing and verifying through work(), bounded. E_TIMEOUT when too many wait, E_LIMIT without memory.
err  accounts_hash(accounts *s, str password, password_cost cost, char out[PASSWORD_HASH_MAX]);
err  accounts_verify(accounts *s, const char *hash, str password, bool *good);
// Makes the key of an address, "" with *why when it is none that can have an account.
str  accounts_key(str who, arena *a, str *why);
bool accounts_password_usable(str password, str *why);
