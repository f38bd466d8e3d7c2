// Where files are: free-space, torrent-set-location.
#include "rooms/swarm/rpc_inside.h"

#include <string.h>

#include "rt/worker.h"

// ---- how much room there is -----------------------------------------------------------------------------------------------------

typedef struct {
    world  *world;
    char    directory[STORE_DIRECTORY_BYTES_MAX + 1], below[STORE_DIRECTORY_BYTES_MAX + 1];      // below: "" is the directory itself
    int64_t bytes;
    err     error;
} spacing;

static void text_put(char *out, str s)
{
    memcpy(out, s.at, (size_t)s.len);
    out[s.len] = 0;
}

// The directory is made when the first torrent comes: until then, what is above it.
static err directory_open(spacing *x, folder **out)
{
    err e = folder_open(x->world, x->directory, out);
    for (char *slash; e == E_NO_ENTRY && !x->below[0] && (slash = strrchr(x->directory, '/')); ) {
        slash[slash == x->directory] = 0;
        e = folder_open(x->world, x->directory, out);
        if (strcmp(x->directory, "/") == 0)
            break;
    }
    return e;
}

// A link beneath it may lead to anywhere: it is looked at without following, before it is opened.
static void space_run(void *arg)
{
    spacing *x = arg;
    folder *d = NULL;
    file_stat st;
    char path[2 * STORE_DIRECTORY_BYTES_MAX + 2];
    x->error = directory_open(x, &d);
    if (!x->error && x->below[0]) {
        x->error = folder_stat(d, x->below, &st);
        folder_close(d);
        d = NULL;
        snprintf(path, sizeof path, "%s/%s", x->directory, x->below);
        if (!x->error)
            x->error = folder_open(x->world, path, &d);
    }
    if (!x->error)
        x->error = folder_space(d, &x->bytes);
    if (d)
        folder_close(d);
}

err rpc_space(rpc *x, str directory, int64_t *bytes)
{
    str home = x->swarm->directory;
    spacing s = {.world = x->room->world};
    while (directory.len > 1 && str_ends(directory, S("/")))
        directory = str_first(directory, directory.len - 1);
    while (home.len > 1 && str_ends(home, S("/")))
        home = str_first(home, home.len - 1);
    str below = str_from(directory, home.len);
    bool inside = str_starts(directory, home) && (below.len == 0 || below.at[0] == '/');
    if (!inside || directory.len > STORE_DIRECTORY_BYTES_MAX || str_find(directory, 0) >= 0)
        return E_ACCESS;
    text_put(s.directory, home);
    text_put(s.below, below.len ? str_from(below, 1) : below);
    work(space_run, &s);
    if (!s.error)
        *bytes = s.bytes;
    return s.error;
}

const char *rpc_free_space(rpc *x, json_t *arguments, json_t *out, arena *msg)
{
    const char *path = json_string_value(json_object_get(arguments, "path"));
    int64_t bytes = -1;
    if (!path || path[0] != '/')
        return "directory path is not absolute";
    err e = rpc_space(x, str_z(path), &bytes);
    json_object_set_new(out, "path", rpc_text(str_z(path)));
    json_object_set_new(out, "size-bytes", json_integer(bytes));
    if (e == E_ACCESS)
        return "only of the download directory and what is beneath it";
    return e ? str_to_z(msg, str_format(msg, "the room there is not known: %s", err_text(e))) : NULL;
}

// ---- another place --------------------------------------------------------------------------------------------------------------

const char *rpc_torrents_move(rpc *x, const json_t *arguments, arena *msg)
{
    str to = str_z(json_string_value(json_object_get(arguments, "location")));
    const char *trouble = NULL;
    bool recent;
    size_t i;
    if (!to.len)
        return "no location specified";
    json_t *ids = rpc_ids(x, arguments, &recent), *id;
    json_array_foreach(ids, i, id) {
        torrent *t = rpc_torrent_at(x, json_integer_value(id));
        str why = {0};
        if (!t)
            continue;
        if (torrent_move(t, to, msg, &why) && !trouble)
            trouble = str_to_z(msg, why.len ? why : S("the files could not be moved"));
        rpc_number *n = rpc_number_at(x, json_integer_value(id));
        if (n)
            n->changed_s = world_wall_s(x->room->world);
    }
    json_decref(ids);
    return trouble;
}
