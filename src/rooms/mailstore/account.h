// One account's mail: a SQLite database, and blobs for the large bodies. At most ACCOUNTS_OPEN_MAX are open; the one
// unused for longest is closed for a new one. Everything here parks and is called from fibers of the room's loop.
#pragma once
#include "base/list.h"
#include "base/map.h"
#include "keep/blob.h"
#include "keep/database.h"
#include "wire/mail/address.h"

enum {
    ACCOUNTS_OPEN_MAX = 256,
    LETTER_INLINE_BYTES_MAX = 64 * 1024,     // larger bodies are blobs
    GROUP_LETTERS_MAX = 256,                 // deliveries that share one transaction
    GROUP_BYTES_MAX = 16 << 20,
    MAILDROP_LETTERS_MAX = 200000,           // what one POP3 session lists; the oldest come first
    SWEEP_BLOBS_MAX = 1000,                  // dead blobs removed at a time
};

typedef struct accounts_open {
    world  *w;
    str     directory;               // of the room
    map     by_key;
    gate    changed;                 // an account was opened or closed
    int64_t uses;                    // counts, for finding the one unused for longest
    int64_t delivery_ids_kept_s;
} accounts_open;

typedef struct account {
    accounts_open *all;
    str       key;                   // local@domain in lower case
    database *d;
    blobs    *b;
    int       users;                 // fibers that hold it
    int64_t   last_use;
    bool      changing;              // being opened or closed: wait for all->changed
    list      waiting;               // deliveries
    bool      committing;
    int       since_sweep;           // letters since old delivery ids were removed
    bool      lent;                  // to a backup: no blob is removed that a letter pointed at
    bool      pop3_locked;           // RFC 1939 3: one session has the maildrop
    int64_t   last_login_ns;
} account;

// Opens (or creates) and holds the account. NULL with *e: E_LIMIT when all are in use, E_NO_SPACE, E_CORRUPT ...
account *account_hold(accounts_open *all, str key, err *e);
void     account_release(account *a);        // NULL is fine
// One blocking step with the database, in work(), one at a time. E_CANCELED: it did not run.
err      account_work(account *a, void (*step)(void *), void *arg);
void     accounts_close(accounts_open *all); // at the end, when nobody holds any

// ---- delivering ------------------------------------------------------------------------------------------------

// One letter for one account. Fill in, account_deliver; the texts must stay until it is done.
typedef struct {
    str       mailbox;               // "INBOX", "Sent"; made when missing
    str       delivery_id;           // a second one with this id is answered without a second copy; empty: none
    str       sender;                // the envelope's, as text
    str       body;                  // when it is not in a blob
    bool      in_blob;
    blob_id   blob;                  // finished, in a->b
    int64_t   size_bytes, received_s;
    uint64_t  trace;
    // the outcome
    err       error;                 // E_OK: durable
    bool      duplicate;
    int64_t   uid;
    // inside
    list_link link;
    fiber    *waiter;
    bool      done;
} delivery;

void account_deliver(account *a, delivery *d);       // parks until it is done, deaf to cancelling

// ---- the maildrop ----------------------------------------------------------------------------------------------

typedef struct {
    int64_t  id, size_bytes;
    uint32_t uid;
    bool     deleted;
} maildrop_letter;

typedef struct {
    maildrop_letter *letters;        // in order of uid; memory_free
    int      count;
    int64_t  uid_validity;
} maildrop;

typedef struct {
    str      body;                   // in the arena, when it is not in a blob
    bool     in_blob;
    blob_id  blob;
    int64_t  size_bytes;
    uint64_t trace;
} letter_found;

err account_maildrop(account *a, str mailbox, maildrop *out);
err account_letter(account *a, int64_t id, arena *msg, letter_found *out);      // E_NO_ENTRY
err account_remove(account *a, const maildrop *m);           // all that are marked, in one transaction, then their
                                                             // blobs
// At opening, before anybody delivers: removes the blobs of removed letters, and those whose letter never came to be.
void account_sweep(account *a);
void account_sweep_dead(account *a);                         // only the blobs of removed letters, when nothing is lent
