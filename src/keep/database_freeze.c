// A database that stands still on the disk while it is used. In WAL mode commits go into the log; the file itself changes only when
// the log is copied into it. So with an empty log and no copying, the file is a snapshot for as long as anybody likes, at no cost in
// space or time. (Were the log's frames copied too, a log that is begun anew in the middle could mix two lives.)
#include "base/must.h"
#include "keep/database_inside.h"

enum { PAGES_BETWEEN_COPIES = 1000 };        // SQLite's default

err database_freeze(database *d)
{
    int left = 0, copied = 0;
    must(!d->frozen);
    err e = database_ready(d);
    if (e)
        return e;
    e = database_judge(d, sqlite3_wal_checkpoint_v2(d->handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, &left, &copied));
    if (!e && left)
        e = E_IN_USE;                        // a statement is still reading: not between works
    if (e)
        return e;
    sqlite3_wal_autocheckpoint(d->handle, 0);
    d->frozen = true;
    return E_OK;
}

err database_thaw(database *d)
{
    if (!d->frozen)
        return E_SEALED;
    d->frozen = false;
    sqlite3_wal_autocheckpoint(d->handle, PAGES_BETWEEN_COPIES);
    // What gathered goes into the file now and not with somebody's commit. Trouble here is the next commit's trouble.
    sqlite3_wal_checkpoint_v2(d->handle, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    return E_OK;
}
