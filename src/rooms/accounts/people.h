// Who has an account here: kept in SQLite, held in memory for answering. Changes go to the database first. All of it
// parks; none of it is called from work().
#pragma once
#include "base/map.h"
#include "keep/database.h"
#include "rooms/accounts/password.h"

enum {
    PEOPLE_MAX = 100000,
    APP_PASSWORDS_MAX = 32,          // of one person
    ROLE_BYTES_MAX = 32, LABEL_BYTES_MAX = 64,
};

typedef struct app_password {
    int64_t id, created_s;
    char    label[LABEL_BYTES_MAX + 1], hash[PASSWORD_HASH_MAX];
    struct app_password *next;
} app_password;

typedef struct {
    int64_t id, created_s;
    str     address;                 // local@domain in lower case
    char    role[ROLE_BYTES_MAX + 1];          // "user", "admin"; "viewer": of the console alone, no mailbox
    char    hash[PASSWORD_HASH_MAX];
    app_password *apps;
} person;

typedef struct people people;

err  people_open(world *w, const char *path, arena *a, people **out, str *why);
void people_close(people *p);                                          // NULL is fine
person *people_find(const people *p, str address_key);                 // NULL; valid until the next change
// Whose mailbox an address is: the person's own, its +tag forms, and postmaster and abuse of a domain that has people
// (RFC 5321 4.5.1, RFC 2142): the first admin there, or the first person. A viewer has none.
person *people_mailbox(const people *p, str address_key);
bool    people_have_mail_at(const people *p, str domain);              // somebody has a mailbox there
bool people_is_viewer(const person *who);
bool people_each(const people *p, size_t *cursor, person **out);
int  people_count(const people *p);

// E_EXISTS, E_NO_ENTRY, E_LIMIT, and what the database says.
err  people_add(people *p, str address_key, const char *hash, str role);
err  people_set_hash(people *p, person *who, const char *hash);
err  people_remove(people *p, person *who);
err  people_app_add(people *p, person *who, str label, const char *hash, int64_t *id);
err  people_app_remove(people *p, person *who, int64_t id);

// For a backup: the database's file stands still until people_thaw (keep/database.h). E_SEALED from people_thaw: it did not.
err  people_freeze(people *p);
err  people_thaw(people *p);
err  people_check(people *p);            // SQLite's integrity check: E_CORRUPT
