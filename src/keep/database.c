#include "keep/database.h"

#include <stdio.h>
#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"
#include "keep/database_inside.h"
#include "keep/directory.h"

// Many accounts are open at once: 256 KiB of page cache each at most, and a small lookaside.
enum { LOOKASIDE_SLOT_BYTES = 512, LOOKASIDE_SLOTS = 32, TEXT_BYTES_MAX = 128 << 20, DATABASE_PATH_BYTES_MAX = 3900 };

static const char settings[] =
    "PRAGMA locking_mode = EXCLUSIVE;"        // before WAL: then its index needs no shared memory
    "PRAGMA cache_size = -256;"
    "PRAGMA mmap_size = 0;"
    "PRAGMA temp_store = MEMORY;"
    "PRAGMA journal_mode = WAL;"
    "PRAGMA synchronous = FULL;"
    "PRAGMA foreign_keys = ON;"
    "PRAGMA cell_size_check = ON;"
    "PRAGMA trusted_schema = OFF;"
    "PRAGMA wal_checkpoint(TRUNCATE);";       // what an earlier life left in the log is written and synced anew

static err meaning(const database *d, int code)
{
    switch (code & 0xff) {
    case SQLITE_OK: case SQLITE_ROW: case SQLITE_DONE: return E_OK;
    case SQLITE_FULL:       return E_NO_SPACE;
    case SQLITE_BUSY: case SQLITE_LOCKED: return E_IN_USE;
    case SQLITE_CORRUPT: case SQLITE_NOTADB: return E_CORRUPT;
    case SQLITE_READONLY:   return E_READ_ONLY;
    case SQLITE_CONSTRAINT: return E_EXISTS;
    case SQLITE_TOOBIG:     return E_TOO_LONG;
    case SQLITE_NOMEM:      return E_LIMIT;
    case SQLITE_INTERRUPT:  return E_CANCELED;
    case SQLITE_CANTOPEN: case SQLITE_IOERR: return d->vfs.trouble ? d->vfs.trouble : E_IO;
    case SQLITE_PERM: case SQLITE_AUTH: return E_ACCESS;
    default:                return E_PROTOCOL;
    }
}

err database_judge(database *d, int code)
{
    err e = meaning(d, code);
    d->vfs.trouble = E_OK;
    if (!e)
        return E_OK;
    d->error = e;
    snprintf(d->trouble, sizeof d->trouble, "%s", d->handle ? sqlite3_errmsg(d->handle) : sqlite3_errstr(code));
    return e;
}

str database_trouble(database *d, arena *a)
{
    if (!d->error)
        return (str){0};
    return str_format(a, "the database %s: %s (%s)", d->path, err_text(d->error), d->trouble);
}

// ---- the handle ------------------------------------------------------------------------------------------------------------

static void handle_close(database *d)
{
    for (int i = 0; i < d->query_count; i++) {
        sqlite3_finalize(d->queries[i].statement);
        d->queries[i].statement = NULL;
    }
    int code = sqlite3_close(d->handle);
    must(code == SQLITE_OK);                  // all statements are finalized
    d->handle = NULL;
    vfs_unregister(&d->vfs);
}

static int handle_configure(sqlite3 *handle)
{
    sqlite3_extended_result_codes(handle, 1);
    sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, TEXT_BYTES_MAX);
    sqlite3_limit(handle, SQLITE_LIMIT_ATTACHED, 1);          // VACUUM needs one
    sqlite3_db_config(handle, SQLITE_DBCONFIG_LOOKASIDE, NULL, LOOKASIDE_SLOT_BYTES, LOOKASIDE_SLOTS);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    int code = sqlite3_exec(handle, settings, NULL, NULL, NULL);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    return code;
}

static err handle_open(database *d)
{
    enum { FLAGS = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX };
    d->frozen = false;                        // opening copies the log into the file
    d->vfs.dead = false;
    d->vfs.trouble = E_OK;
    vfs_register(&d->vfs);
    int code = sqlite3_open_v2(d->path, &d->handle, FLAGS, d->vfs.name);
    if (code == SQLITE_OK)
        code = handle_configure(d->handle);
    err e = database_judge(d, code);
    if (e)
        handle_close(d);
    return e;
}

err database_ready(database *d)
{
    if (d->handle && (!d->vfs.dead || !sqlite3_get_autocommit(d->handle)))
        return E_OK;
    if (d->handle)
        handle_close(d);
    return handle_open(d);
}

// ---- opening ---------------------------------------------------------------------------------------------------------------

static err schema_step(database *d, const char *step, int version)
{
    char mark[48];
    snprintf(mark, sizeof mark, "PRAGMA user_version = %d", version);
    err e = database_begin(d);
    if (e)
        return e;
    e = database_run(d, step);
    if (!e)
        e = database_run(d, mark);
    if (!e)
        return database_commit(d);
    database_rollback(d);
    return e;
}

static err schema_run(database *d, const char *const *schema)
{
    query *q = query_of(d, "PRAGMA user_version");
    int64_t version = query_row(q) ? query_get_int(q, 0) : 0;
    err e = query_done(q);
    int count = 0;
    while (schema[count])
        count++;
    if (!e && (version < 0 || version > count)) {
        d->error = e = E_UNSUPPORTED;
        snprintf(d->trouble, sizeof d->trouble, "its schema is version %lld, this naru knows %d", (long long)version, count);
    }
    for (int i = (int)version; i < count && !e; i++)
        e = schema_step(d, schema[i], i + 1);
    return e;
}

err database_open(world *w, const char *path, const char *const *schema, arena *a, database **out, str *why)
{
    size_t size = strlen(path) + 1;
    if (size > DATABASE_PATH_BYTES_MAX) {
        *why = S("the database has too long a path: choose a data directory whose name is shorter");
        return E_TOO_LONG;
    }
    database *d = memory_zeroed(1, sizeof *d);
    d->path = memcpy(memory_new(size), path, size);
    vfs_init(&d->vfs, w, d->path);
    err e = handle_open(d);
    if (!e)
        e = schema_run(d, schema);
    if (e) {
        *why = str_format(a, STR_FMT " (%s)", STR_ARG(trouble_sentence(a, e, "cannot open the database", path)), d->trouble);
        database_close(d);
        return e;
    }
    *out = d;
    return E_OK;
}

void database_close(database *d)
{
    if (!d)
        return;
    if (d->handle) {
        database_rollback(d);
        handle_close(d);
    }
    memory_free(d->path);
    memory_free(d);
}

turn *database_turn(database *d) { return &d->turn; }

// ---- transactions ----------------------------------------------------------------------------------------------------------

err database_run(database *d, const char *sql)
{
    err e = database_ready(d);
    return e ? e : database_judge(d, sqlite3_exec(d->handle, sql, NULL, NULL, NULL));
}

err database_begin(database *d) { return database_run(d, "BEGIN IMMEDIATE"); }

err database_commit(database *d)
{
    must(d->handle);
    err e = database_judge(d, sqlite3_exec(d->handle, "COMMIT", NULL, NULL, NULL));
    if (e)
        database_rollback(d);
    return e;
}

// Some errors have rolled back already; then there is nothing to do. What remains undone is undone by closing.
void database_rollback(database *d)
{
    for (int i = 0; i < d->query_count; i++)
        sqlite3_reset(d->queries[i].statement);
    if (d->handle && !sqlite3_get_autocommit(d->handle))
        sqlite3_exec(d->handle, "ROLLBACK", NULL, NULL, NULL);
}

int64_t database_last_id(database *d) { return d->handle ? sqlite3_last_insert_rowid(d->handle) : 0; }
int64_t database_changes(database *d) { return d->handle ? sqlite3_changes64(d->handle) : 0; }
