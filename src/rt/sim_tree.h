// The files of a simulated disk: what programs see now, and what a crash would leave. For sim_disk.c and sim.c.
//
// Every file has two images: `now` (the page cache) and `disk` (the medium), and the changes between them in
// order. A sync brings the medium up to date; a crash decides by chance about each change. Directories
// likewise: entries now, entries on the medium, and one ordered list of changes for the whole tree (as in a
// file system's journal).
#pragma once
#include "base/list.h"
#include "rt/sim_image.h"
#include "rt/sim_inside.h"

typedef struct inode inode;
typedef struct { char *name; inode *node; } dir_entry;
typedef struct { dir_entry *at; int count, cap; } dir_entries;      // sorted by name

struct inode {
    int         references;              // entries, changes, open files
    uint64_t    number;
    bool        is_dir;
    unsigned    mode;
    int64_t     modified_ns;
    const void *locked_by;               // the open file that holds the lock
    image       now, disk;
    list        pending;                 // changes of the content since the last sync
    dir_entries entries, disk_entries;
    bool        stopped;                 // during a crash: later changes of this directory are lost
};

struct sim_tree {
    inode   *root;
    list     changes;                    // of directories, since they were synced
    uint64_t numbers;
};

sim_tree *tree_new(void);
void      tree_free(sim_tree *t);
// The disk as it is after the power failed: by chance, as sim.h says. What programs had open is theirs no more.
void      tree_crash(sim_tree *t, dice *d);

int64_t tree_used_bytes(const sim_tree *t);                                   // in all files as they are now
inode *tree_find(sim_tree *t, const char *path);                             // NULL
// The directory that holds the path's last part, and that part (cut to `name`, NAME_BYTES_MAX); NULL when there
// is none.
enum { NAME_BYTES_MAX = 256 };
inode *tree_parent(sim_tree *t, const char *path, char name[NAME_BYTES_MAX]);
inode *dir_find(const dir_entries *d, const char *name);
inode *tree_create(sim_tree *t, inode *dir, const char *name, bool is_dir, unsigned mode, int64_t now_ns);
void   tree_remove(sim_tree *t, inode *dir, const char *name);
void   tree_rename(sim_tree *t, inode *from, const char *name, inode *to, const char *new_name);
void   tree_sync_dir(sim_tree *t, inode *dir);

void   inode_hold(inode *n);
void   inode_release(sim_tree *t, inode *n);
// In the page cache: the first `len` bytes of the pieces, as one change. Pieces that are shared (shared.h) are held, others copied.
void   inode_write(inode *n, size_t offset, const struct iovec *from, int count, size_t len);
void   inode_resize(inode *n, size_t size);
void   inode_sync(inode *n);                                                 // onto the medium
void   inode_sync_failed(inode *n, dice *d);     // by chance onto the medium; never again (the pages count as clean)
