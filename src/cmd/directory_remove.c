#include "cmd/directory_remove.h"

enum { DIRECTORY_ARENA_BYTES_MAX = 64 << 20 };

static err remove_below(world *w, str path, int depth, arena *a)
{
    char *z = str_to_z(a, path);
    str *names;
    int count;
    if (depth > DIRECTORY_DEPTH_MAX || a->full)
        return E_LIMIT;
    err e = path_remove(w, z);                           // a file, a link or an empty directory
    if (e == E_OK || e == E_NO_ENTRY)
        return E_OK;
    e = dir_list(w, z, a, &names, &count);
    for (int i = 0; i < count && e == E_OK; i++)
        e = remove_below(w, str_format(a, STR_FMT "/" STR_FMT, STR_ARG(path), STR_ARG(names[i])), depth + 1, a);
    return e == E_OK ? path_remove(w, z) : e;
}

err directory_remove(world *w, str path)
{
    arena a = arena_make(DIRECTORY_ARENA_BYTES_MAX);
    err e = remove_below(w, path, 0, &a);
    arena_free(&a);
    return e;
}
