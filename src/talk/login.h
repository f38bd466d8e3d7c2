// Asking the accounts service for verdicts, over its line protocol (docs/accounts.md), through room_dial(r,
// "accounts.login").
#pragma once
#include "rt/room.h"

typedef enum { LOGIN_OK, LOGIN_WRONG, LOGIN_TOO_MANY, LOGIN_LOCKED, LOGIN_TROUBLE } login_verdict;

// Name and password of a person from a client address (for back-off and the log). *account: its canonical address,
// in `a`. Wrong names and wrong passwords take the same time.
login_verdict login_check(room *r, const char *service, addr client, str user, str password, arena *a, str *account);
// The same with what they are here: *role "admin", "user", "viewer" (of the console alone).
login_verdict login_check_role(room *r, const char *service, addr client, str user, str password, arena *a, str *account, str *role);

// A stranger wants to become a viewer (where registration is allowed). *account as above.
typedef enum {
    JOIN_OK, JOIN_TAKEN,
    JOIN_CLOSED,                     // not allowed here, or no room left
    JOIN_NAME,                       // no address, or one of a domain whose people the administrator adds
    JOIN_PASSWORD,                   // 8 to 255 bytes without controls
    JOIN_TROUBLE,
} join_verdict;
join_verdict login_join(room *r, const char *service, addr client, str user, str password, arena *a, str *account);

// A person changes the password of `user`: `fresh` from now on, when `password` is theirs (no app password). As strict with who
// guesses as login_check.
typedef enum { CHANGE_OK, CHANGE_WRONG, CHANGE_TOO_MANY, CHANGE_PASSWORD /* as JOIN_PASSWORD */, CHANGE_TROUBLE } change_verdict;
change_verdict login_change(room *r, const char *service, addr client, str user, str password, str fresh, arena *a);

// What an account that signed in once is now: its role, and a mark that changes with its password (both in `a`).
typedef enum { ROLE_IS, ROLE_GONE, ROLE_TROUBLE } role_verdict;
role_verdict login_role(room *r, str account, arena *a, str *role, str *mark);

// May mail for this address be accepted here? account: whose mailbox it is (aliases later).
typedef enum { MAILBOX_HERE, MAILBOX_UNKNOWN, MAILBOX_TROUBLE } mailbox_verdict;
mailbox_verdict login_mailbox(room *r, str address, arena *a, str *account);

// May this account send as this address? (its own address; aliases later)
bool login_may_send_as(room *r, str account, str address, arena *a);
