// SQLite's files, time and chance over a world (https://sqlite.org/vfs.html): what WAL with locking_mode=EXCLUSIVE needs and no
// more. No shared memory: the WAL's index lives on the heap (https://sqlite.org/wal.html#noshm). One vfs a database; blocking.
#pragma once
#include <sqlite3.h>

#include "rt/world.h"

typedef struct {
    sqlite3_vfs base;                 // first
    world      *world;
    const char *path;                 // of the database, for temporary files
    err         trouble;              // the last thing that went wrong in the world
    bool        dead;                 // a sync failed: nothing is written or synced any more until the database is opened anew
    unsigned    temporaries;
    char        name[32];
} vfs;

// Fills in *v, which must not move and must outlive every handle that is opened on it.
void vfs_init(vfs *v, world *w, const char *path);
// Between these two calls SQLite finds it by its name (opening and VACUUM). The first also sees to it that SQLite's chance
// comes from the world's: in the real world once a process, in the simulator anew for each opening, so that a run repeats.
void vfs_register(vfs *v);
void vfs_unregister(vfs *v);
