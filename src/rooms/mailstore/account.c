#include "rooms/mailstore/account.h"

#include <string.h>

#include "base/heap_memory.h"
#include "base/hex.h"
#include "base/must.h"
#include "keep/directory.h"
#include "rt/log.h"
#include "rt/worker.h"

static const char *const SCHEMA[] = {
    "CREATE TABLE mailbox (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, uid_validity INTEGER NOT NULL,"
    " uid_next INTEGER NOT NULL);"
    "CREATE TABLE letter (id INTEGER PRIMARY KEY, mailbox INTEGER NOT NULL REFERENCES mailbox(id), uid INTEGER NOT NULL,"
    " received_s INTEGER NOT NULL, size INTEGER NOT NULL, flags INTEGER NOT NULL DEFAULT 0, trace INTEGER NOT NULL,"
    " sender TEXT NOT NULL, blob BLOB, body BLOB);"
    "CREATE UNIQUE INDEX letter_place ON letter (mailbox, uid);"
    "CREATE INDEX letter_blob ON letter (blob) WHERE blob IS NOT NULL;"
    "CREATE TABLE delivery (id TEXT PRIMARY KEY, at_s INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE dead_blob (blob BLOB PRIMARY KEY) WITHOUT ROWID",
    NULL,
};

enum { KEY_BYTES_MAX = 3 * (ADDRESS_LOCAL_MAX + ADDRESS_DOMAIN_MAX) + 8, PATH_BYTES_MAX = 4096 };

// ---- opening and closing ---------------------------------------------------------------------------------------

typedef struct {
    account    *a;
    const char *path, *directory;
    arena       memory;
    str         why;
    err         e;
} opening;

static void open_work(void *arg)
{
    opening *o = arg;
    o->e = directory_make(o->a->all->w, o->directory, 0700);
    if (o->e == E_OK)
        o->e = database_open(o->a->all->w, o->path, SCHEMA, &o->memory, &o->a->d, &o->why);
}

static void close_work(void *arg) { database_close(arg); }

static void close_parts(account *a)
{
    blobs_close(a->b);
    if (a->d)
        work(close_work, a->d);
    a->b = NULL;
    a->d = NULL;
}

static err open_parts(account *a)
{
    opening o = {.a = a, .memory = arena_make(64 * 1024)};
    buf name = buf_make(KEY_BYTES_MAX);
    percent_put(&name, a->key, S("@+="));          // an address holds '/' and '..' too
    o.directory = str_to_z(&o.memory, str_format(&o.memory, STR_FMT "/accounts/" STR_FMT, STR_ARG(a->all->directory),
                                                 STR_ARG(buf_str(&name))));
    o.path = str_to_z(&o.memory, str_format(&o.memory, "%s/mail.db", o.directory));
    work(open_work, &o);
    if (o.e == E_OK)
        o.e = blobs_open(a->all->w, str_format(&o.memory, "%s/blobs", o.directory), &o.memory, &a->b, &o.why);
    if (o.e != E_OK && o.e != E_CRASHED)
        log_line("mailstore", LOG_ERROR, "cannot-open", F_STR("account", a->key),
                 F_STR("why", o.why.len ? o.why : str_z(err_text(o.e))));
    buf_free(&name);
    arena_free(&o.memory);
    return o.e;
}

static void account_forget(account *a)             // closed already
{
    map_remove(&a->all->by_key, a->key);
    gate_wake_all(&a->all->changed);
    memory_free(a);
}

static void account_close(account *a)
{
    must(a->users == 0 && !a->changing);
    a->changing = true;
    close_parts(a);
    account_forget(a);
}

// Closes the one unused for longest. False: all are in use.
static bool make_room(accounts_open *all)
{
    account *oldest = NULL;
    str key;
    void *value;
    for (size_t cursor = 0; map_each(&all->by_key, &cursor, &key, &value);) {
        account *a = value;
        if (a->users == 0 && !a->changing && (!oldest || a->last_use < oldest->last_use))
            oldest = a;
    }
    if (oldest)
        account_close(oldest);
    return oldest != NULL;
}

static account *account_new(accounts_open *all, str key, err *e)
{
    account *a = memory_zeroed(1, sizeof *a + (size_t)key.len);
    memcpy(a + 1, key.at, (size_t)key.len);
    a->key = str_of(a + 1, (size_t)key.len);
    a->all = all;
    a->users = 1;
    a->changing = true;
    list_init(&a->waiting);
    must(map_put(&all->by_key, a->key, a));
    *e = open_parts(a);
    if (*e == E_OK) {
        account_sweep(a);
        a->changing = false;
        gate_wake_all(&all->changed);
        return a;
    }
    close_parts(a);
    account_forget(a);
    return NULL;
}

account *account_hold(accounts_open *all, str key, err *e)
{
    *e = E_OK;
    if (key.len == 0)
        return *e = E_NO_ENTRY, NULL;
    for (;;) {
        account *a = map_get(&all->by_key, key);
        if (a && !a->changing) {
            a->users++;
            a->last_use = ++all->uses;
            return a;
        }
        if (a) {
            if ((*e = gate_wait(&all->changed, world_now_ns(all->w) + seconds(30), "account opening")) != E_OK)
                return NULL;
        } else if (all->by_key.count < ACCOUNTS_OPEN_MAX) {
            return account_new(all, key, e);
        } else if (!make_room(all)) {
            return *e = E_LIMIT, NULL;
        }
    }
}

void account_release(account *a)
{
    if (a)
        a->users--;
}

void accounts_close(accounts_open *all)
{
    while (make_room(all))
        ;
    must(all->by_key.count == 0);
    map_free(&all->by_key);
}

// ---- one work at a time ----------------------------------------------------------------------------------------

err account_work(account *a, void (*step)(void *), void *arg)
{
    turn *t = database_turn(a->d);
    err e = turn_take(t, NEVER_NS);
    if (e != E_OK)
        return e;
    work(step, arg);
    turn_give(t);
    return E_OK;
}
