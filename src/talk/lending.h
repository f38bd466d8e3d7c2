// Lending: how a running service lets `naru backup` copy its files. The service says which files hold all that it has promised, and
// keeps them as they are until they are given back or the loan ends by itself; it goes on serving meanwhile. docs/backup.md.
//
//     POST /ROOM/backup/lend?part=PART     {"loan": ID, "files": [{"path": below the room's directory, "bytes": N, -1: all}],
//                                           "folders": [...]}: of a folder every file but those below its `new`.
//                                           {"nothing": true}: there is no such part
//     POST /ROOM/backup/keep?loan=ID       not done yet: another LENDING_S seconds
//     POST /ROOM/backup/return?loan=ID     {"sound": true|false}: false: the files did not stay as they were, nothing of it counts
//     POST /ROOM/backup/done?bytes=N       for the meters: a backup was finished
//
// One loan at a time (409 otherwise). Every error is {"error": TEXT}; 410: there is no such loan (any more).
#pragma once
#include "rt/room.h"
#include "talk/control.h"

enum { LENDING_S = 60, LENDING_FILES_MAX = 2048, LENDING_PATH_BYTES_MAX = 2048, LENDING_MEMORY_BYTES_MAX = 8 << 20 };

typedef struct { str path; int64_t bytes; } lent_file;

typedef struct {
    arena       memory;              // of the loan, from lend to give_back
    lent_file  *files;
    int         file_count;
    str         folder;              // below the room's directory; empty: none
    void       *state;               // the room's own
} loan;

typedef struct {
    // Fills in what is lent of `part` (empty: all that the room has). E_NO_ENTRY: there is no such part. On
    // another error *why says what, where, why and what to do.
    err  (*lend)(void *arg, loan *l, str part, str *why);
    // Takes it back. False: it did not stay as it was. Runs on the fiber that lent; when `ending` the room ends: nothing may be waited for.
    bool (*give_back)(void *arg, loan *l, bool ending);
    void  *arg;
} lender;

// Adds the routes; the lender must live as long as the room. On the room's starting fiber: reads when the last backup was (a note in the
// room's directory).
void lending_offer(room *r, const lender *of);
