// Folders of the real world: every name goes through openat2 beneath the folder's descriptor, without links; the kernel refuses what
// would leave it, also when somebody changes the directories meanwhile.
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/heap_memory.h"
#include "rt/linux.h"

enum { OPEN_TRIES_MAX = 16, PATH_BYTES = 4096 };

typedef struct { folder base; int fd; } linux_folder;

static int fd_of(folder *d) { return ((linux_folder *)(void *)d)->fd; }

static err folder_errno(int number)
{
    switch (number) {
    case EXDEV: case ENXIO: return E_ACCESS;         // out of the folder; a FIFO without a reader, a socket
    case E2BIG:             return E_UNSUPPORTED;
    default:                return errno_err(number);
    }
}

static err answer(int result) { return result == 0 ? E_OK : folder_errno(errno); }

// EAGAIN: somebody renamed something meanwhile, so that the kernel could not be sure.
static err open_beneath(int dir, const char *path, int flags, unsigned mode, int *fd)
{
    struct open_how how = {.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC), .mode = flags & O_CREAT ? mode : 0,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
    for (int i = 0; i < OPEN_TRIES_MAX; i++) {
        *fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof how);
        if (*fd >= 0)
            return E_OK;
        if (errno != EAGAIN && errno != EINTR)
            return folder_errno(errno);
    }
    return E_ACCESS;
}

err linux_folder_open(world *w, const char *path, folder **out)
{
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC), probe = -1;
    if (fd < 0)
        return errno_err(errno);
    err e = open_beneath(fd, ".", O_PATH | O_DIRECTORY, 0, &probe);      // does this kernel know how?
    if (e) {
        close(fd);
        return e;
    }
    close(probe);
    linux_folder *d = memory_new(sizeof *d);
    *d = (linux_folder){{w}, fd};
    *out = &d->base;
    return E_OK;
}

void linux_folder_close(folder *d)
{
    close(fd_of(d));
    memory_free(d);
}

// ---- files ------------------------------------------------------------------------------------------------------------------

// O_NONBLOCK: a FIFO must not make us wait for whoever holds its other end.
err linux_folder_file(folder *d, const char *path, int flags, unsigned mode, file **out)
{
    bool reads = flags & FILE_READ, writes = flags & FILE_WRITE;
    int how = O_NOCTTY | O_NONBLOCK | O_NOFOLLOW | (reads && writes ? O_RDWR : writes ? O_WRONLY : O_RDONLY);
    how |= flags & FILE_CREATE ? O_CREAT : 0;
    how |= flags & FILE_EXCLUSIVE ? O_EXCL : 0;
    int fd;
    struct stat st;
    err e = open_beneath(fd_of(d), path, how, mode, &fd);
    if (e)
        return e;
    e = answer(fstat(fd, &st));
    if (!e && !S_ISREG(st.st_mode))
        e = E_ACCESS;
    if (!e && flags & FILE_TRUNCATE)
        e = answer(ftruncate(fd, 0));
    if (!e)
        return linux_file_new(d->world, fd, out);
    close(fd);
    return e;
}

static file_stat stat_seen(const struct stat *st)
{
    return (file_stat){.size_bytes = st->st_size, .modified_ns = st->st_mtim.tv_sec * NS_PER_S + st->st_mtim.tv_nsec,
                       .is_dir = S_ISDIR(st->st_mode), .mode = st->st_mode & 07777};
}

err linux_folder_stat(folder *d, const char *path, file_stat *out)
{
    int fd;
    struct stat st;
    err e = open_beneath(fd_of(d), *path ? path : ".", O_PATH, 0, &fd);
    if (e)
        return e;
    e = answer(fstat(fd, &st));
    if (!e && !S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
        e = E_ACCESS;
    if (!e)
        *out = stat_seen(&st);
    close(fd);
    return e;
}

err linux_file_look(file *f, file_stat *out)
{
    struct stat st;
    err e = answer(fstat(linux_file_fd(f), &st));
    if (!e)
        *out = stat_seen(&st);
    return e;
}

err linux_file_sync_whole(file *f) { return answer(fsync(linux_file_fd(f))); }

err linux_file_reserve(file *f, int64_t offset, int64_t size)
{
    int result;
    do
        result = fallocate(linux_file_fd(f), 0, offset, size);
    while (result != 0 && errno == EINTR);
    return answer(result);
}

// ---- names ------------------------------------------------------------------------------------------------------------------

// The directory that holds the path's last part, and that part.
static err parent_open(folder *d, const char *path, int *fd, const char **name)
{
    char parent[PATH_BYTES];
    const char *slash = strrchr(path, '/');
    *name = slash ? slash + 1 : path;
    if (!slash)
        return open_beneath(fd_of(d), ".", O_PATH | O_DIRECTORY, 0, fd);
    snprintf(parent, sizeof parent, "%.*s", (int)(slash - path), path);
    return open_beneath(fd_of(d), parent, O_PATH | O_DIRECTORY, 0, fd);
}

static err make_one(folder *d, const char *path, unsigned mode)
{
    int parent, fd;
    const char *name;
    err e = parent_open(d, path, &parent, &name);
    if (e)
        return e;
    e = answer(mkdirat(parent, name, mode));
    close(parent);
    if (e != E_EXISTS)
        return e;
    e = open_beneath(fd_of(d), path, O_PATH | O_DIRECTORY, 0, &fd);      // a directory, or a link or file in the way?
    if (!e)
        close(fd);
    return e == E_NO_ENTRY ? E_EXISTS : e;
}

err linux_folder_make(folder *d, const char *path, unsigned mode)
{
    char part[PATH_BYTES];
    for (const char *slash = path; (slash = strchr(slash, '/')); slash++) {
        snprintf(part, sizeof part, "%.*s", (int)(slash - path), path);
        err e = make_one(d, part, mode);
        if (e)
            return e;
    }
    return make_one(d, path, mode);
}

err linux_folder_remove(folder *d, const char *path)
{
    int parent;
    const char *name;
    err e = parent_open(d, path, &parent, &name);
    if (e)
        return e;
    int result = unlinkat(parent, name, 0);
    if (result != 0 && (errno == EISDIR || errno == EPERM))
        result = unlinkat(parent, name, AT_REMOVEDIR);
    e = answer(result);
    close(parent);
    return e;
}

err linux_folder_rename(folder *from, const char *path, folder *to, const char *new_path, bool replace)
{
    int old_parent, new_parent;
    const char *name, *new_name;
    err e = parent_open(from, path, &old_parent, &name);
    if (e)
        return e;
    e = parent_open(to, new_path, &new_parent, &new_name);
    if (!e) {
        bool good = renameat2(old_parent, name, new_parent, new_name, replace ? 0 : RENAME_NOREPLACE) == 0;
        e = good ? E_OK : errno == EXDEV ? E_UNSUPPORTED : folder_errno(errno);
        close(new_parent);
    }
    close(old_parent);
    return e;
}

err linux_folder_sync(folder *d, const char *path)
{
    int fd;
    err e = open_beneath(fd_of(d), *path ? path : ".", O_RDONLY | O_DIRECTORY, 0, &fd);
    if (e)
        return e;
    e = answer(fsync(fd));
    close(fd);
    return e;
}

err linux_folder_space(folder *d, int64_t *free_bytes)
{
    struct statfs fs;
    err e = answer(fstatfs(fd_of(d), &fs));
    *free_bytes = e ? 0 : (int64_t)fs.f_bavail * (int64_t)fs.f_bsize;
    return e;
}
