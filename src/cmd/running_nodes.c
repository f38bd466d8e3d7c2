#include "cmd/running.h"

#include "rt/world.h"

int running_nodes(arena *a, str directory, const char *service, str host, running_node *out, int max)
{
    world *w = world_linux_new(S("nodes"), NULL, 0);
    file_stat st;
    str *names;
    int count = 0, found = 0;
    if (!host.len && path_stat(w, str_to_z(a, str_format(a, STR_FMT "/%s", STR_ARG(directory), service)), &st) == E_OK)
        out[found++] = (running_node){.directory = directory};
    else if (dir_list(w, str_to_z(a, directory), a, &names, &count) != E_OK)
        count = 0;
    for (int i = 0; i < count && found < max; i++) {
        str below = str_format(a, STR_FMT "/" STR_FMT, STR_ARG(directory), STR_ARG(names[i]));
        if (host.len && !str_eq_nocase(host, names[i]))
            continue;
        if (path_stat(w, str_to_z(a, str_format(a, STR_FMT "/%s", STR_ARG(below), service)), &st) == E_OK)
            out[found++] = (running_node){below, names[i]};
    }
    world_linux_free(w);
    return found;
}
