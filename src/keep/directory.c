#include "keep/directory.h"

#include <string.h>

#include "base/must.h"

enum { DIRECTORY_PATH_BYTES = 4096 };

static bool parent_may_refuse(err e) { return e == E_ACCESS || e == E_READ_ONLY || e == E_UNSUPPORTED; }

err directory_make(world *w, const char *path, unsigned mode)
{
    char part[DIRECTORY_PATH_BYTES];
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof part)
        return E_TOO_LONG;
    err e = dir_make(w, path, mode);
    if (!e)
        e = dir_sync(w, path);
    memcpy(part, path, len + 1);
    while (!e) {
        char *slash = strrchr(part, '/');
        if (slash && slash[1] == 0 && slash != part) {        // "a/b/": the same directory once more
            *slash = 0;
            continue;
        }
        if (strcmp(part, "/") == 0 || strcmp(part, ".") == 0)
            break;
        if (!slash)
            memcpy(part, ".", 2);
        else
            slash[slash == part] = 0;
        e = dir_sync(w, part);
        if (parent_may_refuse(e))
            e = E_OK;
    }
    return e;
}

static const char *advice(err e)
{
    switch (e) {
    case E_ACCESS:      return "let the user that naru runs as own it";
    case E_READ_ONLY:   return "mount the disk for writing, or choose another data directory";
    case E_NO_SPACE:    return "make room on the disk, then start again";
    case E_IN_USE:      return "another naru has it open; stop that one, or choose another data directory";
    case E_LIMIT:       return "raise the limit of open files, or let the queue run empty";
    case E_IO:          return "the disk fails; save what can still be read and replace it";
    case E_CORRUPT:     return "restore it from a backup";
    case E_EXISTS:      return "move what has this name away";
    case E_UNSUPPORTED: return "it was written by a newer naru; run that one";
    default:            return "";
    }
}

str trouble_sentence(arena *a, err e, const char *what, const char *where)
{
    const char *todo = advice(e);
    return str_format(a, "%s %s: %s%s%s", what, where, err_text(e), *todo ? "; " : "", todo);
}
