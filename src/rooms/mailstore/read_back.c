#include "rooms/mailstore/read_back.h"

#include "base/heap_memory.h"
#include "base/hex.h"
#include "rooms/mailstore/account.h"
#include "rt/worker.h"

enum {
    NAMES_BYTES_MAX = 256 << 20, LETTER_BYTES_MAX = 4 * LETTER_INLINE_BYTES_MAX, CHUNK_BYTES = 256 * 1024, KEY_BYTES_MAX = 4096,
};

typedef struct {
    world  *w;
    arena  *memory;                      // for *why
    str    *why;
    account *a;                          // the one that is looked at
    arena   letter;
    unsigned char *chunk;
    account_read figures;
    account_told *told;
    void   *arg;
    err   (*step)(account *a, void *self);
} reading;

static err fail(reading *r, err e, const char *what, int64_t letter)
{
    if (letter)
        *r->why = str_format(r->memory, "the mailbox " STR_FMT ", letter %lld: %s: %s", STR_ARG(r->a->key), (long long)letter, what, err_text(e));
    else
        *r->why = str_format(r->memory, "the mailbox " STR_FMT ": %s: %s", STR_ARG(r->a->key), what, err_text(e));
    return e;
}

// ---- one account --------------------------------------------------------------------------------------------------------------

typedef struct { account *a; int64_t id, size_bytes, mailboxes, inbox; str verdict; arena memory; err e; } look;

static void integrity_work(void *arg)
{
    look *l = arg;
    query *q = query_of(l->a->d, "PRAGMA integrity_check(1)");
    bool sound = query_row(q) && str_eq(query_get_text(q, 0, &l->memory), S("ok"));
    l->e = query_done(q);
    if (!l->e && !sound)
        l->e = E_CORRUPT;
    q = query_of(l->a->d, "SELECT count(*) FROM mailbox");
    l->mailboxes = query_row(q) ? query_get_int(q, 0) : 0;
    err e = query_done(q);
    l->e = l->e ? l->e : e;
    q = query_of(l->a->d, "SELECT count(*) FROM letter JOIN mailbox ON mailbox.id = mailbox WHERE name = 'INBOX'");
    l->inbox = query_row(q) ? query_get_int(q, 0) : 0;
    e = query_done(q);
    l->e = l->e ? l->e : e;
}

static void next_work(void *arg)
{
    look *l = arg;
    query *q = query_of(l->a->d, "SELECT id FROM letter WHERE id > ?1 ORDER BY id LIMIT 1");
    query_int(q, 1, l->id);
    bool found = query_row(q);
    l->id = found ? query_get_int(q, 0) : 0;
    l->e = query_done(q);
}

static err blob_read_whole(reading *r, const letter_found *f)
{
    size_t got = CHUNK_BYTES;
    int64_t at = 0;
    err e = E_OK;
    for (; !e && got == CHUNK_BYTES; at += (int64_t)got)
        e = blob_read(r->a->b, f->blob, at, r->chunk, CHUNK_BYTES, &got);
    return e ? e : at == f->size_bytes ? E_OK : E_CORRUPT;
}

static err letter_read_whole(reading *r, int64_t id)
{
    letter_found f;
    arena_reset(&r->letter);
    err e = account_letter(r->a, id, &r->letter, &f);
    if (e)
        return fail(r, e, "cannot be found", id);
    e = f.in_blob ? blob_read_whole(r, &f) : f.body.len == f.size_bytes ? E_OK : E_CORRUPT;
    if (e)
        return fail(r, e, f.in_blob ? "its body cannot be read from its file" : "its body has another size than was stored", id);
    r->figures.letters++;
    r->figures.bytes += f.size_bytes;
    return E_OK;
}

static err account_read_whole(account *a, void *self)
{
    reading *r = self;
    look l = {.a = a, .memory = arena_make(64 * 1024)};
    err e = account_work(a, integrity_work, &l);
    arena_free(&l.memory);
    e = e ? e : l.e;
    if (e)
        return fail(r, e, "its database does not pass SQLite's check", 0);
    r->figures = (account_read){.account = a->key, .mailboxes = l.mailboxes,
                                .inbox = l.inbox < MAILDROP_LETTERS_MAX ? l.inbox : MAILDROP_LETTERS_MAX};
    for (;;) {
        e = account_work(a, next_work, &l);
        e = e ? e : l.e;
        if (e)
            return fail(r, e, "its letters cannot be listed", 0);
        if (!l.id)
            break;
        if ((e = letter_read_whole(r, l.id)) != E_OK)
            return e;
    }
    r->told(r->arg, &r->figures);
    return E_OK;
}

// ---- all of them ----------------------------------------------------------------------------------------------------------------

typedef struct { world *w; char *path; arena memory; str *names; int count; err e; } listing;

static void list_work(void *arg)
{
    listing *l = arg;
    l->e = dir_list(l->w, l->path, &l->memory, &l->names, &l->count);
    if (l->e == E_NO_ENTRY)
        l->e = E_OK;
}

static err account_at(reading *r, accounts_open *all, str name)
{
    buf key = buf_make(KEY_BYTES_MAX);
    err e = percent_decode(&key, name) && key.len ? E_OK : E_CORRUPT;
    if (e)
        *r->why = str_format(r->memory, STR_FMT "/accounts/" STR_FMT " is no mailbox", STR_ARG(all->directory), STR_ARG(name));
    r->a = e ? NULL : account_hold(all, buf_str(&key), &e);
    if (r->a)
        e = r->step(r->a, r);
    else if (!r->why->len)
        *r->why = str_format(r->memory, "the mailbox " STR_FMT " cannot be opened: %s", STR_ARG(buf_str(&key)), err_text(e));
    account_release(r->a);
    buf_free(&key);
    return e;
}

static err each_account(reading *r, str directory)
{
    accounts_open all = {.w = r->w, .directory = directory, .by_key = map_make(world_random_u64(r->w), ACCOUNTS_OPEN_MAX),
                         .delivery_ids_kept_s = INT32_MAX};
    listing l = {.w = r->w, .memory = arena_make(NAMES_BYTES_MAX)};
    l.path = str_to_z(&l.memory, str_join(&l.memory, directory, S("/accounts")));
    r->letter = arena_make(LETTER_BYTES_MAX);
    r->chunk = memory_new(CHUNK_BYTES);
    *r->why = (str){0};
    work(list_work, &l);
    err e = l.e;
    if (e)
        *r->why = str_format(r->memory, "cannot list %s: %s", l.path, err_text(e));
    for (int i = 0; i < l.count && !e; i++)
        e = account_at(r, &all, l.names[i]);
    accounts_close(&all);
    memory_free(r->chunk);
    arena_free(&r->letter);
    arena_free(&l.memory);
    return e;
}

err mailstore_read_back(world *w, str directory, account_told *told, void *arg, arena *a, str *why)
{
    reading r = {.w = w, .memory = a, .why = why, .told = told, .arg = arg, .step = account_read_whole};
    return each_account(&r, directory);
}

// ---- after a restore ------------------------------------------------------------------------------------------------------------

typedef struct { account *a; int64_t now_s; err e; } renewing;

static void renew_work(void *arg)
{
    renewing *n = arg;
    query *q = query_of(n->a->d, "UPDATE delivery SET at_s = ?1");
    query_int(q, 1, n->now_s);
    n->e = query_done(q);
}

static err account_renew(account *a, void *self)
{
    reading *r = self;
    renewing n = {.a = a, .now_s = world_wall_s(r->w)};
    err e = account_work(a, renew_work, &n);
    e = e ? e : n.e;
    return e ? fail(r, e, "its delivery ids cannot be renewed", 0) : E_OK;
}

err mailstore_restored(world *w, str directory, arena *a, str *why)
{
    reading r = {.w = w, .memory = a, .why = why, .step = account_renew};
    return each_account(&r, directory);
}
