// Folders' upper side: names are judged here, the same in every world, before an implementation sees them.
#include <string.h>

#include "rt/fiber_inside.h"
#include "rt/worker.h"

enum { FOLDER_PATH_BYTES_MAX = 4095, FOLDER_PART_BYTES_MAX = 255 };

static bool part_good(const char *at, size_t len)
{
    return len > 0 && !(len == 1 && at[0] == '.') && !(len == 2 && at[0] == '.' && at[1] == '.');
}

static err path_judge(const char *path, bool itself_too)
{
    must(work_allowed());
    if (strlen(path) > FOLDER_PATH_BYTES_MAX)
        return E_TOO_LONG;
    if (!*path)
        return itself_too ? E_OK : E_ACCESS;
    for (const char *part = path;; part++) {
        size_t len = strcspn(part, "/");
        if (!part_good(part, len))
            return E_ACCESS;
        if (len > FOLDER_PART_BYTES_MAX)
            return E_TOO_LONG;
        part += len;
        if (!*part)
            return E_OK;
    }
}

err folder_open(world *w, const char *path, folder **out)
{
    must(work_allowed());
    return w->operations->folder_open(w, path, out);
}

void folder_close(folder *d)
{
    must(work_allowed());
    d->world->operations->folder_close(d);
}

err folder_file(folder *d, const char *path, int flags, unsigned mode, file **out)
{
    err e = path_judge(path, false);
    return e ? e : d->world->operations->folder_file(d, path, flags, mode, out);
}

err folder_stat(folder *d, const char *path, file_stat *out)
{
    err e = path_judge(path, true);
    return e ? e : d->world->operations->folder_stat(d, path, out);
}

err folder_make(folder *d, const char *path, unsigned mode)
{
    err e = path_judge(path, false);
    return e ? e : d->world->operations->folder_make(d, path, mode);
}

err folder_remove(folder *d, const char *path)
{
    err e = path_judge(path, false);
    return e ? e : d->world->operations->folder_remove(d, path);
}

err folder_rename(folder *from, const char *path, folder *to, const char *new_path, bool replace)
{
    err e = path_judge(path, false);
    if (!e)
        e = path_judge(new_path, false);
    must(from->world == to->world);
    return e ? e : from->world->operations->folder_rename(from, path, to, new_path, replace);
}

err folder_sync(folder *d, const char *path)
{
    err e = path_judge(path, true);
    return e ? e : d->world->operations->folder_sync(d, path);
}

err folder_space(folder *d, int64_t *free_bytes)
{
    must(work_allowed());
    return d->world->operations->folder_space(d, free_bytes);
}

// ---- what folders' files need besides -------------------------------------------------------------------------------------

err file_sync_whole(file *f)
{
    must(work_allowed());
    return f->world->operations->file_sync_whole(f);
}

err file_look(file *f, file_stat *out)
{
    must(work_allowed());
    return f->world->operations->file_look(f, out);
}

err file_reserve(file *f, int64_t offset, int64_t size_bytes)
{
    must(work_allowed());
    must(offset >= 0 && size_bytes > 0);
    return f->world->operations->file_reserve(f, offset, size_bytes);
}
