// Delivering: those that wait for one account share a transaction. Whoever comes while nobody commits takes the lead.
#include "base/must.h"
#include "rooms/mailstore/account.h"
#include "rt/log.h"
#include "rt/sim.h"

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
