// What POP3 sees of an account: the list, the letters, and their removal with the blobs that go with them.
#include <string.h>

#include "base/heap_memory.h"
#include "rooms/mailstore/account.h"

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
void account_sweep_dead(account *a)
{
    if (a->lent)
        return;
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
        account_sweep_dead(a);
    return e;
}

void account_sweep(account *a)
{
    arena memory = arena_make(16 << 20);
    sweeping s = {.a = a};
    account_sweep_dead(a);
    if (blobs_list(a->b, &memory, &s.ids, &s.count) == E_OK && s.count && account_work(a, orphans_work, &s) == E_OK)
        for (int i = 0; i < s.count; i++)
            blob_remove(a->b, s.ids[i]);
    arena_free(&memory);
}
