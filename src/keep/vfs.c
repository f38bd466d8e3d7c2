#include "keep/vfs.h"

#include <stdio.h>
#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"

enum { VFS_PATH_BYTES = 4096, SECTOR_BYTES = 4096, FILE_MODE = 0600, LOG_PIECE_BYTES = 256 * 1024 };

typedef struct {
    sqlite3_file base;                // first
    vfs         *vfs;
    file        *file;
    const char  *path;                // SQLite keeps it until the file is closed
    bool         fresh;               // its name may not be durable yet
    bool         locked, temporary;
    char        *temporary_path;      // ours, when SQLite gave none
} vfs_file;

static vfs      *vfs_of(sqlite3_vfs *v) { return (vfs *)(void *)v; }
static vfs_file *file_of(sqlite3_file *f) { return (vfs_file *)(void *)f; }

// Remembers what the world said; SQLite hears `code`, or that the disk is full.
static int answer(vfs *v, err e, int code)
{
    if (!e)
        return SQLITE_OK;
    v->trouble = e;
    return e == E_NO_SPACE ? SQLITE_FULL : code;
}

static err parent_sync(vfs *v, const char *path)
{
    char parent[VFS_PATH_BYTES];
    int n = snprintf(parent, sizeof parent, "%s", path);
    if (n >= (int)sizeof parent)
        return E_TOO_LONG;
    char *slash = strrchr(parent, '/');
    if (!slash)
        return dir_sync(v->world, ".");
    slash[slash == parent] = 0;
    return dir_sync(v->world, parent);
}

// ---- files -----------------------------------------------------------------------------------------------------------------

static int on_close(sqlite3_file *base)
{
    vfs_file *f = file_of(base);
    file_close(f->file);
    if (f->temporary)
        path_remove(f->vfs->world, f->path);
    memory_free(f->temporary_path);
    return SQLITE_OK;
}

static int on_read(sqlite3_file *base, void *into, int size, sqlite3_int64 offset)
{
    vfs_file *f = file_of(base);
    size_t got = 0;
    err e = file_read(f->file, offset, into, (size_t)size, &got);
    if (e)
        return answer(f->vfs, e, SQLITE_IOERR_READ);
    if (got == (size_t)size)
        return SQLITE_OK;
    memset((char *)into + got, 0, (size_t)size - got);
    return SQLITE_IOERR_SHORT_READ;
}

static int on_write(sqlite3_file *base, const void *from, int size, sqlite3_int64 offset)
{
    vfs_file *f = file_of(base);
    if (f->vfs->dead)
        return SQLITE_IOERR_WRITE;
    struct iovec v = {(void *)(uintptr_t)from, (size_t)size};
    return answer(f->vfs, file_write(f->file, offset, &v, 1), SQLITE_IOERR_WRITE);
}

// After a failed sync the kernel may count pages as written that are not: whoever syncs again is told that all is well. So
// nothing more goes to these files; the next opening copies the log into the database, which writes everything once more.
static int on_sync(sqlite3_file *base, int flags)
{
    (void)flags;
    vfs_file *f = file_of(base);
    if (f->vfs->dead)
        return SQLITE_IOERR_FSYNC;
    err e = file_sync(f->file);
    if (!e && f->fresh && !f->temporary)
        e = parent_sync(f->vfs, f->path);
    if (e) {
        f->vfs->trouble = e;
        f->vfs->dead = true;
        return SQLITE_IOERR_FSYNC;
    }
    f->fresh = false;
    return SQLITE_OK;
}

static int on_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    vfs_file *f = file_of(base);
    if (f->vfs->dead)
        return SQLITE_IOERR_TRUNCATE;
    return answer(f->vfs, file_truncate(f->file, size), SQLITE_IOERR_TRUNCATE);
}

static int on_file_size(sqlite3_file *base, sqlite3_int64 *out)
{
    vfs_file *f = file_of(base);
    int64_t size = 0;
    err e = file_size(f->file, &size);
    *out = size;
    return answer(f->vfs, e, SQLITE_IOERR_FSTAT);
}

// One lock for everything, held until the file is closed: nobody else ever reads or writes here.
static int on_lock(sqlite3_file *base, int level)
{
    vfs_file *f = file_of(base);
    if (f->locked || level == SQLITE_LOCK_NONE)
        return SQLITE_OK;
    err e = file_lock(f->file);
    f->locked = !e;
    return answer(f->vfs, e, e == E_IN_USE ? SQLITE_BUSY : SQLITE_IOERR_LOCK);
}

static int on_unlock(sqlite3_file *base, int level)
{
    (void)base, (void)level;
    return SQLITE_OK;
}

static int on_check_reserved(sqlite3_file *base, int *out)
{
    (void)base;
    *out = 0;
    return SQLITE_OK;
}

static int on_control(sqlite3_file *base, int operation, void *arg)
{
    (void)base, (void)operation, (void)arg;
    return SQLITE_NOTFOUND;
}

static int on_sector_size(sqlite3_file *base)
{
    (void)base;
    return SECTOR_BYTES;
}

// A torn write never harms bytes outside it: what the journal, too, expects of a disk.
static int on_characteristics(sqlite3_file *base)
{
    (void)base;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static const sqlite3_io_methods file_methods = {
    .iVersion = 1,                    // no xShm*: exclusive locking keeps the WAL's index on the heap
    .xClose = on_close,
    .xRead = on_read,
    .xWrite = on_write,
    .xTruncate = on_truncate,
    .xSync = on_sync,
    .xFileSize = on_file_size,
    .xLock = on_lock,
    .xUnlock = on_unlock,
    .xCheckReservedLock = on_check_reserved,
    .xFileControl = on_control,
    .xSectorSize = on_sector_size,
    .xDeviceCharacteristics = on_characteristics,
};

// ---- the file system -------------------------------------------------------------------------------------------------------

static int flags_of(int flags)
{
    int ours = FILE_READ;
    if (flags & SQLITE_OPEN_READWRITE)
        ours |= FILE_WRITE;
    if (flags & SQLITE_OPEN_CREATE)
        ours |= FILE_CREATE;
    if (flags & SQLITE_OPEN_EXCLUSIVE)
        ours |= FILE_EXCLUSIVE;
    return ours;
}

// After a failed sync the last frames of a log may be in memory and not on the disk. If they were copied into the database from
// there, a crash could bring the shorter log back, whose older frames would then spoil the newer database. So a log that is found
// is written and synced once more before anybody reads it: from then on it may be copied, emptied and removed in any order.
static err log_renew(vfs *v, file *log)
{
    int64_t size = 0;
    err e = file_size(log, &size);
    if (e || !size)
        return e;
    unsigned char *piece = memory_new(LOG_PIECE_BYTES);
    size_t got = LOG_PIECE_BYTES;
    for (int64_t at = 0; !e && got == LOG_PIECE_BYTES; at += LOG_PIECE_BYTES) {
        e = file_read(log, at, piece, LOG_PIECE_BYTES, &got);
        if (!e && got)
            e = file_write(log, at, &(struct iovec){piece, got}, 1);
    }
    memory_free(piece);
    if (!e && (e = file_sync(log)))
        v->dead = true;
    return e;
}

static int on_open(sqlite3_vfs *base, const char *path, sqlite3_file *out, int flags, int *flags_out)
{
    vfs *v = vfs_of(base);
    vfs_file *f = file_of(out);
    *f = (vfs_file){.vfs = v, .path = path, .fresh = flags & SQLITE_OPEN_CREATE,
                    .temporary = flags & SQLITE_OPEN_DELETEONCLOSE};
    int ours = flags_of(flags);
    if (!path) {                      // a leftover of the same name is of no use to anybody
        f->temporary_path = memory_new(VFS_PATH_BYTES);
        int n = snprintf(f->temporary_path, VFS_PATH_BYTES, "%s-temporary%u", v->path, v->temporaries++);
        must(n < VFS_PATH_BYTES);
        f->path = f->temporary_path;
        ours = FILE_READ | FILE_WRITE | FILE_CREATE | FILE_TRUNCATE;
    }
    err e = file_open(v->world, f->path, ours, FILE_MODE, &f->file);
    if (!e && flags & SQLITE_OPEN_WAL && (e = log_renew(v, f->file)))
        file_close(f->file);
    if (e) {
        memory_free(f->temporary_path);
        return answer(v, e, SQLITE_CANTOPEN);
    }
    f->base.pMethods = &file_methods;
    if (flags_out)
        *flags_out = flags;
    return SQLITE_OK;
}

static int on_delete(sqlite3_vfs *base, const char *path, int sync_parent)
{
    vfs *v = vfs_of(base);
    err e = path_remove(v->world, path);
    if (e == E_NO_ENTRY)
        return SQLITE_IOERR_DELETE_NOENT;
    if (!e && sync_parent)
        e = parent_sync(v, path);
    return answer(v, e, SQLITE_IOERR_DELETE);
}

static int on_access(sqlite3_vfs *base, const char *path, int flags, int *out)
{
    vfs *v = vfs_of(base);
    file_stat st = {0};
    err e = path_stat(v->world, path, &st);
    *out = !e && (flags != SQLITE_ACCESS_EXISTS || st.size_bytes > 0);       // an empty journal is none
    return e == E_NO_ENTRY ? SQLITE_OK : answer(v, e, SQLITE_IOERR_ACCESS);
}

static int on_full_path(sqlite3_vfs *base, const char *path, int size, char *out)
{
    (void)base;
    return snprintf(out, (size_t)size, "%s", path) < size ? SQLITE_OK : SQLITE_CANTOPEN;
}

static int on_randomness(sqlite3_vfs *base, int size, char *out)
{
    world_random(vfs_of(base)->world, out, (size_t)size);
    return size;
}

static int on_sleep(sqlite3_vfs *base, int microseconds)
{
    (void)base, (void)microseconds;
    return 0;
}

// Milliseconds since the Julian epoch; 1970 began at 2440587.5 days.
static int on_time(sqlite3_vfs *base, sqlite3_int64 *out)
{
    *out = 210866760000000 + world_wall_ns(vfs_of(base)->world) / NS_PER_MS;
    return SQLITE_OK;
}

static int on_last_error(sqlite3_vfs *base, int size, char *out)
{
    (void)base, (void)size, (void)out;
    return 0;
}

void vfs_init(vfs *v, world *w, const char *path)
{
    *v = (vfs){.world = w, .path = path};
    snprintf(v->name, sizeof v->name, "naru-%p", (void *)v);
    v->base = (sqlite3_vfs){
        .iVersion = 2,
        .szOsFile = sizeof(vfs_file),
        .mxPathname = VFS_PATH_BYTES - 1,
        .zName = v->name,
        .xOpen = on_open,
        .xDelete = on_delete,
        .xAccess = on_access,
        .xFullPathname = on_full_path,
        .xRandomness = on_randomness,
        .xSleep = on_sleep,
        .xGetLastError = on_last_error,
        .xCurrentTimeInt64 = on_time,
    };
}

// SQLite seeds its chance once a process, from the default vfs. Whoever waits for the seed does so inside sqlite3_randomness, so
// a vfs is never asked after it was unregistered.
static void chance_seed(vfs *v)
{
    unsigned char byte;
    must(sqlite3_vfs_register(&v->base, 1) == SQLITE_OK);
    if (world_is_simulated(v->world))
        sqlite3_randomness(0, NULL);
    sqlite3_randomness(1, &byte);
}

void vfs_register(vfs *v)
{
    chance_seed(v);
    must(sqlite3_vfs_register(&v->base, 0) == SQLITE_OK);
}

void vfs_unregister(vfs *v)
{
    must(sqlite3_vfs_unregister(&v->base) == SQLITE_OK);
}
