// What the mailstore lends to `naru backup`: one account at a time, its database standing still and its blobs kept. docs/backup.md.
#include "base/hex.h"
#include "base/must.h"
#include "rooms/mailstore/mailstore_inside.h"
#include "rt/worker.h"
#include "talk/lending.h"

enum { KEY_BYTES_MAX = 4096 };

typedef struct { account *a; err e; } freezing;

static void freeze_work(void *arg)
{
    freezing *f = arg;
    f->e = database_freeze(f->a->d);
}

static void thaw_work(void *arg)
{
    freezing *f = arg;
    f->e = database_thaw(f->a->d);
}

// "kim@club.example.kr" from the name of its directory; empty: not one that has mail.
static str key_of(const mailstore *m, str name, arena *a)
{
    buf out = buf_make(KEY_BYTES_MAX);
    file_stat st;
    str key = percent_decode(&out, name) ? str_copy(a, buf_str(&out)) : (str){0};
    buf_free(&out);
    if (str_find(name, '/') >= 0 || key.len == 0)
        return (str){0};
    char *path = str_to_z(a, str_format(a, STR_FMT "/accounts/" STR_FMT "/mail.db", STR_ARG(m->accounts.directory), STR_ARG(name)));
    return path_stat(m->w, path, &st) == E_OK ? key : (str){0};
}

typedef struct { const mailstore *m; str name, key; arena *a; } lookup;

static void key_work(void *arg)
{
    lookup *l = arg;
    l->key = key_of(l->m, l->name, l->a);
}

static err lend(void *arg, loan *l, str part, str *why)
{
    mailstore *m = arg;
    err e = E_OK;
    lookup look = {m, part, {0}, &l->memory};
    work(key_work, &look);
    account *a = look.key.len ? account_hold(&m->accounts, look.key, &e) : NULL;
    if (!look.key.len) {
        *why = S("there is no such mailbox");
        return E_NO_ENTRY;
    }
    freezing f = {.a = a, .e = a ? E_OK : e};
    if (a) {
        e = account_work(a, freeze_work, &f);
        f.e = e ? e : f.e;
    }
    if (a && f.e)
        account_release(a);
    if (f.e) {
        *why = str_format(&l->memory, "the mailbox " STR_FMT " cannot be lent: %s", STR_ARG(look.key), err_text(f.e));
        return f.e;
    }
    a->lent = true;
    l->state = a;
    l->files = arena_new(&l->memory, lent_file);
    must(l->files);
    l->files[0] = (lent_file){str_format(&l->memory, "accounts/" STR_FMT "/mail.db", STR_ARG(part)), -1};
    l->file_count = 1;
    l->folder = str_format(&l->memory, "accounts/" STR_FMT "/blobs", STR_ARG(part));
    return E_OK;
}

static bool give_back(void *arg, loan *l, bool ending)
{
    account *a = l->state;
    freezing f = {.a = a, .e = E_CANCELED};
    (void)arg;
    a->lent = false;
    err e = ending ? E_CANCELED : account_work(a, thaw_work, &f);
    if (!ending)
        account_sweep_dead(a);
    account_release(a);
    return e == E_OK && f.e == E_OK;
}

void mailstore_backup(mailstore *m)
{
    lender *own = arena_new(m->r->memory, lender);
    must(own);
    *own = (lender){lend, give_back, m};
    lending_offer(m->r, own);
}
