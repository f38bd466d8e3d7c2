#include "rooms/mailstore/account.h"

#include <string.h>

#include "base/heap_memory.h"
#include "base/hex.h"
#include "base/must.h"
#include "keep/directory.h"
#include "rt/log.h"
#include "rt/sim.h"
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

static void blobs_sweep(account *a);

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
        blobs_sweep(a);
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

static err account_work(account *a, void (*step)(void *), void *arg)
{
    turn *t = database_turn(a->d);
    err e = turn_take(t, NEVER_NS);
    if (e != E_OK)
        return e;
    work(step, arg);
    turn_give(t);
    return E_OK;
}

// ---- delivering: those that wait share a transaction -----------------------------------------------------------

typedef struct {
    account  *a;
    delivery *members[GROUP_LETTERS_MAX];
    int       count;
    int64_t   now_s;
    bool      sweep_ids;
    err       e;
} group;

static bool seen_before(group *g, const delivery *d)
{
    if (d->delivery_id.len == 0 || world_broken(g->a->all->w, "no-dedupe"))
        return false;
    query *q = query_of(g->a->d, "SELECT 1 FROM delivery WHERE id = ?1");
    query_text(q, 1, d->delivery_id);
    return query_row(q);
}

static err mailbox_place(database *db, str name, int64_t now_s, int64_t *id, int64_t *uid)
{
    static const char ADD[] = "INSERT INTO mailbox (name, uid_validity, uid_next) VALUES (?1, ?2, 1) ON CONFLICT (name) DO NOTHING";
    for (int tries = 0; tries < 2; tries++) {
        query *q = query_of(db, "UPDATE mailbox SET uid_next = uid_next + 1 WHERE name = ?1 RETURNING id, uid_next - 1");
        query_text(q, 1, name);
        bool found = query_row(q);
        *id = found ? query_get_int(q, 0) : 0;
        *uid = found ? query_get_int(q, 1) : 0;
        err e = query_done(q);
        if (found || e != E_OK)
            return e;
        q = query_of(db, ADD);
        query_text(q, 1, name);
        query_int(q, 2, now_s);
        if ((e = query_done(q)) != E_OK)
            return e;
    }
    return E_CORRUPT;
}

static err letter_insert(database *db, delivery *d, int64_t mailbox)
{
    query *q = query_of(db, "INSERT INTO letter (mailbox, uid, received_s, size, trace, sender, blob, body)"
                            " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
    query_int(q, 1, mailbox);
    query_int(q, 2, d->uid);
    query_int(q, 3, d->received_s);
    query_int(q, 4, d->size_bytes);
    query_int(q, 5, (int64_t)d->trace);
    query_text(q, 6, d->sender);
    if (d->in_blob) {
        query_blob(q, 7, str_of(d->blob.bytes, sizeof d->blob.bytes));
        query_null(q, 8);
    } else {
        query_null(q, 7);
        query_blob(q, 8, d->body);
    }
    return query_done(q);
}

static err id_insert(database *db, const delivery *d, int64_t now_s)
{
    query *q = query_of(db, "INSERT OR IGNORE INTO delivery (id, at_s) VALUES (?1, ?2)");
    query_text(q, 1, d->delivery_id);
    query_int(q, 2, now_s);
    return query_done(q);
}

static err deliver_one(group *g, delivery *d)
{
    int64_t mailbox = 0;
    d->duplicate = seen_before(g, d);
    if (d->duplicate)
        return E_OK;
    err e = mailbox_place(g->a->d, d->mailbox, g->now_s, &mailbox, &d->uid);
    if (e == E_OK)
        e = letter_insert(g->a->d, d, mailbox);
    if (e == E_OK && d->delivery_id.len)
        e = id_insert(g->a->d, d, g->now_s);
    return e;
}

// Ids older than any queue keeps a letter cannot come again.
static err old_ids_remove(group *g)
{
    query *q = query_of(g->a->d, "DELETE FROM delivery WHERE at_s < ?1");
    query_int(q, 1, g->now_s - g->a->all->delivery_ids_kept_s);
    return query_done(q);
}

static void group_work(void *arg)
{
    group *g = arg;
    g->e = database_begin(g->a->d);
    if (g->e != E_OK)
        return;
    for (int i = 0; i < g->count && g->e == E_OK; i++)
        g->e = deliver_one(g, g->members[i]);
    if (g->e == E_OK && g->sweep_ids)
        g->e = old_ids_remove(g);
    if (g->e == E_OK)
        g->e = database_commit(g->a->d);
    else
        database_rollback(g->a->d);
}

static void group_take(account *a, group *g)
{
    int64_t bytes = 0;
    *g = (group){.a = a, .now_s = world_wall_s(a->all->w)};
    for (list_link *l; g->count < GROUP_LETTERS_MAX && (l = list_first(&a->waiting));) {
        delivery *d = LIST_OF(l, delivery, link);
        bytes += d->body.len;
        if (g->count && bytes > GROUP_BYTES_MAX)
            break;
        list_remove(l);
        g->members[g->count++] = d;
    }
    a->since_sweep += g->count;
    g->sweep_ids = a->since_sweep > 1000;
    if (g->sweep_ids)
        a->since_sweep = 0;
}

// Commits what waits, tells each, and hands the lead to the first that came meanwhile.
static void group_lead(account *a)
{
    group g;
    a->committing = true;
    group_take(a, &g);
    err e = account_work(a, group_work, &g);
    if (e == E_OK)
        e = g.e;
    if (e != E_OK && e != E_CRASHED)
        log_line("mailstore", LOG_ERROR, "not-stored", F_STR("account", a->key), F_INT("letters", g.count),
                 F_STR("error", str_z(err_text(e))));
    a->committing = false;
    for (int i = 0; i < g.count; i++) {
        g.members[i]->error = e;
        g.members[i]->done = true;
        if (g.members[i]->waiter != fiber_self())
            fiber_wake(g.members[i]->waiter);
    }
    list_link *next = list_first(&a->waiting);
    if (next)
        fiber_wake(LIST_OF(next, delivery, link)->waiter);
}

void account_deliver(account *a, delivery *d)
{
    d->done = false;
    d->waiter = fiber_self();
    list_append(&a->waiting, &d->link);
    while (!d->done)
        if (a->committing)
            fiber_park_uncanceled("delivery");
        else
            group_lead(a);
}

// ---- the maildrop ----------------------------------------------------------------------------------------------

typedef struct { account *a; str mailbox; maildrop *out; err e; } listing;

static void list_work(void *arg)
{
    listing *l = arg;
    maildrop *m = l->out;
    int room = 0;
    query *q = query_of(l->a->d, "SELECT letter.id, uid, size, uid_validity FROM letter JOIN mailbox ON mailbox.id = mailbox"
                                 " WHERE name = ?1 ORDER BY uid LIMIT ?2");
    query_text(q, 1, l->mailbox);
    query_int(q, 2, MAILDROP_LETTERS_MAX);
    while (query_row(q)) {
        if (m->count == room) {
            room = room ? room * 2 : 64;
            m->letters = memory_resize(m->letters, (size_t)room * sizeof *m->letters);
        }
        m->letters[m->count++] = (maildrop_letter){.id = query_get_int(q, 0), .uid = (uint32_t)query_get_int(q, 1),
                                                   .size_bytes = query_get_int(q, 2)};
        m->uid_validity = query_get_int(q, 3);
    }
    l->e = query_error(q);
}

err account_maildrop(account *a, str mailbox, maildrop *out)
{
    listing l = {.a = a, .mailbox = mailbox, .out = out};
    *out = (maildrop){0};
    err e = account_work(a, list_work, &l);
    return e == E_OK ? l.e : e;
}

typedef struct { account *a; int64_t id; arena *msg; letter_found *out; err e; } finding;

static void find_work(void *arg)
{
    finding *f = arg;
    query *q = query_of(f->a->d, "SELECT size, trace, blob, body FROM letter WHERE id = ?1");
    query_int(q, 1, f->id);
    if (!query_row(q)) {
        f->e = query_error(q) == E_OK ? E_NO_ENTRY : query_error(q);
        return;
    }
    f->out->size_bytes = query_get_int(q, 0);
    f->out->trace = (uint64_t)query_get_int(q, 1);
    str blob = query_get_blob(q, 2, f->msg);
    f->out->in_blob = blob.len == sizeof f->out->blob.bytes;
    if (f->out->in_blob)
        memcpy(f->out->blob.bytes, blob.at, sizeof f->out->blob.bytes);
    else
        f->out->body = query_get_blob(q, 3, f->msg);
    f->e = query_done(q);
    if (f->e == E_OK && f->msg->full)
        f->e = E_LIMIT;
}

err account_letter(account *a, int64_t id, arena *msg, letter_found *out)
{
    finding f = {.a = a, .id = id, .msg = msg, .out = out};
    *out = (letter_found){0};
    err e = account_work(a, find_work, &f);
    return e == E_OK ? f.e : e;
}

// ---- removing --------------------------------------------------------------------------------------------------

typedef struct { account *a; const maildrop *m; err e; } removing;

static err remove_one(database *db, int64_t id)
{
    query *q = query_of(db, "INSERT OR IGNORE INTO dead_blob SELECT blob FROM letter WHERE id = ?1 AND blob IS NOT NULL");
    query_int(q, 1, id);
    err e = query_done(q);
    if (e != E_OK)
        return e;
    q = query_of(db, "DELETE FROM letter WHERE id = ?1");
    query_int(q, 1, id);
    return query_done(q);
}

static void remove_work(void *arg)
{
    removing *r = arg;
    r->e = database_begin(r->a->d);
    if (r->e != E_OK)
        return;
    for (int i = 0; i < r->m->count && r->e == E_OK; i++)
        if (r->m->letters[i].deleted)
            r->e = remove_one(r->a->d, r->m->letters[i].id);
    if (r->e == E_OK)
        r->e = database_commit(r->a->d);
    else
        database_rollback(r->a->d);
}

typedef struct {
    account *a;
    blob_id *ids;
    int      count;
} sweeping;

static void dead_work(void *arg)
{
    sweeping *s = arg;
    arena row = arena_make(4096);
    query *q = query_of(s->a->d, "SELECT blob FROM dead_blob LIMIT ?1");
    query_int(q, 1, SWEEP_BLOBS_MAX);
    while (s->count < SWEEP_BLOBS_MAX && query_row(q)) {
        arena_reset(&row);
        str id = query_get_blob(q, 0, &row);
        if (id.len == sizeof s->ids[0].bytes)
            memcpy(s->ids[s->count++].bytes, id.at, sizeof s->ids[0].bytes);
    }
    query_done(q);
    arena_free(&row);
}

// Leaves in `ids` those that no letter points at.
static void orphans_work(void *arg)
{
    sweeping *s = arg;
    int kept = 0;
    for (int i = 0; i < s->count; i++) {
        query *q = query_of(s->a->d, "SELECT 1 FROM letter WHERE blob = ?1");
        query_blob(q, 1, str_of(s->ids[i].bytes, sizeof s->ids[i].bytes));
        bool used = query_row(q) || query_error(q) != E_OK;
        query_done(q);
        if (!used)
            s->ids[kept++] = s->ids[i];
    }
    s->count = kept;
}

static void dead_forget_work(void *arg)
{
    sweeping *s = arg;
    for (int i = 0; i < s->count; i++) {
        query *q = query_of(s->a->d, "DELETE FROM dead_blob WHERE blob = ?1");
        query_blob(q, 1, str_of(s->ids[i].bytes, sizeof s->ids[i].bytes));
        query_done(q);
    }
}

// Removes the blobs of removed letters; those that a crash leaves for later stand in the table until then.
static void dead_blobs_remove(account *a)
{
    arena memory = arena_make(64 * 1024);
    sweeping s = {.a = a, .ids = arena_array(&memory, blob_id, SWEEP_BLOBS_MAX)};
    if (account_work(a, dead_work, &s) != E_OK)
        s.count = 0;
    for (int i = 0; i < s.count; i++)
        blob_remove(a->b, s.ids[i]);
    if (s.count)
        account_work(a, dead_forget_work, &s);
    arena_free(&memory);
}

err account_remove(account *a, const maildrop *m)
{
    removing r = {.a = a, .m = m};
    err e = account_work(a, remove_work, &r);
    if (e == E_OK)
        e = r.e;
    if (e == E_OK)
        dead_blobs_remove(a);
    return e;
}

// At opening, before anybody delivers: blobs of removed letters, and those whose letter never came to be.
static void blobs_sweep(account *a)
{
    arena memory = arena_make(16 << 20);
    sweeping s = {.a = a};
    dead_blobs_remove(a);
    if (blobs_list(a->b, &memory, &s.ids, &s.count) == E_OK && s.count && account_work(a, orphans_work, &s) == E_OK)
        for (int i = 0; i < s.count; i++)
            blob_remove(a->b, s.ids[i]);
    arena_free(&memory);
}
