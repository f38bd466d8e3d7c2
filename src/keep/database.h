// SQLite through naru's own VFS over `world` (files, time, randomness), so that it runs, crashes and recovers in the
// simulator as it does on a disk. WAL, synchronous=FULL, locking_mode=EXCLUSIVE, one connection. All database_* and query_*
// calls block: they belong into work(). One work at a time per database (database_turn).
//
// After a failed sync nothing more is written through the open files: every commit answers E_IO until, at the next
// statement outside a transaction, the database is closed and opened anew, which first copies the log into the database.
#pragma once
#include "base/arena.h"
#include "rt/wait.h"

typedef struct database database;
typedef struct query query;

enum { QUERIES_MAX = 128 };                         // different literals a database

// Opens or creates; runs the steps of `schema` (a list ended by NULL; step i brings user_version from i to i+1, in one
// transaction each). E_IO, E_NO_SPACE, E_CORRUPT, E_ACCESS, E_IN_USE, E_UNSUPPORTED (made by a newer schema), with *why in `a`.
// The directory must be there and durable (keep/directory.h).
err  database_open(world *w, const char *path, const char *const *schema, arena *a, database **out, str *why);
void database_close(database *d);                   // NULL is fine
turn *database_turn(database *d);                   // take it around work() when several fibers use one database
err  database_run(database *d, const char *sql);    // no result
err  database_begin(database *d);                   // BEGIN IMMEDIATE
err  database_commit(database *d);                  // durable when it returns E_OK; on error rolled back
void database_rollback(database *d);
int64_t database_last_id(database *d);
int64_t database_changes(database *d);
str  database_trouble(database *d, arena *a);       // the last error as a sentence

// For a backup: what was committed is copied from the log into the file, which then stays as it is until database_thaw and may be
// read by anybody, as a file. Commits go on, into the log; closing copies it. E_IO ... as a commit; one freeze at a time (must).
err  database_freeze(database *d);
// E_OK: the file was untouched since. E_SEALED: it was not (opened anew after a failed sync): what was read is worth nothing.
err  database_thaw(database *d);

// Prepared statements, cached by the address of the literal: query_of(d, "SELECT ..."). Reset when query_of is called again.
// Never NULL: what went wrong in preparing shows in query_row and query_error.
query *query_of(database *d, const char *sql_literal);
void   query_int(query *q, int index, int64_t value);          // 1-based, as ?1
void   query_text(query *q, int index, str value);             // must stay valid until the step
void   query_blob(query *q, int index, str value);
void   query_null(query *q, int index);
bool   query_row(query *q);                          // true: a row; false: done or failed (query_error)
// E_EXISTS: a constraint (UNIQUE ...); E_PROTOCOL: SQL that SQLite does not understand (FTS queries that people type).
err    query_error(const query *q);
err    query_done(query *q);                         // steps to the end, resets, E_OK or the trouble
int64_t query_get_int(query *q, int column);         // 0-based
str    query_get_text(query *q, int column, arena *a);   // copied
str    query_get_blob(query *q, int column, arena *a);
bool   query_is_null(query *q, int column);
