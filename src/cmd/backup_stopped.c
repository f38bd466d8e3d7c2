// What nobody writes to while it is copied: all of a stopped naru, or the directory of a service that does not run.
#include <string.h>

#include "cmd/backup.h"
#include "cmd/commands.h"
#include "cmd/options.h"

enum { NAMES_BYTES_MAX = 256 << 20 };

// Of torrents: files, and pieces of them.
static bool is_payload(str path)
{
    return str_eq(path, S("swarm/downloads")) || (str_starts(path, S("swarm/torrents/")) && (str_ends(path, S(".parts")) || str_ends(path, S(".partial"))));
}

// Nothing that lasts: locks, sockets, unfinished and retired files.
static bool passes_over(str path)
{
    static const char *const ends[] = {".sock", "journal/lock", "journal/new", "journal/spare", "blobs/new"};
    bool here = str_eq(path, S("lock")) || str_eq(path, S("run")) || str_find_str(path, S(".db-temporary")) >= 0;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        here |= str_ends(path, str_z(ends[i]));
    return here || is_payload(path) || str_eq(path, S("origin/work")) || str_eq(path, S("origin/trash"));
}

static str below(arena *a, str path, str name) { return path.len ? str_format(a, STR_FMT "/" STR_FMT, STR_ARG(path), STR_ARG(name)) : name; }

static bool list(backup *b, arena *a, str path, str **names, int *count, err *e)
{
    *count = 0;
    *e = dir_list(b->world, str_to_z(a, str_format(a, STR_FMT "/" STR_FMT, STR_ARG(b->from), STR_ARG(path))), a, names, count);
    if (*e && *e != E_NO_ENTRY)
        b->copier.why = str_format(&b->memory, "cannot list " STR_FMT "/" STR_FMT ": %s", STR_ARG(b->from), STR_ARG(path), err_text(*e));
    if (*e == E_NO_ENTRY)
        *e = E_OK;
    return *e == E_OK;
}

static bool tree(backup *b, str path, int depth)
{
    arena a = arena_make(NAMES_BYTES_MAX);
    str *names = NULL;
    int count;
    file_stat st;
    err e = E_LIMIT;
    bool good = depth <= BACKUP_DEPTH_MAX && list(b, &a, path, &names, &count, &e);
    if (!good)
        backup_fail(b, b->copier.why.len ? b->copier.why : S("directories lie too deep in each other"));
    for (int i = 0; good && i < count; i++) {
        str one = below(&a, path, names[i]);
        if (passes_over(one) || path_stat(b->world, str_to_z(&a, str_format(&a, STR_FMT "/" STR_FMT, STR_ARG(b->from), STR_ARG(one))), &st) != E_OK)
            continue;
        if (st.is_dir)
            good = tree(b, one, depth + 1);
        else if ((e = backup_data_file(b, one, -1)) != E_OK)
            good = backup_fail(b, b->copier.why);
    }
    arena_free(&a);
    return good;
}

bool backup_tree(backup *b, str path)
{
    file_stat st;
    char *list_of_torrents = str_to_z(&b->memory, str_join(&b->memory, b->from, S("/swarm/torrents")));
    bool torrents = (!path.len || str_eq(path, S("swarm"))) && path_stat(b->world, list_of_torrents, &st) == E_OK;
    return tree(b, path, 0) && (!torrents || backup_left_out_payload(b));
}

bool backup_blobs(backup *b, str store, err *e)
{
    arena a = arena_make(NAMES_BYTES_MAX), shelf_memory = arena_make(NAMES_BYTES_MAX);
    str *shelves = NULL, *names = NULL;
    int shelf_count, count;
    bool good = list(b, &a, store, &shelves, &shelf_count, e);
    for (int i = 0; good && i < shelf_count; i++) {
        if (str_eq(shelves[i], S("new")))
            continue;
        arena_reset(&shelf_memory);
        str shelf = below(&shelf_memory, store, shelves[i]);
        good = list(b, &shelf_memory, shelf, &names, &count, e);
        for (int k = 0; good && k < count; k++) {
            *e = backup_data_file(b, below(&shelf_memory, shelf, names[k]), -1);
            good = *e == E_OK || *e == E_NO_ENTRY;       // one that no letter pointed at has gone
        }
    }
    if (good)
        *e = E_OK;
    arena_free(&a);
    arena_free(&shelf_memory);
    return good;
}

// Its lock is held meanwhile, so that it cannot be started.
bool backup_stopped(backup *b)
{
    char *path = str_to_z(&b->memory, str_join(&b->memory, b->from, S("/lock")));
    err e = file_open(b->world, path, FILE_READ | FILE_WRITE, 0600, &b->lock);
    if (!e)
        e = file_lock(b->lock);
    if (e == E_NO_ENTRY)
        return backup_fail(b, str_format(&b->memory, STR_FMT " is not the directory of a `naru up` (there is no lock in it)", STR_ARG(b->from)));
    if (e == E_IN_USE)
        return backup_fail(b, str_format(&b->memory, "the naru in " STR_FMT " runs, but does not answer on its control.sock", STR_ARG(b->from)));
    if (e)
        return backup_fail(b, str_format(&b->memory, "cannot lock %s: %s", path, err_text(e)));
    return backup_tree(b, (str){0});
}
