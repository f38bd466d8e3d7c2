#include "cmd/running.h"

#include <stdlib.h>

#include "rt/loop.h"
#include "rt/own_dir.h"
#include "rt/worker.h"

enum { ENTRIES_MAX = 256, ENTRY_BYTES_MAX = 4096, CONNECT_S = 5, ANSWER_S = 60 };

// ---- the list of instances: a file each, which holds the directory ----------------------------------------------------------

bool running_list_dir(arena *a, str *path)
{
    str runtime = str_z(getenv("XDG_RUNTIME_DIR"));
    if (str_starts(runtime, S("/"))) {
        *path = str_join(a, runtime, S("/naru"));
        if (own_dir(str_to_z(a, *path), true))
            return true;
    }
    *path = str_format(a, "/tmp/naru-%u", own_user());
    return own_dir(str_to_z(a, *path), true);
}

static bool entry_path(arena *a, str dir, char **path)
{
    str list;
    if (!running_list_dir(a, &list))
        return false;
    *path = str_to_z(a, str_format(a, STR_FMT "/%016llx", STR_ARG(list), (unsigned long long)str_hash(dir, 0)));
    return true;
}

typedef struct { world *world; arena *a; str dir; bool good; } listing;

static void announce(void *arg)
{
    listing *l = arg;
    char *path;
    for (int tries = 0; tries < 2 && !l->good; tries++)      // the last of the others may take the empty list away meanwhile
        l->good = entry_path(l->a, l->dir, &path) && file_replace(l->world, path, l->dir, 0600) == E_OK;
}

static void forget(void *arg)
{
    listing *l = arg;
    char *path;
    str list;
    l->good = entry_path(l->a, l->dir, &path) && path_remove(l->world, path) == E_OK;
    if (l->good && running_list_dir(l->a, &list))
        path_remove(l->world, str_to_z(l->a, list));         // as long as it names others, it stays
}

// File operations block: from a fiber they go to a worker.
static bool list_change(arena *a, str dir, void (*change)(void *))
{
    world *own = world_here() ? NULL : world_linux_new(S("naru"), NULL, 0);
    listing l = {own ? own : world_here(), a, dir, false};
    if (work_allowed())
        change(&l);
    else
        work(change, &l);
    if (own)
        world_linux_free(own);
    return l.good;
}

bool running_announce(arena *a, str dir) { return str_starts(dir, S("/")) && list_change(a, dir, announce); }
void running_forget(arena *a, str dir) { list_change(a, dir, forget); }

// ---- asking -------------------------------------------------------------------------------------------------------------------

typedef struct {
    world      *world;
    arena      *a;
    str         dir, method, target, body;
    http_result result;
} question;

static void ask(void *arg)
{
    question *q = arg;
    char *path = str_to_z(q->a, str_join(q->a, q->dir, S("/control.sock")));
    conn *c = conn_open_unix(q->world, path, seconds(CONNECT_S));
    conn_deadline(c, seconds(ANSWER_S));
    q->result = http_fetch(c, q->method, S("naru"), q->target, NULL, 0, q->body, RUNNING_ANSWER_BYTES_MAX, q->a);
    conn_close(c);
}

http_result running_ask(arena *a, str dir, str method, str target, str body)
{
    question q = {world_linux_new(S("naru"), NULL, 0), a, dir, method, target, body, {.error = E_IO}};
    loop_driver *driver = driver_linux_new();
    err e = loop_run(driver, q.world, ask, &q);
    if (e)
        q.result.error = e;
    driver_linux_free(driver);
    world_linux_free(q.world);
    return q.result;
}

static void pause_fiber(void *arg) { fiber_sleep(millis(*(int *)arg)); }

void running_pause(int ms)
{
    world *w = world_linux_new(S("naru"), NULL, 0);
    loop_driver *driver = driver_linux_new();
    loop_run(driver, w, pause_fiber, &ms);
    driver_linux_free(driver);
    world_linux_free(w);
}

static bool answers(arena *a, str dir)
{
    http_result r = running_ask(a, dir, S("GET"), S("/status"), (str){0});
    return !r.error && r.status == 200;
}

// ---- finding ------------------------------------------------------------------------------------------------------------------

typedef struct { str dir; int64_t modified_ns; } entry;

static int newest_first(const void *left, const void *right)
{
    const entry *a = left, *b = right;
    return (a->modified_ns < b->modified_ns) - (a->modified_ns > b->modified_ns);
}

static int entries_read(world *w, arena *a, entry *out)
{
    str list, *names, dir;
    file_stat st;
    int count = 0, found = 0;
    if (!running_list_dir(a, &list) || dir_list(w, str_to_z(a, list), a, &names, &found) != E_OK)
        return 0;
    for (int i = 0; i < found && count < ENTRIES_MAX; i++) {
        char *path = str_to_z(a, str_format(a, STR_FMT "/" STR_FMT, STR_ARG(list), STR_ARG(names[i])));
        if (path_stat(w, path, &st) != E_OK || st.is_dir || file_read_all(w, path, a, ENTRY_BYTES_MAX, &dir) != E_OK)
            continue;
        int64_t announced_ns = st.modified_ns;
        if (path_stat(w, str_to_z(a, dir), &st) == E_NO_ENTRY)
            path_remove(w, path);                // it died without saying so, and its directory is gone
        else
            out[count++] = (entry){dir, announced_ns};
    }
    return count;
}

bool running_find(arena *a, str wanted, str *dir)
{
    if (wanted.len == 0)
        wanted = str_z(getenv("NARU_DIR"));
    if (wanted.len) {
        *dir = wanted;
        return answers(a, wanted);
    }
    entry *entries = arena_array(a, entry, ENTRIES_MAX);
    if (!entries)
        return false;
    world *w = world_linux_new(S("naru"), NULL, 0);
    int count = entries_read(w, a, entries);
    world_linux_free(w);
    qsort(entries, (size_t)count, sizeof *entries, newest_first);
    for (int i = 0; i < count; i++)
        if (answers(a, entries[i].dir)) {
            *dir = entries[i].dir;
            return true;
        }
    return false;
}
