#include "rooms/accounts/people.h"

#include <stdio.h>
#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"
#include "rt/worker.h"

struct people {
    world    *w;
    database *d;
    map       by_address;
};

static const char *const SCHEMA[] = {
    "CREATE TABLE person (id INTEGER PRIMARY KEY, address TEXT NOT NULL UNIQUE, role TEXT NOT NULL, hash TEXT NOT NULL,"
    " created_s INTEGER NOT NULL);"
    "CREATE TABLE app_password (id INTEGER PRIMARY KEY, person INTEGER NOT NULL REFERENCES person(id) ON DELETE CASCADE,"
    " label TEXT NOT NULL, hash TEXT NOT NULL, created_s INTEGER NOT NULL)",
    NULL,
};

static void text_keep(char *out, size_t size, str text)
{
    text = str_first(text, (ptrdiff_t)size - 1);
    if (text.len)
        memcpy(out, text.at, (size_t)text.len);
    out[text.len] = 0;
}

// ---- in memory -------------------------------------------------------------------------------------------------

static person *person_new(int64_t id, str address_key, str role, str hash, int64_t created_s)
{
    person *who = memory_zeroed(1, sizeof *who + (size_t)address_key.len);
    unsigned char *room = (unsigned char *)(who + 1);
    who->id = id;
    who->created_s = created_s;
    if (address_key.len)
        memcpy(room, address_key.at, (size_t)address_key.len);
    who->address = str_of(room, (size_t)address_key.len);
    text_keep(who->role, sizeof who->role, role);
    text_keep(who->hash, sizeof who->hash, hash);
    return who;
}

static void person_free(person *who)
{
    for (app_password *app = who->apps, *next; app; app = next) {
        next = app->next;
        memory_free(app);
    }
    memory_free(who);
}

static void app_keep(person *who, int64_t id, str label, str hash, int64_t created_s)
{
    app_password *app = memory_zeroed(1, sizeof *app);
    app->id = id;
    app->created_s = created_s;
    text_keep(app->label, sizeof app->label, label);
    text_keep(app->hash, sizeof app->hash, hash);
    app->next = who->apps;
    who->apps = app;
}

person *people_find(const people *p, str address_key) { return map_get(&p->by_address, address_key); }
int people_count(const people *p) { return (int)p->by_address.count; }

bool people_each(const people *p, size_t *cursor, person **out)
{
    str key;
    void *value;
    bool more = map_each(&p->by_address, cursor, &key, &value);
    *out = more ? value : NULL;
    return more;
}

bool people_is_viewer(const person *who) { return strcmp(who->role, "viewer") == 0; }

static person *keeper_of(const people *p, str domain)
{
    person *best = NULL, *who;
    for (size_t cursor = 0; people_each(p, &cursor, &who);) {
        if (people_is_viewer(who) || !str_eq(str_from(who->address, str_rfind(who->address, '@') + 1), domain))
            continue;
        bool admin = strcmp(who->role, "admin") == 0, best_admin = best && strcmp(best->role, "admin") == 0;
        if (!best || admin > best_admin || (admin == best_admin && who->id < best->id))
            best = who;
    }
    return best;
}

bool people_have_mail_at(const people *p, str domain) { return keeper_of(p, domain) != NULL; }

static person *person_with_mail(const people *p, str key)
{
    person *who = people_find(p, key);
    return who && !people_is_viewer(who) ? who : NULL;
}

person *people_mailbox(const people *p, str key)
{
    person *who = person_with_mail(p, key);
    ptrdiff_t at = str_rfind(key, '@'), plus = str_find(str_first(key, at), '+');
    if (who || at < 0)
        return who;
    if (plus > 0) {
        arena a = arena_make(4096);
        who = person_with_mail(p, str_join(&a, str_first(key, plus), str_from(key, at)));
        arena_free(&a);
    }
    str local = str_first(key, at);
    if (!who && (str_eq(local, S("postmaster")) || str_eq(local, S("abuse"))))
        who = keeper_of(p, str_from(key, at + 1));
    return who;
}

// ---- the database: each change is one work ---------------------------------------------------------------------

typedef struct {
    people     *p;
    const char *path;
    arena      *a;
    str        *why;
    const person *who;
    str         text, role;
    const char *hash;
    int64_t     id, now_s;
    err         e;
} change;

static void people_load(people *p, arena *a)
{
    query *q = query_of(p->d, "SELECT id, address, role, hash, created_s FROM person");
    while (query_row(q)) {
        arena_reset(a);
        person *who = person_new(query_get_int(q, 0), query_get_text(q, 1, a), query_get_text(q, 2, a),
                                 query_get_text(q, 3, a),
                                 query_get_int(q, 4));
        if (!map_put(&p->by_address, who->address, who))
            person_free(who);
    }
    q = query_of(p->d, "SELECT address, app_password.id, label, app_password.hash, app_password.created_s"
                       " FROM app_password JOIN person ON person.id = person");
    while (query_row(q)) {
        arena_reset(a);
        person *who = people_find(p, query_get_text(q, 0, a));
        if (who)
            app_keep(who, query_get_int(q, 1), query_get_text(q, 2, a), query_get_text(q, 3, a), query_get_int(q, 4));
    }
}

static void open_work(void *arg)
{
    change *c = arg;
    arena row = arena_make(64 * 1024);
    c->e = database_open(c->p->w, c->path, SCHEMA, c->a, &c->p->d, c->why);
    if (c->e == E_OK)
        people_load(c->p, &row);
    arena_free(&row);
}

err people_open(world *w, const char *path, arena *a, people **out, str *why)
{
    people *p = memory_zeroed(1, sizeof *p);
    p->w = w;
    p->by_address = map_make(world_random_u64(w), PEOPLE_MAX);
    change c = {.p = p, .path = path, .a = a, .why = why};
    work(open_work, &c);
    *out = p;
    if (c.e != E_OK) {
        *out = NULL;
        people_close(p);
    }
    return c.e;
}

static void close_work(void *arg) { database_close(arg); }

void people_close(people *p)
{
    person *who;
    if (!p)
        return;
    for (size_t cursor = 0; people_each(p, &cursor, &who);)
        person_free(who);
    map_free(&p->by_address);
    if (p->d)
        work(close_work, p->d);
    memory_free(p);
}

static err change_do(change *c, void (*step)(void *))
{
    turn *t = database_turn(c->p->d);
    err e = turn_take(t, NEVER_NS);
    if (e != E_OK)
        return e;
    c->now_s = world_wall_s(c->p->w);
    work(step, c);
    turn_give(t);
    return c->e;
}

static void add_work(void *arg)
{
    change *c = arg;
    query *q = query_of(c->p->d, "INSERT INTO person (address, role, hash, created_s) VALUES (?1, ?2, ?3, ?4)");
    query_text(q, 1, c->text);
    query_text(q, 2, c->role);
    query_text(q, 3, str_z(c->hash));
    query_int(q, 4, c->now_s);
    c->e = query_done(q);
    c->id = database_last_id(c->p->d);
}

err people_add(people *p, str address_key, const char *hash, str role)
{
    change c = {.p = p, .text = address_key, .role = str_first(role, ROLE_BYTES_MAX), .hash = hash};
    if (people_find(p, address_key))
        return E_EXISTS;
    if (people_count(p) >= PEOPLE_MAX)
        return E_LIMIT;
    err e = change_do(&c, add_work);
    if (e == E_OK) {
        person *who = person_new(c.id, address_key, c.role, str_z(hash), c.now_s);
        must(map_put(&p->by_address, who->address, who));
    }
    return e;
}

static void hash_work(void *arg)
{
    change *c = arg;
    query *q = query_of(c->p->d, "UPDATE person SET hash = ?2 WHERE id = ?1");
    query_int(q, 1, c->id);
    query_text(q, 2, str_z(c->hash));
    c->e = query_done(q);
}

// While a change waits for the disk another may remove the person: look again by address afterwards.
static person *still_there(people *p, str address_key, int64_t id)
{
    person *who = people_find(p, address_key);
    return who && who->id == id ? who : NULL;
}

err people_set_hash(people *p, person *who, const char *hash)
{
    arena a = arena_make(4096);
    str key = str_copy(&a, who->address);
    change c = {.p = p, .id = who->id, .hash = hash};
    err e = change_do(&c, hash_work);
    who = still_there(p, key, c.id);
    if (e == E_OK && who)
        text_keep(who->hash, sizeof who->hash, str_z(hash));
    arena_free(&a);
    return e;
}

static void remove_work(void *arg)
{
    change *c = arg;
    c->e = database_begin(c->p->d);
    if (c->e != E_OK)
        return;
    query *q = query_of(c->p->d, "DELETE FROM app_password WHERE person = ?1");
    query_int(q, 1, c->id);
    c->e = query_done(q);
    q = query_of(c->p->d, "DELETE FROM person WHERE id = ?1");
    query_int(q, 1, c->id);
    if (c->e == E_OK)
        c->e = query_done(q);
    if (c->e == E_OK)
        c->e = database_commit(c->p->d);
    else
        database_rollback(c->p->d);
}

err people_remove(people *p, person *who)
{
    arena a = arena_make(4096);
    str key = str_copy(&a, who->address);
    change c = {.p = p, .id = who->id};
    err e = change_do(&c, remove_work);
    who = still_there(p, key, c.id);
    if (e == E_OK && who) {
        map_remove(&p->by_address, key);
        person_free(who);
    }
    arena_free(&a);
    return e;
}

static void app_add_work(void *arg)
{
    change *c = arg;
    query *q = query_of(c->p->d, "INSERT INTO app_password (person, label, hash, created_s) VALUES (?1, ?2, ?3, ?4)");
    query_int(q, 1, c->id);
    query_text(q, 2, c->text);
    query_text(q, 3, str_z(c->hash));
    query_int(q, 4, c->now_s);
    c->e = query_done(q);
    c->id = database_last_id(c->p->d);
}

err people_app_add(people *p, person *who, str label, const char *hash, int64_t *id)
{
    int count = 0;
    for (app_password *app = who->apps; app; app = app->next)
        count++;
    if (count >= APP_PASSWORDS_MAX)
        return E_LIMIT;
    arena a = arena_make(4096);
    str key = str_copy(&a, who->address);
    int64_t person_id = who->id;
    change c = {.p = p, .id = person_id, .text = str_first(label, LABEL_BYTES_MAX), .hash = hash};
    err e = change_do(&c, app_add_work);
    *id = c.id;
    who = still_there(p, key, person_id);
    if (e == E_OK && who)
        app_keep(who, c.id, c.text, str_z(hash), c.now_s);
    arena_free(&a);
    return e;
}

static void app_remove_work(void *arg)
{
    change *c = arg;
    query *q = query_of(c->p->d, "DELETE FROM app_password WHERE id = ?1");
    query_int(q, 1, c->id);
    c->e = query_done(q);
}

err people_app_remove(people *p, person *who, int64_t id)
{
    app_password **at = &who->apps;
    while (*at && (*at)->id != id)
        at = &(*at)->next;
    app_password *gone = *at;
    if (!gone)
        return E_NO_ENTRY;
    *at = gone->next;                              // it opens nothing from now on, whatever the disk says
    memory_free(gone);
    change c = {.p = p, .id = id};
    return change_do(&c, app_remove_work);
}

// ---- backup ----------------------------------------------------------------------------------------------------

static void freeze_work(void *arg)
{
    change *c = arg;
    c->e = database_freeze(c->p->d);
}

static void thaw_work(void *arg)
{
    change *c = arg;
    c->e = database_thaw(c->p->d);
}

static void check_work(void *arg)
{
    change *c = arg;
    arena a = arena_make(64 * 1024);
    query *q = query_of(c->p->d, "PRAGMA integrity_check(1)");
    bool sound = query_row(q) && str_eq(query_get_text(q, 0, &a), S("ok"));
    c->e = query_done(q);
    if (!c->e && !sound)
        c->e = E_CORRUPT;
    arena_free(&a);
}

err people_freeze(people *p) { return change_do(&(change){.p = p}, freeze_work); }
err people_thaw(people *p) { return change_do(&(change){.p = p}, thaw_work); }
err people_check(people *p) { return change_do(&(change){.p = p}, check_work); }
