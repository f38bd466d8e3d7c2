#include "rooms/swarm/watch.h"

#include "base/heap_memory.h"
#include "rooms/swarm/swarm_inside.h"
#include "rt/log.h"
#include "rt/worker.h"

enum { WATCH_MEMORY_BYTES_MAX = 64 << 20 };

typedef struct { str name; int64_t size_bytes; } waiting;

typedef struct {
    swarm *swarm;
    world *w;
    str    directory;
    arena  here, before;                     // of this look and the one before
    waiting *seen, *seen_before;
    int    count, count_before;
    err    failed;
    // one file
    str    name, text, to;
} watch;

static bool is_ours(str name)
{
    return (str_ends_nocase(name, S(".torrent")) || str_ends_nocase(name, S(".magnet"))) && !str_starts(name, S("."));
}

static char *path_of(watch *x, str name)
{
    return str_to_z(&x->here, str_format(&x->here, STR_FMT "/" STR_FMT, STR_ARG(x->directory), STR_ARG(name)));
}

static void look(void *arg)
{
    watch *x = arg;
    str *names;
    int count = 0;
    x->failed = dir_list(x->w, str_to_z(&x->here, x->directory), &x->here, &names, &count);
    x->seen = x->failed ? NULL : arena_array(&x->here, waiting, WATCH_FILES_MAX);
    for (int i = 0; x->seen && i < count && x->count < WATCH_FILES_MAX; i++) {
        file_stat st;
        if (is_ours(names[i]) && path_stat(x->w, path_of(x, names[i]), &st) == E_OK && !st.is_dir && st.size_bytes > 0)
            x->seen[x->count++] = (waiting){names[i], st.size_bytes};
    }
}

static void read_one(void *arg)
{
    watch *x = arg;
    x->failed = file_read_all(x->w, path_of(x, x->name), &x->here, METAINFO_BYTES_MAX, &x->text);
}

static void rename_one(void *arg)
{
    watch *x = arg;
    x->failed = path_rename(x->w, path_of(x, x->name), path_of(x, x->to));
}

static void add_one(watch *x, str name)
{
    x->name = name;
    work(read_one, x);
    bool link = str_ends_nocase(name, S(".magnet"));
    swarm_addition what = {.magnet = link ? str_trim(x->text) : (str){0}, .metainfo = link ? (str){0} : x->text};
    torrent *t = NULL;
    str why = str_z(err_text(x->failed));
    err e = x->failed ? x->failed : swarm_add(x->swarm, &what, &t, &x->here, &why);
    bool good = e == E_OK || e == E_EXISTS;
    x->to = str_format(&x->here, STR_FMT "%s", STR_ARG(name), good ? ".added" : ".refused");
    work(rename_one, x);
    if (good)
        log_line("swarm", LOG_NOTICE, "added from the watch directory", F_STR("file", name));
    else
        log_line("swarm", LOG_WARNING, "refused from the watch directory", F_STR("file", name), F_STR("why", why));
}

static bool has_settled(const watch *x, waiting now)
{
    for (int i = 0; i < x->count_before; i++)
        if (str_eq(x->seen_before[i].name, now.name))
            return x->seen_before[i].size_bytes == now.size_bytes;
    return false;
}

static void run(void *arg)
{
    watch *x = arg;
    while (fiber_sleep(WATCH_S * NS_PER_S) == E_OK) {
        work(look, x);
        for (int i = 0; i < x->count && !x->swarm->stopping; i++)
            if (has_settled(x, x->seen[i]))
                add_one(x, x->seen[i].name);
        arena old = x->before;
        x->before = x->here;
        x->seen_before = x->seen;
        x->count_before = x->count;
        arena_reset(&old);
        x->here = old;
        x->count = 0;
    }
    arena_free(&x->here);
    arena_free(&x->before);
    memory_free(x);
}

static void make_directory(void *arg)
{
    watch *x = arg;
    x->failed = dir_make(x->w, str_to_z(&x->here, x->directory), 0755);
}

err watch_start(swarm *s, room *r, str *why)
{
    str directory = config_text(r->settings, swarm_settings, "watch");
    if (!directory.len)
        return E_OK;
    watch *x = memory_zeroed(1, sizeof *x);
    *x = (watch){.swarm = s, .w = r->world, .directory = directory, .here = arena_make(WATCH_MEMORY_BYTES_MAX),
                 .before = arena_make(WATCH_MEMORY_BYTES_MAX)};
    work(make_directory, x);
    err e = x->failed ? x->failed : scope_go(r->scope, "watch directory", run, x);
    if (e) {
        *why = str_format(r->memory, "swarm: the watch directory " STR_FMT ": %s. Name one that naru may write.", STR_ARG(directory), err_text(e));
        arena_free(&x->here);
        arena_free(&x->before);
        memory_free(x);
    }
    return e;
}
