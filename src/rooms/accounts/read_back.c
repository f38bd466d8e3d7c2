#include "rooms/accounts/read_back.h"

#include "rooms/accounts/people.h"
#include "rt/worker.h"

typedef struct { world *w; const char *path; err e; } lookup;

static void stat_work(void *arg)
{
    lookup *l = arg;
    file_stat st;
    l->e = path_stat(l->w, l->path, &st);
}

err accounts_read_back(world *w, str directory, accounts_read *out, arena *a, str *why)
{
    people *p = NULL;
    lookup l = {w, str_to_z(a, str_join(a, directory, S("/people.db"))), E_OK};
    *out = (accounts_read){0};
    work(stat_work, &l);
    if (l.e == E_NO_ENTRY)
        return E_OK;
    err e = people_open(w, l.path, a, &p, why);
    if (!e)
        e = people_check(p);
    if (e && !why->len)
        *why = str_format(a, "%s does not pass SQLite's check: %s", l.path, err_text(e));
    if (p)
        out->people = people_count(p);
    people_close(p);
    return e;
}
