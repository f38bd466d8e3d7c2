#pragma once
#include "keep/database.h"
#include "keep/vfs.h"

struct query {
    database     *database;
    const char   *sql;
    sqlite3_stmt *statement;          // NULL: not prepared (any more)
    err           error;
};

struct database {
    vfs      vfs;
    sqlite3 *handle;                  // NULL: reopening failed
    char    *path;
    turn     turn;
    query    queries[QUERIES_MAX];
    int      query_count;
    bool     frozen;                  // nothing but the log is written
    err      error;                   // the last one
    char     trouble[256];            // SQLite's words for it
};

// What an SQLite result means; remembers it in d->error and d->trouble.
err  database_judge(database *d, int code);
// Opens anew after a failed sync, unless a transaction is running. E_OK: usable.
err  database_ready(database *d);
