// What the accounts service lends to `naru backup`: its database. docs/backup.md.
#include "base/must.h"
#include "rooms/accounts/accounts_inside.h"
#include "talk/lending.h"

static err lend(void *arg, loan *l, str part, str *why)
{
    accounts *s = arg;
    (void)part;
    err e = people_freeze(s->people);
    if (e) {
        *why = str_format(&l->memory, "the accounts' database cannot be lent: %s", err_text(e));
        return e;
    }
    l->files = arena_new(&l->memory, lent_file);
    must(l->files);
    l->files[0] = (lent_file){S("people.db"), -1};
    l->file_count = 1;
    return E_OK;
}

static bool give_back(void *arg, loan *l, bool ending)
{
    accounts *s = arg;
    (void)l;
    return !ending && people_thaw(s->people) == E_OK;
}

void accounts_backup(accounts *s)
{
    lender *own = arena_new(s->r->memory, lender);
    must(own);
    *own = (lender){lend, give_back, s};
    lending_offer(s->r, own);
}
