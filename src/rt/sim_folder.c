// Folders of a simulated host: its disk has no links, so a name that was judged leads nowhere else.
#include <stdio.h>
#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"
#include "rt/sim_tree.h"

enum { PATH_BYTES = 6144 };

typedef struct {
    folder       base;                   // first
    sim_machine *host;
    uint32_t     incarnation;
    char        *path;
} sim_folder;

typedef struct { char at[PATH_BYTES]; } joined;

static sim_folder *folder_inside(folder *d) { return (sim_folder *)(void *)d; }
static bool folder_alive(const sim_folder *d) { return d->host->up && d->incarnation == d->host->incarnation; }

static err join(folder *base, const char *path, joined *out)
{
    const sim_folder *d = folder_inside(base);
    if (!folder_alive(d))
        return E_CRASHED;
    int n = snprintf(out->at, sizeof out->at, "%s%s%s", d->path, *path ? "/" : "", path);
    return n < (int)sizeof out->at ? E_OK : E_TOO_LONG;
}

err sim_folder_open(world *w, const char *path, folder **out)
{
    file_stat st;
    err e = sim_path_stat(w, path, &st);
    if (e || !st.is_dir)
        return e ? e : E_NO_ENTRY;
    sim_folder *d = memory_zeroed(1, sizeof *d);
    size_t n = strlen(path) + 1;
    *d = (sim_folder){.base.world = w, .host = host_of(w), .incarnation = host_of(w)->incarnation, .path = memory_new(n)};
    memcpy(d->path, path, n);
    *out = &d->base;
    return E_OK;
}

void sim_folder_close(folder *base)
{
    sim_folder *d = folder_inside(base);
    memory_free(d->path);
    memory_free(d);
}

err sim_folder_file(folder *d, const char *path, int flags, unsigned mode, file **out)
{
    joined p;
    err e = join(d, path, &p);
    return e ? e : sim_file_open(d->world, p.at, flags, mode, out);
}

err sim_folder_stat(folder *d, const char *path, file_stat *out)
{
    joined p;
    err e = join(d, path, &p);
    return e ? e : sim_path_stat(d->world, p.at, out);
}

err sim_folder_make(folder *d, const char *path, unsigned mode)
{
    joined p;
    err e = join(d, path, &p);
    return e ? e : sim_dir_make(d->world, p.at, mode);
}

err sim_folder_remove(folder *d, const char *path)
{
    joined p;
    err e = join(d, path, &p);
    return e ? e : sim_path_remove(d->world, p.at);
}

err sim_folder_rename(folder *from, const char *path, folder *to, const char *new_path, bool replace)
{
    joined old, new;
    err e = join(from, path, &old);
    if (!e)
        e = join(to, new_path, &new);
    if (!e && !replace && tree_find(host_of(to->world)->tree, new.at))
        e = E_EXISTS;
    return e ? e : sim_path_rename(from->world, old.at, new.at);
}

err sim_folder_sync(folder *d, const char *path)
{
    joined p;
    err e = join(d, path, &p);
    return e ? e : sim_dir_sync(d->world, p.at);
}

err sim_folder_space(folder *base, int64_t *free_bytes)
{
    const sim_folder *d = folder_inside(base);
    int64_t capacity = d->host->disk.capacity_bytes, left = capacity - tree_used_bytes(d->host->tree);
    if (!folder_alive(d))
        return E_CRASHED;
    *free_bytes = capacity == 0 ? INT64_MAX / 2 : left > 0 ? left : 0;
    return E_OK;
}
