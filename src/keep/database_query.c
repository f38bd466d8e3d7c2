#include "base/must.h"
#include "keep/database_inside.h"

static query *query_slot(database *d, const char *sql)
{
    for (int i = 0; i < d->query_count; i++)
        if (d->queries[i].sql == sql)
            return &d->queries[i];
    must(d->query_count < QUERIES_MAX);
    query *q = &d->queries[d->query_count++];
    *q = (query){.database = d, .sql = sql};
    return q;
}

query *query_of(database *d, const char *sql)
{
    query *q = query_slot(d, sql);
    q->error = database_ready(d);
    if (q->error)
        return q;
    if (q->statement) {
        sqlite3_reset(q->statement);
        sqlite3_clear_bindings(q->statement);
        return q;
    }
    q->error = database_judge(d, sqlite3_prepare_v3(d->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &q->statement, NULL));
    return q;
}

// A parameter that does not exist is our mistake; a value too long is the caller's trouble.
static void query_bound(query *q, int code)
{
    must(code == SQLITE_OK || code == SQLITE_TOOBIG || code == SQLITE_NOMEM);
    if (code != SQLITE_OK)
        q->error = database_judge(q->database, code);
}

static bool query_binds(const query *q) { return !q->error && q->statement; }

void query_int(query *q, int index, int64_t value)
{
    if (query_binds(q))
        query_bound(q, sqlite3_bind_int64(q->statement, index, value));
}

// A NULL pointer would mean SQL's NULL: an empty text points somewhere.
static const char *bytes_of(str s) { return s.len ? (const char *)s.at : ""; }

void query_text(query *q, int index, str value)
{
    if (query_binds(q))
        query_bound(q, sqlite3_bind_text64(q->statement, index, bytes_of(value), (sqlite3_uint64)value.len, SQLITE_STATIC,
                                           SQLITE_UTF8));
}

void query_blob(query *q, int index, str value)
{
    if (query_binds(q))
        query_bound(q, sqlite3_bind_blob64(q->statement, index, bytes_of(value), (sqlite3_uint64)value.len, SQLITE_STATIC));
}

void query_null(query *q, int index)
{
    if (query_binds(q))
        query_bound(q, sqlite3_bind_null(q->statement, index));
}

bool query_row(query *q)
{
    if (q->error)
        return false;
    if (!q->statement) {              // the database was opened anew in between
        q->error = E_IO;
        return false;
    }
    int code = sqlite3_step(q->statement);
    if (code == SQLITE_ROW)
        return true;
    q->error = database_judge(q->database, code);
    return false;
}

err query_error(const query *q) { return q->error; }

err query_done(query *q)
{
    while (query_row(q))
        ;
    sqlite3_reset(q->statement);      // lets go of what was read
    return q->error;
}

int64_t query_get_int(query *q, int column) { return sqlite3_column_int64(q->statement, column); }
bool query_is_null(query *q, int column) { return sqlite3_column_type(q->statement, column) == SQLITE_NULL; }

str query_get_text(query *q, int column, arena *a)
{
    const void *at = sqlite3_column_text(q->statement, column);
    return str_copy(a, str_of(at, at ? (size_t)sqlite3_column_bytes(q->statement, column) : 0));
}

str query_get_blob(query *q, int column, arena *a)
{
    const void *at = sqlite3_column_blob(q->statement, column);
    return str_copy(a, str_of(at, at ? (size_t)sqlite3_column_bytes(q->statement, column) : 0));
}
